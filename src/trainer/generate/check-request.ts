/** @file The shape of a request that came from outside: every field that cannot be, before anything is rendered. */
import { type FieldProblem, samplingProblems, shown, unknownFields } from "./sampling-fields.js";
import type { TextMessage, TextRequest } from "./types.js";

const COMMON = ["sampling", "adapter", "logprobs"];
const RAW = ["prompt", ...COMMON];
const CHAT = ["messages", "tools", "prefill", "templateArguments", ...COMMON];
const MESSAGE = ["role", "content", "reasoning", "toolCalls", "toolCallId", "name"];
const ROLES: readonly string[] = ["system", "user", "assistant", "tool"] satisfies TextMessage["role"][];

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Problems of the request's own fields; texts, lengths and the template are looked at later. */
export function requestProblems(request: TextRequest, adapters: readonly string[]): FieldProblem[] {
  const fields = request as unknown as Readonly<Record<string, unknown>>;
  const raw = "prompt" in fields;
  if (raw === "messages" in fields) {
    const message = `expected prompt or messages, found ${raw ? "both" : "neither"}`;
    return [{ field: "messages", message }];
  }
  const { adapter, logprobs, sampling } = fields;
  const known = ["on", "off", ...adapters];
  return [
    ...unknownFields(fields, raw ? RAW : CHAT),
    ...(raw ? rawProblems(fields) : chatProblems(fields)),
    ...samplingProblems(sampling),
    ...(adapter === undefined || known.includes(adapter as string)
      ? []
      : [{ field: "adapter", message: `expected one of ${known.join(", ")}, found ${shown(adapter)}` }]),
    ...wrongType(logprobs, "logprobs", "true or false", (value) => typeof value === "boolean"),
  ];
}

function rawProblems({ prompt }: Readonly<Record<string, unknown>>): FieldProblem[] {
  return typeof prompt === "string" ? [] : [{ field: "prompt", message: `expected a string, found ${shown(prompt)}` }];
}

function chatProblems(fields: Readonly<Record<string, unknown>>): FieldProblem[] {
  const { messages, tools, prefill, templateArguments } = fields;
  return [
    ...messagesProblems(messages),
    ...wrongType(prefill, "prefill", "a string", (value) => typeof value === "string"),
    ...wrongType(templateArguments, "templateArguments", "an object", isObject),
    ...(tools === undefined ? [] : toolsProblems(tools)),
    ...(typeof prefill === "string" && Array.isArray(messages) && messages.at(-1)?.role === "assistant"
      ? [
          {
            field: "prefill",
            message: "the last message is the assistant's and is continued already; leave one of them out",
          },
        ]
      : []),
  ];
}

function messagesProblems(messages: unknown): FieldProblem[] {
  if (!Array.isArray(messages)) {
    return [{ field: "messages", message: `expected a list of {role, content}, found ${shown(messages)}` }];
  }
  if (messages.length === 0) {
    return [{ field: "messages", message: "expected at least one message, found none; begin with one of the user" }];
  }
  return messages.flatMap((message: unknown, i) => messageProblems(message, `messages[${i}]`));
}

function messageProblems(message: unknown, where: string): FieldProblem[] {
  if (!isObject(message)) return [{ field: where, message: `expected {role, content}, found ${shown(message)}` }];
  const { role, content, toolCalls } = message;
  const isRole = (value: unknown): boolean => ROLES.includes(value as string);
  return [
    ...(isRole(role)
      ? []
      : [{ field: `${where}.role`, message: `expected one of ${ROLES.join(", ")}, found ${shown(role)}` }]),
    ...(typeof content === "string"
      ? []
      : [{ field: `${where}.content`, message: `expected a string, found ${shown(content)}` }]),
    ...unknownFields(message, MESSAGE, `${where}.`),
    ...wrongType(toolCalls, `${where}.toolCalls`, "a list of {id, name, arguments}", isListOfCalls),
    ...(toolCalls !== undefined && role !== "assistant"
      ? [{ field: `${where}.toolCalls`, message: `only the assistant calls tools, found role ${shown(role)}` }]
      : []),
  ];
}

const isListOfCalls = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.every((call) => isObject(call) && typeof call["name"] === "string" && isObject(call["arguments"]));

function toolsProblems(tools: unknown): FieldProblem[] {
  if (!Array.isArray(tools)) return [{ field: "tools", message: `expected a list of tools, found ${shown(tools)}` }];
  return tools.flatMap((tool: unknown, i) => {
    const good = isObject(tool) && typeof tool["name"] === "string" && tool["name"] !== "";
    const where = `tools[${i}]`;
    if (!good) return [{ field: where, message: `expected {name, description, parameters}, found ${shown(tool)}` }];
    return wrongType(tool["parameters"], `${where}.parameters`, "a JSON schema (an object)", isObject);
  });
}

function wrongType(value: unknown, field: string, expected: string, good: (value: unknown) => boolean): FieldProblem[] {
  return value === undefined || good(value) ? [] : [{ field, message: `expected ${expected}, found ${shown(value)}` }];
}
