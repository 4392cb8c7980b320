/** @file The page's routes: what they answer, what they refuse, and that they tell of changes. */
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pageRoutes } from "../../../src/server/page/index.js";
import { createChanges } from "../../../src/tools/changes.js";
import { GRAPH, lines, makeRun, newHome, pair, step } from "../../tools/views/run-folders.js";

const changes = createChanges();
const stopped = new AbortController();
let routes: ReturnType<typeof pageRoutes>;
let run: string;

beforeAll(async () => {
  const home = await newHome();
  const files = {
    "metrics.jsonl": lines(Array.from({ length: 100 }, (_, i) => step(i + 1))),
    "pairs.jsonl": lines(Array.from({ length: 30 }, (_, i) => pair(i))),
    "question-graph-1.json": JSON.stringify(GRAPH),
  };
  run = (await makeRun(home, files)).id;
  routes = pageRoutes({ home, changes, signal: stopped.signal });
});
afterAll(() => stopped.abort());

const ask = (path: string, init?: RequestInit): Promise<Response | undefined> =>
  routes(new Request(`http://127.0.0.1${path}`, init));
const get = async (path: string, init?: RequestInit): Promise<Response> => (await ask(path, init))!;
const json = async (path: string): Promise<never> => (await (await get(path)).json()) as never;

describe("the page", () => {
  it("is one file whose policy lets nothing in but its own script and style", async () => {
    const response = await get("/");
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    const policy = response.headers.get("content-security-policy") ?? "";
    for (const part of ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"])
      expect(policy).toContain(part);
    expect(policy).not.toContain("unsafe");
    const markup = (await response.text()).replaceAll(/<(script|style)[^>]*>[\s\S]*?<\/\1/gi, "");
    expect(markup.match(/(?:src|href)="(?!data:)/g)).toBeNull();
  });

  it("is sent compressed where the browser can take it", async () => {
    const response = await get("/", { headers: { "accept-encoding": "gzip, br" } });
    expect(response.headers.get("content-encoding")).toBe("gzip");
    const zipped = Buffer.from(await response.arrayBuffer());
    expect(gunzipSync(zipped).toString().startsWith("<!doctype html>")).toBe(true);
    expect(zipped.length).toBeLessThan(250_000);
  });
});

describe("the data", () => {
  it("has the views of a run", async () => {
    expect(await json("/data/runs")).toMatchObject({ runs: [{ id: run, pairs: 30 }], broken: [] });
    expect(await json(`/data/runs/${run}`)).toMatchObject({ id: run, step: 100 });
    expect(await json(`/data/runs/${run}/metrics?points=5`)).toMatchObject({ totalSteps: 100, steps: { length: 5 } });
    expect(await json(`/data/runs/${run}/pairs?after=28&limit=5`)).toMatchObject({
      pairs: [{ index: 28 }, { index: 29 }],
    });
    expect(await json(`/data/runs/${run}/graph`)).toMatchObject({ totalNodes: 3 });
    expect(await json(`/data/runs/${run}/reasoning`)).toEqual([]);
  });

  it("has the report of a run as a page that asks for nothing", async () => {
    const response = await get(`/data/runs/${run}/report`);
    expect(response.headers.get("content-security-policy")).toContain("connect-src 'none'");
    const data = /id="report">(.*?)<\/script/s.exec(await response.text())?.[1] ?? "";
    expect(JSON.parse(data)).toMatchObject({ run: { id: run }, pairs: { total: 30 } });
  });

  it("is not sent again where nothing changed", async () => {
    const first = await get(`/data/runs/${run}/metrics`);
    const etag = first.headers.get("etag") ?? "";
    const second = await get(`/data/runs/${run}/metrics`, { headers: { "if-none-match": `"other", ${etag}` } });
    expect([second.status, await second.text()]).toEqual([304, ""]);
    const other = await get(`/data/runs/${run}/graph`, { headers: { "if-none-match": etag } });
    expect(other.status).toBe(200);
  });

  it("answers HEAD with the headers alone", async () => {
    const response = await get("/data/runs", { method: "HEAD" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
    expect(response.headers.get("content-type")).toContain("json");
  });
});

describe("what is asked wrongly", () => {
  it.each([
    ["/data/runs/nobody", 404, "there is no run"],
    ["/data/runs/..%2f..%2fetc", 404, "a path"],
    ["/data/runs/%00", 404, "no run id"],
    ["/data/runs/%E0%A4%A", 400, "damaged escape"],
    ["/data/runs/RUN/metrics?points=0", 400, "points: expected a whole number from 1 to 4096"],
    ["/data/runs/RUN/metrics?points=1e3", 400, "points"],
    ["/data/runs/RUN/pairs?limit=201", 400, "limit: expected a whole number from 1 to 200"],
    ["/data/runs/RUN/pairs?after=-1", 400, "after"],
    ["/data/runs/RUN/graph?nodes=99999", 400, "nodes"],
    ["/data/runs/RUN/toString", 404, "expected /data/runs"],
    ["/data/runs/RUN/metrics/more", 404, "expected /data/runs"],
    ["/data/", 404, "expected /data/runs"],
  ])("%s: %i, %s", async (path, status, says) => {
    const response = await get(path.replace("RUN", run));
    expect(response.status).toBe(status);
    expect(((await response.json()) as { error: string }).error).toContain(says);
  });

  it("is refused where it is not a GET, and left to others where it is not the page's", async () => {
    const posted = await get("/data/runs", { method: "POST", body: "{}" });
    expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect(await ask("/mcp")).toBeUndefined();
    expect(await ask("/database")).toBeUndefined();
  });
});

describe("the events", () => {
  const decoder = new TextDecoder();

  it("tell each change once, however often it came while the reader was away", async () => {
    const gone = new AbortController();
    const response = await get("/data/events", { signal: gone.signal });
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    const reader = response.body!.getReader();
    expect(decoder.decode((await reader.read()).value)).toMatch(/^retry: \d+\n/);
    for (let i = 0; i < 1000; i++) changes.publish(`preflexor://runs/${i % 2}`);
    let text = "";
    while (!text.includes("runs/1")) text += decoder.decode((await reader.read()).value);
    expect([...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!)).length).toBeLessThan(5);
    expect(text).toMatch(/^id: \d+\ndata: \{"uri":"preflexor:\/\/runs\/0"\}\n\n/);
    gone.abort();
    expect((await reader.read()).done).toBe(true);
  });

  it("let go of a reader that went away, and end when the server does", async () => {
    let listeners = 0;
    const counting = {
      ...changes,
      subscribe: (listener: (uri: string) => void) => {
        listeners++;
        const end = changes.subscribe(listener);
        return () => {
          listeners--;
          end();
        };
      },
    };
    const end = new AbortController();
    const own = pageRoutes({ home: "/nowhere", changes: counting, signal: end.signal });
    const first = (await own(new Request("http://h/data/events")))!;
    const second = (await own(new Request("http://h/data/events")))!;
    expect(listeners).toBe(2);
    await first.body!.cancel();
    expect(listeners).toBe(1);
    end.abort();
    expect(listeners).toBe(0);
    await second.text();
  });
});
