/** @file /data/events: what changed, as server-sent events. A slow reader gets each resource once, not each change. */
import type { Changes } from "../../tools/changes.js";
import { problem } from "./replies.js";

/** Proxies close what is silent for a minute. */
const KEEP_ALIVE_MS = 20_000;
/** How soon a browser connects again. */
const RETRY_MS = 2000;
/** Each open page holds one. */
const MOST_STREAMS = 200;

let streams = 0;

/** Ends when the request or the server does. */
export function changeEvents(changes: Changes, request: Request, stopped: AbortSignal): Response {
  if (streams >= MOST_STREAMS)
    return problem(503, `${MOST_STREAMS} pages listen already: close some, or ask /data/runs now and then`, {
      "retry-after": "30",
    });
  const headers = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  };
  if (request.method === "HEAD") return new Response(null, { headers });
  const signal = AbortSignal.any([request.signal, stopped]);
  return new Response(eventStream(changes, signal), { headers });
}

function eventStream(changes: Changes, signal: AbortSignal): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const changed = new Set<string>();
  let id = 0;
  let wake = (): void => undefined;
  let end = (): void => undefined;
  return new ReadableStream<Uint8Array>({
    start(controller) {
      streams++;
      const forget = changes.subscribe((uri) => {
        changed.add(uri);
        wake();
      });
      const timer = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(": still here\n\n"));
      }, KEEP_ALIVE_MS).unref();
      let open = true;
      end = () => {
        if (!open) return;
        open = false;
        streams--;
        forget();
        clearInterval(timer);
        signal.removeEventListener("abort", end);
        wake();
        try {
          controller.close();
        } catch {
          // The reader went away first.
        }
      };
      signal.addEventListener("abort", end);
      controller.enqueue(encoder.encode(`retry: ${RETRY_MS}\n: listening\n\n`));
      if (signal.aborted) end();
    },
    async pull(controller) {
      if (changed.size === 0) await new Promise<void>((done) => (wake = done));
      if (changed.size === 0) return;
      const lines = [...changed].map((uri) => `id: ${++id}\ndata: ${JSON.stringify({ uri })}\n\n`);
      changed.clear();
      controller.enqueue(encoder.encode(lines.join("")));
    },
    cancel: () => end(),
  });
}
