/** @file What get-run and list-runs hand back of a run, as schemas of the views' shapes. */
import { z } from "zod";
import { RUN_KINDS, RUN_STATUSES } from "../agents/index.js";
import { activitySchema, outcomeSchema } from "../agents/teaching/run-status.js";
import { words } from "./arguments.js";

/** The argument of tools that work on one run. */
export const runId = () => words("the id of a run, as list-runs gives it");

export const runItemSchema = z.object({
  id: z.string().describe("Name it in other calls"),
  kind: z.enum(RUN_KINDS).describe("teach: a whole run; tools: that of single tool calls; demo: of the demo"),
  status: z
    .enum(RUN_STATUSES)
    .describe("interrupted: its process is gone, it can be gone on with; open: of single tool calls, which has no end"),
  created: z.string(),
  changed: z.string(),
  model: z.string().optional(),
  phase: z.string().optional(),
  round: z.number().optional(),
  step: z.number().optional().describe("Optimizer steps so far"),
  pairs: z.number().int(),
  loss: z.number().optional().describe("Of the last step"),
  bytes: z.number().describe("On disk"),
  activity: activitySchema.optional().describe("What it does at the moment"),
  outcome: outcomeSchema.optional().describe("Why it did not come to its end"),
});
