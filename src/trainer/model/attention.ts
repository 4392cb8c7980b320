/** @file Grouped-query self-attention with rotary positions, with or without a cache of past keys and values. */
import type { ModelConfig } from "../checkpoint/types.js";
import { addDims, type Dim, type GraphBuilder, type Value } from "../graph/index.js";
import { linear } from "./linear.js";
import type { Parameters } from "./parameters.js";
import { rmsNorm } from "./rms-norm.js";
import type { RotaryTables } from "./rotary.js";

/** Keys and values, [batch, kv heads, time, head dim] each. */
export interface KeyValue {
  readonly key: Value;
  readonly value: Value;
}

/** What a layer has in common with others of its kind. */
export interface AttentionContext {
  /** int64 [batch, time] */
  readonly positions: Value;
  /** undefined: a layer without positions. */
  readonly tables: RotaryTables | undefined;
  /** Float32, added to the scores: 0 or very negative, [batch, 1, groups · time, keys], see {@link groupedBias}. */
  readonly bias: Value;
}

/** Query heads that share one key-value head. */
const groups = (config: ModelConfig): number => config.numAttentionHeads / config.numKeyValueHeads;

/** Name of the dim that holds the query rows of one group of heads. */
const groupedRows = (config: ModelConfig, time: Dim): Dim => Array<Dim>(groups(config)).fill(time).reduce(addDims);

/**
 * The bias [batch, 1, time, keys] repeated for each query head of a group. Scores are computed with the heads of a
 * group stacked on the time axis, so that keys and values are never repeated.
 */
export function groupedBias(g: GraphBuilder, config: ModelConfig, bias: Value): Value {
  return g.concat(Array<Value>(groups(config)).fill(bias), 2);
}

/** x [batch, time, hidden] -> the same shape; also keys and values including the past. */
export function attention(
  g: GraphBuilder,
  config: ModelConfig,
  parameters: Parameters,
  module: string,
  x: Value,
  { positions, tables, bias }: AttentionContext,
  past?: KeyValue,
): { readonly y: Value; readonly present: KeyValue } {
  const [batch, time] = x.shape as readonly [Dim, Dim];
  const { numAttentionHeads, numKeyValueHeads, headDim, qkvBias } = config;
  const split = (name: string, count: number): Value =>
    g.reshape(linear(g, parameters, `${module}.${name}`, x, qkvBias), [batch, time, count, headDim]);
  const headsFirst = (value: Value): Value => g.transpose(value, [0, 2, 1, 3]); // [B, heads, T, D]
  const normed = (name: string, value: Value): Value =>
    config.qkNorm ? g.scope(name, () => rmsNorm(g, config, parameters, `${module}.${name}`, value)) : value;
  const rotated = (value: Value): Value => (tables ? g.rotary(value, positions, tables.cos, tables.sin) : value);

  const query = rotated(headsFirst(normed("q_norm", split("q_proj", numAttentionHeads))));
  const newKey = rotated(headsFirst(normed("k_norm", split("k_proj", numKeyValueHeads))));
  const newValue = headsFirst(split("v_proj", numKeyValueHeads));
  const key = past === undefined ? newKey : g.concat([past.key, newKey], 2);
  const value = past === undefined ? newValue : g.concat([past.value, newValue], 2);

  const rows = groupedRows(config, time);
  const grouped = g.reshape(query, [batch, numKeyValueHeads, rows, headDim]);
  // Scores are the largest thing that a step would keep, and cheap: backward computes them again.
  const mixed = g.segment([grouped], () => {
    const scores = g.fusedMatMul(grouped, key, { transB: true, alpha: config.queryScale }); // [B, KV, G·T, S]
    // In float32, because float16 cannot hold the bias.
    return g.matmul(g.cast(g.softmax(g.add(g.wide(scores), bias)), value.dtype), value);
  });
  const perHead = g.reshape(mixed, [batch, numAttentionHeads, time, headDim]);
  const merged = g.reshape(g.transpose(perHead, [0, 2, 1, 3]), [batch, time, numAttentionHeads * headDim]);
  return { y: linear(g, parameters, `${module}.o_proj`, merged, config.outputBias), present: { key, value } };
}
