// The pages' pure modules, each against a judge that is not ours: `jose` opens what we seal, `jsQR` reads what we draw.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compactDecrypt, generateKeyPair, exportJWK } from "jose";
import jsQR from "jsqr";
import { confirmationText } from "../../src/pages/assets/device.js";
import { decimalOf, grouped, minorOf, money } from "../../src/pages/assets/money.js";
import { QR_BYTES_MAX, qr, qrPath } from "../../src/pages/assets/qr.js";
import { base64url, concatKdf, seal, utf8 } from "../../src/pages/assets/seal.js";
import { EventParser } from "../../src/pages/assets/stream.js";

const TERMS = { payment: "pay_1", amount: "12.50", currency: "EUR", merchant: "M1", permit: "p-1", exp: 1_900_000_000 };

test("what_is_sealed_for_the_platform_opens_for_the_platform_and_names_the_payment", async () => {
  const platform = await generateKeyPair("ECDH-ES", { crv: "P-256", extractable: true });
  const jwe = await seal(await exportJWK(platform.publicKey), TERMS, { account: "anna", password: "pässword" });
  const { plaintext, protectedHeader } = await compactDecrypt(jwe, platform.privateKey);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(plaintext)), { account: "anna", password: "pässword" });
  const { alg, enc, epk, nonce, ...terms } = protectedHeader;
  assert.deepEqual([alg, enc, Object.keys(epk).join()], ["ECDH-ES", "A256GCM", "kty,crv,x,y"]);
  assert.equal(Buffer.from(nonce, "base64url").length, 16);
  assert.deepEqual(terms, TERMS);
});

test("a_credential_that_was_moved_to_another_amount_does_not_open", async () => {
  const platform = await generateKeyPair("ECDH-ES", { crv: "P-256", extractable: true });
  const jwe = await seal(await exportJWK(platform.publicKey), TERMS, { account: "anna", password: "secret" });
  const [header, ...rest] = jwe.split(".");
  const moved = { ...JSON.parse(Buffer.from(header, "base64url")), amount: "1.25" };
  const forged = [base64url(utf8(JSON.stringify(moved))), ...rest].join(".");
  await assert.rejects(compactDecrypt(forged, platform.privateKey));
  await compactDecrypt(jwe, platform.privateKey);
});

test("a_key_that_is_not_on_our_curve_seals_nothing", async () => {
  await assert.rejects(seal({ kty: "RSA", n: "AQAB", e: "AQAB" }, TERMS, { account: "a", password: "b" }), TypeError);
  const off = base64url(new Uint8Array(32).fill(1));
  await assert.rejects(seal({ kty: "EC", crv: "P-256", x: off, y: off }, TERMS, { account: "a", password: "b" }));
});

test("the_key_derivation_is_that_of_rfc_7518_appendix_c", async () => {
  const alice = {
    kty: "EC",
    crv: "P-256",
    x: "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
    y: "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
    d: "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo",
  };
  const bob = {
    kty: "EC",
    crv: "P-256",
    x: "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
    y: "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
  };
  const curve = { name: "ECDH", namedCurve: "P-256" };
  const own = await crypto.subtle.importKey("jwk", alice, curve, false, ["deriveBits"]);
  const other = await crypto.subtle.importKey("jwk", bob, curve, false, []);
  const secret = new Uint8Array(await crypto.subtle.deriveBits({ name: "ECDH", public: other }, own, 256));
  const key = await concatKdf(secret, "A128GCM", 128, { partyU: utf8("Alice"), partyV: utf8("Bob") });
  assert.equal(base64url(key), "VqqN6vgjbSBcIijNcacQGg");
});

test("a_confirmation_signs_every_word_the_payer_saw", () => {
  const payment = { id: "pay_1", amount: "12.50", currency: "EUR", merchant: "M1", terminal: "T1", epoch: 7 };
  assert.equal(confirmationText(payment), "turnout-confirmation-v1\npay_1\n12.50\nEUR\nM1\nT1\n7");
  const bare = { ...payment, terminal: undefined, epoch: 0 };
  assert.equal(confirmationText(bare), "turnout-confirmation-v1\npay_1\n12.50\nEUR\nM1\n\n0");
});

