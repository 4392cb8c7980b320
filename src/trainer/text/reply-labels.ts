/** @file Which tokens of a reply are targets of the loss: the masks of PRefLexOR (Buehler 2024, arXiv 2410.12375). */
import { sampleDistinct, seededRandom } from "./seeded-random.js";
import { type MarkedTokens, matchedSpans } from "./segments.js";

/**
 * `none`: every token; `dynamic-answer`: what follows the last end marker; `{thinkingShare, seed}`: all but a random
 * share (0..1) of every thinking section.
 */
export type ReplyMask = "none" | "dynamic-answer" | { readonly thinkingShare: number; readonly seed: number };

export interface ReplyLabelOptions {
  readonly mask: ReplyMask;
  /** Whether the delimiters stay in the loss. */
  readonly includeThinkingTokenInLabels: boolean;
  /** Further parts of the seed: which row, which side. */
  readonly stream: readonly number[];
}

export interface ReplyLabels {
  /** One per token of the reply and one, always set, for the EOS after it. */
  readonly labels: Uint8Array;
  /** False where a mask was asked for and the reply has no section that it could act on. */
  readonly masked: boolean;
}

/** Labels of one reply. A reply without the markers that the mask needs keeps all labels. */
export function replyLabels(reply: MarkedTokens, options: ReplyLabelOptions): ReplyLabels {
  const { mask } = options;
  const labels = new Uint8Array(reply.ids.length + 1).fill(1);
  if (mask === "none") return { labels, masked: true };
  if (mask === "dynamic-answer") {
    const last = reply.ends.at(-1);
    if (!last) return { labels, masked: false };
    labels.fill(0, 0, options.includeThinkingTokenInLabels ? last.from : last.to);
    return { labels, masked: true };
  }
  const sections = matchedSpans(reply);
  const random = seededRandom(mask.seed, ...options.stream);
  for (const { start, end } of sections) {
    const [from, to] = options.includeThinkingTokenInLabels ? [start.to, end.from] : [start.from, end.to];
    const count = Math.floor((to - from) * mask.thinkingShare);
    for (const position of sampleDistinct(from, to, count, random)) labels[position] = 0;
  }
  return { labels, masked: sections.length > 0 };
}
