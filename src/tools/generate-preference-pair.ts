/** @file generate-preference-pair: questions, the teacher's replies as chosen, the student's samples as rejected. */
import type { McpServer, ServerContext } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { SamplingClient } from "../agents/index.js";
import { type PreferencePair, preferencePairSchema } from "../trainer/index.js";
import { toolArguments, wholeNumber, words } from "./arguments.js";
import { withClient } from "./client-sampling.js";
import { makePairBatch, noPairs } from "./pair-batch.js";
import { progressOf } from "./progress.js";
import type { RunFolder } from "./run-folder.js";
import { recipeOf } from "./run-settings.js";
import { standingAtBegin, turnOf } from "./tasks/task-call.js";
import { droppedNotice, tokenizeStored } from "./tokenize-stored.js";
import type { ToolContext } from "./tool-context.js";
import { guarded, resourceField, runResource, toolResult } from "./tool-result.js";
import { requireTopic } from "./topic.js";

/** Samples of one batch fit into memory, and the call into a client's patience. */
const MOST_PAIRS = 32;

const input = toolArguments({
  topic: words("a topic, or no such argument")
    .optional()
    .describe(
      "What the question shall be about, such as a name in the corpus; without it, passages are drawn by chance",
    ),
  count: wholeNumber(1, MOST_PAIRS)
    .default(1)
    .describe("Pairs to make, all about the topic; much faster than as many calls"),
});

/** Verdicts are added by the rounds of the demo; a free-form object would be no contract. */
const provenance = preferencePairSchema.shape.provenance.omit({ verdict: true });

export const generatePreferencePairOutput = z.object({
  pair: preferencePairSchema.extend({ provenance }).describe("The first pair of this call; all are in pairsFile"),
  made: z.number().int().describe("Pairs that this call made; fewer than asked for where questions came to nothing"),
  questions: z.array(z.string()).describe("Their questions"),
  failures: z
    .array(z.object({ reason: z.string(), count: z.number().int(), detail: z.string().optional() }))
    .describe("What came to nothing, and was drawn again as long as that could help"),
  dropped: z
    .record(z.string(), z.number())
    .describe("How many of them cannot be trained on, by reason, such as too long for the model"),
  pairs: z.number().int().describe("Pairs that the current run now has"),
  pairsFile: z.string(),
  resource: resourceField("the run's pairs"),
  notices: z.array(z.string()).describe("What the user should know, such as a pair that is too long for the model"),
});

const config = {
  title: "Generate preference pairs",
  description:
    "Writes a question from the corpus and two replies to it: `chosen`, laid out by the teacher from retrieved passages, " +
    "and `rejected`, sampled from the model that learns. Stores the pair in the current run, where train-iteration finds it. " +
    "Needs a corpus: call ingest-corpus before. Makes one pair, or `count` of them; make 8 or more, on several topics, then " +
    "call train-iteration.",
  inputSchema: input,
  outputSchema: generatePreferencePairOutput,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
};

export function registerGeneratePreferencePair(server: McpServer, context: ToolContext): void {
  server.registerTool("generate-preference-pair", config, (asked, request) =>
    withClient({ server, context, request }, (client, signal) => {
      const work = async () =>
        toolResult(generatePreferencePairOutput, await generate(context, asked, client, signal, request));
      return guarded("Call generate-preference-pair again, with another topic", signal, () =>
        context.exclusive(signal, work, turnOf(request, "generate-preference-pair")),
      );
    }),
  );
}

async function generate(
  context: ToolContext,
  { topic, count }: z.infer<typeof input>,
  client: SamplingClient,
  signal: AbortSignal,
  request: ServerContext,
): Promise<z.input<typeof generatePreferencePairOutput>> {
  const report = progressOf(request);
  const store = await context.store();
  report(0, count + 1, "opening the model and the teacher");
  const [student, model, run] = await Promise.all([context.student(), context.teacher(client), context.run()]);
  await run.claim();
  const stored = await run.pairs();
  const began = await standingAtBegin(request, beginning, async () => ({ pairs: stored.length }));
  const earlier = stored.slice(began.pairs, began.pairs + count);
  if (topic !== undefined) await requireTopic(store, topic, signal);
  const { phase } = recipeOf(context.recipe);
  const environment = await context.environment();
  const keep = async (made: readonly PreferencePair[]): Promise<void> => {
    for (const pair of made) await run.appendPair(pair);
  };
  const batch = await makePairBatch(
    { student, store, model, environment, phase, signal, report, keep },
    { count: count - earlier.length, ...(topic !== undefined && { topic }), ...(await placeIn(run, stored)) },
  );
  const { failures, repeated } = batch;
  const pairs = [...earlier, ...batch.pairs];
  const [pair] = pairs;
  if (pair === undefined) throw new Error(noPairs(failures));
  const { dropped } = tokenizeStored(pairs, student, phase);
  const notice = droppedNotice(dropped, pairs.length, phase);
  return {
    pair,
    made: pairs.length,
    questions: pairs.map(({ prompt, provenance: { question } }) => question ?? prompt),
    failures: [...failures],
    dropped,
    pairs: stored.length + batch.pairs.length,
    pairsFile: run.pairsFile,
    ...runResource(context.home, run.directory, "pairs"),
    notices: [...(repeated ? [REPEATED] : []), ...(notice === undefined ? [] : [notice])],
  };
}

/** What stood when the call began: a task that goes on in a new server makes only the pairs that are left. */
const beginning = z.object({ pairs: z.number().int() });

const REPEATED =
  "nothing new could be asked, so this question was asked before: choose another topic, ingest more text, or call train-iteration";

/** Seeds go on where the run's stored pairs end; questions of an earlier state of the model may be asked again. */
async function placeIn(
  run: RunFolder,
  stored: readonly PreferencePair[],
): Promise<{ readonly seed: number; readonly asked: readonly string[] }> {
  const seed = stored.reduce((most, { provenance }) => Math.max(most, provenance.seed + 1), stored.length);
  const { pairs = 0 } = (await run.lastTraining()) ?? {};
  return { seed, asked: stored.slice(pairs).map(({ prompt, provenance: { question } }) => question ?? prompt) };
}
