/** @file run-self-teaching: from a folder of text to a trained adapter, with the user asked before what is expensive. */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { BUILT_IN_WORLD } from "../active-corpus.js";
import type { ToolContext } from "../tool-context.js";
import { listRunItems } from "../views/index.js";
import { corpusArgument, modelArgument } from "./prompt-arguments.js";
import { userText } from "./prompt-messages.js";

export function registerRunSelfTeaching(server: McpServer, context: ToolContext): void {
  const models = async (): Promise<string[]> =>
    (await listRunItems(context.home)).runs.flatMap(({ model }) => (model === undefined ? [] : [model]));
  const argsSchema = z.object({ corpus: corpusArgument(context).optional(), model: modelArgument(models).optional() });
  const config = {
    title: "Teach a small model from a corpus",
    description: "Leads from a corpus to a trained adapter: ingest, estimate, run, watch, evaluate, export.",
    argsSchema,
  };
  server.registerPrompt("run-self-teaching", config, async ({ corpus, model }) => {
    const active = corpus || (await context.activeCorpus())?.path;
    return { description: config.title, messages: [userText(plan(active, model || undefined))] };
  });
}

function plan(corpus: string | undefined, model: string | undefined): string {
  const from = corpus === undefined ? "a corpus that I name" : `the corpus ${JSON.stringify(corpus)}`;
  const which = model === undefined ? "the server's model" : `the model ${JSON.stringify(model)}`;
  const ask =
    corpus === undefined
      ? `Ask me for a folder of text, or take "${BUILT_IN_WORLD}", the built-in world, to try it out. Then call ingest-corpus with it as path.`
      : `Call ingest-corpus with path ${JSON.stringify(corpus)}; what was ingested before is not read twice.`;
  const named = model === undefined ? "" : `, model ${JSON.stringify(model)}`;
  return `Teach ${which} to reason about ${from}. Go on step by step, and tell me after each step what came of it.

1. ${ask} Tell me how many passages there are, and every notice.
2. Call retrieve-context with a question about it, and show me that the passages fit.
3. Call start-run with dry_run true${named}: it gives memory and time without starting anything. Tell me both, and ask me whether to go on.
4. Call start-run again, with the same arguments and dry_run false. Remember the run's id: get-run, evaluate, recursive-reason and export-adapter take it.
5. Call get-run every minute or so, or subscribe to preflexor://runs/{id}. Tell me round, step, loss and reward margin when they change.
   Chosen log-probabilities may fall while training works: call explain-metrics with the run before you worry me.
   Where the run fails, read its outcome, and do what it says.
6. When its status is "completed", call evaluate with the run and against "base", and tell me the figures of both with their
   intervals. Where the interval of the difference holds 0, say that nothing is shown.
7. Read preflexor://runs/{id}/pairs, and show me one of the last pairs: what makes chosen better than rejected?
8. Call recursive-reason with the run and a question of mine, and compare its answer with what retrieve-context finds.
9. Ask me whether to keep it; then call export-adapter with the run, and tell me where it lies.`;
}
