/** @file One dataset row to a text for supervised training: raw text, a conversation, or a prompt with its completion. */
import { type Prompt, parseMessages } from "./conversation.js";
import { type DatasetRow, kindOf } from "./dataset-rows.js";
import type { ChatMessage } from "./types.js";

/** `text`: every token is a target. `conversation`: the replies are. `completion`: what follows the prompt is. */
export type SupervisedText =
  | { readonly kind: "text"; readonly number: number; readonly text: string }
  | { readonly kind: "conversation"; readonly number: number; readonly messages: readonly ChatMessage[] }
  | { readonly kind: "completion"; readonly number: number; readonly prompt: Prompt; readonly completion: string };

export type SupervisedRow =
  | { readonly kind: "row"; readonly row: SupervisedText }
  | { readonly kind: "malformed" | "refused"; readonly reason: string };

/** The columns `text`, `messages`, or `prompt` with `completion`; of several the first in this order that the row has. */
export function supervisedRow({ number, value }: DatasetRow): SupervisedRow {
  if (value["text"] != null) return textRow(number, value["text"]);
  if (value["messages"] != null) return conversationRow(number, value["messages"]);
  if (value["prompt"] != null || value["completion"] != null) return completionRow(number, value);
  const columns = Object.keys(value).join(", ") || "none";
  return malformed(`expected a column text, messages, or prompt with completion; the columns are: ${columns}`);
}

function textRow(number: number, text: unknown): SupervisedRow {
  if (typeof text !== "string") return malformed(`text: expected a string, found ${kindOf(text)}`);
  if (text.trim() === "") return refused("the text is empty");
  return { kind: "row", row: { kind: "text", number, text } };
}

function conversationRow(number: number, value: unknown): SupervisedRow {
  const problems: string[] = [];
  const messages = parseMessages(value, "messages", problems);
  if (problems.length > 0) return malformed(problems.join("; "));
  if (messages.at(-1)?.role !== "assistant") return refused("messages does not end with a reply of the assistant");
  if (messages.length < 2) return refused("messages has nothing before the reply");
  if (messages.some(({ role, content }) => role === "assistant" && content.trim() === "")) {
    return refused("messages has an empty answer");
  }
  return { kind: "row", row: { kind: "conversation", number, messages } };
}

function completionRow(number: number, value: DatasetRow["value"]): SupervisedRow {
  const problems: string[] = [];
  const prompt = typeof value["prompt"] === "string" ? value["prompt"] : undefined;
  const given = value["completion"];
  if (given == null) problems.push("completion: missing");
  if (value["prompt"] == null) problems.push("prompt: missing");
  const messages =
    prompt === undefined && value["prompt"] != null ? parseMessages(value["prompt"], "prompt", problems) : [];
  const after = Array.isArray(given) ? parseMessages(given, "completion", problems) : [];
  if (given != null && typeof given !== "string" && !Array.isArray(given)) {
    problems.push(`completion: expected a string or a list of {role, content}, found ${kindOf(given)}`);
  }
  if (problems.length > 0) return malformed(problems.join("; "));
  if (prompt !== undefined ? prompt.trim() === "" : messages.length === 0) return refused("the prompt is empty");
  if (typeof given === "string") {
    if (given.trim() === "") return refused("completion is an empty answer");
    return { kind: "row", row: { kind: "completion", number, prompt: prompt ?? messages, completion: given } };
  }
  const last = after.at(-1);
  if (last?.role !== "assistant") return refused("completion does not end with a reply of the assistant");
  if (last.content.trim() === "") return refused("completion is an empty answer");
  const before: Prompt =
    prompt !== undefined && after.length === 1
      ? prompt
      : [...(prompt === undefined ? messages : [{ role: "user" as const, content: prompt }]), ...after.slice(0, -1)];
  return { kind: "row", row: { kind: "completion", number, prompt: before, completion: last.content } };
}

function malformed(reason: string): SupervisedRow {
  return { kind: "malformed", reason };
}

function refused(reason: string): SupervisedRow {
  return { kind: "refused", reason };
}
