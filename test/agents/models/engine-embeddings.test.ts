/** @file The engine's vectors through LangChain's interface. */
import { Embeddings } from "@langchain/core/embeddings";
import { afterAll, beforeAll, expect, it } from "vitest";
import { EngineEmbeddings } from "../../../src/agents/models/engine-embeddings.js";
import { embeddingGolden, farthest, tinyBert } from "../../support/embedding-golden.js";

const golden = embeddingGolden("cls/golden.json");
const plain = golden[0] as (typeof golden)[number];
const prompted = golden.at(-1) as (typeof golden)[number];
let embeddings: EngineEmbeddings;
beforeAll(async () => {
  embeddings = await EngineEmbeddings.open({ model: tinyBert("cls"), threads: 1 });
});
afterAll(() => embeddings?.close());

it("embeds documents as they are and questions with the model's prompt", async () => {
  expect(embeddings).toBeInstanceOf(Embeddings);
  const documents = await embeddings.embedDocuments([plain.text, golden[1]?.text ?? ""]);
  expect(farthest(documents, [plain.vector, golden[1]?.vector ?? []])).toBeLessThan(1e-6);
  expect(Array.isArray(documents[0])).toBe(true);
  expect(farthest([await embeddings.embedQuery(plain.text)], [prompted.vector])).toBeLessThan(1e-6);
});

it("takes prefixes of its own for models whose files name none", async () => {
  const model = tinyBert("cls");
  const own = await EngineEmbeddings.open({ model, threads: 1, queryPrefix: "", documentPrefix: "query: " });
  expect(farthest([await own.embedQuery(plain.text)], [plain.vector])).toBeLessThan(1e-6);
  expect(farthest(await own.embedDocuments([plain.text]), [prompted.vector])).toBeLessThan(1e-6);
  await own.close();
});
