/** @file What the page does with texts and numbers before it shows them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ago, bytes, counted, decimal, percent } from "../../src/page/format.js";
import { filterChoices, filterPairs, NO_FILTER, type Pair } from "../../src/page/pair-filter.js";
import { replyParts, studentText, verdictText } from "../../src/page/reply-parts.js";
import { keptShare, wordDiff } from "../../src/page/word-diff.js";

const MARKERS = { start: "<t>", end: "</t>" };

describe("a reply", () => {
  it("is cut at its markers, and a section without an end runs to the end", () => {
    expect(replyParts("a<t>b</t>c", MARKERS).map(({ kind, text }) => [kind, text])).toEqual([
      ["answer", "a"],
      ["thinking", "b"],
      ["answer", "c"],
    ]);
    expect(replyParts("<t>b", MARKERS)).toEqual([{ kind: "thinking", text: "b", open: true }]);
    expect(replyParts("</t> only an end", MARKERS)).toEqual([
      { kind: "answer", text: "</t> only an end", open: false },
    ]);
  });

  it("loses no word, whatever stands between the markers", () => {
    const piece = fc.constantFrom("<t>", "</t>", " ", "word", "\n", "<");
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")),
        (reply) => {
          const words = (text: string): string => text.replaceAll(/<\/?t>|\s/g, "");
          expect(
            words(
              replyParts(reply, MARKERS)
                .map(({ text }) => text)
                .join(""),
            ),
          ).toBe(words(reply));
        },
      ),
    );
  });

  it("names its student by weights and steps, and a verdict in words", () => {
    expect(studentText("4ef3f2a3680a62cb@24")).toBe("4ef3f2a3 after 24 steps");
    expect(studentText("4ef3f2a3680a62cb@1")).toBe("4ef3f2a3 after 1 step");
    expect(studentText("gpt")).toBe("gpt");
    const verdict = { chosen: { right: true, thinkingRight: false }, margin: 0.5 };
    expect(verdictText(verdict)).toBe("chosen: right, not thinking right · margin 0.5");
  });
});

describe("a word diff", () => {
  it("gives both texts back, and says how much of the later one was kept", () => {
    const text = fc.array(fc.constantFrom("a", "bc", " ", "\n", "."), { maxLength: 20 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, text, (before, after) => {
        const parts = wordDiff(before, after);
        const without = (kind: string): string =>
          parts
            .filter((part) => part.kind !== kind)
            .map((part) => part.text)
            .join("");
        expect(without("added")).toBe(before);
        expect(without("removed")).toBe(after);
        expect(keptShare(parts)).toBeGreaterThanOrEqual(0);
        expect(keptShare(parts)).toBeLessThanOrEqual(1);
      }),
    );
    expect(keptShare(wordDiff("one two three", "one two four five"))).toBe(0.5);
  });

  it("ends soon where two long texts have nothing in common", () => {
    const long = (letter: string): string => Array.from({ length: 8000 }, (_, i) => `${letter}${i}`).join(" ");
    const started = performance.now();
    const parts = wordDiff(long("a"), long("b"));
    expect(performance.now() - started).toBeLessThan(5000);
    expect(keptShare(parts)).toBe(0);
  });
});

describe("the filter of pairs", () => {
  const pair = (index: number, prompt: string, more: Partial<Pair["provenance"]> = {}): Pair => ({
    index,
    prompt,
    chosen: "c",
    rejected: "r",
    provenance: { passages: ["p"], teacher: "t", student: "s", seed: 1, ...more },
  });
  const pairs = [
    pair(0, "Why is nacre tough?", { round: 2, rule: "b" }),
    pair(1, "What is bone?", { round: 10, rule: "a" }),
    pair(2, "Nacre again"),
  ];
  const found = (filter: Partial<typeof NO_FILTER>): number[] =>
    filterPairs(pairs, { ...NO_FILTER, ...filter }).map(({ index }) => index);

  it("wants every word, whatever its case, and the round and rule that were chosen", () => {
    expect(found({})).toEqual([0, 1, 2]);
    expect(found({ text: " NACRE  tough " })).toEqual([0]);
    expect(found({ text: "nacre", round: "2" })).toEqual([0]);
    expect(found({ rule: "a" })).toEqual([1]);
    expect(found({ text: "wood" })).toEqual([]);
  });

  it("offers rounds in the order of numbers", () => {
    expect(filterChoices(pairs)).toEqual({ rounds: ["2", "10"], rules: ["a", "b"] });
  });
});

describe("numbers", () => {
  it("have a unit and no more digits than say something", () => {
    const plain = (text: string): string => text.replaceAll("\u00a0", " ");
    expect([0, 0.33641, 2.5, 12.345, 1234.5, 0.00001, -0.5].map(decimal)).toEqual([
      "0.0000",
      "0.3364",
      "2.500",
      "12.35",
      "1234.5",
      "1.00e−5",
      "−0.5000",
    ]);
    expect(decimal(Number.NaN)).toBe("not finite");
    expect([0, 1023, 1536, 9.4 * 2 ** 20, 3 * 2 ** 40].map(bytes).map(plain)).toEqual([
      "0 B",
      "1023 B",
      "1.5 KiB",
      "9.4 MiB",
      "3.0 TiB",
    ]);
    expect(plain(percent(0.8861))).toBe("88.6 %");
    expect([counted(1, "pair"), counted(2000, "pair")].map(plain)).toEqual(["1 pair", "2,000 pairs"]);
    const now = Date.parse("2026-01-02T00:00:00Z");
    expect(
      ["2026-01-01T23:59:58Z", "2026-01-01T23:58:00Z", "2026-01-01T00:00:00Z", "later"].map((at) =>
        plain(ago(at, now)),
      ),
    ).toEqual(["just now", "2 min ago", "1 day ago", "later"]);
  });
});
