// A QR code (ISO/IEC 18004) of a short address: byte mode, error correction level M, versions 1 to 6.
//
// `qr` gives the matrix of dark modules, `qrPath` draws it as one SVG path. Version 6 holds 106 bytes, which is more
// than the address of a phone page needs; from version 7 on the standard asks for more than is done here.

/** Of versions 1 to 6 at level M: data bytes, error correction bytes per block, blocks. All blocks are alike. */
const VERSIONS = [
  [16, 10, 1],
  [28, 16, 1],
  [44, 26, 1],
  [64, 18, 2],
  [86, 24, 2],
  [108, 16, 4],
];

/** How many bytes a code holds at most. */
export const QR_BYTES_MAX = 106;

/** The eight masks of clause 7.8.2. */
const MASKS = [
  (row, column) => (row + column) % 2 === 0,
  (row) => row % 2 === 0,
  (_, column) => column % 3 === 0,
  (row, column) => (row + column) % 3 === 0,
  (row, column) => ((row >> 1) + Math.floor(column / 3)) % 2 === 0,
  (row, column) => ((row * column) % 2) + ((row * column) % 3) === 0,
  (row, column) => (((row * column) % 2) + ((row * column) % 3)) % 2 === 0,
  (row, column) => (((row + column) % 2) + ((row * column) % 3)) % 2 === 0,
];

/** The code of `text` as rows of booleans, dark is true; `RangeError` for what is too long. */
export function qr(text) {
  const bytes = new TextEncoder().encode(text);
  const version = VERSIONS.findIndex(([data]) => bytes.length + 2 <= data) + 1;
  if (version === 0) throw new RangeError(`a code holds at most ${QR_BYTES_MAX} bytes`);
  const bits = bitsOf(interleaved(dataBytes(bytes, version), version));
  const blank = withPatterns(version);
  const drawn = MASKS.map((mask, number) => withFormat(withBits(blank, bits, mask), number));
  return drawn.reduce((best, next) => (penalty(next.dark) < penalty(best.dark) ? next : best)).dark;
}

/** The matrix as the `d` of an SVG path, one unit per module. */
export function qrPath(matrix) {
  const strokes = [];
  matrix.forEach((row, y) =>
    row.forEach((dark, x) => {
      if (dark && !row[x - 1]) {
        const end = row.indexOf(false, x);
        const run = (end < 0 ? row.length : end) - x;
        strokes.push(`M${x} ${y}h${run}v1h-${run}z`);
      }
    }),
  );
  return strokes.join("");
}

/** Mode and length, the bytes, the end, and padding (7.4). */
function dataBytes(bytes, version) {
  const [room] = VERSIONS[version - 1];
  const nibbles = [
    4,
    bytes.length >> 4,
    bytes.length & 15,
    ...Array.from(bytes, (byte) => [byte >> 4, byte & 15]).flat(),
    0,
  ];
  const data = Array.from({ length: nibbles.length / 2 }, (_, i) => (nibbles[2 * i] << 4) | nibbles[2 * i + 1]);
  for (let pad = 0; data.length < room; pad += 1) data.push(pad % 2 === 0 ? 0xec : 0x11);
  return data;
}

/** Data and error correction, block by block interleaved (7.6). */
function interleaved(data, version) {
  const [room, correction, count] = VERSIONS[version - 1];
  const size = room / count;
  const blocks = Array.from({ length: count }, (_, i) => data.slice(i * size, (i + 1) * size));
  const corrections = blocks.map((block) => reedSolomon(block, correction));
  const woven = (parts, length) => Array.from({ length }, (_, i) => parts.map((part) => part[i])).flat();
  return [...woven(blocks, size), ...woven(corrections, correction)];
}

const bitsOf = (bytes) => bytes.flatMap((byte) => [7, 6, 5, 4, 3, 2, 1, 0].map((bit) => ((byte >> bit) & 1) === 1));

/** Multiplication in GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1. */
function times(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    product ^= ((b >> bit) & 1) * a;
  }
  return product;
}

function reedSolomon(block, length) {
  const divisor = generator(length);
  const remainder = new Array(length).fill(0);
  for (const byte of block) {
    const factor = byte ^ remainder.shift();
    remainder.push(0);
    divisor.forEach((coefficient, i) => (remainder[i] ^= times(coefficient, factor)));
  }
  return remainder;
}

