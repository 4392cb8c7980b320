/** @file What recursive reasoning takes and gives: plans, rounds with their costs, events, and the result. */
import type { Section } from "../../trainer/index.js";
import type { PassageStore } from "../corpus/types.js";
import type { Sampling, Student } from "../student.js";
import type { Critic, Evidence, RoundScorer } from "./critic.js";

/** A student whose rounds can be scored. */
export interface ScoredStudent extends Student {
  readonly store: PassageStore;
  /** Default: lexical support by the evidence. */
  readonly score?: RoundScorer;
  /** Default: what is nearest to the question and to the sentences of the thinking. */
  readonly evidence?: Evidence;
}

export interface ReasoningContext extends ScoredStudent {
  /** Needed from the second round on, and to integrate; made when first needed. */
  readonly critic: () => Promise<Critic>;
}

/** Where the feedback comes from: the critic (A of the paper), or the model's own reflect section (B). */
export type ReasoningMode = "thinking" | "reflection";

/** How answers are drawn, by recursion and by its controls alike. */
export interface AnswerSettings {
  /** Mode "thinking": the number of answers; 1 calls no critic. Mode "reflection": the number of improvements, so one answer more. */
  readonly rounds: number;
  /** Default "thinking". */
  readonly mode?: ReasoningMode;
  readonly sampling: Sampling;
  /** A round's seed follows from this one, the question and the round's number: company in a batch changes nothing. */
  readonly seed: number;
  /** Default: the request to think. */
  readonly suffix?: string;
  /** Passages a retrieval. */
  readonly k?: number;
}

export interface ReasoningSettings extends AnswerSettings {
  /** Lets the critic merge all answers into one. Default false: the best round's answer is the answer. */
  readonly integrate?: boolean;
  /** Ends it with the first round that scores at least this, in [0, 1]. */
  readonly stopAtScore?: number;
  /** For experiments: makes all rounds, whatever they bring; only a failing critic or a full context ends it earlier. */
  readonly keepGoing?: boolean;
}

export interface ReasoningPlan extends ReasoningSettings {
  readonly question: string;
}

export interface ReasoningCost {
  /** Replies drawn from the student, also those that a critic drew. */
  readonly modelCalls: number;
  /** Tokens that the student drew; pre-filled ones were not drawn. */
  readonly newTokens: number;
  /** Feedbacks, improvements and integrations. */
  readonly criticCalls: number;
}

/** What a reply begins with: nothing, the improved thinking, or the start of a section that the round before lacked. */
export type RoundOpening = "none" | "improved" | "thinking" | "reflection";

/** A section of a reply: closed, still open where the reply broke off, or absent. */
export type SectionOutcome = Section["kind"];

export interface DraftRound {
  /** From 1. */
  readonly round: number;
  readonly opening: RoundOpening;
  /** Empty where the section is missing. */
  readonly thinking: string;
  readonly section: SectionOutcome;
  /** The model's reflection on its thinking; empty where the section is missing. */
  readonly reflection: string;
  readonly reflectSection: SectionOutcome;
  /** What follows the sections; empty where the reply broke off before. */
  readonly answer: string;
  /** What was said of the thinking before, where it was improved. */
  readonly feedback?: string;
  /** Of this round's reply, and of the feedback and improvement that led to it. */
  readonly cost: ReasoningCost;
}

export interface ReasoningRound extends DraftRound {
  /** By question, thinking, answer and evidence, in [0, 1]; 0 without an answer or without thinking. */
  readonly score: number;
  /** Ids of the passages that the round was judged by. */
  readonly evidence: readonly string[];
}

/**
 * Why it ended: all rounds made; the score asked for; the critic found nothing to change; an improvement that scored no
 * higher; a section that stayed empty though it was opened for the model; a pre-fill for which the context has no room;
 * a critic that failed (`failure` says how).
 */
export type StopReason =
  | "rounds"
  | "score-reached"
  | "critic-content"
  | "no-gain"
  | "no-thinking"
  | "no-reflection"
  | "no-room"
  | "critic-failed";

export interface ReasoningResult {
  readonly answer: string;
  /** Number of the best round: the highest score, the earliest of equals; from 1. */
  readonly best: number;
  readonly rounds: readonly ReasoningRound[];
  readonly stopped: StopReason;
  readonly integrated: boolean;
  /** All rounds, and what the critic did after the last of them. */
  readonly cost: ReasoningCost;
  /** Name of the critic, where it was called; one that is assisted says so in it. */
  readonly critic?: string;
  /** What the critic failed with. */
  readonly failure?: string;
}

export type ReasoningEvent =
  | { readonly kind: "answer"; readonly round: DraftRound }
  | { readonly kind: "score"; readonly round: ReasoningRound }
  /** On the thinking of `round`. */
  | {
      readonly kind: "feedback";
      readonly round: number;
      readonly from: "critic" | "reflection";
      readonly feedback: string;
    }
  /** What the round after `round` begins with. */
  | { readonly kind: "improved"; readonly round: number; readonly thinking: string; readonly complete: boolean }
  | { readonly kind: "integrated"; readonly answer: string }
  | { readonly kind: "done"; readonly result: ReasoningResult };
