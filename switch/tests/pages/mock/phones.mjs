// The small switch's door for phones, with the platform behind it: docs/http-api.md, "Phones".
//
// It verifies signatures and opens sealed credentials, so that a page which sends them wrong is found out.
import { createHash, randomBytes, webcrypto } from "node:crypto";
import { compactDecrypt } from "jose";
import { confirmationText } from "../../../src/pages/assets/device.js";
import { DECIDED, No, claim, iso, move, phoneView, pick, refuse, sleep, undone, until } from "./world.mjs";

function payerOf({ world, request }) {
  const session = world.tokens.get((request.headers.authorization ?? "").replace(/^Bearer /, ""));
  if (!session) throw new No(401, "The token is not valid or has run out.");
  return session;
}

function payersPayment(ask, paymentId) {
  const payment = ask.world.payments.get(paymentId);
  if (!payment || payment.payer !== payerOf(ask).payer) throw new No(404, "This payer has no such payment.");
  return payment;
}

const standing = ({ binding, terminals: known }) => ({
  ...pick(binding, ["terminal", "epoch", "until"]),
  merchant_name: known.get(binding.terminal).name,
});
const mine = (world, payer) => [...world.payments.values()].filter((payment) => payment.payer === payer);

export const phones = [
  [
    "POST",
    "/v1/login/codes",
    (ask) => {
      const { subscriber } = ask.json();
      if (!/^\+?\d{6,15}$/.test(subscriber)) throw new No(422, "A subscriber number has 6 to 15 digits.", "subscriber");
      const code = String(100_000 + (randomBytes(3).readUIntBE(0, 3) % 900_000));
      ask.world.codes.set(subscriber, code);
      return [202, { expires_in: 300, code }];
    },
  ],
  [
    "POST",
    "/v1/login",
    (ask) => {
      const { subscriber, code, device_key: key } = ask.json();
      if (ask.world.codes.get(subscriber) !== code) throw new No(403, "This code is not the one that was sent.", "code");
      ask.world.codes.delete(subscriber);
      const token = randomBytes(24).toString("base64url");
      ask.world.tokens.set(token, { payer: `P${subscriber.slice(-3)}`, jwk: key });
      return [200, { access_token: token, token_type: "Bearer", expires_in: 600, payer: `P${subscriber.slice(-3)}` }];
    },
  ],
  [
    "PUT",
    "/v1/binding",
    (ask) => {
      const { world } = ask;
      const { payer } = payerOf(ask);
      const { terminal } = ask.json();
      if (!world.terminals.has(terminal)) throw new No(404, "There is no such terminal.", "terminal");
      if (world.binding && world.binding.terminal === terminal && world.binding.payer !== payer)
        throw new No(409, "Another phone stands there.");
      world.binding = { payer, terminal, epoch: (world.epoch += 1), until: iso(120_000) };
      [...world.payments.values()].forEach((payment) => claim(world, payment));
      return [200, standing(world)];
    },
  ],
  [
    "GET",
    "/v1/binding",
    (ask) => {
      if (ask.world.binding?.payer !== payerOf(ask).payer) throw new No(404, "This phone stands nowhere.");
      return [200, standing(ask.world)];
    },
  ],
  [
    "DELETE",
    "/v1/binding",
    (ask) => {
      payerOf(ask);
      ask.world.binding = null;
      return [204];
    },
  ],
  ["GET", "/v1/payments", (ask) => [200, { payments: mine(ask.world, payerOf(ask).payer).map(phoneView) }]],
  [
    "GET",
    "/v1/payments/history",
    (ask) => [
      200,
      {
        payments: mine(ask.world, payerOf(ask).payer)
          .filter(({ status }) => DECIDED.includes(status))
          .map((payment) => ({ ...phoneView(payment), started_at: payment.started_at }))
          .reverse(),
      },
    ],
  ],
  [
    "GET",
    "/v1/events",
    (ask) => {
      payerOf(ask);
      const { response, world, request } = ask;
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      const since = Number(request.headers["last-event-id"] ?? world.events.at(-1)?.id ?? 0);
      response.write(
        ": here\n\n" +
          world.events
            .filter((event) => event.id > since)
            .map((event) => `id: ${event.id}\nevent: ${event.type}\ndata: ${event.data}\n\n`)
            .join(""),
      );
      world.streams.add(response);
      const beat = setInterval(() => response.write(": beat\n\n"), 15_000);
      response.on("close", () => (clearInterval(beat), world.streams.delete(response)));
      return undefined;
    },
  ],
  [
    "GET",
    "/v1/payments/{id}",
    async (ask, paymentId) => {
      const payment = payersPayment(ask, paymentId);
      const { status } = payment;
      await until(ask.world, ask.wait, () => payment.status !== status);
      return [200, phoneView(payment)];
    },
  ],
  [
    "POST",
    "/v1/payments/{id}/confirmation",
    async (ask, paymentId) => {
      const { world } = ask;
      const payment = payersPayment(ask, paymentId);
      const { amount, currency, epoch, device_key: key, signature } = ask.json();
      if (amount !== payment.amount || currency !== payment.currency || epoch !== payment.epoch)
        throw new No(409, "This is not what the terminal asks for.");
      const curve = { name: "ECDSA", namedCurve: "P-256" };
      const verifier = await webcrypto.subtle.importKey("jwk", key, curve, false, ["verify"]);
      const signed = new TextEncoder().encode(confirmationText(payment));
      const good = await webcrypto.subtle.verify(
        { name: "ECDSA", hash: "SHA-256" },
        verifier,
        Buffer.from(signature, "base64url"),
        signed,
      );
      if (!good || thumbprint(key) !== thumbprint(payerOf(ask).jwk))
        throw new No(403, "The signature is not this device's.");
      if (payment.status === "awaiting_confirmation") {
        move(
          world,
          payment,
          { status: "awaiting_permit", attempt: 1, confirm_by: undefined },
          "phone",
          "Said yes",
          "Signed by the device's key",
        );
        move(world, payment, {}, "switch", "Wrote the intent down", `Journal ${world.seq}`);
        await sleep(350);
        permit(world, payment, 1);
      }
      return [200, phoneView(payment)];
    },
  ],
  [
    "POST",
    "/v1/payments/{id}/decline",
    (ask, paymentId) => {
      const payment = payersPayment(ask, paymentId);
      if (payment.status === "awaiting_confirmation") refuse(ask.world, payment, "declined_by_payer");
      else if (payment.status === "awaiting_payment") {
        refuse(ask.world, payment, "declined_by_payer", "reversing");
        setTimeout(() => undone(ask.world, payment), 1200);
      }
      return [200, phoneView(payment)];
    },
  ],
  ["POST", "/v1/payments/{id}/credential", (ask, paymentId) => credential(ask, payersPayment(ask, paymentId))],
];

