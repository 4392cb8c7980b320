/** @file A world whose questions can be checked: documents to read, questions to ask, and a checker that sees no format. */

export type Split = "train" | "unseen-combination" | "unseen-material";

export interface EnvironmentQuestion {
  readonly id: string;
  /** Question type, e.g. "failure-class" or, with two candidates, "failure-choice". */
  readonly type: string;
  readonly split: Split;
  /** What the question is about, e.g. a material's name, or the names of both candidates in the order of the question. */
  readonly subject: string;
  /** The candidates of a question that names them. Nothing here says which of them is right. */
  readonly subjects?: readonly string[];
  /** Shared by the two orders in which such a question is asked; they are scored together. */
  readonly pairId?: string;
  readonly text: string;
  /** All answers that the question can have. */
  readonly candidates: readonly string[];
}

export interface Verdict {
  /** The final answer names exactly the right candidate. */
  readonly right: boolean;
  /** False where the text names no candidate, or several different ones, as its answer. */
  readonly markable: boolean;
  /**
   * Marks the thinking apart: every fact and rule it uses is true and about a subject of the question, and every
   * subject is treated; undefined where there is none.
   */
  readonly thinkingRight: boolean | undefined;
  /**
   * Marks the reflection apart, where there is one: all that it states is true, and with it every subject's rule
   * stands right, in the thinking or corrected here. Right thinking is no condition.
   */
  readonly reflectionRight?: boolean;
}

export interface EnvironmentDocument {
  readonly source: string;
  readonly text: string;
}

/** A row of the base model's training set: a document, or a user turn with the reply that it shall learn. */
export type BaseRow =
  | { readonly kind: "text"; readonly text: string; readonly subject?: string }
  | {
      readonly kind: "chat";
      readonly user: string;
      readonly assistant: string;
      readonly subject?: string;
      readonly probe: string;
    };

export interface Environment {
  readonly name: string;
  readonly seed: number;
  readonly documents: readonly EnvironmentDocument[];
  questions(split: Split): readonly EnvironmentQuestion[];
  /** Expected accuracy of guessing among the candidates of a type. */
  chance(type: string): number;
  /** `reply` is the model's whole reply; only what follows the thinking section is marked for `right`. */
  check(question: EnvironmentQuestion, reply: string): Verdict;
  /** Documents, rules and one-hop questions: what the incipient base model is trained on. No reasoning, no two-fact question. */
  baseRows(): readonly BaseRow[];
  /** One-hop questions used to measure recall, with their answers. */
  recallProbes(): readonly { readonly question: string; readonly answer: string; readonly subject: string }[];
  /** Words that the tokenizer must keep whole. */
  vocabulary(): readonly string[];
}
