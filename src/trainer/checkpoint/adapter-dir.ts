/** @file A PEFT adapter directory, written and read: LoRA on linear layers, one rank. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type AdapterConfig, parseAdapterConfig, toAdapterConfigJson } from "./adapter-config.js";
import { readSafetensorsHeader, readTensorFloat32, tensorToWrite, writeSafetensors } from "./safetensors.js";
import { exists, writeStagedDirectory } from "./staged-directory.js";
import type { TensorEntry } from "./types.js";

/** LoRA of one linear layer: y += (loraAlpha / r) · B (A x). */
export interface AdapterModule {
  /** As the base model names it, e.g. "model.layers.0.self_attn.q_proj". */
  readonly path: string;
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** [r, inFeatures], row-major. */
  readonly loraA: Float32Array;
  /** [outFeatures, r], row-major. */
  readonly loraB: Float32Array;
}

export interface Adapter {
  readonly config: AdapterConfig;
  /** Read back in the order of their paths. */
  readonly modules: readonly AdapterModule[];
}

/** Writes the directory complete or not at all. */
export async function writeAdapterDir(dir: string, adapter: Adapter): Promise<void> {
  await writeStagedDirectory(dir, (staging) => writeAdapterFiles(staging, adapter));
}

/** Writes the three files of an adapter into a directory, which may hold others. */
export async function writeAdapterFiles(dir: string, { config, modules }: Adapter): Promise<void> {
  await mkdir(dir, { recursive: true });
  const tensors = modules.flatMap(({ path, inFeatures, outFeatures, loraA, loraB }) => [
    tensorToWrite(keyOf(path, "A"), [config.r, inFeatures], loraA, "F32"),
    tensorToWrite(keyOf(path, "B"), [outFeatures, config.r], loraB, "F32"),
  ]);
  await writeSafetensors(join(dir, "adapter_model.safetensors"), tensors, { format: "pt" });
  await writeFile(join(dir, "adapter_config.json"), `${JSON.stringify(toAdapterConfigJson(config), null, 2)}\n`);
  await writeFile(join(dir, "README.md"), readme(config));
}

/** Reads an adapter. Throws one error with everything in it that cannot be used here. */
export async function readAdapterDir(dir: string): Promise<Adapter> {
  const weights = join(dir, "adapter_model.safetensors");
  const missing: string[] = [];
  for (const file of ["adapter_config.json", "adapter_model.safetensors"]) {
    if (!(await exists(join(dir, file)))) missing.push(file);
  }
  if (missing.length > 0) {
    throw new Error(`${dir} is no adapter directory, it lacks ${missing.join(" and ")}; give a PEFT adapter directory`);
  }
  const problems: string[] = [];
  const config = parseAdapterConfig(await readConfig(join(dir, "adapter_config.json")), problems);
  const pairs = pairUp((await readSafetensorsHeader(weights)).entries, config?.r, problems);
  if (problems.length > 0 || !config) {
    const list = problems.map((problem) => `\n  - ${problem}`).join("");
    throw new Error(
      `${dir} holds an adapter that cannot be used here:${list}\nTrain or export a plain LoRA: linear layers only, one rank.`,
    );
  }
  const modules = await Promise.all(pairs.map(readModule));
  return { config, modules };
}

interface ModuleEntries {
  readonly path: string;
  readonly A: TensorEntry;
  readonly B: TensorEntry;
}

const KEY = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/;

function pairUp(entries: readonly TensorEntry[], r: number | undefined, problems: string[]): ModuleEntries[] {
  const byPath = new Map<string, { A?: TensorEntry; B?: TensorEntry }>();
  for (const entry of entries) {
    const [, path, side] = KEY.exec(entry.name) ?? [];
    if (path === undefined)
      problems.push(`tensor ${entry.name}: expected base_model.model.<module>.lora_A or lora_B.weight`);
    else byPath.set(path, { ...byPath.get(path), [side === "A" ? "A" : "B"]: entry });
  }
  if (entries.length === 0) problems.push("adapter_model.safetensors holds no tensors");
  const complete: ModuleEntries[] = [];
  for (const [path, { A, B }] of [...byPath].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!A || !B) {
      problems.push(`${path}: lora_${A ? "B" : "A"} is missing`);
      continue;
    }
    problems.push(...shapeProblems(A, B, r));
    complete.push({ path, A, B });
  }
  return complete;
}

function shapeProblems(A: TensorEntry, B: TensorEntry, r: number | undefined): string[] {
  const problems: string[] = [];
  for (const { name, dtype } of [A, B]) {
    if (!["F32", "F16", "BF16"].includes(dtype))
      problems.push(`tensor ${name}: expected F32, F16 or BF16, found ${dtype}`);
  }
  const rank = r ?? A.shape[0];
  if (A.shape.length !== 2 || A.shape[0] !== rank) {
    problems.push(`tensor ${A.name}: expected [${rank}, in], found [${A.shape}]`);
  }
  if (B.shape.length !== 2 || B.shape[1] !== rank) {
    problems.push(`tensor ${B.name}: expected [out, ${rank}], found [${B.shape}]`);
  }
  return problems;
}

async function readModule({ path, A, B }: ModuleEntries): Promise<AdapterModule> {
  const [loraA, loraB] = await Promise.all([readTensorFloat32(A), readTensorFloat32(B)]);
  return { path, inFeatures: A.shape[1]!, outFeatures: B.shape[0]!, loraA, loraB };
}

async function readConfig(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new Error(`${file} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

function keyOf(path: string, side: "A" | "B"): string {
  return `base_model.model.${path}.lora_${side}.weight`;
}

function readme(config: AdapterConfig): string {
  return `---
base_model: ${JSON.stringify(config.baseModelNameOrPath)}
library_name: peft
---

# LoRA adapter

Rank ${config.r}, alpha ${config.loraAlpha}, on ${config.targetModules.join(", ")}.

\`\`\`python
from peft import PeftModel
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained(${JSON.stringify(config.baseModelNameOrPath)})
model = PeftModel.from_pretrained(base, "<this directory>")
\`\`\`
`;
}
