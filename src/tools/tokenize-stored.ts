/** @file Stored pairs as the trainer takes them, with a count of those that it cannot take. */
import type { Student } from "../agents/index.js";
import { type PreferencePair, THINKING, type TokenizedPair, tokenizePairs } from "../trainer/index.js";
import type { Recipe } from "./run-settings.js";

export interface StoredTokens {
  readonly pairs: readonly TokenizedPair[];
  /** Reasons that occurred, with their counts. */
  readonly dropped: Readonly<Record<string, number>>;
}

export function tokenizeStored(
  stored: readonly PreferencePair[],
  { tokenizer, template }: Pick<Student, "tokenizer" | "template">,
  { maxPromptLength, maxLength }: Pick<Recipe, "maxPromptLength" | "maxLength">,
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
