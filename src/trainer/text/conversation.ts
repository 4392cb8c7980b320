/** @file Conversations as datasets write them: lists of {role, content}, checked. */
import { kindOf } from "./dataset-rows.js";
import type { ChatMessage } from "./types.js";

/** A prompt: one user turn (or raw text) as a string, or the conversation so far. */
export type Prompt = string | readonly ChatMessage[];

const ROLES: readonly string[] = ["system", "user", "assistant"] satisfies ChatMessage["role"][];

/** Messages of a column's value; `problems` receives what is not one. Extra fields are accepted where they are empty. */
export function parseMessages(value: unknown, column: string, problems: string[]): ChatMessage[] {
  if (!Array.isArray(value)) {
    problems.push(`${column}: expected a list of {role, content}, found ${kindOf(value)}`);
    return [];
  }
  if (value.length === 0) problems.push(`${column}: expected at least one message, found none`);
  return value.flatMap((item: unknown, i) => {
    const where = `${column}[${i}]`;
    if (typeof item !== "object" || item === null || Array.isArray(item)) {
      problems.push(`${where}: expected {role, content}, found ${kindOf(item)}`);
      return [];
    }
    const { role, content, ...rest } = item as Readonly<Record<string, unknown>>;
    const before = problems.length;
    if (typeof role !== "string" || !ROLES.includes(role)) {
      problems.push(`${where}.role: expected ${ROLES.join(", ")}, found ${JSON.stringify(role) ?? "nothing"}`);
    }
    if (typeof content !== "string") problems.push(`${where}.content: expected a string, found ${kindOf(content)}`);
    for (const field of ["tool_calls", "function_call"]) {
      const calls = rest[field];
      const empty = calls == null || (Array.isArray(calls) && calls.length === 0);
      if (!empty) problems.push(`${where}.${field}: calls of tools cannot be trained on`);
    }
    return problems.length > before ? [] : [{ role, content } as ChatMessage];
  });
}

/** Where two conversations differ first, or undefined where they are the same. */
export function firstDifference(a: readonly ChatMessage[], b: readonly ChatMessage[]): string | undefined {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    if (a[i]!.role !== b[i]!.role) return `message ${i + 1} is of ${a[i]!.role} and of ${b[i]!.role}`;
    if (a[i]!.content !== b[i]!.content) return `message ${i + 1} (${a[i]!.role}) differs`;
  }
  return a.length === b.length ? undefined : `they have ${a.length} and ${b.length} messages`;
}
