/** @file A sentence-transformers directory with a BERT encoder, opened: headers only, every tensor checked. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { realpath } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { type BertConfig, bertTensors, parseBertConfig } from "./bert-config.js";
import { readSafetensorsHeader } from "./safetensors.js";
import { readModules, readRequired, type SentenceTransformerModules } from "./sentence-transformer-modules.js";
import { exists } from "./staged-directory.js";
import type { TensorEntry } from "./types.js";

export interface SentenceTransformerDir {
  readonly path: string;
  /** Where config.json, weights and tokenizer are. */
  readonly encoderPath: string;
  readonly config: BertConfig;
  readonly modules: SentenceTransformerModules;
  /** The encoder's tensors under {@link bertTensors}' names, whatever prefix the file has. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Where the weight file really lies. */
  readonly weightsFile: string;
  /** SHA-256 over everything that decides about a vector: modules, config, tokenizer and weights. */
  hash(): Promise<string>;
}

const WEIGHTS = "model.safetensors";
/** Heads of pretraining and tables of indices that stand beside an encoder and are not part of it. */
const BESIDE = /^(?:pooler\.|cls\.|embeddings\.position_ids$)/;

/** Opens the directory. Throws one error that lists everything that is missing or does not fit. */
export async function openSentenceTransformerDir(path: string): Promise<SentenceTransformerDir> {
  const dir = resolve(path);
  if (!(await exists(dir))) throw new Error(`there is no directory ${dir}; give a sentence-transformers directory`);
  const modules = await readModules(dir);
  const encoderPath = join(dir, modules.encoder);
  await refuseMissing(encoderPath);
  const configFile = join(encoderPath, "config.json");
  const config = parseBertConfig(await readRequired(encoderPath, "config.json", z.unknown()), configFile);
  const weightsFile = await realpath(join(encoderPath, WEIGHTS));
  const { entries } = await readSafetensorsHeader(weightsFile);
  const tensors = withoutPrefix(entries);
  const problems = tensorProblems(config, tensors);
  if (problems.length > 0) {
    const shown = problems.slice(0, 40).map((line) => `\n  - ${line}`);
    throw new Error(`${join(encoderPath, WEIGHTS)} does not fit its config.json:${shown.join("")}`);
  }
  let hash: Promise<string> | undefined;
  const encoderFiles = ["config.json", "tokenizer.json", "tokenizer_config.json", WEIGHTS];
  const files = [...modules.files, ...encoderFiles.map((file) => join(modules.encoder, file))];
  return {
    path: dir,
    encoderPath,
    config,
    modules,
    tensors,
    weightsFile,
    hash: () => {
      hash ??= hashFiles(dir, files);
      return hash;
    },
  };
}

async function refuseMissing(encoderPath: string): Promise<void> {
  const wanted = ["config.json", "tokenizer.json", "tokenizer_config.json", WEIGHTS];
  const there = await Promise.all(wanted.map((file) => exists(join(encoderPath, file))));
  const missing = wanted.filter((_, i) => !there[i]);
  if (missing.length === 0) return;
  const pickled = missing.includes(WEIGHTS) && (await exists(join(encoderPath, "pytorch_model.bin")));
  const hint = pickled ? "It holds pytorch_model.bin: convert it to safetensors first." : "Download them into it.";
  throw new Error(`${encoderPath} lacks ${missing.join(", ")}. ${hint}`);
}

function withoutPrefix(entries: readonly TensorEntry[]): Map<string, TensorEntry> {
  return new Map(entries.map((entry) => [entry.name.replace(/^bert\./, ""), entry]));
}

function tensorProblems(config: BertConfig, tensors: ReadonlyMap<string, TensorEntry>): string[] {
  const problems: string[] = [];
  const expected = new Map(bertTensors(config).map(({ name, shape }) => [name, shape]));
  for (const [name, shape] of expected) {
    const found = tensors.get(name);
    if (!found) problems.push(`${name}: missing, expected [${shape}]`);
    else if (found.shape.join() !== shape.join()) problems.push(`${name}: expected [${shape}], found [${found.shape}]`);
    else if (!["F32", "F16", "BF16"].includes(found.dtype)) {
      problems.push(`${name}: expected F32, F16 or BF16, found ${found.dtype}`);
    }
  }
  for (const name of tensors.keys()) {
    if (!expected.has(name) && !BESIDE.test(name)) problems.push(`${name}: not part of this architecture`);
  }
  return problems;
}

/** Over names and bytes, so that neither can stand for the other; a file that is not there counts as such. */
async function hashFiles(dir: string, files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of [...files].sort()) {
    if (!(await exists(join(dir, file)))) continue;
    const content = createHash("sha256");
    for await (const chunk of createReadStream(join(dir, file))) content.update(chunk as Buffer);
    hash.update(`${file.replaceAll("\\", "/")}\n${content.digest("hex")}\n`);
  }
  return hash.digest("hex");
}
