/** @file Our side of the generation bench: cases in one engine process, the gap between its sampler and its trainer, and how fast it stops. */
import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  expectedTensors,
  type GenerateOptions,
  loadTokenizer,
  openCheckpointDir,
  type Policy,
  type RolloutGap,
  rolloutGap,
  withBos,
} from "../dist/trainer/index.js";
import type { Arrival, ModelSizes, TimedGeneration } from "./generate-figures.js";
import { stopwatch } from "./load.js";
import { type BenchModel, hasTokenizer, randomIds } from "./model.js";

/** As the peers warm up; more than one chunk of the decoder. */
const WARMUP_TOKENS = 20;
const WARMUP_PROMPT = 16;

const greedy = (maxNewTokens: number) =>
  ({ maxNewTokens, temperature: 0, topP: 1, stopTokenIds: [] }) satisfies GenerateOptions;

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

/** Of replies sampled at temperature 1 to a few beginnings of texts. */
export async function samplerGap(policy: Policy, model: BenchModel): Promise<RolloutGap> {
  const prompts = await gapPrompts(model);
  const requests = prompts.map((ids, seed) => ({ ids, seed }));
  return rolloutGap(policy, requests, { ...greedy(GAP_TOKENS), temperature: 1 });
}

const CANCELLATIONS = 5;

/** Longest time from an abort to the call's end, in ms: in the middle of decoding, and in the middle of a long prompt. */
export async function cancelTimes(policy: Policy, model: BenchModel, batch: number) {
  const worst = { decoding: 0, reading: 0 };
  for (let i = 0; i < CANCELLATIONS; i += 1) {
    const prompts = casePrompts({ batch, prompt: 32 + i }, model.vocabulary);
    worst.decoding = Math.max(worst.decoding, await abortedAfter(policy, prompts, (started) => started.tokens));
    const long = casePrompts({ batch, prompt: 1500 + i }, model.vocabulary);
    worst.reading = Math.max(worst.reading, await abortedAfter(policy, long, () => delay(100 + 37 * i)));
  }
  return worst;
}

async function abortedAfter(
  policy: Policy,
  prompts: readonly number[][],
  moment: (started: { readonly tokens: Promise<void> }) => Promise<void>,
): Promise<number> {
  const abort = new AbortController();
  let heard = (): void => undefined;
  const tokens = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const requests = prompts.map((ids, seed) => ({ ids: Int32Array.from(ids), seed }));
  const running = policy.generate(requests, {
    ...greedy(500),
    signal: abort.signal,
    onTokens: () => {
      heard();
      return undefined;
    },
  });
  const ended = running.then(
    () => performance.now(),
    () => performance.now(),
  );
  await moment({ tokens });
  // Not at the border of a run, where the wait is shortest.
  await delay(30);
  const asked = performance.now();
  abort.abort();
  return (await ended) - asked;
}

async function gapPrompts({ path, vocabulary }: BenchModel): Promise<Int32Array[]> {
  if (!hasTokenizer(path)) return GAP_PROMPTS.map((_, i) => Int32Array.from(randomIds(i, WARMUP_PROMPT, vocabulary)));
  const tokenizer = await loadTokenizer(path);
  return GAP_PROMPTS.map((text) => withBos(tokenizer.encode(text), tokenizer));
}
