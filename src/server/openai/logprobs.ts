/** @file Log-probabilities of drawn tokens, in the shape of chat and in the older one of completions. */
import type { GeneratedToken } from "../../trainer/generate/index.js";

/** JSON has no infinity; OpenAI's documentation has this for a token that is as good as impossible. */
const IMPOSSIBLE = -9999;

const finite = (logp: number): number => (Number.isFinite(logp) ? logp : IMPOSSIBLE);

export interface ChatLogprobs {
  readonly content: readonly {
    readonly token: string;
    readonly logprob: number;
    readonly bytes: readonly number[];
    readonly top_logprobs: readonly never[];
  }[];
  readonly refusal: null;
}

export function chatLogprobs(tokens: readonly GeneratedToken[]): ChatLogprobs {
  return {
    content: tokens.map(({ text, logp, bytes }) => ({
      token: text,
      logprob: finite(logp),
      bytes: [...bytes],
      top_logprobs: [],
    })),
    refusal: null,
  };
}

export interface CompletionLogprobs {
  readonly tokens: readonly string[];
  readonly token_logprobs: readonly number[];
  readonly top_logprobs: readonly Readonly<Record<string, number>>[] | null;
  /** Where each token begins in the completion, in characters. */
  readonly text_offset: readonly number[];
}

/** Turns the tokens of one completion, a chunk at a time, into logprobs objects; offsets go on from chunk to chunk. */
export function completionLogprobs(
  drawnIsLikeliest: boolean,
): (tokens: readonly GeneratedToken[]) => CompletionLogprobs {
  const decoder = new TextDecoder();
  let offset = 0;
  return (tokens) => {
    const offsets = tokens.map(({ bytes }) => {
      const at = offset;
      offset += [...decoder.decode(bytes, { stream: true })].length;
      return at;
    });
    const logps = tokens.map(({ logp }) => finite(logp));
    return {
      tokens: tokens.map(({ text }) => text),
      token_logprobs: logps,
      top_logprobs: drawnIsLikeliest ? tokens.map(({ text }, i) => ({ [text]: logps[i] as number })) : null,
      text_offset: offsets,
    };
  };
}
