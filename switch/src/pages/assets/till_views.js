// The till's views: from what the desk knows to what the cashier and the customer see.
//
// Each view is a function from data and actions to an element; none keeps anything. The keypad counts the smallest
// unit, as tills do: 1, 2, 5, 0 is 12.50. The order of things is in till.js.
import { button, field, form, h, notice, s } from "./dom.js";
import { decimalOf, decimalsOf, grouped, minorOf, money } from "./money.js";
import { QR_BYTES_MAX, qr, qrPath } from "./qr.js";
import { countdown } from "./ticking.js";
import { clockTime, decided, reason, route, signal, sum, tag, toldOf, wasRefused } from "./words.js";

const STATIONS = ["Asked", "Phone", "Payer's yes", "Payment", "Done"];
const CURRENCIES = ["EUR", "USD", "GBP", "CHF", "CNY", "JPY", "KES", "KWD"];

/** Terminal and key. */
export function signInForm({ terminal, enter }) {
  const id = field({
    id: "terminal",
    label: "Terminal",
    class: "terminal",
    autocomplete: "off",
    autocapitalize: "characters",
    spellcheck: "false",
    required: true,
    maxlength: 31,
    value: terminal ?? "",
  });
  const key = field({
    id: "key",
    label: "Its key",
    type: "password",
    autocomplete: "off",
    required: true,
    maxlength: 256,
    hint: "Kept in this tab only, until it is closed.",
  });
  return h(
    "section",
    { class: "card stack" },
    h("h2", null, "Which till is this?"),
    form(
      () => enter(id.input.value.trim(), key.input.value),
      id.field,
      key.field,
      h("button", { class: "main big wide" }, "Open the till"),
    ),
  );
}

/** The amount and the keys. */
export function keypad({ digits, currency, fixed, press, charge, choose }) {
  const amount = decimalOf(digits || "0", currency);
  const nothing = /^0*$/.test(digits);
  const key = (label, name, kind = "") => {
    const element = h("button", { type: "button", class: kind, "aria-label": name, "data-key": label }, label);
    element.addEventListener("click", () => press(label));
    return element;
  };
  const select = h(
    "select",
    { "aria-label": "Currency" },
    CURRENCIES.map((code) => h("option", { value: code, selected: code === currency }, code)),
  );
  select.addEventListener("change", () => choose(select.value));
  const shown = h(
    "p",
    { class: `${amount.length > 9 ? "sum long" : "sum"}${nothing ? " nothing" : ""}`, "aria-live": "polite" },
    grouped(amount),
    fixed && h("small", null, currency),
  );
  const pay = button(nothing ? "Charge" : ["Charge ", money(amount, currency)], "main big wide", () => charge(amount));
  pay.disabled = nothing;
  return h(
    "section",
    { class: "card stack", "aria-label": "New sale" },
    h("div", { class: "till-sum" }, shown, !fixed && select),
    h(
      "div",
      { class: "keys" },
      ["1", "2", "3", "4", "5", "6", "7", "8", "9"].map((digit) => key(digit)),
      decimalsOf(currency) === 2 ? key("00", "Double zero", "quiet") : key("C", "Clear", "quiet"),
      key("0"),
      key("⌫", "Delete the last digit", "quiet"),
    ),
    pay,
  );
}

/** Who stands at the terminal, and the code that brings a phone here. */
export function stand({ terminal, name, address, clear, move }) {
  const bound = terminal?.binding.bound;
  const lamp = bound ? h("p", { class: "lamp go" }, "A phone stands here") : h("p", { class: "lamp" }, "No phone here yet");
  const words = bound
    ? h("p", { class: "small soft" }, countdown(terminal.binding.until, "Its place is kept for ") ?? "Its place is kept.")
    : h(
        "p",
        { class: "small soft" },
        "The customer scans this code, or types ",
        h("code", null, name),
        " on the phone page. The amount may come first.",
      );
  return h(
    "section",
    { class: "card flat stack", "aria-label": "This terminal" },
    h(
      "div",
      { class: "stand" },
      code(address, name),
      h("div", null, lamp, words, bound && button("Send it away", "plain", clear)),
    ),
    setting(address, move),
  );
}

function setting(address, move) {
  const page = field({
    id: "phone-page",
    label: "Address of the phone page",
    type: "url",
    value: address,
    spellcheck: "false",
  });
  return h(
    "details",
    null,
    h("summary", null, "Where the code leads"),
    form(() => move(page.input.value.trim()), page.field, h("button", null, "Use this address")),
  );
}

/** The address with the terminal behind it, as a code to scan. */
export function code(address, name) {
  const url = `${address.replace(/#.*$/, "")}#terminal=${encodeURIComponent(name)}`;
  if (new TextEncoder().encode(url).length > QR_BYTES_MAX) return h("p", { class: "mono small" }, url);
  const matrix = qr(url);
  const size = matrix.length + 8;
  const drawing = s(
    "svg",
    {
      class: "qr",
      viewBox: `-4 -4 ${size} ${size}`,
      role: "img",
      "aria-label": `Code to scan: ${url}`,
      "shape-rendering": "crispEdges",
    },
    s("path", { d: qrPath(matrix) }),
  );
  return h("a", { href: url, target: "_blank", rel: "noopener", title: url }, drawing);
}

/** A sale under way or at its end. `actions`: takeBack, refund, next. */
export function sale(one, context) {
  const { payment, task } = one;
  if (!payment?.status || (task === "reverse" && !decided(payment))) return working(one, context);
  return decided(payment) ? result(one, context) : working(one, context);
}

