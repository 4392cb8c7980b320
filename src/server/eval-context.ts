/** @file What the measurements of an evaluation have in common. */
import type { Reasoner, ThinkingMode } from "../agents/index.js";
import type { Display } from "./demo-display.js";
import type { EvalInputs } from "./eval-inputs.js";
import type { EvaluatedModel } from "./eval-model.js";
import type { EvalPlan } from "./eval-plan.js";
import type { ReplyJournal } from "./eval-replies.js";

/** How the model recurses, and by whom its thinking is criticised. */
export interface Recursion {
  readonly critic: string;
  readonly reason: Reasoner;
}

export interface EvalContext {
  readonly model: Pick<EvaluatedModel, "respondent" | "hasBase" | "opponent">;
  readonly inputs: EvalInputs;
  readonly plan: EvalPlan;
  readonly thinking: readonly ThinkingMode[];
  readonly maxNewTokens: number;
  readonly seed: number;
  readonly recursion: Recursion | undefined;
  readonly journal: ReplyJournal;
  readonly display: Display;
  readonly signal: AbortSignal;
}

/** Shows one measurement; what is returned lets it be cancelled and say how far it is. */
export function phaseOf({ display, signal }: EvalContext, title: string, total: number) {
  display.phase(title, total);
  return { signal, onProgress: (done: number, of: number): void => display.progress(done, of) };
}

/** How a reply is drawn where it is compared: the likeliest one. */
export const greedily = ({ maxNewTokens, seed }: EvalContext) => ({ maxNewTokens, seed, temperature: 0, topP: 1 });
