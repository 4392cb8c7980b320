/** @file The door of the checkpoint room. */
export type { AdapterConfig } from "./adapter-config.js";
export { type Adapter, type AdapterModule, readAdapterDir, writeAdapterDir, writeAdapterFiles } from "./adapter-dir.js";
export { type ExpectedTensor, expectedTensors, openCheckpointDir, writeModelDir } from "./checkpoint-dir.js";
export { parseModelConfig, toConfigJson } from "./model-config.js";
export { readSafetensorsHeader, readTensorFloat32, tensorToWrite, writeSafetensors } from "./safetensors.js";
export { type FileWriter, readVerified, type VerifiedDir, writeDurably } from "./train-state.js";
export type { CheckpointDir, ModelConfig, TensorEntry } from "./types.js";
