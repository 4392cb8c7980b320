/** @file One vector of many: how sentence-transformers pools the hidden rows of a text (Reimers and Gurevych 2019, arXiv 1908.10084). */
import type { Dim, GraphBuilder, Value } from "../graph/index.js";

export interface PoolingInputs {
  /** [batch, time, hidden] */
  readonly hidden: Value;
  /** bool [batch, time] */
  readonly visible: Value;
}

/** The first row, or the mean over the rows that are there: [batch, hidden]. */
export function pooled(g: GraphBuilder, kind: "cls" | "mean", { hidden, visible }: PoolingInputs): Value {
  const [batch, time, size] = hidden.shape as readonly [Dim, Dim, Dim];
  if (kind === "cls") return g.reshape(g.slice(hidden, 1, 0, 1), [batch, size]);
  const there = g.cast(visible, "float32");
  const sums = g.matmul(g.reshape(there, [batch, 1, time]), hidden); // [B, 1, hidden]
  return g.div(g.reshape(sums, [batch, size]), g.reduceSum(there, [1], true));
}

/** torch.nn.functional.normalize divides by this at least. */
const SMALLEST_LENGTH = 1e-12;

/** Rows of length 1: [batch, hidden] -> the same shape. */
export function unitRows(g: GraphBuilder, x: Value): Value {
  const length = g.sqrt(g.reduceSum(g.mul(x, x), [1], true));
  return g.div(x, g.max(length, g.scalar(SMALLEST_LENGTH)));
}
