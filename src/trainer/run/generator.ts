/** @file Cached generation of many prompts at once: ragged prompts are padded on the left, finished rows leave the batch. */
import type { ModelConfig } from "../checkpoint/types.js";
import type { GenerateRequest, Generation, SamplingOptions } from "./policy.js";
import { cacheNames } from "./programs.js";
import { uniform } from "./random.js";
import { sampleToken } from "./sample-token.js";
import type { Feed, Program } from "./session.js";

/** Rows decoded together. More rows share each read of the weights; beyond this the cache costs more than it saves. */
const MAX_ROWS = 128;

interface Row {
  readonly request: GenerateRequest;
  readonly index: number;
  readonly ids: number[];
  readonly logps: number[];
  /** Tokens of the prompt. */
  readonly promptLength: number;
  finish?: "stop" | "length";
}

export interface GeneratorHooks {
  /** Called between tokens; a rejected promise ends the generation. */
  readonly betweenTokens: () => Promise<void>;
  readonly onFinished: (count: number) => void;
}

/** Generates for all requests. Same tokens for the same seed, whatever else is in the batch. */
export async function generate(
  program: Program,
  config: ModelConfig,
  theta: Float32Array,
  requests: readonly GenerateRequest[],
  options: SamplingOptions,
  hooks: GeneratorHooks,
): Promise<Generation[]> {
  checkLengths(config, requests, options.maxNewTokens);
  const rows = requests.map(
    (request, index): Row => ({ request, index, ids: [], logps: [], promptLength: request.ids.length }),
  );
  // Prompts of like length together: less padding.
  const order = rows.toSorted((a, b) => b.promptLength - a.promptLength || a.index - b.index);
  for (let start = 0; start < order.length; start += MAX_ROWS) {
    await decodeBatch(program, config, theta, order.slice(start, start + MAX_ROWS), options, hooks);
  }
  return rows.map(({ ids, logps, finish }) => ({
    ids: Int32Array.from(ids),
    logps: Float32Array.from(logps),
    finish: finish ?? "length",
  }));
}

function checkLengths(config: ModelConfig, requests: readonly GenerateRequest[], maxNewTokens: number): void {
  const problems = requests.flatMap(({ ids }, i) => {
    if (ids.length === 0) return [`request ${i} has an empty prompt`];
    const total = ids.length + maxNewTokens;
    const fits = total <= config.maxPositionEmbeddings;
    return fits
      ? []
      : [
          `request ${i}: ${ids.length} prompt tokens and ${maxNewTokens} new ones exceed the context of ${config.maxPositionEmbeddings}`,
        ];
  });
  if (problems.length > 0) throw new Error(`${problems.join("; ")}. Shorten the prompt or ask for fewer tokens.`);
}

/** Keys and values of the rows still decoding, [rows, kv heads, length, head dim] a tensor. */
interface Cache {
  readonly feeds: Readonly<Record<string, Feed>>;
  readonly length: number;
}

async function decodeBatch(
  program: Program,
  config: ModelConfig,
  theta: Float32Array,
  batch: readonly Row[],
  options: SamplingOptions,
  hooks: GeneratorHooks,
): Promise<void> {
  const width = batch.reduce((max, row) => Math.max(max, row.promptLength), 0);
  let active = [...batch];
  let cache = emptyCache(config, active.length);
  let next = promptFeeds(active, width);
  for (let step = 0; active.length > 0; step += 1) {
    await hooks.betweenTokens();
    const result = await runStep(program, config, theta, cache, next, active, width);
    cache = result.cache;
    const finished = takeTokens(active, result.logits, options, step);
    if (finished > 0) hooks.onFinished(finished);
    const open = active.filter((row) => row.finish === undefined);
    if (open.length === 0) break;
    // Copying the cache costs as much as a few tokens: rows leave when a quarter of them is done.
    if (open.length <= active.length * 0.75) {
      cache = selectRows(
        cache,
        active.flatMap((row, i) => (row.finish === undefined ? [i] : [])),
      );
      active = open;
    }
    next = tokenFeeds(active);
  }
}

