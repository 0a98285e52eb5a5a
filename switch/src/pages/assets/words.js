// What the pages say about a payment: one table of statuses, in plain English, for phone, till and live page.
//
// The wire's words (docs/http-api.md) come in here and nowhere else turn into sentences. It draws nothing but the
// line of stations and the signal, which all pages share; it decides nothing.
import { h, s } from "./dom.js";
import { grouped } from "./money.js";
import { now } from "./ticking.js";

/** Each status in the order of a payment's life: its lamp, its short name, and how far along the line it is. */
export const STATUSES = new Map([
  ["awaiting_merchant", { lamp: "wait", name: "Asking the merchant", station: 0 }],
  ["awaiting_phone", { lamp: "wait", name: "Waiting for a phone", station: 1 }],
  ["awaiting_confirmation", { lamp: "wait", name: "Waiting for the payer's yes", station: 2 }],
  ["awaiting_permit", { lamp: "wait", name: "Asking the platform", station: 3 }],
  ["awaiting_payment", { lamp: "wait", name: "Payer is paying", station: 3 }],
  ["awaiting_outcome", { lamp: "wait", name: "Platform is working", station: 3 }],
  ["in_doubt", { lamp: "wait", name: "In doubt", station: 3 }],
  ["approved", { lamp: "go", name: "Approved", station: 4 }],
  ["declined", { lamp: "stop", name: "Declined", station: 4 }],
  ["reversing", { lamp: "stop", name: "Being taken back", station: 4 }],
  ["reversed", { lamp: "stop", name: "Taken back", station: 4 }],
]);

const UNKNOWN = { lamp: "wait", name: "Unknown", station: 0 };

/** What a status is like; one that a newer switch invented is shown by its own name. */
export function statusOf(payment) {
  return STATUSES.get(payment.status) ?? { ...UNKNOWN, name: String(payment.status).replaceAll("_", " ") };
}

/** Whether nothing will change about who pays whom but by a reversal or a refund. */
export function decided(payment) {
  return ["approved", "declined", "reversing", "reversed"].includes(payment.status);
}

/** What payer and cashier were told: a payment that is taken back without ever having been approved was declined. */
export function toldOf(payment) {
  return wasRefused(payment) ? STATUSES.get("declined") : statusOf(payment);
}

/** Whether the answer was no from the start, so that taking it back is the switch's own business. */
export function wasRefused({ status, refusal }) {
  if (status === "declined") return true;
  return ["reversing", "reversed"].includes(status) && Boolean(refusal) && refusal.code !== "reversed_by_terminal";
}

/** A status as a coloured tag. */
export function tag(payment, status = statusOf(payment)) {
  const { lamp, name } = status;
  return h("span", { class: `tag ${lamp}` }, name);
}

/** The line of stations with the payment on it. */
export function route(payment, stations) {
  const { station, lamp } = statusOf(payment);
  const end = decided(payment);
  const stop = (name, index) => {
    const state = index < station ? "past" : index > station ? "" : end ? `here ${lamp}` : "here";
    return h("li", { class: state, "aria-current": index === station ? "step" : undefined }, name);
  };
  return h("ol", { class: "route", "aria-label": "How far the payment is" }, stations.map(stop));
}

const MARKS = { go: "M34 51l11 11 21-23", stop: "M37 37l26 26M63 37L37 63", wait: "M50 34v18l11 8" };

/** A big signal: a lamp with a mark in it, and the verdict beneath. */
export function signal(lamp, verdict, ...more) {
  const drawing = s(
    "svg",
    { viewBox: "0 0 100 100", "aria-hidden": "true" },
    s("circle", { class: "ring", cx: 50, cy: 50, r: 48 }),
    s("circle", { class: "disc", cx: 50, cy: 50, r: 36 }),
    s("path", { class: "mark", d: MARKS[lamp] }),
  );
  return h("div", { class: `signal ${lamp}` }, drawing, h("p", { class: "verdict", tabindex: "-1" }, verdict), more);
}

/** An amount, as large as its length allows. */
export function sum(amount, currency) {
  const size = amount.length > 9 ? "sum long" : "sum";
  return h("p", { class: size }, grouped(amount), h("small", null, currency));
}

/** Why it was refused: a sentence for people, or nothing. */
export function reason(payment) {
  return payment.refusal?.message ?? null;
}

/** `12:04` today, `3 May, 12:04` on other days; nothing for what is no time. */
export function clockTime(text) {
  const time = new Date(text ?? "");
  if (Number.isNaN(time.getTime())) return "";
  const short = time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const sameDay = time.toDateString() === new Date(now()).toDateString();
  return sameDay ? short : `${time.toLocaleDateString([], { day: "numeric", month: "short" })}, ${short}`;
}
