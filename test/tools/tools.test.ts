/** @file Every tool through a real client: typed results, errors that name the next call, progress, cancelling. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { type CallToolResult, InMemoryTransport } from "@modelcontextprotocol/server";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createServer } from "../../src/server/create-server.js";
import { NACRE, scriptedStudent, WOOD } from "../agents/scripted-student.js";
import { type SmallContext, smallContext, WORLD } from "./small-context.js";
import { TOOL_NAMES } from "./tool-names.js";

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

/** Runs before each optimizer step, with the number of those taken. */
function onStep(before: (taken: number) => Promise<void>): void {
  const { policy, batches } = context.scripted;
  const step = policy.trainStep;
  (policy as { trainStep: typeof step }).trainStep = async (batch, options) => {
    await before(batches.length);
    // So that a cancellation can arrive.
    await new Promise((resolve) => setTimeout(resolve, 5));
    return step(batch, options);
  };
}

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
    expect(first.tools.map(({ name }) => name)).toEqual(TOOL_NAMES);
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
    // Only the package's small model cannot learn from other text.
    await client.close();
    client = await connect(Object.assign(context, { recipe: "nano" }));
    const { notices } = (await call("ingest-corpus", { path: articles })) as { notices: string[] };
    expect(notices[1]).toMatch(/knows only materials-world.*set PREFLEXOR_MODEL/);
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

  it("takes up what changed in a folder, and takes out what was deleted", async () => {
    const first = await call("ingest-corpus", { path: articles });
    await rm(join(articles, "wood.md"));
    await writeFile(join(articles, "silk.md"), "Silk is strong.");
    const second = await call("ingest-corpus", { path: articles });
    expect(second).toMatchObject({ documents: 2, unchanged: 1, added: 1 });
    expect(second["removed"]).toBeGreaterThan(0);
    expect(second["passages"]).toBe(Number(first["passages"]) + 1 - Number(second["removed"]));
  });

  it("removes what was ingested from a path, or one source of it, and says what there is where that is nothing", async () => {
    await call("ingest-corpus", { path: articles });
    const one = await call("ingest-corpus", { path: "wood.md", remove: true, confirm: true });
    expect(one).toMatchObject({ documents: 1, added: 0, teacher: "extractive-teacher" });
    const { passages } = (await call("retrieve-context", { query: "wood", k: 9 })) as {
      passages: { source: string }[];
    };
    expect(new Set(passages.map(({ source }) => source))).toEqual(new Set(["nacre.md"]));
    expect(await call("ingest-corpus", { path: `${articles}/`, remove: true, confirm: true })).toMatchObject({
      passages: 0,
    });
    expect(await refusal("retrieve-context", { query: "nacre" })).toBe("the corpus is empty: call ingest-corpus first");
    const again = await refusal("ingest-corpus", { path: articles, remove: true, confirm: true });
    expect(again).toMatch(/nothing was ingested from .*Ingested: none.*call ingest-corpus/i);
  });

  it("reads the files that a glob names", async () => {
    expect(await call("ingest-corpus", { path: join(articles, "n*.md") })).toMatchObject({ documents: 1 });
  });

  it("refuses a folder that is not there or has no text, and leaves the active corpus as it was", async () => {
    await call("ingest-corpus", { path: articles });
    const missing = await refusal("ingest-corpus", { path: join(articles, "none") });
    expect(missing).toMatch(/nothing to read at .*none.*call ingest-corpus/i);
    expect(missing).not.toContain("ENOENT");
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

  it("says where each passage stands and how it was found, by the mode that was asked for", async () => {
    await call("ingest-corpus", { path: articles });
    const first = async (args: Structured) =>
      ((await call("retrieve-context", { query: "aragonite", k: 1, ...args })) as { passages: Structured[] })
        .passages[0];
    const start = NACRE.indexOf(String((await first({}))?.["text"]));
    expect(await first({})).toMatchObject({ start, found: { mode: "hybrid", denseRank: 1, lexicalRank: 1 } });
    expect(await first({ mode: "dense" })).toMatchObject({ found: { mode: "dense", denseRank: 1 } });
    expect(await first({ mode: "lexical", mmr: { lambda: 0.5 } })).toMatchObject({ found: { mode: "lexical" } });
    expect(await first({ mode: "lexical", query: "xylophone" })).toBeUndefined();
    expect(await refusal("retrieve-context", { query: "x", mode: "fuzzy" })).toMatch(/mode.*hybrid/);
    expect(await refusal("retrieve-context", { query: "x", k: 9, mmr: { fetchK: 3 } })).toMatch(
      /fetchK is 3.*k, which is 9/,
    );
    expect(await refusal("retrieve-context", { query: "x", mmr: { lamda: 1 } })).toContain('did you mean "lambda"?');
  });

  it("says to call ingest-corpus where there is no corpus", async () => {
    expect(await refusal("retrieve-context", { query: "nacre" })).toBe("the corpus is empty: call ingest-corpus first");
  });

  it("names the argument that an unknown one was probably meant to be", async () => {
    expect(await refusal("retrieve-context", { query: "x", kk: 3 })).toContain(
      'unknown argument "kk": did you mean "k"? (valid arguments: query, k, mode, mmr)',
    );
    expect(await refusal("retrieve-context", { query: "x", zebra: 3 })).toContain(
      'unknown argument "zebra" (valid arguments: query, k, mode, mmr)',
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

  it("refuses a topic that the corpus says nothing about, and stores nothing", async () => {
    await call("ingest-corpus", { path: articles });
    expect(await refusal("generate-preference-pair", { topic: "quantum chromodynamics" })).toBe(
      'no passage of the corpus is about "quantum chromodynamics": call retrieve-context to see what it holds, or leave topic out',
    );
    expect(await (await context.run()).pairs()).toEqual([]);
    expect(await call("generate-preference-pair", { topic: "Tablet sliding" })).toMatchObject({ pairs: 1 });
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

  it("stops between steps when the client cancels, and keeps the steps taken in a checkpoint", async () => {
    await call("ingest-corpus", { path: articles });
    await call("generate-preference-pair");
    const controller = new AbortController();
    onStep(async (taken) => {
      if (taken === 2) controller.abort();
    });
    const request = client.callTool(
      { name: "train-iteration", arguments: { steps: 1000 } },
      { signal: controller.signal },
    );
    await expect(request).rejects.toThrow();
    await context.exclusive(new AbortController().signal, async () => undefined);
    const run = await context.run();
    const taken = context.scripted.batches.length;
    expect(taken).toBeLessThan(10);
    expect(context.scripted.saved).toEqual([run.checkpointDirectory(taken)]);
    expect((await readFile(run.metricsFile, "utf8")).trim().split("\n")).toHaveLength(taken);
    expect(await call("train-iteration", { steps: 1 })).toMatchObject({ totalSteps: taken + 1 });
  });

  it("keeps the steps taken where a later one fails, and says in which checkpoint", async () => {
    await call("ingest-corpus", { path: articles });
    await call("generate-preference-pair");
    onStep(async (taken) => {
      if (taken === 2) throw new Error("the loss is not finite");
    });
    const run = await context.run();
    expect(await refusal("train-iteration", { steps: 5 })).toBe(
      `stopped after 2 of 5 steps; they are kept in ${run.checkpointDirectory(2)}: call train-iteration again to go on: ` +
        "the loss is not finite",
    );
    expect(context.scripted.saved).toEqual([run.checkpointDirectory(2)]);
  });

  it("writes no checkpoint where the first step fails", async () => {
    await call("ingest-corpus", { path: articles });
    await call("generate-preference-pair");
    onStep(async () => {
      throw new Error("the loss is not finite");
    });
    expect(await refusal("train-iteration")).toBe(
      "the loss is not finite. Call train-iteration again; stored pairs and the last checkpoint are kept",
    );
    expect(context.scripted.saved).toEqual([]);
  });

  it("says which pairs are too long for the model, as does the call that makes them", async () => {
    const student = scriptedStudent(() => "Aragonite. ".repeat(100));
    await client.close();
    context = await smallContext(student);
    client = await connect(context);
    await call("ingest-corpus", { path: articles });
    const { notices } = (await call("generate-preference-pair", { topic: "nacre tablets" })) as { notices: string[] };
    expect(notices).toEqual([
      expect.stringMatching(/^this pair cannot be trained on \(.*: 1\); a prompt may have 512 /),
    ]);
    expect(await refusal("train-iteration")).toMatch(
      /^this pair cannot be trained on .*: call generate-preference-pair/,
    );
    expect(student.batches).toEqual([]);
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

  it("asks what a run has trained where one is named, and keeps the answer there", async () => {
    await call("ingest-corpus", { path: articles });
    expect(await refusal("recursive-reason", { question: "What is nacre made of?", run: "teach-1" })).toContain(
      'there is no run "teach-1"',
    );
    await mkdir(join(context.home, "runs", "teach-1"), { recursive: true });
    expect(await call("recursive-reason", { question: "What is nacre made of?", run: "teach-1" })).toMatchObject({
      answer: "Aragonite.",
      resource: "preflexor://runs/teach-1/reasoning",
    });
  });

  it("says why it stopped, which critic it asked, and what it took", async () => {
    await call("ingest-corpus", { path: articles });
    expect(await call("recursive-reason", { question: "What is nacre made of?", rounds: 3 })).toMatchObject({
      stopped: "critic-content",
      reason: "the critic found nothing to change",
      critic: "lexical-critic",
      integrated: false,
      best: 1,
      cost: { modelCalls: 1, criticCalls: 2 },
    });
  });

  it("improves by the model's reflection, merges, and tells each round as progress", async () => {
    const replies = [
      "<|thinking|>\nCopper conducts current.\n<|/thinking|>\n<|reflect|>\nCopper is beside the point.\n<|/reflect|>\nCopper.",
      "\n<|reflect|>\nIt stands.\n<|/reflect|>\nAragonite.",
    ];
    await client.close();
    context = await smallContext(scriptedStudent(() => replies.shift() ?? ""));
    client = await connect(context);
    await call("ingest-corpus", { path: articles });
    const told: number[] = [];
    const asked = { question: "What is nacre made of?", mode: "reflection", rounds: 1, integrate: true };
    const { structuredContent } = (await client.callTool(
      { name: "recursive-reason", arguments: asked },
      { onprogress: ({ progress, total }) => told.push(progress, total ?? 0) },
    )) as CallToolResult;
    expect(structuredContent).toMatchObject({
      answer: "Copper. Aragonite.",
      integrated: true,
      best: 2,
      stopped: "rounds",
    });
    expect((structuredContent as { rounds: unknown[] }).rounds).toMatchObject([
      {
        reflection: "Copper is beside the point.",
        reflectSection: "found",
        opening: "none",
        answer: "Copper.",
        score: 0,
      },
      { feedback: "Copper is beside the point.", opening: "improved", answer: "Aragonite.", score: 1 },
    ]);
    expect(told.slice(-2)).toEqual([2, 2]);
  });

  it("says what to do with a model that does not reflect", async () => {
    const replies = ["<|thinking|>\nNacre holds aragonite.\n<|/thinking|>\nAragonite.", "<|/reflect|>\nAragonite."];
    await client.close();
    context = await smallContext(scriptedStudent(() => replies.shift() ?? ""));
    client = await connect(context);
    await call("ingest-corpus", { path: articles });
    const result = await call("recursive-reason", { question: "What is nacre made of?", mode: "reflection" });
    expect(result).toMatchObject({ answer: "Aragonite.", stopped: "no-reflection" });
    expect(result["reason"]).toMatch(/use mode "thinking", or teach it to reflect$/);
    expect(result["rounds"]).toMatchObject([{ reflectSection: "missing" }, { opening: "reflection" }]);
  });

  it("says to call ingest-corpus where there is no corpus", async () => {
    expect(await refusal("recursive-reason", { question: "What?" })).toBe(
      "the corpus is empty: call ingest-corpus first",
    );
  });
});

describe("a bad argument", () => {
  it.each([
    ["recursive-reason", { question: "x", rounds: 0 }, "rounds: expected a whole number from 1 to 10, found 0"],
    ["recursive-reason", {}, "question: expected a question, found nothing"],
    ["recursive-reason", { question: "x", mode: "B" }, 'mode: expected "thinking" or "reflection", found "B"'],
    ["recursive-reason", { question: "x", integrate: "yes" }, 'integrate: expected true or false, found "yes"'],
    ["retrieve-context", { query: "x", k: 1000 }, "k: expected a whole number from 1 to 50, found 1000"],
    ["retrieve-context", { query: "x", k: 0.5 }, "k: expected a whole number from 1 to 50, found 0.5"],
    ["retrieve-context", { query: "x", k: "5" }, 'k: expected a whole number from 1 to 50, found "5"'],
    ["train-iteration", { steps: -1 }, "steps: expected a whole number from 1 to 10000, found -1"],
    [
      "ingest-corpus",
      { path: " " },
      'path: expected the absolute path of a folder or file, a glob, or "materials-world"',
    ],
  ])("of %s %j is named once, with what was expected and found", async (name, args, said) => {
    const text = await refusal(name, args);
    expect(text).toContain(said);
    expect(text.split("expected")).toHaveLength(2);
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
