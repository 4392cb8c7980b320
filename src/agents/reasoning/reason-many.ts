/** @file Recursive reasoning over many questions in lock step: every round's answers are one batch of the engine. */
import { mapInOrder } from "../map-in-order.js";
import { replies } from "../student.js";
import { checkReasoning, mostAnswers, type ReasoningState, resultOf, startState } from "./reasoning-state.js";
import { type ReasoningSteps, reasoningSteps } from "./reasoning-steps.js";
import type { ReasoningContext, ReasoningResult, ReasoningSettings } from "./reasoning-types.js";

export interface ManyOptions {
  /** Questions that are scored and criticised at once. Does not change the result. Default 32. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
  /** Answers that are made or no longer needed, of all that can be made. */
  readonly onProgress?: (finished: number, total: number) => void;
}

export const DEFAULT_CONCURRENCY = 32;

/** A result for each question, in order; each is what `recursiveReason` returns for the question alone. */
export async function recursiveReasonMany(
  context: ReasoningContext,
  questions: readonly string[],
  settings: ReasoningSettings,
  { concurrency = DEFAULT_CONCURRENCY, signal, onProgress }: ManyOptions = {},
): Promise<ReasoningResult[]> {
  checkReasoning(settings, questions);
  const steps = reasoningSteps(context, settings);
  const states = questions.map(startState);
  const each = mostAnswers(settings);
  for (;;) {
    const asked = states.flatMap(({ next }, i) => (next === "answer" ? [i] : []));
    if (asked.length === 0) return states.map(resultOf);
    const turns = asked.map((i) => steps.turn(states[i]!));
    const drawn = await replies(context, turns, { ...settings.sampling, ...(signal && { signal }) });
    const advance = (i: number, at: number): Promise<ReasoningState> =>
      untilAnswer(steps, { ...states[i]!, ...steps.takeReply(states[i]!, drawn[at]!) }, signal);
    const advanced = await mapInOrder(asked, advance, { concurrency, ...(signal && { signal }) });
    for (const [at, i] of asked.entries()) states[i] = advanced[at]!;
    const finished = states.reduce((sum, { next, rounds }) => sum + (next === "end" ? each : rounds.length), 0);
    onProgress?.(finished, each * questions.length);
  }
}

/** Runs the steps that follow an answer, up to the next one or the end. */
async function untilAnswer(
  steps: ReasoningSteps,
  state: ReasoningState,
  signal: AbortSignal | undefined,
): Promise<ReasoningState> {
  while (state.next !== "answer" && state.next !== "end") {
    signal?.throwIfAborted();
    state = { ...state, ...(await steps[state.next](state, signal)) };
  }
  return state;
}
