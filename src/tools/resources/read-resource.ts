/** @file How a resource is read: JSON or HTML of one address, and errors that say where to look. */
import {
  ProtocolError,
  ProtocolErrorCode,
  type ReadResourceResult,
  ResourceNotFoundError,
} from "@modelcontextprotocol/server";
import { RunDirectoryError } from "../../agents/index.js";
import { errorText } from "../tool-result.js";
import { NoSuchRunError } from "../views/index.js";

export const JSON_TYPE = "application/json";
export const HTML_TYPE = "text/html";
/** The profile of MCP Apps (SEP-1865). */
export const APP_TYPE = "text/html;profile=mcp-app";

export type Variables = Readonly<Record<string, string | string[]>>;

/** Reads for one address. What is not there becomes the protocol's own error, with the way to what is. */
export async function readOne(uri: URL, mimeType: string, text: () => Promise<string>): Promise<ReadResourceResult> {
  try {
    return { contents: [{ uri: uri.href, mimeType, text: await text() }] };
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    if (error instanceof NoSuchRunError) throw new ResourceNotFoundError(uri.href, error.message);
    if (error instanceof RunDirectoryError)
      throw new ResourceNotFoundError(uri.href, `${error.message}. Call list-runs for the runs that can be read`);
    throw new ProtocolError(ProtocolErrorCode.InternalError, `${uri.href} cannot be read: ${errorText(error)}`);
  }
}

export const readJson = (uri: URL, value: () => Promise<unknown>): Promise<ReadResourceResult> =>
  readOne(uri, JSON_TYPE, async () => JSON.stringify(await value()));

/** One variable of an address, decoded once. */
export function textOf(uri: URL, variables: Variables, name: string): string {
  const value = variables[name];
  try {
    return decodeURIComponent(Array.isArray(value) ? value.join(",") : (value ?? ""));
  } catch {
    throw new ResourceNotFoundError(uri.href, `${uri.href}: ${name} is not percent-encoded UTF-8`);
  }
}

/** Undefined where it is not given. Throws the protocol's error where it is no whole number. */
export function numberOf(uri: URL, variables: Variables, name: string): number | undefined {
  if (variables[name] === undefined) return undefined;
  const text = textOf(uri, variables, name);
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new ProtocolError(
    ProtocolErrorCode.InvalidParams,
    `${uri.href}: expected ${name} to be a whole number of at least 0, found ${JSON.stringify(text.slice(0, 40))}`,
  );
}
