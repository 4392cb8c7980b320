/** @file What a self-teaching run tells while it works; commands, tools and the report read the same events. */
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

export type StageName = "pairs" | "train" | "checkpoint" | "samples" | "evaluate" | "publish";

/** `round` counts over all phases from 1; 0 is before the first. */
export type TeachEvent =
  | { readonly kind: "phase"; readonly round: number; readonly phase: string; readonly index: number }
  | {
      readonly kind: "stage";
      readonly stage: StageName;
      readonly round: number;
      readonly phase: string;
      readonly total: number;
    }
  | { readonly kind: "progress"; readonly done: number; readonly total: number; readonly note?: string }
  | { readonly kind: "pair"; readonly round: number; readonly pair: PreferencePair }
  | {
      readonly kind: "failure";
      readonly round: number;
      readonly topic: string;
      /** Short, so that it can be counted; `detail` says what exactly. */
      readonly reason: string;
      readonly detail?: string;
    }
  | {
      readonly kind: "step";
      readonly round: number;
      /** Of the run, from 1. */
      readonly step: number;
      readonly metrics: Readonly<Record<string, number>>;
    }
  /** `eval_loss` and its company on the held-out pairs; `kept` is false where the round was taken back. */
  | {
      readonly kind: "held-out";
      readonly round: number;
      readonly metrics: Readonly<Record<string, number>>;
      readonly best: number;
      readonly kept: boolean;
    }
  | { readonly kind: "early-stop"; readonly round: number; readonly phase: string; readonly rounds: number }
  | { readonly kind: "samples"; readonly round: number; readonly samples: readonly PromptSample[] }
  | { readonly kind: "evaluation"; readonly round: number; readonly result: EvaluationResult }
  | {
      readonly kind: "preference-accuracy";
      readonly round: number;
      readonly accuracy: number;
      readonly n: number;
      /** Mean difference of the mean log-probabilities of chosen and rejected, in nats a token. */
      readonly margin: number;
    }
  | { readonly kind: "checkpoint"; readonly round: number; readonly path: string }
  | { readonly kind: "published"; readonly round: number; readonly where: string }
  | { readonly kind: "notice"; readonly round: number; readonly message: string };

export interface PromptSample {
  readonly prompt: string;
  readonly reply: string;
}
