/** @file Log-probabilities of target tokens, in chunks of rows, with the gradient made beside them. */
import type { GraphBuilder, Value } from "../graph/index.js";

/** Rows of logits that exist at a time. The number of labels of a run must be a multiple of it. */
export const LABEL_CHUNK = 128;

/** The output head: a matrix [vocabulary, hidden], and rows that replace or extend it where tokens are trained. */
export interface Head {
  readonly weight: Value;
  /** Rows of `weight` by token id; `g` may be a loop's body. */
  readonly gather: (g: GraphBuilder, ids: Value) => Value;
  readonly rows?: {
    /** Token ids of the rows; ids past the vocabulary extend it. */
    readonly indices: readonly number[];
    /** [rows, hidden] */
    readonly weight: Value;
  };
}

/** Whether gradients will be asked for: then each chunk makes them at once. */
export type LogpsUse = "score" | "differentiate";

/**
 * log p(target) = x·W[target] - log Σ exp(x·Wᵀ) for hidden rows x [labels, hidden] and targets int32 [labels]; gives
 * [labels].
 *
 * ∂logp/∂x = W[target] - softmax(x·Wᵀ)·W does not depend on the loss above, so each chunk of {@link LABEL_CHUNK} rows
 * makes it at once, and no logits outlive their chunk. A trained W computes its chunks again in backward.
 *
 * Hidden rows and W may have 16 bits; everything from the logits on is float32.
 */
export function tokenLogps(g: GraphBuilder, hidden: Value, head: Head, targets: Value, use: LogpsUse): Value {
  return g.scope("token_logps", () => {
    const width = hidden.shape[1] as number;
    const x = g.reshape(hidden, ["chunks", LABEL_CHUNK, width]);
    const t = g.reshape(targets, ["chunks", LABEL_CHUNK]);
    const wantsGradient = use === "differentiate";
    const outputs = g.scan(
      { scanned: [x, t] },
      (b, _states, [rows, ids]) => chunk(b, rows as Value, head, ids as Value, wantsGradient),
      ([dy], wants) => backward(g, { x, t, head, dy: dy as Value, outputs }, wants),
    );
    return g.reshape(outputs[0] as Value, ["labels"]);
  });
}

/** Log-probabilities [C]; with gradient also ∂logp/∂x [C, hidden], and ∂logp/∂(logit of each of `head.rows`) [C, rows]. */
function chunk(g: GraphBuilder, x: Value, head: Head, targets: Value, wantsGradient: boolean): readonly Value[] {
  const frozen = frozenColumns(g, x, head);
  const own = head.rows === undefined ? undefined : trainedColumns(g, x, head.rows, targets);
  const weight = targetRows(g, head, targets, own?.hit);
  // Where logits are rounded to 16 bits, the target's must be the same rounded one: no log-probability may exceed 0.
  const isExact = x.dtype === "float32";
  const logit = isExact ? g.reduceSum(g.mul(x, weight), [-1], true) : targetLogit(g, head, targets, frozen, own); // [C, 1]
  // Trained columns join the frozen ones: log(e^a + e^b) = a + softplus(b - a).
  const excess = own === undefined ? undefined : g.sub(own.logSum, frozen.logSum);
  const logSum = excess === undefined ? frozen.logSum : g.add(frozen.logSum, g.softplus(excess));
  const logp = g.reshape(g.sub(logit, logSum), [LABEL_CHUNK]);
  if (!wantsGradient) return [logp];
  const fromFrozen = g.wide(g.matmul(g.cast(frozen.p, head.weight.dtype), head.weight));
  if (own === undefined || excess === undefined || head.rows === undefined) return [logp, g.sub(weight, fromFrozen)];
  const share = g.sigmoid(excess); // of the trained columns in the whole probability
  const p = g.mul(share, own.p);
  const expected = g.add(g.mul(g.sub(g.scalar(1), share), fromFrozen), g.matmul(p, head.rows.weight));
  return [logp, g.sub(weight, expected), g.sub(own.hit, p)];
}

interface Columns {
  /** [C, columns] */
  readonly logits: Value;
  /** Softmax within these columns. */
  readonly p: Value;
  /** log Σ exp of their logits, [C, 1]. */
  readonly logSum: Value;
}

/** max z - log max softmax(z): two reads of rows that are there anyway, and exact, as the largest share is never small. */
function columns(g: GraphBuilder, logits: Value): Columns {
  const p = g.softmax(logits);
  return { logits, p, logSum: g.sub(g.reduceMax(logits, [-1], true), g.log(g.reduceMax(p, [-1], true))) };
}

/** Far below any logit, and finite. */
const REPLACED = -1e9;

function frozenColumns(g: GraphBuilder, x: Value, { weight, rows }: Head): Columns {
  const logits = g.wide(g.fusedMatMul(x, weight, { transB: true })); // [C, vocabulary]
  const vocabulary = weight.shape[0] as number;
  const replaced = rows?.indices.filter((id) => id < vocabulary) ?? [];
  if (replaced.length === 0) return columns(g, logits);
  const bias = new Float32Array(vocabulary);
  for (const id of replaced) bias[id] = REPLACED;
  return columns(g, g.add(logits, g.floats("replaced_columns", [vocabulary], bias)));
}

