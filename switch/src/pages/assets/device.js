// The device's own key: made once by WebCrypto, kept in IndexedDB, and never to be taken out of this browser.
//
// It signs what the payer saw (what you see is what you sign), in the words of docs/http-api.md. The private half is
// not extractable: not even this page can read it. It knows nothing of the platform; see seal.js for that.
import { base64url, publicJwk, utf8 } from "./seal.js";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };
const [BASE, STORE, NAME] = ["turnout", "keys", "device"];

/** Whether this browser may use keys here: only on https and on localhost. */
export function canKeepKeys() {
  return globalThis.isSecureContext === true && Boolean(globalThis.crypto?.subtle) && Boolean(globalThis.indexedDB);
}

/** The device's key, made on first use: `{jwk, sign(payment)}`. */
export async function deviceKey() {
  const pair = await kept();
  const jwk = await publicJwk(pair.publicKey);
  return { jwk, sign: (payment) => signature(pair.privateKey, payment) };
}

/** The text a confirmation signs. */
export function confirmationText({ id, amount, currency, merchant, terminal, epoch }) {
  return ["turnout-confirmation-v1", id, amount, currency, merchant, terminal ?? "", epoch].join("\n");
}

async function signature(key, payment) {
  const signed = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, utf8(confirmationText(payment)));
  return base64url(new Uint8Array(signed));
}

async function kept() {
  const base = await opened();
  try {
    const known = await settled(base.transaction(STORE).objectStore(STORE).get(NAME));
    if (known) return known;
    const fresh = await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
    return await addedUnlessKnown(base, fresh);
  } finally {
    base.close();
  }
}

/** Two pages may start at once: the first key stays, and both use it. */
async function addedUnlessKnown(base, fresh) {
  const store = base.transaction(STORE, "readwrite").objectStore(STORE);
  const known = await settled(store.get(NAME));
  if (known) return known;
  await settled(store.put(fresh, NAME));
  return fresh;
}

function opened() {
  const request = indexedDB.open(BASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return settled(request);
}

function settled(request) {
  return new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}
