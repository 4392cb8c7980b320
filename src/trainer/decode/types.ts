/** @file What is asked of sampling, and what comes back: token ids, never text. */

export interface GenerateRequest {
  /** Token ids of the rendered prompt, with any pre-filled reply at its end. */
  readonly ids: Int32Array;
  /** Seed of this request's noise: the same tokens whatever else is in the batch. */
  readonly seed: number;
  /** Where this request differs from the options of the call. */
  readonly sampling?: Partial<SamplingParameters>;
}

/**
 * How tokens are chosen, applied in this order (as transformers does): repetition penalty, temperature, top-k, top-p,
 * min-p. Truncation keeps tokens that are exactly as likely as the last one kept.
 */
export interface SamplingParameters {
  readonly maxNewTokens: number;
  /** Divides the logits; 0 is greedy, and the smaller id where two are equal. */
  readonly temperature: number;
  /** The k most likely tokens; 0 or left out: all. */
  readonly topK?: number;
  /** Smallest set of most likely tokens whose probability reaches this (Holtzman et al. 2019, arXiv 1904.09751); 1 keeps all. */
  readonly topP: number;
  /** Tokens at least this share as likely as the most likely one (Nguyen et al. 2024, arXiv 2407.01082); default 0. */
  readonly minP?: number;
  /** Divides positive logits of tokens seen so far, multiplies negative ones (Keskar et al. 2019, arXiv 1909.05858); default 1. */
  readonly repetitionPenalty?: number;
  readonly stopTokenIds: readonly number[];
}

export interface SamplingOptions extends SamplingParameters {
  /**
   * "on" (default): the weights as trained so far; "off": the bare base model (LoRA's B = 0); else a name of
   * {@link PolicyOptions.adapters}.
   */
  readonly adapter?: "on" | "off" | (string & {});
}

/** New tokens of one request, a chunk at a time. */
export interface TokenChunk {
  /** Index of the request in its call. */
  readonly request: number;
  /** Without the stop token. */
  readonly ids: Int32Array;
  /** As in {@link Generation.logps}. */
  readonly logps: Float32Array;
}

export interface GenerateOptions extends SamplingOptions {
  readonly signal?: AbortSignal;
  /** Called now and then with the number of finished requests. */
  readonly onProgress?: (finished: number, total: number) => void;
  /** Called with each chunk of new tokens; true ends the request there (a stop string was found): its finish is "stop". */
  readonly onTokens?: (chunk: TokenChunk) => boolean | undefined;
}

export interface Generation {
  /** New tokens, without the stop token. */
  readonly ids: Int32Array;
  readonly finish: "stop" | "length";
  /** Log-probability of each new token (stop token included) under the untruncated distribution at temperature 1. */
  readonly logps: Float32Array;
}
