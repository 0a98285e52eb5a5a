// The phone page: log in, stand at a terminal, say yes or no, pay, see what came of it.
//
// It puts the desk's knowledge (phone_desk.js) and the views (phone_views.js) together and decides what is on the
// screen. A place is drawn anew only when what it shows has changed, so that nobody's typing is lost to news.
import { fragment } from "./api.js";
import { Desk, LoggedOut } from "./phone_desk.js";
import { canKeepKeys } from "./device.js";
import { at, button, notice, put, say } from "./dom.js";
import { decided, reason, toldOf } from "./words.js";
import * as views from "./phone_views.js";

const LAMPS = { live: ["go", "Connected"], polling: ["wait", "Connecting"], lost: ["stop", "No network"] };

const page = { tab: "pay", focus: null, stage: "subscriber", shownCode: undefined, subscriber: undefined, drawn: new Map() };
let desk;

if (canKeepKeys()) begin();
else put(at("login"), views.insecure());

function begin() {
  page.terminal = fragment().get("terminal") ?? undefined;
  desk = new Desk(draw, loggedOut);
  addEventListener("hashchange", () => {
    page.terminal = fragment().get("terminal") ?? page.terminal;
    draw();
  });
  setInterval(draw, 1000);
  if (desk.loggedIn) desk.start();
  draw();
}

/** Runs what the payer asked for; a failure becomes a notice and never an error in the console. */
async function act(work) {
  tell(null);
  try {
    await work();
  } catch (problem) {
    if (!(problem instanceof LoggedOut)) tell("bad", problem.message || "Something went wrong on this page.");
  }
  draw();
}

function tell(kind, text) {
  put(at("notices"), kind && notice(kind, text));
}

function loggedOut() {
  page.stage = "subscriber";
  const open = desk.shown().some((payment) => !decided(payment));
  tell(
    "warn",
    open ? "Your log-in ran out. Log in again: your payment is still there." : "Your log-in ran out. Please log in again.",
  );
  draw();
}

function draw() {
  const inside = desk.loggedIn;
  at("pay").hidden = !inside || page.tab !== "pay";
  at("history").hidden = !inside || page.tab !== "history";
  at("tabs").hidden = !inside;
  drawHead(inside);
  if (inside) drawInside();
  else drawLogin();
}

/** Draws `place` when `what` it shows differs from what it showed. */
function place(id, what, view) {
  const key = JSON.stringify(what);
  if (page.drawn.get(id) === key) return false;
  page.drawn.set(id, key);
  put(at(id), view());
  return true;
}

function drawHead(inside) {
  const [lamp, words] = LAMPS[desk.line] ?? ["", ""];
  at("lamp").hidden = !inside;
  at("lamp").className = `lamp ${lamp}`;
  if (at("lamp").textContent !== words) at("lamp").textContent = words;
  place("leave", inside, () => inside && button("Log out", "plain", logOut));
  place("tabs", [inside, page.tab], () => [tab("pay", "Pay"), tab("history", "History")]);
}

function tab(name, label) {
  const element = button(label, "", () => {
    page.tab = name;
    if (name === "history") fetchHistory();
    draw();
  });
  element.setAttribute("aria-pressed", String(page.tab === name));
  return element;
}

function fetchHistory() {
  page.drawn.delete("history");
  page.history = null;
  return act(async () => {
    page.history = await desk.history();
  });
}

function logOut() {
  return act(async () => {
    if (desk.binding) await desk.walkAway().catch(() => undefined);
    desk.logOut();
    page.account = undefined;
    page.tab = "pay";
    page.stage = "subscriber";
  });
}

function drawLogin() {
  ["place", "deal", "others", "history"].forEach((id) => place(id, null, () => null));
  const { stage, shownCode, terminal } = page;
  const subscriber = page.subscriber ?? desk.session.subscriber;
  const changed = place("login", [stage, shownCode, terminal, stage === "code" && subscriber], () =>
    stage === "code"
      ? views.codeForm({ subscriber, shownCode, enter, back: () => turnTo("subscriber") })
      : views.subscriberForm({ subscriber, terminal, ask }),
  );
  if (changed && stage === "code") at("login").querySelector("input")?.focus();
}

function turnTo(stage) {
  page.stage = stage;
  draw();
}

function ask(subscriber) {
  return act(async () => {
    if (!subscriber) throw new Error("Enter your mobile number.");
    const answer = await desk.code(subscriber);
    Object.assign(page, { subscriber, shownCode: answer?.code, stage: "code" });
  });
}

function enter(code) {
  return act(async () => {
    if (!code) throw new Error("Enter the code you were sent.");
    await desk.logIn(page.subscriber, code);
    Object.assign(page, { shownCode: undefined, tab: "pay" });
  });
}

function drawInside() {
  place("login", null, () => null);
  const shown = desk.shown();
  const focused = shown.find((payment) => payment.id === page.focus) ?? shown[0];
  page.focus = focused?.id ?? null;
  drawPlace(focused);
  const fresh = place(
    "deal",
    focused && { ...focused, asked: 0 },
    () => focused && views.deal(focused, { ...actions, known: page.account }),
  );
  if (fresh && focused) announce(focused);
  const rest = shown.filter((payment) => payment !== focused);
  place(
    "others",
    rest.map(({ id, status }) => [id, status]),
    () => views.others(rest, choose),
  );
  if (page.tab === "history") place("history", page.history, () => views.history(page.history ?? null));
}

function drawPlace(focused) {
  const { binding, session } = desk;
  const terminal = page.terminal ?? session.lastTerminal;
  const idle = !focused;
  if (binding)
    return place("place", [binding, idle], () => views.standing({ binding, idle, leave: () => act(() => desk.walkAway()) }));
  return place(
    "place",
    [terminal, idle],
    () => idle && views.terminalForm({ terminal, again: session.lastTerminal === terminal && Boolean(terminal), stand }),
  );
}

function stand(terminal) {
  return act(async () => {
    if (!terminal) throw new Error("Enter the terminal's name.");
    await desk.stand(terminal);
  });
}

function choose(payment) {
  page.focus = payment.id;
  draw();
}

/** Says the news, and puts the focus where the payer goes on. */
function announce(payment) {
  const why = payment.last_failure?.message ?? reason(payment) ?? "";
  say(`${payment.merchant_name}, ${payment.amount} ${payment.currency}: ${toldOf(payment).name}. ${why}`);
  const next = [...at("deal").querySelectorAll("input, .verdict")].find((one) => !one.value);
  if (next && payment.status !== "awaiting_confirmation") next.focus({ preventScroll: true });
  at("deal").scrollIntoView({ block: "nearest" });
}

const actions = {
  confirm: (payment) => act(() => desk.confirm(payment)),
  decline: (payment) => act(() => desk.decline(payment)),
  pay: (payment, credential) =>
    act(async () => {
      if (!credential.account || !credential.password) throw new Error("Enter your account and your password.");
      page.account = credential.account;
      await desk.pay(payment, credential);
    }),
  done: (payment) => desk.done(payment),
};
