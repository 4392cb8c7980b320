/** @file Runs as resources, through real clients of both SDKs and both protocol eras. */
import { appendFile, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { createMcpHandler, InMemoryTransport } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createServer } from "../../src/server/create-server.js";
import { announceChanges } from "../../src/tools/index.js";
import { runUri, watchedChanges } from "../../src/tools/views/index.js";
import { type SmallContext, smallContext } from "./small-context.js";
import { fill, GRAPH, lines, makeRun, pair, step } from "./views/run-folders.js";

const ERAS = ["2025-11-25", "2026-07-28"] as const;
type Era = (typeof ERAS)[number];
/** As far as the two SDKs say the same. */
type Reader = Pick<Client, "listResources" | "listResourceTemplates" | "readResource" | "complete" | "close">;

let context: SmallContext;
let open: { close(): Promise<void> }[] = [];
beforeEach(async () => {
  const small = await smallContext();
  context = {
    ...small,
    changes: watchedChanges(small.home, small.signal, { quietMs: 100, pollMs: 400 }),
    report: async (id) => `<!doctype html><title>${id}</title>`,
    appPage: async () => "<!doctype html><title>app</title>",
  };
});
afterEach(async () => {
  await Promise.all(open.map((one) => one.close()));
  open = [];
  context.stop();
});

async function connect(era: Era, notified: string[] = []): Promise<Client> {
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  const serve = (asked: { readonly era: string }) => {
    const server = createServer(context);
    if (asked.era === "modern") announceChanges(server, context);
    return server;
  };
  open.push(serveStdio(serve, { transport: theirs }));
  const mode = era === "2025-11-25" ? "legacy" : "auto";
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
  client.setNotificationHandler("notifications/resources/updated", ({ params }) => void notified.push(params.uri));
  client.setNotificationHandler("notifications/resources/list_changed", () => void notified.push("list"));
  await client.connect(ours);
  expect(client.getNegotiatedProtocolVersion()).toBe(era);
  open.push(client);
  return client;
}

async function connectV1(): Promise<Reader> {
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  await createServer(context).connect(theirs);
  const client = new ClientV1({ name: "test", version: "1" });
  await client.connect(ours as never);
  open.push(client);
  return client as unknown as Reader;
}

const CLIENTS: readonly (readonly [name: string, () => Promise<Reader>])[] = [
  ...ERAS.map((era) => [`the v2 client at ${era}`, () => connect(era)] as const),
  ["the v1 client", connectV1],
];

async function read<T>(client: Reader, uri: string): Promise<T> {
  const { contents } = await client.readResource({ uri });
  return JSON.parse((contents[0] as { readonly text: string }).text) as T;
}

const taught = () =>
  makeRun(context.home, {
    "pairs.jsonl": lines(Array.from({ length: 45 }, (_, i) => pair(i))),
    "metrics.jsonl": lines([step(1), step(2)]),
    "question-graph-10.json": JSON.stringify(GRAPH),
    "adapter/adapter_config.json": '{"r": 8}',
    "adapter/adapter_model.safetensors": "abc",
    "reasoning.jsonl": lines([{ at: "2026", question: "q", answer: "a", rounds: [], best: 1, integrated: false }]),
  });

