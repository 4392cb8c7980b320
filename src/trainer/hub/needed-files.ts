/** @file Which files of a repository a model needs here, and which of them a folder lacks. */
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { exists } from "./exists.js";

/** What is taken beside the weights, where the repository has it. */
export const SMALL_FILES = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "tokenizer.model",
  "chat_template.jinja",
  "chat_template.json",
  "modules.json",
  "sentence_bert_config.json",
  "config_sentence_transformers.json",
  "1_Pooling/config.json",
] as const;

const SINGLE_WEIGHTS = "model.safetensors";
export const WEIGHTS_INDEX = "model.safetensors.index.json";
const REQUIRED = ["config.json", "tokenizer.json"] as const;
const SHARD = /^model-\d+-of-\d+\.safetensors$/;

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

/** Names of the shards in an index, sorted. Throws where one is not the plain name of a .safetensors file. */
export function shardsOfIndex(text: string, where: string): readonly string[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${where} is not JSON: ${(cause as Error).message}`, { cause });
  }
  const parsed = indexSchema.safeParse(json);
  if (!parsed.success) throw new Error(`${where}: expected {"weight_map": {tensor: file}}: ${parsed.error.message}`);
  const shards = [...new Set(Object.values(parsed.data.weight_map))].sort();
  const bad = shards.filter((name) => !/^[\w.-]+\.safetensors$/.test(name) || name !== basename(name));
  if (bad.length > 0) throw new Error(`${where} names files that cannot be used: ${JSON.stringify(bad)}`);
  return shards;
}

export interface NeededFiles {
  readonly small: readonly string[];
  /** Of an index, the shards that its file name pattern promises; the index itself has the last word. */
  readonly weights: readonly string[];
  readonly problems: readonly string[];
}

/** A repository with this file (a sentence-transformers model) has needed files in this folder. */
export const MODULES_FILE = "modules.json";
export const POOLING_FOLDER = "1_Pooling";

/** Chooses from the names at the top of a repository, and those in the folder of its pooling. */
export function neededFiles(names: readonly string[]): NeededFiles {
  const there = new Set(names);
  const small: string[] = SMALL_FILES.filter((name) => there.has(name));
  const problems: string[] = REQUIRED.filter((name) => !there.has(name)).map((name) => `it has no ${name}`);
  if (there.has(SINGLE_WEIGHTS)) return { small, weights: [SINGLE_WEIGHTS], problems };
  if (there.has(WEIGHTS_INDEX)) {
    return { small: [...small, WEIGHTS_INDEX], weights: names.filter((name) => SHARD.test(name)), problems };
  }
  const others = names.filter((name) => /\.(bin|gguf|pt|pth|onnx|safetensors)$/.test(name)).slice(0, 4);
  const found = others.length > 0 ? `; its weights are in ${others.join(", ")}` : "";
  problems.push(`it has neither ${SINGLE_WEIGHTS} nor ${WEIGHTS_INDEX}${found}`);
  return { small, weights: [], problems };
}

/** Which required files `directory` lacks: nothing where a model can be opened from it. */
export async function missingFiles(directory: string): Promise<readonly string[]> {
  const lacks = async (names: readonly string[]): Promise<string[]> => {
    const there = await Promise.all(names.map((name) => exists(join(directory, name))));
    return names.filter((_, i) => !there[i]);
  };
  const missing = await lacks(REQUIRED);
  const index = join(directory, WEIGHTS_INDEX);
  if (await exists(join(directory, SINGLE_WEIGHTS))) return missing;
  if (!(await exists(index))) return [...missing, SINGLE_WEIGHTS];
  return [...missing, ...(await lacks(shardsOfIndex(await readFile(index, "utf8"), index)))];
}
