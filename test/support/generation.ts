/** @file The goldens of test/fixtures/generate, and what tests of generation have in common. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import {
  expectedTensors,
  parseModelConfig,
  tensorToWrite,
  writeSafetensors,
} from "../../src/trainer/checkpoint/index.js";
import type {
  GenerateOptions,
  GenerateRequest,
  Generation,
  Policy,
  PolicyOptions,
  TokenChunk,
} from "../../src/trainer/run/index.js";
import { uniform } from "../../src/trainer/runtime/random.js";
import { type FAMILY_NAMES, familyFolder } from "./family-golden.js";

const ROOT = fileURLToPath(new URL("../fixtures/generate/", import.meta.url));
export const OTHER_ADAPTER = join(ROOT, "llama-adapter-r5");
export const BLOCKS_MODEL = join(ROOT, "blocks", "model");

/** A greedy reply of transformers and its log-probabilities. */
export interface GoldenReply {
  readonly prompt: readonly number[];
  readonly tokens: readonly number[];
  readonly logps: readonly number[];
}

interface GenerateGolden {
  readonly config: Readonly<Record<string, unknown>>;
  readonly base: readonly GoldenReply[];
  readonly lora: readonly GoldenReply[];
  readonly repetition: GoldenReply & { readonly penalty: number };
  readonly other_lora?: readonly GoldenReply[];
}

export interface GenerationFolder {
  /** A family's checkpoint with a context of 256 and another window, in a folder of its own. */
  readonly model: string;
  /** LoRA of {@link GOLDEN_LORA}. */
  readonly adapter: string;
  readonly golden: GenerateGolden;
  remove(): void;
}

export function generationFolder(name: (typeof FAMILY_NAMES)[number]): GenerationFolder {
  const golden = JSON.parse(readFileSync(join(ROOT, `${name}.json`), "utf8")) as GenerateGolden;
  const { model: source, adapter } = familyFolder(name);
  const model = mkdtempSync(join(tmpdir(), `generate-${name}-`));
  cpSync(source, model, { recursive: true });
  writeFileSync(join(model, "config.json"), JSON.stringify(golden.config));
  return { model, adapter, golden, remove: () => rmSync(model, { recursive: true, force: true }) };
}

/** A random Mistral with heads of 64 and a context of 1024, as wide as the runtime's blocked products need to show. */
export async function wideModel(): Promise<Pick<GenerationFolder, "model" | "remove">> {
  const config = {
    model_type: "mistral",
    architectures: ["MistralForCausalLM"],
    vocab_size: 500,
    hidden_size: 128,
    intermediate_size: 192,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 64,
    hidden_act: "silu",
    max_position_embeddings: 1024,
    rms_norm_eps: 1e-6,
    rope_theta: 10000,
    sliding_window: 300,
    tie_word_embeddings: false,
  };
  const model = mkdtempSync(join(tmpdir(), "generate-wide-"));
  writeFileSync(join(model, "config.json"), JSON.stringify(config));
  const tensors = expectedTensors(parseModelConfig(config)).map(({ name, shape }, stream) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const spread = 2 / Math.sqrt(shape.at(-1) as number);
    const isNorm = shape.length === 1;
    const values = Float32Array.from({ length: size }, (_, i) =>
      isNorm ? 1 : spread * (uniform(7, stream, i) * 2 - 1),
    );
    return tensorToWrite(name, shape, values, "F32");
  });
  await writeSafetensors(join(model, "model.safetensors"), tensors);
  return { model, remove: () => rmSync(model, { recursive: true, force: true }) };
}

/** Mean |change| of a sampled token's log-probability that PyTorch finds with rounded weights. */
export const blocksGap = (): { readonly int8: number; readonly int4: number } =>
  (
    JSON.parse(readFileSync(join(ROOT, "blocks", "golden.json"), "utf8")) as {
      mean_gap: { int8: number; int4: number };
    }
  ).mean_gap;

