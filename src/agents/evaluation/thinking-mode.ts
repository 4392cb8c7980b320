/** @file Whether a question is asked with the request to think, without it, or with thinking ruled out. */
import { PROMPT_SUFFIX, prefilledThinking } from "../../trainer/index.js";
import type { StudentTurn } from "../student.js";

/**
 * on: the question ends with the request to think. off: the bare question; a model that was trained to think may do so all the
 * same. forced-off: the bare question, and the reply begins with an empty thinking section that is closed already, so that
 * the model goes on with its answer (as Qwen3's template does for enable_thinking = false).
 */
export const THINKING_MODES = ["on", "off", "forced-off"] as const;
export type ThinkingMode = (typeof THINKING_MODES)[number];

export function turnOf(question: string, mode: ThinkingMode, seed: number): StudentTurn {
  switch (mode) {
    case "on":
      return { prompt: question + PROMPT_SUFFIX, seed };
    case "off":
      return { prompt: question, seed };
    case "forced-off":
      return { prompt: question, seed, prefill: prefilledThinking("") };
  }
}
