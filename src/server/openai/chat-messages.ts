/** @file Messages and tools as OpenAI writes them, to what the text model takes. */
import { z } from "zod";
import type { TextMessage, ToolCall, ToolDefinition } from "../../trainer/generate/index.js";

const textPart = z.discriminatedUnion("type", [z.object({ type: z.literal("text"), text: z.string() })], {
  error: "expected a part of type text: this model reads text alone",
});

/** A string, or text parts, which are joined. */
const content = z.preprocess(
  (value) => (typeof value === "string" ? [{ type: "text", text: value }] : value),
  z.array(textPart, { error: "expected a string or a list of text parts" }).transform(joined),
);

function joined(parts: readonly { readonly text: string }[]): string {
  return parts.map(({ text }) => text).join("");
}

/** The arguments of a call are JSON in a string. */
const callArguments = z.string().transform((text, context): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(text === "" ? "{}" : text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below, with the other things that are no object.
  }
  context.addIssue({ code: "custom", message: "expected a JSON object as a string" });
  return z.NEVER;
});

const toolCall = z
  .object({
    id: z.string(),
    type: z.literal("function").optional(),
    function: z.object({ name: z.string(), arguments: callArguments }),
  })
  .transform((call): ToolCall => ({ id: call.id, name: call.function.name, arguments: call.function.arguments }));

/** Clients send back what they received, with fields of null. */
const withoutNulls = (value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null))
    : value;

const message = z.discriminatedUnion(
  "role",
  [
    z.object({ role: z.enum(["system", "developer", "user"]), content }),
    z.object({
      role: z.literal("assistant"),
      content: content.optional(),
      reasoning_content: z.string().optional(),
      tool_calls: z.array(toolCall).optional(),
    }),
    z.object({ role: z.literal("tool"), content, tool_call_id: z.string(), name: z.string().optional() }),
  ],
  { error: "expected system, developer, user, assistant or tool" },
);

export const messagesField = z
  .array(z.preprocess(withoutNulls, message))
  .min(1)
  .transform((messages): TextMessage[] => messages.map(textMessage));

function textMessage(given: z.output<typeof message>): TextMessage {
  switch (given.role) {
    case "assistant":
      return {
        role: "assistant",
        content: given.content ?? "",
        ...(given.reasoning_content !== undefined && { reasoning: given.reasoning_content }),
        ...(given.tool_calls !== undefined && { toolCalls: given.tool_calls }),
      };
    case "tool":
      return {
        role: "tool",
        content: given.content,
        toolCallId: given.tool_call_id,
        ...(given.name !== undefined && { name: given.name }),
      };
    default:
      return { role: given.role === "user" ? "user" : "system", content: given.content };
  }
}

const tool = z
  .object({
    type: z.literal("function"),
    function: z.object({
      name: z.string().min(1),
      description: z.string().nullish(),
      parameters: z.record(z.string(), z.unknown()).nullish(),
    }),
  })
  .transform(
    ({ function: { name, description, parameters } }): ToolDefinition => ({
      name,
      ...(description != null && { description }),
      ...(parameters != null && { parameters }),
    }),
  );

export const toolsField = z.array(tool).optional();
