/** @file Our side of the generation bench: cases in one engine process, and the gap between its sampler and its trainer. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  expectedTensors,
  type GenerateOptions,
  loadTokenizer,
  openCheckpointDir,
  type Policy,
  type TokenizedPair,
  withBos,
} from "../dist/trainer/index.js";
import type { Arrival, ModelSizes, TimedGeneration } from "./generate-figures.js";
import { stopwatch } from "./load.js";
import { type BenchModel, hasTokenizer, randomIds } from "./model.js";

/** As the peers warm up; more than one chunk of the decoder. */
const WARMUP_TOKENS = 20;
const WARMUP_PROMPT = 16;

const greedy = (maxNewTokens: number): GenerateOptions => ({
  maxNewTokens,
  temperature: 0,
  topP: 1,
  stopTokenIds: [],
});

export interface GenerateCase {
  readonly batch: number;
  readonly prompt: number;
}

/** A different prompt for each row, and none that another case begins with: the prefix cache gains nothing here. */
export const casePrompts = ({ batch, prompt }: GenerateCase, vocabulary: number): number[][] =>
  Array.from({ length: batch }, (_, row) => randomIds((batch * 8192 + prompt) * 64 + row, prompt, vocabulary));

export async function ourCase(policy: Policy, model: BenchModel, of: GenerateCase, newTokens: number) {
  const warmup = casePrompts({ batch: of.batch, prompt: WARMUP_PROMPT }, model.vocabulary);
  await timed(policy, warmup, Math.min(WARMUP_TOKENS, newTokens));
  return timed(policy, casePrompts(of, model.vocabulary), newTokens);
}

async function timed(policy: Policy, prompts: readonly number[][], newTokens: number): Promise<TimedGeneration> {
  const events: Arrival[] = [];
  const requests = prompts.map((ids, seed) => ({ ids: Int32Array.from(ids), seed }));
  const stop = stopwatch();
  const started = performance.now();
  const replies = await policy.generate(requests, {
    ...greedy(newTokens),
    onTokens: ({ request, ids }) => {
      events.push([performance.now() - started, request, ids.length]);
      return undefined;
    },
  });
  const { otherCores } = stop();
  return { events, ids: replies.map(({ ids }) => [...ids]), otherCores };
}

/** What a step reads, from the shapes that config.json asks for. */
export async function modelSizes(path: string): Promise<ModelSizes> {
  const { config } = await openCheckpointDir(path);
  const sizes = expectedTensors(config).map(({ name, shape }) => ({ name, size: shape.reduce((a, b) => a * b, 1) }));
  const head = config.tieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight";
  const sum = (keep: (name: string) => boolean): number =>
    sizes.reduce((total, { name, size }) => (keep(name) ? total + size : total), 0);
  return {
    matrices: sum((name) => name !== head && name !== "model.embed_tokens.weight"),
    head: sum((name) => name === head),
    cachedPerToken: 2 * config.numHiddenLayers * config.numKeyValueHeads * config.headDim,
  };
}

/** Bytes per second of {@link import("./read-rate.js")}. */
export async function readRate(threads: number): Promise<number> {
  const script = fileURLToPath(new URL("./read-rate.js", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, String(threads)]);
  return Number(stdout);
}

const GAP_TOKENS = 24;
const GAP_PROMPTS = [
  "Spider silk is stronger than steel of the same weight, because",
  "The three states of matter differ in how their particles",
  "def mean(values):\n    ",
  "Dear Sir or Madam, I am writing to",
];

export interface Gap {
  readonly mean: number;
  readonly max: number;
  readonly tokens: number;
}

/** |log-probability from the sampler - the trainer's| over sampled tokens (temperature 1), one by one. */
export async function samplerGap(policy: Policy, model: BenchModel): Promise<Gap> {
  const prompts = await gapPrompts(model);
  const replies = await policy.generate(
    prompts.map((ids, seed) => ({ ids, seed })),
    { ...greedy(GAP_TOKENS), temperature: 1 },
  );
  const pairs = replies.flatMap(({ ids }, i) => onePairPerTwoTokens(prompts[i] as Int32Array, ids));
  const scores = await policy.scorePairs(pairs);
  const trainer = scores.flatMap(({ chosen, rejected }) => [chosen.sum, rejected.sum]);
  const sampler = replies.flatMap(({ logps }) => [...logps]);
  if (trainer.length !== sampler.length) throw new Error("internal: not one score for each token");
  const gaps = sampler.map((logp, i) => Math.abs(logp - (trainer[i] as number)));
  return { mean: gaps.reduce((a, b) => a + b, 0) / gaps.length, max: Math.max(...gaps), tokens: gaps.length };
}

async function gapPrompts({ path, vocabulary }: BenchModel): Promise<Int32Array[]> {
  if (!hasTokenizer(path)) return GAP_PROMPTS.map((_, i) => Int32Array.from(randomIds(i, WARMUP_PROMPT, vocabulary)));
  const tokenizer = await loadTokenizer(path);
  return GAP_PROMPTS.map((text) => withBos(tokenizer.encode(text), tokenizer));
}

/** The trainer scores sums over labels: with one label a reply, and both replies of a pair, it scores two tokens a pair. */
export function onePairPerTwoTokens(prompt: Int32Array, reply: Int32Array): TokenizedPair[] {
  if (reply.length % 2 === 1) throw new Error("internal: expected an even number of tokens");
  const upTo = (at: number) => {
    const labels = new Uint8Array(at + 1);
    labels[at] = 1;
    return { ids: reply.slice(0, at + 1), labels };
  };
  return Array.from({ length: reply.length / 2 }, (_, i) => ({
    prompt,
    chosen: upTo(2 * i),
    rejected: upTo(2 * i + 1),
  }));
}
