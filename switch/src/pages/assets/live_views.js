// The live page's views: figures with their recent past, the line of open payments, debts, and the latest payments.
//
// Each view is a function from the overview (docs/http-api.md, Admin) to an element. A figure that the switch did not
// send is a dash, never a zero. The order of things is in live.js.
import { field, form, h, notice, s } from "./dom.js";
import { ms } from "./journey.js";
import { grouped, money } from "./money.js";
import { clockTime, reason, tag } from "./words.js";

const OLD_S = 60;

/** Where a listener wants a token. */
export function tokenForm(wrong, enter) {
  const token = field({
    id: "token",
    label: "Token",
    type: "password",
    autocomplete: "off",
    required: true,
    hint: "The configuration of this switch asks for one. Kept in this tab only.",
  });
  return h(
    "section",
    { class: "card stack" },
    h("h2", null, "Who is asking?"),
    wrong && notice("bad", "This token does not open the door."),
    form(() => enter(token.input.value.trim()), token.field, h("button", { class: "main" }, "Look")),
  );
}

/** The five figures. `past` holds what was heard before, oldest first. */
export function tiles(overview, past) {
  const { rates, latency_ms: latency, open, outbox, journal } = overview;
  const inDoubt = open.in_doubt ?? 0;
  return [
    tile(
      "Payments a second",
      figure(rate(rates.started)),
      `${rate(rates.approved)} approved, ${rate(rates.declined)} declined`,
      spark(past.map((one) => one.rates.started)),
    ),
    tile(
      "Order to answer",
      figure(...split(latency?.p50)),
      `half within this, p99 ${latency ? ms(latency.p99) : "–"}`,
      spark(
        past.map((one) => one.latency_ms?.p50),
        past.map((one) => one.latency_ms?.p99),
      ),
    ),
    tile(
      "Open now",
      figure(grouped(String(sumOf(open)))),
      inDoubt > 0 ? `${inDoubt} in doubt` : "none in doubt",
      spark(past.map((one) => sumOf(one.open))),
    ),
    tile(
      "Owed",
      figure(grouped(String(outbox.owed))),
      outbox.owed > 0 ? `oldest ${age(outbox.oldest_seconds)}` : "nothing",
      null,
      outbox.oldest_seconds >= OLD_S,
    ),
    tile(
      "Journal",
      figure(grouped(String(journal.durable_seq))),
      "facts durable",
      spark(steps(past.map((one) => one.journal.durable_seq))),
    ),
  ];
}

const sumOf = (open) => Object.values(open).reduce((all, count) => all + count, 0);
const steps = (totals) => totals.slice(1).map((total, i) => Math.max(0, total - totals[i]));
const figure = (value, unit) => h("p", { class: "figure" }, value, unit && h("small", null, unit));

function split(value) {
  const [number, unit] = value === undefined ? ["–"] : ms(value).split(" ");
  return [number, unit];
}

function tile(name, value, under, line, warn) {
  return h(
    "section",
    { class: warn ? "tile warn" : "tile" },
    h("h3", null, name),
    value,
    h("p", { class: "under" }, under),
    line,
  );
}

const rate = (value) => (typeof value === "number" ? (value >= 100 ? Math.round(value) : Number(value.toFixed(1))) : "–");

