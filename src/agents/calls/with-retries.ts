/** @file Attempts with exponential back-off and seeded jitter; an abort ends the waiting. */
import { createRng } from "../rng.js";
import { AgentFailure, failureReason } from "./agent-failure.js";
import { isTransient, retryAfterMs } from "./transient.js";

/** The first wait; each further one is twice as long, up to `LONGEST_BACKOFF_MS`. */
export const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 30_000;
/** A server that asks for more than this is not waited for. */
export const LONGEST_RETRY_AFTER_MS = 300_000;

export interface RetryOptions {
  /** Further attempts after the first. */
  readonly retries: number;
  readonly seed: number;
  /** Tells calls apart, so that those that failed together do not come back together. */
  readonly label: string;
  readonly signal?: AbortSignal | undefined;
  /** `retryInMs` is undefined where no further attempt follows. */
  readonly onFailedAttempt?: (error: unknown, retryInMs: number | undefined) => void;
}

/** Tries again only after what passes by itself. Throws the last error. */
export async function withRetries<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { retries, signal, onFailedAttempt } = options;
  for (let failed = 0; ; failed++) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      // A spent budget is no attempt: nothing was asked.
      if (error instanceof AgentFailure && error.reason === "budget") throw error;
      const asked = retryAfterMs(error) ?? 0;
      const again = failed < retries && isTransient(error) && asked <= LONGEST_RETRY_AFTER_MS;
      const wait = again ? Math.max(backoffMs(failed, options), asked) : undefined;
      onFailedAttempt?.(error, wait);
      if (wait === undefined) throw asked > LONGEST_RETRY_AFTER_MS ? tooLong(error, asked) : error;
      await sleep(wait, signal);
    }
  }
}

/** Half of it is jitter. */
function backoffMs(failed: number, { seed, label }: RetryOptions): number {
  const full = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** failed);
  return Math.ceil(full * (0.5 + 0.5 * createRng(seed, "back-off", label, failed).uniform()));
}

const tooLong = (cause: unknown, ms: number): AgentFailure =>
  new AgentFailure(failureReason(cause), `the server asks to wait ${Math.round(ms / 1000)} s: run again later`, {
    cause,
  });

/** Rejects with the signal's reason as soon as it is aborted. */
function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", stop, { once: true });
  });
}
