/** @file What a self-teaching run tells while it works; the demo, the tools and the report read the same events. */
import type { PreferencePair } from "../../trainer/index.js";

export interface AccuracyByType {
  readonly type: string;
  readonly right: number;
  readonly n: number;
  readonly chance: number;
}

/** Held-out result of one evaluation; fractions in [0, 1]. `verdicts` holds one 0/1 a question, in question order. */
export interface EvaluationResult {
  readonly split: string;
  readonly accuracy: number;
  readonly n: number;
  readonly chance: number;
  readonly byType: readonly AccuracyByType[];
  readonly markable: number;
  /** Share of replies whose thinking section was right, over all replies. */
  readonly thinkingRight: number;
  readonly verdicts: readonly number[];
}

export type SelfTeachingEvent =
  | {
      readonly kind: "phase";
      readonly phase: "evaluate" | "pairs" | "train" | "checkpoint";
      readonly round: number;
      readonly total: number;
    }
  | { readonly kind: "progress"; readonly done: number; readonly total: number; readonly note?: string }
  | { readonly kind: "pair"; readonly round: number; readonly pair: PreferencePair }
  | { readonly kind: "failure"; readonly round: number; readonly topic: string; readonly reason: string }
  | {
      readonly kind: "step";
      readonly round: number;
      readonly step: number;
      readonly metrics: Readonly<Record<string, number>>;
    }
  | { readonly kind: "evaluation"; readonly round: number; readonly result: EvaluationResult }
  | { readonly kind: "preference-accuracy"; readonly round: number; readonly accuracy: number; readonly n: number }
  | { readonly kind: "checkpoint"; readonly round: number; readonly path: string };
