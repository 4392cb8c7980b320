/** @file What changed from one text to the next, word by word. */
import { diffWordsWithSpace } from "diff";

export interface DiffPart {
  readonly kind: "same" | "added" | "removed";
  readonly text: string;
}

/** Two texts that have nothing in common cost the most; past this the new one is shown whole. */
const LONGEST_MS = 300;

export function wordDiff(before: string, after: string): DiffPart[] {
  const changes = diffWordsWithSpace(before, after, { timeout: LONGEST_MS });
  if (changes === undefined)
    return [
      { kind: "removed", text: before },
      { kind: "added", text: after },
    ];
  return changes.map(({ added, removed, value }) => ({
    kind: added ? "added" : removed ? "removed" : "same",
    text: value,
  }));
}

/** Share of the later text's words that were there before, from 0 to 1. */
export function keptShare(parts: readonly DiffPart[]): number {
  const words = (kind: DiffPart["kind"]): number =>
    parts
      .filter((part) => part.kind === kind)
      .reduce((sum, { text }) => sum + text.split(/\s+/).filter(Boolean).length, 0);
  const [same, added] = [words("same"), words("added")];
  return same + added === 0 ? 1 : same / (same + added);
}
