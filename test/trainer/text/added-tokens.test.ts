import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type AddedTokens,
  encodeMarked,
  loadChatTemplate,
  loadTokenizer,
  MARKER_TOKENS,
  NANO_CHAT_TEMPLATE,
  NANO_EOS_TOKEN,
  NANO_PAD_TOKEN,
  NANO_SPECIAL_TOKENS,
  THINKING,
  tokenizeChat,
  tokenizePair,
  tokenizerConfigJson,
  writeAddedTokens,
} from "../../../src/trainer/text/index.js";
import { plainTokenizer, toyTokenizerJson } from "./toy-text.js";

const KNOWN = NANO_SPECIAL_TOKENS.slice(0, 4); // without the markers
const REPLY = `${THINKING.start}Layers slide.${THINKING.end}The answer is nacre.`;

describe("a tokenizer with added markers", () => {
  let root: string;
  let source: string;
  let target: string;
  let added: AddedTokens;

  async function writeSource(dir: string, extra: Record<string, unknown> = {}): Promise<string> {
    const config = tokenizerConfigJson({
      specialTokens: KNOWN,
      eosToken: NANO_EOS_TOKEN,
      padToken: NANO_PAD_TOKEN,
      modelMaxLength: 512,
    });
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, "tokenizer.json"), JSON.stringify(toyTokenizerJson(KNOWN)));
    await writeFile(join(dir, "tokenizer_config.json"), JSON.stringify({ ...config, ...extra }));
    await writeFile(join(dir, "chat_template.jinja"), NANO_CHAT_TEMPLATE);
    return dir;
  }

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "added-"));
    source = await writeSource(join(root, "source"), {
      additional_special_tokens: ["<|user|>"],
      added_tokens_decoder: {},
    });
    target = join(root, "target");
    added = await writeAddedTokens(source, target);
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it("gives them the ids behind the last one, and moves no other", async () => {
    const first = plainTokenizer.vocabSize;
    expect(added).toEqual({ ids: [first, first + 1, first + 2, first + 3], known: [], vocabSize: first + 4 });
    const tokenizer = await loadTokenizer(target);
    expect(MARKER_TOKENS.map((token) => tokenizer.tokenId(token))).toEqual(added.ids);
    const text = "Velorite is a layered material. é 漢 🙂";
    expect(tokenizer.encode(text)).toEqual(plainTokenizer.encode(text));
  });

  it("reads each as one token wherever it stands, and writes it back", async () => {
    const tokenizer = await loadTokenizer(target);
    const text = `a${MARKER_TOKENS.join("b")}c`;
    const ids = [...tokenizer.encode(text)];
    for (const id of added.ids) expect(ids.filter((found) => found === id)).toHaveLength(1);
    expect(tokenizer.decode(ids)).toBe(text);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe("abbbc");
  });

  it("has marker spans of one token in replies, through chats and pairs too", async () => {
    const [tokenizer, template] = [await loadTokenizer(target), await loadChatTemplate(target)];
    const [start, end] = added.ids as [number, number];
    const marked = encodeMarked(REPLY, THINKING, tokenizer);
    expect([...marked.starts, ...marked.ends].map(({ from, to }) => to - from)).toEqual([1, 1]);
    expect(marked.ids[0]).toBe(start);
    expect(encodeMarked(REPLY, THINKING, plainTokenizer).starts[0]?.to).toBeGreaterThan(1);
    const prompt = `Which is tough? Use ${THINKING.start}.`;
    const chat = tokenizeChat(
      [
        { role: "user", content: prompt },
        { role: "assistant", content: REPLY },
      ],
      { tokenizer, template },
    );
    expect([...chat.ids].filter((id) => id === start)).toHaveLength(2);
    const outcome = tokenizePair(
      { prompt, chosen: REPLY, rejected: "Velorite." },
      {
        tokenizer,
        template,
        maxPromptLength: 64,
        maxLength: 128,
        mask: "dynamic-answer",
        includeThinkingTokenInLabels: true,
        markers: THINKING,
      },
    );
    if (outcome.kind !== "kept") throw new Error(outcome.reason);
    const { ids, labels } = outcome.pair.chosen;
    expect(labels.indexOf(1)).toBe(ids.indexOf(end));
  });

  it("keeps the lists that transformers 4 reads complete", async () => {
    const config = JSON.parse(await readFile(join(target, "tokenizer_config.json"), "utf8"));
    expect(config.additional_special_tokens).toEqual(["<|user|>", ...MARKER_TOKENS]);
    expect(config.added_tokens_decoder[String(added.ids[0])]).toEqual({
      content: THINKING.start,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    });
  });

  it("leaves a token that is there already as it is", async () => {
    const again = await writeAddedTokens(target, join(root, "again"), { tokens: [THINKING.start, "<|idea|>"] });
    expect(again).toEqual({
      ids: [added.ids[0], added.vocabSize],
      known: [THINKING.start],
      vocabSize: added.vocabSize + 1,
    });
  });

  it("shows a token that is not special when specials are skipped", async () => {
    const dir = join(root, "visible");
    const { ids } = await writeAddedTokens(source, dir, { tokens: ["<think>"], special: false });
    const tokenizer = await loadTokenizer(dir);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe("<think>");
  });

  it.each([[[]], [["a", "a"]], [[""]]])("refuses %j", async (tokens) => {
    await expect(writeAddedTokens(source, join(root, "no"), { tokens })).rejects.toThrow(/different texts/);
  });

  it("refuses a word that the vocabulary has and text does not keep whole", async () => {
    const token = "Ġ"; // how the vocabulary spells a space; as text it is two bytes
    expect(plainTokenizer.tokenId(token)).toBeDefined();
    await expect(writeAddedTokens(source, join(root, "no"), { tokens: [token] })).rejects.toThrow(/becomes \d+ tokens/);
  });
});
