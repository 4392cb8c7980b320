/** @file A Hugging Face checkpoint directory: opened (headers only) with every tensor checked, and written. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, readFile, realpath, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { parseModelConfig, toConfigJson } from "./model-config.js";
import { readSafetensorsHeader, readTensorFloat32, tensorToWrite, writeSafetensors } from "./safetensors.js";
import { exists, writeStagedDirectory } from "./staged-directory.js";
import type { CheckpointDir, ModelConfig, TensorEntry } from "./types.js";

/** Name and shape of a tensor that a config calls for. */
export interface ExpectedTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Every parameter of the decoder, in the order of the forward pass, under the names that Hugging Face has for them. */
export function expectedTensors(config: ModelConfig): ExpectedTensor[] {
  const { hiddenSize: hidden, vocabSize } = config;
  const layers = Array.from({ length: config.numHiddenLayers }, (_, i) => layerTensors(config, `model.layers.${i}`));
  return [
    { name: "model.embed_tokens.weight", shape: [vocabSize, hidden] },
    ...layers.flat(),
    { name: "model.norm.weight", shape: [hidden] },
    ...(config.tieWordEmbeddings ? [] : [{ name: "lm_head.weight", shape: [vocabSize, hidden] }]),
  ];
}

function layerTensors(config: ModelConfig, layer: string): ExpectedTensor[] {
  const { hiddenSize: hidden, intermediateSize: inner, headDim, qkvBias, outputBias, mlpBias } = config;
  const queries = config.numAttentionHeads * headDim;
  const keys = config.numKeyValueHeads * headDim;
  const norm = (path: string, size = hidden, present = true): ExpectedTensor[] =>
    present ? [{ name: `${layer}.${path}.weight`, shape: [size] }] : [];
  const linear = (path: string, rows: number, columns: number, bias: boolean): ExpectedTensor[] => [
    { name: `${layer}.${path}.weight`, shape: [rows, columns] },
    ...(bias ? [{ name: `${layer}.${path}.bias`, shape: [rows] }] : []),
  ];
  return [
    ...norm("input_layernorm"),
    ...linear("self_attn.q_proj", queries, hidden, qkvBias),
    ...linear("self_attn.k_proj", keys, hidden, qkvBias),
    ...linear("self_attn.v_proj", keys, hidden, qkvBias),
    ...norm("self_attn.q_norm", headDim, config.qkNorm),
    ...norm("self_attn.k_norm", headDim, config.qkNorm),
    ...linear("self_attn.o_proj", hidden, queries, outputBias),
    ...norm("post_attention_layernorm"),
    ...norm("pre_feedforward_layernorm", hidden, config.sandwichNorms),
    ...linear("mlp.gate_proj", inner, hidden, mlpBias),
    ...linear("mlp.up_proj", inner, hidden, mlpBias),
    ...linear("mlp.down_proj", hidden, inner, mlpBias),
    ...norm("post_feedforward_layernorm", hidden, config.sandwichNorms),
  ];
}

/** Opens the checkpoint at `path`. Throws one error that lists everything that is missing or does not fit. */
export async function openCheckpointDir(path: string): Promise<CheckpointDir> {
  const dir = resolve(path);
  const files = await findWeightFiles(dir);
  const config = parseModelConfig(await readJson(join(dir, "config.json")));
  const problems: string[] = [];
  const tensors = await readHeaders(dir, files, problems);
  problems.push(...tensorProblems(config, tensors));
  if (problems.length > 0) throw new Error(`${dir} does not fit its config.json:${bullets(problems)}`);
  let hash: Promise<string> | undefined;
  return {
    path: dir,
    config,
    tensors,
    hash: () => {
      hash ??= hashFiles(["config.json", ...files.shards].sort().map((file) => join(dir, file)));
      return hash;
    },
    readFloat32: async (name) => {
      const entry = tensors.get(name);
      if (!entry) throw new Error(`${dir} has no tensor ${name}`);
      return readTensorFloat32(entry);
    },
  };
}

/**
 * Writes a model directory: config.json, model.safetensors, generation_config.json and a copy of each of `filesToCopy`
 * (tokenizer files, by path). The directory appears complete or not at all.
 */
export async function writeModelDir(
  dir: string,
  config: ModelConfig,
  tensors: ReadonlyMap<string, Float32Array>,
  dtype: "F32" | "F16" | "BF16",
  filesToCopy: readonly string[] = [],
): Promise<void> {
  const toWrite = expectedTensors(config).map(({ name, shape }) => {
    const values = tensors.get(name);
    if (!values) throw new Error(`internal: tensor ${name} is to be written and was not given`);
    return tensorToWrite(name, shape, values, dtype);
  });
  const generation = {
    ...(config.bosTokenId === undefined ? {} : { bos_token_id: config.bosTokenId }),
    eos_token_id: config.eosTokenIds.length > 1 ? config.eosTokenIds : config.eosTokenIds[0],
  };
  await writeStagedDirectory(dir, async (staging) => {
    await writeJson(join(staging, "config.json"), toConfigJson(config, dtype));
    await writeJson(join(staging, "generation_config.json"), generation);
    await writeSafetensors(join(staging, "model.safetensors"), toWrite, { format: "pt" });
    for (const file of filesToCopy) await copyFile(file, join(staging, basename(file)));
  });
}

