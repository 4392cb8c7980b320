/** @file What is counted within one agent run, and the limits that end it. */
import type { CallSettings } from "./agent-calls.js";
import { AgentFailure } from "./agent-failure.js";
import { canonicalJson } from "./canonical-json.js";

/** The same call of the same tool, this often in one agent run, is a loop. */
export const MOST_SAME_CALLS = 3;

/** What is known of one agent run; it reaches the middleware as `configurable.agentRun`. */
export interface AgentRun {
  /** Tokens so far, those of cached replies included, so that a resumed run ends where the unbroken one does. */
  tokens: number;
  corrected: boolean;
  turns: number;
  toolCalls: number;
  readonly sameCalls: Map<string, number>;
}

export const createAgentRun = (): AgentRun => ({
  tokens: 0,
  corrected: false,
  turns: 0,
  toolCalls: 0,
  sameCalls: new Map(),
});

export function countTurn(run: AgentRun, maxModelCalls: number, modelName: string): void {
  run.turns += 1;
  if (run.turns <= maxModelCalls) return;
  throw new AgentFailure("loop", `${modelName} handed in nothing within ${maxModelCalls} turns, which is the limit`);
}

interface ToolCall {
  readonly name: string;
  readonly args: unknown;
}

/** A model that asks without end, or the same again and again, learns nothing new. */
export function countToolCalls(run: AgentRun, calls: readonly ToolCall[], { maxToolCalls }: CallSettings): void {
  for (const { name, args } of calls) {
    const id = canonicalJson([name, args]);
    const times = (run.sameCalls.get(id) ?? 0) + 1;
    run.sameCalls.set(id, times);
    run.toolCalls += 1;
    if (times >= MOST_SAME_CALLS) {
      const text = `expected different calls of ${name}, found the same one ${times} times, which is the limit: ${JSON.stringify(args)}`;
      throw new AgentFailure("loop", text);
    }
    if (run.toolCalls > maxToolCalls) {
      throw new AgentFailure("loop", `expected at most ${maxToolCalls} calls of tools, which is the limit, found more`);
    }
  }
}

export function checkAgentBudget({ tokens }: AgentRun, { agentTokenBudget }: CallSettings): void {
  if (agentTokenBudget === undefined || tokens < agentTokenBudget) return;
  throw new AgentFailure("budget", `the agent has spent ${tokens} of ${agentTokenBudget} tokens without a result`);
}
