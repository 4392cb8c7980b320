/** @file What the agents of a run share: limits, budgets, a cache, and counts of what happened. Knows no LangChain. */
import { z } from "zod";
import { AgentFailure, FAILURE_REASONS, type FailureReason, toAgentFailure } from "./agent-failure.js";
import { type CallCache, openCallCache } from "./call-cache.js";
import { createSlots, type Slots } from "./slots.js";

/** Longest delay of a Node timer. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

const count = z.number().int().min(1);

const settingsSchema = z.strictObject({
  /** Keeps replies by content, so that a resumed run asks nothing twice. Without it nothing is kept. */
  cacheFolder: z.string().min(1).optional(),
  /** Model calls that run at once. */
  concurrency: count.default(8),
  /** Of one model call, without the wait for its turn. Long, because a local model may be slow. */
  timeoutMs: count.max(LONGEST_TIMEOUT_MS).default(600_000),
  /** Further attempts after a failure that passes by itself. */
  retries: z.number().int().min(0).max(20).default(3),
  /** Seeds the jitter of the back-off. */
  seed: z.number().int().default(0),
  /** Turns of the model in one agent run; enough for a few retrievals and a corrected hand-in. */
  maxModelCalls: count.default(8),
  /** Calls of retrieve-context in one agent run. */
  maxToolCalls: count.default(16),
  /** Tokens of one agent run, in and out. */
  agentTokenBudget: count.optional(),
  /** Tokens of everything that shares this object, in and out. What comes from the cache is free. */
  tokenBudget: count.optional(),
  /** Model calls of everything that shares this object, further attempts included. */
  callBudget: count.optional(),
  /** Tokens that this run spent before it was resumed; they count towards `tokenBudget`. */
  spentTokens: z.number().int().min(0).default(0),
});

export type CallSettings = z.output<typeof settingsSchema>;

export interface AgentCallsOptions extends Readonly<z.input<typeof settingsSchema>> {
  readonly onEvent?: (event: CallEvent) => void;
}

/** Tokens of one reply. */
export interface TokenUse {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** True where the model did not say and the text was measured instead (four characters a token). */
  readonly estimated: boolean;
}

export type CallEvent =
  | ({ readonly kind: "reply"; readonly model: string } & TokenUse)
  | { readonly kind: "cache-hit"; readonly model: string }
  | { readonly kind: "damaged-entry"; readonly file: string; readonly why: string }
  | {
      readonly kind: "failed-attempt";
      readonly model: string;
      readonly reason: FailureReason;
      readonly message: string;
      /** Undefined where no further attempt follows. */
      readonly retryInMs: number | undefined;
    }
  | { readonly kind: "correction"; readonly model: string; readonly problem: string }
  | { readonly kind: "failure"; readonly reason: FailureReason; readonly message: string };

export interface CallStats {
  /** Requests that went to a model: replies and failed attempts. */
  readonly calls: number;
  readonly cacheHits: number;
  /** Cache entries that could not be used and were asked for again. */
  readonly damagedEntries: number;
  readonly retries: number;
  readonly timeouts: number;
  /** Replies that did not fit and were asked for once more. */
  readonly corrections: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** How many of both are estimates. */
  readonly estimatedTokens: number;
  /** Agent runs that ended without a result. */
  readonly failures: Readonly<Record<FailureReason, number>>;
}

export interface AgentCalls {
  readonly settings: CallSettings;
  readonly slots: Slots;
  readonly cache: CallCache | undefined;
  /** Counts what happened and passes it on. */
  report(event: CallEvent): void;
  /** What was counted so far. */
  stats(): CallStats;
  /** Throws an `AgentFailure` that ends all where a budget of the run is spent. */
  checkBudgets(): void;
  /** An error of an agent run as a counted failure with its reason: `throw calls.failed(error)`. */
  failed(error: unknown): AgentFailure;
}

/** Agents that are given the same object share its limits and its counts. Refuses bad options, all at once. */
export function createAgentCalls({ onEvent, ...options }: AgentCallsOptions = {}): AgentCalls {
  const checked = settingsSchema.safeParse(options);
  if (!checked.success) throw new Error(`limits of model calls: ${z.prettifyError(checked.error)}`);
  const settings = checked.data;
  let stats = NOTHING;
  const report = (event: CallEvent): void => {
    stats = counted(stats, event);
    onEvent?.(event);
  };
  return {
    settings,
    slots: createSlots(settings.concurrency),
    cache: openCache(settings, report),
    report,
    stats: () => stats,
    checkBudgets: () => checkBudgets(settings, stats),
    failed(error) {
      const failure = toAgentFailure(error);
      report({ kind: "failure", reason: failure.reason, message: failure.message });
      return failure;
    },
  };
}

function openCache({ cacheFolder }: CallSettings, report: (event: CallEvent) => void): CallCache | undefined {
  if (cacheFolder === undefined) return undefined;
  return openCallCache(cacheFolder, (file, why) => report({ kind: "damaged-entry", file, why }));
}

/** Calls in flight are not counted yet, so what runs at once may overdraw. */
function checkBudgets({ tokenBudget, callBudget, spentTokens }: CallSettings, stats: CallStats): void {
  const tokens = spentTokens + stats.inputTokens + stats.outputTokens;
  const spent = [
    ...(tokenBudget !== undefined && tokens >= tokenBudget ? [`${tokens} of ${tokenBudget} tokens`] : []),
    ...(callBudget !== undefined && stats.calls >= callBudget ? [`${stats.calls} of ${callBudget} model calls`] : []),
  ];
  if (spent.length === 0) return;
  throw new AgentFailure("budget", `the run has spent ${spent.join(" and ")}: raise the budget and resume`, {
    endsAll: true,
  });
}

const NOTHING: CallStats = {
  calls: 0,
  cacheHits: 0,
  damagedEntries: 0,
  retries: 0,
  timeouts: 0,
  corrections: 0,
  inputTokens: 0,
  outputTokens: 0,
  estimatedTokens: 0,
  failures: Object.fromEntries(FAILURE_REASONS.map((reason) => [reason, 0])) as Record<FailureReason, number>,
};

function counted(stats: CallStats, event: CallEvent): CallStats {
  switch (event.kind) {
    case "reply":
      return {
        ...stats,
        calls: stats.calls + 1,
        inputTokens: stats.inputTokens + event.inputTokens,
        outputTokens: stats.outputTokens + event.outputTokens,
        estimatedTokens: stats.estimatedTokens + (event.estimated ? event.inputTokens + event.outputTokens : 0),
      };
    case "failed-attempt":
      return {
        ...stats,
        calls: stats.calls + 1,
        timeouts: stats.timeouts + (event.reason === "timeout" ? 1 : 0),
        retries: stats.retries + (event.retryInMs === undefined ? 0 : 1),
      };
    case "cache-hit":
      return { ...stats, cacheHits: stats.cacheHits + 1 };
    case "damaged-entry":
      return { ...stats, damagedEntries: stats.damagedEntries + 1 };
    case "correction":
      return { ...stats, corrections: stats.corrections + 1 };
    case "failure":
      return { ...stats, failures: { ...stats.failures, [event.reason]: stats.failures[event.reason] + 1 } };
  }
}
