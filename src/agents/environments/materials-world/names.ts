/** @file Invented names: pronounceable, one word each, and no two alike enough to be slips of each other. */
import type { Rng } from "../../rng.js";

const onsets = "b br d dr f fl g gr h k kr l m n p pr r s sk st t tr v z".split(" ");
const vowels = "a e i o u".split(" ");
const middles = "l n r m s k".split(" ");
const inner = "b d dr f g k l m n p t tr v z".split(" ");
const endings = "in on ar el ith ox um ane ol ix une ard esk id oth".split(" ");

/** Two names differ by this many letters inserted, dropped or changed, at least. */
export const minNameDistance = 3;

export function inventNames(count: number, rng: Rng): string[] {
  const names: string[] = [];
  for (let tries = 0; names.length < count; tries++) {
    if (tries > 200 * count)
      throw new Error(`materials: only ${names.length} of ${count} distinct names found; ask for fewer`);
    const letters = [onsets, vowels, middles, inner, endings].map((part) => rng.pick(part)).join("");
    const name = letters.charAt(0).toUpperCase() + letters.slice(1);
    if (names.every((other) => editDistance(name, other) >= minNameDistance)) names.push(name);
  }
  return names;
}

/** Levenshtein distance, blind to case. */
export function editDistance(a: string, b: string): number {
  const [from, to] = [a.toLowerCase(), b.toLowerCase()];
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const change = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
