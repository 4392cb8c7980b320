/** @file Every tool through a real client: typed results, errors that name the next call, progress, cancelling. */
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { type CallToolResult, InMemoryTransport } from "@modelcontextprotocol/server";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createServer } from "../../src/server/create-server.js";
import { NACRE, scriptedStudent, WOOD } from "../agents/scripted-student.js";
import { type SmallContext, smallContext, WORLD } from "./small-context.js";

let context: SmallContext;
let client: Client;
let articles: string;

async function connect(to: SmallContext): Promise<Client> {
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  await createServer(to).connect(theirs);
  const connected = new Client({ name: "test", version: "1" });
  await connected.connect(ours);
  return connected;
}

beforeEach(async () => {
  context = await smallContext();
  client = await connect(context);
  articles = await mkdtemp(join(tmpdir(), "preflexor-articles-"));
  await writeFile(join(articles, "nacre.md"), NACRE);
  await writeFile(join(articles, "wood.md"), WOOD);
});
afterEach(() => client.close());

type Structured = Record<string, unknown>;

async function call(name: string, args: Structured = {}): Promise<Structured> {
  const result = (await client.callTool({ name, arguments: args })) as CallToolResult;
  if (result.isError === true) throw new Error(`${name}: ${textOf(result)}`);
  return result.structuredContent as Structured;
}

const textOf = (result: CallToolResult): string =>
  result.content.map((block) => (block.type === "text" ? block.text : "")).join("");

async function refusal(name: string, args: Structured = {}): Promise<string> {
  const result = (await client.callTool({ name, arguments: args })) as CallToolResult;
  expect(result.isError).toBe(true);
  return textOf(result);
}

describe("the list of tools", () => {
  it("is in the order in which they are called, and the same each time", async () => {
    const first = await client.listTools();
    expect(first.tools.map(({ name }) => name)).toEqual([
      "ingest-corpus",
      "retrieve-context",
      "generate-preference-pair",
      "train-iteration",
      "recursive-reason",
    ]);
    expect((await client.listTools()).tools).toEqual(first.tools);
  });

  it("gives every tool a description, strict input, typed output and all four annotations", async () => {
    for (const tool of (await client.listTools()).tools) {
      expect(tool.description?.length).toBeGreaterThan(80);
      expect(tool.inputSchema["additionalProperties"]).toBe(false);
      expect(tool.outputSchema?.type).toBe("object");
      expect(Object.keys(tool.annotations ?? {}).sort()).toEqual([
        "destructiveHint",
        "idempotentHint",
        "openWorldHint",
        "readOnlyHint",
      ]);
    }
  });
});

describe("ingest-corpus", () => {
  it("counts passages, names the store and the teacher, and changes nothing when repeated", async () => {
    const first = await call("ingest-corpus", { path: articles });
    expect(first).toMatchObject({
      documents: 2,
      teacher: "extractive-teacher",
      store: { name: "in-process" },
      notices: ["a notice"],
    });
    expect(first["passages"]).toBe(first["added"]);
    expect(await call("ingest-corpus", { path: articles })).toMatchObject({ passages: first["passages"], added: 0 });
  });

  it("ingests the built-in world, whose teacher is its own, and remembers which corpus is active", async () => {
    expect(await call("ingest-corpus", { path: "materials-world" })).toMatchObject({
      documents: WORLD.documents.length,
      teacher: "world-teacher",
    });
    expect(await context.activeCorpus()).toEqual({ kind: "world", path: "materials-world" });
    await call("ingest-corpus", { path: articles });
    expect(await context.activeCorpus()).toEqual({ kind: "folder", path: articles });
  });

  it("refuses a folder that is not there or has no text, and leaves the active corpus as it was", async () => {
    await call("ingest-corpus", { path: articles });
    expect(await refusal("ingest-corpus", { path: join(articles, "none") })).toMatch(
      /nothing to read at .*none.*call ingest-corpus/i,
    );
    const empty = await mkdtemp(join(tmpdir(), "preflexor-empty-"));
    expect(await refusal("ingest-corpus", { path: empty })).toMatch(/no readable file.*call ingest-corpus/i);
    expect(await context.activeCorpus()).toEqual({ kind: "folder", path: articles });
  });
});

describe("retrieve-context", () => {
  it("returns the nearest passages, best first", async () => {
    await call("ingest-corpus", { path: articles });
    const { passages } = (await call("retrieve-context", {
      query: "How much aragonite does nacre contain?",
      k: 2,
    })) as {
      passages: { id: string; text: string; source: string; score: number }[];
    };
    expect(passages).toHaveLength(2);
    expect(passages[0]).toMatchObject({ source: "nacre.md", text: expect.stringContaining("95 percent aragonite") });
    expect(passages[0]!.score).toBeGreaterThan(passages[1]!.score);
  });

  it("says to call ingest-corpus where there is no corpus", async () => {
    expect(await refusal("retrieve-context", { query: "nacre" })).toBe("the corpus is empty: call ingest-corpus first");
  });

  it("names the argument that an unknown one was probably meant to be", async () => {
    expect(await refusal("retrieve-context", { query: "x", kk: 3 })).toContain(
      'unknown argument "kk": did you mean "k"? (valid arguments: query, k)',
    );
    expect(await refusal("retrieve-context", { query: "x", zebra: 3 })).toContain(
      'unknown argument "zebra" (valid arguments: query, k)',
    );
  });
});

