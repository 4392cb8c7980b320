/** @file Entry of the engine process: owns onnxruntime-node and answers calls, one after another. */
import { setImmediate as yieldToMessages } from "node:timers/promises";
import type { EngineCall, FromEngine, ToEngine } from "./engine-protocol.js";
import { LocalPolicy } from "./local-policy.js";

let policy: LocalPolicy | undefined;
const cancelled = new Set<number>();
/** Requests that the caller of `generate` has ended, by call. */
const ended = new Map<number, Set<number>>();

function say(message: FromEngine): void {
  process.send?.(message);
}

function opened(): LocalPolicy {
  if (policy === undefined) throw new Error("internal: the engine was called before it was opened");
  return policy;
}

/** Reports how many of `total` are done. */
function countTo(id: number, total: number): (count: number) => void {
  let finished = 0;
  return (count) => {
    finished += count;
    say({ kind: "progress", id, finished, total });
  };
}

async function answer(id: number, call: EngineCall): Promise<unknown> {
  switch (call.method) {
    case "open":
      policy = await LocalPolicy.open(call.options);
      return policy.info();
    case "trainStep":
      return opened().trainStep(call.batch, call.options, { betweenRuns: () => refuseIfCancelled(id) });
    case "trainSteps":
      return opened().trainSteps(call.steps, { betweenRuns: () => refuseIfCancelled(id) });
    case "scorePairs":
      return opened().scorePairs(call.pairs, call.weights, {
        betweenRuns: () => refuseIfCancelled(id),
        onFinished: countTo(id, call.pairs.length),
      });
    case "scoreTexts":
      return opened().scoreTexts(call.texts, call.weights, {
        betweenRuns: () => refuseIfCancelled(id),
        onFinished: countTo(id, call.texts.length),
      });
    case "markReference":
      return opened().markReference();
    case "generate":
      ended.set(id, new Set());
      return opened().generate(call.requests, call.options, {
        isCancelled: () => cancelled.has(id),
        isEnded: (request) => ended.get(id)?.has(request) ?? false,
        onFinished: countTo(id, call.requests.length),
        ...(call.streams && { onTokens: (chunk) => say({ kind: "tokens", id, chunk }) }),
      });
    case "saveCheckpoint":
      return opened().saveCheckpoint(call.directory, call.state);
    case "loadCheckpoint":
      return opened().loadCheckpoint(call.directory);
    case "saveAdapter":
      return opened().saveAdapter(call.directory);
    case "loadAdapter":
      return opened().loadAdapter(call.directory);
    case "resetOptimizer":
      return opened().resetOptimizer();
    case "info":
      return opened().info();
    case "stepCount":
      return opened().stepCount();
  }
}

/** Lets messages in (a run blocks the thread), then throws if one of them cancelled this call. */
async function refuseIfCancelled(id: number): Promise<void> {
  await yieldToMessages();
  if (cancelled.has(id)) throw new DOMException("the call was cancelled", "AbortError");
}

async function handle(id: number, call: EngineCall): Promise<void> {
  try {
    await refuseIfCancelled(id);
    say({ kind: "result", id, value: await answer(id, call), info: opened().info() });
  } catch (error) {
    const { message, name } = error as Error;
    say({ kind: "error", id, message, name });
  } finally {
    cancelled.delete(id);
    ended.delete(id);
  }
}

const waiting: { readonly id: number; readonly call: EngineCall }[] = [];
const generating = new Set<Promise<void>>();
let pumping = false;

/** Calls one after another, in their order; only calls of `generate` that follow one another run side by side. */
async function pump(): Promise<void> {
  if (pumping) return;
  pumping = true;
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (next.call.method === "generate") {
      const work: Promise<void> = handle(next.id, next.call).finally(() => generating.delete(work));
      generating.add(work);
    } else {
      await Promise.all(generating);
      await handle(next.id, next.call);
    }
  }
  pumping = false;
}

process.on("message", (message: ToEngine) => {
  switch (message.kind) {
    case "cancel":
      cancelled.add(message.id);
      break;
    case "end":
      ended.get(message.id)?.add(message.request);
      break;
    case "call":
      waiting.push(message);
      void pump();
  }
});
// Ctrl-C reaches the whole process group: the parent decides what it means, and its end is ours.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit(0));