describe.each(CLIENTS)("%s", (_name, connectReader) => {
  it("reads every resource of a run, by the address that is listed", async () => {
    const { id, path } = await taught();
    const client = await connectReader();
    const { resources } = await client.listResources();
    const own = resources.filter(({ uri }) => uri.startsWith(runUri(id)));
    expect(own.map(({ uri }) => uri.slice(runUri(id).length)).sort()).toEqual(
      ["", "/adapter", "/graph", "/metrics", "/pairs", "/reasoning", "/report"].sort(),
    );
    for (const { annotations, mimeType, title } of own) {
      expect(annotations?.lastModified).toMatch(/^\d{4}-/);
      expect(annotations?.audience).toContain("user");
      expect(mimeType).toMatch(/json|html/);
      expect(title).toContain(id);
    }
    for (const { uri, mimeType } of resources) {
      const { contents } = await client.readResource({ uri });
      expect(contents).toHaveLength(1);
      expect(contents[0]).toMatchObject({ uri, mimeType });
    }
    expect(await read(client, "preflexor://runs")).toMatchObject({ runs: [{ id, pairs: 45, step: 2 }] });
    expect(await read(client, runUri(id))).toMatchObject({ id, directory: path });
    expect(await read(client, runUri(id, "metrics"))).toMatchObject({ totalSteps: 2 });
    expect(await read(client, runUri(id, "graph"))).toMatchObject({ totalNodes: 3 });
    expect(await read(client, runUri(id, "reasoning"))).toMatchObject([{ question: "q" }]);
    // printf abc | sha256sum
    expect(await read(client, runUri(id, "adapter"))).toMatchObject({
      kind: "adapter",
      config: { r: 8 },
      files: [
        { name: "adapter_config.json", bytes: 8 },
        { bytes: 3, sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
      ],
    });
  });

  it("pages through pairs by after and limit, in any order or without", async () => {
    const { id } = await taught();
    const client = await connectReader();
    const pages = ["", "?after=20", "?limit=2&after=43"].map((query) => `${runUri(id, "pairs")}${query}`);
    const found = await Promise.all(
      pages.map((uri) => read<{ pairs: { index: number }[]; next?: number }>(client, uri)),
    );
    expect(found.map(({ pairs, next }) => [pairs[0]?.index, pairs.length, next])).toEqual([
      [0, 20, 20],
      [20, 20, 40],
      [43, 2, undefined],
    ]);
    for (const [query, message] of [
      ["?after=x", /expected after to be a whole number.*found "x"/],
      ["?limit=-1", /expected limit/],
      ["?upto=3", /not found/i],
    ] as const)
      await expect(read(client, `${runUri(id, "pairs")}${query}`)).rejects.toThrow(message);
  });

  it.each([
    "preflexor://runs/..%2f..",
    "preflexor://runs/%2e%2e%2fetc/metrics",
    "preflexor://runs/%00/pairs",
    "preflexor://runs/%zz",
    `preflexor://runs/${"n".repeat(5000)}`,
    "preflexor://runs/nobody/adapter",
    "preflexor://passages/nothing",
  ])("is told where to look instead of %s", async (uri) => {
    await taught();
    const client = await connectReader();
    await expect(read(client, uri)).rejects.toThrow(
      /list-runs|ingest-corpus|retrieve-context|percent-encoded|not found/,
    );
  });

  it("completes ids, the newest run first", async () => {
    const names = ["2026-01-01", "2026-02-02"].map((day) => `${day}T00:00:00Z`);
    const ids: string[] = [];
    for (const at of names) ids.push((await makeRun(context.home, {}, { at })).id);
    await appendFile(join(context.home, "runs", ids[1] as string, "pairs.jsonl"), lines([pair(1)]));
    const client = await connectReader();
    const { resourceTemplates } = await client.listResourceTemplates();
    expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual([
      "preflexor://runs/{run}",
      "preflexor://runs/{run}/metrics{?points}",
      "preflexor://runs/{run}/pairs{?after,limit}",
      "preflexor://runs/{run}/graph{?nodes}",
      "preflexor://runs/{run}/adapter",
      "preflexor://runs/{run}/reasoning",
      "preflexor://runs/{run}/report",
      "preflexor://passages/{passage}",
    ]);
    for (const { uriTemplate } of resourceTemplates.filter((one) => one.uriTemplate.includes("{run}"))) {
      const ref = { type: "ref/resource", uri: uriTemplate } as const;
      const asked = (value: string) => client.complete({ ref, argument: { name: "run", value } });
      expect((await asked("")).completion.values).toEqual([ids[1], ids[0]]);
      expect((await asked("teach-2026-01")).completion.values).toEqual([ids[0]]);
      expect((await asked("zz")).completion.values).toEqual([]);
    }
  });

  it("reads a passage by the id that retrieve-context gives", async () => {
    await context.activate({ kind: "world", path: "materials-world" });
    await (await context.store()).add([{ id: "a/b c", text: "Nacre.", source: "n.md", start: 0, end: 6 } as never]);
    const client = await connectReader();
    expect(await read(client, "preflexor://passages/a%2Fb%20c")).toMatchObject({ text: "Nacre.", source: "n.md" });
    const ref = { type: "ref/resource", uri: "preflexor://passages/{passage}" } as const;
    const { completion } = await client.complete({ ref, argument: { name: "passage", value: "a" } });
    expect(completion.values).toEqual(["a/b c"]);
  });
});

const settle = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(is: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !is(); i++) await settle(20);
  expect(is()).toBe(true);
}

