/** @file get-run: how far a run is, its latest metrics, and what to do next; may wait for it to move. */
import { setTimeout as sleep } from "node:timers/promises";
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { toolArguments, wholeNumber } from "./arguments.js";
import { progressOf } from "./progress.js";
import { runId, runItemSchema } from "./run-schemas.js";
import { nextStep, runText } from "./run-text.js";
import { shownBy } from "./shown-by.js";
import { callSignal, type ToolContext } from "./tool-context.js";
import { guarded, toolResult } from "./tool-result.js";
import { type RunDetail, runDetail, runMetrics } from "./views/index.js";

/** Well below the time after which clients give a call up. */
const MOST_WAIT_S = 30;

const input = toolArguments({
  run: runId().describe("Its id"),
  wait_seconds: wholeNumber(0, MOST_WAIT_S)
    .default(0)
    .describe("While it works, answer only when its status or its round changes, but after so long at the latest"),
});

const numbers = z.record(z.string(), z.number());

export const getRunOutput = runItemSchema.extend({
  directory: z.string(),
  request: z.record(z.string(), z.unknown()).describe("The settings it was started with"),
  checkpoints: z.array(z.number()).describe("Steps of its checkpoints"),
  adapter: z.string().optional().describe("Directory of what was trained, once it is written"),
  failures: numbers.describe("Questions and pairs that came to nothing, by reason"),
  metrics: numbers
    .optional()
    .describe("Of the last step, under TRL's names: loss, rewards/margins, rewards/accuracies …"),
  heldOut: numbers.optional().describe("Of the last look at held-out pairs: eval_loss …"),
  evaluations: z
    .array(z.object({ round: z.number(), split: z.string(), accuracy: z.number(), n: z.number(), chance: z.number() }))
    .describe("Held-out questions answered right, by round; round 0 is before training"),
  preferenceAccuracies: z
    .array(z.object({ round: z.number(), accuracy: z.number(), n: z.number() }))
    .describe("Held-out pairs ranked right, by round"),
  next: z.string().describe("The call to make next"),
});

const config = {
  title: "Get a run",
  description:
    "Tells how far a run is: its status, what it does at the moment, its latest metrics and held-out results, and which call comes " +
    "next. For a run that works, call it with wait_seconds: 30 again and again; in between nothing is lost. What its curves " +
    "mean is told by explain-metrics. Changes nothing.",
  inputSchema: input,
  outputSchema: getRunOutput,
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
};

export function registerGetRun(server: McpServer, context: ToolContext): void {
  server.registerTool("get-run", { ...config, ...shownBy(context) }, ({ run, wait_seconds: seconds }, request) => {
    const signal = callSignal(context, request);
    const report = progressOf(request);
    return guarded("Call list-runs for the ids that there are", signal, async () => {
      const detail = await moved(context, run, seconds, signal, (done, total, found) =>
        report(done, total, runText(found)),
      );
      const latest = await runMetrics(context.home, run, { points: 1 });
      const [step, heldOut] = [latest.steps.at(-1), latest.heldOut.at(-1)];
      const { table: _, markers: __, ...shown } = detail;
      const next = nextStep(detail);
      const value = {
        ...shown,
        checkpoints: [...detail.checkpoints],
        request: { ...detail.request },
        ...(step && { metrics: { ...step.metrics } }),
        ...(heldOut && { heldOut: { ...heldOut.metrics } }),
        evaluations: latest.evaluations.map(({ round, result: { split, accuracy, n, chance } }) => ({
          round,
          split,
          accuracy,
          n,
          chance,
        })),
        preferenceAccuracies: latest.preferenceAccuracies.map((one) => ({ ...one })),
        next,
      };
      return toolResult(getRunOutput, value);
    });
  });
}

const LOOK_MS = 500;

/** Ends when the run no longer works, has come to another round, or after `seconds`. */
async function moved(
  { home }: ToolContext,
  id: string,
  seconds: number,
  signal: AbortSignal,
  onLook: (done: number, total: number, found: RunDetail) => void,
): Promise<RunDetail> {
  const begun = Date.now();
  const first = await runDetail(home, id);
  for (let found = first; ; found = await runDetail(home, id)) {
    const waited = (Date.now() - begun) / 1000;
    const isSame =
      found.status === "working" && found.status === first.status && found.activity?.round === first.activity?.round;
    if (!isSame || waited >= seconds) return found;
    onLook(waited, seconds, found);
    await sleep(Math.min(LOOK_MS, 1000 * (seconds - waited)), undefined, { signal });
  }
}
