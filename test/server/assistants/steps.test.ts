/** @file Assistants that work step by step with a scripted student: from a folder to a trained model by descriptions, results and errors alone. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { createRunDirectory } from "../../../src/agents/index.js";
import { SamplingChatModel } from "../../../src/agents/models/sampling-chat-model.js";
import { openRunFolder } from "../../../src/tools/index.js";
import { NACRE, WOOD } from "../../agents/scripted-student.js";
import { type SmallContext, smallContext } from "../../tools/small-context.js";
import { assist, type Step, type Work } from "./assistant.js";
import { type Era, httpDesk, type People, stdioDesk } from "./desks.js";
import { taskDesk } from "./wire-desk.js";

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A context with a folder of two documents in it. */
async function withFolder(over: object = {}): Promise<{ context: SmallContext; folder: string }> {
  const context = await smallContext();
  Object.assign(context, over);
  closing.push(() => context.stop());
  const folder = join(context.home, "documents");
  await mkdir(folder);
  await writeFile(join(folder, "nacre.md"), NACRE);
  await writeFile(join(folder, "wood.md"), WOOD);
  return { context, folder };
}

async function deskOn(context: SmallContext, era: Era, people?: People, open = stdioDesk) {
  const desk = await open(context, era, people);
  closing.push(() => desk.close());
  return desk;
}

const toolsOf = ({ steps }: Pick<Work, "steps">): string[] => steps.map(({ tool }) => tool);
const answersOf = ({ steps }: Pick<Work, "steps">, tool: string): Step["answer"][] =>
  steps.filter((step) => step.tool === tool).map(({ answer }) => answer);

const ERAS = ["2025-11-25", "2026-07-28"] as const;
const TRAIN = "Train the model on preference pairs";
const WHOLE_WAY = [
  "train-iteration",
  "generate-preference-pair",
  "ingest-corpus",
  "generate-preference-pair",
  "train-iteration",
];

describe("an assistant that begins with the wrong tool", () => {
  it.each([
    ["2025-11-25", stdioDesk],
    ["2026-07-28", httpDesk],
  ] as const)("is led through corpus and pairs to a trained model (%s)", async (era, open) => {
    const { context, folder } = await withFolder();
    const desk = await deskOn(context, era, {}, open);
    const work = await assist(desk, { wishes: [TRAIN], beginsWith: "train-iteration", facts: { folder } });
    expect(toolsOf(work)).toEqual(WHOLE_WAY);
    expect(work.results[0]?.structured).toMatchObject({ pairs: 1, lossType: "orpo" });
    expect(context.scripted.saved).toHaveLength(1);
  });
});

describe("an assistant whose client knows tasks", () => {
  it.each(ERAS)("goes the same way, each long call a task (%s)", async (era) => {
    const { context, folder } = await withFolder();
    const desk = await taskDesk(context, era);
    closing.push(() => desk.close());
    const work = await assist(desk, { wishes: [TRAIN], beginsWith: "train-iteration", facts: { folder } });
    expect(toolsOf(work)).toEqual(WHOLE_WAY);
    expect(new Set(desk.tasks).size).toBe(WHOLE_WAY.length);
    expect(work.results[0]?.structured).toMatchObject({ pairs: 1 });
  });
});