/** A line of what was heard, and a second one above it, scaled together. */
function spark(first, second = []) {
  const known = [...first, ...second].filter((value) => typeof value === "number");
  const top = Math.max(...known, 0) || 1;
  const path = (values) => {
    const points = values.map((value, i) => [
      (100 * i) / Math.max(1, values.length - 1),
      typeof value === "number" ? 30 - (28 * value) / top : null,
    ]);
    return points
      .filter(([, y]) => y !== null)
      .map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`)
      .join("");
  };
  const line = path(first);
  const area = line && `${line}V31H${/^M([\d.]+)/.exec(line)[1]}Z`;
  return s(
    "svg",
    { class: "spark", viewBox: "0 0 100 31", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("path", { class: "area", d: area }),
    s("path", { d: line }),
    second.length > 0 && s("path", { class: "second", d: path(second) }),
  );
}

const LINE = [
  ["awaiting_merchant", "Merchant"],
  ["awaiting_phone", "Phone"],
  ["awaiting_confirmation", "Payer's yes"],
  ["awaiting_permit", "Permit"],
  ["awaiting_payment", "Payment"],
  ["awaiting_outcome", "Outcome"],
];
const BRANCH = [
  ["in_doubt", "In doubt"],
  ["reversing", "Taking back"],
];

/** Where the open payments stand. */
export function line({ open }) {
  const station =
    (kind) =>
    ([status, name], index) => {
      const count = open[status] ?? 0;
      const classes = [kind, kind && index === 0 && "first", count > 0 && "some"].filter(Boolean).join(" ");
      return h("li", { class: classes }, h("b", null, grouped(String(count))), h("span", null, name));
    };
  return h(
    "section",
    { class: "card" },
    h("h3", null, "Open payments, by what they wait for"),
    h("ol", { class: "stations" }, LINE.map(station("")), BRANCH.map(station("branch"))),
  );
}

/** What the switch owes to platforms. */
export function outbox({ outbox: { owed, items } }) {
  const entry = (item) =>
    h(
      "li",
      { class: "entry" },
      h(
        "span",
        { class: "grow" },
        h("strong", null, KINDS[item.kind] ?? item.kind),
        h("span", { class: "cut soft small" }, `${item.platform} · ${item.failures} tries in vain`),
      ),
      h(
        "span",
        { class: "ends" },
        h("span", { class: "sumlet" }, money(item.amount, item.currency)),
        h("br"),
        h("span", { class: item.age_seconds >= OLD_S ? "age old small" : "age soft small" }, age(item.age_seconds)),
      ),
    );
  const more = owed - items.length;
  const list =
    items.length === 0
      ? h("p", { class: "soft small" }, "Nothing is owed to anyone.")
      : h("ul", { class: "list" }, items.map(entry));
  return h(
    "section",
    { class: "card flat" },
    h("h3", null, "Owed to platforms"),
    list,
    more > 0 && h("p", { class: "soft small" }, `and ${more} more`),
  );
}

const KINDS = { reversal: "Reversal", giving_back: "Giving back", refund: "Refund", by_hand: "Settle by hand" };

/** Actors alive and the journal. */
export function inside({ actors, uptime_seconds: uptime, version }) {
  const rows = [
    ["Terminal sessions", actors.terminal_sessions],
    ["Payers", actors.payers],
    ["Merchants", actors.merchants],
  ].map(([name, count]) => [name, grouped(String(count))]);
  rows.push(["Up", age(uptime)]);
  if (version) rows.push(["Version", version]);
  return h(
    "section",
    { class: "card flat stack" },
    h("h3", null, "Inside"),
    h(
      "dl",
      { class: "pairs" },
      rows.map(([name, value]) => [h("dt", null, name), h("dd", null, value)]),
    ),
  );
}

/** The latest payments; a click opens the journey. */
export function recent(payments, open) {
  const entry = (payment) =>
    h(
      "li",
      null,
      h(
        "button",
        { type: "button", class: "entry", "data-payment": payment.id, onclick: () => open(payment) },
        h(
          "span",
          { class: "grow" },
          h("strong", null, payment.merchant_name ?? payment.merchant),
          h(
            "span",
            { class: "cut soft small" },
            [
              clockTime(payment.started_at),
              payment.terminal,
              reason(payment) ?? (payment.took_ms !== undefined && ms(payment.took_ms)),
            ]
              .filter(Boolean)
              .join(" · "),
          ),
        ),
        h(
          "span",
          { class: "ends" },
          h("span", { class: "sumlet" }, money(payment.amount, payment.currency)),
          h("br"),
          tag(payment),
        ),
      ),
    );
  const list =
    payments.length === 0
      ? h("p", { class: "soft small" }, "No payment yet.")
      : h("ul", { class: "list" }, payments.map(entry));
  return h("section", { class: "card" }, h("h3", null, "Latest payments"), list);
}

/** `12 s`, `3 min`, `5 h`, `2 d`. */
export function age(seconds) {
  if (!(seconds >= 0)) return "–";
  const [size, unit] = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ].find(([size]) => seconds >= size) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit}`;
}
