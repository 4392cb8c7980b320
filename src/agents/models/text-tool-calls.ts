/** @file Tool calls with a model that has none: tools and results are told in text, and a call is asked for as JSON. */
import { AIMessage, type BaseMessage, HumanMessage, SystemMessage } from "@langchain/core/messages";
import type { Runnable, RunnableConfig } from "@langchain/core/runnables";
import type { ToolDefinition } from "../../trainer/index.js";
import { byJsonText, type OutputContract, outputContract, structuredRunnable } from "./engine-structured-output.js";

/** One call of one of the tools, or an OutputParserException where two replies of `llm` were none. */
export async function callInText(
  llm: Runnable<BaseMessage[], AIMessage>,
  messages: readonly BaseMessage[],
  tools: readonly ToolDefinition[],
  config: RunnableConfig,
): Promise<AIMessage> {
  const output = structuredRunnable({
    method: byJsonText(callContract(tools), llm),
    includeRaw: true,
    toMessages: () => asText(messages),
  });
  const { raw, parsed } = (await output.invoke("", config)) as { raw: AIMessage; parsed: TextCall | null };
  if (parsed === null) throw new Error(noCall(tools, raw.text));
  const { response_metadata, usage_metadata } = raw;
  return new AIMessage({
    content: "",
    // Unique in its conversation, and the same in every run.
    tool_calls: [{ id: `call-${messages.length}`, name: parsed.tool, args: parsed.arguments, type: "tool_call" }],
    response_metadata,
    ...(usage_metadata && { usage_metadata }),
  });
}

interface TextCall {
  readonly tool: string;
  readonly arguments: Record<string, unknown>;
}

const SHOWN_CHARACTERS = 120;

function noCall(tools: readonly ToolDefinition[], reply: string): string {
  const names = tools.map(({ name }) => name).join(" or ");
  return `expected a call of ${names} as JSON, found twice something else, at last: ${reply.trim().slice(0, SHOWN_CHARACTERS)}`;
}

function callContract(tools: readonly ToolDefinition[]): OutputContract {
  const names = tools.map(({ name }) => name);
  const argumentsOf = new Map(tools.map((tool) => [tool.name, outputContract(parametersOf(tool), tool.name)]));
  return {
    name: "call",
    description: [
      "The object is a call of one of these tools, whose result you get with the next message:",
      ...tools.map(
        (tool) => `- ${tool.name}: ${tool.description ?? ""} Arguments: ${JSON.stringify(parametersOf(tool))}`,
      ),
    ].join("\n"),
    jsonSchema: {
      type: "object",
      properties: { tool: { enum: names }, arguments: { type: "object" } },
      required: ["tool", "arguments"],
    },
    async check(value) {
      const { tool, arguments: given } = (value ?? {}) as Partial<Record<"tool" | "arguments", unknown>>;
      const contract = typeof tool === "string" ? argumentsOf.get(tool) : undefined;
      if (contract === undefined) {
        return { problem: `tool: expected ${names.join(" or ")}, found ${JSON.stringify(tool) ?? "nothing"}` };
      }
      const checked = await contract.check(given);
      return "problem" in checked
        ? { problem: `arguments: ${checked.problem}` }
        : { value: { tool, arguments: given } };
    },
  };
}

const parametersOf = ({ parameters }: ToolDefinition): Readonly<Record<string, unknown>> =>
  parameters ?? { type: "object" };

/** The conversation with calls and results as text, neighbours of one role joined. */
export function asText(messages: readonly BaseMessage[]): BaseMessage[] {
  const turns = messages.map((message): { role: string; text: string } => {
    const role = message.getType();
    if (role === "tool") return { role: "human", text: `Result of ${message.name ?? "the tool"}:\n${message.text}` };
    const calls = AIMessage.isInstance(message) ? (message.tool_calls ?? []) : [];
    const written = calls.map(({ name, args }) => JSON.stringify({ tool: name, arguments: args }));
    return { role, text: [message.text, ...written].filter((text) => text !== "").join("\n") };
  });
  const joined: { role: string; text: string }[] = [];
  for (const turn of turns) {
    const last = joined.at(-1);
    if (last?.role === turn.role) last.text += `\n\n${turn.text}`;
    else joined.push({ ...turn });
  }
  return joined.map(({ role, text }) => {
    if (role === "ai") return new AIMessage(text);
    return role === "system" ? new SystemMessage(text) : new HumanMessage(text);
  });
}
