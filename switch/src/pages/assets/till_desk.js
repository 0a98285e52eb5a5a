// What the till knows and owes: one sale in hand, the sales of this session, and how each is brought to its end.
//
// Every request that moves money has its key before it is sent, and the key is kept in this tab's sessionStorage: after
// a reload or a lost network the same request goes out again under the same key. A charge that gets no answer in time
// is taken back by its key until the switch acknowledges it. It draws nothing; see till.js.
import { Door, Problem, backoffMs, rest } from "./api.js";
import { now } from "./ticking.js";
import { decided } from "./words.js";

const KEPT = "turnout.till";
const SALES_MAX = 50;
const LOOK_MS = 2500;
/** Long enough for a person with a phone; the switch may be asked for less by real terminals. */
const ANSWER_WITHIN_S = 120;
/** After the switch's own deadline: the time an answer may take to arrive. */
const GRACE_MS = 10_000;
const REFUND_PATIENCE_MS = 60_000;

/**
 * A sale: `{key, body: {amount, currency, …}, since, payment?, task?, refund?}`. `task` is what is still to be brought to
 * an end: `charge`, `reverse` or `refund`; a sale without one rests.
 */
export class TillDesk {
  kept = { sales: [], ...read() };
  /** Of the switch: name, merchant, binding; `null` until it was heard. */
  terminal = null;
  /** Whether the last request found the switch. */
  reached = true;
  /** Why the terminal must sign in again, if so. */
  barred = null;
  #turn = 0;

  /** `changed()` after every change, `failed(text)` when the switch says no to a request. */
  constructor(changed, failed) {
    this.changed = changed;
    this.failed = failed;
    this.door = new Door(() => this.signedIn && `Basic ${basic(this.kept.terminal, this.kept.key)}`);
    setInterval(() => document.hidden || this.look(), LOOK_MS);
  }

  get signedIn() {
    return Boolean(this.kept.terminal && this.kept.key);
  }

  get sale() {
    return this.kept.sales.find((sale) => sale.key === this.kept.hand) ?? null;
  }

  /** The till of `terminal`; another terminal's sales are none of its business. */
  async signIn(terminal, key, phonePage = this.kept.phonePage) {
    const own = this.kept.terminal === terminal ? this.kept : { sales: [] };
    this.barred = null;
    this.#keep({ ...own, terminal, key, phonePage });
    await this.look();
    this.#work();
  }

  signOut() {
    this.#turn += 1;
    this.terminal = null;
    this.kept = { sales: [] };
    sessionStorage.removeItem(KEPT);
    this.changed();
  }

  /** Looks who stands here. */
  async look() {
    if (!this.signedIn || this.barred) return;
    try {
      this.terminal = await this.#ask("GET", "/v1/terminal");
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.status !== 401) this.terminal &&= { ...this.terminal };
    }
    this.changed();
  }

  /** Sends the phone away that stands here. */
  async clear() {
    await this.#ask("DELETE", "/v1/terminal/binding");
    await this.look();
  }

  /** Where phones find their page. */
  get phonePage() {
    return this.kept.phonePage ?? this.terminal?.phone_page ?? `${location.protocol}//${location.hostname}:8080/`;
  }

  set phonePage(address) {
    this.#keep({ ...this.kept, phonePage: address || undefined });
  }

  charge(amount, currency) {
    const body = { amount, currency, answer_within_seconds: ANSWER_WITHIN_S };
    this.#hand({ key: `till-${crypto.randomUUID?.() ?? hex(16)}`, body, since: now(), task: "charge" });
  }

  /** Takes the sale in hand back, however far it is. */
  takeBack() {
    this.#hand({ ...this.sale, task: "reverse" });
  }

  refund(amount) {
    const { currency } = this.sale.body;
    this.#hand({ ...this.sale, task: "refund", refund: { key: `r-${hex(10)}`, body: { amount, currency }, since: now() } });
  }

  /** Takes a sale of the list in hand, or none. */
  async choose(key) {
    this.#keep({ ...this.kept, hand: key });
    const sale = this.sale;
    if (sale?.payment && !sale.task) await this.#fresh(sale).catch(() => undefined);
    this.#work();
  }

  /** Goes on with what was in hand before a reload. */
  resume() {
    this.look();
    this.#work();
  }

  #hand(sale) {
    const others = this.kept.sales.filter(({ key }) => key !== sale.key);
    this.#keep({ ...this.kept, hand: sale.key, sales: [sale, ...others].slice(0, SALES_MAX) });
    this.#work();
  }

  /** Brings the sale in hand to its end; a newer turn ends an older one. */
  async #work() {
    const turn = (this.#turn += 1);
    for (let failures = 0; turn === this.#turn && this.sale?.task && this.signedIn && !this.barred;) {
      const { key } = this.sale;
      try {
        await TASKS[this.sale.task](this, key, turn);
        failures = 0;
      } catch (problem) {
        if (turn !== this.#turn) return;
        if (problem instanceof Problem && !problem.passing) this.#refused(key, problem);
        else await this.#wait(problem, (failures += 1));
      }
    }
  }

  async #wait(problem, failures) {
    this.changed();
    const asked = problem.retryAfter ? problem.retryAfter * 1000 : 0;
    await rest(Math.max(Math.min(asked, 30_000), backoffMs(failures, 5000)));
  }

  /** The switch said no to the task: a charge that never began is forgotten, anything else stays as it was. */
  #refused(key, problem) {
    if (problem.status === 401) return;
    const sale = this.kept.sales.find((one) => one.key === key);
    if (sale.task === "charge" && !sale.payment)
      this.#keep({ ...this.kept, hand: null, sales: this.kept.sales.filter((one) => one.key !== key) });
    else this.update(key, { task: undefined, refund: undefined });
    this.failed(problem.message);
  }

  /** Changes the sale of `key` unless a newer turn has it in hand. */
  update(key, change, turn = this.#turn) {
    if (turn !== this.#turn) return;
    this.#keep({ ...this.kept, sales: this.kept.sales.map((sale) => (sale.key === key ? { ...sale, ...change } : sale)) });
  }

  async #fresh(sale) {
    this.update(sale.key, { payment: await this.ask("GET", `/v1/payments/${sale.payment.id}`) });
  }

  ask(method, path, options) {
    return this.#ask(method, path, options);
  }

  async #ask(method, path, options) {
    try {
      const answer = await this.door.ask(method, path, options);
      this.reached = true;
      return answer;
    } catch (problem) {
      this.reached = problem instanceof Problem;
      if (problem.status === 401) this.#bar(problem);
      throw problem;
    }
  }

  #bar(problem) {
    this.barred = problem.message;
    this.changed();
  }

  #keep(kept) {
    this.kept = kept;
    sessionStorage.setItem(KEPT, JSON.stringify(kept));
    this.changed();
  }
}