/** The product of (x - 2^i), without its leading 1. */
function generator(length) {
  const polynomial = [...new Array(length - 1).fill(0), 1];
  let root = 1;
  for (let i = 0; i < length; i += 1) {
    polynomial.forEach((coefficient, j) => (polynomial[j] = times(coefficient, root) ^ (polynomial[j + 1] ?? 0)));
    root = times(root, 2);
  }
  return polynomial;
}

/** Finders, timing, alignment, the dark module, and the room of the format bits (6.3). */
function withPatterns(version) {
  const size = 17 + 4 * version;
  const grid = { dark: square(size), fixed: square(size) };
  const set = (row, column, dark) => {
    if (row < 0 || column < 0 || row >= size || column >= size) return;
    grid.dark[row][column] = dark;
    grid.fixed[row][column] = true;
  };
  const rings = (row, column, reach, isDark) => {
    for (let y = -reach; y <= reach; y += 1)
      for (let x = -reach; x <= reach; x += 1) set(row + y, column + x, isDark(Math.max(Math.abs(x), Math.abs(y))));
  };
  for (let i = 0; i < size; i += 1) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  for (const [row, column] of [
    [3, 3],
    [3, size - 4],
    [size - 4, 3],
  ])
    rings(row, column, 4, (ring) => ring !== 2 && ring !== 4);
  if (version > 1) rings(size - 7, size - 7, 2, (ring) => ring !== 1);
  for (const [row, column] of formatPlaces(size).flat()) set(row, column, false);
  set(size - 8, 8, true);
  return grid;
}

/** Where the fifteen format bits go, twice; bit 0 first (7.9). */
function formatPlaces(size) {
  const around = [0, 1, 2, 3, 4, 5, 7, 8].map((row) => [row, 8]).concat([7, 5, 4, 3, 2, 1, 0].map((column) => [8, column]));
  const apart = Array.from({ length: 15 }, (_, i) => (i < 8 ? [8, size - 1 - i] : [size - 15 + i, 8]));
  return [around, apart];
}

/** The bits in two-column strokes from the lower right, up and down (7.7.3). */
function withBits(blank, bits, mask) {
  const size = blank.dark.length;
  const dark = blank.dark.map((row) => [...row]);
  let next = 0;
  for (let right = size - 1, up = true; right > 0; right -= right === 8 ? 3 : 2, up = !up) {
    for (let i = 0; i < size; i += 1) {
      const row = up ? size - 1 - i : i;
      for (const column of [right, right - 1]) {
        if (blank.fixed[row][column]) continue;
        dark[row][column] = (bits[next] ?? false) !== mask(row, column);
        next += 1;
      }
    }
  }
  return { dark };
}

/** The format: level M is 00, then the mask, then their BCH code, all masked (7.9). */
function withFormat(grid, mask) {
  let remainder = mask << 10;
  for (let bit = 14; bit >= 10; bit -= 1) if ((remainder >> bit) & 1) remainder ^= 0x537 << (bit - 10);
  const format = ((mask << 10) | remainder) ^ 0x5412;
  for (const places of formatPlaces(grid.dark.length)) {
    places.forEach(([row, column], bit) => (grid.dark[row][column] = ((format >> bit) & 1) === 1));
  }
  return grid;
}

/** How hard a scanner would find it (7.8.3): runs, blocks, things like finders, and too much of one shade. */
function penalty(dark) {
  const lines = [...dark, ...dark.map((_, i) => dark.map((row) => row[i]))];
  const size = dark.length;
  let points = 0;
  for (const line of lines) {
    const text = line.map((module) => (module ? "1" : "0")).join("");
    for (const run of text.match(/0{5,}|1{5,}/g) ?? []) points += run.length - 2;
    points += 40 * (text.match(/(?=10111010000|00001011101)/g) ?? []).length;
  }
  for (let y = 1; y < size; y += 1)
    for (let x = 1; x < size; x += 1) {
      const same = [dark[y - 1][x], dark[y][x - 1], dark[y - 1][x - 1]].every((module) => module === dark[y][x]);
      if (same) points += 3;
    }
  const share = (100 * dark.flat().filter(Boolean).length) / size ** 2;
  return points + 10 * Math.floor(Math.abs(share - 50) / 5);
}

const square = (size) => Array.from({ length: size }, () => new Array(size).fill(false));
