// Server-Sent Events over fetch: `EventSource` cannot send an Authorization header.
//
// `EventParser` is pure (the WHATWG event stream format). `follow` keeps a stream open for ever: it resumes with
// Last-Event-ID, backs off with dice, and takes a stream that has been mute for long as dead. What an event means is
// the page's business; after every (re)opening the page fetches the list, which is the truth.
import { backoffMs, rest } from "./api.js";

const MUTE_MS = 45_000;

/** Turns chunks of text into events `{type, data, id}`. */
export class EventParser {
  #rest = "";
  #event = { type: "", data: [] };
  lastId = "";
  retryMs = undefined;

  push(text) {
    const events = [];
    this.#rest += text;
    // A CR at the very end may be half of a CRLF: it waits for what follows.
    const lines = this.#rest.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line, events);
    return events;
  }

  #line(line, events) {
    if (line === "") return this.#dispatch(events);
    const colon = line.indexOf(":");
    if (colon === 0) return undefined;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#event.data.push(value);
    else if (name === "event") this.#event.type = value;
    else if (name === "id" && !value.includes("\0")) this.lastId = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retryMs = Number(value);
    return undefined;
  }

  #dispatch(events) {
    const { type, data } = this.#event;
    this.#event = { type: "", data: [] };
    if (data.length > 0) events.push({ type: type || "message", data: data.join("\n"), id: this.lastId });
  }
}

/**
 * Follows the stream at `path` until `stop()` is called.
 * `opened()` after each opening, `event({type, data})`, `lost(failures)` after each loss, `refused(status)` ends it on 401 or 403.
 */
export function follow(door, path, { opened, event, lost, refused }) {
  const life = { on: true, controller: null, lastId: "" };
  const stop = () => {
    life.on = false;
    life.controller?.abort();
  };
  run(life, door, path, { opened, event, lost, refused }).catch(() => stop());
  return stop;
}

async function run(life, door, path, listener) {
  for (let failures = 0; life.on; failures += 1) {
    let retryMs;
    try {
      const response = await open(life, door, path);
      if (response.status === 401 || response.status === 403) return listener.refused?.(response.status);
      if (response.ok && life.on) {
        failures = 0;
        listener.opened?.();
        retryMs = await drain(life, response, listener);
      }
    } catch {
      // A broken stream and a refused connection are one thing here: try again.
    }
    if (!life.on) return undefined;
    listener.lost?.(failures + 1);
    await rest(retryMs ?? backoffMs(failures));
  }
  return undefined;
}

function open(life, door, path) {
  life.controller = new AbortController();
  const resume = life.lastId ? { "last-event-id": life.lastId } : {};
  return fetch(new URL(path, document.baseURI), {
    headers: { accept: "text/event-stream", ...door.credentials(), ...resume },
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    signal: life.controller.signal,
  });
}

async function drain(life, response, listener) {
  const parser = new EventParser();
  parser.lastId = life.lastId;
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  const controller = life.controller;
  for (;;) {
    const watchdog = setTimeout(() => controller.abort(), MUTE_MS);
    const { done, value } = await reader.read().finally(() => clearTimeout(watchdog));
    if (done || !life.on) return parser.retryMs;
    for (const event of parser.push(decoder.decode(value, { stream: true }))) {
      life.lastId = parser.lastId;
      listener.event(event);
    }
  }
}