/** One step of each task; each throws when it must be repeated. */
const TASKS = {
  async charge(desk, key, turn) {
    const { body, since, payment } = desk.sale;
    const late = Date.parse(payment?.answer_by) || since + 1000 * body.answer_within_seconds;
    if (now() > late + GRACE_MS) return desk.update(key, { task: "reverse" }, turn);
    const answer = payment
      ? await desk.ask("GET", `/v1/payments/${payment.id}`, { wait: 2 })
      : await desk.ask("POST", "/v1/payments", { json: body, key });
    desk.update(key, { payment: answer, task: decided(answer) ? undefined : "charge" }, turn);
    if (payment?.status !== answer.status) desk.look();
    if (payment && payment.status === answer.status) await rest(200);
    return undefined;
  },

  async reverse(desk, key, turn) {
    const { payment, body } = desk.sale;
    const answer = payment?.id
      ? await desk.ask("POST", `/v1/payments/${payment.id}/reversals`)
      : await desk.ask("POST", "/v1/reversals", { json: { idempotency_key: key } });
    desk.update(
      key,
      { payment: { ...body, ...payment, ...answer }, task: answer?.status === "reversing" ? "undo" : undefined },
      turn,
    );
  },

  /** The reversal is acknowledged; what remains is to see that it is done. */
  async undo(desk, key, turn) {
    const answer = await desk.ask("GET", `/v1/payments/${desk.sale.payment.id}`);
    const more = answer.status === "reversing";
    desk.update(key, { payment: answer, task: more ? "undo" : undefined }, turn);
    if (more) await rest(2000);
  },

  async refund(desk, key, turn) {
    const { payment, refund } = desk.sale;
    const answer = await desk.ask("POST", `/v1/payments/${payment.id}/refunds`, { json: refund.body, key: refund.key });
    desk.update(key, { payment: answer, task: "refunding" }, turn);
  },

  /** The refund is owed; what remains is to see that it is done. */
  async refunding(desk, key, turn) {
    const { payment, refund } = desk.sale;
    const owed =
      payment.refunds?.some(({ id, state }) => id === refund.key && state === "owed") &&
      now() < refund.since + REFUND_PATIENCE_MS;
    if (!owed) return desk.update(key, { task: undefined, refund: undefined }, turn);
    await rest(1000);
    desk.update(key, { payment: await desk.ask("GET", `/v1/payments/${payment.id}`) }, turn);
    return undefined;
  },
};

function basic(id, key) {
  return btoa(Array.from(new TextEncoder().encode(`${id}:${key}`), (byte) => String.fromCharCode(byte)).join(""));
}

function hex(bytes) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}
