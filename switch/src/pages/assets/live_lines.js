// The live page's view of the lines: what is connected where, and which terminals were heard, when last.
//
// Functions from what the switch sent (docs/http-api.md, Admin) to elements; when they are drawn is live.js' matter.
import { button, h } from "./dom.js";
import { grouped } from "./money.js";
import { clockTime } from "./words.js";

/** The lines; a click opens the terminals of one. Nothing, where none is configured. */
export function lines(all, open) {
  if (all.length === 0) return null;
  const entry = (line) =>
    h(
      "li",
      null,
      h(
        "button",
        { type: "button", class: "entry", "data-line": line.name, onclick: () => open(line) },
        h(
          "span",
          { class: "grow" },
          h("strong", null, line.name),
          h("span", { class: "cut soft small" }, `${line.framing} · ${line.dialect}`),
        ),
        h(
          "span",
          { class: "ends" },
          h("span", { class: "sumlet" }, `${count(line.terminals, "terminal")}`),
          h("br"),
          h(
            "span",
            { class: line.connections >= line.connections_max ? "age old small" : "soft small" },
            [
              count(line.connections, "connection"),
              `${grouped(String(line.in_flight))} under way`,
              line.last_message_at && clockTime(line.last_message_at),
            ]
              .filter(Boolean)
              .join(" · "),
          ),
        ),
      ),
    );
  return h("section", { class: "card flat" }, h("h3", null, "Lines"), h("ul", { class: "list" }, all.map(entry)));
}

/** The head of a line's dialog. */
export function lineHead(line, close) {
  return h(
    "div",
    { class: "row apart" },
    h(
      "div",
      { class: "grow" },
      h("h2", { id: "heard-title" }, line.name),
      h("p", { class: "soft small" }, `${line.framing} · ${line.dialect} · ${count(line.messages, "message")} so far`),
    ),
    button("Close", "", close),
  );
}

/** Who was heard on a line, the latest first. */
export function terminals(seen) {
  if (seen.length === 0) return h("p", { class: "soft small" }, "No terminal was heard on this line yet.");
  const entry = (one) =>
    h(
      "li",
      { class: "entry" },
      h(
        "span",
        { class: "grow" },
        h("strong", null, one.terminal),
        h(
          "span",
          { class: "cut soft small" },
          one.online ? `since ${clockTime(one.online_since)} · ${count(one.connections, "connection")}` : "not connected",
        ),
      ),
      h(
        "span",
        { class: "ends" },
        h("span", { class: `tag ${one.online ? "go" : "stop"}` }, one.online ? "Online" : "Offline"),
        h("br"),
        h("span", { class: "soft small" }, `last seen ${clockTime(one.last_seen)}`),
      ),
    );
  return h("ul", { class: "list" }, seen.map(entry));
}

const count = (number, noun) => `${grouped(String(number))} ${noun}${number === 1 ? "" : "s"}`;
