// A payment's trace as a journey: four tracks (terminal, switch, phone, platform), a stop for each step.
//
// Where the next step is on another track, the way crosses over as at a turnout. Gaps of a second and more are
// drawn as waiting. Text stands beside the drawing, so that a screen reader has a plain list. It fetches nothing.
import { h, s } from "./dom.js";

const LANES = ["terminal", "switch", "phone", "platform"];
const SLOW_MS = 1000;
const ROW = 56;

/** The journey of `trace` (`{id, steps: [{at, since_start_ms, gap_ms, lane, step, detail}]}`); `wide` sets the tracks apart. */
export function journey(trace, wide) {
  const width = wide ? 67.2 : 32;
  const lanes = h("div", { class: "lanes", "aria-hidden": "true" }, LANES.map((lane) => h("span", null, lane)));
  return [lanes, h("div", { class: "journey" }, drawing(trace.steps, width), h("ol", null, trace.steps.map(row)))];
}

function row({ gap_ms: gap, lane, step, detail, since_start_ms: since }) {
  return h(
    "li",
    null,
    h("span", { class: gap >= SLOW_MS ? "gap slow" : "gap", title: `${ms(since)} since the start` }, `+${ms(gap)}`),
    h("strong", null, step),
    h("span", { class: "unseen" }, ` (${lane})`),
    detail && h("div", { class: "detail" }, detail),
  );
}

function drawing(steps, width) {
  const x = (lane) => (Math.max(0, LANES.indexOf(lane)) + 0.5) * width;
  const y = (index) => index * ROW + 16;
  const height = Math.max(1, steps.length) * ROW;
  const ways = steps.slice(1).map((step, i) => way([x(steps[i].lane), y(i)], [x(step.lane), y(i + 1)], step.gap_ms >= SLOW_MS));
  return s(
    "svg",
    { width: width * LANES.length, height, "aria-hidden": "true" },
    LANES.map((lane) => s("path", { class: "track", d: `M${x(lane)} 0V${height - 24}` })),
    ways,
    steps.map((step, i) => s("circle", { class: "stop", cx: x(step.lane), cy: y(i), r: 7 })),
  );
}

function way([fromX, fromY], [toX, toY], slow) {
  const middle = (fromY + toY) / 2;
  const d = fromX === toX ? `M${fromX} ${fromY}V${toY}` : `M${fromX} ${fromY}C${fromX} ${middle} ${toX} ${middle} ${toX} ${toY}`;
  return s("path", { class: slow ? "way slow" : "way", d });
}

/** `0.4 ms`, `35 ms`, `2.41 s`: three figures are enough for people. */
export function ms(value) {
  if (!(value >= 0)) return "–";
  if (value >= 60_000) return `${Math.floor(value / 60_000)} min ${Math.round((value % 60_000) / 1000)} s`;
  if (value >= 1000) return `${(value / 1000).toFixed(value >= 10_000 ? 1 : 2)} s`;
  return value >= 10 ? `${Math.round(value)} ms` : `${Number(value.toFixed(1))} ms`;
}
