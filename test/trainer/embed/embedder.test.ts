/** @file Embeddings of tiny BERT checkpoints against transformers, and the process that computes them. */
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embedBatches } from "../../../src/trainer/embed/embed-batches.js";
import { type Embedder, openEmbedder } from "../../../src/trainer/index.js";
import { embeddingGolden, farthest, tinyBert } from "../../support/embedding-golden.js";
import { tempDir } from "../checkpoint/temp-dir.js";

/** What rounding of float32 sums may move an element by; parity with transformers and independence of the batch. */
const ROUNDING = 2e-6;

const GOLDENS = { cls: embeddingGolden("cls/golden.json"), mean: embeddingGolden("mean/golden.json") };
const embedders = {} as Record<"cls" | "mean", Embedder>;
beforeAll(async () => {
  embedders.cls = await openEmbedder({ model: tinyBert("cls"), threads: 1 });
  embedders.mean = await openEmbedder({ model: tinyBert("mean"), threads: 1 });
});
afterAll(() => Promise.all([embedders.cls?.close(), embedders.mean?.close()]));

describe.each(["cls", "mean"] as const)("a tiny BERT with %s pooling", (name) => {
  const golden = GOLDENS[name];
  const texts = golden.map(({ text }) => text);

  it("gives the vectors of transformers, odd texts included", async () => {
    const vectors = await embedders[name].embed(texts);
    expect(
      farthest(
        vectors,
        golden.map(({ vector }) => vector),
      ),
    ).toBeLessThan(ROUNDING);
  });

  it("gives a text the same vector in any company and order", async () => {
    const together = await embedders[name].embed(texts);
    const reversed = await embedders[name].embed(texts.toReversed());
    const alone: Float32Array[] = [];
    for (const text of texts) alone.push(...(await embedders[name].embed([text])));
    expect(farthest(reversed.toReversed(), together)).toBeLessThan(ROUNDING);
    expect(farthest(alone, together)).toBeLessThan(ROUNDING);
  });
});

it("says what it is", () => {
  expect(embedders.cls.info).toMatchObject({
    dimensions: 12,
    maxTokens: 32,
    normalized: true,
    prompts: { query: "query: " },
  });
  expect(embedders.mean.info).toMatchObject({ maxTokens: 20, normalized: false, prompts: {} });
  expect(embedders.cls.info.modelHash).toMatch(/^[0-9a-f]{64}$/);
  expect(embedders.mean.info.modelHash).not.toBe(embedders.cls.info.modelHash);
});

it("counts tokens with the special ones and before anything is cut off", () => {
  const { text } = GOLDENS.mean.find(({ text }) => text.startsWith("long")) as { text: string };
  expect(embedders.mean.countTokens(text)).toBe(302);
  expect(embedders.mean.countTokens("")).toBe(2);
});

it("puts a prompt in front of texts where it is named, and refuses a name that the model does not have", async () => {
  const last = GOLDENS.cls.at(-1);
  expect(last?.text).toBe(`query: ${GOLDENS.cls[0]?.text}`);
  const [asked] = await embedders.cls.embed([GOLDENS.cls[0]?.text ?? ""], { promptName: "query" });
  expect(farthest([asked ?? []], [last?.vector ?? []])).toBeLessThan(ROUNDING);
  await expect(embedders.cls.embed(["a"], { promptName: "question" })).rejects.toThrow(
    'prompt "question": this model has query',
  );
});

it("gives nothing for nothing, and counts finished texts up to all", async () => {
  expect(await embedders.cls.embed([])).toEqual([]);
  const seen: string[] = [];
  const texts = Array.from({ length: 130 }, (_, i) => `text ${i}`);
  const vectors = await embedders.cls.embed(texts, {
    onProgress: (finished, total) => seen.push(`${finished}/${total}`),
  });
  expect(vectors).toHaveLength(130);
  expect(seen).toEqual(["64/130", "128/130", "130/130"]);
});

it("stops between batches when it is told to, and goes on with the next call", async () => {
  const controller = new AbortController();
  const texts = Array.from({ length: 300 }, (_, i) => `text ${i}`);
  let finished = 0;
  const stopped = embedders.cls.embed(texts, {
    signal: controller.signal,
    onProgress: (count) => {
      finished = count;
      controller.abort(new Error("enough"));
    },
  });
  await expect(stopped).rejects.toThrow("enough");
  expect(finished).toBe(64);
  expect(await embedders.cls.embed(["a"])).toHaveLength(1);
});

it("answers calls that run at the same time", async () => {
  const asked = Array.from({ length: 5 }, (_, i) => `the cat ${i}`);
  const alone = await embedders.mean.embed(asked);
  const beside = await Promise.all(asked.map((text) => embedders.mean.embed([text])));
  expect(farthest(beside.flat(), alone)).toBeLessThan(ROUNDING);
});

it("refuses calls once it is closed, and gives up opening when it is told to", async () => {
  const embedder = await openEmbedder({ model: tinyBert("cls"), threads: 1 });
  const running = embedder.embed(["a"]);
  await embedder.close();
  await running.catch((error: Error) => expect(error.message).toContain("the embedder was closed"));
  await expect(embedder.embed(["a"])).rejects.toThrow("the embedder was closed");
  await expect(
    openEmbedder({ model: tinyBert("cls"), signal: AbortSignal.abort(new Error("not now")) }),
  ).rejects.toThrow("not now");
});

it("fails the calls of a process that dies, and starts another for the next", async () => {
  const embedder = await openEmbedder({ model: tinyBert("cls"), threads: 1 });
  const { remote } = embedder as unknown as { remote: { process: { child: { kill(signal: string): void } } } };
  const lost = embedder.embed(["a"]);
  remote.process.child.kill("SIGKILL");
  await expect(lost).rejects.toThrow("the embedding process ended (SIGKILL); the next call starts another");
  expect(await embedder.embed(["a"])).toHaveLength(1);
  await embedder.close();
});

it("changes its hash with the pooling, so that vectors of two settings are told apart", async () => {
  const dir = join(await tempDir(), "model");
  await cp(tinyBert("cls"), dir, { recursive: true });
  await mkdir(join(dir, "1_Pooling"), { recursive: true });
  await writeFile(join(dir, "1_Pooling/config.json"), JSON.stringify({ pooling_mode_mean_tokens: true }));
  const embedder = await openEmbedder({ model: dir, threads: 1 });
  expect(embedder.info.modelHash).not.toBe(embedders.cls.info.modelHash);
  expect(farthest(await embedder.embed(["a cat"]), await embedders.cls.embed(["a cat"]))).toBeGreaterThan(1e-3);
  await embedder.close();
});

it("puts texts of like length together, within a number of padded tokens and of texts", () => {
  expect(embedBatches([3, 9, 4])).toEqual([[1, 2, 0]]);
  expect(embedBatches([]).flat()).toEqual([]);
  const lengths = Array.from({ length: 500 }, (_, i) => 1 + ((i * 37) % 512));
  const batches = embedBatches(lengths);
  expect(batches.flat().toSorted((a, b) => a - b)).toEqual([...lengths.keys()]);
  for (const batch of batches) {
    const longest = Math.max(...batch.map((i) => lengths[i] as number));
    expect(batch.length).toBeLessThanOrEqual(64);
    expect(longest * batch.length).toBeLessThanOrEqual(2048);
  }
  expect(embedBatches([5000, 5000])).toEqual([[0], [1]]);
});
