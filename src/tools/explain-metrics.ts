/** @file explain-metrics: a run's curves read and explained, with what to do about them. */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { type Explanation, explainRun, LEVELS, METRIC_NAMES, metricDefinition } from "../agents/explain/index.js";
import { nearest } from "../trainer/text/nearest.js";
import { toolArguments, words } from "./arguments.js";
import { runId } from "./run-schemas.js";
import { nextStep } from "./run-text.js";
import { callSignal, type ToolContext } from "./tool-context.js";
import { guarded, toolResult } from "./tool-result.js";
import { type RunMetrics, runDetail, runMetrics } from "./views/index.js";

const input = toolArguments({
  run: runId().describe("Id of the run whose curves are read"),
  metric: words("the name of a metric, such as logps/chosen")
    .optional()
    .describe(
      "Only what concerns this metric, under TRL's name: logps/chosen, rewards/margins, grad_norm, eval_loss …",
    ),
});

export const explainMetricsOutput = z.object({
  findings: z
    .array(
      z.object({
        id: z.string(),
        level: z.enum(LEVELS),
        metrics: z.array(z.string()).describe("What it was read from"),
        what: z.string().describe("The numbers that were found"),
        why: z.string(),
        advice: z
          .array(z.string())
          .describe("What to try, the first first; settings by the names that start-run takes"),
      }),
    )
    .describe("The worst first; none where nothing stands out"),
  metrics: z
    .array(
      z.object({ name: z.string(), definition: z.string(), first: z.number().optional(), last: z.number().optional() }),
    )
    .describe("What each metric means, with its value at the beginning and at the end"),
  next: z.string().describe("The call to make next"),
});

const config = {
  title: "Explain metrics",
  description:
    "Reads a run's curves and says what stands out, with the numbers, why it is so and what to change: why chosen log-probabilities fall, " +
    "overfitting, collapsed margins, exploding gradients, too few pairs, nothing held out. Rules decide, no model; what they " +
    "do not know they do not say. Also defines every metric of the run. Changes nothing.",
  inputSchema: input,
  outputSchema: explainMetricsOutput,
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
};

export function registerExplainMetrics(server: McpServer, context: ToolContext): void {
  server.registerTool("explain-metrics", config, ({ run, metric }, request) =>
    guarded("Call list-runs for the ids that there are", callSignal(context, request), async () => {
      if (metric !== undefined && metricDefinition(metric) === undefined) throw new Error(noMetric(metric));
      const [detail, curves] = await Promise.all([runDetail(context.home, run), runMetrics(context.home, run)]);
      const all = explainRun({
        ...curves,
        evaluations: evaluationsOf(curves),
        pairs: detail.pairs,
        failures: detail.failures,
      });
      const { findings, metrics } = metric === undefined ? all : of(metric, all);
      const next = nextStep(detail);
      const value = {
        findings: findings.map((one) => ({ ...one, metrics: [...one.metrics], advice: [...one.advice] })),
        metrics: metrics.map((one) => ({ ...one })),
        next,
      };
      return toolResult(explainMetricsOutput, value, textOf(findings, metrics, next));
    }),
  );
}

const evaluationsOf = ({ evaluations }: RunMetrics) =>
  evaluations.map(({ round, ci95, result: { split, accuracy, n, chance } }) => ({
    round,
    split,
    accuracy,
    n,
    chance,
    ci95,
  }));

/** A metric that the run has not measured is defined all the same. */
function of(metric: string, { findings, metrics }: Explanation): Explanation {
  const own = metrics.filter(({ name }) => name === metric);
  const definition = metricDefinition(metric) as string;
  return {
    findings: findings.filter((finding) => finding.metrics.includes(metric)),
    metrics: own.length > 0 ? own : [{ name: metric, definition: `${definition}. This run has not measured it` }],
  };
}

function noMetric(metric: string): string {
  const guess = nearest(metric, METRIC_NAMES);
  return `there is no metric ${JSON.stringify(metric)}${guess === undefined ? "" : `: did you mean "${guess}"?`} (${METRIC_NAMES.join(", ")}, and eval_ before any of them): call explain-metrics without metric`;
}

function textOf(findings: Explanation["findings"], metrics: Explanation["metrics"], next: string): string {
  const found = findings.map(({ level, what, why, advice }) =>
    [`[${level}] ${what}`, `  ${why}`, ...advice.map((one) => `  - ${one}`)].join("\n"),
  );
  const values = metrics.map(
    ({ name, definition, first, last }) =>
      `${name}${first === undefined ? "" : ` (${first} → ${last})`}: ${definition}`,
  );
  return [...(found.length === 0 ? ["Nothing stands out."] : found), "", ...values, "", `Next: ${next}`].join("\n");
}
