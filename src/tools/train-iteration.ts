/** @file train-iteration: optimizer steps on the pairs of the current run, then a checkpoint. */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { type Student, trainRound } from "../agents/index.js";
import type { StepMetrics } from "../trainer/index.js";
import { toolArguments, wholeNumber } from "./arguments.js";
import { progressOf, type ReportProgress } from "./progress.js";
import { replayOf } from "./replay.js";
import type { RunFolder } from "./run-folder.js";
import { recipeOf } from "./run-settings.js";
import { droppedNotice, tokenizeStored } from "./tokenize-stored.js";
import { callSignal, type ToolContext } from "./tool-context.js";
import { guarded, StoppedError, toolResult } from "./tool-result.js";

const NO_PAIRS = "no pairs yet: call generate-preference-pair first";

const input = toolArguments({
  steps: wholeNumber(1, 10_000)
    .optional()
    .describe(
      "Optimizer steps; by default enough to see a change, and at least two passes over the stored pairs. Fewer than " +
        "about 20 can leave a small model worse than before",
    ),
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
  notices: z.array(z.string()).describe("What the user should know, such as pairs that could not be used"),
});
type Trained = z.input<typeof trainIterationOutput>;

const config = {
  title: "Train an iteration",
  description:
    "Trains the model on all stored pairs of the current run with ORPO and writes a checkpoint. Needs pairs: call " +
    "generate-preference-pair several times before. Takes seconds to minutes; reports progress by step. A call that is " +
    "cancelled keeps the steps that it took, in a checkpoint of their own. Then ask with recursive-reason, or make new " +
    "pairs against the better model.",
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
  const { phase, leastSteps } = recipeOf(context.recipe);
  const { pairs, dropped } = tokenizeStored(stored, student, phase);
  const notice = droppedNotice(dropped, stored.length, phase);
  if (pairs.length === 0) throw new Error(`${notice}: call generate-preference-pair again, with other topics`);
  const perEpoch = Math.ceil(pairs.length / phase.batchPairs);
  const steps = wanted ?? Math.max(leastSteps, 2 * perEpoch);
  const seed = await student.policy.stepCount();
  const plan = { ...phase, steps, seed };
  const replay = replayOf(student, await context.environment());
  const rows: StepMetrics[] = [];
  const checkpoint = (): Promise<string> => keep(student, run, seed + rows.length, stored.length);
  const training = { policy: student.policy, signal, ...(replay && { replay }) };
  try {
    for await (const { step: taken, metrics } of trainRound(training, pairs, plan)) {
      rows.push(metrics);
      const step = seed + taken;
      await run.appendMetrics({ kind: "step", step, ...metrics });
      report(rows.length, steps, `step ${step}: loss ${metrics["loss"]?.toFixed(4)}`);
    }
  } catch (error) {
    if (rows.length === 0) throw error;
    throw await interrupted(error, rows.length, steps, checkpoint);
  }
  const ends = (key: string) => ({ first: rows[0]?.[key] ?? 0, last: rows.at(-1)?.[key] ?? 0 });
  return {
    steps: rows.length,
    loss: ends("loss"),
    rewardMargin: ends("rewards/margins"),
    pairs: pairs.length,
    dropped,
    totalSteps: seed + rows.length,
    checkpoint: await checkpoint(),
    adapter: run.adapterDirectory,
    notices: notice === undefined ? [] : [notice],
  };
}

/** A checkpoint of the model as it is, and its adapter for other programs. */
async function keep({ policy }: Student, run: RunFolder, step: number, pairs: number): Promise<string> {
  const path = await policy.saveCheckpoint(run.checkpointDirectory(step), { pairs });
  await policy.saveAdapter(run.adapterDirectory);
  return path;
}

/** The steps taken are in the model already, so they are saved: what is on disk and what answers stay the same. */
async function interrupted(
  cause: unknown,
  taken: number,
  steps: number,
  checkpoint: () => Promise<string>,
): Promise<Error> {
  const stopped = `stopped after ${taken} of ${steps} steps`;
  try {
    return new StoppedError(`${stopped}; they are kept in ${await checkpoint()}: call train-iteration again to go on`, {
      cause,
    });
  } catch {
    const lost = "they could not be saved: call train-iteration again, from the last checkpoint";
    return new StoppedError(`${stopped}; ${lost}`, { cause });
  }
}
