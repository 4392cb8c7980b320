import { describe, expect, it } from "vitest";
import { createChatTemplate } from "../../../src/trainer/text/chat-template.js";
import { parsePreferences, parseSupervised } from "../../../src/trainer/text/read-dataset.js";
import { THINKING } from "../../../src/trainer/text/thinking-markers.js";
import { leftOutLines, tokenizePreferences, tokenizeTexts } from "../../../src/trainer/text/tokenize-dataset.js";
import type { TokenizePairOptions } from "../../../src/trainer/text/tokenize-pair.js";
import type { TokenizeSupervisedOptions } from "../../../src/trainer/text/tokenize-supervised.js";
import type { LabelledTokens } from "../../../src/trainer/text/types.js";
import { bosTokenizer, markerTokenizer, toyTemplate } from "./toy-text.js";

const PAIRS: TokenizePairOptions = {
  tokenizer: markerTokenizer,
  template: toyTemplate,
  maxPromptLength: 64,
  maxLength: 128,
  mask: "none",
  includeThinkingTokenInLabels: true,
  markers: THINKING,
};
const TEXTS: TokenizeSupervisedOptions = { ...PAIRS, packing: false };

const bytes = (...rows: unknown[]): Uint8Array => Buffer.from(rows.map((row) => JSON.stringify(row)).join("\n"));
const pairs = async (options: TokenizePairOptions, ...rows: unknown[]) =>
  tokenizePreferences(await parsePreferences(bytes(...rows), "pairs.jsonl"), options);
const texts = async (options: TokenizeSupervisedOptions, ...rows: unknown[]) =>
  tokenizeTexts(await parseSupervised(bytes(...rows), "texts.jsonl"), options);

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });
const decode = (ids: ArrayLike<number>): string => markerTokenizer.decode(ids);
const targets = ({ ids, labels }: LabelledTokens): string => decode(ids.filter((_, i) => labels[i] === 1));

describe("prompts", () => {
  const REPLIES = { chosen: "Nacre.", rejected: "Velorite." };
  const promptOf = async (prompt: unknown, options: Partial<TokenizePairOptions> = {}): Promise<string> =>
    decode((await pairs({ ...PAIRS, ...options }, { prompt, ...REPLIES })).pairs[0]!.prompt);

  it("that are strings are the user's turn, and the same tokens as a conversation of that turn", async () => {
    const expected = "<|user|>Which material?<|end|><|assistant|>";
    expect(await promptOf("Which material?")).toBe(expected);
    expect(await promptOf([user("Which material?")])).toBe(expected);
  });
  it("that are rendered already stay as they are with prompt_format raw", async () => {
    const rendered = "<|user|>Which material?<|end|><|assistant|>";
    expect(await promptOf(rendered, { promptFormat: "raw" })).toBe(rendered);
    expect(await promptOf(rendered)).not.toBe(rendered);
  });
  it("that are raw need no chat template, and conversations do", async () => {
    const { template: _, ...without } = PAIRS;
    const raw = await pairs({ ...without, promptFormat: "raw" }, { prompt: "Which?", ...REPLIES });
    expect(decode(raw.pairs[0]!.prompt)).toBe("Which?");
    await expect(pairs(without, { prompt: "Which?", ...REPLIES })).rejects.toThrow(/row 1 .*no chat template/);
  });
  it("that are raw get a BOS only from a tokenizer that adds one", async () => {
    const raw = { ...PAIRS, tokenizer: bosTokenizer, promptFormat: "raw" } as const;
    expect(bosTokenizer.addsBos).toBe(false);
    expect((await pairs(raw, { prompt: "Which?", ...REPLIES })).pairs[0]!.prompt[0]).not.toBe(bosTokenizer.bosTokenId);
    const adding = { ...raw, tokenizer: { ...bosTokenizer, addsBos: true } };
    expect((await pairs(adding, { prompt: "Which?", ...REPLIES })).pairs[0]!.prompt[0]).toBe(bosTokenizer.bosTokenId);
  });
  it("of several turns keep every turn", async () => {
    expect(await promptOf([user("Hi"), assistant("Hello."), user("Which?")])).toBe(
      "<|user|>Hi<|end|><|assistant|>Hello.<|end|><|user|>Which?<|end|><|assistant|>",
    );
  });
  it("that end with the assistant's turn leave it open for the reply", async () => {
    expect(await promptOf([user("Which?"), assistant("It is")])).toBe("<|user|>Which?<|end|><|assistant|>It is");
  });
  it("that the template refuses are an error with the line", async () => {
    const row = { prompt: [{ role: "system", content: "Be brief." }, user("Which?")], ...REPLIES };
    await expect(pairs(PAIRS, { prompt: "a", ...REPLIES }, row)).rejects.toThrow(/row 2 cannot be tokenized: .*roles/);
  });
});

