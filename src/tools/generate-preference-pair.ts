/** @file generate-preference-pair: a question, the teacher's reply as chosen, the student's sample as rejected. */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { makePreferencePair } from "../agents/index.js";
import { preferencePairSchema } from "../trainer/index.js";
import { toolArguments, words } from "./arguments.js";
import { withClient } from "./client-sampling.js";
import { progressOf } from "./progress.js";
import { recipeOf } from "./run-settings.js";
import { droppedNotice, tokenizeStored } from "./tokenize-stored.js";
import type { ToolContext } from "./tool-context.js";
import { guarded, toolResult } from "./tool-result.js";
import { requireTopic } from "./topic.js";

const input = toolArguments({
  topic: words("a topic, or no such argument")
    .optional()
    .describe(
      "What the question shall be about, such as a name in the corpus; without it, passages are drawn by chance",
    ),
});

/** Verdicts are added by the rounds of the demo; a free-form object would be no contract. */
const provenance = preferencePairSchema.shape.provenance.omit({ verdict: true });

export const generatePreferencePairOutput = z.object({
  pair: preferencePairSchema.extend({ provenance }),
  pairs: z.number().int().describe("Pairs that the current run now has"),
  pairsFile: z.string(),
  notices: z.array(z.string()).describe("What the user should know, such as a pair that is too long for the model"),
});

const config = {
  title: "Generate a preference pair",
  description:
    "Writes one question from the corpus and two replies to it: `chosen`, laid out by the teacher from retrieved passages, " +
    "and `rejected`, sampled from the model that learns. Stores the pair in the current run, where train-iteration finds it. " +
    "Needs a corpus: call ingest-corpus before. Call it several times (8 or more), each call makes one pair; then call " +
    "train-iteration.",
  inputSchema: input,
  outputSchema: generatePreferencePairOutput,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
};

export function registerGeneratePreferencePair(server: McpServer, context: ToolContext): void {
  server.registerTool("generate-preference-pair", config, ({ topic }, request) =>
    withClient({ server, context, request }, (client, signal) => {
      const report = progressOf(request);
      const work = async () => {
        const store = await context.store();
        report(0, 3, "opening the model and the teacher");
        const [student, model, run] = await Promise.all([context.student(), context.teacher(client), context.run()]);
        const stored = await run.pairs();
        report(1, 3, "writing a question and the chosen reply");
        if (topic !== undefined) await requireTopic(store, topic, signal);
        const task = { seed: stored.length, ...(topic !== undefined && { topic }) };
        const { phase } = recipeOf(context.recipe);
        const pair = await makePreferencePair({ ...student, store, model }, task, { ...phase.sampling, signal });
        signal.throwIfAborted();
        await run.appendPair(pair);
        report(3, 3, "stored");
        const notice = droppedNotice(tokenizeStored([pair], student, phase).dropped, 1, phase);
        return toolResult(generatePreferencePairOutput, {
          pair,
          pairs: stored.length + 1,
          pairsFile: run.pairsFile,
          notices: notice === undefined ? [] : [notice],
        });
      };
      return guarded("Call generate-preference-pair again, with another topic", signal, () =>
        context.exclusive(signal, work),
      );
    }),
  );
}
