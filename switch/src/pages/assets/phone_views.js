// The phone page's views: from what the desk knows to what the payer sees.
//
// Each view is a function from data and actions to an element. No view keeps anything; a password is read from its
// field when the payer sends it and the field is emptied at once. The order of things is in phone.js.
import { button, field, form, h, notice } from "./dom.js";
import { money } from "./money.js";
import { countdown } from "./ticking.js";
import { clockTime, decided, reason, route, signal, statusOf, sum, tag, toldOf, wasRefused } from "./words.js";

const STATIONS = ["Amount", "Terminal", "Your yes", "Payment", "Done"];

/** Where the browser cannot keep a key. */
export function insecure() {
  return h(
    "section",
    { class: "card stack" },
    h("h2", null, "This page needs a secure connection"),
    h(
      "p",
      null,
      "Your browser only makes keys and seals passwords on pages that came over https, or from this very device (localhost). This one came over plain http, so you cannot pay here.",
    ),
    h("p", { class: "soft" }, "Open the same address with https, or ask at the till for the right one."),
  );
}

/** Log-in, first half: who. */
export function subscriberForm({ subscriber, terminal, ask }) {
  const number = field({
    id: "subscriber",
    label: "Your mobile number",
    type: "tel",
    inputmode: "tel",
    autocomplete: "tel",
    required: true,
    value: subscriber ?? "",
    hint: "You get a code that is good for one log-in.",
  });
  const where = terminal && h("p", { class: "soft" }, "You will pay at terminal ", h("code", null, terminal), ".");
  return h(
    "section",
    { class: "card stack" },
    h("h2", null, "Log in"),
    where,
    form(() => ask(number.input.value.trim()), number.field, h("button", { class: "main big wide" }, "Send me a code")),
  );
}

/** Log-in, second half: the code. */
export function codeForm({ subscriber, shownCode, enter, back }) {
  const code = field({
    id: "code",
    label: `Code sent to ${subscriber}`,
    class: "code",
    inputmode: "numeric",
    autocomplete: "one-time-code",
    required: true,
    maxlength: 12,
    value: shownCode ?? "",
  });
  const shown =
    shownCode &&
    notice(
      "good",
      "Demo: no message is sent. Your code is ",
      h("strong", { class: "mono" }, shownCode),
      ", already filled in.",
    );
  return h(
    "section",
    { class: "card stack" },
    h("h2", null, "Enter the code"),
    shown,
    form(
      () => enter(code.input.value.trim()),
      code.field,
      h("button", { class: "main big wide" }, "Log in"),
      button("Another number", "plain wide", back),
    ),
  );
}

/** Not standing anywhere: which terminal? */
export function terminalForm({ terminal, again, stand }) {
  const id = field({
    id: "terminal",
    label: "Terminal",
    class: "terminal",
    autocapitalize: "characters",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
    maxlength: 31,
    value: terminal ?? "",
    hint: "It is printed on the terminal, or scan its code with the camera.",
  });
  const title = again ? "Pay again?" : "Where do you pay?";
  return h(
    "section",
    { class: "card stack" },
    h("h2", null, title),
    form(() => stand(id.input.value.trim()), id.field, h("button", { class: "main big wide" }, "I stand here")),
  );
}

/** Standing somewhere. */
export function standing({ binding, idle, leave }) {
  const head = h(
    "div",
    { class: "row apart" },
    h(
      "div",
      { class: "grow" },
      h("p", null, h("strong", null, binding.merchant_name)),
      h(
        "p",
        { class: "soft small" },
        "Terminal ",
        h("code", null, binding.terminal),
        countdown(binding.until, " · yours for "),
      ),
    ),
    button("Leave", "plain", leave),
  );
  const waiting = idle && h("p", { class: "busy" }, "Waiting for the shop to ask for the amount");
  return h("section", { class: idle ? "card stack" : "card flat" }, head, waiting);
}

/** The payment in hand. `actions`: confirm, decline, pay, done. */
export function deal(payment, actions) {
  const [verdict, body] = parts(payment, actions);
  return h(
    "section",
    {
      class: "card deal stack",
      "aria-label": `Payment of ${payment.amount} ${payment.currency} to ${payment.merchant_name}`,
    },
    verdict ??
      h(
        "div",
        null,
        h("p", { class: "asks" }, payment.status === "awaiting_confirmation" ? "You are asked to pay" : "You pay"),
        h("p", { class: "who" }, payment.merchant_name),
      ),
    verdict && h("p", { class: "who" }, payment.merchant_name),
    sum(payment.amount, payment.currency),
    details(payment),
    route(payment, STATIONS),
    h("div", { class: "stack" }, body),
  );
}

function details({ terminal, reference }) {
  const words = [terminal && `Terminal ${terminal}`, reference && `Reference ${reference}`].filter(Boolean).join(" · ");
  return words && h("p", { class: "soft small" }, words);
}

function parts(payment, actions) {
  switch (payment.status) {
    case "awaiting_confirmation":
      return [null, confirmation(payment, actions)];
    case "awaiting_payment":
      return [null, payment.interface ? credential(payment, actions) : busy("Fetching the platform's interface")];
    case "in_doubt":
      return [signal("wait", "Not known yet"), doubt()];
    default:
      return decided(payment) ? result(payment, actions) : [null, busy(WAITS[payment.status] ?? statusOf(payment).name)];
  }
}

