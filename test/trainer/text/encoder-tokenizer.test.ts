/** @file BERT's WordPiece as transformers does it: letters, ideographs, cutting. */
import { expect, it } from "vitest";
import { createEncoderTokenizer, loadEncoderTokenizer } from "../../../src/trainer/text/index.js";
import { embeddingGolden, tinyBert } from "../../support/embedding-golden.js";

it.each([
  { name: "cls", folder: "cls", maxTokens: 32, letters: "as they are" },
  { name: "mean", folder: "mean/0_Transformer", maxTokens: 20, letters: "lowered, without accents" },
])("gives the ids of transformers, letters $letters", async ({ name, folder, maxTokens }) => {
  const tokenizer = await loadEncoderTokenizer(tinyBert(folder as "cls"));
  for (const { text, ids } of embeddingGolden(`${name}/golden.json`)) {
    expect([...tokenizer.encode(text, maxTokens)], text).toEqual(ids);
  }
});

const VOCABULARY = ["[UNK]", "[CLS]", "[SEP]", "a", "i", "σ", "##σ", "x", "𠀀", "中", "b", "##b", "é"];
const vocab = Object.fromEntries(VOCABULARY.map((token, id) => [token, id]));
const special = (name: string) => ({ id: name, ids: [vocab[name]], tokens: [name] });
const JSON_OF = (more: Record<string, unknown> = {}) => ({
  added_tokens: ["[UNK]", "[CLS]", "[SEP]"].map((content) => ({ id: vocab[content], content, special: true })),
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: {
    type: "TemplateProcessing",
    single: [
      { SpecialToken: { id: "[CLS]", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "[SEP]", type_id: 0 } },
    ],
    pair: [],
    special_tokens: { "[CLS]": special("[CLS]"), "[SEP]": special("[SEP]") },
  },
  model: { type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", max_input_chars_per_word: 4, vocab },
  ...more,
});
const tokens = (text: string, config: Record<string, unknown> = {}): string[] =>
  [...createEncoderTokenizer(JSON_OF(), config, "here").encode(text)]
    .slice(1, -1)
    .map((id) => VOCABULARY[id] as string);

it("takes each character by itself: final sigmas, dotted capital I, rare ideographs, controls", () => {
  expect(tokens("ΣΣ")).toEqual(["σ", "##σ"]);
  expect(tokens("İ")).toEqual(["i"]);
  expect(tokens("a𠀀a中")).toEqual(["a", "𠀀", "a", "中"]);
  expect(tokens("b\u000bb\u200b\u0085b\u0000\tb")).toEqual(["b", "##b", "##b", "b"]);
});

it("calls a word of too many characters unknown, counting characters and not code units", () => {
  expect(tokens("bbbb")).toEqual(["b", "##b", "##b", "##b"]);
  expect(tokens("bbbbb")).toEqual(["[UNK]"]);
});

it("lets tokenizer_config.json decide about letters", () => {
  expect(tokens("É")).toEqual(["[UNK]"]);
  expect(tokens("É", { strip_accents: false })).toEqual(["é"]);
  expect(tokens("A", { do_lower_case: false })).toEqual(["[UNK]"]);
  expect(tokens("a中", { tokenize_chinese_chars: false })).toEqual(["[UNK]"]);
});

it("cuts the end of the text and keeps the special tokens", () => {
  const tokenizer = createEncoderTokenizer(JSON_OF(), { model_max_length: 512 }, "here");
  expect([...tokenizer.encode("a i x", 4)]).toEqual([1, 3, 4, 2]);
  expect([...tokenizer.encode("a i x", 2)]).toEqual([1, 2]);
  expect(tokenizer).toMatchObject({ specialTokens: 2, vocabSize: VOCABULARY.length, maxTokens: 512 });
});

it("refuses another kind of tokenizer by name", () => {
  expect(() => createEncoderTokenizer(JSON_OF({ model: { type: "BPE" } }), {}, "here")).toThrow(
    "here: tokenizer.json holds BPE behind BertNormalizer; expected WordPiece behind BertNormalizer",
  );
});
