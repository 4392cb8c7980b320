/** @file review-pairs: pairs of a run, laid before a model that shall say whether they teach the right thing. */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { ToolContext } from "../tool-context.js";
import { pairsSample, runUri } from "../views/index.js";
import { orInvalid, runArgument, wholeArgument } from "./prompt-arguments.js";
import { userJson, userText } from "./prompt-messages.js";

/** More fill a model's context. */
const MOST_PAIRS = 20;
const DEFAULT_PAIRS = 5;

export function registerReviewPairs(server: McpServer, context: ToolContext): void {
  const argsSchema = z.object({
    run: runArgument(context),
    count: z.string().optional().describe(`Pairs to review, from 1 to ${MOST_PAIRS}; ${DEFAULT_PAIRS} unless given`),
  });
  const config = {
    title: "Review preference pairs",
    description:
      "Pairs from the whole of a run, to be judged: is chosen right and better than rejected, and is it grounded?",
    argsSchema,
  };
  server.registerPrompt("review-pairs", config, async ({ run, count: asked }) => {
    const count = wholeArgument("count", asked, DEFAULT_PAIRS, MOST_PAIRS);
    const page = await orInvalid(pairsSample(context.home, run, count));
    if (page.pairs.length === 0) return { messages: [userText(none(run))] };
    const messages = [userText(task(run, page.pairs.length, page.total)), userJson(runUri(run, "pairs"), page)];
    return { description: config.title, messages };
  });
}

const none = (run: string): string =>
  `The run ${run} has no pairs yet. Call get-run with it to see what it does; a run of single calls gets pairs by generate-preference-pair.`;

const task = (run: string, shown: number, total: number): string =>
  `Review ${shown} of the ${total} preference pairs of the run ${run}; they follow as JSON, taken evenly from its beginning to its end.

For each pair, by its index:
1. Is the question clear, and can it be answered from the corpus? The passages it came from are in provenance.passages: read
   preflexor://passages/{id}, or call retrieve-context with the question.
2. Is chosen right, and does its thinking lead to its answer? Name what the passages do not support.
3. Is rejected worse, and for the right reason: a wrong fact, missing thinking, not only its form or length?
4. Would training on it teach what is wanted? Say keep or drop, in one sentence why.

Then tell me how many you would keep, what goes wrong most often, and what to change: other topics for generate-preference-pair,
another corpus (ingest-corpus), or another teacher. Say so where too few pairs were shown to tell.`;
