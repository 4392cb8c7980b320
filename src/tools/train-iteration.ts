/** @file train-iteration: optimizer steps on the pairs of the current run, then a checkpoint. */
import type { McpServer, ServerContext } from "@modelcontextprotocol/server";
import { z } from "zod";
import { type PhasePlan, type Student, type TrainedStep, trainRound } from "../agents/index.js";
import { type LossName, needsReference, type StepMetrics } from "../trainer/index.js";
import { oneOf, toolArguments, wholeNumber, yesOrNo } from "./arguments.js";
import { OWN_TEXT, ownTextNeedsAModel } from "./own-text.js";
import { progressOf, type ReportProgress } from "./progress.js";
import { replayOf } from "./replay.js";
import type { RunFolder } from "./run-folder.js";
import { estimateSchema } from "./run-keeper.js";
import { phaseFor, recipeOf } from "./run-settings.js";
import { standingAtBegin, turnOf } from "./tasks/task-call.js";
import { droppedNotice, tokenizeStored } from "./tokenize-stored.js";
import { callSignal, type ToolContext } from "./tool-context.js";
import { guarded, resourceField, runResource, StoppedError, toolResult } from "./tool-result.js";

const NO_PAIRS = "no pairs yet: call generate-preference-pair first";

const LOSSES = [
  "orpo",
  "exo_pair",
  "sft",
  "sigmoid",
  "robust",
  "hinge",
  "ipo",
  "sigmoid_norm",
  "simpo",
] as const satisfies readonly LossName[];

const input = toolArguments({
  steps: wholeNumber(1, 10_000)
    .optional()
    .describe(
      "Optimizer steps; by default enough to see a change, and at least two passes over the stored pairs. Fewer than " +
        "about 20 can leave a small model worse than before",
    ),
  loss: oneOf(LOSSES)
    .default("orpo")
    .describe(
      "orpo teaches the form and needs no reference; exo_pair then refines, from pairs that were made against the trained " +
        "model; sft learns the chosen replies alone; the others are of the DPO family, under TRL's names. What needs a " +
        "reference compares with the weights as they are when this call begins. Another loss than the last call's starts " +
        "the optimizer anew",
    ),
  dry_run: yesOrNo()
    .default(false)
    .describe("Only estimate: steps, memory, time. Nothing is trained and no model opened"),
});

const reading = z.object({ first: z.number(), last: z.number() });
type Reading = z.infer<typeof reading>;

export const trainIterationOutput = z.object({
  steps: z.number().int().describe("Optimizer steps of this call; in a dry run those that it would take"),
  loss: reading.optional().describe("Loss of the first and of the last step; absent in a dry run"),
  rewardMargin: reading
    .optional()
    .describe("Mean reward of the chosen replies minus that of the rejected ones; sft has none"),
  lossType: z.enum(LOSSES).describe("What was trained with"),
  optimizerReset: z
    .boolean()
    .describe("Whether the optimizer was started anew, because the last call had another loss"),
  pairs: z.number().int().describe("Stored pairs that were trained on"),
  dropped: z.record(z.string(), z.number()).describe("Stored pairs that could not be used, by reason"),
  totalSteps: z.number().int().describe("Steps of this model since its run began"),
  checkpoint: z
    .string()
    .optional()
    .describe("Directory of the new checkpoint; the next call goes on from it. Absent in a dry run"),
  adapter: z.string().describe("Directory of the trained adapter or model, for other programs"),
  resource: resourceField("the run's curves"),
  estimate: estimateSchema.optional().describe("Of a dry run: what it would cost"),
  notices: z.array(z.string()).describe("What the user should know, such as pairs that could not be used"),
});
type Trained = z.input<typeof trainIterationOutput>;

const config = {
  title: "Train an iteration",
  description:
    "Trains the model on all stored pairs of the current run, by default with ORPO, and writes a checkpoint. Needs pairs: call " +
    "generate-preference-pair several times before. Takes seconds to minutes (dry_run estimates it); reports progress by step. A call that is " +
    "cancelled keeps the steps that it took, in a checkpoint of their own. Then ask with recursive-reason, or make new " +
    "pairs against the better model.",
  inputSchema: input,
  outputSchema: trainIterationOutput,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
};

export function registerTrainIteration(server: McpServer, context: ToolContext): void {
  server.registerTool("train-iteration", config, ({ dry_run: dryRun, ...asked }, request) => {
    const signal = callSignal(context, request);
    const work = async () =>
      dryRun
        ? toolResult(trainIterationOutput, await estimated(context, asked))
        : toolResult(trainIterationOutput, await train(context, asked, signal, request));
    // An estimate waits for nobody.
    const turn = () => (dryRun ? work() : context.exclusive(signal, work, turnOf(request, "train-iteration")));
    return guarded("Call train-iteration again; stored pairs and the last checkpoint are kept", signal, turn);
  });
}

type Asked = Omit<z.infer<typeof input>, "dry_run">;

/** All stored pairs count: which of them are too long is only known with the model's tokenizer. */
async function estimated(context: ToolContext, { steps: wanted, loss }: Asked): Promise<Trained> {
  const run = await context.run();
  const pairs = (await run.pairs()).length;
  if (pairs === 0) throw new Error(NO_PAIRS);
  const { totalSteps = 0, loss: last } = (await run.lastTraining()) ?? {};
  const steps = wanted ?? stepsFor(context, pairs, phaseFor(context.recipe, loss, ANY_SIZE));
  const estimate = await context.runs.estimateTraining({ pairs, steps, loss });
  return {
    steps,
    lossType: loss,
    optimizerReset: last !== undefined && last !== loss,
    pairs,
    dropped: {},
    totalSteps,
    adapter: run.adapterDirectory,
    estimate,
    notices: ["a dry run: nothing was trained; call train-iteration with the same arguments without dry_run"],
  };
}

