/** @file recursive-reason: answers a question, has the thinking criticised and improved, and answers again. */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import {
  type ReasoningEvent,
  type ReasoningResult,
  type ReasoningRound,
  recursiveReason,
  type StopReason,
} from "../agents/index.js";
import { oneOf, toolArguments, wholeNumber, words, yesOrNo } from "./arguments.js";
import { withClient } from "./client-sampling.js";
import { progressOf, type ReportProgress } from "./progress.js";
import { reasoningSampling, recipeOf } from "./run-settings.js";
import { turnOf } from "./tasks/task-call.js";
import type { ToolContext, TrainedStudent } from "./tool-context.js";
import { guarded, resourceField, runResource, toolResult } from "./tool-result.js";
import { appendReasoning } from "./views/index.js";

const input = toolArguments({
  question: words("a question").describe("What shall be answered; name what it is about"),
  run: words("the id of a run")
    .optional()
    .describe(
      "Ask what this run of start-run has trained so far, by its id; by default the model of train-iteration answers",
    ),
  mode: oneOf(["thinking", "reflection"])
    .default("thinking")
    .describe(
      "What the thinking is improved by: the critic's feedback, or the model's own reflection, which it must have been taught",
    ),
  rounds: wholeNumber(1, 10)
    .default(2)
    .describe('Mode "thinking": most answers; 1 asks no critic. Mode "reflection": most improvements, one answer more'),
  integrate: yesOrNo()
    .default(false)
    .describe("Lets the critic merge all answers into one, instead of taking the best"),
});

const SECTION = z.enum(["found", "unterminated", "missing"]);

/** What each reason means to the model that reads the result. */
const REASONS: Readonly<Record<StopReason, string>> = {
  rounds: "all rounds were made",
  "score-reached": "the score that was asked for is reached",
  "critic-content": "the critic found nothing to change",
  "no-gain": "the last improvement scored no higher",
  "no-thinking":
    "the model wrote no thinking, also where the section was opened for it: it needs more of train-iteration",
  "no-reflection":
    'the model wrote no reflection, also where the section was opened for it: use mode "thinking", or teach it to reflect',
  "no-room": "the improved thinking leaves the model no room to answer: ask a narrower question",
  "critic-failed": "the critic failed; the rounds before stand",
};

export const recursiveReasonOutput = z.object({
  answer: z.string().describe("The answer of the best round, or what the critic merged"),
  rounds: z.array(
    z.object({
      thinking: z.string().describe("Empty where the model wrote none: it needs more of train-iteration"),
      section: SECTION.describe("Whether the model wrote a complete thinking section"),
      reflection: z.string().describe("What the model says of its thinking; empty where it says nothing"),
      reflectSection: SECTION.describe("Whether the model wrote a complete reflect section"),
      answer: z.string().describe("Empty where the model did not come to one"),
      score: z.number().describe("How far retrieved passages support the round, from 0 to 1"),
      opening: z
        .enum(["none", "improved", "thinking", "reflection"])
        .describe("What the reply was begun with: nothing, the improved thinking, or the start of a missing section"),
      feedback: z.string().optional().describe("What was said of the thinking of the round before"),
    }),
  ),
  best: z.number().int().describe("The round with the highest score; the first is 1"),
  stopped: z.enum(Object.keys(REASONS) as [StopReason, ...StopReason[]]).describe("Why no further round was made"),
  reason: z.string().describe("The same in words, with what to do about it"),
  integrated: z.boolean().describe("Whether the answer is merged; false also where all answers were the same"),
  critic: z.string().optional().describe("Which critic was called"),
  cost: z
    .object({ modelCalls: z.number().int(), newTokens: z.number().int(), criticCalls: z.number().int() })
    .describe("Replies of the model and their tokens, and calls of the critic"),
  resource: resourceField("what was reasoned in the run, where this is kept as well"),
});

const config = {
  title: "Reason recursively",
  description:
    "The model that learns answers a question with its thinking; a critic compares the thinking with retrieved passages and " +
    "improves it; the model answers again from the better thinking. Every round is scored and the best one wins. " +
    "Call it last: it needs a corpus (ingest-corpus), and a model that was not trained yet (train-iteration) mostly answers " +
    "without thinking. The model is small and answers from what it has learned: check its answer against retrieve-context. " +
    "With run it is what that run trained that answers. Questions and rounds are kept in the run that was asked.",
  inputSchema: input,
  outputSchema: recursiveReasonOutput,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
};

export function registerRecursiveReason(server: McpServer, context: ToolContext): void {
  server.registerTool("recursive-reason", config, ({ question, run, ...options }, request) =>
    withClient({ server, context, request }, (client, signal) => {
      const report = progressOf(request);
      const work = async () => {
        const store = await context.store();
        const most = options.mode === "reflection" ? options.rounds + 1 : options.rounds;
        report(0, most, "opening the model and the critic");
        const [{ student, directory, recipe }, judge] = await Promise.all([asked(context, run), context.judge(client)]);
        const plan = { question, ...options, sampling: reasoningSampling(recipeOf(recipe)), seed: 0 };
        const events = recursiveReason({ ...student, ...judge, store }, plan, signal);
        const result = await drain(events, reporting(report, most));
        return toolResult(recursiveReasonOutput, {
          ...shown(result),
          ...(await keep(context, directory, question, result)),
        });
      };
      return guarded("Call recursive-reason again, or train-iteration first", signal, () =>
        context.exclusive(signal, work, turnOf(request, "recursive-reason")),
      );
    }),
  );
}

/** Who answers, and the run that this is kept in. */
async function asked(context: ToolContext, run: string | undefined): Promise<Omit<TrainedStudent, "trained">> {
  if (run !== undefined) return context.runStudent(run);
  const [student, { directory }] = await Promise.all([context.student(), context.run()]);
  return { student, directory, recipe: context.recipe };
}

/** In the run that was asked, where the page and the resource show it. An answer is not lost over a full disk. */
async function keep(
  context: ToolContext,
  directory: string,
  question: string,
  result: ReasoningResult,
): Promise<{ readonly resource?: string }> {
  const { answer, rounds, best, integrated } = result;
  const at = new Date().toISOString();
  try {
    await appendReasoning(directory, { at, question, answer, rounds, best, integrated });
    return runResource(context.home, directory, "reasoning");
  } catch {
    return {};
  }
}

function reporting(report: ReportProgress, most: number): (event: ReasoningEvent) => void {
  return (event) => {
    if (event.kind === "score")
      report(event.round.round, most, `round ${event.round.round}: score ${event.round.score.toFixed(2)}`);
    if (event.kind === "improved") report(event.round + 0.5, most, `round ${event.round}: the thinking is improved`);
  };
}

function shown({ rounds, failure, stopped, ...result }: ReasoningResult): z.input<typeof recursiveReasonOutput> {
  const reason = failure === undefined ? REASONS[stopped] : `${REASONS[stopped]} (the critic: ${failure})`;
  return { ...result, rounds: rounds.map(shownRound), stopped, reason };
}

const shownRound = ({ round: _, evidence: __, cost: ___, ...rest }: ReasoningRound) => rest;

/** Runs the steps to their end and returns the result. */
async function drain(
  events: AsyncGenerator<ReasoningEvent, ReasoningResult>,
  onEvent: (event: ReasoningEvent) => void,
): Promise<ReasoningResult> {
  for (;;) {
    const { value, done } = await events.next();
    if (done) return value;
    onEvent(value);
  }
}