interface WeightFiles {
  /** File names in the directory, sorted. */
  readonly shards: readonly string[];
  /** Tensor name to file name, where an index says so. */
  readonly index?: ReadonlyMap<string, string>;
}

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

async function findWeightFiles(dir: string): Promise<WeightFiles> {
  if (!(await exists(dir))) {
    throw new Error(`there is no directory ${dir}; give the path of a Hugging Face checkpoint directory`);
  }
  const [config, single, indexed] = await Promise.all(
    ["config.json", "model.safetensors", "model.safetensors.index.json"].map((file) => exists(join(dir, file))),
  );
  const missing: string[] = [];
  if (!config) missing.push("config.json");
  if (!single && !indexed) missing.push("model.safetensors (or model.safetensors.index.json with its shards)");
  if (missing.length > 0) {
    const pickled = await exists(join(dir, "pytorch_model.bin"));
    const hint = pickled ? "It holds pytorch_model.bin: convert it to safetensors first." : "Download them into it.";
    throw new Error(`${dir} is no checkpoint directory, it lacks:${bullets(missing)}\n${hint}`);
  }
  if (single) return { shards: ["model.safetensors"] };
  return readIndex(dir);
}

async function readIndex(dir: string): Promise<WeightFiles> {
  const file = join(dir, "model.safetensors.index.json");
  const parsed = indexSchema.safeParse(await readJson(file));
  if (!parsed.success) throw new Error(`${file}: expected {"weight_map": {tensor: file}}: ${parsed.error.message}`);
  const index = new Map(Object.entries(parsed.data.weight_map));
  const shards = [...new Set(index.values())].sort();
  const problems = shards
    .filter((shard) => shard !== basename(shard) || !shard.endsWith(".safetensors"))
    .map((shard) => `${JSON.stringify(shard)} is not the name of a .safetensors file in this directory`);
  if (problems.length > 0) throw new Error(`${file} names files that cannot be used:${bullets(problems)}`);
  const there = await Promise.all(shards.map((shard) => exists(join(dir, shard))));
  const missing = shards.filter((_, i) => !there[i]);
  if (missing.length > 0) throw new Error(`${dir} lacks shards of its index; download them:${bullets(missing)}`);
  return { shards, index };
}

async function readHeaders(dir: string, files: WeightFiles, problems: string[]): Promise<Map<string, TensorEntry>> {
  const tensors = new Map<string, TensorEntry>();
  // A file in the hub's cache is a link; the graph needs the folder and the name that it leads to.
  const real = await Promise.all(files.shards.map((shard) => realpath(join(dir, shard))));
  const folders = [...new Set(real.map((file) => dirname(file)))];
  if (folders.length > 1) {
    problems.push(`its weight files are links into several folders: expected one, found ${folders.join(", ")}`);
  }
  for (const [i, shard] of files.shards.entries()) {
    for (const entry of (await readSafetensorsHeader(join(dir, shard))).entries) {
      if (tensors.has(entry.name)) problems.push(`${entry.name} is in two files`);
      if (files.index && files.index.get(entry.name) !== shard) {
        problems.push(`${entry.name} is in ${shard}, the index says ${files.index.get(entry.name) ?? "nothing of it"}`);
      }
      tensors.set(entry.name, { ...entry, file: real[i] as string });
    }
  }
  for (const [name, shard] of files.index ?? []) {
    if (!tensors.has(name)) problems.push(`${name} is not in ${shard}, where the index puts it`);
  }
  return tensors;
}

function tensorProblems(config: ModelConfig, tensors: ReadonlyMap<string, TensorEntry>): string[] {
  const problems: string[] = [];
  const known = new Set<string>();
  for (const { name, shape } of expectedTensors(config)) {
    known.add(name);
    const found = tensors.get(name);
    if (!found) problems.push(`${name}: missing, expected [${shape}]`);
    else if (found.shape.join() !== shape.join()) {
      problems.push(`${name}: expected [${shape}], found [${found.shape}]`);
    } else if (!["F32", "F16", "BF16"].includes(found.dtype)) {
      problems.push(`${name}: expected F32, F16 or BF16, found ${found.dtype}`);
    }
  }
  for (const name of tensors.keys()) {
    // A tied head may be stored beside the embedding; old exports store the rotary frequencies, which follow from the config.
    const harmless = name.endsWith(".rotary_emb.inv_freq") || (config.tieWordEmbeddings && name === "lm_head.weight");
    if (!known.has(name) && !harmless) problems.push(`${name}: not part of this architecture`);
  }
  return problems;
}

async function hashFiles(paths: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const path of paths) for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, "utf8");
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`${file} is not JSON: ${(cause as Error).message}; download it again`, { cause });
  }
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFile(file, `${JSON.stringify(value, null, 2)}\n`);
}

function bullets(lines: readonly string[]): string {
  const shown = lines.slice(0, 40).map((line) => `\n  - ${line}`);
  return shown.join("") + (lines.length > shown.length ? `\n  - and ${lines.length - shown.length} more` : "");
}
