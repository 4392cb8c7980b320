/** @file train-iteration: optimizer steps on the pairs of the current run, then a checkpoint. */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { trainOnPairs } from "../agents/index.js";
import { toolArguments } from "./arguments.js";
import { progressOf, type ReportProgress } from "./progress.js";
import { replayOf } from "./replay.js";
import { recipeOf } from "./run-settings.js";
import { tokenizeStored } from "./tokenize-stored.js";
import { callSignal, type ToolContext } from "./tool-context.js";
import { guarded, toolResult } from "./tool-result.js";

const NO_PAIRS = "no pairs yet: call generate-preference-pair first";

const input = toolArguments({
  steps: z
    .number()
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe("Optimizer steps; by default two passes over the stored pairs, at least 4 steps"),
});

const reading = z.object({ first: z.number(), last: z.number() });

export const trainIterationOutput = z.object({
  steps: z.number().int().describe("Optimizer steps of this call"),
  loss: reading.describe("Loss of the first and of the last step"),
  rewardMargin: reading.describe("Mean reward of the chosen replies minus that of the rejected ones"),
  pairs: z.number().int().describe("Stored pairs that were trained on"),
  dropped: z.record(z.string(), z.number()).describe("Stored pairs that could not be used, by reason"),
  totalSteps: z.number().int().describe("Steps of this model since its run began"),
  checkpoint: z.string().describe("Directory of the new checkpoint; the next call goes on from it"),
  adapter: z.string().describe("Directory of the trained adapter or model, for other programs"),
});
type Trained = z.input<typeof trainIterationOutput>;

const config = {
  title: "Train an iteration",
  description:
    "Trains the model on all stored pairs of the current run with ORPO and writes a checkpoint. Needs pairs: call " +
    "generate-preference-pair several times before. Takes seconds to minutes; reports progress by step. Then ask with " +
    "recursive-reason, or make new pairs against the better model.",
  inputSchema: input,
  outputSchema: trainIterationOutput,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
};

export function registerTrainIteration(server: McpServer, context: ToolContext): void {
  server.registerTool("train-iteration", config, ({ steps }, request) => {
    const signal = callSignal(context, request);
    const work = async () => toolResult(trainIterationOutput, await train(context, steps, signal, progressOf(request)));
    return guarded("Call train-iteration again; stored pairs and the last checkpoint are kept", signal, () =>
      context.exclusive(signal, work),
    );
  });
}

async function train(
  context: ToolContext,
  wanted: number | undefined,
  signal: AbortSignal,
  report: ReportProgress,
): Promise<Trained> {
  const run = await context.run();
  const stored = await run.pairs();
  if (stored.length === 0) throw new Error(NO_PAIRS);
  report(0, wanted ?? 1, "opening the model");
  const student = await context.student();
  const recipe = recipeOf(context.recipe);
  const { pairs, dropped } = tokenizeStored(stored, student, recipe);
  if (pairs.length === 0)
    throw new Error(`none of the ${stored.length} stored pairs can be used: call generate-preference-pair again`);
  const perEpoch = Math.ceil(pairs.length / recipe.training.batchPairs);
  const steps = wanted ?? Math.max(4, 2 * perEpoch);
  const seed = await student.policy.stepCount();
  const plan = { ...recipe.training, epochs: Math.ceil(steps / perEpoch), maxSteps: steps, seed };
  const replay = replayOf(student, await context.environment());
  const rows: Record<string, number>[] = [];
  let last = seed;
  for await (const { step, metrics } of trainOnPairs(
    { policy: student.policy, signal, ...(replay && { replay }) },
    pairs,
    plan,
  )) {
    rows.push(metrics);
    last = step;
    await run.appendMetrics({ kind: "step", step, ...metrics });
    report(rows.length, steps, `step ${step}: loss ${metrics["loss"]?.toFixed(4)}`);
  }
  signal.throwIfAborted();
  const checkpoint = await student.policy.saveCheckpoint(run.checkpointDirectory(last), { pairs: stored.length });
  await student.policy.saveAdapter(run.adapterDirectory);
  const ends = (key: string) => ({ first: rows[0]?.[key] ?? 0, last: rows.at(-1)?.[key] ?? 0 });
  return {
    steps: rows.length,
    loss: ends("loss"),
    rewardMargin: ends("rewards/margins"),
    pairs: pairs.length,
    dropped,
    totalSteps: last,
    checkpoint,
    adapter: run.adapterDirectory,
  };
}
