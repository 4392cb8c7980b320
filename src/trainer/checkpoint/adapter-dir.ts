/** @file A PEFT adapter directory, written and read: LoRA on linear layers, one rank, and trained rows of tokens. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type AdapterConfig, parseAdapterConfig, toAdapterConfigJson } from "./adapter-config.js";
import { adapterReadme } from "./adapter-readme.js";
import { readSafetensorsHeader, readTensorFloat32, tensorToWrite, writeSafetensors } from "./safetensors.js";
import { exists, writeStagedDirectory } from "./staged-directory.js";
import type { TensorEntry } from "./types.js";

/** LoRA of one linear layer: y += scale · B (A x). */
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

/** Trained rows of the embedding or the head; which tokens they are says the config. */
export interface AdapterTokenRows {
  /** E.g. "model.embed_tokens". */
  readonly path: string;
  readonly hidden: number;
  /** [tokens, hidden], row-major: the rows themselves, though PEFT calls them a delta. */
  readonly values: Float32Array;
}

export interface Adapter {
  readonly config: AdapterConfig;
  /** Read back in the order of their paths. */
  readonly modules: readonly AdapterModule[];
  readonly tokenRows?: readonly AdapterTokenRows[];
}

/** Writes the directory complete or not at all. */
export async function writeAdapterDir(dir: string, adapter: Adapter): Promise<void> {
  await writeStagedDirectory(dir, (staging) => writeAdapterFiles(staging, adapter));
}

/** Writes the three files of an adapter into a directory, which may hold others. */
export async function writeAdapterFiles(dir: string, { config, modules, tokenRows = [] }: Adapter): Promise<void> {
  await mkdir(dir, { recursive: true });
  const matrices = modules.flatMap(({ path, inFeatures, outFeatures, loraA, loraB }) => [
    tensorToWrite(keyOf(path, "A"), [config.r, inFeatures], loraA, "F32"),
    tensorToWrite(keyOf(path, "B"), [outFeatures, config.r], loraB, "F32"),
  ]);
  const rows = tokenRows.map(({ path, hidden, values }) =>
    tensorToWrite(`base_model.model.${path}.${ROWS}`, [values.length / hidden, hidden], values, "F32"),
  );
  await writeSafetensors(join(dir, "adapter_model.safetensors"), [...matrices, ...rows], { format: "pt" });
  await writeFile(join(dir, "adapter_config.json"), `${JSON.stringify(toAdapterConfigJson(config), null, 2)}\n`);
  await writeFile(join(dir, "README.md"), adapterReadme(config));
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
  const found = sortOut((await readSafetensorsHeader(weights)).entries, problems);
  const config = parseAdapterConfig(await readConfig(join(dir, "adapter_config.json")), problems, found.paths);
  for (const { A, B } of found.modules) problems.push(...shapeProblems(A, B, config?.r));
  if (config) problems.push(...rowProblems(found.rows, config));
  if (problems.length > 0 || !config) {
    const list = problems.map((problem) => `\n  - ${problem}`).join("");
    throw new Error(
      `${dir} holds an adapter that cannot be used here:${list}\nTrain or export a plain LoRA: linear layers only, one rank.`,
    );
  }
  const modules = await Promise.all(found.modules.map(readModule));
  if (found.rows.length === 0) return { config, modules };
  return { config, modules, tokenRows: await Promise.all(found.rows.map(readRows)) };
}

interface ModuleEntries {
  readonly path: string;
  readonly A: TensorEntry;
  readonly B: TensorEntry;
}

interface RowEntry {
  readonly path: string;
  readonly entry: TensorEntry;
}

interface Found {
  /** Layers with either matrix. */
  readonly paths: readonly string[];
  /** Those with both, by path. */
  readonly modules: readonly ModuleEntries[];
  readonly rows: readonly RowEntry[];
}

const ROWS = "token_adapter.trainable_tokens_delta";
const MATRIX_KEY = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/;
const ROWS_KEY = /^base_model\.model\.(.+)\.token_adapter\.trainable_tokens_delta$/;

function sortOut(entries: readonly TensorEntry[], problems: string[]): Found {
  const byPath = new Map<string, { A?: TensorEntry; B?: TensorEntry }>();
  const rows: RowEntry[] = [];
  for (const entry of entries) {
    const [, path, side] = MATRIX_KEY.exec(entry.name) ?? [];
    const rowPath = ROWS_KEY.exec(entry.name)?.[1];
    if (path !== undefined) byPath.set(path, { ...byPath.get(path), [side === "A" ? "A" : "B"]: entry });
    else if (rowPath !== undefined) rows.push({ path: rowPath, entry });
    else problems.push(`tensor ${entry.name}: ${strangerNote(entry.name)}`);
  }
  if (entries.length === 0) problems.push("adapter_model.safetensors holds no tensors");
  const modules: ModuleEntries[] = [];
  for (const [path, { A, B }] of [...byPath].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (A && B) modules.push({ path, A, B });
    else problems.push(`${path}: lora_${A ? "B" : "A"} is missing`);
  }
  return { paths: [...byPath.keys()], modules, rows };
}

/** PEFT adds the whole matrix where the vocabulary has grown, unless it is told not to. */
function strangerNote(name: string): string {
  return name.endsWith(".token_adapter.base_layer.weight")
    ? "a whole embedding or head; save the adapter with save_embedding_layers=False"
    : "expected base_model.model.<module>.lora_A or lora_B.weight";
}

const FLOATS = ["F32", "F16", "BF16"];

function rowProblems(rows: readonly RowEntry[], { trainableTokenIndices: indices }: AdapterConfig): string[] {
  const problems: string[] = [];
  const wanted = new Map(Object.entries(indices ?? {}));
  for (const { path, entry } of rows) {
    const module = path.slice(path.lastIndexOf(".") + 1);
    const tokens = wanted.get(module);
    wanted.delete(module);
    if (tokens === undefined) problems.push(`tensor ${entry.name}: trainable_token_indices has no ${module}`);
    else if (entry.shape.length !== 2 || entry.shape[0] !== tokens.length) {
      problems.push(`tensor ${entry.name}: expected [${tokens.length}, hidden], found [${entry.shape}]`);
    } else if (!FLOATS.includes(entry.dtype)) {
      problems.push(`tensor ${entry.name}: expected F32, F16 or BF16, found ${entry.dtype}`);
    }
  }
  for (const module of wanted.keys()) problems.push(`${module}: the rows of trainable_token_indices are missing`);
  return problems;
}

function shapeProblems(A: TensorEntry, B: TensorEntry, r: number | undefined): string[] {
  const problems: string[] = [];
  for (const { name, dtype } of [A, B]) {
    if (!FLOATS.includes(dtype)) problems.push(`tensor ${name}: expected F32, F16 or BF16, found ${dtype}`);
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

async function readRows({ path, entry }: RowEntry): Promise<AdapterTokenRows> {
  return { path, hidden: entry.shape[1]!, values: await readTensorFloat32(entry) };
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
