// What the phone page knows of the switch's world: who is logged in, where the phone stands, what awaits its payer.
//
// The list of payments is the truth and the stream only wakes. Answers may overtake one another, so what was asked
// later wins. The session lives in this tab's sessionStorage only; a password never comes here. It draws nothing.
import { Door, NoAnswer, Problem, backoffMs, rest } from "./api.js";
import { deviceKey } from "./device.js";
import { follow } from "./stream.js";
import { seal } from "./seal.js";
import { now } from "./ticking.js";
import { STATUSES, decided } from "./words.js";

const KEPT = "turnout.phone";
const POLL_MS = 3000;
const REFRESH_MS = 20_000;

/** Thrown when the switch wants the payer to log in again. */
export class LoggedOut extends Error {}

export class Desk {
  /** The session: `{token, subscriber, payer, binding, seen: [ids], done: [ids]}`. */
  session = { seen: [], done: [], ...kept() };
  payments = new Map();
  /** How the page hears of news: `live`, `polling`, `lost`, or `off` before log-in. */
  line = "off";
  #asked = 0;
  #stop = null;

  /** `changed()` after every change; `loggedOut()` when the token no longer counts. */
  constructor(changed, loggedOut) {
    this.changed = changed;
    this.loggedOut = loggedOut;
    this.door = new Door(() => this.session.token && `Bearer ${this.session.token}`);
    setInterval(() => this.#tick(), POLL_MS);
    addEventListener("online", () => this.refresh());
    document.addEventListener("visibilitychange", () => document.hidden || this.refresh());
  }

  get loggedIn() {
    return Boolean(this.session.token);
  }

  /** Asks for a one-time code; the answer carries it where the switch shows codes. */
  code(subscriber) {
    return this.door.ask("POST", "/v1/login/codes", { json: { subscriber } });
  }

  async logIn(subscriber, code) {
    const { jwk } = await deviceKey();
    const answer = await this.door.ask("POST", "/v1/login", { json: { subscriber, code, device_key: jwk } });
    const same = this.session.payer === answer.payer;
    const carried = same ? this.session : { seen: [], done: [] };
    this.#keep({ ...carried, token: answer.access_token, payer: answer.payer, subscriber });
    await this.start();
  }

  /** Opens the stream and fetches what there is; call it when logged in. */
  async start() {
    this.#stop?.();
    this.line = "polling";
    this.#stop = follow(this.door, "/v1/events", {
      opened: () => this.#heard("live"),
      event: (event) => this.#woken(event),
      lost: () => this.#heard("lost"),
      refused: () => this.#expired(),
    });
    await this.refresh();
    if (this.binding) await this.lookAtBinding();
  }

  logOut() {
    this.#stop?.();
    this.#stop = null;
    this.payments.clear();
    this.line = "off";
    sessionStorage.removeItem(KEPT);
    this.session = { seen: [], done: [] };
    this.changed();
  }

  /** Where the phone stands, while that lasts. */
  get binding() {
    const { binding } = this.session;
    return binding && !(Date.parse(binding.until) <= now()) ? binding : null;
  }

  async stand(terminal) {
    const binding = await this.#ask("PUT", "/v1/binding", { json: { terminal } });
    this.#keep({ ...this.session, binding, lastTerminal: binding.terminal });
    await this.refresh();
  }

  async walkAway() {
    await this.#ask("DELETE", "/v1/binding");
    this.#keep({ ...this.session, binding: undefined });
  }

  /** Whether the switch still knows the binding; asked only when this page believes in one. */
  async lookAtBinding() {
    try {
      this.#keep({ ...this.session, binding: await this.#ask("GET", "/v1/binding") });
    } catch (problem) {
      if (problem instanceof Problem && problem.status === 404) this.#keep({ ...this.session, binding: undefined });
    }
  }

  /** Fetches the list; a failure shows as a lost line and nothing else. */
  async refresh() {
    if (!this.loggedIn) return;
    const asked = (this.#asked += 1);
    try {
      const { payments } = await this.#ask("GET", "/v1/payments");
      const there = new Set(payments.map((payment) => payment.id));
      for (const [id, known] of this.payments)
        if (!there.has(id) && !decided(known) && known.asked <= asked) this.payments.delete(id);
      payments.forEach((payment) => this.#take(payment, asked));
      this.listedAt = Date.now();
      if (this.line === "lost") this.line = "polling";
    } catch (problem) {
      if (problem instanceof NoAnswer) this.line = "lost";
      else if (!(problem instanceof Problem) && !(problem instanceof LoggedOut)) throw problem;
    }
    this.changed();
  }

  /** The payer's yes, signed by this device. */
  async confirm(payment) {
    const { jwk, sign } = await deviceKey();
    const { amount, currency, epoch } = payment;
    const json = { amount, currency, epoch, device_key: jwk, signature: await sign(payment) };
    return this.#move(payment, "POST", `/v1/payments/${payment.id}/confirmation`, { json, wait: 10 });
  }

  decline(payment) {
    return this.#move(payment, "POST", `/v1/payments/${payment.id}/decline`, { json: { epoch: payment.epoch } });
  }

  /** Seals account and password for the platform and sends them by its interface. */
  async pay(payment, credential) {
    const { url, key, permit, expires_at: expires } = payment.interface;
    const { id, amount, currency, merchant } = payment;
    const exp = Math.floor(Date.parse(expires) / 1000);
    const jwe = await seal(key, { payment: id, amount, currency, merchant, permit, exp }, credential);
    const there = new URL(url, document.baseURI);
    if (there.origin === location.origin) {
      return this.#move(payment, "POST", there.href, { body: jwe, type: "application/jose", wait: 20 });
    }
    // The platform's own door: our token is none of its business, and the word that counts comes by the switch.
    await new Door(() => null).ask("POST", there.href, { body: jwe, type: "application/jose", wait: 20 }).catch(passed);
    return this.#move(payment, "GET", `/v1/payments/${id}`, { wait: 20 });
  }

  /** The payer has read the result. */
  done(payment) {
    this.#keep({ ...this.session, done: [...this.session.done, payment.id].slice(-50) });
    this.changed();
  }

  async history() {
    const { payments } = await this.#ask("GET", "/v1/payments/history?limit=50");
    // The history lags a moment behind; the list of payments, which is the truth, does not.
    const missing = [...this.payments.values()].filter(({ id }) => !payments.some((past) => past.id === id));
    return [...missing, ...payments.map((past) => ({ ...past, ...this.payments.get(past.id) }))];
  }

  /** What to show: undecided payments first, then results not yet read, each in the order they came. */
  shown() {
    const { seen, done } = this.session;
    const all = [...this.payments.values()];
    const open = all.filter((payment) => !decided(payment));
    const results = all.filter((payment) => decided(payment) && seen.includes(payment.id) && !done.includes(payment.id));
    return [...open, ...results];
  }

  /** A request that changes a payment: without an answer, the payment itself is asked what became of it. */
  async #move(payment, method, path, options) {
    try {
      const answer = await this.#ask(method, path, options);
      // The stream may have overtaken it: the switch pushes a permit while the disk still works.
      if (order(answer) < order(this.payments.get(payment.id))) await this.#look(payment.id);
      else this.#take(answer, (this.#asked += 1));
    } catch (problem) {
      if (problem instanceof LoggedOut) throw problem;
      await this.#look(payment.id);
      throw problem;
    } finally {
      this.changed();
    }
  }

  async #look(id) {
    for (let failures = 0; this.loggedIn; failures += 1) {
      try {
        const asked = (this.#asked += 1);
        return this.#take(await this.#ask("GET", `/v1/payments/${id}`), asked);
      } catch (problem) {
        if (problem instanceof LoggedOut) throw problem;
        if (problem instanceof Problem && !problem.passing) return this.refresh();
        this.#heard("lost");
        await rest(backoffMs(failures, 5000));
      }
    }
    return undefined;
  }

  async #ask(method, path, options) {
    try {
      return await this.door.ask(method, path, options);
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.status !== 401) throw problem;
      this.#expired();
      throw new LoggedOut();
    }
  }

  #woken({ type, data }) {
    if (type === "resync") return void this.refresh();
    if (type !== "payment") return;
    const payment = JSON.parse(data);
    // An event that seems to go back in time was overtaken by an answer, or knows better: the switch is asked.
    if (order(payment) < order(this.payments.get(payment.id)))
      return void this.#look(payment.id).then(() => this.changed(), passed);
    this.#take(payment, (this.#asked += 1));
    this.changed();
  }

  #take(payment, asked) {
    const known = this.payments.get(payment.id);
    if (known && known.asked > asked) return;
    this.payments.set(payment.id, { ...payment, asked });
    if (decided(payment)) this.#roundIsOver(payment);
    else if (!this.session.seen.includes(payment.id))
      this.#keep({ ...this.session, seen: [...this.session.seen, payment.id].slice(-50) });
  }

  /** A binding ends when its payment is decided. */
  #roundIsOver({ terminal, epoch }) {
    const { binding } = this.session;
    if (binding && binding.terminal === terminal && binding.epoch <= epoch)
      this.#keep({ ...this.session, binding: undefined });
  }

  #heard(line) {
    const back = line === "live" && this.line !== "live";
    this.line = line;
    if (back) this.refresh();
    else this.changed();
  }

  #tick() {
    if (!this.loggedIn || document.hidden) return;
    const age = Date.now() - (this.listedAt ?? 0);
    if (this.line !== "live" || age > REFRESH_MS) this.refresh();
  }

  #expired() {
    if (!this.loggedIn) return;
    this.#stop?.();
    this.line = "off";
    this.#keep({ ...this.session, token: undefined });
    this.loggedOut();
  }

  #keep(session) {
    this.session = session;
    sessionStorage.setItem(KEPT, JSON.stringify(session));
  }
}

const passed = () => undefined;

/** The place of a payment in its own life, for telling old news from new. */
function order(payment) {
  if (!payment) return -1;
  const stage = [...STATUSES.keys()].indexOf(payment.status);
  return payment.epoch * 10_000 + (decided(payment) ? 1000 : (payment.attempt ?? 0) * 20) + stage;
}

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}
