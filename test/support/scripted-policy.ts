/** @file A policy that says what it is told to say, in chunks, as the engine streams them. */
import type { GenerateOptions, GenerateRequest, Generation, Policy } from "../../src/trainer/run/policy.js";
import { fakePolicy } from "./fake-policy.js";

export interface ScriptedReply {
  readonly ids: readonly number[];
  readonly finish?: "stop" | "length";
}

export interface ScriptedOptions {
  /** The reply to a request; may throw, as an engine fails. */
  readonly reply: (request: GenerateRequest, options: GenerateOptions) => ScriptedReply;
  /** Tokens of a chunk; 0: all at once in the end, without onTokens. Default 2. */
  readonly chunk?: number;
  readonly contextLength?: number;
}

export interface ScriptedPolicy extends Policy {
  readonly calls: { readonly requests: readonly GenerateRequest[]; readonly options: GenerateOptions }[];
  /** Chunks sent so far. */
  readonly chunks: () => number;
  readonly closed: () => boolean;
}

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function scriptedPolicy({ reply, chunk = 2, contextLength = 64 }: ScriptedOptions): ScriptedPolicy {
  const base = fakePolicy();
  const calls: ScriptedPolicy["calls"] = [];
  let chunks = 0;
  let closed = false;
  const one = async (request: GenerateRequest, index: number, options: GenerateOptions): Promise<Generation> => {
    const { ids, finish = "stop" } = reply(request, options);
    const { maxNewTokens } = { ...options, ...request.sampling };
    const kept = Int32Array.from(ids.slice(0, maxNewTokens));
    const logps = Float32Array.from(kept, (_, i) => -i / 8);
    let [shown, ended] = [chunk === 0 ? kept.length : 0, kept.length < ids.length ? ("length" as const) : finish];
    while (shown < kept.length) {
      await pause();
      options.signal?.throwIfAborted();
      const end = Math.min(kept.length, shown + chunk);
      chunks += 1;
      const stop = options.onTokens?.({ request: index, ids: kept.slice(shown, end), logps: logps.slice(shown, end) });
      shown = end;
      if (stop === true) {
        ended = "stop";
        break;
      }
    }
    return { ids: kept.slice(0, shown), logps: logps.slice(0, shown), finish: ended };
  };
  return {
    ...base,
    info: { ...base.info, contextLength },
    calls,
    chunks: () => chunks,
    closed: () => closed,
    async generate(requests, options) {
      options.signal?.throwIfAborted();
      calls.push({ requests, options });
      let finished = 0;
      return Promise.all(
        requests.map(async (request, i) => {
          const generation = await one(request, i, options);
          finished += 1;
          options.onProgress?.(finished, requests.length);
          return generation;
        }),
      );
    },
    close: async () => {
      closed = true;
    },
  };
}
