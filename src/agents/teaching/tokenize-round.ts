/** @file The pairs of a round as tokens, and which of them could not be used. */
import { type PreferencePair, type TokenizedPair, tokenizePairs } from "../../trainer/index.js";
import type { Run } from "./run.js";
import { readRunPairs } from "./run-journal.js";
import type { PhasePlan } from "./teach-plan.js";

export interface RoundTokens {
  readonly tokens: readonly TokenizedPair[];
  /** The text of each of `tokens`. */
  readonly texts: readonly PreferencePair[];
  readonly dropped: readonly { readonly topic: string; readonly reason: string }[];
}

/** Tokens as the phase wants them, and as the model can hold them. */
export async function tokenizeRound(
  { context }: Pick<Run, "context">,
  phase: PhasePlan,
  pairs: readonly PreferencePair[],
): Promise<RoundTokens> {
  if (context.process !== undefined) {
    const tokens = await context.process(pairs, phase);
    if (tokens.length !== pairs.length)
      throw new Error(`process: expected tokens for each of ${pairs.length} pairs, found ${tokens.length}`);
    return { tokens, texts: pairs, dropped: [] };
  }
  const { tokenizer, template, policy } = context;
  const { mask, includeThinkingTokenInLabels, markers } = phase;
  // What the model cannot hold is left out and counted, as what the plan does not want.
  const maxLength = Math.min(phase.maxLength, policy.info.contextLength);
  const maxPromptLength = Math.min(phase.maxPromptLength, maxLength - 1);
  const options = { tokenizer, template, maxPromptLength, maxLength, mask, includeThinkingTokenInLabels, markers };
  const { pairs: tokens, indices, drops } = tokenizePairs(pairs, options);
  return {
    tokens,
    texts: indices.map((index) => pairs[index] as PreferencePair),
    dropped: drops.map(({ row, reason }) => {
      const { topic, question } = (pairs[row] as PreferencePair).provenance;
      return { topic: topic ?? question ?? "", reason: `dropped when tokenized: ${reason}` };
    }),
  };
}

/** What is trained on in a round: made in this process, or as the journal of an earlier one has it. */
export async function tokensOfRound(run: Run, phase: PhasePlan, round: number): Promise<RoundTokens> {
  const { directory } = run.context;
  const made = run.made.get(round);
  if (made !== undefined || directory === undefined) return tokenizeRound(run, phase, made ?? []);
  const all = await readRunPairs(directory);
  return tokenizeRound(
    run,
    phase,
    all.filter(({ provenance }) => provenance.round === round),
  );
}
