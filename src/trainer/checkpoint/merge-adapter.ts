/** @file A LoRA adapter folded into its base model: W + scale · B·A in the checkpoint's own dtype, one tensor at a time. */
import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AdapterConfig } from "./adapter-config.js";
import { type Adapter, readAdapterDir } from "./adapter-dir.js";
import { openCheckpointDir } from "./checkpoint-dir.js";
import { mergedTensor, rowsReplaced, vocabSizeOf } from "./merged-tensor.js";
import { readTensorChunks, type StreamedTensor, writeSafetensors } from "./safetensors.js";
import { exists, writeStagedDirectory } from "./staged-directory.js";
import type { CheckpointDir, TensorEntry } from "./types.js";

export interface MergeOptions {
  /** The base model's directory. */
  readonly model: string;
  /** A PEFT adapter directory. */
  readonly adapter: string;
  /** Where the merged model goes; must not exist. */
  readonly output: string;
  readonly signal?: AbortSignal;
  /** Tensors written. */
  readonly onProgress?: (done: number, total: number) => void;
}

const SINGLE_FILE = "model.safetensors";
const INDEX_FILE = "model.safetensors.index.json";

/** Files of a model, whichever of them there are, that no adapter changes. */
const MODEL_FILES = ["generation_config.json", "LICENSE"];

const TOKENIZER_FILES = [
  "tokenizer.json",
  "tokenizer_config.json",
  "tokenizer.model",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
];

/** Factor of B·A: alpha / r, or alpha / √r. */
function adapterScale({ loraAlpha, r, useRslora }: AdapterConfig): number {
  return loraAlpha / (useRslora ? Math.sqrt(r) : r);
}

/**
 * Writes a model directory that needs no adapter, with the shards of the base model. Trained rows of tokens go into the embedding
 * (and the head), which grow for new tokens; the tokenizer is then the adapter's. In memory is one tensor at a time. Throws
 * one error with everything in the adapter that does not fit the model.
 */
export async function mergeAdapter(options: MergeOptions): Promise<void> {
  const { model, adapter: dir, output } = options;
  if (await exists(output)) throw new Error(`${output} exists already; name a directory that does not`);
  const base = await openCheckpointDir(model);
  const adapter = await readAdapterDir(dir);
  const problems = mergeProblems(base, adapter);
  if (problems.length > 0) {
    const list = problems.map((problem) => `\n  - ${problem}`).join("");
    throw new Error(
      `the adapter ${dir} does not fit the model ${model}:${list}\nGive the model that it was trained on.`,
    );
  }
  await writeStagedDirectory(output, async (staging) => {
    await writeWeights(base, adapter, staging, options);
    await writeConfig(base, adapter, staging);
    await copyPresent(base.path, staging, MODEL_FILES);
    const ownTokenizer = adapter.tokenRows !== undefined && (await exists(join(dir, "tokenizer.json")));
    await copyPresent(ownTokenizer ? dir : base.path, staging, TOKENIZER_FILES);
  });
}

function mergeProblems(base: CheckpointDir, adapter: Adapter): string[] {
  const tied = base.config.tieWordEmbeddings;
  const matrices = adapter.modules.map(({ path, inFeatures, outFeatures }) => ({
    path,
    shape: [outFeatures, inFeatures],
  }));
  const problems = matrices.flatMap(({ path, shape }) => {
    if (path === "lm_head" && tied) return [`${path}: is tied to the embedding, and a merged weight would change both`];
    const entry = base.tensors.get(`${path}.weight`);
    if (entry === undefined) return [`${path}: the model has no such layer`];
    return entry.shape.join() === shape.join() ? [] : [`${path}: expected [${entry.shape}], found [${shape}]`];
  });
  return [...problems, ...rowProblems(base, adapter)];
}

