/** @file Questions that nothing can mark: what their replies look like, and how far they agree with a reference. */
import { extractSection, THINKING, type Tokenizer } from "../../trainer/index.js";
import { type BootstrapMean, bootstrapMean } from "./bootstrap.js";
import { type Proportion, proportion } from "./intervals.js";
import { answerOf } from "./judge-replies.js";
import type { WholeReply } from "./mark-replies.js";
import { tokenF1 } from "./token-f1.js";

export interface OpenQuestion {
  readonly id: string;
  readonly text: string;
  /** A good answer. */
  readonly reference?: string;
}

export interface OpenSummary {
  readonly n: number;
  /** Replies with thinking, asked for or not. */
  readonly thinks: Proportion;
  /** Replies that come to an answer. */
  readonly answered: Proportion;
  /** Replies that the model ended itself. */
  readonly ended: Proportion;
  /** Mean over the replies with thinking. */
  readonly meanThinkingTokens: number | null;
  /** Mean F1 of the words that answer and reference share, over the questions that have one. */
  readonly overlap: BootstrapMean | null;
}

/** One reply a question. */
export function summarizeOpenReplies(
  questions: readonly OpenQuestion[],
  replies: readonly WholeReply[],
  tokenizer: Tokenizer,
  seed: number,
): OpenSummary {
  const n = replies.length;
  const share = (is: (reply: WholeReply) => boolean): Proportion => proportion(replies.filter(is).length, n);
  const thinking = replies.map(({ text }) => extractSection(text, THINKING).text.trim());
  const lengths = thinking.filter((text) => text !== "").map((text) => tokenizer.encode(text).length);
  const overlaps = questions.flatMap(({ reference }, i) =>
    reference === undefined ? [] : [tokenF1(answerOf(replies[i]!.text), reference)],
  );
  return {
    n,
    thinks: proportion(lengths.length, n),
    answered: share(({ text }) => answerOf(text) !== ""),
    ended: share(({ finish }) => finish === "stop"),
    meanThinkingTokens: lengths.length === 0 ? null : lengths.reduce((a, b) => a + b, 0) / lengths.length,
    overlap: overlaps.length === 0 ? null : bootstrapMean(overlaps, { seed }),
  };
}
