// The till page: sign in as a terminal, type an amount, charge, show what came of it, give money back.
//
// It puts the desk's knowledge (till_desk.js) and the views (till_views.js) together. A place is drawn anew only when
// what it shows has changed, so that typing is not lost to news. A key in the address is taken out of it at once.
import { fragment } from "./api.js";
import { at, button, notice, put, say } from "./dom.js";
import { MINOR_DIGITS_MAX } from "./money.js";
import { TillDesk } from "./till_desk.js";
import { decided, reason, toldOf } from "./words.js";
import * as views from "./till_views.js";

const page = { digits: "", currency: "EUR", refunding: false, drawn: new Map(), said: "" };
const desk = new TillDesk(draw, (text) => tell("bad", text));

begin();

function begin() {
  const given = fragment();
  const [terminal, key, phonePage] = ["terminal", "key", "phone"].map((name) => given.get(name) ?? undefined);
  page.terminal = terminal;
  if (given.has("key"))
    history.replaceState(null, "", terminal ? `#terminal=${encodeURIComponent(terminal)}` : location.pathname);
  document.addEventListener("keydown", typed);
  if (terminal && key) desk.signIn(terminal, key, phonePage);
  else if (desk.signedIn) desk.resume();
  draw();
}

async function act(work) {
  tell(null);
  try {
    await work();
  } catch (problem) {
    tell("bad", problem.message);
  }
  draw();
}

function tell(kind, text) {
  put(at("notices"), kind && notice(kind, text));
}

function draw() {
  const open = desk.signedIn && !desk.barred;
  at("counter").hidden = !open;
  drawHead(open);
  place(
    "sign-in",
    [open, desk.barred, page.terminal],
    () =>
      !open && [
        desk.barred && notice("bad", desk.barred),
        views.signInForm({
          terminal: desk.kept.terminal ?? page.terminal,
          enter: (terminal, key) => act(() => enter(terminal, key)),
        }),
      ],
  );
  if (open) drawCounter();
}

function place(id, what, view) {
  const key = JSON.stringify(what);
  if (page.drawn.get(id) === key) return false;
  page.drawn.set(id, key);
  put(at(id), view());
  return true;
}

async function enter(terminal, key) {
  if (!terminal || !key) throw new Error("Enter the terminal's name and its key.");
  await desk.signIn(terminal, key);
}

function drawHead(open) {
  const shop = (open && desk.terminal?.merchant_name) || "Turnout";
  const which = open ? `Till · terminal ${desk.kept.terminal}` : "Till";
  if (at("shop").textContent !== shop) at("shop").textContent = shop;
  if (at("which").textContent !== which) at("which").textContent = which;
  at("lamp").hidden = !open;
  at("lamp").className = `lamp ${desk.reached ? "go" : "stop"}`;
  const words = desk.reached ? "Connected" : "No network";
  if (at("lamp").textContent !== words) at("lamp").textContent = words;
  place("leave", open, () => open && button("Close", "plain", close));
}

function close() {
  if (desk.sale?.task) return tell("warn", "Finish the sale in hand first: this till owes it an end.");
  tell(null);
  return desk.signOut();
}

function drawCounter() {
  const { sale, terminal, kept, phonePage: address, reached } = desk;
  const name = kept.terminal;
  const fresh = place("work", workShown(sale), () => drawWork(sale, { address, name, reached }));
  if (fresh) announce(sale);
  place("stand", [terminal?.binding, name, address], () =>
    views.stand({ terminal, name, address, clear: () => act(() => desk.clear()), move }),
  );
  place("sales", [kept.sales, kept.hand], () => views.sales(kept.sales, { hand: kept.hand, choose }));
}

function workShown(sale) {
  const currency = desk.terminal?.currency;
  return sale
    ? [sale, desk.reached, page.refunding, desk.phonePage]
    : [null, page.digits, currency ?? page.currency, Boolean(currency)];
}

function drawWork(sale, context) {
  if (!sale) return drawKeypad();
  if (page.refunding && sale.payment) return views.refundForm({ payment: sale.payment, refund, back: () => turn(false) });
  return views.sale(sale, { ...context, actions: { takeBack, next, askRefund: () => turn(true) } });
}

function drawKeypad() {
  const fixed = desk.terminal?.currency;
  const focused = document.activeElement?.dataset?.key;
  const choose = (currency) => {
    page.currency = currency;
    draw();
  };
  const pad = views.keypad({
    digits: page.digits,
    currency: fixed ?? page.currency,
    fixed: Boolean(fixed),
    press,
    charge,
    choose,
  });
  // The keys are made anew with each digit; whoever uses them by keyboard stays where they were.
  if (focused) queueMicrotask(() => at("work").querySelector(`[data-key="${focused}"]`)?.focus());
  return pad;
}

function press(key) {
  if (key === "C") page.digits = "";
  else if (key === "⌫") page.digits = page.digits.slice(0, -1);
  else if ((page.digits + key).length <= MINOR_DIGITS_MAX) page.digits = (page.digits + key).replace(/^0+/, "");
  draw();
}

function typed(event) {
  const elsewhere = event.target.closest?.("input, select, textarea, summary, a");
  if (desk.sale || !desk.signedIn || elsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^\d$/.test(event.key)) press(event.key);
  else if (event.key === "Backspace") press("⌫");
  else if (event.key === "Enter" && event.target === document.body) at("work").querySelector("button.main")?.click();
}

function charge(amount) {
  tell(null);
  page.digits = "";
  desk.charge(amount, desk.terminal?.currency ?? page.currency);
}

function takeBack() {
  tell(null);
  desk.takeBack();
}

function next() {
  tell(null);
  return desk.choose(null);
}

function turn(refunding) {
  page.refunding = refunding;
  draw();
  at("work").querySelector("input")?.select();
}

function refund(amount) {
  page.refunding = false;
  desk.refund(amount);
}

function choose(key) {
  if (desk.sale?.task) return tell("warn", "Finish the sale in hand first.");
  page.refunding = false;
  return act(() => desk.choose(key));
}

function move(address) {
  return act(async () => {
    if (address && !URL.canParse(address)) throw new Error("The address must begin with http:// or https://.");
    desk.phonePage = address;
  });
}

/** Says the news of the sale in hand, once. */
function announce(sale) {
  if (!sale?.payment) return;
  const { payment } = sale;
  const news = `${payment.amount} ${payment.currency}: ${toldOf(payment).name}. ${reason(payment) ?? ""}`;
  if (news === page.said) return;
  page.said = news;
  say(news);
  if (decided(payment)) at("work").querySelector(".verdict")?.focus({ preventScroll: true });
}