describe("an assistant that was given the path of a folder", () => {
  it("that is misspelled finds it by the error", async () => {
    const { context, folder } = await withFolder();
    const desk = await deskOn(context, "2026-07-28");
    const work = await assist(desk, {
      wishes: ["Retrieve passages about nacre"],
      facts: { folder: `${folder.slice(0, -2)}st` },
    });
    const paths = work.steps.filter(({ tool }) => tool === "ingest-corpus").map(({ args }) => args["path"]);
    expect(paths).toEqual([`${folder.slice(0, -2)}st`, folder]);
    expect(work.results[0]?.structured).toMatchObject({
      passages: expect.arrayContaining([expect.objectContaining({ source: "nacre.md" })]),
    });
  });

  it("that is empty ends with what the user has to do", async () => {
    const { context } = await withFolder();
    const folder = join(context.home, "empty");
    await mkdir(folder);
    const desk = await deskOn(context, "2026-07-28");
    const work = assist(desk, { wishes: [TRAIN], beginsWith: "train-iteration", facts: { folder } });
    await expect(work).rejects.toThrow(/ingest-corpus says "no readable file in .*Put documents there/);
  });
});

describe("an assistant with text of the user's own", () => {
  it("and the package's model hears that the text needs another, and which setting names it", async () => {
    const { context, folder } = await withFolder({ recipe: "nano" });
    const desk = await deskOn(context, "2025-11-25");
    const work = assist(desk, { wishes: [TRAIN], beginsWith: "train-iteration", facts: { folder } });
    await expect(work).rejects.toThrow(/PREFLEXOR_MODEL/);
    expect(context.scripted.batches).toHaveLength(0);
  });
});

describe("an assistant that is to take a folder out of the corpus", () => {
  const wishes = ["Ingest the corpus"];
  const gone = { passages: 0 };

  it.each(ERAS)("does so where the user agrees to the client's question (%s)", async (era) => {
    const { context, folder } = await withFolder();
    const desk = await deskOn(context, era, { user: () => "accept" });
    const [first = ""] = wishes;
    await assist(desk, { wishes: [first], facts: { folder } });
    const work = await assist(desk, { wishes: [first], facts: { folder, remove: true } });
    expect(desk.asked).toHaveLength(1);
    expect(work.results[0]?.structured).toMatchObject(gone);
  });

  it.each(ERAS)("leaves it where the user says no, and does not ask again (%s)", async (era) => {
    const { context, folder } = await withFolder();
    const desk = await deskOn(context, era, { user: () => "decline" });
    await assist(desk, { wishes: ["Ingest the corpus"], facts: { folder } });
    const work = assist(desk, { wishes: ["Ingest the corpus"], facts: { folder, remove: true } });
    await expect(work).rejects.toThrow("the user said no: nothing was removed");
    expect(desk.asked).toHaveLength(1);
    expect((await desk.call("retrieve-context", { query: "nacre" })).isError).toBe(false);
  });

  it("asks the user itself where the client cannot", async () => {
    const { context, folder } = await withFolder();
    const desk = await deskOn(context, "2026-07-28");
    await assist(desk, { wishes: ["Ingest the corpus"], facts: { folder } });
    const goal = { wishes: ["Ingest the corpus"], facts: { folder, remove: true } };
    await expect(assist(desk, { ...goal, consents: false })).rejects.toThrow("the user says no");
    const work = await assist(desk, goal);
    expect(work.steps.at(-1)?.args).toMatchObject({ confirm: true });
    expect(work.results[0]?.structured).toMatchObject(gone);
  });
});

describe("an assistant whose client offers its model", () => {
  it.each(ERAS)("has it write the pairs (%s)", async (era) => {
    const { context, folder } = await withFolder({
      teacher: async (client: ConstructorParameters<typeof SamplingChatModel>[0]["client"]) =>
        new SamplingChatModel({ client }),
    });
    const desk = await deskOn(context, era, { model: teach });
    const work = await assist(desk, { wishes: [TRAIN], beginsWith: "train-iteration", facts: { folder } });
    expect(desk.prompts.length).toBeGreaterThan(1);
    const [, made] = answersOf(work, "generate-preference-pair");
    expect(made?.structured?.["pair"]).toMatchObject({ chosen: expect.stringContaining("Tablets slide.") });
  });
});

/** A client's model that calls tools as JSON: a question, a look at the text, a reply. */
function teach(system: string, prompt: string): string {
  const call = (tool: string, args: object): string => JSON.stringify({ tool, arguments: args });
  const question = "Why is nacre tougher than pure aragonite?";
  if (system.startsWith("Job: write-question")) return call("submit-question", { question });
  if (!prompt.includes("Result of retrieve-context")) return call("retrieve-context", { query: "nacre tablets" });
  return call("submit-answer", { thinking: "Tablets slide.", answer: "Because its tablets slide." });
}

describe("an assistant that is asked what the curves say", () => {
  it("finds the run by itself, and hears what to change", async () => {
    const { context, folder } = await withFolder();
    const { name, path } = await createRunDirectory(context.home, { kind: "tools", request: { model: "scripted" } });
    Object.assign(context, { run: () => openRunFolder(path) });
    const desk = await deskOn(context, "2026-07-28");
    await assist(desk, { wishes: [TRAIN], beginsWith: "train-iteration", facts: { folder } });
    const work = await assist(desk, { wishes: ["Explain the metrics of my last training"] });
    expect(toolsOf(work)).toEqual(["explain-metrics", "list-runs", "explain-metrics"]);
    expect(work.steps.at(-1)?.args).toEqual({ run: name });
    const findings = work.results[0]?.structured?.["findings"] as { readonly advice: readonly string[] }[];
    expect(findings.flatMap(({ advice }) => advice).join(" ")).toMatch(/pairs/);
  });
});
