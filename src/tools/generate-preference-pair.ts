/** @file generate-preference-pair: a question, the teacher's reply as chosen, the student's sample as rejected. */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { makePreferencePair } from "../agents/index.js";
import { preferencePairSchema } from "../trainer/index.js";
import { toolArguments } from "./arguments.js";
import { progressOf } from "./progress.js";
import { recipeOf } from "./run-settings.js";
import { callSignal, type ToolContext } from "./tool-context.js";
import { guarded, toolResult } from "./tool-result.js";

const input = toolArguments({
  topic: z
    .string()
    .trim()
    .min(1)
    .optional()
    .describe(
      "What the question shall be about, such as a name in the corpus; without it, passages are drawn by chance",
    ),
});

export const generatePreferencePairOutput = z.object({
  pair: preferencePairSchema,
  pairs: z.number().int().describe("Pairs that the current run now has"),
  pairsFile: z.string(),
});

const config = {
  title: "Generate a preference pair",
  description:
    "Writes one question from the corpus and two replies to it: `chosen`, laid out by the teacher from retrieved passages, " +
    "and `rejected`, sampled from the model that learns. Stores the pair in the current run, where train-iteration finds it. " +
    "Call it several times (8 or more) before train-iteration.",
  inputSchema: input,
  outputSchema: generatePreferencePairOutput,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
};

export function registerGeneratePreferencePair(server: McpServer, context: ToolContext): void {
  server.registerTool("generate-preference-pair", config, ({ topic }, request) => {
    const signal = callSignal(context, request);
    const report = progressOf(request);
    const work = async () => {
      const store = await context.store();
      report(0, 3, "opening the model and the teacher");
      const [student, model, run] = await Promise.all([context.student(), context.teacher(), context.run()]);
      const stored = await run.pairs();
      report(1, 3, "writing a question and the chosen reply");
      const task = { seed: stored.length, ...(topic !== undefined && { topic }) };
      const pair = await makePreferencePair({ ...student, store, model }, task, {
        ...recipeOf(context.recipe).sampling,
        signal,
      });
      signal.throwIfAborted();
      await run.appendPair(pair);
      report(3, 3, "stored");
      return toolResult(generatePreferencePairOutput, { pair, pairs: stored.length + 1, pairsFile: run.pairsFile });
    };
    return guarded("Call generate-preference-pair again, with another topic", signal, () =>
      context.exclusive(signal, work),
    );
  });
}
