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
export { type ExpectedTensor, expectedTensors, openCheckpointDir, writeModelDir } from "./checkpoint-dir.js";
export {
  EXPORT_FORMATS,
  type Exported,
  type ExportFormat,
  type ExportOptions,
  exportTrained,
} from "./export-trained.js";
export { type GgufAdapterOptions, writeGgufAdapter } from "./gguf-adapter.js";
export { type MergeOptions, mergeAdapter } from "./merge-adapter.js";
export { parseModelConfig, toConfigJson } from "./model-config.js";
export { readSafetensorsHeader, readTensorFloat32, tensorToWrite, writeSafetensors } from "./safetensors.js";
export { type FileWriter, readVerified, type VerifiedDir, writeDurably } from "./train-state.js";
export type { CheckpointDir, ModelConfig, TensorEntry } from "./types.js";
