/**
 * @file Okapi BM25 over passages that come and go: Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and
 * Beyond" (2009), with the idf that is never negative.
 */

import { BestList, type Ranked } from "./best-list.js";
import { tokens, wordsOf } from "./words.js";

/** How soon further occurrences of a word stop counting. */
const K1 = 1.2;
/** How much a long passage pays for its length. */
const B = 0.75;

interface Posting {
  /** Passages that hold the word and are still there. */
  live: number;
  /** Number of a passage, then how often the word stands in it, and so on; removed passages stay until the next rebuild. */
  readonly entries: number[];
}

interface Entry {
  readonly id: string;
  readonly text: string;
  readonly length: number;
}

/** Scores are sums in the order of the question's words, so they do not depend on the order of adding. */
export class Bm25Index {
  private postings = new Map<string, Posting>();
  /** By number; undefined where the passage was removed. */
  private entries: (Entry | undefined)[] = [];
  private readonly numbers = new Map<string, number>();
  private totalLength = 0;

  get size(): number {
    return this.numbers.size;
  }

  /** Does nothing where the id is there already. */
  add(id: string, text: string): void {
    if (this.numbers.has(id)) return;
    const words = wordsOf(text);
    const number = this.entries.length;
    this.entries.push({ id, text, length: words.length });
    this.numbers.set(id, number);
    this.totalLength += words.length;
    for (const [word, count] of counted(words)) {
      const posting = this.postings.get(word);
      if (posting === undefined) this.postings.set(word, { live: 1, entries: [number, count] });
      else {
        posting.live++;
        posting.entries.push(number, count);
      }
    }
  }

  /** Does nothing where the id is not there. */
  remove(id: string): void {
    const number = this.numbers.get(id);
    const entry = number === undefined ? undefined : this.entries[number];
    if (number === undefined || entry === undefined) return;
    this.numbers.delete(id);
    this.entries[number] = undefined;
    this.totalLength -= entry.length;
    for (const word of new Set(wordsOf(entry.text))) {
      const posting = this.postings.get(word);
      if (posting !== undefined && --posting.live === 0) this.postings.delete(word);
    }
    if (this.entries.length > 64 && this.entries.length > 2 * this.size) this.rebuild();
  }

  /**
   * At most `n` passages that hold a word of the query, best first, equal ones by id. The query says how often each word counts.
   * Σ times(w) · idf(w) · tf · (k1 + 1) / (tf + k1 · (1 − b + b · length / mean length))
   */
  rank(query: ReadonlyMap<string, number>, n: number): readonly Ranked[] {
    const scores = new Map<number, number>();
    const meanLength = this.totalLength / Math.max(1, this.size);
    for (const [word, times] of query) {
      const posting = this.postings.get(word);
      if (posting === undefined) continue;
      const weight = times * this.idf(posting.live) * (K1 + 1);
      for (let i = 0; i < posting.entries.length; i += 2) {
        const number = posting.entries[i] as number;
        const entry = this.entries[number];
        if (entry === undefined) continue;
        const tf = posting.entries[i + 1] as number;
        const gain = (weight * tf) / (tf + K1 * (1 - B + (B * entry.length) / meanLength));
        scores.set(number, (scores.get(number) ?? 0) + gain);
      }
    }
    const best = new BestList(n);
    for (const [number, score] of scores) best.offer((this.entries[number] as Entry).id, score);
    return best.list();
  }

  /** ln(1 + (N − df + 0.5) / (df + 0.5)). */
  private idf(df: number): number {
    return Math.log(1 + (this.size - df + 0.5) / (df + 0.5));
  }

  private rebuild(): void {
    const kept = this.entries.filter((entry) => entry !== undefined);
    this.postings = new Map();
    this.entries = [];
    this.numbers.clear();
    this.totalLength = 0;
    for (const { id, text } of kept) this.add(id, text);
  }
}

function counted(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

/**
 * The words of a question, each as often as it stands there, times what it tells: in few passages the idf of a name hardly
 * exceeds that of a frequent term, and a question that names something is about that.
 */
export function weighedWords(text: string): Map<string, number> {
  const times = new Map<string, number>();
  for (const { word, weight } of tokens(text)) times.set(word, (times.get(word) ?? 0) + weight);
  return times;
}