const WAITS = {
  awaiting_permit: "You said yes. Asking the payment platform for its permit",
  awaiting_outcome: "The payment platform is working on it",
};

const busy = (words) => h("p", { class: "busy" }, words);

function confirmation(payment, { confirm, decline }) {
  return [
    h(
      "p",
      { class: "soft small" },
      countdown(payment.confirm_by, "Answer within ", ". ") ?? "",
      "Nothing is paid before you enter your password.",
    ),
    button("Confirm", "main big wide", () => confirm(payment)),
    button("Decline", "stop wide", () => decline(payment)),
  ];
}

function credential(payment, { pay, decline, known }) {
  const account = field({
    id: "account",
    label: "Account",
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
    required: true,
    maxlength: 128,
    value: known ?? "",
  });
  const password = field({
    id: "password",
    label: "Password",
    type: "password",
    autocomplete: "off",
    required: true,
    maxlength: 128,
    hint: "Sealed on this device for the payment platform. The switch and the shop cannot read it, and it is kept nowhere.",
  });
  const send = () => {
    const given = { account: account.input.value.trim(), password: password.input.value };
    password.input.value = "";
    return pay(payment, given);
  };
  const { attempt = payment.interface.attempt, attempts_max: most, last_failure: failure } = payment;
  return [
    failure && notice("bad", h("strong", null, failure.message), " Nothing was paid; you can try again."),
    h(
      "p",
      { class: "soft small outcome" },
      `Attempt ${attempt} of ${most}`,
      attempt === most && attempt > 1 && ", the last one",
      countdown(payment.interface.expires_at, " · good for "),
    ),
    form(
      send,
      account.field,
      password.field,
      h("button", { class: "main big wide" }, "Pay ", money(payment.amount, payment.currency)),
      button("Give up this payment", "plain wide", () => decline(payment)),
    ),
  ];
}

function doubt() {
  return [
    notice(
      "warn",
      h("p", null, h("strong", null, "We do not know yet whether the platform took the money.")),
      h(
        "p",
        null,
        "The switch keeps asking. If it cannot find out, it takes the payment back. Either way you pay at most once. Please do not pay again until this page tells you how it ended.",
      ),
    ),
    busy("Asking the payment platform"),
  ];
}

function result(payment, { done }) {
  const [lamp, verdict, words] = RESULTS[payment.status](payment);
  const refunds = (payment.refunds ?? []).map((refund) =>
    h(
      "p",
      { class: "soft small outcome" },
      `Refund of ${money(refund.amount, refund.currency)}: ${REFUNDS[refund.state] ?? refund.state}`,
    ),
  );
  return [
    signal(lamp, verdict),
    [h("p", { class: "outcome" }, words), refunds, button("Done", "main big wide", () => done(payment))],
  ];
}

const REFUNDS = { owed: "on its way", done: "back on your account", refused: "refused by the platform" };

const RESULTS = {
  approved: () => ["go", "Paid", "The shop has been told."],
  declined: (payment) => ["stop", "Not paid", `${whyNot(payment) ?? "The payment was declined."} No money moved.`],
  reversing: (payment) => [
    "stop",
    wasRefused(payment) ? "Not paid" : "Being taken back",
    `${whyNot(payment) ?? "The payment is being taken back."} Should money have moved, it is on its way back; the switch sees to that.`,
  ],
  reversed: (payment) => [
    "stop",
    wasRefused(payment) ? "Not paid" : "Taken back",
    `${whyNot(payment) ?? "The payment was taken back."} Nothing is left of it on your account.`,
  ],
};

/** The refusal as its payer is told it: the switch's sentences speak of the payer to everyone else. */
function whyNot(payment) {
  return TO_THE_PAYER[payment.refusal?.code] ?? reason(payment);
}

const TO_THE_PAYER = {
  declined_by_payer: "You declined.",
  not_confirmed: "You did not answer in time.",
  not_paid_in_time: "You did not pay in time.",
  reversed_by_terminal: "The shop took the payment back.",
};

/** Other payments that wait for this payer. */
export function others(payments, choose) {
  if (payments.length === 0) return null;
  const entry = (payment) =>
    h("li", null, h("button", { type: "button", class: "entry", onclick: () => choose(payment) }, lines(payment)));
  return h("section", { class: "card flat" }, h("h3", null, "Also yours"), h("ul", { class: "list" }, payments.map(entry)));
}

/** What was paid before; `payments` is null while it is being fetched. */
export function history(payments) {
  const entry = (payment) => h("li", { class: "entry" }, lines(payment));
  const list =
    payments === null
      ? busy("Fetching")
      : payments.length === 0
        ? h("p", { class: "soft" }, "Nothing yet.")
        : h("ul", { class: "list" }, payments.map(entry));
  return h("section", { class: "card stack" }, h("h2", null, "Your payments"), list);
}

function lines(payment) {
  const time = clockTime(payment.started_at);
  return [
    h(
      "span",
      { class: "grow" },
      h("strong", null, payment.merchant_name),
      h(
        "span",
        { class: "cut soft small" },
        [time, reason(payment)].filter(Boolean).join(" · ") || payment.reference || payment.id,
      ),
    ),
    h(
      "span",
      { class: "ends" },
      h("span", { class: "sumlet" }, money(payment.amount, payment.currency)),
      h("br"),
      tag(payment, toldOf(payment)),
    ),
  ];
}
