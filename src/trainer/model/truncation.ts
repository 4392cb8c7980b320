/** @file The score below which top-k and top-p remove tokens, row by row: ties with the last kept token stay. */
import type { Dim, GraphBuilder, Value } from "../graph/index.js";
import { anyOf, either, last, padded, pick } from "./rows.js";

export interface TruncationInputs {
  /** [rows, vocabulary] */
  readonly scores: Value;
  /** Softmax of the scores over the temperature, and its sum [rows, 1]. */
  readonly p: Value;
  readonly total: Value;
  /** float32 [rows, 1]; 0 or at least the vocabulary: off. */
  readonly topK: Value;
  /** float32 [rows, 1]; 1 or more: off. */
  readonly topP: Value;
}

/** The sorted scores that are looked at. */
interface Candidates {
  /** int64 [1] */
  readonly count: Value;
  readonly size: Dim;
}

/** A running sum starts anew at each block of candidates; their number is a multiple of it unless all are taken. */
const BLOCK = 64;
/** Top-p without top-k: mostly this many tokens reach it. */
const NUCLEUS = 256;
/** More candidates than this are sorted only for the rows that need them: */
const MOST = 1024;
/** first so many, as that takes a sixth of the time of a sort of 49,152; then all. */
const MORE = 4096;
/** So many candidates more than k, that ties with the last of them are seen. */
const TIES = 8;

/** The smallest score that is kept, [rows, 1]; -Infinity where neither top-k nor top-p is asked for. */
export function truncationThreshold(g: GraphBuilder, inputs: TruncationInputs): Value {
  const vocabulary = inputs.scores.shape[1] as number;
  if (vocabulary <= MOST) return threshold(g, inputs, largest(g, vocabulary)).threshold;
  const first = threshold(g, inputs, fewCandidates(g, inputs));
  return replaceRows(g, first.unknown, first.threshold, (b, row) => ofOneRow(b, rowOf(b, inputs, row)));
}

const largest = (g: GraphBuilder, count: number): Candidates => ({ count: g.int64s([count]), size: count });

function ofOneRow(g: GraphBuilder, inputs: TruncationInputs): Value {
  const vocabulary = inputs.scores.shape[1] as number;
  const sorted = (b: GraphBuilder): Value => threshold(b, inputs, largest(b, vocabulary)).threshold;
  if (vocabulary <= 2 * MORE) return sorted(g);
  const second = threshold(g, inputs, largest(g, MORE));
  return either(g, anyOf(g, second.unknown), sorted, () => second.threshold);
}

/** What the rows ask for, one number for all: it must not change what a row gets. */
function fewCandidates(g: GraphBuilder, { topK, topP }: TruncationInputs): Candidates {
  const nucleus = g.where(isOff(g, topP), g.scalar(0), g.where(isOn(g, topK), g.scalar(TIES), g.scalar(NUCLEUS)));
  const wanted = g.cast(g.reduceMax(g.add(topK, nucleus), [0]), "int64"); // [1]
  const blocks = g.div(g.add(g.min(wanted, g.int64Scalar(MOST)), g.int64Scalar(BLOCK - 1)), g.int64Scalar(BLOCK));
  const most = g.mul(g.min(g.max(blocks, g.int64Scalar(1)), g.int64Scalar(MOST / BLOCK)), g.int64Scalar(BLOCK));
  return { count: most, size: "candidates" };
}

const isOn = (g: GraphBuilder, topK: Value): Value => g.lessOrEqual(g.scalar(1), topK);
const isOff = (g: GraphBuilder, topP: Value): Value => g.lessOrEqual(g.scalar(1), topP);
const isLess = (g: GraphBuilder, a: Value, b: Value): Value => g.not(g.lessOrEqual(b, a));
/** How many of each row are true: float32 [rows, 1], exact up to 2²⁴. */
const countOf = (g: GraphBuilder, which: Value): Value => g.reduceSum(g.cast(which, "float32"), [1], true);

