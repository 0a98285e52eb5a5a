// The dashboards as they lie in the folder, and their queries as a Prometheus can be asked them.
//
// Knows neither how they are judged (types.mjs, ask.mjs) nor how they are drawn (draw.mjs).
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const FOLDER = new URL("../dashboards/", import.meta.url).pathname;

/** Every dashboard, with the name of its file. */
export function dashboards() {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith(".json"));
  return names.map((name) => ({ name, dashboard: JSON.parse(readFileSync(join(FOLDER, name), "utf8")) }));
}

/** The panels that show something. */
export function panels(dashboard) {
  return dashboard.panels.filter((panel) => panel.type !== "row");
}

/** A query with Grafana's own variables filled in; `rate` is what a rate is taken over. */
export function filled(expr, { rate, interval }) {
  return expr.replaceAll("$__rate_interval", rate).replaceAll("$__interval", interval);
}

/** What a query gives over a span of Unix seconds; throws what Prometheus says is wrong. */
export async function range(prometheus, query, { from, to, step }) {
  const asked = new URLSearchParams({ query, start: from, end: to, step });
  const answer = await fetch(`${prometheus}/api/v1/query_range`, { method: "POST", body: asked });
  const said = await answer.json();
  if (said.status !== "success") throw new Error(said.error);
  return said.data.result.map(({ metric, values }) => ({
    metric,
    points: values.map(([at, value]) => [at, Number(value)]),
  }));
}

/** A legend with its labels filled in. */
export function legend(format, metric) {
  return format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => metric[label] ?? "");
}
