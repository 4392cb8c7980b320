/** @file diagnose-run: what a run shows of itself, laid before a model that shall say what is the matter. */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { ToolContext } from "../tool-context.js";
import { runDetail, runMetrics, runUri } from "../views/index.js";
import { orInvalid, runArgument } from "./prompt-arguments.js";
import { userJson, userText } from "./prompt-messages.js";

/** A curve's shape shows in so many points. */
const POINTS = 60;

export function registerDiagnoseRun(server: McpServer, context: ToolContext): void {
  const config = {
    title: "Diagnose a run",
    description:
      "Status, failures and curves of a run, to be judged: does it learn, what stands in its way, what to do next?",
    argsSchema: z.object({ run: runArgument(context) }),
  };
  server.registerPrompt("diagnose-run", config, async ({ run }) => {
    const { home } = context;
    const [detail, metrics] = await orInvalid(
      Promise.all([runDetail(home, run), runMetrics(home, run, { points: POINTS })]),
    );
    return {
      description: config.title,
      messages: [
        userText(task(run)),
        userJson(runUri(run), detail),
        userJson(`${runUri(run, "metrics")}?points=${POINTS}`, metrics),
      ],
    };
  });
}

const task = (run: string): string =>
  `Diagnose the self-teaching run ${run}. What it says of itself and its curves follow as JSON.

1. Status. "working": where is it, and does activity.at move? "failed" or "cancelled": what does outcome say? "interrupted": its
   process is gone and nothing says why; start-run with resume goes on with it. "open": a run of single tool calls.
2. Failures by reason: more than a few for each pair made say that the teacher or the corpus does not fit.
3. Loss: does it fall? Of held-out loss against training loss: a gap that widens is overfitting.
4. rewards/margins should rise and rewards/accuracies should near 1. logps/chosen may fall as well, as long as logps/rejected falls
   faster: call explain-metrics with the run before you call that a fault.
5. Held-out accuracy by round, with ci95: a change inside the interval is no change.
6. Read two pages of preflexor://runs/${encodeURIComponent(run)}/pairs, and see whether chosen is really better than rejected.

Then tell me in a few sentences: does it learn, what is the most likely cause where it does not, and the one tool to call next
(get-run, stop-run, start-run with other settings, generate-preference-pair, train-iteration, evaluate), with its arguments.`;
