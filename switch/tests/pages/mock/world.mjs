// The small switch's world: payments that move, whoever waits for that, and how each side sees a payment.
//
// Everything is in memory and nothing is kept. It knows no route; see terminals.mjs, phones.mjs and admin.mjs.
import { randomBytes } from "node:crypto";

export const MESSAGES = {
  declined_by_payer: ["05", "The payer declined."],
  wrong_credentials: ["55", "The account or the password was wrong too often."],
  reversed_by_terminal: ["68", "The terminal took the payment back."],
  platform_silent: ["91", "The payment platform did not answer in time."],
  insufficient_funds: ["51", "The account does not hold the amount."],
  no_phone: ["68", "No phone came to the terminal in time."],
};
export const DECIDED = ["approved", "declined", "reversing", "reversed"];

export const iso = (fromNow = 0) => new Date(Date.now() + fromNow).toISOString();
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
export const id = () => `pay_${randomBytes(20).toString("hex").slice(0, 26)}`;

export class No extends Error {
  constructor(status, detail, field) {
    super(detail);
    Object.assign(this, { status, field });
  }
}

/** Records a step, wakes whoever waits, tells the phone's stream. */
export function move(world, payment, change, lane, step, detail) {
  Object.assign(payment, change);
  const at = Date.now();
  const last = payment.steps.at(-1)?.time ?? at;
  payment.steps.push({ time: at, at: iso(), since_start_ms: at - payment.since, gap_ms: at - last, lane, step, detail });
  world.seq += 1;
  if (DECIDED.includes(payment.status)) {
    payment.took_ms ??= at - payment.since;
    if (world.binding?.epoch === payment.epoch) world.binding = null;
  }
  [...world.wakes].forEach((wake) => wake());
  if (payment.payer) emit(world, "payment", phoneView(payment));
}

export function emit(world, type, data) {
  const event = { id: (world.events.at(-1)?.id ?? 0) + 1, type, data: JSON.stringify(data) };
  world.events.push(event);
  world.streams.forEach((stream) => stream.write(`id: ${event.id}\nevent: ${type}\ndata: ${event.data}\n\n`));
}

export async function until(world, seconds, done) {
  const end = Date.now() + seconds * 1000;
  while (!done() && Date.now() < end) {
    await new Promise((done) => {
      const timer = setTimeout(() => wake(), end - Date.now());
      const wake = () => (clearTimeout(timer), world.wakes.delete(wake), done());
      world.wakes.add(wake);
    });
  }
}

export function refuse(world, payment, code, status = "declined") {
  const [response_code, message] = MESSAGES[code];
  move(
    world,
    payment,
    { status, response_code, refusal: { code, message }, interface: undefined },
    "terminal",
    "Told no",
    message,
  );
}

/** The platform has undone it. */
export const undone = (world, payment) =>
  move(world, payment, { status: "reversed" }, "platform", "Acknowledged the reversal");

export const pick = (from, names) =>
  Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]));
export const tillView = (payment) =>
  pick(payment, [
    "id",
    "status",
    "amount",
    "currency",
    "merchant",
    "reference",
    "response_code",
    "refusal",
    "platform_reference",
    "refunds",
    "answer_by",
  ]);
export const phoneView = (payment) =>
  pick(payment, [
    "id",
    "status",
    "amount",
    "currency",
    "merchant",
    "merchant_name",
    "terminal",
    "reference",
    "epoch",
    "confirm_by",
    "answer_by",
    "attempt",
    "attempts_max",
    "last_failure",
    "interface",
    "response_code",
    "refusal",
    "refunds",
  ]);

export function claim(world, payment) {
  const { binding } = world;
  if (payment.status !== "awaiting_phone" || binding?.terminal !== payment.terminal) return;
  move(
    world,
    payment,
    { status: "awaiting_confirmation", payer: binding.payer, epoch: binding.epoch, confirm_by: iso(45_000) },
    "phone",
    "Shown the amount",
    `Epoch ${binding.epoch}`,
  );
}
