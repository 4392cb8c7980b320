/** @file What a tool hands back: typed data with its text, or a failure that says what to call next. */
import { basename, dirname } from "node:path";
import type { CallToolResult, ResourceLink } from "@modelcontextprotocol/server";
import type { z } from "zod";
import { runsFolder } from "../agents/index.js";
import { type RunPart, runUri } from "./views/uris.js";

/** Structured content, exactly as the schema has it, and the same as text for clients that read only text. */
export function toolResult<T extends z.ZodObject>(schema: T, value: z.input<T>, text?: string): CallToolResult {
  const structuredContent = schema.parse(value) as Record<string, unknown>;
  return { content: [{ type: "text", text: text ?? JSON.stringify(structuredContent) }], structuredContent };
}

/** The result with links to what it made; a client reads them where it wants more than the result says. */
export const withLinks = (result: CallToolResult, links: readonly ResourceLink[]): CallToolResult => ({
  ...result,
  content: [...result.content, ...links],
});

/** To a part of the run in `directory`; none where that lies elsewhere than the resources of runs do. */
export function runLink(home: string, directory: string, part: RunPart, title: string): ResourceLink[] {
  if (dirname(directory) !== runsFolder(home)) return [];
  const id = basename(directory);
  const mimeType = "application/json";
  return [{ type: "resource_link", uri: runUri(id, part), name: `${id}/${part}`, title, mimeType }];
}

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
    const advice = signal.aborted || /\bcall [a-z]+-[a-z-]+|PREFLEXOR_[A-Z]/.test(text) ? text : `${text}. ${next}`;
    return { content: [{ type: "text", text: advice }], isError: true };
  }
}