function rowProblems({ config, tensors }: CheckpointDir, adapter: Adapter): string[] {
  const indices = adapter.config.trainableTokenIndices;
  const problems = (adapter.tokenRows ?? []).flatMap(({ path, hidden }) => {
    const columns = tensors.get(`${path}.weight`)?.shape[1];
    return columns === hidden ? [] : [`${path}: expected rows of ${columns ?? "another module"}, found ${hidden}`];
  });
  const added = (indices?.embed_tokens ?? []).filter((id) => id >= config.vocabSize).sort((a, b) => a - b);
  if (added.some((id, i) => id !== config.vocabSize + i)) {
    problems.push(`trainable_token_indices: new ids must follow the vocabulary (${config.vocabSize}), found ${added}`);
  }
  if (added.length > 0 && !config.tieWordEmbeddings && added.some((id) => !indices?.lm_head?.includes(id))) {
    problems.push("trainable_token_indices: the head is not tied, so new ids need rows of lm_head too");
  }
  return problems;
}

async function writeWeights(
  base: CheckpointDir,
  adapter: Adapter,
  staging: string,
  options: MergeOptions,
): Promise<void> {
  const { signal, onProgress } = options;
  // Stored beside a tied embedding it would be a second, older version of it.
  const kept = [...base.tensors.values()].filter(
    ({ name }) => !(base.config.tieWordEmbeddings && name === "lm_head.weight"),
  );
  const weightMap = await shardsOf(base);
  const shardOf = ({ name }: TensorEntry): string => weightMap?.[name] ?? SINGLE_FILE;
  let done = 0;
  for (const shard of new Set(kept.map(shardOf))) {
    const tensors = kept
      .filter((entry) => shardOf(entry) === shard)
      .map((entry) => {
        const tensor = streamed(entry, adapter);
        const chunks = async function* (): AsyncGenerator<Uint8Array> {
          signal?.throwIfAborted();
          yield* tensor.chunks();
          onProgress?.(++done, kept.length);
        };
        return { ...tensor, chunks };
      });
    await writeSafetensors(join(staging, shard), tensors, { format: "pt" });
  }
  if (weightMap === undefined) return;
  const names = Object.fromEntries(kept.map(({ name }) => [name, weightMap[name]]));
  const bytes = kept.reduce((sum, { byteLength }) => sum + byteLength, 0);
  await writeJson(join(staging, INDEX_FILE), { metadata: { total_size: bytes }, weight_map: names });
}

function streamed(entry: TensorEntry, adapter: Adapter): StreamedTensor {
  const { name, dtype, shape } = entry;
  const path = name.replace(/\.weight$/, "");
  const module = adapter.modules.find((candidate) => candidate.path === path);
  if (module !== undefined) return mergedTensor(entry, module, adapterScale(adapter.config));
  const rows = adapter.tokenRows?.find((candidate) => candidate.path === path);
  const indices = adapter.config.trainableTokenIndices?.[path === "lm_head" ? "lm_head" : "embed_tokens"];
  if (rows !== undefined && indices !== undefined) return rowsReplaced(entry, indices, rows.values);
  return { name, dtype, shape, chunks: () => readTensorChunks(entry) };
}

/** File of each tensor, by the index; undefined where one file holds all. Links of the hub's cache have other names. */
async function shardsOf({ path }: CheckpointDir): Promise<Readonly<Record<string, string>> | undefined> {
  if (await exists(join(path, SINGLE_FILE))) return undefined;
  return JSON.parse(await readFile(join(path, INDEX_FILE), "utf8")).weight_map;
}

/** As the base model's file, but for the vocabulary. */
async function writeConfig({ path, config }: CheckpointDir, adapter: Adapter, staging: string): Promise<void> {
  const vocabSize = vocabSizeOf(config.vocabSize, adapter.config.trainableTokenIndices?.embed_tokens ?? []);
  if (vocabSize === config.vocabSize) return copyFile(join(path, "config.json"), join(staging, "config.json"));
  const json = JSON.parse(await readFile(join(path, "config.json"), "utf8"));
  await writeJson(join(staging, "config.json"), { ...json, vocab_size: vocabSize });
}

async function copyPresent(from: string, to: string, names: readonly string[]): Promise<void> {
  const present = new Set(await readdir(from));
  // Read and written, not copied: files of the hub's cache may be read-only, and the copies must not be.
  for (const name of names.filter((file) => present.has(file)))
    await writeFile(join(to, name), await readFile(join(from, name)));
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFile(file, `${JSON.stringify(value, null, 2)}\n`);
}
