import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Bm25Index, weighedWords } from "../../../src/agents/corpus/bm25.js";
import { tokens, wordsOf } from "../../../src/agents/corpus/words.js";

const once = (...words: string[]) => new Map(words.map((word) => [word, 1]));

function indexOf(texts: Record<string, string>): Bm25Index {
  const index = new Bm25Index();
  for (const [id, text] of Object.entries(texts)) index.add(id, text);
  return index;
}

describe("over three passages of 3, 4 and 3 words", () => {
  const texts = { d1: "The cat sat", d2: "the dog sat down", d3: "Cat CAT dog" };

  test("scores are those worked out by hand", () => {
    const index = indexOf(texts);
    // cat: idf = ln(1 + (3 - 2 + 0.5) / (2 + 0.5)) = ln 1.6 = 0.4700036; mean length 10/3, so both lengths give
    // k1 (1 - b + b 3 / (10/3)) = 1.2 * 0.925 = 1.11.
    expect(index.rank(once("cat"), 10)).toEqual([
      { id: "d3", score: expect.closeTo((0.4700036 * 2 * 2.2) / (2 + 1.11), 6) },
      { id: "d1", score: expect.closeTo((0.4700036 * 2.2) / (1 + 1.11), 6) },
    ]);
    // down: idf = ln(1 + 2.5 / 1.5) = 0.9808293; four words give 1.2 * (0.25 + 0.75 * 1.2) = 1.38.
    expect(index.rank(once("dog", "down"), 10)).toEqual([
      { id: "d2", score: expect.closeTo((0.4700036 * 2.2) / 2.38 + (0.9808293 * 2.2) / 2.38, 6) },
      { id: "d3", score: expect.closeTo((0.4700036 * 2.2) / 2.11, 6) },
    ]);
  });

  test("a word that counts twice adds twice", () => {
    const [single] = indexOf(texts).rank(once("down"), 1);
    const [double] = indexOf(texts).rank(new Map([["down", 2]]), 1);
    expect(double?.score).toBe(2 * (single?.score ?? 0));
  });

  test("once a passage is removed, the others are scored as if it had never been there", () => {
    const index = indexOf(texts);
    index.remove("d2");
    index.remove("d2");
    // cat now stands in both of the passages: idf = ln(1 + 0.5 / 2.5) = 0.1823216, and lengths are the mean; dog: ln(1 + 1.5 / 1.5).
    expect(index.rank(once("cat", "dog", "down"), 10)).toEqual([
      { id: "d3", score: expect.closeTo((0.1823216 * 2 * 2.2) / 3.2 + Math.LN2, 6) },
      { id: "d1", score: expect.closeTo(0.1823216, 6) },
    ]);
    expect(index.size).toBe(2);
  });

  test("equal scores come by id, and no more than asked for", () => {
    const same = indexOf({ c: "x y", a: "x y", b: "x y" });
    expect(same.rank(once("x"), 2).map(({ id }) => id)).toEqual(["a", "b"]);
  });
});

test("capitals and compatibility forms are one word, in passages and questions alike", () => {
  const index = indexOf({ a: "ÉTOILE de mer", b: "the ﬁbre", c: "x" });
  expect(index.rank(weighedWords("étoile"), 3).map(({ id }) => id)).toEqual(["a"]);
  expect(index.rank(weighedWords("FIBRE"), 3).map(({ id }) => id)).toEqual(["b"]);
});

test("passages and questions are cut into the same words", () => {
  const mixed = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: "grapheme" }),
    fc.constantFrom("ΟΔΟΣ", "İstanbul", "構造"),
  );
  fc.assert(
    fc.property(fc.array(mixed, { maxLength: 6 }), (parts) => {
      const body = parts.join(" ");
      expect(wordsOf(body)).toEqual(Array.from(tokens(body), ({ word }) => word));
    }),
    { seed: 4, numRuns: 300 },
  );
});

test("text without spaces is found by neighbouring characters", () => {
  const index = indexOf({ a: "貝殻の構造", b: "木材の強度" });
  expect(index.rank(weighedWords("構造"), 3).map(({ id }) => id)).toEqual(["a"]);
});

test("a question's names count more than its other words, and stop words hardly", () => {
  const words = weighedWords("What is the stiffness class of Prultane?");
  expect(words.get("prultane")).toBeGreaterThan(2 * (words.get("stiffness") ?? 0));
  expect(words.get("the")).toBeLessThan(0.1);
});

test("no word in common is no result, and neither is an empty index or question", () => {
  expect(indexOf({ a: "nacre" }).rank(once("silk"), 3)).toEqual([]);
  expect(new Bm25Index().rank(once("silk"), 3)).toEqual([]);
  expect(indexOf({ a: "nacre" }).rank(weighedWords("?!"), 3)).toEqual([]);
});

const text = fc.array(fc.constantFrom("nacre", "silk", "bone", "tough", "the", "Wood"), { maxLength: 12 });

test("whatever comes and goes in whatever order, ranking is that of an index made of what is left", () => {
  const step = fc.record({ id: fc.integer({ min: 0, max: 150 }), words: text, remove: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), text, (steps, question) => {
      const index = new Bm25Index();
      const left = new Map<string, string>();
      for (const { id, words, remove } of steps) {
        const name = `p${id}`;
        if (remove) {
          index.remove(name);
          left.delete(name);
        } else if (!left.has(name)) {
          index.add(name, words.join(" "));
          left.set(name, words.join(" "));
        }
      }
      const query = weighedWords(question.join(" "));
      const fresh = indexOf(Object.fromEntries([...left].reverse()));
      expect(index.rank(query, 200)).toEqual(fresh.rank(query, 200));
    }),
    { seed: 5, numRuns: 100 },
  );
});
