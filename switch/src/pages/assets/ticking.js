// Times that run on the page: one ticker for all of them, by the switch's clock and not by the device's.
//
// A phone's clock may be minutes off; every answer's Date header says by how much (`heard`). A countdown here is a
// courtesy: the switch alone decides when something is too late.
import { h } from "./dom.js";

let skewMs = 0;

/** Learns the switch's clock from an answer's Date header, which is whole seconds. */
export function heard(date) {
  const theirs = Date.parse(date ?? "");
  if (Number.isNaN(theirs)) return;
  const off = theirs - Date.now();
  skewMs = Math.abs(off) > 2000 ? off : 0;
}

/** Now, by the switch's clock. */
export const now = () => Date.now() + skewMs;

/** Whole seconds from now until `text`, never negative; `null` for what is no time. */
export function secondsUntil(text) {
  const left = Date.parse(text ?? "") - now();
  return Number.isNaN(left) ? null : Math.max(0, Math.ceil(left / 1000));
}

/** The seconds that are left until `text`, running; nothing if there is no such time. */
export function countdown(text, before, after = "") {
  if (secondsUntil(text) === null) return null;
  const element = h("span", { "data-until": text, "data-before": before, "data-after": after });
  show(element);
  return element;
}

function show(element) {
  const { until, before, after } = element.dataset;
  const left = secondsUntil(until);
  const words = left >= 90 ? `${Math.floor(left / 60)} min` : `${left} s`;
  const text = left > 0 ? `${before}${words}${after}` : "time is up";
  if (element.textContent !== text) element.textContent = text;
}

if (globalThis.document) setInterval(() => document.querySelectorAll("[data-until]").forEach(show), 500);