test("a_stranger_reads_every_code_from_the_shortest_to_the_longest", () => {
  for (let length = 1; length <= QR_BYTES_MAX; length += 1) {
    const text = `https://pay.example/#terminal=${"T0-_.:+x".repeat(20)}`.slice(-length);
    assert.equal(seen(qr(text)), text, `length ${length}`);
  }
  assert.equal(seen(qr("Zug fährt – ✓")), "Zug fährt – ✓");
  assert.throws(() => qr("x".repeat(QR_BYTES_MAX + 1)), RangeError);
});

test("a_scratched_code_is_still_read", () => {
  const matrix = qr("http://127.0.0.1:8080/#terminal=T1");
  for (const [row, column] of [
    [12, 12],
    [13, 12],
    [12, 13],
    [20, 15],
    [21, 15],
    [15, 22],
  ]) {
    matrix[row][column] = !matrix[row][column];
  }
  assert.equal(seen(matrix), "http://127.0.0.1:8080/#terminal=T1");
});

test("the_drawn_path_covers_the_dark_modules_and_no_others", () => {
  const matrix = qr("T1");
  const painted = matrix.map((row) => row.map(() => false));
  for (const [, x, y, run] of qrPath(matrix).matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
    painted[Number(y)].fill(true, Number(x), Number(x) + Number(run));
  }
  assert.deepEqual(painted, matrix);
});

test("money_is_exact_whatever_the_currency", () => {
  assert.deepEqual(
    ["0", "5", "1250"].map((minor) => decimalOf(minor, "EUR")),
    ["0.00", "0.05", "12.50"],
  );
  assert.deepEqual([decimalOf("1250", "JPY"), decimalOf("1250", "KWD")], ["1250", "1.250"]);
  assert.equal(decimalOf("999999999999", "EUR"), "9999999999.99");
  assert.deepEqual(
    ["12.5", "12,50", "12", "0.07"].map((text) => minorOf(text, "EUR")),
    [1250n, 1250n, 1200n, 7n],
  );
  for (const wrong of ["", "1.234", "-1", "1e3", "1 000", "99999999999999", ".5", "NaN"])
    assert.equal(minorOf(wrong, "EUR"), null, wrong);
  assert.deepEqual([minorOf("12.5", "JPY"), minorOf("9999999999.99", "EUR")], [null, 999_999_999_999n]);
  assert.deepEqual([grouped("1234567.50"), grouped("999"), grouped("?")], ["1\u202f234\u202f567.50", "999", "?"]);
  assert.equal(money("12.50", "EUR"), "12.50\u00a0EUR");
});

test("events_are_whole_however_the_network_cuts_them", () => {
  const text = ': hello\r\nid: 7\r\nevent: payment\r\ndata: {"a":\r\ndata: 1}\r\n\r\nid: 8\ndata:x\n\nretry: 50\rdata\r\r';
  const whole = new EventParser().push(text);
  assert.deepEqual(whole.slice(0, 2), [
    { type: "payment", data: '{"a":\n1}', id: "7" },
    { type: "message", data: "x", id: "8" },
  ]);
  for (let cut = 0; cut <= text.length; cut += 1) {
    const parser = new EventParser();
    assert.deepEqual(
      [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))].slice(0, 2),
      whole.slice(0, 2),
      `cut ${cut}`,
    );
    parser.push("data: end\n\n");
    assert.equal(parser.retryMs, 50);
  }
});

function seen(matrix) {
  const [scale, quiet] = [4, 4];
  const size = (matrix.length + 2 * quiet) * scale;
  const image = new Uint8ClampedArray(4 * size * size).fill(255);
  matrix.forEach((row, y) =>
    row.forEach((dark, x) => dark && blacken(image, size, (x + quiet) * scale, (y + quiet) * scale, scale)),
  );
  return jsQR(image, size, size)?.data;
}

function blacken(image, size, left, top, scale) {
  for (let y = top; y < top + scale; y += 1)
    for (let x = left; x < left + scale; x += 1) image.fill(0, 4 * (y * size + x), 4 * (y * size + x) + 3);
}
