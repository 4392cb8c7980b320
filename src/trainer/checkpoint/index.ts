/** @file The door of the checkpoint room. */
export type { AdapterConfig, TokenIndices } from "./adapter-config.js";
export {
  type Adapter,
  type AdapterModule,
  type AdapterTokenRows,
  readAdapterDir,
  writeAdapterDir,
  writeAdapterFiles,
} from "./adapter-dir.js";
export { type BertActivation, type BertConfig, bertTensors, parseBertConfig } from "./bert-config.js";
export { type ExpectedTensor, expectedTensors, openCheckpointDir, writeModelDir } from "./checkpoint-dir.js";
export {
  EXPORT_FORMATS,
  type Exported,
  type ExportFormat,
  type ExportOptions,
  exportTrained,
} from "./export-trained.js";
export { type GgufAdapterOptions, writeGgufAdapter } from "./gguf-adapter.js";
export { GGUF_MODEL_TYPES, type GgufModelOptions, type GgufModelType, writeGgufModel } from "./gguf-model.js";
export { type MergeOptions, mergeAdapter } from "./merge-adapter.js";
export { parseModelConfig, toConfigJson } from "./model-config.js";
export {
  type QuantizedCheckpoint,
  readQuantizedCheckpoint,
  writeQuantizedCheckpoint,
} from "./quantize-checkpoint.js";
export type { QuantizedMatrices, QuantizedMatrix } from "./quantized-matrix.js";
export { readSafetensorsHeader, readTensorFloat32, tensorToWrite, writeSafetensors } from "./safetensors.js";
export { openSentenceTransformerDir, type SentenceTransformerDir } from "./sentence-transformer.js";
export { type FileWriter, readVerified, type VerifiedDir, writeDurably } from "./train-state.js";
export type { CheckpointDir, ModelConfig, TensorEntry } from "./types.js";