/** A phase's batch does not depend on the size of the model. */
const ANY_SIZE = 1e6;

const stepsFor = ({ recipe }: ToolContext, pairs: number, { batchPairs }: Pick<PhasePlan, "batchPairs">): number =>
  Math.max(recipeOf(recipe).leastSteps, 2 * Math.ceil(pairs / batchPairs));

/** What to do where no pair can be trained on. */
async function otherPairs(context: ToolContext): Promise<string> {
  const corpus = await context.activeCorpus();
  if (corpus !== undefined && ownTextNeedsAModel(context, corpus)) return OWN_TEXT;
  return "call generate-preference-pair again, with other topics";
}

async function train(
  context: ToolContext,
  { steps: wanted, loss }: Asked,
  signal: AbortSignal,
  request: ServerContext,
): Promise<Trained> {
  const report = progressOf(request);
  const run = await context.run();
  const stored = await run.pairs();
  if (stored.length === 0) throw new Error(NO_PAIRS);
  await run.claim();
  report(0, wanted ?? 1, "opening the model");
  const student = await context.student();
  const phase = phaseFor(context.recipe, loss, student.policy.info.parameters);
  const { pairs, dropped } = tokenizeStored(stored, student, phase);
  const notice = droppedNotice(dropped, stored.length, phase);
  if (pairs.length === 0) throw new Error(`${notice}: ${await otherPairs(context)}`);
  const replay = replayOf(student, await context.environment());
  const { before, optimizerReset } = await prepare(student, run, loss);
  const began = await standingAtBegin(request, beginning, async () => ({
    totalSteps: before,
    steps: wanted ?? stepsFor(context, pairs.length, phase),
  }));
  const { steps } = began;
  const rows = await run.keptSteps(began.totalSteps, before);
  const left = Math.max(0, began.totalSteps + steps - before);
  const training = { policy: student.policy, signal, ...(replay && { replay }) };
  const events = trainRound(training, pairs, { ...phase, steps: left, seed: before });
  const plan = { student, run, loss, first: began.totalSteps, steps, rows, stored: stored.length, report };
  const checkpoint = left > 0 ? await takeSteps(events, plan) : await keptAlready(student, run, before);
  const margin = endsOf(rows, "rewards/margins");
  return {
    steps: rows.length,
    loss: endsOf(rows, "loss") as Reading,
    ...(margin && { rewardMargin: margin }),
    lossType: loss,
    optimizerReset,
    pairs: pairs.length,
    dropped,
    totalSteps: began.totalSteps + rows.length,
    checkpoint,
    adapter: run.adapterDirectory,
    ...runResource(context.home, run.directory, "metrics"),
    notices: notice === undefined ? [] : [notice],
  };
}

/** What stood when the call began: a task that goes on in a new server takes only the steps that are left. */
const beginning = z.object({ totalSteps: z.number().int(), steps: z.number().int() });

interface Steps {
  readonly student: Student;
  readonly run: RunFolder;
  readonly loss: LossName;
  /** Steps of the run when the call began, steps of the call, and pairs that the run has. */
  readonly first: number;
  readonly steps: number;
  readonly stored: number;
  /** Metrics of the steps that are taken already; those of the others are added. */
  readonly rows: StepMetrics[];
  readonly report: ReportProgress;
}

/** Takes the steps and saves what came out, also where it is interrupted after one of them. Returns the checkpoint. */
async function takeSteps(
  events: AsyncIterable<TrainedStep>,
  { student, run, loss, first, steps, rows, stored, report }: Steps,
): Promise<string> {
  const earlier = rows.length;
  const checkpoint = (): Promise<string> => keep(student, run, first + rows.length, { loss, pairs: stored });
  try {
    for await (const { metrics } of events) {
      rows.push(metrics);
      const step = first + rows.length;
      await run.appendMetrics({ kind: "step", step, loss_type: loss, ...metrics });
      report(rows.length, steps, `step ${step}: loss ${metrics["loss"]?.toFixed(4)}`);
    }
  } catch (error) {
    if (rows.length === earlier) throw error;
    throw await interrupted(error, rows.length, steps, checkpoint);
  }
  return checkpoint();
}

/** All steps were taken before the server ended; the adapter may not have been written. */
async function keptAlready({ policy }: Student, run: RunFolder, step: number): Promise<string> {
  await policy.saveAdapter(run.adapterDirectory);
  return run.checkpointDirectory(step);
}

/** Where the count of the run's steps stands. The optimizer goes on where the last call's loss is this one's. */
async function prepare(
  { policy }: Student,
  run: RunFolder,
  loss: LossName,
): Promise<{ readonly before: number; readonly optimizerReset: boolean }> {
  const last = await run.lastTraining();
  const count = await policy.stepCount();
  // Steps that could not be saved are in the model, and in no checkpoint.
  const before = last === undefined ? count : last.totalSteps + Math.max(0, count - last.optimizerSteps);
  const optimizerReset = last !== undefined && last.loss !== loss;
  if (optimizerReset) await policy.resetOptimizer();
  if (needsReference(loss)) await policy.markReference();
  return { before, optimizerReset };
}

function endsOf(rows: readonly StepMetrics[], key: string): Reading | undefined {
  const [first, last] = [rows[0]?.[key], rows.at(-1)?.[key]];
  return first === undefined || last === undefined ? undefined : { first, last };
}

/** A checkpoint of the model as it is, and its adapter for other programs. */
async function keep(
  { policy }: Student,
  run: RunFolder,
  step: number,
  { loss, pairs }: { readonly loss: LossName; readonly pairs: number },
): Promise<string> {
  const path = await policy.saveCheckpoint(run.checkpointDirectory(step), { pairs, loss_type: loss });
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
