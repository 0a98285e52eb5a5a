// The small switch's door for operators: docs/http-api.md, "Admin", with rates that move a little.
import { No, iso, pick } from "./world.mjs";

function overview({ payments, seq, started, tokens }) {
  const all = [...payments.values()];
  const open = {};
  for (const { status } of all)
    if (!["approved", "declined", "reversed"].includes(status)) open[status] = (open[status] ?? 0) + 1;
  const wave = (base, depth) =>
    Math.max(0, base + depth * Math.sin(Date.now() / 4000) + depth * 0.4 * Math.sin(Date.now() / 900));
  const owed = all.filter(({ status }) => status === "reversing");
  const items = owed.map((payment) => ({
    payment: payment.id,
    kind: "reversal",
    platform: "sandbox",
    amount: payment.amount,
    currency: payment.currency,
    age_seconds: (Date.now() - payment.since) / 1000,
    failures: 1,
  }));
  const recent = all
    .slice(-30)
    .reverse()
    .map((payment) =>
      pick(payment, [
        "id",
        "status",
        "amount",
        "currency",
        "merchant",
        "merchant_name",
        "terminal",
        "started_at",
        "took_ms",
        "response_code",
        "refusal",
      ]),
    );
  return {
    at: iso(),
    uptime_seconds: (Date.now() - started) / 1000,
    version: "0.1.0",
    rates: { started: wave(12, 4), approved: wave(11, 4), declined: 0.6, reversed: 0 },
    latency_ms: { p50: wave(31, 5), p99: wave(96, 30) },
    open,
    outbox: { owed: items.length, ...(items.length && { oldest_seconds: items[0].age_seconds }), items },
    actors: { terminal_sessions: 2, payers: tokens.size, merchants: 2 },
    journal: { durable_seq: seq },
    lines: [
      {
        name: "shops",
        framing: "len2+tpdu",
        dialect: "iso87-bcd",
        connections: 2,
        connections_max: 10_000,
        terminals: 2,
        in_flight: 0,
        messages: 41,
        last_message_at: iso(),
      },
    ],
    recent,
  };
}

export const admin = [
  ["GET", "/v1/overview", ({ world }) => [200, overview(world)]],
  [
    "GET",
    "/v1/overview/events",
    ({ world, response }) => {
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      const tell = () => response.write(`event: overview\ndata: ${JSON.stringify(overview(world))}\n\n`);
      const timer = setInterval(tell, world.trouble.quick ? 60 : 1000);
      tell();
      response.on("close", () => clearInterval(timer));
      return undefined;
    },
  ],
  [
    "GET",
    "/v1/terminals",
    () => [
      200,
      {
        at: iso(),
        terminals: [
          { terminal: "T1", line: "shops", online: true, connections: 1, online_since: iso(-60_000), last_seen: iso() },
          { terminal: "T2", line: "shops", online: false, connections: 0, last_seen: iso(-3_600_000) },
        ],
      },
    ],
  ],
  [
    "GET",
    "/v1/payments/{id}/trace",
    ({ world }, paymentId) => {
      const payment = world.payments.get(paymentId);
      if (!payment) throw new No(404, "There is no such payment.");
      return [200, { id: payment.id, status: payment.status, steps: payment.steps.map(({ time, ...step }) => step) }];
    },
  ],
];
