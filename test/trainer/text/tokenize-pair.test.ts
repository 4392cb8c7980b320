import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ChatTemplate } from "../../../src/trainer/text/chat-template.js";
import { sampleDistinct, seededRandom } from "../../../src/trainer/text/seeded-random.js";
import { THINKING } from "../../../src/trainer/text/thinking-markers.js";
import {
  MIN_PROMPT_TOKENS,
  type PairText,
  type TokenizePairOptions,
  tokenizePair,
  tokenizePairs,
} from "../../../src/trainer/text/tokenize-pair.js";
import { tokenizeChat, tokenizeText } from "../../../src/trainer/text/tokenize-text.js";
import type { Tokenizer } from "../../../src/trainer/text/tokenizer.js";
import type { LabelledTokens, TokenizedPair } from "../../../src/trainer/text/types.js";
import { bosTokenizer, markerTokenizer, plainTokenizer, toyTemplate } from "./toy-text.js";

const OPTIONS: TokenizePairOptions & { readonly template: ChatTemplate } = {
  tokenizer: markerTokenizer,
  template: toyTemplate,
  maxPromptLength: 256,
  maxLength: 512,
  mask: "none",
  includeThinkingTokenInLabels: true,
  markers: THINKING,
};

const PAIR: PairText & { readonly prompt: string } = {
  prompt: "Which material is tough? Use <|thinking|>.",
  chosen: "<|thinking|>\nlayers slide\n<|/thinking|>\nnacre",
  rejected: "<|thinking|>\nhard\n<|/thinking|>\nVelorite is.",
};

function kept(pair: PairText, options: TokenizePairOptions): TokenizedPair & { promptCut: boolean; unmasked: boolean } {
  const outcome = tokenizePair(pair, options);
  if (outcome.kind === "dropped") throw new Error(`dropped: ${outcome.reason}`);
  return { ...outcome.pair, promptCut: outcome.promptCut, unmasked: outcome.unmasked };
}

function labelledText({ ids, labels }: LabelledTokens, tokenizer: Tokenizer): string {
  return tokenizer.decode(ids.filter((_, i) => labels[i] === 1));
}

const both = [
  ["markers are special tokens", markerTokenizer],
  ["markers are plain text of several tokens", plainTokenizer],
] as const;

