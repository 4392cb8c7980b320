/** @file What a text embedder is: texts in, vectors out; everything above the trainer sees only this. */

export interface EmbedderOptions {
  /** A sentence-transformers directory: modules.json, model.safetensors, tokenizer.json and what they name. */
  readonly model: string;
  /** Default: the cores of this machine. */
  readonly threads?: number;
  /** Gives up opening. */
  readonly signal?: AbortSignal;
}

export interface EmbedderInfo {
  /** Path of the directory. */
  readonly model: string;
  /** SHA-256 over everything that decides about a vector: settings, tokenizer and weights. */
  readonly modelHash: string;
  readonly dimensions: number;
  /** Of one text, [CLS] and [SEP] included; what goes beyond is cut off. */
  readonly maxTokens: number;
  /** Whether vectors have length 1, so that a dot product is the cosine. */
  readonly normalized: boolean;
  /** What the model wants in front of texts, by name (often "query" and "document"); empty where it wants nothing. */
  readonly prompts: Readonly<Record<string, string>>;
}

export interface EmbedOptions {
  /** Name of one of `info.prompts`, put in front of every text. Default: what the model names as its default, mostly none. */
  readonly promptName?: string;
  /** Cancels between batches. */
  readonly signal?: AbortSignal;
  /** Called after each batch. */
  readonly onProgress?: (finished: number, total: number) => void;
}

/** A model that turns texts into vectors, in a process of its own. */
export interface Embedder {
  readonly info: EmbedderInfo;
  /** One vector a text, in their order. A vector depends on its text alone: other texts move it by rounding (1e-6). */
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;
  /** Tokens of a text, [CLS] and [SEP] included and nothing cut off: more than `info.maxTokens` means that it will be. */
  countTokens(text: string): number;
  /** Ends the process; calls under way fail. */
  close(): Promise<void>;
}
