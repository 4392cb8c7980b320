/** @file Stored pairs as the trainer takes them, with a count of those that it cannot take. */

import type { PhasePlan, Student } from "../agents/index.js";
import { type PreferencePair, THINKING, type TokenizedPair, tokenizePairs } from "../trainer/index.js";

export interface StoredTokens {
  readonly pairs: readonly TokenizedPair[];
  /** Reasons that occurred, with their counts. */
  readonly dropped: Readonly<Record<string, number>>;
}

type Limits = Pick<PhasePlan, "maxPromptLength" | "maxLength">;

export function tokenizeStored(
  stored: readonly PreferencePair[],
  { tokenizer, template }: Pick<Student, "tokenizer" | "template">,
  { maxPromptLength, maxLength }: Limits,
): StoredTokens {
  const { pairs, dropped } = tokenizePairs(stored, {
    tokenizer,
    template,
    maxPromptLength,
    maxLength,
    mask: "none",
    includeThinkingTokenInLabels: true,
    markers: THINKING,
  });
  return { pairs, dropped: Object.fromEntries(Object.entries(dropped).filter(([, count]) => count > 0)) };
}

/** One sentence about the pairs that cannot be trained on, or undefined where there are none. */
export function droppedNotice(
  dropped: StoredTokens["dropped"],
  stored: number,
  { maxPromptLength, maxLength }: Limits,
): string | undefined {
  const reasons = Object.entries(dropped);
  if (reasons.length === 0) return undefined;
  const left = reasons.reduce((sum, [, count]) => sum + count, 0);
  const list = reasons.map(([reason, count]) => `${reason}: ${count}`).join(", ");
  const limit = `a prompt may have ${maxPromptLength} tokens of this model, prompt and reply together ${maxLength}`;
  const which = stored === 1 ? "this pair" : `${left} of ${stored} stored pairs`;
  return `${which} cannot be trained on (${list}); ${limit}`;
}
