// Lets the TypeScript compiler hold each dashboard against Grafana's own types (npm @grafana/schema): `node types.mjs`.
//
// Unknown keys, wrong types and values that are none of an enum's are errors, in panels' options too. Then a dashboard that was
// broken in four places has to be blamed for each. What Grafana's types leave open (titles, units) is asked for here.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { dashboards, panels } from "./dashboards.mjs";

const FOLDER = new URL("./generated/", import.meta.url).pathname;
const raw = "@grafana/schema/dist/esm/raw/composable";
const HEAD = `
import type { Dashboard, FieldConfigSource, Panel, RowPanel, GraphFieldConfig } from "@grafana/schema";
import type { Options as Stat } from "${raw}/stat/panelcfg/x/StatPanelCfg_types.gen";
import type { Options as TimeSeries } from "${raw}/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

/** As JSON writes it: an enum is one of its values. */
type Json<T> = T extends string ? \`\${T}\`
  : T extends number ? (\`\${T}\` extends \`\${infer N extends number}\` ? N : number)
  : T extends (infer U)[] ? Json<U>[]
  : T extends object ? { [K in keyof T]: Json<T[K]> }
  : T;
interface Target { refId: string; datasource: { type: "prometheus"; uid: "\${datasource}" }; editorMode: "code"; range: true; expr: string; legendFormat: string }
type Shown<Kind extends string, Options, Custom> = Omit<Panel, "type" | "options" | "fieldConfig" | "targets">
  & { type: Kind; title: string; description: string; options: Options; fieldConfig: FieldConfigSource<Custom>; targets: Target[] };
type Row = RowPanel & { gridPos: object };
type Ours = Omit<Dashboard, "panels"> & { uid: string; title: string; description: string; version: number;
  panels: (Shown<"stat", Stat, never> | Shown<"timeseries", TimeSeries, GraphFieldConfig> | Row)[] };
`;

/** What the compiler says of these dashboards, by name. */
function said(files) {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER);
  for (const [name, dashboard] of files) {
    writeFileSync(join(FOLDER, `${name}.ts`), `${HEAD}export const dashboard: Json<Ours> = ${JSON.stringify(dashboard, null, 1)};\n`);
  }
  const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
  const flags = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022"];
  try {
    execFileSync(process.execPath, [tsc, ...flags, ...files.map(([name]) => join(FOLDER, `${name}.ts`))], { encoding: "utf8" });
    return "";
  } catch (failed) {
    return failed.stdout;
  }
}

function broken(breaking) {
  const dashboard = structuredClone(dashboards()[0].dashboard);
  breaking(dashboard, panels(dashboard));
  return dashboard;
}

const all = dashboards();
const controls = [
  ["control_enum", broken((_, [panel]) => (panel.options.graphMode = "fancy"))],
  ["control_key", broken((dashboard) => (dashboard.pannels = []))],
  ["control_option", broken((_, [panel]) => (panel.options.graphmode = "area"))],
  ["control_type", broken((_, [panel]) => (panel.gridPos.w = "wide"))],
];
const files = [...all.map(({ name, dashboard }) => [name.replace(".json", ""), dashboard]), ...controls];
const errors = said(files);
for (const [name] of controls) if (!errors.includes(`${name}.ts`)) throw new Error(`the judge let pass: ${name}`);
const blamed = errors.split("\n").filter((line) => line && !line.includes("control_") && /\.ts\(/.test(line));

for (const { name, dashboard } of all) {
  const ids = dashboard.panels.map((panel) => panel.id);
  if (new Set(ids).size !== ids.length) blamed.push(`${name}: two panels have one id`);
  if (dashboard.uid !== `turnout-${name.replace(".json", "")}`) blamed.push(`${name}: its uid is not stable: ${dashboard.uid}`);
  for (const panel of panels(dashboard)) {
    if (!panel.description || !panel.fieldConfig.defaults.unit) blamed.push(`${name}: ${panel.title}: no description or no unit`);
  }
}
for (const line of blamed) console.log(line);
console.log(`${all.length} dashboards with ${all.flatMap(({ dashboard }) => panels(dashboard)).length} panels are as Grafana's types want them: ${blamed.length === 0}`);
process.exit(blamed.length === 0 ? 0 : 1);
