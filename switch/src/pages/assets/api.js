// One way to ask the switch: JSON in, JSON or a problem out, and never a wait without an end.
//
// An answer that says no is a `Problem` (RFC 9457); no answer at all is `NoAnswer`, after which nobody knows whether
// the request arrived: whoever moves money must repeat it with the same key. It knows no payment; see phone.js, till.js.

import { heard } from "./ticking.js";

const PATIENCE_MS = 15_000;

/** The switch understood and said no, or failed and said so. */
export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(body.detail || body.title || `The switch answered ${status}.`);
    this.status = status;
    this.field = body.field;
    this.retryAfter = retryAfter;
  }

  /** Worth the same request again: busy or broken, not wrong. */
  get passing() {
    return this.status >= 500 || [408, 409, 425, 429].includes(this.status);
  }
}

/** Nothing came back: the request may or may not have arrived. */
export class NoAnswer extends Error {
  constructor() {
    super("The switch cannot be reached. Check the network.");
  }
}

/** A door to one listener of the switch; `authorization()` gives the header's value, or nothing. */
export class Door {
  constructor(authorization) {
    this.authorization = authorization;
  }

  get(path, options) {
    return this.ask("GET", path, options);
  }

  /** Asks; `wait` is `Prefer: wait` in seconds. Returns the body, `null` for 204. */
  async ask(method, path, { json, body, type, key, wait, headers } = {}) {
    const response = await this.#send(path, {
      method,
      body: json === undefined ? body : JSON.stringify(json),
      headers: {
        accept: "application/json",
        ...(json !== undefined && { "content-type": "application/json" }),
        ...(type && { "content-type": type }),
        ...(key && { "idempotency-key": key }),
        ...(wait !== undefined && { prefer: `wait=${wait}` }),
        ...this.credentials(),
        ...headers,
      },
      patience: PATIENCE_MS + (wait ?? 0) * 1000,
    });
    return read(response);
  }

  /** The authorization as a header, ready to be spread. */
  credentials() {
    const value = this.authorization();
    return value ? { authorization: value } : {};
  }

  async #send(path, { patience, ...request }) {
    const url = new URL(path, document.baseURI);
    try {
      return await fetch(url, {
        ...request,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        signal: timeout(patience),
      });
    } catch {
      throw new NoAnswer();
    }
  }
}

async function read(response) {
  let text;
  try {
    text = await response.text();
  } catch {
    throw new NoAnswer();
  }
  heard(response.headers.get("date"));
  const body = parsed(text);
  if (response.ok) return body;
  throw new Problem(response.status, body ?? {}, Number(response.headers.get("retry-after")) || undefined);
}

function parsed(text) {
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function timeout(ms) {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), ms);
  return controller.signal;
}

/** How long to rest after `failures` in a row: half a second, doubling, at most `max`, with some dice in it. */
export function backoffMs(failures, max = 15_000) {
  const whole = Math.min(max, 500 * 2 ** Math.min(failures, 10));
  return whole / 2 + Math.random() * (whole / 2);
}

/** Rests; ends early when the network comes back. */
export function rest(ms) {
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      done();
    };
    const timer = setTimeout(end, ms);
    addEventListener("online", end);
  });
}

/** What the address says behind `#`, as a map of names and values. */
export function fragment() {
  return new URLSearchParams(location.hash.slice(1));
}
