/** @file The body of a request as JSON, within limits of size and depth. */
import type { IncomingMessage } from "node:http";
import { ApiError, badRequest } from "./errors.js";

/** Room for a whole context window of the longest models many times over. */
export const MAX_BODY_BYTES = 16 * 2 ** 20;

/** Deeper than any schema of a tool; recursion over a body stays shallow. */
const MAX_DEPTH = 64;

/** Throws 413, 415 or 400. A type other than JSON is refused also because a browser sends those across sites unasked. */
export async function readJsonBody(request: IncomingMessage, limit = MAX_BODY_BYTES): Promise<unknown> {
  const type = request.headers["content-type"];
  if (type === undefined || !/^application\/json\s*(?:;|$)/i.test(type)) {
    throw new ApiError(415, `content-type: expected application/json, found ${type ?? "nothing"}`);
  }
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw new ApiError(415, `content-encoding: expected a body that is not compressed, found ${encoding}`);
  }
  const text = decode(await readBytes(request, limit));
  if (!isShallow(text)) throw badRequest(`the body is nested more than ${MAX_DEPTH} levels deep`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw badRequest(`the body is not JSON: ${(cause as Error).message}`);
  }
}

async function readBytes(request: IncomingMessage, limit: number): Promise<Buffer> {
  const tooLarge = (): ApiError =>
    new ApiError(413, `the body is larger than ${limit} bytes; send less in one request`);
  if (Number(request.headers["content-length"] ?? 0) > limit) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  // A listener and not `for await`, which would destroy the socket that the refusal goes out on.
  return new Promise((resolve, reject) => {
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) reject(tooLarge());
      else chunks.push(chunk);
    });
    request.on("end", () => resolve(Buffer.concat(chunks)));
    request.on("error", reject);
    request.on("close", () => {
      if (!request.complete) reject(badRequest("the body ended early"));
    });
  });
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw badRequest("the body is not UTF-8");
  }
}

/** Counts brackets outside strings, before anything is built from them; no regular expression, whose stack a long string fills. */
function isShallow(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    if (inString) {
      if (c === "\\") i++;
      else if (c === '"') inString = false;
    } else if (c === '"') inString = true;
    else if (c === "[" || c === "{") depth++;
    else if (c === "]" || c === "}") depth--;
    if (depth > MAX_DEPTH) return false;
  }
  return true;
}
