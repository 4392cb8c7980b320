/** @file Tool calls in a reply that comes in pieces: `<tool_call>` with an object or a list, or a reply that is nothing but JSON. */
import { randomInt } from "node:crypto";
import { createTextScan } from "../text/index.js";
import type { ToolCall } from "./types.js";

const START = "<tool_call>";
const END = "</tool_call>";

export type ContentOrCall =
  | { readonly kind: "content"; readonly text: string }
  | { readonly kind: "call"; readonly call: ToolCall };

export interface ToolCallSplit {
  push(text: string): ContentOrCall[];
  finish(): ContentOrCall[];
}

/**
 * Calls are taken out with the white space around them; what cannot be read as calls stays content, letter by letter. A
 * reply of bare JSON (Llama 3) is taken for calls only where it names one of `tools`, and is held back until its end.
 */
export function createToolCallSplit(tools: readonly string[]): ToolCallSplit {
  let scan = createTextScan([START]);
  /** outside · between the tags · a reply that began as JSON */
  let state: "content" | "call" | "bare" = "content";
  let begun = false;
  let body = "";
  let space = "";
  let afterCall = false;
  let out: ContentOrCall[] = [];

  const content = (text: string, atEnd = false): void => {
    const fresh = afterCall ? text.trimStart() : space + text;
    if (fresh === "") return;
    afterCall = false;
    const end = atEnd ? fresh : fresh.trimEnd();
    space = fresh.slice(end.length);
    if (end !== "") out.push({ kind: "content", text: end });
  };
  const calls = (found: readonly ToolCall[] | undefined, literal: string): void => {
    if (found === undefined) {
      content(literal);
      return;
    }
    for (const call of found) out.push({ kind: "call", call });
    space = "";
    afterCall = true;
  };
  const take = (): ContentOrCall[] => {
    const taken = out;
    out = [];
    return taken;
  };
  const startsBare = (text: string): boolean => {
    if (begun || text.trim() === "") return false;
    begun = true;
    return /^\s*[[{]/.test(text);
  };
  const readContent = (text: string): string => {
    const result = scan.push(text);
    const certain = typeof result === "string" ? result : result.before;
    if (startsBare(certain)) {
      state = "bare";
      body = typeof result === "string" ? certain + scan.finish() : certain + result.found + result.after;
      return "";
    }
    content(certain);
    if (typeof result === "string") return "";
    begun = true;
    state = "call";
    scan = createTextScan([END]);
    return result.after;
  };
  const readCall = (text: string): string => {
    const result = scan.push(text);
    if (typeof result === "string") {
      body += result;
      return "";
    }
    body += result.before;
    calls(parseCalls(body), `${START}${body}${END}`);
    body = "";
    state = "content";
    scan = createTextScan([START]);
    return result.after;
  };
  return {
    push(text) {
      let rest = text;
      while (rest !== "") {
        if (state === "bare") {
          body += rest;
          break;
        }
        rest = state === "content" ? readContent(rest) : readCall(rest);
      }
      return take();
    },
    finish() {
      const rest = scan.finish();
      if (state === "content") content(rest, true);
      else if (state === "call") calls(parseCalls(body + rest), START + body + rest);
      else {
        const found = parseCalls(body);
        calls(found?.every(({ name }) => tools.includes(name)) ? found : undefined, body);
      }
      content("", true);
      return take();
    },
  };
}

/** Calls of a JSON object or list, `arguments` or `parameters` an object or the JSON of one; undefined for anything else. */
export function parseCalls(text: string): readonly ToolCall[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const calls = list.map(callOf);
  return calls.length > 0 && calls.every((call) => call !== undefined) ? calls : undefined;
}

function callOf(value: unknown): ToolCall | undefined {
  if (!isObject(value)) return undefined;
  const inner = isObject(value["function"]) ? value["function"] : value;
  const name = inner["name"];
  const given = objectOf(inner["arguments"] ?? inner["parameters"] ?? {});
  return typeof name === "string" && name !== "" && given !== undefined
    ? { id: callId(), name, arguments: given }
    : undefined;
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== "string") return isObject(value) ? value : undefined;
  try {
    const parsed: unknown = JSON.parse(value);
    return isObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const ID_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/** Mistral's templates take ids of nine letters and digits only. */
const ID_LENGTH = 9;

function callId(): string {
  return Array.from({ length: ID_LENGTH }, () => ID_LETTERS[randomInt(ID_LETTERS.length)]).join("");
}
