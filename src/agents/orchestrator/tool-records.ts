/** @file What an orchestrator's tool calls brought, read from the messages that any model would see. */
import { AIMessage, type BaseMessage, ToolMessage } from "@langchain/core/messages";

interface Call {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

export type ToolRecord = Call & ToolOutcome;

export type ToolOutcome =
  | { readonly ok: true; readonly data: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly error: string };

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** A result is an object as JSON, which `@langchain/mcp-adapters` wraps; everything else is an error. */
export function outcomeOf(message: ToolMessage): ToolOutcome {
  const text = message.text.trim();
  if (message.status === "error") return { ok: false, error: text };
  try {
    const data: unknown = JSON.parse(text);
    if (isObject(data))
      return { ok: true, data: isObject(data["structuredContent"]) ? data["structuredContent"] : data };
  } catch {
    // Said below, with what was found.
  }
  return { ok: false, error: `expected a result as JSON, found ${JSON.stringify(text.slice(0, 120))}` };
}

/** All calls of a conversation that have a result, in the order of the results. */
export function readRecords(messages: readonly BaseMessage[]): ToolRecord[] {
  const calls = new Map<string, Call>();
  const records: ToolRecord[] = [];
  for (const message of messages) {
    if (AIMessage.isInstance(message)) {
      for (const { id, name, args } of message.tool_calls ?? []) calls.set(id ?? "", { name, args });
    }
    if (!ToolMessage.isInstance(message)) continue;
    const call = calls.get(message.tool_call_id);
    if (call !== undefined) records.push({ ...call, ...outcomeOf(message) });
  }
  return records;
}
