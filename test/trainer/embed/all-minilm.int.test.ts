/** @file A real checkpoint: all-MiniLM-L6-v2 as sentence-transformers publishes it. Skipped where it is absent. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Embedder, openEmbedder } from "../../../src/trainer/index.js";
import { embeddingGolden, farthest } from "../../support/embedding-golden.js";

const MODEL = fileURLToPath(new URL("../../../.cache/all-minilm-l6-v2/", import.meta.url));
const present = existsSync(`${MODEL}model.safetensors`);
const why = present
  ? ""
  : " (absent: put the repository of sentence-transformers/all-MiniLM-L6-v2 into .cache/all-minilm-l6-v2)";

describe.skipIf(!present)(`all-MiniLM-L6-v2${why}`, () => {
  const golden = embeddingGolden("all-minilm-l6-v2.json");
  const texts = golden.map(({ text }) => text);
  let embedder: Embedder;
  beforeAll(async () => {
    embedder = await openEmbedder({ model: MODEL });
  });
  afterAll(() => embedder?.close());

  it("gives transformers' vectors to 1e-6, together and alone", async () => {
    const wanted = golden.map(({ vector }) => vector);
    expect(farthest(await embedder.embed(texts), wanted)).toBeLessThan(1e-6);
    const [alone] = await embedder.embed([texts[1] as string]);
    expect(farthest([alone ?? []], [wanted[1] ?? []])).toBeLessThan(1e-6);
  });

  it("finds the sentence that says the same in other words", async () => {
    const [question, near, far] = (await embedder.embed([
      "How strong is the shell of an abalone?",
      "Nacre resists fracture far better than the mineral it is made of.",
      "The meeting was moved to Tuesday because the train was late.",
    ])) as [Float32Array, Float32Array, Float32Array];
    const cosine = (other: Float32Array): number => question.reduce((sum, x, i) => sum + x * (other[i] as number), 0);
    expect(cosine(near)).toBeGreaterThan(cosine(far) + 0.1);
  });
});
