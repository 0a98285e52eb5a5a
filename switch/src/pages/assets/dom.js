// Building pages out of elements, so that no text from anywhere is ever read as markup.
//
// `h` makes an element, `s` an SVG one; a property named `on…` is a listener, `class` and the rest are attributes.
// `put` fills a place; `say` tells screen readers. It knows no payment and keeps no state.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. */
export function h(tag, props, ...children) {
  return furnished(document.createElement(tag), props, children);
}

/** An SVG element. */
export function s(tag, props, ...children) {
  return furnished(document.createElementNS(SVG, tag), props, children);
}

function furnished(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...present(children));
  return element;
}

const present = (children) =>
  children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

/** Replaces what stands in `place`. */
export function put(place, ...children) {
  place.replaceChildren(...present(children));
}

/** The element of that id. */
export const at = (id) => document.getElementById(id);

/** Says `text` to a screen reader by way of the page's live region, once. */
export function say(text) {
  const region = at("said");
  if (region && region.textContent !== text) region.textContent = text;
}

/** A labelled input: `{label, hint?, …attributes}`; returns `{field, input}`. */
export function field({ label, hint, id, ...attributes }) {
  const describedby = hint ? `${id}-hint` : undefined;
  const input = h("input", { id, name: id, "aria-describedby": describedby, ...attributes });
  const parts = [h("label", { for: id }, label), input];
  if (hint) parts.push(h("p", { id: describedby, class: "hint" }, hint));
  return { field: h("div", { class: "field" }, parts), input };
}

/** A form whose submission is `submit`; its buttons rest while that runs, so that a double tap is one tap. */
export function form(submit, ...children) {
  const element = h("form", { novalidate: true, class: "stack" }, ...children);
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (element.dataset.busy) return;
    await resting(element, () => submit(element));
  });
  return element;
}

/** Runs `work` while the buttons in `element` rest. */
export async function resting(element, work) {
  const buttons = [...element.querySelectorAll("button")].filter((button) => !button.disabled);
  element.dataset.busy = "yes";
  buttons.forEach((button) => (button.disabled = true));
  try {
    return await work();
  } finally {
    delete element.dataset.busy;
    buttons.forEach((button) => (button.disabled = false));
  }
}

/** A button; while its work runs, it and its neighbours rest. */
export function button(label, kind, work) {
  const element = h("button", { type: "button", class: kind }, label);
  element.addEventListener("click", () => {
    const room = element.closest("form") ?? element.parentElement;
    return room.dataset.busy ? undefined : resting(room, work);
  });
  return element;
}

/** A notice: `kind` is `info`, `warn` or `bad`. */
export function notice(kind, ...children) {
  return h("div", { class: `notice ${kind}`, role: kind === "bad" ? "alert" : "status" }, children);
}
