/** @file What a tool hands back: typed data with its text, or a failure that says what to call next. */
import { basename, dirname } from "node:path";
import type { CallToolResult } from "@modelcontextprotocol/server";
import { z } from "zod";
import { runsFolder } from "../agents/index.js";
import { type RunPart, runUri } from "./views/uris.js";

/** Structured content, exactly as the schema has it, and the same as text for clients that read only text. */
export function toolResult<T extends z.ZodObject>(schema: T, value: z.input<T>, text?: string): CallToolResult {
  const structuredContent = schema.parse(value) as Record<string, unknown>;
  return { content: [{ type: "text", text: text ?? JSON.stringify(structuredContent) }], structuredContent };
}

/**
 * Where a part of the run in `directory` is read; nothing where that lies elsewhere than the resources of runs do. A field of
 * the result, and no resource link: LangChain's adapters make of those a file that providers refuse.
 */
export const runResource = (home: string, directory: string, part: RunPart): { readonly resource?: string } =>
  dirname(directory) === runsFolder(home) ? { resource: runUri(basename(directory), part) } : {};

/** The output field that {@link runResource} fills; `what` completes "Address of …". */
export const resourceField = (what: string) =>
  z.string().optional().describe(`Address of ${what}: a resource to read or subscribe to`);

/** The message of an error with those of its causes; never a stack. */
export function errorText(error: unknown): string {
  const parts: string[] = [];
  for (let e: unknown = error; e !== undefined && parts.length < 4; e = e instanceof Error ? e.cause : undefined) {
    // What wraps a missing file says which one, and what to do.
    if (parts.length > 0 && (e as NodeJS.ErrnoException | null)?.code === "ENOENT") break;
    const text = e instanceof Error ? e.message : String(e);
    if (text !== "" && !parts.some((part) => part.includes(text))) parts.push(text);
  }
  return parts.join(": ") || "unknown failure";
}

/** Says itself what an interruption left. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";
}

const CANCELLED = "cancelled: nothing is half-written; call the tool again to go on";

/** Runs a tool; what it throws becomes `isError` text. `next` is appended where the message names no tool to call. */
export async function guarded(
  next: string,
  signal: AbortSignal,
  work: () => Promise<CallToolResult>,
): Promise<CallToolResult> {
  try {
    return await work();
  } catch (error) {
    const text = signal.aborted ? (error instanceof StoppedError ? error.message : CANCELLED) : errorText(error);
    const advice = signal.aborted || /\bcall [a-z]+-[a-z-]+|PREFLEXOR_[A-Z]/i.test(text) ? text : `${text}. ${next}`;
    return { content: [{ type: "text", text: advice }], isError: true };
  }
}
