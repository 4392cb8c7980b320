/** @file The words of a text while byte pairs are merged in them, with the count of every pair kept up to date. */

export type Pair = readonly [string, string];

interface Word {
  symbols: string[];
  readonly count: number;
}

interface PairCount {
  readonly pair: Pair;
  count: number;
  /** Words that have, or once had, the pair. */
  readonly words: Set<Word>;
}

export interface BpeState {
  readonly words: ReadonlyMap<string, Word>;
  readonly merges: readonly Pair[];
}

interface Mutable extends BpeState {
  readonly merges: Pair[];
  readonly pairs: Map<string, PairCount>;
}

/** Every word starts as its characters. */
export function createBpeState(counts: ReadonlyMap<string, number>): BpeState {
  const words = new Map<string, Word>();
  for (const [text, count] of counts) words.set(text, { symbols: [...text], count });
  const state: Mutable = { words, merges: [], pairs: new Map() };
  for (const word of words.values()) countPairs(state, word, 1);
  return state;
}

/** The pair that occurs most often, at least `minimum` times; of equals the first in code-unit order. */
export function mostFrequentPair(state: BpeState, minimum: number): Pair | undefined {
  let best: PairCount | undefined;
  for (const candidate of (state as Mutable).pairs.values()) {
    if (candidate.count < minimum) continue;
    const better =
      !best || candidate.count > best.count || (candidate.count === best.count && before(candidate.pair, best.pair));
    if (better) best = candidate;
  }
  return best?.pair;
}

/** Records the merge and joins the pair in every word, left to right. */
export function applyMerge(state: BpeState, pair: Pair): void {
  const mutable = state as Mutable;
  mutable.merges.push(pair);
  for (const word of mutable.pairs.get(keyOf(pair))?.words ?? []) {
    const merged = mergeSymbols(word.symbols, pair);
    if (merged.length === word.symbols.length) continue;
    countPairs(mutable, word, -1);
    word.symbols = merged;
    countPairs(mutable, word, 1);
  }
  mutable.pairs.delete(keyOf(pair));
}

function countPairs(state: Mutable, word: Word, sign: 1 | -1): void {
  for (let i = 0; i + 1 < word.symbols.length; i++) {
    const pair: Pair = [word.symbols[i]!, word.symbols[i + 1]!];
    const key = keyOf(pair);
    let entry = state.pairs.get(key);
    if (!entry) {
      entry = { pair, count: 0, words: new Set() };
      state.pairs.set(key, entry);
    }
    entry.count += sign * word.count;
    entry.words.add(word);
  }
}

function mergeSymbols(symbols: readonly string[], [left, right]: Pair): string[] {
  const out: string[] = [];
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] === left && symbols[i + 1] === right) {
      out.push(left + right);
      i++;
    } else out.push(symbols[i]!);
  }
  return out;
}

/** Byte characters never include a space. */
function keyOf(pair: Pair): string {
  return `${pair[0]} ${pair[1]}`;
}

function before(a: Pair, b: Pair): boolean {
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);
}
