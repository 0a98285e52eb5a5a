// A small switch for the pages' own tests: docs/http-api.md kept in memory, with a platform behind it.
//
// It checks what the pages send as the real one does (tokens, signatures, sealed credentials, keys) so that a page
// that works here speaks the contract. It keeps no promise about money. `trouble` lets a test lose answers, and
// account "silent" is in doubt first. Run `node mock.mjs` to look at the pages by hand.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { createHash, randomBytes, webcrypto } from "node:crypto";
import { compactDecrypt, exportJWK, generateKeyPair } from "jose";
import { confirmationText } from "../../src/pages/assets/device.js";
import { minorOf } from "../../src/pages/assets/money.js";

const ASSETS = new URL("../../src/pages/assets/", import.meta.url);
const TYPES = { html: "text/html; charset=utf-8", js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", svg: "image/svg+xml" };
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const MESSAGES = { declined_by_payer: ["05", "The payer declined."], wrong_credentials: ["55", "The account or the password was wrong too often."], reversed_by_terminal: ["68", "The terminal took the payment back."], insufficient_funds: ["51", "The account does not hold the amount."], no_phone: ["68", "No phone came to the terminal in time."] };
const DECIDED = ["approved", "declined", "reversing", "reversed"];

const iso = (fromNow = 0) => new Date(Date.now() + fromNow).toISOString();
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const id = () => `pay_${randomBytes(20).toString("hex").slice(0, 26)}`;

class No extends Error {
  constructor(status, detail, field) {
    super(detail);
    Object.assign(this, { status, field });
  }
}

/** Starts the three listeners; ports are chosen by the machine unless given. */
export async function mockSwitch({ ports = [0, 0, 0] } = {}) {
  const platform = await generateKeyPair("ECDH-ES", { crv: "P-256", extractable: true });
  const world = {
    platform, platformJwk: await exportJWK(platform.publicKey), started: Date.now(), seq: 100, payments: new Map(), keys: new Map(), binding: null, epoch: 0,
    codes: new Map(), tokens: new Map(), wakes: new Set(), streams: new Set(), events: [], requests: [], tombstones: new Set(),
    /** Switchable trouble: `loseAnswers` POSTs are done and not answered, `mute` listeners answer nothing. */
    trouble: { loseAnswers: 0, mute: new Set() },
    terminals: new Map([["T1", { key: "till-key-1", merchant: "M1", name: "Corner Bakery" }], ["T2", { key: "till-key-2", merchant: "M2", name: "Museum Shop" }]]),
  };
  const servers = await Promise.all([phones, terminals, admin].map((routes, i) => listen(world, routes, ["phone", "till", "live"][i], ports[i])));
  const [phone, till, live] = servers.map((server) => `http://127.0.0.1:${server.address().port}/`);
  world.phonePage = phone;
  const close = () => servers.forEach((server) => (server.closeAllConnections(), server.close()));
  return { phone, till, live, world, close };
}

async function listen(world, routes, name, port) {
  const server = createServer((request, response) => serve(world, routes, name, request, response));
  await new Promise((done) => server.listen(port, "127.0.0.1", done));
  return server;
}

async function serve(world, routes, name, request, response) {
  const url = new URL(request.url, "http://mock");
  const body = await text(request);
  if (world.trouble.mute.has(name) && url.pathname.startsWith("/v1")) return response.destroy();
  world.requests.push({ listener: name, method: request.method, path: url.pathname, headers: request.headers, body });
  if (!url.pathname.startsWith("/v1")) return asset(name, url.pathname, response);
  try {
    const ask = { world, request, response, url, body, json: () => object(body), wait: Number(/wait=(\d+)/.exec(request.headers.prefer ?? "")?.[1] ?? 0) };
    const found = routes.find(([method, path]) => method === request.method && match(path, url.pathname));
    if (!found) throw new No(404, "There is nothing here.");
    const answer = await found[2](ask, ...match(found[1], url.pathname).slice(1));
    if (answer === undefined) return undefined;
    if (request.method === "POST" && world.trouble.loseAnswers > 0 && (world.trouble.loseAnswers -= 1) >= 0) return response.destroy();
    return send(response, ...answer);
  } catch (no) {
    if (!(no instanceof No)) console.error(no);
    return send(response, no.status ?? 500, { type: "about:blank", title: "No", status: no.status ?? 500, detail: no.message, field: no.field }, "application/problem+json");
  }
}

const match = (path, pathname) => new RegExp(`^${path.replaceAll("{id}", "([^/]+)")}$`).exec(pathname);

function send(response, status, body, type = "application/json", headers = {}) {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store", ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

function asset(name, pathname, response) {
  const file = pathname === "/" ? `${name}.html` : /^\/assets\/([a-z_]+\.(?:js|css|svg))$/.exec(pathname)?.[1];
  try {
    const bytes = readFileSync(new URL(file ?? "none", ASSETS));
    response.writeHead(200, { "content-type": TYPES[file.split(".").pop()], "content-security-policy": CSP, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" });
    response.end(bytes);
  } catch {
    send(response, 404, { title: "No such page", status: 404 }, "application/problem+json");
  }
}

async function text(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function object(body) {
  try {
    return JSON.parse(body);
  } catch {
    throw new No(400, "The body is not JSON.");
  }
}

/** Records a step, wakes whoever waits, tells the phone's stream. */
function move(world, payment, change, lane, step, detail) {
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

function emit(world, type, data) {
  const event = { id: (world.events.at(-1)?.id ?? 0) + 1, type, data: JSON.stringify(data) };
  world.events.push(event);
  world.streams.forEach((stream) => stream.write(`id: ${event.id}\nevent: ${type}\ndata: ${event.data}\n\n`));
}

async function until(world, seconds, done) {
  const end = Date.now() + seconds * 1000;
  while (!done() && Date.now() < end) {
    await new Promise((done) => {
      const timer = setTimeout(() => wake(), end - Date.now());
      const wake = () => (clearTimeout(timer), world.wakes.delete(wake), done());
      world.wakes.add(wake);
    });
  }
}

function refuse(world, payment, code, status = "declined") {
  const [response_code, message] = MESSAGES[code];
  move(world, payment, { status, response_code, refusal: { code, message }, interface: undefined }, "terminal", "Told no", message);
}

// Terminals

const pick = (from, names) => Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]));
const tillView = (payment) => pick(payment, ["id", "status", "amount", "currency", "merchant", "reference", "response_code", "refusal", "platform_reference", "refunds", "answer_by"]);
const phoneView = (payment) => pick(payment, ["id", "status", "amount", "currency", "merchant", "merchant_name", "terminal", "reference", "epoch", "confirm_by", "answer_by", "attempt", "attempts_max", "last_failure", "interface", "response_code", "refusal", "refunds"]);

function terminalOf({ world, request }) {
  const [name, key] = Buffer.from((request.headers.authorization ?? "").replace(/^Basic /, ""), "base64").toString("utf8").split(":");
  if (!key || world.terminals.get(name)?.key !== key) throw new No(401, "This terminal and key are not known.");
  return { id: name, ...world.terminals.get(name) };
}

function ownPayment(ask, paymentId) {
  const payment = ask.world.payments.get(paymentId);
  if (!payment || payment.terminal !== terminalOf(ask).id) throw new No(404, "This terminal has no such payment.");
  return payment;
}

function claim(world, payment) {
  const { binding } = world;
  if (payment.status !== "awaiting_phone" || binding?.terminal !== payment.terminal) return;
  move(world, payment, { status: "awaiting_confirmation", payer: binding.payer, epoch: binding.epoch, confirm_by: iso(45_000) }, "phone", "Shown the amount", `Epoch ${binding.epoch}`);
}

const terminals = [
  ["GET", "/v1/terminal", (ask) => {
    const { id: terminal, merchant, name } = terminalOf(ask);
    const { binding, epoch, phonePage } = ask.world;
    const bound = binding?.terminal === terminal;
    return [200, { terminal, merchant, merchant_name: name, currency: "EUR", phone_page: phonePage, binding: { bound, epoch, ...(bound && { until: binding.until }) } }];
  }],
  ["DELETE", "/v1/terminal/binding", (ask) => {
    terminalOf(ask);
    ask.world.binding = null;
    return [204];
  }],
  ["POST", "/v1/payments", async (ask) => {
    const { world } = ask;
    const terminal = terminalOf(ask);
    const key = ask.request.headers["idempotency-key"];
    if (!key) throw new No(400, "Idempotency-Key is missing.", "Idempotency-Key");
    const { amount, currency, answer_within_seconds: within = 60, ...more } = ask.json();
    if (Object.keys(more).some((name) => name !== "reference")) throw new No(400, "An unknown field.");
    if (!(minorOf(amount, currency) > 0n)) throw new No(422, "The amount must be above zero.", "amount");
    if (minorOf(amount, currency) > 500_000n) throw new No(422, "The amount is above what this terminal may ask.", "amount");
    const known = world.keys.get(`${terminal.id} ${key}`);
    if (known && known.sent !== ask.body) throw new No(422, "This key was used with another body.");
    const payment = known?.payment ?? {
      id: id(), status: "awaiting_phone", amount, currency, merchant: terminal.merchant, merchant_name: terminal.name, terminal: terminal.id,
      refunds: [], epoch: 0, attempts_max: 3, since: Date.now(), started_at: iso(), answer_by: iso(within * 1000), steps: [], key,
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
    return [DECIDED.includes(payment.status) ? (known ? 200 : 201) : 202, tillView(payment), undefined, { location: `/v1/payments/${payment.id}` }];
  }],
  ["GET", "/v1/payments/{id}", async (ask, paymentId) => {
    const payment = ownPayment(ask, paymentId);
    await until(ask.world, ask.wait, () => DECIDED.includes(payment.status));
    return [200, tillView(payment)];
  }],
  ["POST", "/v1/payments/{id}/reversals", (ask, paymentId) => [200, reverse(ask.world, ownPayment(ask, paymentId))]],
  ["POST", "/v1/reversals", (ask) => {
    const { idempotency_key: key } = ask.json();
    const payment = ask.world.keys.get(`${terminalOf(ask).id} ${key}`)?.payment;
    if (payment) return [200, reverse(ask.world, payment)];
    ask.world.tombstones.add(key);
    const [response_code, message] = MESSAGES.reversed_by_terminal;
    return [200, { id: id(), status: "reversed", response_code, refusal: { code: "reversed_by_terminal", message }, refunds: [] }];
  }],
  ["POST", "/v1/payments/{id}/refunds", (ask, paymentId) => {
    const payment = ownPayment(ask, paymentId);
    const { amount, currency } = ask.json();
    const name = ask.request.headers["idempotency-key"] ?? "";
    if (!/^[A-Za-z0-9_.:+-]{1,31}$/.test(name)) throw new No(400, "The refund's name is wrong.", "Idempotency-Key");
    if (payment.status !== "approved") throw new No(409, "It is not paid.");
    if (!payment.refunds.some((refund) => refund.id === name)) {
      const refund = { id: name, amount, currency, state: "owed" };
      move(ask.world, payment, { refunds: [...payment.refunds, refund] }, "terminal", "Asked for a refund", `${amount} ${currency}`);
      setTimeout(() => move(ask.world, payment, { refunds: payment.refunds.map((one) => (one.id === name ? { ...one, state: "done" } : one)) }, "platform", "Paid the refund out"), 800);
    }
    return [202, tillView(payment)];
  }],
];

function reverse(world, payment) {
  if (payment.refunds.length > 0) throw new No(409, "A refund was given; a refunded payment is not reversed.");
  if (["declined", "reversed", "reversing"].includes(payment.status)) return tillView(payment);
  if (["awaiting_phone", "awaiting_confirmation"].includes(payment.status)) refuse(world, payment, "reversed_by_terminal");
  else {
    refuse(world, payment, "reversed_by_terminal", "reversing");
    setTimeout(() => move(world, payment, { status: "reversed" }, "platform", "Acknowledged the reversal"), 1200);
  }
  return tillView(payment);
}

// Phones

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

const standing = ({ binding, terminals: known }) => ({ ...pick(binding, ["terminal", "epoch", "until"]), merchant_name: known.get(binding.terminal).name });
const mine = (world, payer) => [...world.payments.values()].filter((payment) => payment.payer === payer);

const phones = [
  ["POST", "/v1/login/codes", (ask) => {
    const { subscriber } = ask.json();
    if (!/^\+?\d{6,15}$/.test(subscriber)) throw new No(422, "A subscriber number has 6 to 15 digits.", "subscriber");
    const code = String(100_000 + (randomBytes(3).readUIntBE(0, 3) % 900_000));
    ask.world.codes.set(subscriber, code);
    return [202, { expires_in: 300, code }];
  }],
  ["POST", "/v1/login", (ask) => {
    const { subscriber, code, device_key: key } = ask.json();
    if (ask.world.codes.get(subscriber) !== code) throw new No(403, "This code is not the one that was sent.", "code");
    ask.world.codes.delete(subscriber);
    const token = randomBytes(24).toString("base64url");
    ask.world.tokens.set(token, { payer: `P${subscriber.slice(-3)}`, jwk: key });
    return [200, { access_token: token, token_type: "Bearer", expires_in: 600, payer: `P${subscriber.slice(-3)}` }];
  }],
  ["PUT", "/v1/binding", (ask) => {
    const { world } = ask;
    const { payer } = payerOf(ask);
    const { terminal } = ask.json();
    if (!world.terminals.has(terminal)) throw new No(404, "There is no such terminal.", "terminal");
    if (world.binding && world.binding.terminal === terminal && world.binding.payer !== payer) throw new No(409, "Another phone stands there.");
    world.binding = { payer, terminal, epoch: (world.epoch += 1), until: iso(120_000) };
    [...world.payments.values()].forEach((payment) => claim(world, payment));
    return [200, standing(world)];
  }],
  ["GET", "/v1/binding", (ask) => {
    if (ask.world.binding?.payer !== payerOf(ask).payer) throw new No(404, "This phone stands nowhere.");
    return [200, standing(ask.world)];
  }],
  ["DELETE", "/v1/binding", (ask) => {
    payerOf(ask);
    ask.world.binding = null;
    return [204];
  }],
  ["GET", "/v1/payments", (ask) => [200, { payments: mine(ask.world, payerOf(ask).payer).map(phoneView) }]],
  ["GET", "/v1/payments/history", (ask) => [200, { payments: mine(ask.world, payerOf(ask).payer).filter(({ status }) => DECIDED.includes(status)).map((payment) => ({ ...phoneView(payment), at: payment.started_at })).reverse() }]],
  ["GET", "/v1/events", (ask) => {
    payerOf(ask);
    const { response, world, request } = ask;
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    const since = Number(request.headers["last-event-id"] ?? world.events.at(-1)?.id ?? 0);
    response.write(": here\n\n" + world.events.filter((event) => event.id > since).map((event) => `id: ${event.id}\nevent: ${event.type}\ndata: ${event.data}\n\n`).join(""));
    world.streams.add(response);
    const beat = setInterval(() => response.write(": beat\n\n"), 15_000);
    response.on("close", () => (clearInterval(beat), world.streams.delete(response)));
    return undefined;
  }],
  ["GET", "/v1/payments/{id}", async (ask, paymentId) => {
    const payment = payersPayment(ask, paymentId);
    const { status } = payment;
    await until(ask.world, ask.wait, () => payment.status !== status);
    return [200, phoneView(payment)];
  }],
  ["POST", "/v1/payments/{id}/confirmation", async (ask, paymentId) => {
    const { world } = ask;
    const payment = payersPayment(ask, paymentId);
    const { amount, currency, epoch, device_key: key, signature } = ask.json();
    if (amount !== payment.amount || currency !== payment.currency || epoch !== payment.epoch) throw new No(409, "This is not what the terminal asks for.");
    const curve = { name: "ECDSA", namedCurve: "P-256" };
    const verifier = await webcrypto.subtle.importKey("jwk", key, curve, false, ["verify"]);
    const signed = new TextEncoder().encode(confirmationText(payment));
    const good = await webcrypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, verifier, Buffer.from(signature, "base64url"), signed);
    if (!good || thumbprint(key) !== thumbprint(payerOf(ask).jwk)) throw new No(403, "The signature is not this device's.");
    if (payment.status === "awaiting_confirmation") {
      move(world, payment, { status: "awaiting_permit", attempt: 1, confirm_by: undefined }, "phone", "Said yes", "Signed by the device's key");
      move(world, payment, {}, "switch", "Wrote the intent down", `Journal ${world.seq}`);
      await sleep(350);
      permit(world, payment, 1);
    }
    return [200, phoneView(payment)];
  }],
  ["POST", "/v1/payments/{id}/decline", (ask, paymentId) => {
    const payment = payersPayment(ask, paymentId);
    if (payment.status === "awaiting_confirmation") refuse(ask.world, payment, "declined_by_payer");
    else if (payment.status === "awaiting_payment") {
      refuse(ask.world, payment, "declined_by_payer", "reversing");
      setTimeout(() => move(ask.world, payment, { status: "reversed" }, "platform", "Acknowledged the reversal"), 1200);
    }
    return [200, phoneView(payment)];
  }],
  ["POST", "/v1/payments/{id}/credential", (ask, paymentId) => credential(ask, payersPayment(ask, paymentId))],
];

function permit(world, payment, attempt) {
  const path = { url: `/v1/payments/${payment.id}/credential?attempt=${attempt}`, attempt, key: world.platformJwk, permit: `permit-${randomBytes(6).toString("hex")}`, expires_at: iso(60_000) };
  move(world, payment, { status: "awaiting_payment", attempt, interface: path }, "platform", "Gave its permit", `Attempt ${attempt} of ${payment.attempts_max}`);
}

async function credential({ world, request, url, body }, payment) {
  if (request.headers["content-type"] !== "application/jose") throw new No(415, "A sealed credential is application/jose.");
  const path = payment.interface;
  if (!path || Number(url.searchParams.get("attempt")) !== path.attempt) throw new No(409, "This permit is used up.");
  const { plaintext, protectedHeader: header } = await compactDecrypt(body, world.platform.privateKey).catch(() => { throw new No(400, "It cannot be opened."); });
  for (const [name, want] of Object.entries({ payment: payment.id, amount: payment.amount, currency: payment.currency, merchant: payment.merchant, permit: path.permit })) {
    if (header[name] !== want) throw new No(409, `The seal is for another ${name}.`);
  }
  if (!(header.exp * 1000 > Date.now())) throw new No(409, "The seal has run out.");
  const { account, password } = JSON.parse(new TextDecoder().decode(plaintext));
  move(world, payment, { status: "awaiting_outcome", interface: undefined }, "phone", "Sent the sealed credential", "Relayed unread");
  await sleep(450);
  if (account === "silent") {
    move(world, payment, { status: "in_doubt" }, "switch", "No word from the platform", "First inquiry in 4 s");
    await sleep(4000);
    refuse(world, payment, "reversed_by_terminal", "reversed");
  } else if (password !== "open sesame") {
    move(world, payment, { last_failure: { code: "wrong_credentials", message: "The account or the password is wrong." } }, "platform", "Refused the credential");
    if (path.attempt < payment.attempts_max) permit(world, payment, path.attempt + 1);
    else refuse(world, payment, "wrong_credentials");
  } else {
    move(world, payment, {}, "platform", "Took the money");
    move(world, payment, { status: "approved", response_code: "00", platform_reference: `SB-${randomBytes(4).toString("hex")}`, last_failure: undefined }, "terminal", "Told yes", `Journal ${world.seq}`);
  }
  return [200, phoneView(payment)];
}

const thumbprint = ({ crv, kty, x, y }) => createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("hex");

// Admin

function overview({ payments, seq, started, tokens }) {
  const all = [...payments.values()];
  const open = {};
  for (const { status } of all) if (!["approved", "declined", "reversed"].includes(status)) open[status] = (open[status] ?? 0) + 1;
  const wave = (base, depth) => Math.max(0, base + depth * Math.sin(Date.now() / 4000) + depth * 0.4 * Math.sin(Date.now() / 900));
  const owed = all.filter(({ status }) => status === "reversing");
  const items = owed.map((payment) => ({ payment: payment.id, kind: "reversal", platform: "sandbox", amount: payment.amount, currency: payment.currency, age_seconds: (Date.now() - payment.since) / 1000, failures: 1 }));
  const recent = all.slice(-30).reverse().map((payment) => pick(payment, ["id", "status", "amount", "currency", "merchant", "merchant_name", "terminal", "started_at", "took_ms", "response_code", "refusal"]));
  return {
    at: iso(), uptime_seconds: (Date.now() - started) / 1000, version: "0.1.0",
    rates: { started: wave(12, 4), approved: wave(11, 4), declined: 0.6, reversed: 0 }, latency_ms: { p50: wave(31, 5), p99: wave(96, 30) }, open,
    outbox: { owed: items.length, ...(items.length && { oldest_seconds: items[0].age_seconds }), items }, actors: { terminal_sessions: 2, payers: tokens.size, merchants: 2 }, journal: { durable_seq: seq }, recent,
  };
}

const admin = [
  ["GET", "/v1/overview", ({ world }) => [200, overview(world)]],
  ["GET", "/v1/overview/events", ({ world, response }) => {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    const tell = () => response.write(`event: overview\ndata: ${JSON.stringify(overview(world))}\n\n`);
    const timer = setInterval(tell, world.trouble.quick ? 60 : 1000);
    tell();
    response.on("close", () => clearInterval(timer));
    return undefined;
  }],
  ["GET", "/v1/payments/{id}/trace", ({ world }, paymentId) => {
    const payment = world.payments.get(paymentId);
    if (!payment) throw new No(404, "There is no such payment.");
    return [200, { id: payment.id, status: payment.status, steps: payment.steps.map(({ time, ...step }) => step) }];
  }],
];

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { phone, till, live } = await mockSwitch({ ports: [8080, 8081, 9090] });
  console.log(`phone ${phone}\ntill  ${till}#terminal=T1&key=till-key-1\nlive  ${live}\nany account, password "open sesame"; account "silent" is in doubt first`);
}
