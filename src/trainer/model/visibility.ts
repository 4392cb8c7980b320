/** @file Which tokens a token may see: plain causal rows, packed rows, and replies that share one prompt. */
import type { GraphBuilder, Value } from "../graph/index.js";

/**
 * A token sees earlier tokens of its own item that are shared (branch 0) or of its own branch. Several items pack into
 * a row by their item ids; the two replies to one prompt are branches 1 and 2 behind a shared prompt. This is exact:
 * each reply has the same keys as in a row of its own.
 *
 * @param items int32 [batch, time], one id an item of the row; padding has an id of its own
 * @param branches int32 [batch, time]
 * @param order int32 [time], 0, 1, 2, …
 * @returns bool [batch, 1, time, time]
 */
export function packedVisibility(g: GraphBuilder, items: Value, branches: Value, order: Value): Value {
  const [batch, time] = items.shape as readonly [string, string];
  const asQuery = (x: Value): Value => g.reshape(x, [batch, 1, time, 1]);
  const asKey = (x: Value): Value => g.reshape(x, [batch, 1, 1, time]);
  const sameItem = g.equal(asQuery(items), asKey(items));
  const open = g.or(g.equal(asKey(branches), g.int32Scalar(0)), g.equal(asQuery(branches), asKey(branches)));
  const earlier = g.lessOrEqual(g.reshape(order, [1, 1, 1, time]), g.reshape(order, [1, 1, time, 1]));
  return g.and(g.and(sameItem, open), earlier);
}

/**
 * Visibility behind a cache.
 *
 * @param validKeys int32 [batch, keys], 1 where the key is a token and not padding
 * @param queryOrder int32 [time], index of each new token among the keys
 * @param keyOrder int32 [keys], 0, 1, 2, …
 * @returns bool [batch, 1, time, keys]
 */
export function cachedVisibility(g: GraphBuilder, validKeys: Value, queryOrder: Value, keyOrder: Value): Value {
  const [batch, keys] = validKeys.shape as readonly [string, string];
  const valid = g.equal(g.reshape(validKeys, [batch, 1, 1, keys]), g.int32Scalar(1));
  const time = queryOrder.shape[0] as string;
  const earlier = g.lessOrEqual(g.reshape(keyOrder, [1, 1, 1, keys]), g.reshape(queryOrder, [1, 1, time, 1]));
  return g.and(valid, earlier);
}
