// The small switch's door for terminals: docs/http-api.md, "Terminals and partners".
import { minorOf } from "../../../src/pages/assets/money.js";
import { DECIDED, MESSAGES, No, claim, id, iso, move, refuse, tillView, undone, until } from "./world.mjs";

function terminalOf({ world, request }) {
  const [name, key] = Buffer.from((request.headers.authorization ?? "").replace(/^Basic /, ""), "base64")
    .toString("utf8")
    .split(":");
  if (!key || world.terminals.get(name)?.key !== key) throw new No(401, "This terminal and key are not known.");
  return { id: name, ...world.terminals.get(name) };
}

function ownPayment(ask, paymentId) {
  const payment = ask.world.payments.get(paymentId);
  if (!payment || payment.terminal !== terminalOf(ask).id) throw new No(404, "This terminal has no such payment.");
  return payment;
}

export const terminals = [
  [
    "GET",
    "/v1/terminal",
    (ask) => {
      const { id: terminal, merchant, name } = terminalOf(ask);
      const { binding, epoch, phonePage } = ask.world;
      const bound = binding?.terminal === terminal;
      return [
        200,
        {
          terminal,
          merchant,
          merchant_name: name,
          currency: "EUR",
          phone_page: phonePage,
          binding: { bound, epoch, ...(bound && { until: binding.until }) },
        },
      ];
    },
  ],
  [
    "DELETE",
    "/v1/terminal/binding",
    (ask) => {
      terminalOf(ask);
      ask.world.binding = null;
      return [204];
    },
  ],
  [
    "POST",
    "/v1/payments",
    async (ask) => {
      const { world } = ask;
      const terminal = terminalOf(ask);
      const key = ask.request.headers["idempotency-key"];
      if (!key) throw new No(400, "Idempotency-Key is missing.", "Idempotency-Key");
      const { amount, currency, answer_within_seconds: within = 60, ...more } = ask.json();
      if (Object.keys(more).some((name) => name !== "reference")) throw new No(400, "An unknown field.");
      if (!(minorOf(amount, currency) > 0n)) throw new No(422, "The amount must be above zero.", "amount");
      if (minorOf(amount, currency) > 500_000n)
        throw new No(422, "The amount is above what this terminal may ask.", "amount");
      const known = world.keys.get(`${terminal.id} ${key}`);
      if (known && known.sent !== ask.body) throw new No(422, "This key was used with another body.");
      const payment = known?.payment ?? {
        id: id(),
        status: "awaiting_phone",
        amount,
        currency,
        merchant: terminal.merchant,
        merchant_name: terminal.name,
        terminal: terminal.id,
        refunds: [],
        epoch: 0,
        attempts_max: 3,
        since: Date.now(),
        started_at: iso(),
        answer_by: iso(within * 1000),
        steps: [],
        key,
      };
      if (!known) {
        world.payments.set(payment.id, payment);
        world.keys.set(`${terminal.id} ${key}`, { payment, sent: ask.body });
        move(world, payment, {}, "terminal", "Asked for the amount", `${amount} ${currency} at terminal ${terminal.id}`);
        move(world, payment, {}, "switch", "Admitted by the merchant", "Open, within limits, platform sandbox");
        if (world.tombstones.has(key)) refuse(world, payment, "reversed_by_terminal");
        claim(world, payment);
      }
      await until(world, ask.wait, () => DECIDED.includes(payment.status));
      return [
        DECIDED.includes(payment.status) ? (known ? 200 : 201) : 202,
        tillView(payment),
        undefined,
        { location: `/v1/payments/${payment.id}` },
      ];
    },
  ],
  [
    "GET",
    "/v1/payments/{id}",
    async (ask, paymentId) => {
      const payment = ownPayment(ask, paymentId);
      await until(ask.world, ask.wait, () => DECIDED.includes(payment.status));
      return [200, tillView(payment)];
    },
  ],
  ["POST", "/v1/payments/{id}/reversals", (ask, paymentId) => [200, reverse(ask.world, ownPayment(ask, paymentId))]],
  [
    "POST",
    "/v1/reversals",
    (ask) => {
      const { idempotency_key: key } = ask.json();
      const payment = ask.world.keys.get(`${terminalOf(ask).id} ${key}`)?.payment;
      if (payment) return [200, reverse(ask.world, payment)];
      ask.world.tombstones.add(key);
      const [response_code, message] = MESSAGES.reversed_by_terminal;
      return [
        200,
        { id: id(), status: "reversed", response_code, refusal: { code: "reversed_by_terminal", message }, refunds: [] },
      ];
    },
  ],
  [
    "POST",
    "/v1/payments/{id}/refunds",
    (ask, paymentId) => {
      const payment = ownPayment(ask, paymentId);
      const { amount, currency } = ask.json();
      const name = ask.request.headers["idempotency-key"] ?? "";
      if (!/^[A-Za-z0-9_.:+-]{1,31}$/.test(name)) throw new No(400, "The refund's name is wrong.", "Idempotency-Key");
      if (payment.status !== "approved") throw new No(409, "It is not paid.");
      if (!payment.refunds.some((refund) => refund.id === name)) {
        const refund = { id: name, amount, currency, state: "owed" };
        move(
          ask.world,
          payment,
          { refunds: [...payment.refunds, refund] },
          "terminal",
          "Asked for a refund",
          `${amount} ${currency}`,
        );
        setTimeout(
          () =>
            move(
              ask.world,
              payment,
              { refunds: payment.refunds.map((one) => (one.id === name ? { ...one, state: "done" } : one)) },
              "platform",
              "Paid the refund out",
            ),
          800,
        );
      }
      return [202, tillView(payment)];
    },
  ],
];

function reverse(world, payment) {
  if (payment.refunds.length > 0) throw new No(409, "A refund was given; a refunded payment is not reversed.");
  if (["declined", "reversed", "reversing"].includes(payment.status)) return tillView(payment);
  if (["awaiting_phone", "awaiting_confirmation"].includes(payment.status)) refuse(world, payment, "reversed_by_terminal");
  else {
    refuse(world, payment, "reversed_by_terminal", "reversing");
    setTimeout(() => undone(world, payment), 1200);
  }
  return tillView(payment);
}
