/** @file Recursive reasoning: answer, criticise the thinking, answer again from the better thinking; the best round wins. */
import { checkReasoning, type ReasoningState, resultOf, type StepName, startState } from "./reasoning-state.js";
import { reasoningSteps } from "./reasoning-steps.js";
import type {
  ReasoningContext,
  ReasoningEvent,
  ReasoningPlan,
  ReasoningResult,
  ReasoningSettings,
} from "./reasoning-types.js";

/** Yields what every step brought. Throws where the plan is impossible or `signal` is aborted. */
export async function* recursiveReason(
  context: ReasoningContext,
  plan: ReasoningPlan,
  signal?: AbortSignal,
): AsyncGenerator<ReasoningEvent, ReasoningResult> {
  checkReasoning(plan, [plan.question]);
  const steps = reasoningSteps(context, plan);
  let state = startState(plan.question);
  while (state.next !== "end") {
    signal?.throwIfAborted();
    const step = state.next;
    state = { ...state, ...(await steps[step](state, signal)) };
    const event = eventOf(step, state, plan);
    if (event !== undefined) yield event;
  }
  const result = resultOf(state);
  yield { kind: "done", result };
  return result;
}

/** What a step brought, or undefined where it ended the recursion instead. */
export function eventOf(
  step: StepName,
  state: ReasoningState,
  { mode }: ReasoningSettings,
): ReasoningEvent | undefined {
  const { rounds, draft, feedback, opening, merged, next } = state;
  const round = rounds.length;
  switch (step) {
    case "answer":
      return draft && { kind: "answer", round: draft };
    case "score":
      return { kind: "score", round: rounds[round - 1]! };
    case "feedback":
      if (next !== "improve" || feedback === undefined) return undefined;
      return { kind: "feedback", round, feedback, from: mode === "reflection" ? mode : "critic" };
    case "improve":
      return next === "answer" && opening.improved ? { kind: "improved", round, ...opening.improved } : undefined;
    case "integrate":
      return merged === undefined ? undefined : { kind: "integrated", answer: merged };
  }
}
