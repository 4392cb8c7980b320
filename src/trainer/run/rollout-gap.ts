/** @file How far the sampler is from the trainer: what each says of the same tokens. */
import type { LabelledTokens } from "../text/types.js";
import type { GenerateOptions, GenerateRequest, Policy } from "./policy.js";

/** Differences between log-probabilities of sampled tokens, the sampler's and the trainer's. */
export interface RolloutGap {
  readonly tokens: number;
  readonly mean: number;
  readonly max: number;
}

/** Samples replies and scores the same tokens with the weights that are trained. Adapters by name are not trained: "on" or "off". */
export async function rolloutGap(
  policy: Policy,
  requests: readonly GenerateRequest[],
  options: Omit<GenerateOptions, "adapter"> & { readonly adapter?: "on" | "off" },
): Promise<RolloutGap> {
  if (policy.scoreTexts === undefined) throw new Error("this policy cannot score single tokens");
  const generations = await policy.generate(requests, options);
  const texts = generations.map(({ ids }, i) => replyText((requests[i] as GenerateRequest).ids, ids));
  const weights = options.adapter === "off" ? "base" : "current";
  const scored = await policy.scoreTexts(texts, { weights, ...(options.signal && { signal: options.signal }) });
  const gaps = scored.flatMap((logps, i) =>
    Array.from(logps, (logp, token) => Math.abs(logp - (generations[i]?.logps[token] as number))),
  );
  const sum = gaps.reduce((a, b) => a + b, 0);
  return {
    tokens: gaps.length,
    mean: gaps.length === 0 ? 0 : sum / gaps.length,
    max: gaps.reduce((a, b) => Math.max(a, b), 0),
  };
}

/** Prompt and reply, where the tokens of the reply are labelled. */
function replyText(prompt: Int32Array, reply: Int32Array): LabelledTokens {
  const ids = new Int32Array(prompt.length + reply.length);
  ids.set(prompt);
  ids.set(reply, prompt.length);
  return { ids, labels: Uint8Array.from(ids, (_, i) => (i < prompt.length ? 0 : 1)) };
}
