/** @file Which token comes next: logits and one random number a row to a token and its log-probability. */
import type { GraphBuilder, Value } from "../graph/index.js";
import {
  anyOf,
  type Branch,
  blockAt,
  column,
  either,
  indexInRow,
  last,
  pick,
  rowBlocks,
  rowMaximum,
  steadyLog,
  vector,
} from "./rows.js";
import { truncationThreshold } from "./truncation.js";

export interface SamplerInputs {
  /** float32 [rows, vocabulary] */
  readonly logits: Value;
  /** float32 [rows], each in [0, 1); 1 counts as just below it. */
  readonly noise: Value;
  /** float32 [rows]; 0 is greedy. */
  readonly temperature: Value;
  /** int64 or int32 [rows]; 0: off. */
  readonly topK: Value;
  /** float32 [rows]; 1: off. */
  readonly topP: Value;
  /** float32 [rows]; 0: off. */
  readonly minP: Value;
  /** float32 [rows]; 1: off. */
  readonly repetitionPenalty: Value;
  /** int64 [rows, tokens seen so far], filled up with ids of the same row. */
  readonly history: Value;
}

export interface SampledTokens {
  /** int64 [rows] */
  readonly ids: Value;
  /** float32 [rows]: log-softmax of the logits as they came. */
  readonly logps: Value;
}

/**
 * Repetition penalty, temperature, top-k, top-p, min-p and a draw by inverse CDF in order of token id. What no row asks
 * for is not computed, and what another row asks for changes no bit of a row.
 */
export function sampleTokens(g: GraphBuilder, inputs: SamplerInputs): SampledTokens {
  return g.scope("sampler", () => {
    const { logits, repetitionPenalty } = inputs;
    const p = g.softmax(logits);
    const best = rowMaximum(g, logits);
    const isPenalised = anyOf(g, g.not(g.equal(repetitionPenalty, g.scalar(1))));
    const ids = either(
      g,
      isPenalised,
      (b) => {
        const scores = penalised(b, inputs);
        return chosen(b, { ...parameters(b, inputs), scores, best: rowMaximum(b, scores) });
      },
      (b) => chosen(b, { ...parameters(b, inputs), scores: logits, best, plain: p }),
    );
    // log p(id) = x[id] - max x + log max p: the largest share is never too small for float32.
    const fromBest = g.sub(pick(g, logits, ids), best.value);
    return { ids: vector(g, ids), logps: vector(g, g.add(fromBest, steadyLog(g, pick(g, p, best.index)))) };
  });
}

/** Float32 [rows, 1]; greedy rows ask for nothing else. */
interface Parameters {
  /** bool */
  readonly isGreedy: Value;
  readonly noise: Value;
  readonly temperature: Value;
  readonly topK: Value;
  readonly topP: Value;
  readonly minP: Value;
}

interface Rows extends Parameters {
  /** Logits after the penalty, [rows, vocabulary]. */
  readonly scores: Value;
  readonly best: { readonly value: Value; readonly index: Value };
  /** Softmax of the scores at temperature 1, where it is there. */
  readonly plain?: Value;
}

function parameters(g: GraphBuilder, inputs: SamplerInputs): Parameters {
  const isGreedy = g.lessOrEqual(column(g, inputs.temperature), g.scalar(0));
  const unless = (off: number, x: Value): Value => g.where(isGreedy, g.scalar(off), g.wide(column(g, x)));
  const topK = unless(0, inputs.topK);
  const keepsAll = g.lessOrEqual(g.scalar(inputs.logits.shape[1] as number), topK);
  return {
    isGreedy,
    noise: column(g, inputs.noise),
    temperature: unless(1, inputs.temperature),
    topK: g.where(keepsAll, g.scalar(0), topK),
    topP: unless(1, inputs.topP),
    minP: g.min(unless(0, inputs.minP), g.scalar(1)),
  };
}

/** Divides positive logits of tokens in the history by the penalty, multiplies negative ones. */
function penalised(g: GraphBuilder, { logits, repetitionPenalty, history }: SamplerInputs): Value {
  const seen = g.gatherElements(logits, history, 1);
  const penalty = column(g, repetitionPenalty);
  const changed = g.where(g.lessOrEqual(g.scalar(0), seen), g.div(seen, penalty), g.mul(seen, penalty));
  return g.scatter(logits, history, changed, 1);
}

/** int64 [rows, 1] */
function chosen(g: GraphBuilder, rows: Rows): Value {
  const { isGreedy, best, scores, temperature, plain } = rows;
  const draws = (b: GraphBuilder): Value => {
    const tempered: Branch = (c) => drawn(c, rows, c.softmax(c.div(scores, temperature)));
    if (plain === undefined) return tempered(b);
    const isTempered = anyOf(b, b.not(b.equal(temperature, b.scalar(1))));
    return either(b, isTempered, tempered, (c) => drawn(c, rows, plain));
  };
  return either(
    g,
    anyOf(g, g.not(isGreedy)),
    (b) => b.where(isGreedy, best.index, draws(b)),
    () => best.index,
  );
}

/** A token drawn from `p` [rows, vocabulary] after truncation. */
function drawn(g: GraphBuilder, rows: Rows, p: Value): Value {
  const { noise, topK, topP, minP } = rows;
  const sorts = g.or(g.lessOrEqual(g.scalar(1), topK), g.not(g.lessOrEqual(g.scalar(1), topP)));
  return either(
    g,
    anyOf(g, g.or(sorts, g.not(g.lessOrEqual(minP, g.scalar(0))))),
    (b) => draw(b, truncated(b, rows, p, anyOf(b, sorts)), noise),
    (b) => draw(b, p, noise),
  );
}

/** `p` with 0 for what is removed. */
function truncated(g: GraphBuilder, rows: Rows, p: Value, sorts: Value): Value {
  const { scores, best, temperature, topK, topP, minP } = rows;
  const byMinP = g.add(best.value, g.mul(temperature, steadyLog(g, minP))); // p ≥ minP · max p
  const sorted: Branch = (b) => {
    const total = last(b, b.cumSum(b.reduceSum(rowBlocks(b, p, 0), [2]), 1), 1);
    return b.max(byMinP, truncationThreshold(b, { scores, p, total, topK, topP }));
  };
  const threshold = either(g, sorts, sorted, () => byMinP);
  return g.where(g.lessOrEqual(threshold, scores), p, g.scalar(0));
}

/**
 * The first token at which the running sum of `weights` passes noise · sum: first its block, then the place inside, so
 * that the sums stay short and their rounding small. Int64 [rows, 1].
 */
function draw(g: GraphBuilder, weights: Value, noise: Value): Value {
  const blocks = rowBlocks(g, weights, 0);
  const sums = g.cumSum(g.reduceSum(blocks, [2]), 1); // [rows, blocks]
  const point = g.mul(noise, last(g, sums, 1));
  const block = firstPast(g, sums, point);
  const before = pick(g, g.concat([g.zerosLike(point), sums], 1), block);
  const inside = g.cumSum(blockAt(g, blocks, block), 1);
  return indexInRow(g, blocks, block, firstPast(g, inside, g.sub(point, before)));
}

/** Where `sums` passes `point`, or first reaches its end where rounding put the point beyond: never at a weight of 0. */
function firstPast(g: GraphBuilder, sums: Value, point: Value): Value {
  const isPast = g.or(g.not(g.lessOrEqual(sums, point)), g.lessOrEqual(last(g, sums, 1), sums));
  return g.argMax(g.cast(isPast, "float32"), 1, true);
}
