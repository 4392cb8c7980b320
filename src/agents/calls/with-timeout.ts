/** @file A time limit around one piece of work. */
import { AgentFailure } from "./agent-failure.js";

/** Work that does not heed its signal is left behind: the limit holds all the same. */
export async function withTimeout<T>(
  work: (signal: AbortSignal) => Promise<T>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<T> {
  const late = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const failure = new AgentFailure("timeout", `expected a reply within ${timeoutMs} ms, found none`);
      reject(failure);
      late.abort(failure);
    }, timeoutMs);
  });
  try {
    return await Promise.race([
      work(signal === undefined ? late.signal : AbortSignal.any([signal, late.signal])),
      limit,
    ]);
  } finally {
    clearTimeout(timer);
  }
}