/** How the engine cuts up its work; nothing that it gives may depend on it. */
export type Tuning = NonNullable<PolicyOptions["generation"]>;

export const request = (ids: Iterable<number>, seed = 1): GenerateRequest => ({ ids: Int32Array.from(ids), seed });

/** `length` ids without the special ones, other ones for another `salt`. */
export const someIds = (length: number, salt = 0, vocabulary = 53): number[] =>
  Array.from({ length }, (_, i) => 3 + ((i * i * 7 + i * 11 + salt * 13 + ((i * salt) % 17)) % (vocabulary - 3)));

export const GREEDY: GenerateOptions = { maxNewTokens: 66, temperature: 0, topP: 1, stopTokenIds: [] };
export const SAMPLED: GenerateOptions = { maxNewTokens: 40, temperature: 0.9, topP: 0.95, stopTokenIds: [] };

export async function generateOne(policy: Policy, one: GenerateRequest, options: GenerateOptions): Promise<Generation> {
  const [generation] = await policy.generate([one], options);
  return generation as Generation;
}

/** The same tokens, and log-probabilities within `tolerance`. */
export function expectReply(found: Generation | undefined, golden: GoldenReply, tolerance = 1e-4): void {
  const what = `after ${golden.prompt.length} tokens`;
  expect([...(found?.ids ?? [])], what).toEqual(golden.tokens);
  expect(found?.logps.length, what).toBe(golden.logps.length);
  const off = golden.logps.map((logp, i) => Math.abs(logp - (found?.logps[i] as number)));
  expect(Math.max(...off), what).toBeLessThan(tolerance);
}

/** Log-probability of each token of a reply, by scoring: each is labelled once, on one side of a pair. */
export async function scoredTokens(
  policy: Policy,
  prompt: Int32Array,
  reply: Int32Array,
  weights: "current" | "base" = "current",
): Promise<number[]> {
  const only = (index: number) => ({ ids: reply, labels: Uint8Array.from(reply, (_, i) => (i === index ? 1 : 0)) });
  const pairs = Array.from({ length: Math.ceil(reply.length / 2) }, (_, i) => ({
    prompt,
    chosen: only(2 * i),
    rejected: only(Math.min(2 * i + 1, reply.length - 1)),
  }));
  const scores = await policy.scorePairs(pairs, { weights });
  return scores.flatMap(({ chosen, rejected }) => [chosen.sum, rejected.sum]).slice(0, reply.length);
}

export const greatestGap = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  a.length === b.length
    ? Math.max(...Array.from(a, (value, i) => Math.abs(value - (b[i] as number))))
    : Number.POSITIVE_INFINITY;

/** Puts chunks of one request together. */
export function joined(chunks: readonly TokenChunk[], index = 0): Pick<Generation, "ids" | "logps"> {
  const own = chunks.filter((chunk) => chunk.request === index);
  return {
    ids: Int32Array.from(own.flatMap(({ ids }) => [...ids])),
    logps: Float32Array.from(own.flatMap(({ logps }) => [...logps])),
  };
}

export interface RunningGeneration {
  readonly result: Promise<Generation[]>;
  /** What has arrived so far. */
  readonly chunks: readonly TokenChunk[];
}

/** Starts a call and comes back with its first chunk of tokens, while it is under way. */
export async function startGeneration(
  policy: Policy,
  requests: readonly GenerateRequest[],
  options: GenerateOptions,
): Promise<RunningGeneration> {
  const chunks: TokenChunk[] = [];
  let first = (): void => {};
  const began = new Promise<void>((resolve) => {
    first = resolve;
  });
  const result = policy.generate(requests, {
    ...options,
    onTokens: (chunk) => {
      chunks.push(chunk);
      first();
      return undefined;
    },
  });
  const ended = result.then(() => {
    if (chunks.length === 0) throw new Error("the call ended without a chunk of tokens");
  });
  await Promise.race([began, ended]);
  ended.catch(() => {}); // whoever started the call looks at `result`
  return { result, chunks };
}
