/** @file The door of the calls: limits and counts that agents share, and failures with their reasons. */
export {
  type AgentCalls,
  type AgentCallsOptions,
  type CallEvent,
  type CallSettings,
  type CallStats,
  createAgentCalls,
  type TokenUse,
} from "./agent-calls.js";
export { AgentFailure, FAILURE_REASONS, type FailureReason, failureReason, toAgentFailure } from "./agent-failure.js";
