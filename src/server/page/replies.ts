/** @file Answers of the page's routes: JSON and HTML with validators, and problems as `{error}`. */
import { createHash } from "node:crypto";

/** A problem that whoever asks can mend; `status` is HTTP's. */
export class AskedWrongly extends Error {
  override readonly name = "AskedWrongly";

  constructor(
    readonly status: 400 | 404 | 405,
    message: string,
  ) {
    super(message);
  }
}

export function problem(status: number, error: string, headers: Readonly<Record<string, string>> = {}): Response {
  return Response.json({ error }, { status, headers: { "cache-control": "no-store", ...headers } });
}

export const jsonReply = (request: Request, value: unknown): Response =>
  reply(request, { body: JSON.stringify(value), type: "application/json; charset=utf-8" });

export interface Reply {
  readonly body: string;
  /** Of `body`, where it is sent compressed. */
  readonly gzipped?: Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** 304 where the asker has the same already. Asked anew each time: a run may have gone on. */
export function reply(request: Request, { body, gzipped, type, headers = {} }: Reply): Response {
  const etag = `W/"${createHash("sha256").update(body).digest("base64url").slice(0, 27)}"`;
  const shared = {
    etag,
    "cache-control": "private, no-cache",
    vary: "accept-encoding, cookie, authorization",
    ...headers,
  };
  const known = request.headers
    .get("if-none-match")
    ?.split(",")
    .map((tag) => tag.trim());
  if (known?.includes(etag) || known?.includes("*")) return new Response(null, { status: 304, headers: shared });
  const zip = gzipped !== undefined && /\bgzip\b(?!;q=0)/.test(request.headers.get("accept-encoding") ?? "");
  return new Response(request.method === "HEAD" ? null : zip ? gzipped : body, {
    headers: { ...shared, "content-type": type, ...(zip && { "content-encoding": "gzip" }) },
  });
}

/** A whole number of the query, within its bounds. Throws {@link AskedWrongly}. */
export function wholeNumber(
  query: URLSearchParams,
  name: string,
  { least, most }: { least: number; most: number },
): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const value = Number(text);
  if (/^\d{1,15}$/.test(text) && value >= least && value <= most) return value;
  throw new AskedWrongly(
    400,
    `${name}: expected a whole number from ${least} to ${most}, found ${JSON.stringify(text.slice(0, 80))}`,
  );
}
