/** @file Prompts through real clients: they name only tools that there are, embed what is asked about, and complete. */
import { Client } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createServer } from "../../src/server/create-server.js";
import { type SmallContext, smallContext } from "./small-context.js";
import { TOOL_NAMES } from "./tool-names.js";
import { fill, lines, makeRun, pair, step } from "./views/run-folders.js";

type Asker = Pick<Client, "listPrompts" | "getPrompt" | "complete" | "close">;
let context: SmallContext;
let open: { close(): Promise<void> }[] = [];
beforeEach(async () => {
  context = await smallContext();
});
afterEach(async () => {
  await Promise.all(open.map((one) => one.close()));
  open = [];
  context.stop();
});

async function connect(mode: "legacy" | "auto"): Promise<Asker> {
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  open.push(serveStdio(() => createServer(context), { transport: theirs }));
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
  await client.connect(ours);
  open.push(client);
  return client;
}

async function connectV1(): Promise<Asker> {
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  await createServer(context).connect(theirs);
  const client = new ClientV1({ name: "test", version: "1" });
  await client.connect(ours as never);
  open.push(client);
  return client as unknown as Asker;
}

const CLIENTS = [
  ["the v2 client at 2025-11-25", () => connect("legacy")],
  ["the v2 client at 2026-07-28", () => connect("auto")],
  ["the v1 client", connectV1],
] as const;

async function ask(client: Asker, name: string, args: Record<string, string> = {}) {
  const { messages } = await client.getPrompt({ name, arguments: args });
  const texts = messages.map(({ content }) => (content.type === "text" ? content.text : ""));
  const data = messages.flatMap(({ content }) =>
    content.type === "resource" && "text" in content.resource
      ? [{ uri: content.resource.uri, json: JSON.parse(content.resource.text) as Record<string, unknown> }]
      : [],
  );
  return { text: texts.join("\n"), data };
}

const taught = () =>
  makeRun(
    context.home,
    { "pairs.jsonl": lines(Array.from({ length: 50 }, (_, i) => pair(i))), "metrics.jsonl": lines([step(1), step(2)]) },
    { request: { model: "lab/tiny" } },
  );

describe.each(CLIENTS)("%s", (_name, connectAsker) => {
  it("gets each prompt with its arguments and their descriptions", async () => {
    const { prompts } = await (await connectAsker()).listPrompts();
    expect(
      prompts.map(({ name, arguments: args = [] }) => [name, ...args.map((a) => a.name + (a.required ? "" : "?"))]),
    ).toEqual([
      ["run-self-teaching", "corpus?", "model?"],
      ["review-pairs", "run", "count?"],
      ["diagnose-run", "run"],
      ["reason-recursively", "question"],
    ]);
    for (const { description, title, arguments: args = [] } of prompts) {
      expect([description, title, ...args.map((a) => a.description)].every((text) => (text ?? "").length > 10)).toBe(
        true,
      );
    }
  });

  it("is led through tools that there are, in an order that works", async () => {
    const { id } = await taught();
    const client = await connectAsker();
    const asked = await Promise.all([
      ask(client, "run-self-teaching", { corpus: "/texts", model: "lab/tiny" }),
      ask(client, "review-pairs", { run: id }),
      ask(client, "diagnose-run", { run: id }),
      ask(client, "reason-recursively", { question: "Why is nacre tough?" }),
    ]);
    for (const { text } of asked) {
      const named = [...text.matchAll(/\b[a-z]+(?:-[a-z]+)+\b/g)].map(([word]) => word);
      const verbs = /^(?:ingest|retrieve|generate|train|recursive|start|get|list|stop|export|explain)-/;
      expect(named.filter((word) => verbs.test(word) && !(TOOL_NAMES as readonly string[]).includes(word))).toEqual([]);
    }
    const [whole] = asked;
    const order = [
      "call ingest-corpus",
      "call retrieve-context",
      "dry_run true",
      "dry_run false",
      "call get-run",
      "call evaluate",
      "call export-adapter",
    ];
    const places = order.map((word) => whole.text.toLowerCase().indexOf(word));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places[0]).toBeGreaterThan(0);
    expect(whole.text).toContain('"/texts"');
    expect(whole.text).toContain('"lab/tiny"');
    expect(asked[3].text).toContain("Why is nacre tough?");
  });

  it("gets the pairs to review from the whole run, and a run's curves to diagnose", async () => {
    const { id } = await taught();
    const client = await connectAsker();
    const review = await ask(client, "review-pairs", { run: id, count: "3" });
    const pairs = review.data[0]?.json["pairs"] as { index: number }[];
    expect(pairs.map(({ index }) => index)).toEqual([0, 25, 49]);
    expect(review.data[0]?.uri).toBe(`preflexor://runs/${id}/pairs`);
    const diagnosis = await ask(client, "diagnose-run", { run: id });
    expect(diagnosis.data.map(({ json }) => json)).toMatchObject([{ id, status: "interrupted" }, { totalSteps: 2 }]);
  });

  it("is told what is wrong with an argument", async () => {
    const { id } = await taught();
    const client = await connectAsker();
    await expect(ask(client, "review-pairs", { run: id, count: "0" })).rejects.toThrow(/from 1 to 20, found "0"/);
    await expect(ask(client, "review-pairs", { run: "../.." })).rejects.toThrow(/no run id.*list-runs/s);
    await expect(ask(client, "diagnose-run", { run: "nobody" })).rejects.toThrow(/no run "nobody".*list-runs/s);
    await expect(ask(client, "diagnose-run", {})).rejects.toThrow(/run/);
    const empty = await makeRun(context.home, {}, { at: "2026-04-04T00:00:00Z" });
    expect((await ask(client, "review-pairs", { run: empty.id })).text).toMatch(/no pairs yet/);
  });

  it("is offered runs, models, corpora and questions that there are", async () => {
    const { id, path } = await taught();
    const reasoned = { at: "2026", question: "What is nacre?", answer: "a", rounds: [], best: 1, integrated: false };
    await fill(path, { "reasoning.jsonl": lines([reasoned]) });
    await context.activate({ kind: "folder", path: "/texts" });
    const client = await connectAsker();
    const offered = async (prompt: string, name: string, value = "") => {
      const ref = { type: "ref/prompt", name: prompt } as const;
      return (await client.complete({ ref, argument: { name, value } })).completion.values;
    };
    expect(await offered("review-pairs", "run")).toEqual([id]);
    expect(await offered("diagnose-run", "run", "teach")).toEqual([id]);
    expect((await offered("run-self-teaching", "model"))[0]).toBe("lab/tiny");
    expect(await offered("run-self-teaching", "corpus")).toEqual(["/texts", "materials-world"]);
    expect(await offered("run-self-teaching", "corpus", "mat")).toEqual(["materials-world"]);
    expect(await offered("reason-recursively", "question", "What")).toEqual(["What is nacre?"]);
  });
});
