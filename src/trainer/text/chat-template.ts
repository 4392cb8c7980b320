/** @file The chat template of a checkpoint directory: messages to the text that the model was trained on. */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Template } from "@huggingface/jinja";
import { readJsonObject, tokenText } from "./tokenizer.js";
import type { ChatMessage } from "./types.js";

export interface RenderOptions {
  /** Ends with what opens the assistant's turn. */
  readonly addGenerationPrompt: boolean;
  /** The last message stays open: the text ends where its content ends (a pre-filled reply). */
  readonly continueFinalMessage?: boolean;
  /** Tools as templates know them: {type: "function", function: {name, description, parameters}}. */
  readonly tools?: readonly unknown[];
  /** Further variables. */
  readonly arguments?: Readonly<Record<string, unknown>>;
}

/** A message with whatever further fields a template reads, such as tool_calls. */
export interface TemplateMessage {
  readonly role: string;
  readonly content: string;
  readonly [field: string]: unknown;
}

export interface ChatTemplate {
  render(messages: readonly (ChatMessage | TemplateMessage)[], options: RenderOptions): string;
  /** Whether it reads `tools`. */
  readonly takesTools: boolean;
}

/** Some templates print today's date unless one is given; a run must not depend on the day it is made. */
const FIXED_DATE = "26 Jul 2024";

/** Loads chat_template.jinja of `dir`, else chat_template of its tokenizer_config.json. */
export async function loadChatTemplate(dir: string): Promise<ChatTemplate> {
  const template = await findChatTemplate(dir);
  if (template !== undefined) return template;
  throw new Error(
    `${resolve(dir)} has neither chat_template.jinja nor a chat_template in tokenizer_config.json; use an instruct model`,
  );
}

/** As {@link loadChatTemplate}; undefined where the model has none. */
export async function findChatTemplate(dir: string): Promise<ChatTemplate | undefined> {
  const path = resolve(dir);
  const config = await readJsonObject(path, "tokenizer_config.json");
  const file = await readFile(join(path, "chat_template.jinja"), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  const source = file ?? templateOf(config["chat_template"]);
  if (source === undefined) return undefined;
  return createChatTemplate(source, { bos: tokenText(config["bos_token"]), eos: tokenText(config["eos_token"]) }, path);
}

/** A chat template from its Jinja source; `where` names it in errors. */
export function createChatTemplate(
  source: string,
  tokens: { readonly bos?: string | undefined; readonly eos?: string | undefined },
  where: string,
): ChatTemplate {
  const template = attempt(where, () => new Template(source));
  return {
    takesTools: /\btools\b/.test(source),
    render(messages, { addGenerationPrompt, continueFinalMessage = false, tools, arguments: more }) {
      if (addGenerationPrompt && continueFinalMessage) {
        throw new Error("internal: a turn cannot be opened and continued at once");
      }
      const text = attempt(where, () =>
        template.render({
          date_string: FIXED_DATE,
          ...more,
          ...(tools !== undefined && { tools }),
          messages,
          add_generation_prompt: addGenerationPrompt,
          bos_token: tokens.bos ?? "",
          eos_token: tokens.eos ?? "",
        }),
      );
      return continueFinalMessage ? cutAfterLastMessage(text, messages, where) : text;
    },
  };
}

/** tokenizer_config.json holds one template or a list of named ones. */
function templateOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return undefined;
  const named = value as { name?: unknown; template?: unknown }[];
  const chosen = named.find((entry) => entry.name === "default")?.template;
  return typeof chosen === "string" ? chosen : undefined;
}

function cutAfterLastMessage(text: string, messages: readonly { readonly content: string }[], where: string): string {
  const content = messages.at(-1)?.content ?? "";
  for (const shown of [content, content.trim()]) {
    const at = text.lastIndexOf(shown);
    if (shown !== "" && at >= 0) return text.slice(0, at + shown.length);
  }
  throw new Error(`${where}: the chat template does not show the last message as it is, so it cannot be continued`);
}

function attempt<T>(where: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new Error(`${where}: the chat template failed: ${(cause as Error).message}`, { cause });
  }
}
