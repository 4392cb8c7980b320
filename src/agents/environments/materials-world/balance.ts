/** @file Drawing items so that what they stand for is drawn equally often. */
import type { Rng } from "../../rng.js";

/** Draws `count` different items; at each draw the item whose keys were drawn least so far, ties by chance. */
export function pickBalanced<T>(
  items: readonly T[],
  count: number,
  keysOf: (item: T) => readonly string[],
  rng: Rng,
): T[] {
  const left = rng.shuffle(items).map((item) => ({ item, keys: keysOf(item) }));
  const drawn = new Map<string, number>();
  const picked: T[] = [];
  while (picked.length < count && left.length > 0) {
    const cost = left.map(({ keys }) => keys.reduce((sum, key) => sum + (drawn.get(key) ?? 0), 0));
    const [next] = left.splice(cost.indexOf(Math.min(...cost)), 1);
    for (const key of next!.keys) drawn.set(key, (drawn.get(key) ?? 0) + 1);
    picked.push(next!.item);
  }
  return picked;
}
