/** @file Which tokens a token may see: plain causal rows, packed rows, replies that share one prompt, sliding windows. */
import type { GraphBuilder, Value } from "../graph/index.js";

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

/**
 * Visibility behind a cache. Padding is on the left, so the distance of two keys is that of their positions.
 *
 * @param validKeys int32 [batch, keys], 1 where the key is a token and not padding
 * @param queryOrder int32 [time], index of each new token among the keys
 * @param keyOrder int32 [keys], 0, 1, 2, …
 */
export function cachedVisibility(g: GraphBuilder, validKeys: Value, queryOrder: Value, keyOrder: Value): Visibility {
  const [batch, keys] = validKeys.shape as readonly [string, string];
  const valid = g.equal(g.reshape(validKeys, [batch, 1, 1, keys]), g.int32Scalar(1));
  const time = queryOrder.shape[0] as string;
  const query = g.reshape(queryOrder, [1, 1, time, 1]);
  const key = g.reshape(keyOrder, [1, 1, 1, keys]);
  const all = g.and(valid, g.lessOrEqual(key, query));
  return (window) => (window === undefined ? all : g.and(all, within(g, window, query, key)));
}

/** query − key < window, between whole numbers. */
function within(g: GraphBuilder, window: number, query: Value, key: Value): Value {
  return g.lessOrEqual(g.sub(query, g.int32Scalar(window - 1)), key);
}
