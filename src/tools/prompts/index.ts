/** @file The door of the prompts: ways of working that a user picks, and that lead a model through the tools. */
import type { McpServer } from "@modelcontextprotocol/server";
import type { ToolContext } from "../tool-context.js";
import { registerDiagnoseRun } from "./diagnose-run.js";
import { registerReasonRecursively } from "./reason-recursively.js";
import { registerReviewPairs } from "./review-pairs.js";
import { registerRunSelfTeaching } from "./run-self-teaching.js";

export function registerPrompts(server: McpServer, context: ToolContext): void {
  registerRunSelfTeaching(server, context);
  registerReviewPairs(server, context);
  registerDiagnoseRun(server, context);
  registerReasonRecursively(server, context);
}
