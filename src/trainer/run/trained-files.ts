/** @file What training leaves on disk: the adapter or the model, and the three vectors that continue it. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type CheckpointDir,
  readAdapterDir,
  readSafetensorsHeader,
  readTensorFloat32,
  tensorToWrite,
  writeAdapterFiles,
  writeModelDir,
  writeSafetensors,
} from "../checkpoint/index.js";
import type { ThetaLayout, TrainableSpec } from "../model/index.js";

const VECTOR_FILE = "train_state.safetensors";

/** Files of a checkpoint that are not weights and travel with a trained model. */
const TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json"];

/** A PEFT adapter in float32, or a whole model in the dtype of the checkpoint it came from. */
export async function writeTrained(
  directory: string,
  checkpoint: CheckpointDir,
  trainable: TrainableSpec,
  layout: ThetaLayout,
  theta: Float32Array,
): Promise<void> {
  const slices = new Map(layout.entries.map(({ name, offset, size }) => [name, theta.subarray(offset, offset + size)]));
  if (trainable.kind === "full") {
    const present = new Set(await readdir(checkpoint.path));
    const files = TOKENIZER_FILES.filter((file) => present.has(file)).map((file) => join(checkpoint.path, file));
    const dtype = checkpoint.tensors.get("model.embed_tokens.weight")?.dtype ?? "F32";
    await writeModelDir(
      directory,
      checkpoint.config,
      slices,
      dtype === "F16" || dtype === "BF16" ? dtype : "F32",
      files,
    );
    return;
  }
  const { r, loraAlpha, targetModules } = trainable;
  const modules = layout.entries
    .filter(({ name }) => name.endsWith(".lora_A.weight"))
    .map(({ name, shape }) => {
      const path = name.slice(0, -".lora_A.weight".length);
      const b = layout.entries.find((entry) => entry.name === `${path}.lora_B.weight`);
      return {
        path,
        inFeatures: shape[1] as number,
        outFeatures: b?.shape[0] as number,
        loraA: slices.get(name) as Float32Array,
        loraB: slices.get(`${path}.lora_B.weight`) as Float32Array,
      };
    });
  await mkdir(directory, { recursive: true });
  const config = { baseModelNameOrPath: checkpoint.path, r, loraAlpha, loraDropout: 0, targetModules };
  await writeAdapterFiles(directory, { config, modules });
}

/** Theta from a PEFT adapter directory. Its rank, alpha and layers must be those of `trainable`. */
export async function readTrained(
  directory: string,
  trainable: TrainableSpec,
  layout: ThetaLayout,
): Promise<Float32Array> {
  if (trainable.kind !== "lora") throw new Error(`${directory} is an adapter; open the policy with a LoRA to load it`);
  const { config, modules } = await readAdapterDir(directory);
  const problems: string[] = [];
  if (config.r !== trainable.r) problems.push(`rank: expected ${trainable.r}, found ${config.r}`);
  if (config.loraAlpha !== trainable.loraAlpha)
    problems.push(`lora_alpha: expected ${trainable.loraAlpha}, found ${config.loraAlpha}`);
  const values = new Map<string, Float32Array>(
    modules.flatMap(({ path, loraA, loraB }) => [
      [`${path}.lora_A.weight`, loraA] as const,
      [`${path}.lora_B.weight`, loraB] as const,
    ]),
  );
  const theta = new Float32Array(layout.length);
  for (const { name, offset, size } of layout.entries) {
    const found = values.get(name);
    if (found?.length === size) theta.set(found, offset);
    else problems.push(`${name}: expected ${size} numbers, found ${found?.length ?? "none"}`);
    values.delete(name);
  }
  for (const name of values.keys()) problems.push(`${name}: not trained by this policy`);
  if (problems.length > 0)
    throw new Error(`the adapter in ${directory} does not fit:\n  - ${problems.slice(0, 12).join("\n  - ")}`);
  return theta;
}

/** theta, m and v in float32, and `state` as trainer_state.json. */
export async function writeVectors(
  directory: string,
  vectors: Readonly<Record<string, Float32Array>>,
  state: Readonly<Record<string, unknown>>,
): Promise<void> {
  const tensors = Object.entries(vectors).map(([name, values]) => tensorToWrite(name, [values.length], values, "F32"));
  await writeSafetensors(join(directory, VECTOR_FILE), tensors);
  await writeFile(join(directory, "trainer_state.json"), `${JSON.stringify(state, null, 2)}\n`);
}

/** Reads the vectors back; throws where one is absent or has another length. */
export async function readVectors<K extends string>(
  directory: string,
  names: readonly K[],
  length: number,
): Promise<Record<K, Float32Array>> {
  const file = join(directory, VECTOR_FILE);
  const { entries } = await readSafetensorsHeader(file);
  const read = async (name: K): Promise<readonly [K, Float32Array]> => {
    const entry = entries.find((candidate) => candidate.name === name);
    if (entry === undefined || entry.shape[0] !== length) {
      throw new Error(
        `${file}: expected ${name} of ${length} numbers, found ${entry === undefined ? "none" : entry.shape[0]}`,
      );
    }
    return [name, await readTensorFloat32(entry)];
  };
  return Object.fromEntries(await Promise.all(names.map(read))) as Record<K, Float32Array>;
}
