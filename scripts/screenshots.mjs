// Screenshots of the page, for docs/screenshots: `node scripts/screenshots.mjs <home> <run> [run with recursion]` after a build.
// Needs Chromium at /usr/bin/chromium, and a home with runs, such as `preflexor demo --seed 7 --home <home>` leaves.
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { pageRoutes } from "../dist/server/page/index.js";
import { createChanges } from "../dist/tools/index.js";

const [home, run, reasoned = run] = process.argv.slice(2);
if (run === undefined) throw new Error("expected: node scripts/screenshots.mjs <home> <run> [run with recursion]");

const routes = pageRoutes({ home, changes: createChanges(), signal: new AbortController().signal });
const server = createServer(async ({ url, headers, method }, answer) => {
  const response = await routes(new Request(`http://${headers.host}${url}`, { method }));
  answer.writeHead(response?.status ?? 404, Object.fromEntries(response?.headers ?? []));
  if (response?.body) Readable.fromWeb(response.body).pipe(answer);
  else answer.end();
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const page = `http://127.0.0.1:${server.address().port}/#`;
const at = (view) => `/runs/${encodeURIComponent(run)}${view}`;

const graph = await (await fetch(`${page.slice(0, -1)}data${at("/graph")}`)).json();
const question = graph.nodes.find(({ kind }) => kind === "question");

const reasoning = await (await fetch(`${page.slice(0, -1)}data/runs/${encodeURIComponent(reasoned)}/reasoning`)).json();
// One that a later round made better.
const better = Math.max(
  0,
  reasoning.findIndex(({ best }) => best > 1),
);

const DESK = { width: 1280, height: 860 };
const PHONE = { width: 360, height: 740 };
const SHOTS = [
  ["runs", "/", DESK, "light"],
  ["run-light", at(""), { width: 1280, height: 1240 }, "light"],
  ["run-dark", at(""), { width: 1280, height: 1240 }, "dark"],
  ["pairs", at("/pairs/3"), DESK, "light"],
  [
    "recursion",
    `/runs/${encodeURIComponent(reasoned)}/reasoning/${better + 1}`,
    { width: 1280, height: 1000 },
    "light",
  ],
  ["graph", at("/graph"), DESK, "light"],
  ["graph-node", at(`/graph/${encodeURIComponent(question?.id ?? "")}`), { width: 1000, height: 700 }, "dark"],
  ["phone", at(""), PHONE, "light"],
  ["phone-pair", at("/pairs/3"), PHONE, "dark"],
];

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
for (const [name, path, viewport, colorScheme] of SHOTS) {
  const deviceScaleFactor = viewport === PHONE ? 2 : 1;
  const shown = await browser.newPage({ viewport, colorScheme, deviceScaleFactor, reducedMotion: "reduce" });
  await shown.goto(page + path);
  await shown.waitForLoadState("domcontentloaded");
  await shown.locator("main h1").waitFor();
  await shown.waitForTimeout(1500);
  await shown.screenshot({ path: fileURLToPath(new URL(`../docs/screenshots/${name}.png`, import.meta.url)) });
  await shown.close();
}
await browser.close();
server.closeAllConnections();
server.close();