function trainedColumns(g: GraphBuilder, x: Value, rows: NonNullable<Head["rows"]>, targets: Value) {
  const ids = g.constant("trained_ids", "int32", [1, rows.indices.length], {
    kind: "inline",
    bytes: new Uint8Array(Int32Array.from(rows.indices).buffer),
  });
  const hit = g.cast(g.equal(g.reshape(targets, [LABEL_CHUNK, 1]), ids), "float32"); // [C, rows]
  const logits = g.wide(g.fusedMatMul(x, g.cast(rows.weight, x.dtype), { transB: true }));
  return { ...columns(g, logits), hit };
}

/** W[target], float32 [C, hidden], from whichever matrix holds the row. */
function targetRows(g: GraphBuilder, { weight, gather, rows }: Head, targets: Value, hit: Value | undefined): Value {
  if (rows === undefined || hit === undefined) return g.wide(gather(g, targets));
  const last = g.int32Scalar((weight.shape[0] as number) - 1);
  const frozen = g.wide(gather(g, g.min(targets, last)));
  const isTrained = g.equal(g.reduceMax(hit, [-1], true), g.scalar(1)); // [C, 1]
  return g.where(isTrained, g.matmul(hit, rows.weight), frozen);
}

/** The logit of each target, [C, 1], out of the logits that are there; a replaced column counts as trained. */
function targetLogit(
  g: GraphBuilder,
  { weight }: Head,
  targets: Value,
  frozen: Columns,
  own: (Columns & { readonly hit: Value }) | undefined,
): Value {
  const column = g.reshape(targets, [LABEL_CHUNK, 1]);
  if (own === undefined) return g.gatherElements(frozen.logits, column, -1);
  const known = g.min(column, g.int32Scalar((weight.shape[0] as number) - 1));
  const isTrained = g.equal(g.reduceMax(own.hit, [-1], true), g.scalar(1));
  const trained = g.reduceSum(g.mul(own.hit, own.logits), [-1], true);
  return g.where(isTrained, trained, g.gatherElements(frozen.logits, known, -1));
}

interface Forward {
  readonly x: Value;
  readonly t: Value;
  readonly head: Head;
  /** [chunks, C] */
  readonly dy: Value;
  readonly outputs: readonly Value[];
}

function backward(
  g: GraphBuilder,
  { x, t, head, dy, outputs }: Forward,
  wants: (value: Value) => boolean,
): ReadonlyMap<Value, Value> {
  const [, byX, byRows] = outputs;
  if (byX === undefined) throw new Error("internal: log-probabilities were emitted without gradients");
  const column = g.reshape(dy, ["chunks", LABEL_CHUNK, 1]);
  const gradients = new Map<Value, Value>();
  if (wants(x)) gradients.set(x, g.mul(byX, column));
  if (head.rows !== undefined && byRows !== undefined && wants(head.rows.weight)) {
    const flat = (value: Value): Value => g.reshape(value, ["labels", value.shape[2] as number]);
    gradients.set(head.rows.weight, g.fusedMatMul(flat(g.mul(byRows, column)), flat(g.wide(x)), { transA: true }));
  }
  if (wants(head.weight)) gradients.set(head.weight, headGradient(g, x, t, head.weight, column));
  return gradients;
}

/** ∂/∂W = Σ dy (onehot(target) - softmax(x·Wᵀ))ᵀ x in float32: targets are scattered first, the chunks are carried on top. */
function headGradient(g: GraphBuilder, x: Value, t: Value, weight: Value, dy: Value): Value {
  const width = weight.shape[1] as number;
  const weighted = g.reshape(g.mul(g.wide(x), dy), ["labels", width]);
  const rows = g.expandLike(g.reshape(t, ["labels", 1]), weighted);
  const start = g.scatterAdd(g.zerosLike(weight, "float32"), rows, weighted, 0);
  const [sum] = g.scan({ states: [start], scanned: [x, dy] }, (b, [carried], [chunkX, chunkDy]) => {
    const p = b.softmax(b.wide(b.fusedMatMul(chunkX as Value, weight, { transB: true })));
    const dLogits = b.cast(b.mul(p, chunkDy as Value), weight.dtype);
    return [b.sub(carried as Value, b.wide(b.fusedMatMul(dLogits, chunkX as Value, { transA: true })))];
  });
  return sum as Value;
}

/** Weighted sums of log-probabilities: weights [sums, labels], logps [labels] -> [sums]. Weights make it a sum or a mean. */
export function weightedLogps(g: GraphBuilder, weights: Value, logps: Value): Value {
  const [sums, labels] = weights.shape as readonly [string, string];
  return g.reshape(g.matmul(weights, g.reshape(logps, [labels, 1])), [sums]);
}
