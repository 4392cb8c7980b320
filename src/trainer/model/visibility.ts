/** @file Which tokens a token may see: plain causal rows, packed rows, replies that share one prompt, sliding windows. */
import type { Dim, GraphBuilder, Value } from "../graph/index.js";

/**
 * bool [batch, 1, time, keys]: which key each token may see. With a `window`, of those only keys fewer than `window`
 * positions back, itself included.
 */
export type Visibility = (window?: number) => Value;

/**
 * A token sees earlier tokens of its own item that are shared (branch 0) or of its own branch. Several items pack into
 * a row by their item ids; the two replies to one prompt are branches 1 and 2 behind a shared prompt. This is exact:
 * each reply has the same keys as in a row of its own. Windows count positions, because the second reply stands
 * further from its prompt in the row than in the text.
 *
 * @param items int32 [batch, time], one id an item of the row; padding has an id of its own
 * @param branches int32 [batch, time]
 * @param positions int32 [batch, time]
 * @param order int32 [time], 0, 1, 2, …
 */
export function packedVisibility(
  g: GraphBuilder,
  items: Value,
  branches: Value,
  positions: Value,
  order: Value,
): Visibility {
  const [batch, time] = items.shape as readonly [string, string];
  const asQuery = (x: Value): Value => g.reshape(x, [batch, 1, time, 1]);
  const asKey = (x: Value): Value => g.reshape(x, [batch, 1, 1, time]);
  const sameItem = g.equal(asQuery(items), asKey(items));
  const open = g.or(g.equal(asKey(branches), g.int32Scalar(0)), g.equal(asQuery(branches), asKey(branches)));
  const earlier = g.lessOrEqual(g.reshape(order, [1, 1, 1, time]), g.reshape(order, [1, 1, time, 1]));
  const all = g.and(g.and(sameItem, open), earlier);
  return (window) => (window === undefined ? all : g.and(all, within(g, window, asQuery(positions), asKey(positions))));
}

/** Rows that decode: what each has in its cache, int32 [batch]. */
export interface DecodingRows {
  /** Keys of the past that are the row's own; the rest is room for others. */
  readonly past: Value;
  /** Slots of the tail that are taken. */
  readonly taken: Value;
}

/**
 * Visibility over a past and a tail, see LayerCache. A key's position is its index in the past, or the length of the past
 * and its slot.
 *
 * @param keys int32 [past], 0, 1, 2, …
 * @param slots int32 [slots], 0, 1, 2, …
 * @param time int32 [time], 0, 1, 2, …
 */
export function cachedVisibility(
  g: GraphBuilder,
  { past, taken }: DecodingRows,
  keys: Value,
  slots: Value,
  time: Value,
): Visibility {
  const cells = (x: Value, axis: 2 | 3): Value => {
    const dim = x.shape[0] as Dim;
    return g.reshape(x, axis === 2 ? [1, 1, dim, 1] : [1, 1, 1, dim]);
  };
  const perRow = (x: Value): Value => g.reshape(x, [x.shape[0] as Dim, 1, 1, 1]);
  const end = perRow(past);
  const query = g.add(g.add(end, perRow(taken)), cells(time, 2)); // [batch, 1, time, 1]
  const isOwn = g.lessOrEqual(cells(keys, 3), g.sub(end, g.int32Scalar(1))); // [batch, 1, 1, past]
  const slot = g.add(end, cells(slots, 3));
  const isEarlier = g.lessOrEqual(slot, query); // [batch, 1, time, slots]
  const everyTime = g.lessOrEqual(cells(time, 2), cells(time, 2)); // all true, one for each token
  return (window) => {
    const inPast = window === undefined ? everyTime : within(g, window, query, cells(keys, 3));
    const inTail = window === undefined ? isEarlier : g.and(isEarlier, within(g, window, query, slot));
    return g.concat([g.and(isOwn, inPast), inTail], 3);
  };
}

/** query − key < window, between whole numbers. */
function within(g: GraphBuilder, window: number, query: Value, key: Value): Value {
  return g.lessOrEqual(g.sub(query, g.int32Scalar(window - 1)), key);
}
