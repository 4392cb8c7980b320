/** @file What the sampler does with rows of numbers: blocks of them, one place in each, branches that any row may ask for. */
import type { Dim, GraphBuilder, Value } from "../graph/index.js";

/** Larger blocks mean fewer sums to add up one after the other; a size that divides the row spares a copy. */
const BLOCK_SIZES = [256, 128, 64] as const;

/** [rows] -> [rows, 1] */
export const column = (g: GraphBuilder, x: Value): Value => g.reshape(x, [x.shape[0] as Dim, 1]);

/** [rows, 1] -> [rows] */
export const vector = (g: GraphBuilder, x: Value): Value => g.reshape(x, [x.shape[0] as Dim]);

/** x[row, index[row]] of x [rows, n] and index int64 [rows, 1]; [rows, 1]. */
export const pick = (g: GraphBuilder, x: Value, index: Value): Value => g.gatherElements(x, index, 1);

/** The last of x on an axis, which stays. */
export function last(g: GraphBuilder, x: Value, axis: number): Value {
  const size = x.shape[axis] as Dim;
  return g.slice(x, axis, typeof size === "number" ? size - 1 : -1);
}

/** x [rows, n] with n filled up to a multiple of `size`. */
export function padded(g: GraphBuilder, x: Value, size: number, fill: number): Value {
  const missing = -(x.shape[1] as number) & (size - 1);
  if (missing === 0) return x;
  const row = g.floats("padding", [1, missing], new Float32Array(missing).fill(fill));
  return g.concat([x, g.add(g.zerosLike(g.slice(x, 1, 0, 1)), row)], 1);
}

/** x [rows, n] as [rows, blocks, size]. */
export function rowBlocks(g: GraphBuilder, x: Value, fill: number): Value {
  const [rows, width] = x.shape as readonly [Dim, number];
  const size = BLOCK_SIZES.find((candidate) => width % candidate === 0) ?? BLOCK_SIZES[0];
  return g.reshape(padded(g, x, size, fill), [rows, Math.ceil(width / size), size]);
}

/** Block `index` (int64 [rows, 1]) of each row of `blocks`; [rows, size]. */
export function blockAt(g: GraphBuilder, blocks: Value, index: Value): Value {
  const [rows, , size] = blocks.shape as readonly [Dim, number, number];
  const zeros = g.constant("zeros", "int64", [1, 1, size], { kind: "inline", bytes: new Uint8Array(8 * size) });
  const everywhere = g.add(g.reshape(index, [rows, 1, 1]), zeros);
  return g.reshape(g.gatherElements(blocks, everywhere, 1), [rows, size]);
}

/** Index in the row of a place within block `block`, all int64 [rows, 1]. */
export const indexInRow = (g: GraphBuilder, blocks: Value, block: Value, place: Value): Value =>
  g.add(g.mul(block, g.int64Scalar(blocks.shape[2] as number)), place);

/** The largest of each row and where it is, the first of equals; float32 and int64 [rows, 1]. */
export function rowMaximum(g: GraphBuilder, x: Value): { readonly value: Value; readonly index: Value } {
  const blocks = rowBlocks(g, x, Number.NEGATIVE_INFINITY);
  const block = g.argMax(g.reduceMax(blocks, [2]), 1, true);
  const index = indexInRow(g, blocks, block, g.argMax(blockAt(g, blocks, block), 1, true));
  return { index, value: pick(g, x, index) };
}

/** Copies of a number of which the middle one is always part of a whole vector register, of 16 numbers at most. */
const COPIES = 48;

/**
 * log x of [rows, 1]. ONNX Runtime's Log rounds the numbers that fill a vector register otherwise than the rest, so the last
 * bit of a plain one would depend on how many rows there are.
 */
export function steadyLog(g: GraphBuilder, x: Value): Value {
  const ones = g.floats("ones", [1, COPIES], new Float32Array(COPIES).fill(1));
  return g.slice(g.log(g.mul(x, ones)), 1, COPIES / 2, COPIES / 2 + 1);
}

/** bool []: whether one of `which` is true. */
export const anyOf = (g: GraphBuilder, which: Value): Value =>
  g.lessOrEqual(
    g.scalar(1),
    g.reduceMax(
      g.cast(which, "float32"),
      which.shape.map((_, axis) => axis),
    ),
  );

export type Branch = (g: GraphBuilder) => Value;

/** One value of one branch or the other. */
export const either = (g: GraphBuilder, condition: Value, then: Branch, otherwise: Branch): Value =>
  g.choose(
    condition,
    (b) => [then(b)],
    (b) => [otherwise(b)],
  )[0] as Value;
