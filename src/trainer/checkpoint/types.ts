/** @file What a checkpoint directory says about a model, in this project's words. */

export type TensorDtype = "F32" | "F16" | "BF16" | "I64" | "I32" | "U8" | "BOOL" | "F64";

/** One tensor inside a .safetensors file. `offset` is absolute in the file and `byteLength` in bytes. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
  readonly file: string;
  readonly offset: number;
  readonly byteLength: number;
}

export type ModelType = "llama" | "mistral" | "qwen2" | "qwen3" | "smollm3" | "gemma3_text";

/** Function inside the feed-forward layer, by transformers' name. */
export type Activation = "silu" | "gelu_pytorch_tanh";

/**
 * A decoder, described by what it has and not by its family; names follow Hugging Face's config.json in camelCase where
 * it has one for the thing.
 */
export interface ModelConfig {
  readonly modelType: ModelType;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly maxPositionEmbeddings: number;
  readonly rmsNormEps: number;
  readonly hiddenAct: Activation;
  readonly tieWordEmbeddings: boolean;
  /** Biases of q_proj, k_proj and v_proj. */
  readonly qkvBias: boolean;
  /** Bias of o_proj. */
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** Norms of each head's queries and keys, before the rotation. */
  readonly qkNorm: boolean;
  /** Norms multiply by this plus the stored weight. */
  readonly normOffset: 0 | 1;
  /** Norms behind attention and feed-forward layer too, before the residual sum. */
  readonly sandwichNorms: boolean;
  /** Factor of the embedded tokens. */
  readonly embeddingScale: number;
  /** Factor of the attention scores. */
  readonly queryScale: number;
  readonly ropes: readonly RopeConfig[];
  /** One a layer. */
  readonly layers: readonly LayerConfig[];
  readonly bosTokenId?: number;
  readonly eosTokenIds: readonly number[];
  /** The content of config.json, with every key of the family's own. */
  readonly source: Readonly<Record<string, unknown>>;
}

/** How a layer differs from the others. */
export interface LayerConfig {
  /** Tokens that a token sees, itself included; undefined: all before it. */
  readonly window: number | undefined;
  /** Index into `ropes`; undefined: no positions at all. */
  readonly rope: number | undefined;
}

export interface RopeConfig {
  readonly theta: number;
  readonly scaling?: LinearRopeScaling | Llama3RopeScaling;
}

/** Positions divided by `factor`. */
export interface LinearRopeScaling {
  readonly type: "linear";
  readonly factor: number;
}

/** "llama3" frequency scaling; fields as in config.json's rope_scaling. */
export interface Llama3RopeScaling {
  readonly type: "llama3";
  readonly factor: number;
  readonly lowFreqFactor: number;
  readonly highFreqFactor: number;
  readonly originalMaxPositionEmbeddings: number;
}

/** A checkpoint directory, opened: nothing but the headers has been read. */
export interface CheckpointDir {
  readonly path: string;
  readonly config: ModelConfig;
  /** SHA-256 over config.json and every .safetensors file's bytes, in name order: the identity of the base model. */
  hash(): Promise<string>;
  /** All tensors by name as the checkpoint spells them. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** The values of a tensor as float32, whatever its dtype. Throws where the tensor is absent. */
  readFloat32(name: string): Promise<Float32Array>;
}
