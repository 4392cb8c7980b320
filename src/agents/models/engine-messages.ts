/** @file LangChain's messages and tools as the text layer takes them. */
import type { BindToolsInput, ToolChoice } from "@langchain/core/language_models/chat_models";
import { AIMessage, type BaseMessage, ChatMessage, ToolMessage } from "@langchain/core/messages";
import { convertToOpenAITool } from "@langchain/core/utils/function_calling";
import type { ChatTemplate, TextMessage, ToolDefinition } from "../../trainer/index.js";

/** Throws with every message that cannot be read. System messages open the first user turn where the template has no such role. */
export function textMessages(messages: readonly BaseMessage[], template: ChatTemplate | undefined): TextMessage[] {
  const problems: string[] = [];
  const turns = messages.flatMap((message, i) => {
    try {
      return [textMessage(message)];
    } catch (error) {
      problems.push(`messages[${i}]: ${(error as Error).message}`);
      return [];
    }
  });
  if (problems.length > 0) throw new Error(problems.join("\n"));
  const hasSystem = turns.some(({ role }) => role === "system");
  return hasSystem && template !== undefined && !showsSystem(template) ? withoutSystem(turns) : turns;
}

function textMessage(message: BaseMessage): TextMessage {
  const role = roleOf(message);
  const content = textOf(message);
  if (ToolMessage.isInstance(message)) {
    const { tool_call_id, name } = message;
    return { role: "tool", content, toolCallId: tool_call_id, ...(name !== undefined && { name }) };
  }
  if (!AIMessage.isInstance(message)) return { role, content };
  const reasoning = reasoningOf(message);
  const calls = message.tool_calls ?? [];
  return {
    role,
    content,
    ...(reasoning !== "" && { reasoning }),
    ...(calls.length > 0 && {
      toolCalls: calls.map(({ id, name, args }, i) => ({ id: id ?? `call-${i}`, name, arguments: args })),
    }),
  };
}

const ROLES: Readonly<Record<string, TextMessage["role"]>> = {
  human: "user",
  ai: "assistant",
  system: "system",
  tool: "tool",
  user: "user",
  assistant: "assistant",
  developer: "system",
};

function roleOf(message: BaseMessage): TextMessage["role"] {
  const type = ChatMessage.isInstance(message) ? message.role : message.getType();
  const role = ROLES[type];
  if (role === undefined) throw new Error(`expected a system, human, ai or tool message, found ${type}`);
  return role;
}

/** Parts of a message that say nothing, or say it elsewhere: reasoning and tool calls are read from the message. */
const SILENT_PARTS: readonly string[] = ["reasoning", "thinking", "tool_call", "tool_use", "invalid_tool_call"];

function textOf(message: BaseMessage): string {
  const { content } = message;
  if (typeof content === "string") return content;
  const unread = content.filter(({ type }) => type !== "text" && !SILENT_PARTS.includes(type));
  if (unread.length > 0) {
    const kinds = [...new Set(unread.map(({ type }) => type))].join(", ");
    throw new Error(`expected text, found ${kinds}: this model reads text alone`);
  }
  return content.map((part) => ("text" in part && typeof part.text === "string" ? part.text : "")).join("");
}

function reasoningOf({ additional_kwargs, content }: AIMessage): string {
  const told = additional_kwargs["reasoning_content"];
  if (typeof told === "string") return told;
  if (typeof content === "string") return "";
  return content.map((part) => ("reasoning" in part ? String(part["reasoning"]) : "")).join("");
}

const PROBE = "a system message";

/** Some templates refuse a system role, some pass over it in silence. */
function showsSystem(template: ChatTemplate): boolean {
  const messages = [
    { role: "system", content: PROBE },
    { role: "user", content: "a question" },
  ] as const;
  try {
    return template.render(messages, { addGenerationPrompt: true }).includes(PROBE);
  } catch {
    return false;
  }
}

function withoutSystem(turns: readonly TextMessage[]): TextMessage[] {
  const said = turns.filter(({ role }) => role === "system").map(({ content }) => content);
  const others = turns.filter(({ role }) => role !== "system");
  const at = others.findIndex(({ role }) => role === "user");
  const first = others[at];
  const opening = said.filter((text) => text !== "");
  if (first === undefined) return [{ role: "user", content: opening.join("\n\n") }, ...others];
  return others.with(at, { ...first, content: [...opening, first.content].join("\n\n") });
}

/** Any of LangChain's kinds of tools, and the shapes of OpenAI and Anthropic. */
export function toolDefinitions(tools: readonly BindToolsInput[]): ToolDefinition[] {
  return tools.map((tool) => {
    const { name, description, parameters, input_schema } = functionOf(tool);
    const schema = parameters ?? input_schema;
    return {
      name,
      ...(description !== undefined && { description }),
      ...(schema !== undefined && { parameters: schema }),
    };
  });
}

interface FunctionShape {
  readonly name: string;
  readonly description?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly input_schema?: Readonly<Record<string, unknown>>;
}

function functionOf(tool: BindToolsInput): FunctionShape {
  if ("function" in tool && typeof tool.function === "object") return tool.function as FunctionShape;
  if ("input_schema" in tool) return tool as unknown as FunctionShape;
  return convertToOpenAITool(tool as Parameters<typeof convertToOpenAITool>[0]).function as FunctionShape;
}

/** The tools that a choice leaves: all of them, one, or none. */
export function chosenTools(
  tools: readonly ToolDefinition[],
  choice: ToolChoice | undefined,
): readonly ToolDefinition[] {
  if (choice === undefined || choice === "auto" || choice === "any" || choice === "required") return tools;
  if (choice === "none") return [];
  const name = typeof choice === "string" ? choice : nameIn(choice);
  const chosen = tools.filter((tool) => tool.name === name);
  if (chosen.length > 0) return chosen;
  const known = tools.map((tool) => tool.name).join(", ") || "no tools";
  throw new Error(`tool_choice: expected "auto", "any", "none" or one of ${known}, found ${JSON.stringify(choice)}`);
}

function nameIn(choice: Readonly<Record<string, unknown>>): unknown {
  const { function: called, name } = choice;
  return typeof called === "object" && called !== null && "name" in called ? called.name : name;
}
