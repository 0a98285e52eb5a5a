// Account and password as a compact JWE for the payment platform's key: what the switch relays and cannot read.
//
// RFC 7516 with ECDH-ES (RFC 7518 4.6, direct agreement) and A256GCM. The protected header pins the payment, so that
// nobody on the way can move a credential to another one. Pure: WebCrypto is its only companion; it runs in node too.

const CURVE = { name: "ECDH", namedCurve: "P-256" };
const TAG_BYTES = 16;

/**
 * Seals `credential` (`{account, password}`) for `key` (the platform's public JWK), good for `terms` only:
 * `{payment, amount, currency, merchant, permit, exp}`, `exp` in Unix seconds.
 */
export async function seal(key, terms, credential, crypto = globalThis.crypto) {
  const { subtle } = crypto;
  const platform = await platformKey(key, subtle);
  const ephemeral = await subtle.generateKey(CURVE, false, ["deriveBits"]);
  const header = protectedHeader(key, terms, await publicJwk(ephemeral.publicKey, subtle), crypto);
  const encoded = base64url(utf8(JSON.stringify(header)));
  const content = await contentKey(ephemeral.privateKey, platform, subtle);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const plaintext = utf8(JSON.stringify({ account: credential.account, password: credential.password }));
  const algorithm = { name: "AES-GCM", iv, additionalData: utf8(encoded), tagLength: 8 * TAG_BYTES };
  const sealed = new Uint8Array(await subtle.encrypt(algorithm, content, plaintext));
  plaintext.fill(0);
  const [ciphertext, tag] = [sealed.subarray(0, -TAG_BYTES), sealed.subarray(-TAG_BYTES)];
  // Direct agreement has no encrypted key: the second part is empty.
  return [encoded, "", base64url(iv), base64url(ciphertext), base64url(tag)].join(".");
}

function protectedHeader(key, terms, epk, crypto) {
  const { payment, amount, currency, merchant, permit, exp } = terms;
  const nonce = base64url(crypto.getRandomValues(new Uint8Array(16)));
  const kid = key.kid === undefined ? {} : { kid: key.kid };
  return { alg: "ECDH-ES", enc: "A256GCM", ...kid, epk, payment, amount, currency, merchant, permit, exp, nonce };
}

async function platformKey(key, subtle) {
  if (key?.kty !== "EC" || key.crv !== "P-256") throw new TypeError("the platform's key must be an EC key on P-256");
  const { kty, crv, x, y } = key;
  return subtle.importKey("jwk", { kty, crv, x, y }, CURVE, false, []);
}

async function contentKey(own, other, subtle) {
  const secret = new Uint8Array(await subtle.deriveBits({ name: "ECDH", public: other }, own, 256));
  const bytes = await concatKdf(secret, "A256GCM", 256, {}, subtle);
  secret.fill(0);
  return subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt"]);
}

/** The Concat KDF of RFC 7518 4.6.2 with SHA-256, for keys of up to 256 bits. */
export async function concatKdf(
  secret,
  algorithm,
  bits,
  { partyU = utf8(""), partyV = utf8("") } = {},
  subtle = globalThis.crypto.subtle,
) {
  const counted = (bytes) => [uint32(bytes.length), bytes];
  const otherInfo = [counted(utf8(algorithm)), counted(partyU), counted(partyV), uint32(bits)];
  const digest = await subtle.digest("SHA-256", joined([uint32(1), secret, ...otherInfo.flat()]));
  return new Uint8Array(digest, 0, bits / 8);
}

/** A public EC key as a JWK with nothing but the key in it. */
export async function publicJwk(key, subtle = globalThis.crypto.subtle) {
  const { kty, crv, x, y } = await subtle.exportKey("jwk", key);
  return { kty, crv, x, y };
}

/** base64url without padding (RFC 7515 2). */
export function base64url(bytes) {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** UTF-8. */
export function utf8(text) {
  return new TextEncoder().encode(text);
}

function uint32(number) {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
