/** @file The model and the pairs of the bench: a checkpoint where there is one, else its shape with seeded random weights. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expectedTensors, parseModelConfig, type TokenizedPair, writeModelDir } from "../dist/trainer/index.js";

const CACHE = fileURLToPath(new URL("../.cache/", import.meta.url));
const SMOLLM2 = join(CACHE, "smollm2-135m-instruct");

/** config.json of SmolLM2-135M-Instruct. */
const SMOLLM2_CONFIG = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 49152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  head_dim: 64,
  hidden_act: "silu",
  max_position_embeddings: 8192,
  attention_bias: false,
  mlp_bias: false,
  tie_word_embeddings: true,
  bos_token_id: 1,
  eos_token_id: 2,
  rms_norm_eps: 1e-5,
  rope_theta: 100000,
  rope_scaling: null,
  torch_dtype: "float16",
};

/** Standard deviation of the weights, as transformers draws them. */
const INITIALIZER_RANGE = 0.02;
const SEED = 7;

export interface BenchModel {
  readonly path: string;
  readonly name: string;
  readonly vocabulary: number;
}

export async function benchModel(path: string | undefined): Promise<BenchModel> {
  const folder = path ?? (existsSync(join(SMOLLM2, "model.safetensors")) ? SMOLLM2 : await randomSmolLm2());
  const { vocab_size } = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as { vocab_size: number };
  return { path: folder, name: basename(folder), vocabulary: vocab_size };
}

/** The shape with random weights has none. */
export const hasTokenizer = (folder: string): boolean => existsSync(join(folder, "tokenizer.json"));

async function randomSmolLm2(): Promise<string> {
  const folder = join(CACHE, "bench", "smollm2-135m-random");
  if (existsSync(join(folder, "config.json"))) return folder;
  process.stderr.write(`no ${SMOLLM2}: writing its shape with random weights into ${folder}\n`);
  const random = generator(SEED);
  const config = parseModelConfig(SMOLLM2_CONFIG);
  const tensors = new Map(
    expectedTensors(config).map(({ name, shape }) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return [name, name.includes("norm") ? new Float32Array(size).fill(1) : randomWeights(size, random)];
    }),
  );
  await mkdir(dirname(folder), { recursive: true });
  await writeModelDir(folder, config, tensors, "F16");
  return folder;
}

/** A normal enough draw: the sum of four uniform numbers has variance 1/3. */
function randomWeights(size: number, random: () => number): Float32Array {
  const scale = Math.sqrt(3) * INITIALIZER_RANGE;
  return Float32Array.from({ length: size }, () => (random() + random() + random() + random() - 2) * scale);
}

/** mulberry32: numbers from 0 to 1. */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface BenchPair {
  readonly prompt: readonly number[];
  readonly chosen: readonly number[];
  readonly rejected: readonly number[];
}

/** Random token ids, none of the first three, which end or start texts. */
export function randomIds(seed: number, length: number, vocabulary: number): number[] {
  const random = generator(seed);
  return Array.from({ length }, () => 3 + Math.floor(random() * (vocabulary - 3)));
}

/** Random tokens: what they say changes no time. Every answer ends in `</s>`, id 2. */
export function benchPairs(count: number, vocabulary: number, promptTokens: number, answerTokens: number): BenchPair[] {
  const random = generator(SEED);
  const ids = (length: number): number[] => Array.from({ length }, () => 3 + Math.floor(random() * (vocabulary - 3)));
  const answer = (): number[] => [...ids(answerTokens - 1), 2];
  return Array.from({ length: count }, () => ({ prompt: ids(promptTokens), chosen: answer(), rejected: answer() }));
}

export function tokenized({ prompt, chosen, rejected }: BenchPair): TokenizedPair {
  const answer = (ids: readonly number[]) => ({
    ids: Int32Array.from(ids),
    labels: new Uint8Array(ids.length).fill(1),
  });
  return { prompt: Int32Array.from(prompt), chosen: answer(chosen), rejected: answer(rejected) };
}

/** The pairs as a file that a peer reads. */
export async function writePairs(pairs: readonly BenchPair[]): Promise<string> {
  const text = JSON.stringify({ pairs });
  const folder = join(CACHE, "bench");
  await mkdir(folder, { recursive: true });
  const file = join(folder, `pairs-${createHash("sha256").update(text).digest("hex").slice(0, 12)}.json`);
  await writeFile(file, text);
  return file;
}
