// A small switch for the pages' own tests: docs/http-api.md kept in memory, with a platform behind it.
//
// It checks what the pages send as the real one does (tokens, signatures, sealed credentials, keys) so that a page
// that works here speaks the contract. It keeps no promise about money. `trouble` lets a test lose answers, and
// account "silent" is in doubt first. Run `node mock/switch.mjs` to look at the pages by hand.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { exportJWK, generateKeyPair } from "jose";
import { admin } from "./admin.mjs";
import { phones } from "./phones.mjs";
import { terminals } from "./terminals.mjs";
import { No } from "./world.mjs";

const ASSETS = new URL("../../../src/pages/assets/", import.meta.url);
const TYPES = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Starts the three listeners; ports are chosen by the machine unless given. */
export async function mockSwitch({ ports = [0, 0, 0] } = {}) {
  const platform = await generateKeyPair("ECDH-ES", { crv: "P-256", extractable: true });
  const world = {
    platform,
    platformJwk: await exportJWK(platform.publicKey),
    started: Date.now(),
    seq: 100,
    payments: new Map(),
    keys: new Map(),
    binding: null,
    epoch: 0,
    codes: new Map(),
    tokens: new Map(),
    wakes: new Set(),
    streams: new Set(),
    events: [],
    requests: [],
    tombstones: new Set(),
    /** Switchable trouble: `loseAnswers` POSTs are done and not answered, `mute` listeners answer nothing. */
    trouble: { loseAnswers: 0, mute: new Set() },
    terminals: new Map([
      ["T1", { key: "till-key-1", merchant: "M1", name: "Corner Bakery" }],
      ["T2", { key: "till-key-2", merchant: "M2", name: "Museum Shop" }],
    ]),
  };
  const servers = await Promise.all(
    [phones, terminals, admin].map((routes, i) => listen(world, routes, ["phone", "till", "live"][i], ports[i])),
  );
  const [phone, till, live] = servers.map((server) => `http://127.0.0.1:${server.address().port}/`);
  world.phonePage = phone;
  const close = () => servers.forEach((server) => (server.closeAllConnections(), server.close()));
  return { phone, till, live, world, close };
}

async function listen(world, routes, name, port) {
  const server = createServer((request, response) => serve(world, routes, name, request, response));
  await new Promise((done) => server.listen(port, "127.0.0.1", done));
  return server;
}

async function serve(world, routes, name, request, response) {
  const url = new URL(request.url, "http://mock");
  const body = await text(request);
  if (world.trouble.mute.has(name) && url.pathname.startsWith("/v1")) return response.destroy();
  world.requests.push({ listener: name, method: request.method, path: url.pathname, headers: request.headers, body });
  if (!url.pathname.startsWith("/v1")) return asset(name, url.pathname, response);
  try {
    const ask = {
      world,
      request,
      response,
      url,
      body,
      json: () => object(body),
      wait: Number(/wait=(\d+)/.exec(request.headers.prefer ?? "")?.[1] ?? 0),
    };
    const found = routes.find(([method, path]) => method === request.method && match(path, url.pathname));
    if (!found) throw new No(404, "There is nothing here.");
    const answer = await found[2](ask, ...match(found[1], url.pathname).slice(1));
    if (answer === undefined) return undefined;
    if (request.method === "POST" && world.trouble.loseAnswers > 0 && (world.trouble.loseAnswers -= 1) >= 0)
      return response.destroy();
    return send(response, ...answer);
  } catch (no) {
    if (!(no instanceof No)) console.error(no);
    return send(
      response,
      no.status ?? 500,
      { type: "about:blank", title: "No", status: no.status ?? 500, detail: no.message, field: no.field },
      "application/problem+json",
    );
  }
}

const match = (path, pathname) => new RegExp(`^${path.replaceAll("{id}", "([^/]+)")}$`).exec(pathname);

function send(response, status, body, type = "application/json", headers = {}) {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store", ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

function asset(name, pathname, response) {
  const file = pathname === "/" ? `${name}.html` : /^\/assets\/([a-z_]+\.(?:js|css|svg))$/.exec(pathname)?.[1];
  try {
    const bytes = readFileSync(new URL(file ?? "none", ASSETS));
    response.writeHead(200, {
      "content-type": TYPES[file.split(".").pop()],
      "content-security-policy": CSP,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    });
    response.end(bytes);
  } catch {
    send(response, 404, { title: "No such page", status: 404 }, "application/problem+json");
  }
}

async function text(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function object(body) {
  try {
    return JSON.parse(body);
  } catch {
    throw new No(400, "The body is not JSON.");
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { phone, till, live } = await mockSwitch({ ports: [8080, 8081, 9090] });
  console.log(
    `phone ${phone}\ntill  ${till}#terminal=T1&key=till-key-1\nlive  ${live}\nany account, password "open sesame"; account "silent" is in doubt first`,
  );
}
