// The live page: what the switch is doing, second by second; the journey of any payment, and who is on a line, on a click.
//
// It follows `/v1/overview/events`; each event is a whole overview, so nothing is lost by missing some. The last two
// minutes are kept for the sparklines. A token, where one is wanted, stays in this tab.
import { Door, NoAnswer, Problem, fragment } from "./api.js";
import { at, button, h, notice, put } from "./dom.js";
import { journey, ms } from "./journey.js";
import { money } from "./money.js";
import { follow } from "./stream.js";
import { tag } from "./words.js";
import * as wires from "./live_lines.js";
import * as views from "./live_views.js";

const KEPT = "turnout.live.token";
const PAST_MAX = 120;

const past = [];
const drawn = new Map();
let token = fragment().get("token") ?? sessionStorage.getItem(KEPT);
const door = new Door(() => token && `Bearer ${token}`);

if (fragment().has("token")) history.replaceState(null, "", location.pathname);
if (token) sessionStorage.setItem(KEPT, token);
watch();

function watch() {
  lamp("wait", "Connecting");
  follow(door, "/v1/overview/events", {
    opened: () => {
      put(at("sign-in"), null);
      lamp("go", "Live");
    },
    event: ({ type, data }) => type === "overview" && show(JSON.parse(data)),
    lost: () => lamp("stop", "No connection"),
    refused: askForToken,
  });
}

function askForToken() {
  lamp("stop", "Locked");
  put(
    at("sign-in"),
    views.tokenForm(Boolean(token), (given) => {
      token = given;
      sessionStorage.setItem(KEPT, given);
      watch();
    }),
  );
}

function lamp(kind, words) {
  at("lamp").className = `lamp ${kind}`;
  at("lamp").textContent = words;
}

function show(overview) {
  past.push(overview);
  if (past.length > PAST_MAX) past.shift();
  put(at("tiles"), views.tiles(overview, past));
  place("line", overview.open, () => views.line(overview));
  place("outbox", overview.outbox, () => views.outbox(overview));
  place("lines", overview.lines ?? [], () => wires.lines(overview.lines ?? [], openLine));
  place("inside", [overview.actors, views.age(overview.uptime_seconds)], () => views.inside(overview));
  place("recent", overview.recent, () => views.recent(overview.recent, open));
}

/** Draws `id` anew when what it shows has changed; whoever stood on something there by keyboard stays on it. */
function place(id, what, view) {
  const key = JSON.stringify(what);
  if (drawn.get(id) === key) return;
  drawn.set(id, key);
  const { payment, line } = (at(id).contains(document.activeElement) && document.activeElement.dataset) || {};
  put(at(id), view());
  const again = payment ? `[data-payment="${CSS.escape(payment)}"]` : line && `[data-line="${CSS.escape(line)}"]`;
  if (again) at(id).querySelector(again)?.focus();
}

async function open(payment) {
  const dialog = at("trace");
  put(dialog, head(payment), h("p", { class: "busy" }, "Fetching"));
  if (!dialog.open) dialog.showModal();
  try {
    const trace = await door.get(`/v1/payments/${payment.id}/trace`);
    put(dialog, head({ ...payment, status: trace.status ?? payment.status }, trace), journey(trace));
  } catch (problem) {
    if (!(problem instanceof Problem || problem instanceof NoAnswer)) throw problem;
    put(dialog, head(payment), notice("bad", problem.message));
  }
}

async function openLine(line) {
  const dialog = at("heard");
  const top = () => wires.lineHead(line, () => dialog.close());
  put(dialog, top(), h("p", { class: "busy" }, "Fetching"));
  if (!dialog.open) dialog.showModal();
  try {
    const { terminals } = await door.get(`/v1/terminals?line=${encodeURIComponent(line.name)}&limit=200`);
    put(dialog, top(), wires.terminals(terminals));
  } catch (problem) {
    if (!(problem instanceof Problem || problem instanceof NoAnswer)) throw problem;
    put(dialog, top(), notice("bad", problem.message));
  }
}

function head(payment, trace) {
  const last = trace?.steps.at(-1);
  const words = last && `${trace.steps.length} steps in ${ms(last.since_start_ms)}`;
  return h(
    "div",
    { class: "row apart" },
    h(
      "div",
      { class: "grow" },
      h("h2", { id: "trace-title" }, money(payment.amount, payment.currency), " ", tag(payment)),
      h("p", { class: "soft small" }, words),
      h("p", { class: "mono soft" }, payment.id),
    ),
    button("Close", "", () => at("trace").close()),
  );
}
