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

/** A Llama-architecture decoder; names follow Hugging Face's config.json in camelCase. */
export interface ModelConfig {
  readonly modelType: "llama";
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly maxPositionEmbeddings: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  readonly ropeScaling?: Llama3RopeScaling;
  readonly tieWordEmbeddings: boolean;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  readonly bosTokenId?: number;
  readonly eosTokenIds: readonly number[];
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
