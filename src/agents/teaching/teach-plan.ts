/** @file What a self-teaching run does: its phases, and in each of them how pairs are made, trained on and kept in check. */
import type { LossName, ReplyMask, SectionMarkers, StepOptions } from "../../trainer/index.js";
import type { EnvironmentQuestion } from "../environments/environment.js";
import type { Sampling, Student } from "../student.js";

/** Which of a question's samples becomes the rejected reply. */
export const REJECTED_RULES = ["first", "wrong-first", "most-similar", "least-similar"] as const;
/**
 * first: the first sample. wrong-first: the first one whose answer is wrong, else the first. most-similar, least-similar:
 * by the words shared with the chosen answer, among the wrong ones where there are any; ties to the earlier sample.
 */
export type RejectedRule = (typeof REJECTED_RULES)[number];

export interface PairPlan {
  /** Examples of a round: of each topic in turn, or so many from passages that the question graph (or the environment) picks. */
  readonly topics: number | readonly string[];
  /** Questions for each topic of a list. */
  readonly questionsForEach: number;
  /** Passages joined as a question's context (number_nodes_to_get); not the k of the enrichment retrieval. */
  readonly contextPassages: number;
  /** Passages of one retrieval of the agents. */
  readonly k: number;
  /** Whether the answer writer may retrieve; without it, it sees the question's context alone. */
  readonly retrieve: boolean;
  /** Asks the teacher for a reflection section between thinking and answer. */
  readonly reflection: boolean;
  readonly sampling: Sampling;
  /** Samples of the student for each question. */
  readonly samples: number;
  readonly rejectedRule: RejectedRule;
  /** False: the teacher writes a wrong answer without reasoning, and the student is not asked. */
  readonly rejectedFromStudent: boolean;
  /** Whether the student's prompt asks it to think; in the published first phase it does not. */
  readonly askToThink: boolean;
  /** Keeps a pair only where the student's answer is wrong, by the environment's checker or the judge. */
  readonly onlyWrong: boolean;
  /** False: all rounds' pairs are made when the phase begins, against the model as it is then. */
  readonly onTheFly: boolean;
  /** A round with fewer pairs ends the run before it trains. */
  readonly minPairs: number;
}

export interface TextPlan {
  /** Tokens of a prompt, and of prompt and reply together. */
  readonly maxPromptLength: number;
  readonly maxLength: number;
  readonly mask: ReplyMask;
  readonly includeThinkingTokenInLabels: boolean;
  readonly markers: SectionMarkers;
  /** Behind a question that asks for thinking. */
  readonly promptSuffix: string;
}

export interface RoundTraining {
  /** Passes over a round's pairs; ignored where `steps` is given. */
  readonly epochs: number;
  /** Optimizer steps of a round, whatever the passes say. */
  readonly steps?: number;
  /** Pairs of one optimizer step. */
  readonly batchPairs: number;
  readonly step: Omit<StepOptions, "loss">;
  /** The rate rises linearly over the first steps of the phase. */
  readonly warmupSteps: number;
  /** Texts replayed beside the pairs of a step, as a share of its pairs. */
  readonly replayShare: number;
  /**
   * The chosen replies of a step are among its texts: their NLL anchors a loss that only compares, as in iterative reasoning
   * preference optimization (Pang 2024, arXiv 2404.19733). Weighted as the other texts are.
   */
  readonly replayChosen: boolean;
  /** What the DPO family compares with: the weights when the phase began, or the bare model's. */
  readonly reference: "phase_start" | "base";
  /** Steps between two checkpoints within a round; 0: at the end of each round only. */
  readonly saveSteps: number;
}

export interface PhasePlan extends PairPlan, TextPlan, RoundTraining {
  readonly name: string;
  readonly loss: LossName;
  /** Rounds: pairs, steps, evaluation. */
  readonly iterations: number;
  /** Goes back to the best weights after a round that raised the loss on the held-out pairs. */
  readonly rollBack: boolean;
  /** Ends the phase after so many rounds in turn that did not lower that loss; 0: never. */
  readonly patience: number;
}

export interface TeachPlan {
  readonly seed: number;
  readonly phases: readonly PhasePlan[];
  /** Pairs made before the first round and never trained on. */
  readonly heldOutPairs: number;
  /** Sampled after every round, greedily: for people to read. */
  readonly demoPrompts: readonly string[];
  readonly demoTokens: number;
  /** Evaluates before the first round, after every so many rounds, and after the last of a phase; 0: never. */
  readonly evaluateEvery: number;
  /** Held-out questions of the environment, of any splits but train. */
  readonly evaluationQuestions: readonly EnvironmentQuestion[];
  readonly evaluationMaxNewTokens: number;
  /** Checkpoints kept; those to go on from and to go back to are always. */
  readonly saveTotalLimit: number;
  /** Teacher calls at once; does not change the result. */
  readonly concurrency: number;
}

/** Rounds of all phases. */
export const roundsOf = ({ phases }: Pick<TeachPlan, "phases">): number =>
  phases.reduce((sum, phase) => sum + phase.iterations, 0);

/** Where a round, counted from 1 over all phases, lies; undefined behind the last. */
export function placeOf(
  plan: Pick<TeachPlan, "phases">,
  round: number,
): { readonly phase: PhasePlan; readonly index: number; readonly iteration: number } | undefined {
  let before = 0;
  for (const [index, phase] of plan.phases.entries()) {
    if (round <= before + phase.iterations) return { phase, index, iteration: round - before };
    before += phase.iterations;
  }
  return undefined;
}

/** Pairs that a round asks for. */
export const pairsOf = ({ topics, questionsForEach }: Pick<PairPlan, "topics" | "questionsForEach">): number =>
  typeof topics === "number" ? topics : topics.length * questionsForEach;

/** So many new tokens, or as many as the model's context has room for behind a prompt of the phase. */
export function newTokens(
  { policy }: Pick<Student, "policy">,
  { maxPromptLength }: Pick<PhasePlan, "maxPromptLength">,
  wanted: number,
): number {
  const { contextLength } = policy.info;
  return Math.min(wanted, contextLength - Math.min(maxPromptLength, Math.floor(contextLength / 2)));
}
