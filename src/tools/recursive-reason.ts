/** @file recursive-reason: answers a question, has the thinking criticised and improved, and answers again. */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { type ReasoningResult, type ReasoningRound, recursiveReason } from "../agents/index.js";
import { toolArguments, wholeNumber, words } from "./arguments.js";
import { withClient } from "./client-sampling.js";
import { progressOf } from "./progress.js";
import { reasoningSampling, recipeOf } from "./run-settings.js";
import type { ToolContext } from "./tool-context.js";
import { guarded, toolResult } from "./tool-result.js";

const input = toolArguments({
  question: words("a question").describe("What shall be answered; name what it is about"),
  rounds: wholeNumber(1, 10).default(2).describe("Most answers to make; 1 asks no critic"),
});

export const recursiveReasonOutput = z.object({
  answer: z.string().describe("The answer of the best round"),
  rounds: z.array(
    z.object({
      thinking: z.string().describe("Empty where the model wrote none: it needs more of train-iteration"),
      answer: z.string().describe("Empty where the model did not come to one"),
      score: z.number().describe("Share of the thinking that retrieved passages support, from 0 to 1"),
      section: z
        .enum(["found", "unterminated", "missing"])
        .describe("Whether the model wrote a complete thinking section"),
      feedback: z.string().optional().describe("What the critic said about the round before"),
    }),
  ),
  best: z.number().int().describe("The round that the answer is from; the first is 1"),
  stopped: z.enum(["rounds", "critic-content", "no-gain"]).describe("Why no further round was made"),
});

const config = {
  title: "Reason recursively",
  description:
    "The model that learns answers a question with its thinking; a critic compares the thinking with retrieved passages and " +
    "improves it; the model answers again from the better thinking. Every round is scored and the best one wins. " +
    "Call it last: it needs a corpus (ingest-corpus), and a model that was not trained yet (train-iteration) mostly answers " +
    "without thinking. The model is small and answers from what it has learned: check its answer against retrieve-context.",
  inputSchema: input,
  outputSchema: recursiveReasonOutput,
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
};

export function registerRecursiveReason(server: McpServer, context: ToolContext): void {
  server.registerTool("recursive-reason", config, ({ question, rounds }, request) =>
    withClient({ server, context, request }, (client, signal) => {
      const report = progressOf(request);
      const work = async () => {
        const store = await context.store();
        report(0, rounds, "opening the model and the critic");
        const [student, judge] = await Promise.all([context.student(), context.judge(client)]);
        const plan = { question, rounds, sampling: reasoningSampling(recipeOf(context.recipe)), seed: 0 };
        const steps = recursiveReason({ ...student, ...judge, store }, plan, signal);
        const result = await drain(steps, (round) =>
          report(round.round, rounds, `round ${round.round}: score ${round.score.toFixed(2)}`),
        );
        const shown = result.rounds.map(({ round: _, evidence: __, ...rest }) => rest);
        return toolResult(recursiveReasonOutput, {
          answer: result.answer,
          rounds: shown,
          best: result.best,
          stopped: result.stopped,
        });
      };
      return guarded("Call recursive-reason again, or train-iteration first", signal, () =>
        context.exclusive(signal, work),
      );
    }),
  );
}

/** Runs the rounds to their end and returns the result. */
async function drain(
  steps: AsyncGenerator<ReasoningRound, ReasoningResult>,
  onRound: (round: ReasoningRound) => void,
): Promise<ReasoningResult> {
  for (;;) {
    const { value, done } = await steps.next();
    if (done) return value;
    onRound(value);
  }
}
