import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NANO_SPECIAL_TOKENS } from "../../../src/trainer/text/nano-format.js";
import { trainByteLevelBpe } from "../../../src/trainer/text/train-tokenizer.js";
import { markerTokenizer, TEXTS, toyTokenizerJson } from "./toy-text.js";

interface Json {
  readonly model: { readonly vocab: Record<string, number>; readonly merges: readonly string[] };
}

const train = (texts: string[], extraMerges: number, wholeWords: string[] = []): Json["model"] =>
  (trainByteLevelBpe({ texts, specialTokens: [], wholeWords, extraMerges }) as unknown as Json).model;

describe("trainByteLevelBpe", () => {
  it("gives the same JSON for the same input", () => {
    expect(JSON.stringify(toyTokenizerJson())).toBe(JSON.stringify(toyTokenizerJson()));
  });
  it("merges the most frequent pair first, counted by hand", () => {
    // "aab" three times and "ab" once: a+b occurs 4 times, a+a 3 times; then a+ab 3 times.
    // Words after the first carry their space: Ġ+a occurs 3 times and comes after a+ab in code-unit order.
    expect(train(["aab aab aab ab"], 2).merges).toEqual(["a b", "a ab"]);
  });
  it("gives equally frequent pairs in code-unit order", () => {
    expect(train(["cd", "cd", "ab", "ab"], 2).merges).toEqual(["a b", "c d"]);
  });
  it("never merges what occurs once, however many merges are asked for", () => {
    expect(train(["abcdef"], 100).merges).toEqual([]);
  });
  it("never merges across words", () => {
    const { vocab } = train(Array(20).fill("one two three"), 1000);
    expect(Object.keys(vocab).filter((token) => token.slice(1).includes("Ġ"))).toEqual([]);
    expect(vocab["Ġthree"]).toBeDefined();
  });
  it("gives special tokens the first ids and cuts them out of the texts", () => {
    const json = trainByteLevelBpe({
      texts: Array(9).fill("<|end|>x<|end|>"),
      specialTokens: NANO_SPECIAL_TOKENS,
      wholeWords: [],
      extraMerges: 50,
    }) as unknown as Json;
    NANO_SPECIAL_TOKENS.forEach((token, id) => {
      expect(json.model.vocab[token]).toBe(id);
    });
    expect(json.model.merges).toEqual([]);
  });
  it("has ids without holes, one for each of the 256 bytes", () => {
    const { vocab, merges } = train(["a b"], 0);
    expect(merges).toEqual([]);
    expect(Object.values(vocab).sort((a, b) => a - b)).toEqual(Array.from({ length: 256 }, (_, i) => i));
  });
  it("makes whole words single tokens, bare and after a space, also the rare ones", () => {
    const words = ["Quixolith", "Zephyrine", "Quix", "lith"];
    const texts = words.map((word) => `${word} and ${word}`);
    const { vocab } = train(texts, 3, words);
    for (const word of words) expect([word, vocab[word], vocab[`Ġ${word}`]].includes(undefined)).toBe(false);
  });
  it.each([" velorite", "Velorite", " nacre"])(
    "keeps the form %j, which the texts contain, whole when encoding",
    (form) => {
      expect(markerTokenizer.encode(form).length).toBe(1);
    },
  );
  it("spends no token on a form that the texts do not contain", () => {
    expect(train(["use velorite here"], 0, ["velorite"]).vocab["velorite"]).toBeUndefined();
  });
  it("refuses whole words that the pre-tokenizer splits, all at once", () => {
    expect(() => train(["x"], 0, ["ok", "well-made", "M7"])).toThrow(/"well-made", "M7"; name their parts/);
  });
  it("needs less than 5 s for 200 kB and 1500 merges", () => {
    const consonants = "bcdfghklmnprstvz";
    const vowels = "aeiou";
    let state = 1;
    const pick = (from: string): string => {
      state = (state * 48271) % 2147483647;
      return from[state % from.length]!;
    };
    const word = (): string => Array.from({ length: 4 }, () => pick(consonants) + pick(vowels)).join("");
    const lexicon = Array.from({ length: 3000 }, word);
    const text = Array.from({ length: 23000 }, () => {
      state = (state * 48271) % 2147483647;
      return lexicon[state % lexicon.length];
    }).join(" ");
    const start = performance.now();
    expect(train([text], 1500).merges.length).toBe(1500);
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

describe("a trained tokenizer", () => {
  it("decodes what it encodes, for any text", () => {
    const pieces = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: "grapheme" }),
      fc.constantFrom(...NANO_SPECIAL_TOKENS, ...TEXTS, "\uFEFF", "  \n\t", "n't . , !", "\u0000"),
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 6 }), (parts) => {
        const text = parts.join("");
        expect(markerTokenizer.decode(markerTokenizer.encode(text))).toBe(text);
      }),
      { seed: 4, numRuns: 500 },
    );
  });
});
