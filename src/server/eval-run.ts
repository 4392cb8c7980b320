/** @file `preflexor eval`: a model, what is asked of it, and a report that says how sure each number is. */
import { writeFile } from "node:fs/promises";
import { extname } from "node:path";
import {
  type EvaluationReport,
  evaluationMarkdown,
  evaluationReportSchema,
  loadWorldCritic,
  recursiveReasoner,
} from "../agents/index.js";
import { reasoningSampling, recipeOf } from "../tools/run-settings.js";
import { type CommandFrame, runInFrame } from "./command-frame.js";
import type { EvalContext, Recursion } from "./eval-context.js";
import { type EnvironmentInputs, readInputs } from "./eval-inputs.js";
import { measure } from "./eval-measure.js";
import { type EvaluatedModel, openEvaluated } from "./eval-model.js";
import { type EvalOptions, planOf } from "./eval-plan.js";
import { replyJournal } from "./eval-replies.js";
import { judgeOf, recipeNameOf } from "./models.js";
import { packageVersion } from "./version.js";

/** Evaluates and prints; resolves to the exit code. */
export async function runEval(options: EvalOptions): Promise<number> {
  return runInFrame(options, async (frame) => {
    const journal = replyJournal();
    const report = await evaluate(options, frame, journal);
    frame.display.end();
    if (options.replies !== undefined) await journal.write(options.replies);
    await printReport(report, options);
    return 0;
  });
}

/** Everything that is measured; opens what it needs and closes it with the frame. */
export async function evaluate(
  options: EvalOptions,
  frame: CommandFrame,
  journal = replyJournal(),
): Promise<EvaluationReport> {
  const plan = planOf(options);
  const inputs = await readInputs(options, plan, frame);
  const model = await openEvaluated(options, frame);
  const { thinking, seed } = options;
  const maxNewTokens = options.maxNewTokens ?? recipeOf(recipeNameOf(model.path)).reasoningTokens;
  const recursion =
    plan.depths.length === 0 ? undefined : await recursionOf(model, inputs.environment!, maxNewTokens, frame);
  const { display, signal } = frame;
  const context = { model, inputs, plan, thinking, maxNewTokens, seed, recursion, journal, display, signal };
  return reportOf(context, model, options);
}

/** Recursion with the environment's critic, over a store of its documents in memory. */
async function recursionOf(
  { respondent, path }: EvaluatedModel,
  { world, name }: EnvironmentInputs,
  maxNewTokens: number,
  { display, signal, onEnd }: CommandFrame,
): Promise<Recursion> {
  const { createLexicalEmbedder, ingestDocuments, openInProcessStore } = await import("../agents/corpus/index.js");
  const store = await openInProcessStore({ embedder: createLexicalEmbedder(), version: packageVersion() });
  onEnd(() => store.close());
  display.phase("ingest the environment's documents", 1);
  await ingestDocuments(world.documents, store, { signal });
  const judge = await judgeOf({ kind: "world", path: name }, store, await loadWorldCritic());
  const sampling = { ...reasoningSampling(recipeOf(recipeNameOf(path))), maxNewTokens };
  return {
    critic: (await judge.critic()).modelName,
    reason: recursiveReasoner({ ...respondent, ...judge, store }, { sampling }),
  };
}

async function reportOf(
  context: EvalContext,
  { facts, opponent }: EvaluatedModel,
  { limit, invocation, temperature, topP }: EvalOptions,
): Promise<EvaluationReport> {
  const { inputs, plan, seed, maxNewTokens, recursion } = context;
  const { environment } = inputs;
  return evaluationReportSchema.parse({
    command: "eval",
    format: 1,
    version: packageVersion(),
    invocation,
    model: facts,
    against: opponent === undefined ? null : { name: opponent.name, sha256: opponent.sha256 },
    environment: environment === undefined ? null : { name: environment.name, seed: environment.seed },
    seed,
    sampling: { maxNewTokens, samples: plan.sampling?.samples ?? 0, temperature, topP },
    limit: limit ?? null,
    critic: recursion?.critic ?? null,
    ...(await measure(context)),
  } satisfies EvaluationReport);
}

async function printReport(report: EvaluationReport, { json, output }: EvalOptions): Promise<void> {
  const line = `${JSON.stringify(report)}\n`;
  const markdown = evaluationMarkdown(report);
  if (output !== undefined) await writeFile(output, extname(output) === ".json" ? line : markdown);
  if (json) process.stdout.write(line);
  else if (output === undefined) process.stdout.write(markdown);
  else process.stdout.write(`${output}\n`);
}
