/** @file Typed data from a chat model that nothing constrains: asked for, checked, and asked for once more where it does not fit. */
import type { BaseLanguageModelInput } from "@langchain/core/language_models/base";
import { type AIMessage, type BaseMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { OutputParserException, parseJsonMarkdown } from "@langchain/core/output_parsers";
import { type Runnable, type RunnableConfig, RunnableLambda } from "@langchain/core/runnables";
import { toJsonSchema, Validator } from "@langchain/core/utils/json_schema";
import { isSerializableSchema } from "@langchain/core/utils/standard_schema";
import { interopSafeParseAsync, isInteropZodSchema } from "@langchain/core/utils/types";

/** What is handed in and how it is checked. */
export interface OutputContract {
  /** Of the tool that the model calls to hand it in. */
  readonly name: string;
  readonly description: string;
  readonly jsonSchema: Readonly<Record<string, unknown>>;
  /** The value as the schema returns it, or what is wrong with it, in words that a model can act on. */
  check(value: unknown): Promise<Checked>;
}

export type Checked = { readonly value: unknown } | { readonly problem: string };

/** Accepts Zod, any schema that can check and describe itself (Standard Schema), a JSON schema, or OpenAI's {name, parameters}. */
export function outputContract(schema: unknown, name?: string): OutputContract {
  if (typeof schema !== "object" || schema === null) {
    throw new Error(
      `withStructuredOutput: expected a Zod or JSON schema, found ${schema === null ? "null" : typeof schema}`,
    );
  }
  const described = (
    isInteropZodSchema(schema) || isSerializableSchema(schema) ? toJsonSchema(schema) : schema
  ) as Record<string, unknown>;
  const isFunction = typeof described["parameters"] === "object" && typeof described["name"] === "string";
  const jsonSchema = (isFunction ? described["parameters"] : described) as Record<string, unknown>;
  const title = [name, described["name"], described["title"]].find((candidate) => typeof candidate === "string");
  const description = described["description"];
  return {
    name: typeof title === "string" && /^[\w-]{1,64}$/.test(title) ? title : "extract",
    description: typeof description === "string" ? description : "Hands in the result.",
    jsonSchema,
    check: checker(schema, jsonSchema),
  };
}

function checker(schema: object, jsonSchema: Record<string, unknown>): OutputContract["check"] {
  if (isInteropZodSchema(schema)) {
    return async (value) => {
      const parsed = await interopSafeParseAsync(schema, value);
      return parsed.success ? { value: parsed.data } : { problem: listed(parsed.error.issues) };
    };
  }
  if (isSerializableSchema(schema)) {
    return async (value) => {
      const result = await schema["~standard"].validate(value);
      return result.issues === undefined ? { value: result.value } : { problem: listed(result.issues) };
    };
  }
  const validator = new Validator(jsonSchema, "2020-12", false);
  return async (value) => {
    const { valid, errors } = validator.validate(value);
    return valid ? { value } : { problem: errors.map((e) => `${e.instanceLocation}: ${e.error}`).join("; ") };
  };
}

interface Issue {
  readonly message: string;
  readonly path?: readonly unknown[] | undefined;
}

function listed(issues: readonly Issue[]): string {
  const where = (part: unknown): string =>
    String(typeof part === "object" && part !== null && "key" in part ? part.key : part);
  return issues.map(({ path = [], message }) => `${path.map(where).join(".") || "value"}: ${message}`).join("; ");
}

/** One way to ask for a value and to read it out of the reply. */
export interface OutputMethod {
  readonly llm: Runnable<BaseMessage[], AIMessage>;
  /** The conversation with the request in it. */
  ask(messages: readonly BaseMessage[]): BaseMessage[];
  read(reply: AIMessage): Promise<Checked>;
  /** What follows a reply that did not fit. */
  object(reply: AIMessage, problem: string): BaseMessage[];
}

/** As the argument of a call of one tool. */
export function byToolCall(contract: OutputContract, llm: OutputMethod["llm"]): OutputMethod {
  const { name } = contract;
  return {
    llm,
    ask: (messages) => [...messages],
    async read({ tool_calls = [], invalid_tool_calls = [] }) {
      const call = tool_calls.find((candidate) => candidate.name === name);
      if (call !== undefined) return contract.check(call.args);
      if (invalid_tool_calls.length > 0) return { problem: "the call cannot be read as JSON" };
      const found = tool_calls[0] === undefined ? "a plain reply" : `a call of ${tool_calls[0].name}`;
      return { problem: `expected a call of ${name}, found ${found}` };
    },
    object(reply, problem) {
      const text = `${problem}. Call ${name} again with what fits its schema.`;
      const calls = reply.tool_calls ?? [];
      if (calls.length === 0) return [new HumanMessage(text)];
      return calls.map(({ id = "", ...call }) => {
        return new ToolMessage({ content: text, tool_call_id: id, name: call.name, status: "error" });
      });
    },
  };
}

/** As JSON in the reply's text. */
export function byJsonText(contract: OutputContract, llm: OutputMethod["llm"]): OutputMethod {
  return {
    llm,
    ask: (messages) => withRequest(messages, jsonRequest(contract)),
    async read(reply) {
      let value: unknown;
      try {
        value = parseJsonMarkdown(reply.text, JSON.parse as (text: string) => unknown);
      } catch (error) {
        return { problem: `the reply is no JSON (${(error as Error).message})` };
      }
      return contract.check(value);
    },
    object: (_, problem) => [new HumanMessage(`${problem}. Reply again with one JSON object that fits the schema.`)],
  };
}

const jsonRequest = ({ jsonSchema, description }: OutputContract): string =>
  [
    "Reply with one JSON object that fits this JSON schema, and with nothing else.",
    `${description} Schema:`,
    JSON.stringify(jsonSchema),
  ].join("\n");

/** The request ends the last user turn: every chat template has one, and it stands next to the reply. */
function withRequest(messages: readonly BaseMessage[], request: string): BaseMessage[] {
  const at = messages.findLastIndex((message) => message.getType() === "human");
  const last = messages[at];
  if (last === undefined) return [...messages, new HumanMessage(request)];
  return messages.with(at, new HumanMessage(`${last.text}\n\n${request}`));
}

export interface StructuredRunnableOptions {
  readonly method: OutputMethod;
  readonly includeRaw: boolean;
  readonly toMessages: (input: BaseLanguageModelInput) => BaseMessage[];
}

/** The pipeline that `withStructuredOutput` returns. Throws, or returns null beside the raw reply, where two replies did not fit. */
export function structuredRunnable(options: StructuredRunnableOptions): Runnable<BaseLanguageModelInput, unknown> {
  const { method, includeRaw, toMessages } = options;
  const run = async (input: BaseLanguageModelInput, config: RunnableConfig): Promise<unknown> => {
    const { raw, parsed, problem } = await askForOutput(method, toMessages(input), config);
    if (includeRaw) return { raw, parsed };
    if (problem !== undefined) {
      throw new OutputParserException(`two replies did not fit the schema; the second: ${problem}`, raw.text);
    }
    return parsed;
  };
  return RunnableLambda.from(run).withConfig({ runName: "StructuredOutput" });
}

interface StructuredReply {
  readonly raw: AIMessage;
  readonly parsed: unknown;
  /** Of the second reply, where it did not fit either. */
  readonly problem?: string;
}

/** Asks, and once more with what was wrong. */
async function askForOutput(
  { ask, object, llm, read }: OutputMethod,
  messages: readonly BaseMessage[],
  config: RunnableConfig,
): Promise<StructuredReply> {
  const asked = ask(messages);
  const first = await llm.invoke(asked, config);
  const checked = await read(first);
  if ("value" in checked) return { raw: first, parsed: checked.value };
  const raw = await llm.invoke([...asked, first, ...object(first, checked.problem)], config);
  const again = await read(raw);
  return "value" in again ? { raw, parsed: again.value } : { raw, parsed: null, problem: again.problem };
}
