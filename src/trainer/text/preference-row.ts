/** @file One dataset row to a preference pair, in the two forms that TRL reads: strings, or lists of messages. */
import { firstDifference, type Prompt, parseMessages } from "./conversation.js";
import { type DatasetRow, kindOf } from "./dataset-rows.js";
import type { ChatMessage } from "./types.js";

/** A pair as text; `number` is the line or row it came from. */
export interface PreferenceText {
  readonly number: number;
  readonly prompt: Prompt;
  readonly chosen: string;
  readonly rejected: string;
}

/**
 * `malformed`: a column is missing or of another kind, so the file is not what it was taken for. `refused`: the row is
 * well written and cannot be trained on.
 */
export type PreferenceRow =
  | { readonly kind: "pair"; readonly pair: PreferenceText }
  | { readonly kind: "malformed" | "refused"; readonly reason: string };

/**
 * `prompt` may be missing where `chosen` and `rejected` hold the whole conversation; what stands before their last
 * replies is then the prompt, as it is added to the prompt where both are lists. It must be the same on both sides.
 */
export function preferenceRow({ number, value }: DatasetRow): PreferenceRow {
  const problems: string[] = [];
  const prompt = promptOf(value["prompt"], problems);
  const chosen = sideOf(value["chosen"], "chosen", problems);
  const rejected = sideOf(value["rejected"], "rejected", problems);
  if (problems.length === 0 && prompt === undefined && (chosen.before === undefined || rejected.before === undefined)) {
    problems.push("prompt: missing; it may be left out where chosen and rejected are whole conversations");
  }
  if (problems.length > 0) return { kind: "malformed", reason: problems.join("; ") };
  const difference = firstDifference(chosen.before ?? [], rejected.before ?? []);
  if (difference !== undefined) return refused(`the prompts of chosen and rejected differ: ${difference}`);
  for (const [side, { reply }] of [["chosen", chosen] as const, ["rejected", rejected] as const]) {
    if (reply === undefined) return refused(`${side} does not end with a reply of the assistant`);
    if (reply.trim() === "") return refused(`${side} is an empty answer`);
  }
  const whole = wholePrompt(prompt, chosen.before ?? []);
  const empty = typeof whole === "string" ? whole.trim() === "" : whole.length === 0;
  if (empty) return refused("the prompt is empty");
  return { kind: "pair", pair: { number, prompt: whole, chosen: chosen.reply ?? "", rejected: rejected.reply ?? "" } };
}

interface Side {
  /** Of a list: the messages before the last one. */
  readonly before?: readonly ChatMessage[];
  readonly reply?: string | undefined;
}

function sideOf(value: unknown, column: string, problems: string[]): Side {
  if (typeof value === "string") return { reply: value };
  if (value === undefined || value === null) {
    problems.push(`${column}: missing`);
    return {};
  }
  if (!Array.isArray(value)) {
    problems.push(`${column}: expected a string or a list of {role, content}, found ${kindOf(value)}`);
    return {};
  }
  const messages = parseMessages(value, column, problems);
  const last = messages.at(-1);
  return { before: messages.slice(0, -1), reply: last?.role === "assistant" ? last.content : undefined };
}

function promptOf(value: unknown, problems: string[]): Prompt | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return parseMessages(value, "prompt", problems);
  problems.push(`prompt: expected a string or a list of {role, content}, found ${kindOf(value)}`);
  return undefined;
}

/** Beside whole conversations a prompt in words repeats their first turn, as in UltraFeedback: the conversation counts. */
function wholePrompt(prompt: Prompt | undefined, before: readonly ChatMessage[]): Prompt {
  if (prompt === undefined) return before;
  if (typeof prompt === "string") return before.length > 0 ? before : prompt;
  return [...prompt, ...before];
}

function refused(reason: string): PreferenceRow {
  return { kind: "refused", reason };
}