describe.each(both)("a pair as tokens, where %s", (_, tokenizer) => {
  const options = { ...OPTIONS, tokenizer };

  it("is prompt, replies, and EOS after each", () => {
    const pair = kept(PAIR, options);
    expect(tokenizer.decode(pair.prompt)).toBe(`<|user|>${PAIR.prompt}<|end|><|assistant|>`);
    expect(tokenizer.decode(pair.chosen.ids)).toBe(`${PAIR.chosen}<|end|>`);
    expect(tokenizer.decode(pair.rejected.ids)).toBe(`${PAIR.rejected}<|end|>`);
    expect(pair.chosen.ids.at(-1)).toBe(tokenizer.eosTokenId);
  });
  it("labels the whole reply without a mask", () => {
    expect(labelledText(kept(PAIR, options).chosen, tokenizer)).toBe(`${PAIR.chosen}<|end|>`);
  });
  it("compares the answer and the end marker, where the marker stays", () => {
    const pair = kept(PAIR, { ...options, mask: "dynamic-answer" });
    expect(labelledText(pair.chosen, tokenizer)).toBe("<|/thinking|>\nnacre<|end|>");
    expect(labelledText(pair.rejected, tokenizer)).toBe("<|/thinking|>\nVelorite is.<|end|>");
    expect(pair.unmasked).toBe(false);
  });
  it("compares the answer alone, where the marker does not stay", () => {
    const pair = kept(PAIR, { ...options, mask: "dynamic-answer", includeThinkingTokenInLabels: false });
    expect(labelledText(pair.chosen, tokenizer)).toBe("\nnacre<|end|>");
  });
  it("compares what follows the LAST end marker", () => {
    const chosen = "<|thinking|>a<|/thinking|>b<|thinking|>c<|/thinking|>d";
    const pair = kept({ ...PAIR, chosen }, { ...options, mask: "dynamic-answer", includeThinkingTokenInLabels: false });
    expect(labelledText(pair.chosen, tokenizer)).toBe("d<|end|>");
  });
  it("masks nothing of a reply without a marker, and reports it", () => {
    const pair = kept({ ...PAIR, rejected: "Velorite" }, { ...options, mask: "dynamic-answer" });
    expect(labelledText(pair.rejected, tokenizer)).toBe("Velorite<|end|>");
    expect(labelledText(pair.chosen, tokenizer)).toBe("<|/thinking|>\nnacre<|end|>");
    expect(pair.unmasked).toBe(true);
  });

  it.each([0, 0.3, 0.5, 1])(
    "masks floor(length x %d) thinking tokens inside the delimiters, where they stay",
    (share) => {
      const thinking = tokenizer.encode("\nlayers slide\n").length;
      const pair = kept(PAIR, { ...options, mask: { thinkingShare: share, seed: 1 } });
      expect(pair.chosen.labels.filter((label) => label === 0).length).toBe(Math.floor(thinking * share));
      const text = labelledText(pair.chosen, tokenizer);
      expect(text.startsWith("<|thinking|>")).toBe(true);
      expect(text.endsWith("<|/thinking|>\nnacre<|end|>")).toBe(true);
    },
  );
  it.each([0.5, 1])("masks floor(length x %d) of thinking and delimiters, where they do not stay", (share) => {
    const whole = ["<|thinking|>", "\nlayers slide\n", "<|/thinking|>"];
    const length = whole.reduce((sum, piece) => sum + tokenizer.encode(piece).length, 0);
    const mask = { thinkingShare: share, seed: 1 };
    const pair = kept(PAIR, { ...options, mask, includeThinkingTokenInLabels: false });
    expect(pair.chosen.labels.filter((label) => label === 0).length).toBe(Math.floor(length * share));
    expect(labelledText(pair.chosen, tokenizer).endsWith("\nnacre<|end|>")).toBe(true);
  });
  it("masks each of several thinking sections, and nothing between them", () => {
    const chosen = "<|thinking|>aa bb<|/thinking|>mid<|thinking|>cc dd<|/thinking|>end";
    const pair = kept({ ...PAIR, chosen }, { ...options, mask: { thinkingShare: 1, seed: 1 } });
    expect(labelledText(pair.chosen, tokenizer)).toBe(
      "<|thinking|><|/thinking|>mid<|thinking|><|/thinking|>end<|end|>",
    );
  });
  it("ends a section at its first end marker, whatever follows", () => {
    const chosen = "<|thinking|>aa<|/thinking|>bb<|/thinking|>cc";
    const pair = kept({ ...PAIR, chosen }, { ...options, mask: { thinkingShare: 1, seed: 1 } });
    expect(labelledText(pair.chosen, tokenizer)).toBe("<|thinking|><|/thinking|>bb<|/thinking|>cc<|end|>");
  });
  it.each(["<|thinking|>never closed", "never opened<|/thinking|>yes"])(
    "masks nothing where markers do not match: %s",
    (chosen) => {
      const pair = kept({ ...PAIR, chosen }, { ...options, mask: { thinkingShare: 1, seed: 1 } });
      expect(pair.chosen.labels.includes(0)).toBe(false);
      expect(pair.unmasked).toBe(true);
    },
  );
});

