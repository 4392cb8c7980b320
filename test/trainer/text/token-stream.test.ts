/** @file Text of tokens as they come: the same as all at once, and never half a character. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTokenStream, unfinishedBytes } from "../../../src/trainer/text/token-stream.js";
import { createTokenizer, loadTokenizer, type Tokenizer } from "../../../src/trainer/text/tokenizer.js";

const path = (relative: string): string => fileURLToPath(new URL(`../../../${relative}`, import.meta.url));
const SMOLLM2 = path(".cache/smollm2-135m-instruct");
const nano = await loadTokenizer(path("models/nano"));

/** Byte tokens in the manner of Gemma: <0x00> … <0xFF>, a few words, an added token. */
const byteFallback = createTokenizer(
  {
    added_tokens: [{ id: 0, content: "<end>", special: true }],
    model: {
      type: "BPE",
      byte_fallback: true,
      unk_token: "<unk>",
      vocab: {
        "<end>": 0,
        "<unk>": 1,
        a: 2,
        b: 3,
        "▁": 4,
        é: 5,
        ...Object.fromEntries(
          Array.from({ length: 256 }, (_, i) => [`<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`, 6 + i]),
        ),
      },
      merges: [],
    },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
      ],
    },
  },
  { eos_token: "<end>" },
  "gemma-like",
);

/** A decoder that drops the first token's space. */
const firstIsDifferent = createTokenizer(
  {
    added_tokens: [{ id: 0, content: "<end>", special: true }],
    model: {
      type: "BPE",
      unk_token: "<unk>",
      vocab: { "<end>": 0, "<unk>": 1, a: 2, b: 3, "▁": 4, "▁a": 5 },
      merges: [],
    },
    decoder: { type: "Metaspace", replacement: "▁", prepend_scheme: "never" },
  },
  { eos_token: "<end>" },
  "metaspace",
);

function pieces(tokenizer: Tokenizer, ids: readonly number[], cuts: readonly number[]): string[] {
  const stream = createTokenStream(tokenizer);
  const out: string[] = [];
  let at = 0;
  for (const cut of [...cuts.map((cut) => cut % (ids.length + 1)).sort((a, b) => a - b), ids.length]) {
    out.push(stream.push(ids.slice(at, cut)));
    at = Math.max(at, cut);
  }
  return [...out, stream.finish()];
}

const tokenizers: [string, Tokenizer][] = [
  ["nano", nano],
  ["byte fallback", byteFallback],
  ["first token apart", firstIsDifferent],
  ...(existsSync(SMOLLM2) ? [["SmolLM2", await loadTokenizer(SMOLLM2)] as [string, Tokenizer]] : []),
];

describe.each(tokenizers)("with the tokenizer of %s", (_, tokenizer) => {
  const single = Array.from({ length: tokenizer.vocabSize }, (_, id) => id).filter(
    (id) => tokenizer.decode([id]) === "\uFFFD" || tokenizer.decode([id]).length === 1,
  );
  // Tokens of one byte among them, so that characters are cut in the middle; ids beyond the vocabulary too.
  const id = fc.oneof(fc.nat(tokenizer.vocabSize - 1), fc.constantFrom(...single), fc.constantFrom(...single));
  it("gives in pieces what decoding gives at once, for any ids and any cuts", () => {
    fc.assert(
      fc.property(fc.array(id, { maxLength: 40 }), fc.array(fc.nat(40), { maxLength: 12 }), (ids, cuts) => {
        expect(pieces(tokenizer, ids, cuts).join("")).toBe(tokenizer.decode(ids));
      }),
      { seed: 4, numRuns: 400 },
    );
  });
  it("gives back real text, a token at a time, without a replacement character", () => {
    if (tokenizer === firstIsDifferent) return;
    const text = tokenizer === byteFallback ? "ab éa" : "Zürich 👩‍🔬 数学 ≈ 1.5 µm\n\ttab 🇨🇭!";
    const ids = [...tokenizer.encode(text)];
    const stream = createTokenStream(tokenizer);
    const shown = ids.map((each) => stream.push([each]));
    expect(shown.join("") + stream.finish()).toBe(text);
    for (const piece of shown) {
      expect(piece).not.toContain("\uFFFD");
      expect(piece).not.toMatch(/\p{Surrogate}/u);
    }
  });
});

it("drops a byte order mark where the decoder does: at the start of each run of bytes", () => {
  const mark = [0xef, 0xbb, 0xbf].map((byte) => 6 + byte);
  const ids = [...mark, ...mark, 2, ...mark, 6 + 0x41, ...mark];
  expect(byteFallback.decode(ids)).toBe("\uFEFFaA\uFEFF");
  expect(pieces(byteFallback, ids, [1, 4, 8]).join("")).toBe("\uFEFFaA\uFEFF");
});

describe("half a character", () => {
  const emoji = [...nano.encode("🧪")];
  it("is held back until its last byte", () => {
    expect(emoji.length).toBeGreaterThan(1);
    const stream = createTokenStream(nano);
    for (const id of emoji.slice(0, -1)) expect(stream.push([id])).toBe("");
    expect(stream.push(emoji.slice(-1))).toBe("🧪");
    expect(stream.finish()).toBe("");
  });
  it("is one replacement character where the reply ends in the middle of it", () => {
    const stream = createTokenStream(nano);
    expect(stream.push(emoji.slice(0, -1))).toBe("");
    expect(stream.finish()).toBe("\uFFFD");
  });
  it("is shown as such as soon as it cannot be completed", () => {
    const stream = createTokenStream(nano);
    const [letter] = nano.encode("A");
    expect(stream.push([...emoji.slice(0, -1), letter!])).toBe("\uFFFDA");
    const marker = createTokenStream(nano);
    expect(marker.push([...emoji.slice(0, -1), nano.tokenId("<|thinking|>")!])).toBe("\uFFFD<|thinking|>");
  });
  it.each<[string, number[], number]>([
    ["nothing", [], 0],
    ["a letter", [0x41], 0],
    ["a lead byte", [0x41, 0xf0], 1],
    ["three of four bytes", [0xf0, 0x9f, 0xa7], 3],
    ["a whole character", [0xf0, 0x9f, 0xa7, 0xaa], 0],
    ["a byte that leads nothing", [0xc1], 0],
    ["a byte beyond the last lead", [0xf5], 0],
    ["continuations alone", [0x80, 0x80], 0],
    ["an overlong form", [0xe0, 0x80], 0],
    ["a surrogate", [0xed, 0xa0], 0],
    ["the last characters before the surrogates", [0xed, 0x9f], 2],
    ["beyond U+10FFFF", [0xf4, 0x90], 0],
    ["an overlong form of four", [0xf0, 0x8f], 0],
  ])("of %s has its length", (_, bytes, length) => {
    expect(unfinishedBytes(Uint8Array.from(bytes))).toBe(length);
  });
});

it("decodes each token a few times at most, however long the reply", () => {
  const ids = [...nano.encode("The layers of velorite slide. ".repeat(40))];
  let decoded = 0;
  const stream = createTokenStream({
    decode: (each) => {
      decoded += each.length;
      return nano.decode(each);
    },
  });
  for (const each of ids) stream.push([each]);
  expect(decoded).toBeLessThan(5 * ids.length);
});
