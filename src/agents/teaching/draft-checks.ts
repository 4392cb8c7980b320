/** @file What makes a question or a chosen reply unfit for training, in words. */
import type { ChosenDraft } from "./answer-pair.js";
export const draftProblem = (_draft: ChosenDraft): string | undefined => undefined;