describe("the random mask", () => {
  const long = { ...PAIR, chosen: `<|thinking|>${"layers slide nacre bends ".repeat(8)}<|/thinking|>yes` };
  const labels = (seed: number, row: number): string => {
    const outcome = tokenizePair(long, { ...OPTIONS, mask: { thinkingShare: 0.5, seed } }, row);
    return outcome.kind === "kept" ? outcome.pair.chosen.labels.join("") : "";
  };
  it("is the same for the same seed and row, and another for another", () => {
    expect(labels(1, 0)).toBe(labels(1, 0));
    expect(labels(2, 0)).not.toBe(labels(1, 0));
    expect(labels(1, 1)).not.toBe(labels(1, 0));
  });
  it("draws exactly as many distinct positions as asked, all in range", () => {
    fc.assert(
      fc.property(
        fc.nat(50),
        fc.nat(50),
        fc.nat(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (from, length, seed, share) => {
          const count = Math.floor(length * share);
          const drawn = [...sampleDistinct(from, from + length, count, seededRandom(seed))];
          expect(drawn.length).toBe(count);
          expect(drawn.every((i) => i >= from && i < from + length)).toBe(true);
        },
      ),
      { seed: 6 },
    );
  });
  it("draws every position equally often", () => {
    const hits = new Array<number>(10).fill(0);
    for (let seed = 0; seed < 4000; seed++) for (const i of sampleDistinct(0, 10, 3, seededRandom(7, seed))) hits[i]!++;
    // 1200 expected, standard deviation 29.
    for (const count of hits) expect(Math.abs(count - 1200)).toBeLessThan(150);
  });
});

describe("what does not fit", () => {
  const longPrompt = { ...PAIR, prompt: `first ${"words ".repeat(100)}last` };
  const replyLength = Math.max(...[PAIR.chosen, PAIR.rejected].map((text) => markerTokenizer.encode(text).length)) + 1;

  it("loses the beginning of the prompt, never the replies", () => {
    const pair = kept(longPrompt, { ...OPTIONS, maxPromptLength: 20 });
    expect(pair.promptCut).toBe(true);
    expect(pair.prompt.length).toBe(20);
    expect(markerTokenizer.decode(pair.prompt)).toMatch(/last<\|end\|><\|assistant\|>$/);
    expect(markerTokenizer.decode(pair.chosen.ids)).toBe(`${PAIR.chosen}<|end|>`);
  });
  it("makes prompt and longer reply exactly maxLength", () => {
    const pair = kept(longPrompt, { ...OPTIONS, maxLength: replyLength + 30 });
    expect(pair.prompt.length + Math.max(pair.chosen.ids.length, pair.rejected.ids.length)).toBe(replyLength + 30);
  });
  it("keeps BOS in front of a cut prompt", () => {
    const options = { ...OPTIONS, tokenizer: bosTokenizer, maxPromptLength: 20 };
    expect(kept(PAIR, { ...options, maxPromptLength: 200 }).prompt[0]).toBe(bosTokenizer.bosTokenId);
    const { prompt } = kept(longPrompt, options);
    expect([prompt[0], prompt.length]).toEqual([bosTokenizer.bosTokenId, 20]);
  });

  const words = "layers ".repeat(60);
  it.each<[string, Partial<PairText>, Partial<TokenizePairOptions>, string]>([
    ["a prompt with no room left", longPrompt, { maxLength: replyLength + MIN_PROMPT_TOKENS - 1 }, "prompt-too-long"],
    ["an answer longer than everything", { rejected: words }, { maxLength: 30 }, "answer-too-long"],
    [
      "an end marker beyond the limit",
      { chosen: `<|thinking|>${words}<|/thinking|>x` },
      { maxLength: 30 },
      "end-marker-cut",
    ],
    ["an answer of white space", { rejected: " \n" }, {}, "empty-answer"],
    ["two equal answers", { rejected: PAIR.chosen }, {}, "identical-answers"],
    [
      "thinking without an answer",
      { chosen: "<|thinking|>x<|/thinking|>" },
      { mask: "dynamic-answer" },
      "nothing-to-compare",
    ],
  ])("%s is dropped with its reason", (_, pair, options, reason) => {
    expect(tokenizePair({ ...PAIR, ...pair }, { ...OPTIONS, ...options })).toEqual({ kind: "dropped", reason });
  });
  it("a reply whose end marker just fits with the shortest prompt is kept", () => {
    const outcome = tokenizePair(PAIR, { ...OPTIONS, maxLength: replyLength + MIN_PROMPT_TOKENS });
    expect(outcome.kind).toBe("kept");
  });
  it("is counted, and rows keep their indices", () => {
    const list = [
      PAIR,
      { ...PAIR, rejected: PAIR.chosen },
      { ...PAIR, rejected: " " },
      { ...PAIR, rejected: "Velorite" },
      longPrompt,
    ];
    const result = tokenizePairs(list, { ...OPTIONS, mask: "dynamic-answer", maxPromptLength: 30 });
    expect(result.indices).toEqual([0, 3, 4]);
    expect(result.pairs.length).toBe(3);
    expect(result.dropped).toMatchObject({ "identical-answers": 1, "empty-answer": 1, "answer-too-long": 0 });
    expect({ unmasked: result.unmasked, promptCut: result.promptCut }).toEqual({ unmasked: 1, promptCut: 1 });
  });
});

describe("tokenizeChat", () => {
  it("labels the last reply and its EOS, with the same tokens as a pair has", () => {
    const messages = [
      { role: "user", content: PAIR.prompt },
      { role: "assistant", content: PAIR.chosen },
    ] as const;
    const chat = tokenizeChat(messages, OPTIONS);
    const pair = kept(PAIR, OPTIONS);
    expect([...chat.ids]).toEqual([...pair.prompt, ...pair.chosen.ids]);
    expect(labelledText(chat, markerTokenizer)).toBe(`${PAIR.chosen}<|end|>`);
  });
  it("wants a reply", () => {
    expect(() => tokenizeChat([{ role: "user", content: "x" }], OPTIONS)).toThrow(
      /must be the assistant's reply, found user/,
    );
    expect(() => tokenizeChat([], OPTIONS)).toThrow(/found no message/);
  });
});

describe("tokenizeText", () => {
  it("makes every token but the first a target, and ends as asked", () => {
    const { ids, labels } = tokenizeText("The nacre", markerTokenizer);
    expect(markerTokenizer.decode(ids)).toBe("The nacre<|end|>");
    expect([...labels]).toEqual([0, ...Array(ids.length - 1).fill(1)]);
    expect(markerTokenizer.decode(tokenizeText("a", markerTokenizer, { endTokenId: 0 }).ids)).toBe("a<|endoftext|>");
    expect(markerTokenizer.decode(tokenizeText("a", markerTokenizer, { endTokenId: null }).ids)).toBe("a");
  });
});
