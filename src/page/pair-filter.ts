/** @file Which pairs a reader wants to see: words anywhere in them, their round, the rule that chose the rejected reply. */
import type { PairsPage } from "../tools/views/types.js";

export type Pair = PairsPage["pairs"][number];

export interface PairFilter {
  /** All words must occur; letter case does not matter. */
  readonly text: string;
  /** "" is any. */
  readonly round: string;
  readonly rule: string;
}

export const NO_FILTER: PairFilter = { text: "", round: "", rule: "" };

export const isFiltering = ({ text, round, rule }: PairFilter): boolean =>
  text.trim() !== "" || round !== "" || rule !== "";

export function filterPairs(pairs: readonly Pair[], filter: PairFilter): readonly Pair[] {
  if (!isFiltering(filter)) return pairs;
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return pairs.filter((pair) => {
    const { provenance: from } = pair;
    if (filter.round !== "" && String(from.round ?? "") !== filter.round) return false;
    if (filter.rule !== "" && from.rule !== filter.rule) return false;
    const text = [pair.prompt, pair.chosen, pair.rejected, from.topic, from.question, ...from.passages]
      .join("\n")
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** What can be chosen in the filter, among the pairs that are known. */
export function filterChoices(pairs: readonly Pair[]): {
  readonly rounds: readonly string[];
  readonly rules: readonly string[];
} {
  const distinct = (values: readonly (string | number | undefined)[]): string[] =>
    [...new Set(values.filter((value) => value !== undefined).map(String))].sort((a, b) =>
      a.localeCompare(b, "en", { numeric: true }),
    );
  return {
    rounds: distinct(pairs.map(({ provenance }) => provenance.round)),
    rules: distinct(pairs.map(({ provenance }) => provenance.rule)),
  };
}
