import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createChatTemplate, loadChatTemplate } from "../../../src/trainer/text/chat-template.js";
import { NANO_CHAT_TEMPLATE, NANO_SPECIAL_TOKENS } from "../../../src/trainer/text/nano-format.js";
import { createTokenizer, loadTokenizer } from "../../../src/trainer/text/tokenizer.js";
import { tokenizerConfigJson } from "../../../src/trainer/text/train-tokenizer.js";
import { bosTokenizer, markerTokenizer, plainTokenizer, toyTemplate, toyTokenizerJson } from "./toy-text.js";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "preflexor-test-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const CONFIG = tokenizerConfigJson({
  specialTokens: NANO_SPECIAL_TOKENS,
  eosToken: "<|end|>",
  padToken: "<|endoftext|>",
  modelMaxLength: 64,
});

const put = (file: string, content: unknown): Promise<void> =>
  writeFile(join(dir, file), typeof content === "string" ? content : JSON.stringify(content));

describe("loadTokenizer", () => {
  it("loads what training wrote, with its special ids", async () => {
    await put("tokenizer.json", toyTokenizerJson());
    await put("tokenizer_config.json", CONFIG);
    const tokenizer = await loadTokenizer(dir);
    expect(tokenizer.eosTokenId).toBe(3);
    expect(tokenizer.padTokenId).toBe(0);
    expect(tokenizer.bosTokenId).toBeUndefined();
    expect(tokenizer.vocabSize).toBe(markerTokenizer.vocabSize);
    expect(tokenizer.encode("The nacre<|end|>")).toEqual(markerTokenizer.encode("The nacre<|end|>"));
  });
  it("names the file that is missing or no JSON", async () => {
    await expect(loadTokenizer(dir)).rejects.toThrow(/lacks tokenizer\.json; download/);
    await put("tokenizer.json", "{");
    await expect(loadTokenizer(dir)).rejects.toThrow(/tokenizer\.json is not JSON/);
    await put("tokenizer.json", toyTokenizerJson());
    await expect(loadTokenizer(dir)).rejects.toThrow(/lacks tokenizer_config\.json/);
  });
  it.each<[string, unknown, unknown, RegExp]>([
    ["no eos_token", toyTokenizerJson(), { ...CONFIG, eos_token: null }, /has no eos_token/],
    [
      "an eos_token outside the vocabulary",
      toyTokenizerJson(),
      { ...CONFIG, eos_token: "</s>" },
      /has no eos_token of the vocabulary/,
    ],
    ["an unknown model", { model: { type: "Nope" } }, CONFIG, /tokenizer\.json cannot be used/],
  ])("refuses %s", async (_, json, config, message) => {
    await put("tokenizer.json", json);
    await put("tokenizer_config.json", config);
    await expect(loadTokenizer(dir)).rejects.toThrow(message);
  });
  it("refuses a tokenizer that changes texts given in pieces", () => {
    const json = toyTokenizerJson();
    const prefixed = { ...json, pre_tokenizer: { ...(json["pre_tokenizer"] as object), add_prefix_space: true } };
    expect(() => createTokenizer(prefixed, CONFIG, "toy")).toThrow(/adds a space in front of each piece/);
  });
});

describe("a tokenizer", () => {
  it("adds nothing, recognises special tokens in text and can leave them out when decoding", () => {
    const ids = markerTokenizer.encode("<|thinking|>The<|/thinking|>");
    expect([...ids]).toEqual([4, ...markerTokenizer.encode("The"), 5]);
    expect(markerTokenizer.decode(ids)).toBe("<|thinking|>The<|/thinking|>");
    expect(markerTokenizer.decode(ids, { skipSpecialTokens: true })).toBe("The");
    expect(bosTokenizer.encode("The")).toEqual(markerTokenizer.encode("The"));
  });
  it("takes empty text and no ids", () => {
    expect(markerTokenizer.encode("").length).toBe(0);
    expect(markerTokenizer.decode([])).toBe("");
  });
  it("does not clean up spaces before punctuation", () => {
    expect(markerTokenizer.decode(markerTokenizer.encode("a , b . c n't"))).toBe("a , b . c n't");
  });
  it("knows a token's id, or that there is none", () => {
    expect(markerTokenizer.tokenId("<|/thinking|>")).toBe(5);
    expect(plainTokenizer.tokenId("<|/thinking|>")).toBeUndefined();
  });
});

const TURNS = [
  { role: "user", content: "Q" },
  { role: "assistant", content: "A" },
] as const;

describe("a chat template", () => {
  it("renders turns, and opens the assistant's", () => {
    expect(toyTemplate.render(TURNS, { addGenerationPrompt: false })).toBe("<|user|>Q<|end|><|assistant|>A<|end|>");
    expect(toyTemplate.render(TURNS.slice(0, 1), { addGenerationPrompt: true })).toBe("<|user|>Q<|end|><|assistant|>");
  });
  it("leaves the last turn open where it is to be continued", () => {
    const options = { addGenerationPrompt: false, continueFinalMessage: true };
    expect(toyTemplate.render(TURNS, options)).toBe("<|user|>Q<|end|><|assistant|>A");
    const trimming = createChatTemplate("{% for m in messages %}[{{ m.content | trim }}]{% endfor %}", {}, "toy");
    expect(trimming.render([{ role: "assistant", content: " A \n" }], options)).toBe("[A");
  });
  it("says so where the template hides the last message", () => {
    const hiding = createChatTemplate("{% for m in messages %}{{ m.role }}{% endfor %}", {}, "toy");
    const render = (): string => hiding.render(TURNS, { addGenerationPrompt: false, continueFinalMessage: true });
    expect(render).toThrow(/toy: the chat template does not show the last message/);
  });
  it("gets BOS and EOS, and the same date every day", () => {
    const template = createChatTemplate(
      "{{ bos_token }}{{ date_string }}{{ eos_token }}",
      { bos: "<s>", eos: "</s>" },
      "toy",
    );
    expect(template.render([], { addGenerationPrompt: false })).toBe("<s>26 Jul 2024</s>");
  });
  it("reports its own errors, and where they came from", () => {
    const render = (): string => toyTemplate.render([{ role: "system", content: "x" }], { addGenerationPrompt: true });
    expect(render).toThrow(/toy: the chat template failed: .*user and assistant, found system/);
    expect(() => createChatTemplate("{% for %}", {}, "toy")).toThrow(/toy: the chat template failed/);
  });
  it("is read from chat_template.jinja first, then from tokenizer_config.json, one or named", async () => {
    const shown = async (): Promise<string> =>
      (await loadChatTemplate(dir)).render(TURNS, { addGenerationPrompt: false });
    await put("tokenizer_config.json", CONFIG);
    await expect(loadChatTemplate(dir)).rejects.toThrow(/neither chat_template\.jinja nor a chat_template/);
    await put("tokenizer_config.json", { ...CONFIG, chat_template: "one{{ eos_token }}" });
    expect(await shown()).toBe("one<|end|>");
    const named = [
      { name: "tool_use", template: "t" },
      { name: "default", template: "d" },
    ];
    await put("tokenizer_config.json", { ...CONFIG, chat_template: named });
    expect(await shown()).toBe("d");
    await put("chat_template.jinja", NANO_CHAT_TEMPLATE);
    expect(await shown()).toBe("<|user|>Q<|end|><|assistant|>A<|end|>");
  });
});
