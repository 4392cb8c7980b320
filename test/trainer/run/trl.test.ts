/** @file Steps and runs of the policy against TRL's own trainers on the same token ids. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { learningRateAt, type ScheduleName } from "../../../src/trainer/optim/index.js";
import { openPolicy, type Policy, type StepMetrics, type StepOptions } from "../../../src/trainer/run/index.js";
import type { LossName, Weights } from "../../../src/trainer/run/policy.js";
import type { TokenizedPair } from "../../../src/trainer/text/types.js";
import { goldenFolder } from "../../support/golden.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";

interface GoldenPair {
  readonly prompt: number[];
  readonly chosen: number[];
  readonly chosen_labels: number[];
  readonly rejected: number[];
  readonly rejected_labels: number[];
}

interface GoldenOptions {
  readonly loss: LossName;
  readonly learning_rate: number;
  readonly schedule: ScheduleName;
  readonly warmup_steps: number;
  readonly weight_decay: number;
  readonly max_grad_norm: number;
  readonly beta: number;
  readonly label_smoothing?: number;
  readonly simpo_gamma?: number;
  /** "base": the model without adapter; "start": the adapter as the run starts. */
  readonly reference: "base" | "start";
  readonly pairs: string;
}

interface Steps {
  readonly pairs: Readonly<Record<string, readonly GoldenPair[]>>;
  readonly cases: Readonly<
    Record<string, { readonly options: GoldenOptions; readonly metrics: Readonly<Record<string, number>> }>
  >;
}

interface Run {
  readonly options: GoldenOptions;
  readonly pairs: readonly GoldenPair[];
  readonly batches: readonly (readonly number[])[];
  readonly steps: Readonly<Record<string, readonly number[]>>;
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(fileURLToPath(new URL(`../../fixtures/trl/${name}.json`, import.meta.url)), "utf8"));

const tokenized = (pair: GoldenPair): TokenizedPair => ({
  prompt: Int32Array.from(pair.prompt),
  chosen: { ids: Int32Array.from(pair.chosen), labels: Uint8Array.from(pair.chosen_labels) },
  rejected: { ids: Int32Array.from(pair.rejected), labels: Uint8Array.from(pair.rejected_labels) },
});

const stepOptions = (golden: GoldenOptions): StepOptions => ({
  loss: golden.loss,
  learningRate: golden.learning_rate,
  beta: golden.beta,
  ...(golden.label_smoothing === undefined ? {} : { labelSmoothing: golden.label_smoothing }),
  ...(golden.simpo_gamma === undefined ? {} : { simpoGamma: golden.simpo_gamma }),
  maxGradNorm: golden.max_grad_norm,
  weightDecay: golden.weight_decay,
  textWeight: 0,
  nllOver: "prompt+chosen",
  maxTokens: 4096,
});

const hasReference = (loss: LossName): boolean => !["sft", "orpo", "simpo"].includes(loss);

const { model, adapter } = goldenFolder("gqa-untied");
let policy: Policy;
beforeAll(async () => {
  policy = await openPolicy({ model, trainable: GOLDEN_LORA, seed: 1, threads: 1, device: "cpu" });
});
afterAll(() => policy.close());

/** One step from the saved adapter. */
async function firstStep(golden: GoldenOptions, pairs: readonly TokenizedPair[], overrides: Partial<StepOptions> = {}) {
  await policy.loadAdapter(adapter);
  return policy.trainStep(await batchOf(golden.loss, pairs, "base"), { ...stepOptions(golden), ...overrides });
}

async function batchOf(loss: LossName, pairs: readonly TokenizedPair[], weights: Weights) {
  if (!hasReference(loss)) return { pairs, texts: [] };
  return { pairs, texts: [], reference: await policy.scorePairs(pairs, { weights }) };
}

describe("one step", () => {
  const { pairs, cases } = read("steps") as Steps;

  it.each(Object.entries(cases))("%s: TRL's loss, metrics and gradient norm", async (_, { options, metrics }) => {
    const found = await firstStep(options, (pairs[options.pairs] ?? []).map(tokenized));
    for (const [name, expected] of Object.entries(metrics)) {
      // CPOTrainer logs an NLL of 0 that is in no loss.
      if (options.loss === "simpo" && name === "nll_loss") continue;
      const tolerance = 1e-5 * Math.max(1, Math.abs(expected));
      expect(Math.abs((found[name] ?? Number.NaN) - expected), `${name}: ${found[name]}, ${expected}`).toBeLessThan(
        tolerance,
      );
    }
  });

  it.each(["ipo", "exo_pair", "orpo", "simpo"])("%s is the same in micro-batches of one row", async (name) => {
    const { options } = cases[name] as Steps["cases"][string];
    const rows = (pairs["plain"] ?? []).map(tokenized);
    const [whole, cut] = [await firstStep(options, rows), await firstStep(options, rows, { maxTokens: 1 })];
    for (const [metric, value] of Object.entries(whole))
      expect(Math.abs((cut[metric] as number) - value), metric).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)));
  });
});

describe.each(["orpo", "exo"])("50 steps of %s", (name) => {
  const { options, pairs, batches, steps } = read(`${name}-50`) as Run;
  const found: StepMetrics[] = [];

  beforeAll(async () => {
    await policy.loadAdapter(adapter);
    await policy.markReference();
    const schedule = {
      schedule: options.schedule,
      learningRate: options.learning_rate,
      warmupSteps: options.warmup_steps,
      totalSteps: batches.length,
    };
    const all = pairs.map(tokenized);
    const { reference } = await batchOf(options.loss, all, "reference");
    for (const [i, rows] of batches.entries()) {
      const batch = {
        pairs: rows.map((row) => all[row] as TokenizedPair),
        texts: [],
        ...(reference === undefined
          ? {}
          : { reference: rows.map((row) => reference[row] as (typeof reference)[number]) }),
      };
      found.push(
        await policy.trainStep(batch, { ...stepOptions(options), learningRate: learningRateAt(schedule, i + 1) }),
      );
    }
  });

  const residuals = (metric: string): number[] =>
    found.map((step, i) => Math.abs((step[metric] ?? Number.NaN) - (steps[metric]?.[i] ?? Number.NaN)));

  it("follow TRL's loss within 1e-4, and within 1e-5 on average", () => {
    const off = residuals("loss");
    expect(off).toHaveLength(50);
    expect(Math.max(...off)).toBeLessThan(1e-4);
    expect(off.reduce((a, b) => a + b, 0) / off.length).toBeLessThan(1e-5);
  });

  it("follow TRL's gradient norm within 1e-2", () => {
    expect(Math.max(...residuals("grad_norm"))).toBeLessThan(1e-2);
  });

  it("take TRL's learning rates and report its other metrics", () => {
    expect(Math.max(...residuals("learning_rate"))).toBeLessThan(1e-12);
    for (const metric of Object.keys(steps)) expect(Math.max(...residuals(metric)), metric).toBeLessThan(1e-2);
  });
});