function working(one, { reached, address, name, actions }) {
  const { payment, task, body } = one;
  const back = task === "reverse";
  const wantsPhone = payment?.status === "awaiting_phone" && !back;
  return h(
    "section",
    { class: "card deal stack" },
    sum(body.amount, body.currency),
    route(payment ?? { status: "awaiting_merchant" }, STATIONS),
    h("p", { class: "busy" }, back ? "Taking it back" : (WAITS[payment?.status] ?? "Asking the switch")),
    !reached &&
      notice(
        "warn",
        back
          ? "No network. The sale is taken back as soon as the switch can be reached; until then it stays on this till."
          : "No network. The same request is repeated under the same key, so nobody pays twice.",
      ),
    wantsPhone &&
      h(
        "div",
        { class: "centred" },
        code(address, name),
        h("p", { class: "soft small" }, "Scan with the phone, or type terminal ", h("code", null, name), "."),
      ),
    h("p", { class: "soft small" }, countdown(payment?.answer_by, "An answer comes within ", ".")),
    !back && button("Cancel the sale", "stop wide", actions.takeBack),
  );
}

const WAITS = {
  awaiting_merchant: "Asking the merchant's rules",
  awaiting_phone: "Waiting for the customer's phone",
  awaiting_confirmation: "The customer sees the amount",
  awaiting_permit: "The customer said yes; asking the platform",
  awaiting_payment: "The customer is paying",
  awaiting_outcome: "The platform is working on it",
  in_doubt: "Not known yet whether money moved; the switch is asking",
};

function result(one, { reached, actions }) {
  const { payment, task } = one;
  const [lamp, verdict] = VERDICTS[wasRefused(payment) ? "declined" : payment.status];
  const why = payment.status !== "approved" && h("p", null, reason(payment) ?? "");
  const resting = !task;
  const left = payment.status === "approved" ? leftOf(payment) : 0n;
  return h(
    "section",
    { class: "card deal stack" },
    signal(lamp, verdict, why),
    sum(payment.amount, payment.currency),
    WORKING[task] && h("p", { class: "busy" }, WORKING[task]),
    !reached && !resting && notice("warn", "No network. It goes on as soon as the switch can be reached."),
    facts(payment),
    resting && button("New sale", "main big wide", actions.next),
    resting &&
      left > 0n &&
      h(
        "div",
        { class: "pair" },
        button("Refund…", "", actions.askRefund),
        button("Take it back", "stop", actions.takeBack),
      ),
  );
}

const VERDICTS = {
  approved: ["go", "Approved"],
  declined: ["stop", "Declined"],
  reversing: ["stop", "Being taken back"],
  reversed: ["stop", "Taken back"],
};
const WORKING = {
  reverse: "Taking it back",
  undo: "The platform is giving it back",
  refund: "Asking for the refund",
  refunding: "The platform is paying it out",
};

/** What can still be refunded, in the smallest unit. */
export function leftOf(payment) {
  const back = (payment.refunds ?? []).filter(({ state }) => state !== "refused");
  return back.reduce(
    (left, { amount, currency }) => left - (minorOf(amount, currency) ?? 0n),
    minorOf(payment.amount, payment.currency) ?? 0n,
  );
}

function facts(payment) {
  const refunds = (payment.refunds ?? []).map(({ amount, currency, state }) => [
    "Refund",
    `${money(amount, currency)}, ${REFUNDS[state] ?? state}`,
  ]);
  const rows = [
    ["Response", payment.response_code],
    ["Platform", payment.platform_reference],
    ["Payment", payment.id],
    ...refunds,
  ].filter(([, value]) => value);
  return h(
    "dl",
    { class: "facts" },
    rows.map(([name, value]) => [h("dt", null, name), h("dd", { class: name === "Refund" ? "" : "mono" }, value)]),
  );
}

const REFUNDS = { owed: "on its way", done: "paid out", refused: "refused by the platform" };

/** How much to give back. */
export function refundForm({ payment, refund, back }) {
  const left = leftOf(payment);
  const most = decimalOf(left, payment.currency);
  const amount = field({
    id: "refund",
    label: `Amount in ${payment.currency}`,
    inputmode: "decimal",
    autocomplete: "off",
    required: true,
    value: most,
    hint: `At most ${money(most, payment.currency)}. It goes back to the account that paid.`,
  });
  const send = () => {
    const minor = minorOf(amount.input.value, payment.currency);
    const fits = minor !== null && minor > 0n && minor <= left;
    amount.input.setAttribute("aria-invalid", String(!fits));
    return fits ? refund(decimalOf(minor, payment.currency)) : amount.input.focus();
  };
  return h(
    "section",
    { class: "card stack" },
    h("h2", null, "Refund"),
    form(send, amount.field, h("button", { class: "main big wide" }, "Refund"), button("Back", "plain wide", back)),
  );
}

/** The sales of this session. */
export function sales(all, { hand, choose }) {
  const entry = (one) => {
    const { payment, body } = one;
    const title = payment ? toldOf(payment).name : "Not answered yet";
    return h(
      "li",
      null,
      h(
        "button",
        {
          type: "button",
          class: "entry",
          "aria-current": one.key === hand ? "true" : undefined,
          onclick: () => choose(one.key),
        },
        h(
          "span",
          { class: "grow" },
          h("strong", null, money(body.amount, body.currency)),
          h(
            "span",
            { class: "cut soft small" },
            [clockTime(one.since), payment && reason(payment)].filter(Boolean).join(" · "),
          ),
        ),
        payment ? tag(payment, toldOf(payment)) : h("span", { class: "tag wait" }, title),
      ),
    );
  };
  const list =
    all.length === 0
      ? h("p", { class: "soft small" }, "No sales yet.")
      : h("ul", { class: "list" }, all.slice(0, 12).map(entry));
  return h("section", { class: "card flat" }, h("h3", null, "Sales of this session"), list);
}
