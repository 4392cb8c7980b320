/** @file Several pairs in one call: new questions, failures with their reasons, progress, and what happens when nothing is left to ask. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createExtractiveTeacher } from "../../src/agents/models/extractive-teacher.js";
import { ProgrammaticChatModel } from "../../src/agents/models/programmatic-chat-model.js";
import { createWorldTeacher } from "../../src/agents/models/world-teacher.js";
import type { PreferencePair } from "../../src/trainer/index.js";
import { NACRE, scriptedStudent, WOOD } from "../agents/scripted-student.js";
import { savingStudent } from "./saving-student.js";
import { type SmallContext, smallContext, WORLD } from "./small-context.js";
import { type ToolClient, toolClient } from "./tool-client.js";

interface Made {
  readonly pair: PreferencePair;
  readonly made: number;
  readonly questions: readonly string[];
  readonly failures: readonly { readonly reason: string; readonly count: number; readonly detail?: string }[];
  readonly pairs: number;
  readonly notices: readonly string[];
}

let context: SmallContext;
let tools: ToolClient;
let articles: string;

async function use(next: SmallContext): Promise<void> {
  await tools?.client.close();
  context = next;
  tools = await toolClient(context);
}

beforeEach(async () => {
  await use(await smallContext(savingStudent()));
  articles = await mkdtemp(join(tmpdir(), "preflexor-articles-"));
  await writeFile(join(articles, "nacre.md"), NACRE);
  await writeFile(join(articles, "wood.md"), WOOD);
});
afterEach(() => tools.client.close());

const make = (args: Record<string, unknown> = {}): Promise<Made> => tools.call<Made>("generate-preference-pair", args);
const stored = async (): Promise<readonly PreferencePair[]> => (await context.run()).pairs();

/** A teacher that writes what is scripted, and leaves the rest to the extractive one. */
function askingTeacher(questions: readonly string[]): ProgrammaticChatModel {
  const teacher = createExtractiveTeacher();
  let asked = 0;
  return new ProgrammaticChatModel({
    name: "asking-teacher",
    reply: (turn, signal) => {
      if (turn.job !== "write-question") return teacher.replyTo(turn, signal);
      return { submit: { question: questions[Math.min(asked++, questions.length - 1)] as string } };
    },
  });
}

describe("a call for several pairs", () => {
  it("stores that many, about different questions, in the order in which it names them", async () => {
    await tools.call("ingest-corpus", { path: "materials-world" });
    const { pair, made, questions, pairs } = await make({ count: 12 });
    expect([made, pairs, new Set(questions).size]).toEqual([12, 12, 12]);
    const kept = await stored();
    expect(kept.map(({ provenance }) => provenance.question)).toEqual(questions);
    expect(kept[0]).toEqual(pair);
  });

  it("samples the student in one batch", async () => {
    await tools.call("ingest-corpus", { path: "materials-world" });
    await make({ count: 8 });
    expect(context.scripted.generateCalls.length).toBeLessThan(4);
    expect(context.scripted.prompts.length).toBeGreaterThanOrEqual(8);
  });

  it("makes the same pairs as another run that is asked the same", async () => {
    const seen: (readonly PreferencePair[])[] = [];
    for (let run = 0; run < 2; run++) {
      await use(await smallContext());
      await tools.call("ingest-corpus", { path: "materials-world" });
      await make({ count: 3 });
      await make({ count: 3 });
      seen.push(await stored());
    }
    expect(seen[0]).toEqual(seen[1]);
    expect(new Set(seen[0]?.map(({ provenance }) => provenance.seed)).size).toBe(6);
  });

  it("reports progress that only grows and ends when all are made", async () => {
    await tools.call("ingest-corpus", { path: "materials-world" });
    const seen: { readonly progress: number; readonly total?: number | undefined }[] = [];
    await tools.client.callTool(
      { name: "generate-preference-pair", arguments: { count: 4 } },
      { onprogress: (progress) => seen.push(progress) },
    );
    expect(seen.map(({ progress }) => progress)).toEqual(
      seen.map(({ progress }) => progress).toSorted((a, b) => a - b),
    );
    expect(seen.at(-1)).toMatchObject({ progress: 5, total: 5 });
  });

  it.each([0, 33, 1.5])("is refused for %d pairs", async (count) => {
    expect(await tools.refusal("generate-preference-pair", { count })).toContain(
      `count: expected a whole number from 1 to 32, found ${count}`,
    );
  });
});

