// Draws what the dashboards show, from the same queries: `node draw.mjs PROMETHEUS FOLDER [SECONDS]`. One SVG for each dashboard.
//
// It is no Grafana: it knows the two kinds of panels that we use, in Grafana's grid. For README files and for those who have no
// Grafana at hand.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dashboards, filled, legend, range } from "./dashboards.mjs";

const [prometheus, folder, seconds = "200"] = process.argv.slice(2);
const now = Math.floor(Date.now() / 1000);
const span = { from: now - Number(seconds), to: now, step: Math.max(1, Math.round(Number(seconds) / 80)) };

const COLUMN = 50;
const LINE = 22;
const HEAD = 44;
const COLOURS = ["#2f7ed8", "#e07b39", "#3a9d5d", "#c23b4b", "#8457b5", "#8c6b4f", "#d164a8", "#6b7785", "#a9a032", "#2ba5b5"];
const THRESHOLDS = { green: "#2d8a4e", orange: "#d9822b", red: "#c23b4b" };
const LEGENDS = 6;

const escaped = (text) => text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);
const short = (value) => String(Number(value.toPrecision(3)));

/** A value as Grafana would write it with this unit. */
function written(value, unit) {
  const scaled = (steps) => steps.find(([at]) => Math.abs(value) >= at) ?? steps.at(-1);
  if (unit === "percentunit") return `${short(value * 100)} %`;
  if (unit === "s") {
    if (value === 0) return "0 s";
    const [at, name] = scaled([[3600, "h"], [60, "min"], [1, "s"], [1e-3, "ms"], [0, "µs"]]);
    return `${short(value / (at || 1e-6))} ${name}`;
  }
  if (unit === "bytes") {
    const [at, name] = scaled([[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [0, "B"]]);
    return `${short(value / (at || 1))} ${name}`;
  }
  const [at, name] = scaled([[1e9, "G"], [1e6, "M"], [1e3, "k"], [0, ""]]);
  return `${short(value / (at || 1))}${name}${unit === "reqps" ? "/s" : ""}`;
}

async function series(panel) {
  const all = [];
  for (const { expr, legendFormat } of panel.targets) {
    for (const { metric, points } of await range(prometheus, filled(expr, { rate: "10s", interval: "5s" }), span)) {
      all.push({ name: legend(legendFormat, metric), points });
    }
  }
  return all;
}

/** A line through the points; a gap where there are none. */
function path(points, x, y) {
  let before = -Infinity;
  return points
    .map(([at, value]) => {
      const move = at - before > span.step * 1.5 ? "M" : "L";
      before = at;
      return `${move}${Math.round(x(at))} ${y(value).toFixed(1)}`;
    })
    .join("");
}

/** Each series on top of those before it. */
function stacked(all) {
  const below = new Map();
  return all.map(({ name, points }) => ({
    name,
    points: points.map(([at, value]) => {
      below.set(at, (below.get(at) ?? 0) + value);
      return [at, below.get(at)];
    }),
  }));
}

const label = (x, y, text, { size = 11, colour = "#57606a", anchor = "start", weight = "normal" } = {}) =>
  `<text x="${x}" y="${y}" font-size="${size}" fill="${colour}" text-anchor="${anchor}" font-weight="${weight}">${escaped(text)}</text>`;

function stat(panel, [{ points } = { points: [] }], width, height) {
  const { unit, thresholds } = panel.fieldConfig.defaults;
  const value = points.at(-1)?.[1];
  if (value === undefined) return label(width / 2, height / 2 + 8, "no data", { anchor: "middle" });
  const step = thresholds.steps.filter(({ value: from }) => from === null || value >= from).at(-1);
  const colour = THRESHOLDS[step.color];
  const top = Math.max(...points.map(([, value]) => value)) || 1;
  const x = (at) => ((at - span.from) / (span.to - span.from)) * width;
  const y = (value) => height - 2 - (value / top) * 20;
  return (
    `<path d="${path(points, x, y)}" fill="none" stroke="${colour}" opacity="0.5"/>` +
    label(width / 2, height / 2 + 8, written(value, unit), { size: 24, colour, anchor: "middle", weight: "600" })
  );
}

function timeseries(panel, all, width, height) {
  const { unit, custom, max } = panel.fieldConfig.defaults;
  const drawn = custom.stacking.mode === "normal" ? stacked(all) : all;
  const top = max ?? (Math.max(...drawn.flatMap(({ points }) => points.map(([, value]) => value))) || 1);
  const [left, right, above] = [52, 8, 28];
  const legends = Math.min(all.length, LEGENDS);
  const bottom = 18 + Math.ceil(legends / 2) * 13;
  const x = (at) => left + ((at - span.from) / (span.to - span.from)) * (width - left - right);
  const y = (value) => height - bottom - (Math.min(value, top) / top) * (height - bottom - above);
  let out = "";
  for (const part of [0, 0.5, 1]) {
    out += `<path d="M${left} ${y(top * part).toFixed(1)}H${width - right}" stroke="#d8dee4"/>`;
    out += label(left - 4, y(top * part) + 4, written(top * part, unit), { size: 10, anchor: "end" });
  }
  for (const [part, anchor] of [[0, "start"], [1, "end"]]) {
    const back = Math.round((span.to - span.from) * (1 - part));
    out += label(x(span.from + (span.to - span.from) * part), height - bottom + 12, back ? `-${back} s` : "now", { size: 9, anchor });
  }
  drawn.forEach(({ points }, place) => {
    out += `<path d="${path(points, x, y)}" fill="none" stroke="${COLOURS[place % COLOURS.length]}" stroke-width="1.4"/>`;
  });
  all.slice(0, LEGENDS).forEach(({ name }, place) => {
    const [at, down] = [8 + (place % 2) * (width / 2), height - bottom + 25 + Math.floor(place / 2) * 13];
    const more = place === LEGENDS - 1 && all.length > LEGENDS ? ` (and ${all.length - LEGENDS} more)` : "";
    out += `<rect x="${at}" y="${down - 8}" width="10" height="3" fill="${COLOURS[place % COLOURS.length]}"/>`;
    out += label(at + 14, down - 3, `${name}${more}`.slice(0, 34), { size: 10 });
  });
  return out;
}

async function drawn(panel) {
  const { x, y, w, h } = panel.gridPos;
  const [left, top, width, height] = [x * COLUMN + 4, HEAD + y * LINE + 2, w * COLUMN - 8, h * LINE - 4];
  if (panel.type === "row") return label(left, top + 15, panel.title, { size: 13, colour: "#24292f", weight: "600" });
  const inside = { stat, timeseries }[panel.type](panel, await series(panel), width, height);
  return (
    `<g transform="translate(${left} ${top})"><rect width="${width}" height="${height}" rx="3" fill="#fff" stroke="#d0d7de"/>` +
    label(8, 17, panel.title, { size: 12, colour: "#24292f", weight: "600" }) +
    `${inside}</g>`
  );
}

mkdirSync(folder, { recursive: true });
for (const { name, dashboard } of dashboards()) {
  const height = HEAD + Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h)) * LINE + 6;
  const parts = [];
  for (const panel of dashboard.panels) parts.push(await drawn(panel));
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="${height}" viewBox="0 0 1200 ${height}" font-family="system-ui, sans-serif">` +
    `<rect width="1200" height="${height}" fill="#f3f5f7"/>` +
    label(8, 27, dashboard.title, { size: 18, colour: "#24292f", weight: "600" }) +
    `${parts.join("\n")}</svg>\n`;
  writeFileSync(join(folder, name.replace(".json", ".svg")), svg);
}
