/** @file train-iteration by other losses than ORPO: whose settings, which reference, and when the optimizer begins anew. */
import { readdir } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SavingStudent, savingStudent } from "./saving-student.js";
import { type SmallContext, smallContext } from "./small-context.js";
import { type ToolClient, toolClient } from "./tool-client.js";

let context: SmallContext;
let student: SavingStudent;
let tools: ToolClient;

beforeEach(async () => {
  student = savingStudent();
  context = await smallContext(student);
  tools = await toolClient(context);
  await tools.call("ingest-corpus", { path: "materials-world" });
  await tools.call("generate-preference-pair", { count: 4 });
});
afterEach(() => tools.client.close());

const lossesOf = (): string[] => student.batches.map(({ options }) => options.loss);

describe("a loss with a reference", () => {
  it("compares with the weights that the call began with, each time anew", async () => {
    await tools.call("train-iteration", { steps: 2, loss: "exo_pair" });
    await tools.call("train-iteration", { steps: 1, loss: "exo_pair" });
    expect(student.changes).toEqual(["reference at 0", "reference at 2"]);
    expect(student.batches.every(({ batch }) => batch.reference?.length === batch.pairs.length)).toBe(true);
  });

  it("takes the settings of the recipe's EXO phase: its rate scales with the model, its smoothing is above zero", async () => {
    Object.assign(student.policy, { info: { ...student.policy.info, parameters: 135e6 } });
    await tools.call("train-iteration", { steps: 3, loss: "exo_pair" });
    // The paper's 5e-7 times the square root of 3.2e9 / 135e6, after a warm-up of two steps.
    expect(student.batches[2]?.options).toMatchObject({ loss: "exo_pair", learningRate: 2.4e-6 });
    expect(student.batches[2]?.options.labelSmoothing).toBeGreaterThan(0);
  });
});

describe("the optimizer", () => {
  it("goes on where the loss stays, and begins anew where it changes, while the run's steps are counted on", async () => {
    const said = [];
    for (const loss of ["orpo", "orpo", "exo_pair", "exo_pair", "orpo"]) {
      said.push(await tools.call("train-iteration", { steps: 2, loss }));
    }
    expect(said.map(({ optimizerReset }) => optimizerReset)).toEqual([false, false, true, false, true]);
    expect(said.map(({ totalSteps }) => totalSteps)).toEqual([2, 4, 6, 8, 10]);
    expect(student.changes.filter((change) => change.startsWith("optimizer"))).toEqual([
      "optimizer at 4",
      "optimizer at 8",
    ]);
    const run = await context.run();
    expect(student.saved).toEqual([2, 4, 6, 8, 10].map((step) => run.checkpointDirectory(step)));
    expect(lossesOf()).toEqual([..."oooo"].map(() => "orpo").concat(Array(4).fill("exo_pair"), ["orpo", "orpo"]));
  });

  it("counts steps that are in the model but could not be saved", async () => {
    await tools.call("train-iteration", { steps: 2, loss: "sigmoid" });
    const { saveCheckpoint } = student.policy;
    const full = async (): Promise<never> => {
      throw new Error("the disk is full");
    };
    Object.assign(student.policy, { saveCheckpoint: full });
    expect(await tools.refusal("train-iteration", { steps: 3, loss: "sigmoid" })).toContain("the disk is full");
    Object.assign(student.policy, { saveCheckpoint });
    expect(await tools.call("train-iteration", { steps: 1, loss: "sigmoid" })).toMatchObject({ totalSteps: 6 });
  });

  it("is judged by what the checkpoint says, also in another process", async () => {
    await tools.call("train-iteration", { steps: 1, loss: "sigmoid" });
    await tools.client.close();
    tools = await toolClient(Object.assign({}, context));
    expect(await tools.call("train-iteration", { steps: 1, loss: "sigmoid" })).toMatchObject({ optimizerReset: false });
    expect(await tools.call("train-iteration", { steps: 1 })).toMatchObject({ optimizerReset: true, lossType: "orpo" });
  });
});

it("sft learns from the chosen replies alone, and names no reward", async () => {
  const trained = await tools.call("train-iteration", { steps: 1, loss: "sft" });
  expect(trained).toMatchObject({ lossType: "sft" });
  expect(trained).not.toHaveProperty("rewardMargin");
  expect(student.batches[0]?.batch.pairs).toEqual([]);
  expect(student.batches[0]?.batch.texts.length).toBeGreaterThan(0);
  expect(student.changes).toEqual([]);
});

it("refuses a loss that there is not, naming those that there are", async () => {
  expect(await tools.refusal("train-iteration", { loss: "dpo" })).toMatch(
    /loss: expected "orpo" or "exo_pair" or .*, found "dpo"/,
  );
});

describe("a dry run", () => {
  const asked: { readonly steps: number }[] = [];
  beforeEach(() => {
    asked.length = 0;
    const estimateTraining = async (work: { readonly steps: number }) => {
      asked.push(work);
      return estimate;
    };
    Object.assign(context, { runs: { ...context.runs, estimateTraining } });
  });
  const estimate = {
    rounds: 1,
    pairs: 4,
    steps: 9,
    memoryBytes: 5,
    freeBytes: 9,
    seconds: { low: 1, high: 2 },
    basis: "a test",
    notes: [],
  };

  it("says what the call would do and cost, opens no model, and trains and writes nothing", async () => {
    Object.assign(context, {
      student: async () => {
        throw new Error("the model was opened");
      },
    });
    const run = await context.run();
    const before = await readdir(run.directory);
    const said = await tools.call("train-iteration", { steps: 9, loss: "exo_pair", dry_run: true });
    expect(said).toMatchObject({
      steps: 9,
      pairs: 4,
      totalSteps: 0,
      optimizerReset: false,
      lossType: "exo_pair",
      estimate,
    });
    expect(said).not.toHaveProperty("checkpoint");
    expect(asked).toEqual([{ pairs: 4, steps: 9, loss: "exo_pair" }]);
    expect(student.batches).toEqual([]);
    expect(await readdir(run.directory)).toEqual(before);
  });

  it("takes as many steps as the call itself would", async () => {
    await tools.call("train-iteration", { dry_run: true });
    const { steps } = await tools.call<{ steps: number }>("train-iteration");
    expect(asked.map((work) => work.steps)).toEqual([steps]);
  });
});
