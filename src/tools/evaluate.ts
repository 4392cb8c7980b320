/** @file evaluate: what a trained model can do, on questions and pairs that it was not trained on. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { type EvaluationReport, evaluationMarkdown, evaluationReportSchema, THINKING_MODES } from "../agents/index.js";
import { oneOf, toolArguments, wholeNumber, words, yesOrNo } from "./arguments.js";
import { progressOf } from "./progress.js";
import type { EvaluationRequest } from "./run-keeper.js";
import { turnOf } from "./tasks/task-call.js";
import { callSignal, type ToolContext } from "./tool-context.js";
import { guarded, toolResult } from "./tool-result.js";
import { runDetail, runPlace } from "./views/index.js";

const HELD_OUT_PAIRS = "held-out-pairs.jsonl";

const input = toolArguments({
  run: words("the id of a run, as list-runs gives it")
    .optional()
    .describe("What this run trained: its adapter, or its newest checkpoint"),
  adapter: words("a directory").optional().describe("Or an adapter or checkpoint, by its directory"),
  model: words("a model directory or a hub id")
    .optional()
    .describe("The model, or the base of the adapter; by default what the adapter names"),
  against: words('"base", the id of a run, or a directory')
    .optional()
    .describe(
      'Compare with "base" (the model without what was trained), with another run by its id, or with an adapter\'s directory',
    ),
  on: z
    .array(oneOf(["world", "pairs", "questions"]))
    .min(1)
    .optional()
    .describe(
      "What to measure: world: held-out questions of materials-world, marked by a program; pairs: held-out preference pairs, ranked; " +
        "questions: replies to questions of a file, judged. By default pairs where the run has held-out pairs or a file is named, questions where a file is named, world where the run was taught on it",
    ),
  pairs: words("a file")
    .optional()
    .describe("JSONL or Parquet of held-out pairs; by default those that the run held out"),
  questions: words("a file").optional().describe('JSONL with {"question", "reference"?} on each line'),
  limit: wholeNumber(1, 100_000)
    .default(100)
    .describe("At most so many of each split or file: more are surer and take longer"),
  samples: wholeNumber(1, 64).optional().describe("Of each world question, for pass@k"),
  thinking: oneOf(THINKING_MODES).default("on").describe("Whether the prompt asks to think"),
  judge: words("lexical or the name of a model")
    .optional()
    .describe("Who compares replies with `against`: lexical, or the model of PREFLEXOR_JUDGE"),
  seed: wholeNumber(0, 2 ** 31 - 1)
    .default(7)
    .describe("Of what is drawn: samples, and which questions where limit is given"),
  dry_run: yesOrNo().default(false).describe("Only check the arguments and say what would be measured"),
});
type Asked = z.infer<typeof input>;

export const evaluateOutput = z.object({
  dryRun: z.boolean(),
  plan: z.string().describe("What is measured, in words"),
  report: evaluationReportSchema.optional().describe("The figures with their 95 % intervals; absent in a dry run"),
  next: z.string().describe("The call to make next"),
});

const config = {
  title: "Evaluate a model",
  description:
    "Measures what a model can do on what it was not trained on: held-out questions of the built-in world, held-out preference pairs, " +
    "questions of a file with a judge. Every figure has a 95 % interval; with against the two are compared question by question. " +
    "Call it after a run of start-run or after train-iteration, with the run's id. Takes seconds to minutes; dry_run says what " +
    "it would do. Changes nothing.",
  inputSchema: input,
  outputSchema: evaluateOutput,
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
};

export function registerEvaluate(server: McpServer, context: ToolContext): void {
  server.registerTool("evaluate", config, (asked, request) => {
    const signal = callSignal(context, request);
    return guarded("Call list-runs for the runs that there are, and evaluate with run", signal, async () => {
      const wanted = await requestOf(context, asked);
      const plan = planText(wanted);
      if (asked.dry_run)
        return toolResult(evaluateOutput, {
          dryRun: true,
          plan,
          next: "call evaluate with the same arguments without dry_run",
        });
      const report = await context.exclusive(
        signal,
        () => context.runs.evaluate(wanted, { signal, report: progressOf(request) }),
        turnOf(request, "evaluate"),
      );
      const next =
        asked.run === undefined
          ? "call export-adapter to use it elsewhere"
          : `call export-adapter with run: "${asked.run}", or explain-metrics for how it learned`;
      return toolResult(evaluateOutput, { dryRun: false, plan, report, next } as never, textOf(report, next));
    });
  });
}

const textOf = (report: EvaluationReport, next: string): string => `${evaluationMarkdown(report)}\nNext: ${next}`;

/** Paths checked, and what is measured decided where nobody said. */
async function requestOf(context: ToolContext, asked: Asked): Promise<EvaluationRequest> {
  const { home, paths } = context;
  const { run, adapter, model, against, pairs, questions, limit, samples, thinking, judge, seed } = asked;
  if (run !== undefined && adapter !== undefined)
    throw new Error("run and adapter exclude each other: leave one of them out");
  const directory = run === undefined ? undefined : await runPlace(home, run);
  const files = {
    ...(pairs !== undefined && { pairs: await paths.read(pairs) }),
    ...(questions !== undefined && { questions: await paths.read(questions) }),
  };
  const heldOut = directory === undefined ? undefined : join(directory, HELD_OUT_PAIRS);
  const known = {
    ...files,
    ...(pairs === undefined && heldOut !== undefined && existsSync(heldOut) && { pairs: heldOut }),
  };
  const taughtWorld =
    run === undefined ? known.pairs === undefined && known.questions === undefined : await isOfWorld(home, run);
  const on = asked.on ?? [
    ...(taughtWorld ? ["world" as const] : []),
    ...(known.pairs === undefined ? [] : ["pairs" as const]),
    ...(known.questions === undefined ? [] : ["questions" as const]),
  ];
  if (on.length === 0)
    throw new Error(
      `${run} has no held-out pairs: call evaluate with pairs or questions, a file of your own, or with on: ["world"]`,
    );
  if (on.includes("pairs") && known.pairs === undefined)
    throw new Error("on: pairs needs a file of pairs: call evaluate with pairs");
  if (on.includes("questions") && known.questions === undefined)
    throw new Error("on: questions needs a file: call evaluate with questions");
  const names = await context.runs.checkEvaluation({
    ...(model !== undefined && { model }),
    ...(judge !== undefined && { judge }),
  });
  return {
    ...(directory !== undefined && { run: directory }),
    ...(adapter !== undefined && { adapter: await paths.readFolder(adapter) }),
    ...names,
    ...(against !== undefined && { against: await opponentOf(context, against) }),
    world: on.includes("world"),
    ...(on.includes("pairs") && { pairs: known.pairs as string }),
    ...(on.includes("questions") && { questions: known.questions as string }),
    limit,
    ...(samples !== undefined && { samples }),
    thinking: [thinking],
    seed,
  };
}

async function isOfWorld(home: string, run: string): Promise<boolean> {
  const { kind, request } = await runDetail(home, run);
  const { corpus = "materials-world" } = request;
  return kind !== "tools" && (corpus === "materials-world" || corpus === null);
}

async function opponentOf(context: ToolContext, against: string): Promise<string> {
  if (against === "base") return against;
  if (/[\\/]/.test(against)) return context.paths.readFolder(against);
  const { adapter } = await runDetail(context.home, against);
  if (adapter !== undefined) return adapter;
  throw new Error(`${against} has trained nothing yet: call get-run with run: "${against}" to see how far it is`);
}

function planText({ run, adapter, model, against, world, pairs, questions, limit }: EvaluationRequest): string {
  const what = run ?? adapter ?? model ?? "the server's model";
  const on = [
    ...(world ? ["held-out questions of materials-world"] : []),
    ...(pairs === undefined ? [] : [`pairs of ${pairs}`]),
    ...(questions === undefined ? [] : [`questions of ${questions}`]),
  ];
  return `${what}${against === undefined ? "" : ` against ${against}`} on ${on.join(" and ")}, at most ${limit} of each`;
}
