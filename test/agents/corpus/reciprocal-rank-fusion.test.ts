import fc from "fast-check";
import { expect, test } from "vitest";
import { reciprocalRankFusion } from "../../../src/agents/corpus/reciprocal-rank-fusion.js";

const ids = (fused: readonly { id: string }[]) => fused.map(({ id }) => id);

test("scores are sums of 1 / (60 + rank), best first", () => {
  const fused = reciprocalRankFusion([
    ["a", "b", "c"],
    ["c", "a"],
  ]);
  expect(fused).toEqual([
    { id: "a", score: expect.closeTo(1 / 61 + 1 / 62, 12) },
    { id: "c", score: expect.closeTo(1 / 63 + 1 / 61, 12) },
    { id: "b", score: expect.closeTo(1 / 62, 12) },
  ]);
});

test("two middling places beat one first place, which is what the method is for", () => {
  expect(
    ids(
      reciprocalRankFusion([
        ["first", "both"],
        ["other", "both"],
      ]),
    )[0],
  ).toBe("both");
});

test("equal sums come by id: first and second place, either way round", () => {
  expect(
    ids(
      reciprocalRankFusion([
        ["b", "a"],
        ["a", "b"],
      ]),
    ),
  ).toEqual(["a", "b"]);
});

test("one ranking stays as it is, and none gives nothing", () => {
  expect(ids(reciprocalRankFusion([["c", "a", "b"]]))).toEqual(["c", "a", "b"]);
  expect(reciprocalRankFusion([])).toEqual([]);
});

const ranking = fc.uniqueArray(fc.integer({ min: 0, max: 30 }).map(String), { maxLength: 20 });

test("the order of the rankings changes neither order nor any bit of a score", () => {
  fc.assert(
    fc.property(
      fc
        .array(ranking, { minLength: 2, maxLength: 5 })
        .chain((rankings) =>
          fc.tuple(fc.constant(rankings), fc.shuffledSubarray(rankings, { minLength: rankings.length })),
        ),
      ([rankings, shuffled]) => {
        expect(reciprocalRankFusion(shuffled)).toEqual(reciprocalRankFusion(rankings));
      },
    ),
    { seed: 1, numRuns: 200 },
  );
});

test("what stands higher in every ranking stands higher in the fused one", () => {
  fc.assert(
    fc.property(ranking, ranking, (one, two) => {
      const fused = ids(reciprocalRankFusion([one, two]));
      for (const a of one) {
        for (const b of one) {
          const isAbove = one.indexOf(a) < one.indexOf(b) && two.includes(a) && two.includes(b);
          if (isAbove && two.indexOf(a) < two.indexOf(b)) expect(fused.indexOf(a)).toBeLessThan(fused.indexOf(b));
        }
      }
    }),
    { seed: 2, numRuns: 100 },
  );
});