describe("what comes to nothing", () => {
  it("is counted with its reason, and drawn anew as far as that helps", async () => {
    const unfit = "According to the passage, what is nacre?";
    const fit = ["Why is nacre much tougher than pure aragonite?", "How do sliding tablets spread damage in nacre?"];
    await use({ ...context, teacher: async () => askingTeacher([unfit, ...fit, fit[0] as string]) });
    await tools.call("ingest-corpus", { path: articles });
    const { made, questions, failures } = await make({ count: 3 });
    expect([made, questions]).toEqual([2, fit]);
    expect(failures).toContainEqual({
      reason: "the question is unfit: quotes-source",
      count: 1,
      detail: expect.stringContaining("According to the passage".slice(13)),
    });
    expect(failures).toContainEqual({ reason: "the question was asked before", count: 3 });
  });

  it("is an error where that is all there is, with every reason", async () => {
    await use({
      ...context,
      teacher: async () => askingTeacher(["Nacre?", "What does the author say about nacre here?"]),
    });
    await tools.call("ingest-corpus", { path: articles });
    const text = await tools.refusal("generate-preference-pair", { count: 2 });
    expect(text).toMatch(
      /no pair could be made: .*unfit: too-short.*unfit: quotes-source.*Call generate-preference-pair/,
    );
    expect(await stored()).toEqual([]);
  });

  it("counts samples of the student that are no reply", async () => {
    let asked = 0;
    await use(await smallContext(scriptedStudent(() => (asked++ === 0 ? "" : "Aragonite."))));
    await tools.call("ingest-corpus", { path: "materials-world" });
    const { made, failures } = await make({ count: 3 });
    expect(made).toBe(3);
    expect(failures).toContainEqual({ reason: "the student's sample is empty", count: 1 });
  });

  it("does not ask a teacher again that has given up on the topic", async () => {
    let asked = 0;
    const refusing = new ProgrammaticChatModel({
      name: "refusing-teacher",
      reply: () => {
        asked++;
        throw new Error("I would rather not");
      },
    });
    await use({ ...context, teacher: async () => refusing });
    await tools.call("ingest-corpus", { path: articles });
    expect(await tools.refusal("generate-preference-pair", { topic: "nacre tablets" })).toMatch(/I would rather not/);
    expect(asked).toBe(1);
  });

  it("is a question of the world that is held out, whoever asks it", async () => {
    const anyone = async () => createWorldTeacher({ allowed: () => true });
    await use({ ...context, teacher: anyone });
    await tools.call("ingest-corpus", { path: "materials-world" });
    const { questions } = await make({ count: 24 });
    const heldOut = new Set(
      [...WORLD.questions("unseen-combination"), ...WORLD.questions("unseen-material")].map(({ text }) => text),
    );
    expect(questions.filter((question) => heldOut.has(question))).toEqual([]);
  });
});

describe("a question", () => {
  const topic = "nacre tablets";

  beforeEach(async () => {
    const student = savingStudent();
    const teacher = async () => askingTeacher(["Why is nacre much tougher than pure aragonite?"]);
    await use({ ...(await smallContext(student)), teacher });
    await tools.call("ingest-corpus", { path: articles });
  });

  it("that was asked of this very model comes again only where nothing else is left, and that is said", async () => {
    const first = await make({ topic });
    const second = await make({ topic, count: 4 });
    expect(second).toMatchObject({ made: 1, pairs: 2, questions: first.questions });
    expect(second.notices[0]).toMatch(/asked before: choose another topic, ingest more text, or call train-iteration/);
    expect((await stored()).map(({ provenance }) => provenance.seed)).toEqual([0, expect.any(Number)]);
  });

  it("may be asked again of the model that came out of a training", async () => {
    await make({ topic });
    await tools.call("train-iteration", { steps: 1 });
    expect(await make({ topic })).toMatchObject({ notices: [], failures: [], pairs: 2 });
  });
});