describe("what is left out", () => {
  it("has its line and reason, whether the reader refused it or its tokens did not fit", async () => {
    const good = { prompt: "Which?", chosen: "Nacre.", rejected: "Velorite." };
    const long = "nacre ".repeat(200);
    const {
      left,
      numbers,
      pairs: kept,
    } = await pairs(
      PAIRS,
      { ...good, chosen: "" },
      good,
      { ...good, rejected: good.chosen },
      { ...good, chosen: long },
      { ...good, chosen: `<|thinking|>${long}<|/thinking|>a` },
      good,
    );
    expect(leftOutLines(left, "line")).toEqual([
      "line 1: chosen is an empty answer",
      "line 3: chosen and rejected are the same",
      "line 4: a reply is longer than max_length",
      "line 5: a reply is longer than max_length, and its end marker would be cut off",
    ]);
    expect(numbers).toEqual([2, 6]);
    expect(kept).toHaveLength(2);
  });
  it("is the error where nothing is kept", async () => {
    const same = { prompt: "Which?", chosen: "Nacre.", rejected: "Nacre." };
    await expect(pairs(PAIRS, same)).rejects.toThrow(/no pair .*\n {2}- line 1: chosen and rejected are the same/);
  });
  it("is shortened to a count where it is long", () => {
    const left = Array.from({ length: 5 }, (_, i) => ({ number: i + 1, reason: "r" }));
    expect(leftOutLines(left, "row", 2)).toEqual(["row 1: r", "row 2: r", "and 3 more"]);
  });
});

describe("supervised rows", () => {
  it("have the reply and its EOS as targets, and not the prompt", async () => {
    const { texts: rows } = await texts(TEXTS, { prompt: "Which?", completion: "Nacre." });
    expect(decode(rows[0]!.ids)).toBe("<|user|>Which?<|end|><|assistant|>Nacre.<|end|>");
    expect(targets(rows[0]!)).toBe("Nacre.<|end|>");
  });
  it("give a text for each reply of a conversation", async () => {
    const messages = [user("Hi"), assistant("Hello."), user("Which?"), assistant("Nacre.")];
    const { texts: rows } = await texts(TEXTS, { messages });
    expect(rows.map(targets)).toEqual(["Hello.<|end|>", "Nacre.<|end|>"]);
    expect(decode(rows[1]!.ids)).toBe(
      "<|user|>Hi<|end|><|assistant|>Hello.<|end|><|user|>Which?<|end|><|assistant|>Nacre.<|end|>",
    );
  });
  it("see an earlier reply as the template renders it, which may leave its thinking out", async () => {
    const forgetful = createChatTemplate(
      "{%- for m in messages -%}<|{{ m.role }}|>{{ m.content.split('<|/thinking|>')[-1] }}<|end|>{%- endfor -%}" +
        "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}",
      {},
      "forgetful",
    );
    const messages = [user("Hi"), assistant("<|thinking|>hm<|/thinking|>Hello."), user("Why?"), assistant("Nacre.")];
    const { texts: rows } = await texts({ ...TEXTS, template: forgetful }, { messages });
    expect(targets(rows[0]!)).toBe("<|thinking|>hm<|/thinking|>Hello.<|end|>");
    expect(decode(rows[1]!.ids)).not.toContain("hm");
  });
  it("that do not fit are left out by line and reason", async () => {
    const { left } = await texts(
      TEXTS,
      { prompt: "Which?", completion: "nacre ".repeat(200) },
      { prompt: "Which?", completion: "Nacre." },
    );
    expect(left).toEqual([{ number: 1, reason: "a reply is longer than max_length" }]);
  });
});

describe("raw text", () => {
  const DOCUMENTS = ["Nacre is tough because its layers slide.", "Velorite bends.", "The answer is nacre."];
  const rows = DOCUMENTS.map((text) => ({ text }));
  const stream = DOCUMENTS.map((text) => `${text}<|end|>`).join("");

  it("that is packed loses no token, is joined with EOS, and fills every row but the last", async () => {
    const packed = (await texts({ ...TEXTS, packing: true, maxLength: 7 }, ...rows)).texts;
    expect(packed.map(({ ids }) => decode(ids)).join("")).toBe(stream);
    expect(packed.slice(0, -1).every(({ ids }) => ids.length === 7)).toBe(true);
    expect(packed.at(-1)!.ids.length).toBeLessThanOrEqual(7);
  });
  it("that is packed has every token of a row as target but the first, which nothing precedes", async () => {
    const [row] = (await texts({ ...TEXTS, packing: true, maxLength: 7 }, ...rows)).texts;
    expect([...row!.labels]).toEqual([0, 1, 1, 1, 1, 1, 1]);
  });
  it("that is not packed starts a row with each text, and goes on in further rows", async () => {
    const cut = (await texts({ ...TEXTS, maxLength: 7 }, ...rows)).texts;
    expect(cut.length).toBeGreaterThan(rows.length);
    expect(cut.filter(({ ids }) => DOCUMENTS.some((text) => text.startsWith(decode(ids.slice(0, 2)))))).toHaveLength(3);
  });
});
