/** @file placeholder */
export interface AgentCalls {
  readonly name?: string;
}