function permit(world, payment, attempt) {
  const path = {
    url: `/v1/payments/${payment.id}/credential?attempt=${attempt}`,
    attempt,
    key: world.platformJwk,
    permit: `permit-${randomBytes(6).toString("hex")}`,
    expires_at: iso(60_000),
  };
  move(
    world,
    payment,
    { status: "awaiting_payment", attempt, interface: path },
    "platform",
    "Gave its permit",
    `Attempt ${attempt} of ${payment.attempts_max}`,
  );
}

async function credential({ world, request, url, body }, payment) {
  if (request.headers["content-type"] !== "application/jose") throw new No(415, "A sealed credential is application/jose.");
  const path = payment.interface;
  if (!path || Number(url.searchParams.get("attempt")) !== path.attempt) throw new No(409, "This permit is used up.");
  const { plaintext, protectedHeader: header } = await compactDecrypt(body, world.platform.privateKey).catch(() => {
    throw new No(400, "It cannot be opened.");
  });
  for (const [name, want] of Object.entries({
    payment: payment.id,
    amount: payment.amount,
    currency: payment.currency,
    merchant: payment.merchant,
    permit: path.permit,
  })) {
    if (header[name] !== want) throw new No(409, `The seal is for another ${name}.`);
  }
  if (!(header.exp * 1000 > Date.now())) throw new No(409, "The seal has run out.");
  const { account, password } = JSON.parse(new TextDecoder().decode(plaintext));
  move(
    world,
    payment,
    { status: "awaiting_outcome", interface: undefined },
    "phone",
    "Sent the sealed credential",
    "Relayed unread",
  );
  await sleep(450);
  if (account === "silent") {
    move(world, payment, { status: "in_doubt" }, "switch", "No word from the platform", "First inquiry in 4 s");
    await sleep(4000);
    refuse(world, payment, "platform_silent", "reversing");
    undone(world, payment);
  } else if (password !== "open sesame") {
    move(
      world,
      payment,
      { last_failure: { code: "wrong_credentials", message: "The account or the password is wrong." } },
      "platform",
      "Refused the credential",
    );
    if (path.attempt < payment.attempts_max) permit(world, payment, path.attempt + 1);
    else {
      // The permit is undone at the platform, often before the phone has looked.
      refuse(world, payment, "wrong_credentials", "reversing");
      undone(world, payment);
    }
  } else {
    move(world, payment, {}, "platform", "Took the money");
    move(
      world,
      payment,
      {
        status: "approved",
        response_code: "00",
        platform_reference: `SB-${randomBytes(4).toString("hex")}`,
        last_failure: undefined,
      },
      "terminal",
      "Told yes",
      `Journal ${world.seq}`,
    );
  }
  return [200, phoneView(payment)];
}

const thumbprint = ({ crv, kty, x, y }) => createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("hex");
