/** @file Progress notifications of a tool call; silent where the client gave no progress token. */
import type { ServerContext } from "@modelcontextprotocol/server";

/** `done` of `total`, with a word on what is going on. `total` may grow; what is sent only increases. */
export type ReportProgress = (done: number, total: number, message?: string) => void;

/** More often than this no client can show it. */
const LEAST_INTERVAL_MS = 50;

export function progressOf(request: ServerContext): ReportProgress {
  const progressToken = request.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return () => undefined;
  let last = -1;
  let lastTime = 0;
  return (done, total, message) => {
    const now = Date.now();
    if (done <= last || (now - lastTime < LEAST_INTERVAL_MS && done < total)) return;
    last = done;
    lastTime = now;
    const params = { progressToken, progress: done, total, ...(message !== undefined && { message }) };
    // A client that is gone cannot be told; its request's signal ends the work.
    request.mcpReq.notify({ method: "notifications/progress", params }).catch(() => undefined);
  };
}
