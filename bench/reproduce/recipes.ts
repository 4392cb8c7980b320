/** @file The settings of every condition, in the words of a teach config. They were chosen on validation questions alone. */
import { recipeOf } from "../../dist/tools/run-settings.js";

export type Settings = Readonly<Record<string, unknown>>;

const { phases, ...shared } = recipeOf("nano").settings as { phases: readonly Settings[] } & Settings;
/** What `preflexor teach` does with the package's model where nobody says otherwise. */
const [ORPO, EXO] = phases as readonly [Settings, Settings];

export interface Scale {
  readonly orpoRounds: number;
  readonly pairs: number;
  readonly laterRounds: number;
  /** Optimizer steps of each later round, the same whatever it is compared with. */
  readonly laterSteps: number;
}

export const SCALE: Scale = { orpoRounds: 3, pairs: 192, laterRounds: 2, laterSteps: 24 };

/** Phase I from the base. */
export const orpo = ({ orpoRounds, pairs }: Scale, more: Settings = {}): Settings => ({
  ...shared,
  phases: [{ ...ORPO, iterations: orpoRounds, topics: pairs, ...more }],
});

/** Samples of each question; the first wrong one is rejected, and a question without a wrong one gives no pair. */
const ONLY_WRONG = { student_samples: 4, rejected_rule: "wrong-first", only_include_wrong_answers: true };
const ORPO_RATE = { loss_type: "orpo", learning_rate: ORPO["learning_rate"] };

const later = ({ laterRounds, pairs, laterSteps }: Scale): Settings => ({
  iterations: laterRounds,
  topics: pairs,
  n_steps: laterSteps,
  warmup_steps: 10,
});

/** Phase II: the EXO loss, without masks (see "masks" in the results). */
export const exo = (scale: Scale, more: Settings = {}): Settings => ({
  ...shared,
  phases: [{ ...EXO, ...later(scale), ...more }],
});

/** In place of Phase II, with as many steps: Phase I goes on as it was. */
export const furtherOrpo = (scale: Scale): Settings => ({
  ...shared,
  phases: [{ ...later(scale), ...ORPO_RATE }],
});

/** In place of Phase II, with as many steps: its pairs (only wrong samples of the present model), Phase I's loss. */
export const onPolicyOrpo = (scale: Scale): Settings => ({
  ...shared,
  phases: [{ ...later(scale), ...ORPO_RATE, ...ONLY_WRONG }],
});

/** Questions with two candidates beside the others; their thinking is twice as long. */
export const choices = (scale: Scale): Settings => ({
  ...shared,
  max_new_tokens: 192,
  max_length: 448,
  phases: [{ ...ORPO, iterations: scale.orpoRounds + 2, topics: 2 * scale.pairs }],
});

/** A phase of ORPO that teaches a reflect section between thinking and answer. */
export const reflection = (scale: Scale): Settings => ({
  ...shared,
  max_new_tokens: 160,
  max_length: 384,
  phases: [{ ...ORPO, iterations: 3, topics: scale.pairs, reflection: true }],
});
