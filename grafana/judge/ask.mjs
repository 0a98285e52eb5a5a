// Asks a real Prometheus every panel's query: `node ask.mjs PROMETHEUS`. None may be empty, none may hold NaN or an infinity, every
// label that a legend names has to be there, and every rule has to be evaluated without an error. Two controls come first.
import { dashboards, filled, panels, range } from "./dashboards.mjs";

const [prometheus] = process.argv.slice(2);
const now = Date.now() / 1000;
const span = { from: now - 15, to: now, step: 1 };

/** What is wrong with one query, in a few words; nothing if it is as it has to be. */
async function blamed(expr, legendFormat = "") {
  const series = await range(prometheus, filled(expr, { rate: "10s", interval: "1s" }), span).catch((error) => error);
  if (series instanceof Error) return String(series.message);
  if (series.length === 0) return "empty";
  const values = series.flatMap(({ points }) => points.map(([, value]) => value));
  if (!values.every(Number.isFinite)) return "not a number";
  const labels = [...legendFormat.matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map(([, label]) => label);
  const nothing = series.length === 1 && Object.keys(series[0].metric).length === 0;
  const missing = labels.filter((label) => !nothing && !series.every(({ metric }) => label in metric));
  return missing.length > 0 ? `no label ${missing.join(", ")}` : undefined;
}

async function noticed(expr, what, legendFormat) {
  if ((await blamed(expr, legendFormat)) !== what) throw new Error(`the judge let pass: ${expr}`);
}

await noticed("turnout_no_such_metric_total", "empty");
await noticed("vector(0) / vector(0)", "not a number");
await noticed("up", "no label colour", "{{colour}}");

const wrong = [];
let asked = 0;
for (const { name, dashboard } of dashboards()) {
  for (const panel of panels(dashboard)) {
    for (const { expr, legendFormat } of panel.targets) {
      asked += 1;
      const what = await blamed(expr, legendFormat);
      if (what) wrong.push(`${name}: ${panel.title}: ${what}: ${expr}`);
    }
  }
}
const rules = (await (await fetch(`${prometheus}/api/v1/rules`)).json()).data.groups.flatMap((group) => group.rules);
for (const rule of rules.filter((rule) => rule.health !== "ok")) wrong.push(`rule ${rule.name}: ${rule.lastError ?? rule.health}`);
if (rules.length === 0) wrong.push("no rules are loaded");
console.log(`${asked} queries and ${rules.length} rules were asked for`);
for (const line of wrong) console.log(line);
process.exit(wrong.length === 0 ? 0 : 1);