describe("generate-preference-pair", () => {
  it("writes a pair whose chosen reply is the teacher's and whose rejected one is the student's, and stores it", async () => {
    await call("ingest-corpus", { path: "materials-world" });
    const { pair, pairsFile } = (await call("generate-preference-pair")) as {
      pair: Record<string, unknown>;
      pairsFile: string;
    };
    expect(pair["rejected"]).toContain("Aragonite.");
    expect(pair["chosen"]).toMatch(/^<\|thinking\|>[\s\S]+<\|\/thinking\|>[\s\S]+/);
    expect(pair["provenance"]).toMatchObject({ teacher: "world-teacher" });
    expect(
      (await readFile(pairsFile, "utf8"))
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([pair]);
  });

  it("writes different questions in a row, and one about the topic that was asked for", async () => {
    await call("ingest-corpus", { path: "materials-world" });
    const prompts = new Set<string>();
    for (let i = 0; i < 4; i++)
      prompts.add(((await call("generate-preference-pair")) as { pair: { prompt: string } }).pair.prompt);
    expect(prompts.size).toBeGreaterThan(1);
    const { subject } = WORLD.questions("train")[0]!;
    const about = (await call("generate-preference-pair", { topic: subject })) as {
      pair: { prompt: string };
      pairs: number;
    };
    expect(about.pair.prompt).toContain(subject);
    expect(about.pairs).toBe(5);
  });

  it("says to call ingest-corpus where there is no corpus, and stores nothing", async () => {
    expect(await refusal("generate-preference-pair")).toBe("the corpus is empty: call ingest-corpus first");
    expect(await (await context.run()).pairs()).toEqual([]);
  });
});

describe("train-iteration", () => {
  it("says to call generate-preference-pair where there are no pairs, and writes no checkpoint", async () => {
    expect(await refusal("train-iteration")).toBe("no pairs yet: call generate-preference-pair first");
    expect(context.scripted.saved).toEqual([]);
  });

  it("takes the steps that were asked for on the stored pairs, writes metrics and a checkpoint, and counts on", async () => {
    await call("ingest-corpus", { path: articles });
    for (let i = 0; i < 3; i++) await call("generate-preference-pair");
    const first = await call("train-iteration", { steps: 3 });
    expect(first).toMatchObject({ steps: 3, totalSteps: 3, loss: { first: 1, last: 1 / 3 }, pairs: 3, dropped: {} });
    expect(await call("train-iteration", { steps: 2 })).toMatchObject({ steps: 2, totalSteps: 5 });
    const run = await context.run();
    expect(context.scripted.saved).toEqual([run.checkpointDirectory(3), run.checkpointDirectory(5)]);
    expect((await readFile(run.metricsFile, "utf8")).trim().split("\n")).toHaveLength(5);
  });

  it("sends progress only to a client that asked for it", async () => {
    await call("ingest-corpus", { path: articles });
    await call("generate-preference-pair");
    const seen: number[] = [];
    const request = { name: "train-iteration", arguments: { steps: 2 } };
    await client.callTool(request, { onprogress: ({ progress }) => seen.push(progress) });
    expect(seen.at(-1)).toBe(2);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  it("stops between steps when the client cancels, and writes no checkpoint", async () => {
    await call("ingest-corpus", { path: articles });
    await call("generate-preference-pair");
    const controller = new AbortController();
    const { policy } = context.scripted;
    const step = policy.trainStep;
    (policy as { trainStep: typeof step }).trainStep = async (batch, options) => {
      if (context.scripted.batches.length === 2) controller.abort();
      await new Promise((resolve) => setTimeout(resolve, 5));
      return step(batch, options);
    };
    const request = client.callTool(
      { name: "train-iteration", arguments: { steps: 1000 } },
      { signal: controller.signal },
    );
    await expect(request).rejects.toThrow();
    await context.exclusive(new AbortController().signal, async () => undefined);
    expect(context.scripted.batches.length).toBeLessThan(10);
    expect(context.scripted.saved).toEqual([]);
  });
});

describe("recursive-reason", () => {
  it("returns every round with its thinking, answer and score, and the best answer", async () => {
    await call("ingest-corpus", { path: articles });
    const result = (await call("recursive-reason", { question: "What is nacre made of?", rounds: 2 })) as {
      answer: string;
      rounds: { thinking: string; answer: string; score: number }[];
    };
    expect(result.answer).toBe("Aragonite.");
    expect(result.rounds[0]).toMatchObject({
      thinking: expect.stringContaining("95 percent"),
      answer: "Aragonite.",
      score: 1,
    });
  });

  it("says to call ingest-corpus where there is no corpus", async () => {
    expect(await refusal("recursive-reason", { question: "What?" })).toBe(
      "the corpus is empty: call ingest-corpus first",
    );
  });
});

describe("a failure inside", () => {
  it("is text that ends in advice, never a stack", async () => {
    const failing = await smallContext(scriptedStudent(() => ""));
    await client.close();
    client = await connect(failing);
    await call("ingest-corpus", { path: articles });
    const text = await refusal("generate-preference-pair");
    expect(text).toMatch(/empty/);
    expect(text).toMatch(/call generate-preference-pair again/i);
    expect(text).not.toMatch(/\n\s+at /);
  });

  it("is a cancellation when the server stops", async () => {
    await call("ingest-corpus", { path: articles });
    context.stop();
    expect(await refusal("retrieve-context", { query: "nacre" })).toContain("cancelled");
  });
});