interface NewTokens {
  readonly ids: Int32Array;
  readonly time: number;
}

function promptFeeds(rows: readonly Row[], width: number): NewTokens {
  const ids = new Int32Array(rows.length * width);
  rows.forEach((row, i) => {
    ids.set(row.request.ids, i * width + width - row.promptLength);
  });
  return { ids, time: width };
}

const tokenFeeds = (rows: readonly Row[]): NewTokens => ({
  ids: Int32Array.from(rows, (row) => row.ids.at(-1) ?? 0),
  time: 1,
});

function emptyCache(config: ModelConfig, rows: number): Cache {
  const feed: Feed = { data: new Float32Array(0), dims: [rows, config.numKeyValueHeads, 0, config.headDim] };
  const names = Array.from({ length: config.numHiddenLayers }, (_, layer) => cacheNames(layer).past).flat();
  return { feeds: Object.fromEntries(names.map((name) => [name, feed])), length: 0 };
}

async function runStep(
  program: Program,
  config: ModelConfig,
  theta: Float32Array,
  cache: Cache,
  { ids, time }: NewTokens,
  active: readonly Row[],
  width: number,
): Promise<{ readonly cache: Cache; readonly logits: Feed }> {
  const B = active.length;
  const keys = cache.length + time;
  const range = (start: number, count: number): Feed => ({
    data: Int32Array.from({ length: count }, (_, i) => start + i),
    dims: [count],
  });
  const padding = active.map((row) => width - row.promptLength);
  const cells = (count: number, fill: (row: number, column: number) => number): Feed => ({
    data: Int32Array.from({ length: B * count }, (_, i) => fill(Math.floor(i / count), i % count)),
    dims: [B, count],
  });
  const feeds = {
    ...cache.feeds,
    theta: { data: theta, dims: [theta.length] },
    ids: { data: ids, dims: [B, time] },
    positions: cells(time, (row, i) => Math.max(0, cache.length + i - (padding[row] as number))),
    valid_keys: cells(keys, (row, i) => (i >= (padding[row] as number) ? 1 : 0)),
    query_order: range(cache.length, time),
    key_order: range(0, keys),
  };
  const layers = Array.from({ length: config.numHiddenLayers }, (_, layer) => cacheNames(layer));
  const results = await program.run(feeds, ["logits", ...layers.flatMap(({ present }) => present)]);
  const pairs = layers.flatMap(({ past, present }) =>
    past.map((name, i) => [name, results[present[i] as string] as Feed] as const),
  );
  return { cache: { feeds: Object.fromEntries(pairs), length: keys }, logits: results["logits"] as Feed };
}

/** Appends a token to each open row, or closes it; gives the number of rows that closed. */
function takeTokens(active: readonly Row[], logits: Feed, options: SamplingOptions, step: number): number {
  const vocabulary = logits.dims[1] as number;
  let closed = 0;
  active.forEach((row, i) => {
    if (row.finish !== undefined) return;
    const view = (logits.data as Float32Array).subarray(i * vocabulary, (i + 1) * vocabulary);
    const { id, logp } = sampleToken(view, options, uniform(row.request.seed, 0, step));
    row.logps.push(logp);
    if (options.stopTokenIds.includes(id)) row.finish = "stop";
    else {
      row.ids.push(id);
      if (row.ids.length >= options.maxNewTokens) row.finish = "length";
    }
    if (row.finish !== undefined) closed += 1;
  });
  return closed;
}

/** The cache of some of its rows. */
function selectRows(cache: Cache, rows: readonly number[]): Cache {
  const feeds = Object.entries(cache.feeds).map(([name, { data, dims }]) => {
    const size = data.length / (dims[0] as number);
    const kept = new Float32Array(rows.length * size);
    rows.forEach((row, i) => {
      kept.set((data as Float32Array).subarray(row * size, (row + 1) * size), i * size);
    });
    return [name, { data: kept, dims: [rows.length, ...dims.slice(1)] }] as const;
  });
  return { feeds: Object.fromEntries(feeds), length: cache.length };
}
