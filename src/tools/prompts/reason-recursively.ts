/** @file reason-recursively: a question to the model that learns, with its rounds held against the passages. */
import type { McpServer } from "@modelcontextprotocol/server";
import { completable } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { ToolContext } from "../tool-context.js";
import { listRunItems, reasoningViews } from "../views/index.js";
import { userText } from "./prompt-messages.js";

/** Runs whose questions are offered again. */
const MOST_RUNS = 5;

export function registerReasonRecursively(server: McpServer, context: ToolContext): void {
  const question = completable(
    z.string().min(1).describe("A question about the corpus; name what it is about"),
    (begun) => askedBefore(context, begun),
  );
  const config = {
    title: "Reason recursively",
    description:
      "The model that learns answers with thinking that is criticised and improved; the rounds are compared with the passages.",
    argsSchema: z.object({ question }),
  };
  server.registerPrompt("reason-recursively", config, async (asked) => ({
    description: config.title,
    messages: [userText(task(asked.question))],
  }));
}

async function askedBefore({ home }: ToolContext, begun: string): Promise<string[]> {
  const { runs } = await listRunItems(home);
  const views = await Promise.all(runs.slice(0, MOST_RUNS).map(({ id }) => reasoningViews(home, id)));
  return [...new Set(views.flat().map(({ question }) => question))].filter((known) => known.startsWith(begun));
}

const task = (question: string): string =>
  `Have the model that learns answer this question by recursive reasoning, and check it:

${question}

1. Call retrieve-context with the question. Where it says that the corpus is empty, ask me for a folder and call ingest-corpus first.
2. Call recursive-reason with the question and rounds 3. Where it says "no-thinking", the model was not trained enough:
   call generate-preference-pair (count 8) and train-iteration, then ask again.
3. Show me the rounds side by side: what the critic said, what changed in the thinking, and how the score moved. Name the best round.
4. Compare its answer with the passages of step 1. It is a small model: say plainly where it is wrong or says more than they do.`;