/** The threshold, if the candidates are enough to tell; `unknown` bool [rows, 1] says where they are not. */
function threshold(g: GraphBuilder, { scores, p, total, topK, topP }: TruncationInputs, { count, size }: Candidates) {
  const nothing = g.scalar(Number.NEGATIVE_INFINITY);
  const one = g.scalar(1);
  const [sorted, ids] = g.topK(scores, count, size);
  const mass = runningSum(g, g.gatherElements(p, ids, 1));
  const end = g.sub(g.cast(count, "float32"), one);
  const at = (x: Value, index: Value): Value => pick(g, x, g.cast(g.min(index, end), "int64"));
  const lastScore = last(g, sorted, 1);
  const lastMass = last(g, mass, 1);

  const byK = g.where(isOn(g, topK), at(sorted, g.sub(g.max(topK, one), one)), nothing);
  const kept = countOf(g, g.lessOrEqual(byK, sorted));
  const keptMass = g.where(isOn(g, topK), at(mass, g.sub(kept, one)), total);
  const target = g.mul(topP, keptMass);
  const byP = g.where(isOff(g, topP), nothing, at(sorted, countOf(g, isLess(g, mass, target))));

  const tiesUnseen = g.and(isOn(g, topK), g.lessOrEqual(byK, lastScore));
  const massUnseen = g.and(g.not(isOn(g, topK)), isLess(g, lastMass, target));
  const unknownP = g.and(g.not(isOff(g, topP)), g.or(tiesUnseen, massUnseen));
  const unknown = g.or(unknownP, isLess(g, g.cast(count, "float32"), topK));
  return { threshold: g.max(byK, byP), unknown };
}

/**
 * Running sum over [rows, n], never falling, block by block: added one after the other, small numbers would be lost against
 * the sum. What comes in later blocks changes nothing in earlier ones.
 */
function runningSum(g: GraphBuilder, x: Value): Value {
  const filled = padded(g, x, BLOCK, 0);
  const [rows, width] = filled.shape as readonly [Dim, Dim];
  const blocks = typeof width === "number" ? width / BLOCK : `${width}/${BLOCK}`;
  const inside = g.cumSum(g.reshape(filled, [rows, blocks, BLOCK]), 2);
  const after = g.cumSum(last(g, inside, 2), 1); // [rows, blocks, 1]
  const start = g.zerosLike(g.slice(after, 1, 0, 1));
  const before = g.reshape(g.slice(g.concat([start, after], 1), 1, 0, -1), [rows, blocks, 1]);
  return g.reshape(g.add(before, inside), [rows, width]);
}

/** One row of the inputs. */
function rowOf(g: GraphBuilder, inputs: TruncationInputs, row: Value): TruncationInputs {
  const at = (x: Value): Value => g.gather(x, row);
  const { scores, p, total, topK, topP } = inputs;
  return { scores: at(scores), p: at(p), total: at(total), topK: at(topK), topP: at(topP) };
}

/** `values` [rows, 1], but what `make` gives for the rows (int64 [1]) where `which` is true. */
function replaceRows(
  g: GraphBuilder,
  which: Value,
  values: Value,
  make: (g: GraphBuilder, row: Value) => Value,
): Value {
  const flags = g.reshape(g.cast(which, "float32"), [which.shape[0] as Dim]);
  const [, order] = g.topK(flags, g.shapeOf(flags), flags.shape[0] as Dim);
  const trips = g.cast(g.reduceSum(flags, [0]), "int64");
  const [done] = g.loop({ trips, states: [values] }, (b, trip, [state]) => {
    const row = b.gather(order, b.reshape(trip, [1])); // [1]
    const next = b.scatter(state as Value, b.reshape(row, [1, 1]), make(b, row), 0);
    return { goOn: b.lessOrEqual(b.int64Scalar(0), trip), next: [next], stacked: [] };
  });
  return done as Value;
}
