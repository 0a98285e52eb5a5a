// A payment's trace as a journey: four tracks (terminal, switch, phone, platform), a stop for each step.
//
// Where the next step is on another track, the way crosses over as at a turnout; a gap of a second and more is drawn as
// waiting. The text beside it is a plain list and decides how high each step is: the drawing is made anew whenever that
// changes. It fetches nothing.
import { h, put, s } from "./dom.js";

const LANES = ["terminal", "switch", "phone", "platform"];
const SLOW_MS = 1000;
const STOP_TOP = 15;

/** The journey of `trace`: `{id, steps: [{at, since_start_ms, gap_ms, lane, step, detail}]}`. */
export function journey({ steps }) {
  const lanes = h(
    "div",
    { class: "lanes", "aria-hidden": "true" },
    LANES.map((lane) => h("span", null, lane)),
  );
  const list = h("ol", null, steps.map(row));
  const canvas = s("svg", { "aria-hidden": "true" });
  new ResizeObserver(() => draw(canvas, lanes, list, steps)).observe(list);
  return [lanes, h("div", { class: "journey" }, canvas, list)];
}

function row({ gap_ms: gap, lane, step, detail, since_start_ms: since }) {
  return h(
    "li",
    null,
    h("span", { class: gap >= SLOW_MS ? "gap slow" : "gap", title: `${ms(since)} since the start` }, `+${ms(gap)}`),
    h(
      "div",
      null,
      h("strong", null, step),
      h("span", { class: "unseen" }, ` (${lane})`),
      detail && h("div", { class: "detail" }, detail),
    ),
  );
}

function draw(canvas, lanes, list, steps) {
  const xs = [...lanes.children].map((name) => name.offsetLeft + name.offsetWidth / 2 - lanes.offsetLeft);
  const height = list.offsetHeight;
  const stops = steps.map(({ lane }, i) => [
    xs[Math.max(0, LANES.indexOf(lane))],
    list.children[i].offsetTop - list.offsetTop + STOP_TOP,
  ]);
  const tracks = xs.map((x) => s("path", { class: "track", d: `M${x} 0V${height}` }));
  const ways = stops.slice(1).map((stop, i) => way(stops[i], stop, steps[i + 1].gap_ms >= SLOW_MS));
  canvas.setAttribute("width", lanes.offsetWidth);
  canvas.setAttribute("height", height);
  put(
    canvas,
    tracks,
    ways,
    stops.map(([cx, cy]) => s("circle", { class: "stop", cx, cy, r: 7 })),
  );
}

function way([fromX, fromY], [toX, toY], slow) {
  const middle = (fromY + toY) / 2;
  const d =
    fromX === toX ? `M${fromX} ${fromY}V${toY}` : `M${fromX} ${fromY}C${fromX} ${middle} ${toX} ${middle} ${toX} ${toY}`;
  return s("path", { class: slow ? "way slow" : "way", d });
}

/** `0.4 ms`, `35 ms`, `2.41 s`: three figures are enough for people. */
export function ms(value) {
  if (!(value >= 0)) return "–";
  if (value >= 60_000) return `${Math.floor(value / 60_000)} min ${Math.round((value % 60_000) / 1000)} s`;
  if (value >= 1000) return `${(value / 1000).toFixed(value >= 10_000 ? 1 : 2)} s`;
  return value >= 10 ? `${Math.round(value)} ms` : `${Number(value.toFixed(1))} ms`;
}