describe.each(ERAS)("a subscription at %s", (era) => {
  async function subscribe(client: Client, uris: readonly string[]): Promise<void> {
    if (era === "2026-07-28") {
      await client.listen({ resourceSubscriptions: [...uris], resourcesListChanged: true });
      await context.changes.ready();
    } else for (const uri of uris) await client.subscribeResource({ uri });
  }

  it("is told once of a change, and of no other resource", async () => {
    const { id, path } = await taught();
    const notified: string[] = [];
    const client = await connect(era, notified);
    await subscribe(client, [runUri(id, "metrics")]);
    await appendFile(join(path, "metrics.jsonl"), lines([step(3)]));
    await until(() => notified.length > 0);
    await appendFile(join(path, "pairs.jsonl"), lines([pair(99)]));
    await settle(300);
    expect(notified).toEqual([runUri(id, "metrics")]);
    expect(await read(client, runUri(id, "metrics"))).toMatchObject({ totalSteps: 3 });
  });

  it("is told of many writes a few times, and that of the last is among them", async () => {
    const { id, path } = await taught();
    const notified: string[] = [];
    const client = await connect(era, notified);
    await subscribe(client, [runUri(id, "metrics")]);
    let seen = 0;
    client.setNotificationHandler("notifications/resources/updated", async ({ params }) => {
      notified.push(params.uri);
      seen = (await read<{ totalSteps: number }>(client, params.uri)).totalSteps;
    });
    for (let i = 3; i <= 60; i++) {
      await appendFile(join(path, "metrics.jsonl"), lines([step(i)]));
      await settle(8);
    }
    await until(() => seen === 60);
    expect(notified.length).toBeGreaterThan(1);
    expect(notified.length).toBeLessThan(15);
  });

  it("hears that the list has changed where runs come and go", async () => {
    const { id, path } = await taught();
    const notified: string[] = [];
    await subscribe(await connect(era, notified), [runUri(id)]);
    // Of 2025, a connection is told without asking: it is when its watch is ready.
    await context.changes.ready();
    const other = await makeRun(context.home, {}, { at: "2026-05-05T00:00:00Z" });
    await until(() => notified.includes("list"));
    await rm(other.path, { recursive: true });
    await until(() => notified.filter((uri) => uri === "list").length >= 2);
    expect(notified).not.toContain(runUri(id));
    await rename(path, join(context.home, "elsewhere"));
    await until(() => notified.includes(runUri(id)));
  });
});

/** Of the changes, from now on. */
function countListeners(): { ever: number; now: number } {
  const count = { ever: 0, now: 0 };
  const { changes } = context;
  const subscribe: typeof changes.subscribe = (listener) => {
    const end = changes.subscribe(listener);
    count.ever += 1;
    count.now += 1;
    return () => {
      count.now -= 1;
      end();
    };
  };
  context = { ...context, changes: { ...changes, subscribe } };
  return count;
}

it("a subscription ends where it is taken back or its connection closes", async () => {
  const { id, path } = await taught();
  const notified: string[] = [];
  const listeners = countListeners();
  const client = await connect("2025-11-25", notified);
  await client.subscribeResource({ uri: runUri(id, "pairs") });
  await client.subscribeResource({ uri: `${runUri(id, "pairs")}?after=40` });
  await client.unsubscribeResource({ uri: runUri(id, "pairs") });
  await appendFile(join(path, "pairs.jsonl"), lines([pair(99)]));
  await until(() => notified.length > 0);
  expect(notified).toEqual([`${runUri(id, "pairs")}?after=40`]);
  await expect(client.subscribeResource({ uri: "file:///etc/passwd" })).rejects.toThrow(/no resource of this server/);
  expect(listeners.now).toBe(1);
  await client.close();
  await settle(50);
  expect(listeners.now).toBe(0);
  await appendFile(join(path, "pairs.jsonl"), lines([pair(100)]));
  await settle(300);
  expect(notified).toHaveLength(1);
});

it("a server that is made for one request listens to nothing", async () => {
  const { id } = await taught();
  const listeners = countListeners();
  const handler = createMcpHandler(() => createServer(context));
  const transport = new StreamableHTTPClientTransport(new URL("http://localhost/mcp"), {
    fetch: (url, init) => handler.fetch(new Request(url, init as RequestInit)),
  });
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
  await client.connect(transport);
  open.push(client);
  expect(client.getNegotiatedProtocolVersion()).toBe("2026-07-28");
  for (let i = 0; i < 5; i++) expect(await read(client, runUri(id))).toMatchObject({ id });
  expect(listeners.ever).toBe(0);
});

it("a server that renders no report offers none", async () => {
  const { report: _, appPage: __, ...rest } = context;
  context = rest as SmallContext;
  await taught();
  const client = await connect("2025-11-25");
  const { resources } = await client.listResources();
  expect(resources.map(({ uri }) => uri).filter((uri) => /report|^ui:/.test(uri))).toEqual([]);
});

it("what recursive-reason finds is read at the address that its result names", async () => {
  await fill(context.home, {});
  await context.activate({ kind: "world", path: "materials-world" });
  const client = await connect("2025-11-25");
  await client.callTool({ name: "ingest-corpus", arguments: { path: "materials-world" } });
  const question = "What is nacre made of?";
  const result = await client.callTool({ name: "recursive-reason", arguments: { question, rounds: 1 } });
  const { resource, answer } = result.structuredContent as { resource: string; answer: string };
  expect(resource).toBe(runUri("test", "reasoning"));
  await mkdir(join(context.home, "runs"), { recursive: true });
  const views = await read<{ question: string; answer: string; rounds: unknown[] }[]>(client, resource);
  expect(views).toMatchObject([{ question, answer, best: 1 }]);
  expect(views[0]?.rounds).toHaveLength(1);
});
