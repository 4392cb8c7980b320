/** @file stop-run: ends the process of one run as Ctrl-C does; what was finished is kept. */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { RUN_STATUSES } from "../agents/index.js";
import { toolArguments } from "./arguments.js";
import { progressOf } from "./progress.js";
import { runId } from "./run-schemas.js";
import { nextStep } from "./run-text.js";
import { callSignal, type ToolContext } from "./tool-context.js";
import { guarded, toolResult } from "./tool-result.js";
import { runDetail } from "./views/index.js";

const input = toolArguments({ run: runId().describe("Id of the run that is meant; there is no default") });

export const stopRunOutput = z.object({
  run: z.string(),
  status: z.enum(RUN_STATUSES).describe("cancelled once it has ended; working where it still saves"),
  next: z.string().describe("The call to make next"),
});

const config = {
  title: "Stop a run",
  description:
    "Ends a run that works, in order: pairs, the last checkpoint and the metrics are kept, and start-run with resume goes on with it. " +
    "Takes the id of the run that is meant and refuses any other. A run that still saves answers working: look again with " +
    "get-run; a second call ends it at once.",
  inputSchema: input,
  outputSchema: stopRunOutput,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
};

export function registerStopRun(server: McpServer, context: ToolContext): void {
  server.registerTool("stop-run", config, ({ run }, request) => {
    const signal = callSignal(context, request);
    return guarded("Call list-runs to see what works", signal, async () => {
      progressOf(request)(0, 1, "it saves and ends");
      const { kind } = await runDetail(context.home, run);
      if (kind === "tools") {
        throw new Error(
          `${run} is the run of single tool calls, which has no process of its own: cancel the call instead, or call list-runs`,
        );
      }
      const { status } = await context.runs.stop(run, signal);
      return toolResult(stopRunOutput, { run, status, next: nextStep({ id: run, kind, status }) });
    });
  });
}
