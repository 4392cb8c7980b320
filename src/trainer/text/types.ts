/** @file The shapes that text has once it is tokens. */

/** A message of a conversation, as chat templates take them. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** Token ids of one text; `labels[i]` is 1 where token i is a target of the loss, 0 where it is only input. */
export interface LabelledTokens {
  readonly ids: Int32Array;
  readonly labels: Uint8Array;
}

/** A preference pair as tokens: the prompt once, both replies each ending in EOS. Labels of the prompt are never set. */
export interface TokenizedPair {
  readonly prompt: Int32Array;
  readonly chosen: LabelledTokens;
  readonly rejected: LabelledTokens;
}

export type DropReason =
  | "prompt-too-long"
  | "answer-too-long"
  | "end-marker-cut"
  | "empty-answer"
  | "identical-answers"
  | "nothing-to-compare";

/** What became of one pair: kept (possibly with its prompt cut from the left) or dropped, with the reason. */
export type TokenizeOutcome =
  | { readonly kind: "kept"; readonly pair: TokenizedPair; readonly promptCut: boolean; readonly unmasked: boolean }
  | { readonly kind: "dropped"; readonly reason: DropReason };

/** The delimiters of a section of the model's own text. */
export interface SectionMarkers {
  readonly start: string;
  readonly end: string;
}

/**
 * A marked section of a reply. `found`: both markers; `unterminated`: the start marker only (`text` runs to the end of
 * the reply, `after` is empty); `missing`: no start marker (`after` is the whole reply).
 */
export interface Section {
  readonly kind: "found" | "unterminated" | "missing";
  readonly before: string;
  readonly text: string;
  readonly after: string;
}
