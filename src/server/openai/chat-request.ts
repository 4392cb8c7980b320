/** @file The body of POST /v1/chat/completions. */
import { z } from "zod";
import { messagesField, toolsField } from "./chat-messages.js";
import { commonFields, ignored, only } from "./fields.js";

const isType = (name: string) => (value: unknown) =>
  typeof value === "object" && value !== null && "type" in value && value.type === name;

const isTextAlone = (value: unknown): boolean => Array.isArray(value) && value.every((each) => each === "text");

export const chatRequestSchema = z.strictObject({
  ...commonFields,
  messages: messagesField,
  max_tokens: z.int().min(1).optional(),
  max_completion_tokens: z.int().min(1).optional(),
  logprobs: z.boolean().optional(),
  top_logprobs: only<0>(
    (value) => value === 0,
    "is not supported above 0: only the log-probabilities of the tokens that were drawn are known",
  ),
  tools: toolsField,
  tool_choice: only<"auto" | "none">(
    (value) => value === "auto" || value === "none",
    "expected auto or none: replies are not constrained, so a call cannot be made sure of",
  ),
  parallel_tool_calls: z.boolean().optional(),
  response_format: only<{ type: "text" }>(
    isType("text"),
    "is supported as text alone: replies are not constrained; ask for JSON in a message and check the reply, or give tools",
  ),
  modalities: only<"text"[]>(isTextAlone, 'expected ["text"]: this model writes text alone'),
  /** Variables of the chat template, as vLLM and llama.cpp name them. */
  chat_template_kwargs: z.record(z.string(), z.unknown()).optional(),
  functions: only<undefined>(() => false, "is not supported: use tools"),
  function_call: only<undefined>(() => false, "is not supported: use tool_choice"),
  audio: only<undefined>(() => false, "is not supported: this model writes text alone"),
  web_search_options: only<undefined>(() => false, "is not supported: give a tool of your own"),
  prediction: ignored,
  reasoning_effort: ignored,
  verbosity: ignored,
});

export type ChatBody = z.output<typeof chatRequestSchema>;
