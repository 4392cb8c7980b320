/** @file Shapes whose dims are numbers or symbols ("batch", "time"), so that one session serves every length. */

/** A size known when the graph is built, or the name of one that is known when it runs. */
export type Dim = number | string;
export type Shape = readonly Dim[];

export const DTYPES = ["float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool"] as const;
export type DType = (typeof DTYPES)[number];
/** What the layers of a model may compute in. */
export type FloatDType = Extract<DType, "float32" | "float16" | "bfloat16">;

/** "[batch, time, 64]" */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Number of elements, or undefined where a dim is symbolic. */
export function elementCount(shape: Shape): number | undefined {
  let count = 1;
  for (const dim of shape) {
    if (typeof dim === "string") return undefined;
    count *= dim;
  }
  return count;
}

/** A dim that is 1 in some runs and `dim` in all others; it broadcasts with `dim`. */
export const oneOr = (dim: string): string => `1|${dim}`;

/** NumPy broadcasting. Two different symbols, or a symbol and a number other than 1, do not broadcast. */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    if (typeof y === "string" && x === oneOr(y)) return y;
    if (typeof x === "string" && y === oneOr(x)) return x;
    throw new Error(`cannot broadcast ${formatShape(a)} with ${formatShape(b)}`);
  });
}

/** The axis counted from the front; throws where it lies outside the rank. */
export function normalizeAxis(axis: number, rank: number): number {
  const index = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(index) || index < 0 || index >= rank) {
    throw new Error(`axis ${axis} is outside a tensor of rank ${rank}`);
  }
  return index;
}

/** Sum of two dims: exact for numbers, "a+b" for symbols. */
export function addDims(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (a === 0) return b;
  if (b === 0) return a;
  return `${a}+${b}`;
}
