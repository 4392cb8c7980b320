/** @file Which passages share the query's rarest words: the exact half of the candidates above the exact limit. */

import type { CandidateSource } from "./exact-ranking.js";
import type { Passage } from "./types.js";

/** An inverted index over words, built when it is first asked and extended by what was added since. */
export class LexicalCandidates {
  private readonly postings = new Map<string, string[]>();
  private indexed = 0;

  /** The list may only grow, at its end. */
  source(passages: () => readonly Passage[]): CandidateSource {
    return async ({ text }, n) => {
      this.extend(passages());
      return this.candidates(text, n);
    };
  }

  private extend(passages: readonly Passage[]): void {
    for (const passage of passages.slice(this.indexed)) {
      for (const word of words(passage.text)) {
        const ids = this.postings.get(word);
        if (ids) ids.push(passage.id);
        else this.postings.set(word, [passage.id]);
      }
    }
    this.indexed = passages.length;
  }

  private candidates(text: string, n: number): string[] {
    // Rarest words first; common ones fill up to n.
    const lists = [...words(text)].map((word) => this.postings.get(word) ?? []).sort((a, b) => a.length - b.length);
    const found = new Set<string>();
    for (const ids of lists) {
      for (const id of ids) {
        if (found.size >= n) return [...found];
        found.add(id);
      }
    }
    return [...found];
  }
}

function words(text: string): Set<string> {
  return new Set(
    text
      .normalize("NFKC")
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu) ?? [],
  );
}
