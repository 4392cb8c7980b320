/** @file Grouped-query self-attention with rotary positions, with or without a cache of past keys and values. */
import type { ModelConfig } from "../checkpoint/types.js";
import { addDims, type Dim, type FloatDType, type GraphBuilder, type Value } from "../graph/index.js";
import { linear, linears } from "./linear.js";
import type { Parameters } from "./parameters.js";
import { rmsNorm } from "./rms-norm.js";
import type { RotaryTables } from "./rotary.js";

/** Keys and values, [batch, kv heads, time, head dim] each. */
export interface KeyValue {
  readonly key: Value;
  readonly value: Value;
}

/** Of the new tokens; where a layer decodes, also its tail with them in it. */
export interface NewKeyValue extends KeyValue {
  readonly tail?: KeyValue;
}

/** What a layer keeps of earlier tokens while it decodes. */
export interface LayerCache {
  /** All before the tail, [batch, kv heads, past, head dim]: read where it lies. */
  readonly past: KeyValue;
  /** The slots behind it, [batch, kv heads, slots, head dim], into which new tokens go. */
  readonly tail: KeyValue;
  /** bool [batch, 1, slots, 1]: the slots of the new tokens; there is one of these, or one for each slot. */
  readonly isNew: Value;
  /** int64 [2]: how many keys lie in the past, and slots in the tail. */
  readonly lengths: Value;
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

const QKV = { names: ["q_proj", "k_proj", "v_proj"], fused: "qkv_proj" };

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

/** x [batch, time, hidden] -> the same shape; also the new keys and values, and the tail with them in it. */
export function attention(
  g: GraphBuilder,
  config: ModelConfig,
  parameters: Parameters,
  module: string,
  x: Value,
  { positions, tables, bias }: AttentionContext,
  cache?: LayerCache,
): { readonly y: Value; readonly present: NewKeyValue } {
  const [batch, time] = x.shape as readonly [Dim, Dim];
  const { numAttentionHeads, numKeyValueHeads, headDim, qkvBias } = config;
  const [q, k, v] = linears(g, parameters, module, QKV, x, qkvBias) as readonly [Value, Value, Value];
  const split = (value: Value, count: number): Value => g.reshape(value, [batch, time, count, headDim]);
  const headsFirst = (value: Value): Value => g.transpose(value, [0, 2, 1, 3]); // [B, heads, T, D]
  const normed = (name: string, value: Value): Value =>
    config.qkNorm ? g.scope(name, () => rmsNorm(g, config, parameters, `${module}.${name}`, value)) : value;
  const rotated = (value: Value): Value => (tables ? g.rotary(value, positions, tables.cos, tables.sin) : value);

  const query = rotated(headsFirst(normed("q_norm", split(q, numAttentionHeads))));
  const key = rotated(headsFirst(normed("k_norm", split(k, numKeyValueHeads))));
  const value = headsFirst(split(v, numKeyValueHeads));

  const rows = groupedRows(config, time);
  const grouped = g.reshape(query, [batch, numKeyValueHeads, rows, headDim]);
  const scale = config.queryScale;
  const { mixed, tail } =
    cache === undefined
      ? { mixed: attend(g, grouped, { key, value }, bias, scale), tail: undefined }
      : attendCached(g, grouped, { key, value }, cache, bias, scale);
  const perHead = g.reshape(mixed, [batch, numAttentionHeads, time, headDim]);
  const merged = g.reshape(g.transpose(perHead, [0, 2, 1, 3]), [batch, time, numAttentionHeads * headDim]);
  return {
    y: linear(g, parameters, `${module}.o_proj`, merged, config.outputBias),
    present: { key, value, ...(tail !== undefined && { tail }) },
  };
}

/** Softmax of the scores over all keys, and the mean of the values by it: [B, KV, G·T, D]. */
function attend(g: GraphBuilder, query: Value, { key, value }: KeyValue, bias: Value, alpha: number): Value {
  // Scores are the largest thing that a step would keep, and cheap: backward computes them again.
  return g.segment([query], () => {
    const scores = g.fusedMatMul(query, key, { transB: true, alpha }); // [B, KV, G·T, S]
    return g.matmul(probabilities(g, scores, bias, value.dtype as FloatDType), value);
  });
}

/** In float32, because float16 cannot hold the bias. */
const probabilities = (g: GraphBuilder, scores: Value, bias: Value, dtype: FloatDType): Value =>
  g.cast(g.softmax(g.add(g.wide(scores), bias)), dtype);

/** The same over the past and the tail, which are never joined: that would copy the past for each token. */
function attendCached(
  g: GraphBuilder,
  query: Value,
  present: KeyValue,
  { past, tail, isNew, lengths }: LayerCache,
  bias: Value,
  alpha: number,
): { readonly mixed: Value; readonly tail: KeyValue } {
  const key = g.where(isNew, present.key, tail.key);
  const value = g.where(isNew, present.value, tail.value);
  const scores = g.concat(
    [past.key, key].map((keys) => g.fusedMatMul(query, keys, { transB: true, alpha })),
    -1,
  );
  const weights = probabilities(g, scores, bias, value.dtype as FloatDType);
  const [ofPast, ofTail] = g.splitAt(weights, -1, lengths, [past.key.shape[2] as Dim, key.shape[2] as Dim]);
  return { mixed: g.add(g.matmul(ofPast, past.value), g.matmul(ofTail, value)), tail: { key, value } };
}
