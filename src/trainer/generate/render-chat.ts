/** @file A conversation as the text that the chat template makes of it, and where the template refuses it. */
import type { ChatTemplate, RenderOptions, SectionMarkers, TemplateMessage } from "../text/index.js";
import type { FieldProblem } from "./sampling-fields.js";
import type { ChatRequest, TextMessage, ToolDefinition } from "./types.js";

export interface RenderedChat {
  /** Up to where the reply begins. */
  readonly prompt: string;
  /** The end of `prompt` that the template writes to open the assistant's turn. */
  readonly opening: string;
  /** What the reply begins with. */
  readonly prefill: string;
}

/** The text, or the problem that the template has with it. */
export function renderChat(request: ChatRequest, template: ChatTemplate | undefined): RenderedChat | FieldProblem {
  if (template === undefined) {
    const message = "the model has no chat template; take an instruct model, or give a prompt as raw text";
    return { field: "messages", message };
  }
  const { messages, tools = [], templateArguments } = request;
  if (tools.length > 0 && !template.takesTools) {
    const message = "the model's chat template takes no tools; leave them out, or take a model whose template has them";
    return { field: "tools", message };
  }
  const last = messages.at(-1);
  const continued = last?.role === "assistant" ? last : undefined;
  if (continued?.toolCalls !== undefined && continued.toolCalls.length > 0) {
    const message = "the last message calls tools; add a message of role tool with the result of each";
    return { field: `messages[${messages.length - 1}]`, message };
  }
  const before = continued === undefined ? messages : messages.slice(0, -1);
  const options = {
    ...(tools.length > 0 && { tools: tools.map(templateTool) }),
    ...(templateArguments !== undefined && { arguments: templateArguments }),
  };
  const render = (count: number, addGenerationPrompt: boolean): string =>
    template.render(before.slice(0, count).map(templateMessage), { ...options, addGenerationPrompt });
  try {
    const prompt = render(before.length, true);
    return {
      prompt,
      opening: openingOf(prompt, () => render(before.length, false)),
      prefill: request.prefill ?? continued?.content ?? "",
    };
  } catch (error) {
    return templateProblem(error as Error, before, (count) => render(count, false));
  }
}

/** Some templates refuse a conversation that no reply follows; then nothing is known of the opening. */
function openingOf(prompt: string, withoutOpening: () => string): string {
  try {
    const shorter = withoutOpening();
    return prompt.startsWith(shorter) ? prompt.slice(shorter.length) : "";
  } catch {
    return "";
  }
}

/** The message that the template refuses: the first one with which the conversation up to it cannot be rendered. */
function templateProblem(
  error: Error,
  messages: readonly TextMessage[],
  render: (count: number) => string,
): FieldProblem {
  const refuses = (count: number): boolean => {
    try {
      render(count);
      return false;
    } catch {
      return true;
    }
  };
  const at = messages.findIndex((_, i) => refuses(i + 1));
  const field = at < 0 ? "messages" : `messages[${at}]`;
  const role = at < 0 ? "" : ` (role ${(messages[at] as TextMessage).role})`;
  return { field, message: `the conversation up to here${role} cannot be rendered: ${error.message}` };
}

function templateMessage(message: TextMessage): TemplateMessage {
  const { role, content, reasoning, toolCalls, toolCallId, name } = message;
  return {
    role,
    content,
    ...(reasoning !== undefined && { reasoning_content: reasoning }),
    ...(toolCalls !== undefined &&
      toolCalls.length > 0 && {
        tool_calls: toolCalls.map((call) => ({
          id: call.id,
          type: "function",
          function: { name: call.name, arguments: call.arguments },
        })),
      }),
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
    ...(name !== undefined && { name }),
  };
}

function templateTool({ name, description = "", parameters = { type: "object", properties: {} } }: ToolDefinition) {
  return { type: "function", function: { name, description, parameters } } satisfies NonNullable<
    RenderOptions["tools"]
  >[number];
}

/** The section that is open at the end of `text`. */
export function openSection(text: string, markers: readonly SectionMarkers[]): SectionMarkers | undefined {
  const open = markers.map((marker) => ({ marker, at: text.lastIndexOf(marker.start) }));
  return open.filter(({ marker, at }) => at >= 0 && text.indexOf(marker.end, at) < 0).sort((a, b) => b.at - a.at)[0]
    ?.marker;
}
