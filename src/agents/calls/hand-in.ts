/** @file What an agent's model hands in: as a call of its tool, or in prose that holds the same; or why it does not fit. */
import { AIMessage, type BaseMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { z } from "zod";
import { isRefusal } from "./refusal.js";

export interface HandIn {
  /** Name of the tool that takes the result. */
  readonly title: string;
  readonly schema: z.ZodType;
  /** Reads a plain reply in a form of the job's own, e.g. marked sections; undefined where it is in none. */
  readonly readText?: ((text: string) => unknown) | undefined;
}

export type Reading =
  /** It calls the tool with what fits, or calls other tools. */
  | { readonly kind: "fits" }
  /** Prose that holds the result. */
  | { readonly kind: "prose"; readonly value: Readonly<Record<string, unknown>> }
  | { readonly kind: "refusal"; readonly text: string }
  | { readonly kind: "unfit"; readonly problem: string };

export function readReply(reply: AIMessage, handIn: HandIn): Reading {
  const { tool_calls: calls = [], invalid_tool_calls: broken = [] } = reply;
  const call = calls.find(({ name }) => name === handIn.title);
  if (call !== undefined) {
    const { success, error } = handIn.schema.safeParse(call.args);
    return success ? { kind: "fits" } : { kind: "unfit", problem: issuesOf(error) };
  }
  if (calls.length > 0) return { kind: "fits" };
  if (broken.length > 0) return { kind: "unfit", problem: `the call of ${broken[0]?.name} cannot be read as JSON` };
  const value = readProse(reply.text, handIn);
  if (value !== undefined) return { kind: "prose", value };
  if (isRefused(reply)) return { kind: "refusal", text: excerpt(reply.text) };
  return { kind: "unfit", problem: `a plain reply (${excerpt(reply.text)})` };
}

const issuesOf = (error: z.ZodError): string =>
  error.issues.map(({ path, message }) => `${path.join(".") || "value"}: ${message}`).join("; ");

/** Enough of a reply to recognise it. */
const excerpt = (text: string): string => {
  const line = text.replace(/\s+/g, " ").trim();
  return line === "" ? "empty" : `"${line.length > 120 ? `${line.slice(0, 117)}…` : line}"`;
};

/** The provider says so, or the words do. */
function isRefused({ text, additional_kwargs, response_metadata }: AIMessage): boolean {
  const { finish_reason, stop_reason } = response_metadata;
  if (typeof additional_kwargs["refusal"] === "string") return true;
  return finish_reason === "content_filter" || stop_reason === "refusal" || isRefusal(text);
}

function readProse(text: string, { schema, readText }: HandIn): Readonly<Record<string, unknown>> | undefined {
  const candidates = [...jsonIn(text), readText?.(text), labelledFields(text, fieldNames(schema))];
  const fit = candidates.find((candidate) => schema.safeParse(candidate).success);
  return fit as Readonly<Record<string, unknown>> | undefined;
}

/** Objects in fenced blocks and the widest one in braces; what a call written as text carries as its arguments. */
function jsonIn(text: string): unknown[] {
  const fenced = Array.from(text.matchAll(/```(?:json)?\s*\n([\s\S]*?)```/g), ([, body = ""]) => body);
  const braces = text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1);
  return [...fenced, braces].flatMap((source) => {
    try {
      const value = JSON.parse(source) as Record<string, unknown> | null;
      return [value, value?.["arguments"], value?.["args"], value?.["parameters"]];
    } catch {
      return [];
    }
  });
}

const fieldNames = (schema: z.ZodType): string[] =>
  Object.keys(z.toJSONSchema(schema, { io: "input" }).properties ?? {});

/** Texts under a field's name: "Answer: …", "**Answer**" or "## Answer", each name once and on a line's start. */
function labelledFields(text: string, names: readonly string[]): Record<string, string> | undefined {
  const label = new RegExp(
    `^[ \\t]*(?:#{1,6}[ \\t]*|[*_]{1,2})?(${names.join("|")})(?:[*_]{0,2}:[*_]{0,2}|[*_]{1,2}|(?=[ \\t]*$))`,
    "gim",
  );
  const found = [...text.matchAll(label)];
  const starts = found.map((match) => ({
    name: (match[1] as string).toLowerCase(),
    at: match.index,
    from: match.index + match[0].length,
  }));
  if (starts.length === 0 || new Set(starts.map(({ name }) => name)).size < starts.length) return undefined;
  return Object.fromEntries(
    starts.map(({ name, from }, i) => [
      names.find((candidate) => candidate.toLowerCase() === name) ?? name,
      text.slice(from, starts[i + 1]?.at).trim(),
    ]),
  );
}

/** What follows a reply that does not fit: the model is told what was wrong and asked once more. */
export function objection(reply: AIMessage, problem: string, { title, schema }: HandIn): BaseMessage[] {
  const fields = fieldNames(schema).join(", ");
  const text = `Expected a call of ${title} with ${fields}, found ${problem}. Call ${title} with what fits its schema, or reply with one JSON object of these fields and nothing else.`;
  const calls = [...(reply.tool_calls ?? []), ...(reply.invalid_tool_calls ?? [])];
  if (calls.length === 0) return [new HumanMessage(text)];
  return calls.map(({ id = "", name = title }) => {
    return new ToolMessage({ content: text, tool_call_id: id, name, status: "error" });
  });
}

/** Prose as the call that it stands for, so that it takes the way of every other hand-in. */
export function asCall(reply: AIMessage, value: Readonly<Record<string, unknown>>, { title }: HandIn): AIMessage {
  return new AIMessage({
    content: reply.content,
    tool_calls: [{ id: "read-from-prose", name: title, args: { ...value }, type: "tool_call" }],
    ...(reply.usage_metadata && { usage_metadata: reply.usage_metadata }),
    response_metadata: reply.response_metadata,
  });
}
