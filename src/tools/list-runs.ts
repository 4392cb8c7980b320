/** @file list-runs: every run of the home, the one that was written last first. */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { RUN_STATUSES } from "../agents/index.js";
import { oneOf, toolArguments, wholeNumber } from "./arguments.js";
import { runItemSchema } from "./run-schemas.js";
import { nextStep, runText } from "./run-text.js";
import { callSignal, type ToolContext } from "./tool-context.js";
import { guarded, toolResult } from "./tool-result.js";
import { listRunItems } from "./views/index.js";

const input = toolArguments({
  status: oneOf(RUN_STATUSES).optional().describe("Only runs that stand so"),
  limit: wholeNumber(1, 500).default(50).describe("At most so many, the latest first"),
});

export const listRunsOutput = z.object({
  runs: z.array(runItemSchema),
  total: z.number().int().describe("How many there are of that status"),
  broken: z.array(z.object({ id: z.string(), problem: z.string() })).describe("Folders that cannot be read as runs"),
  next: z.string().describe("The call to make next"),
});

const config = {
  title: "List runs",
  description:
    "Lists self-teaching runs, the latest first: what each does or how it ended, its pairs, steps and loss. Whole runs are started " +
    "with start-run; single calls of generate-preference-pair and train-iteration write to a run of kind tools. Look closer " +
    "with get-run. Changes nothing.",
  inputSchema: input,
  outputSchema: listRunsOutput,
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
};

export function registerListRuns(server: McpServer, context: ToolContext): void {
  server.registerTool("list-runs", config, ({ status, limit }, request) =>
    guarded("Call start-run for a new run", callSignal(context, request), async () => {
      const { runs, broken } = await listRunItems(context.home);
      const wanted = status === undefined ? runs : runs.filter((run) => run.status === status);
      const [first] = wanted;
      const next = first === undefined ? "call start-run with dry_run: true" : nextStep(first);
      const shown = wanted.slice(0, limit);
      const text = [
        ...shown.map(runText),
        ...broken.map(({ id, problem }) => `${id}: ${problem}`),
        `Next: ${next}`,
      ].join("\n");
      return toolResult(listRunsOutput, { runs: shown, total: wanted.length, broken: [...broken], next }, text);
    }),
  );
}
