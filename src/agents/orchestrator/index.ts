/** @file The door of the orchestrator. LangChain's agents are loaded when a run begins. */
export { type OrchestrateOptions, orchestrate } from "./orchestrate.js";
export type { OrchestratorEvent } from "./orchestrator-middleware.js";
export type { Answer, OrchestratorReport } from "./orchestrator-report.js";
export type { OrchestratorLimits, OrchestratorTask, OrchestratorTaskInput } from "./orchestrator-task.js";
export { createPlanner, PLANNER_NAME, type PlannerModel } from "./planner-model.js";
