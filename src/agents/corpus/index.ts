/** @file The corpus: documents read, cut into passages, embedded, stored and found again. */

export { ChromaStartError, type ChromaStartReason } from "./chroma-process.js";
export { acquireChromaServer, type ChromaServer } from "./chroma-server.js";
export { type ChunkOptions, chunkDocument, chunkDocuments, passageId } from "./chunk.js";
export { type DrawOptions, drawPassages } from "./draw-passages.js";
export { EXACT_LIMIT } from "./exact-ranking.js";
export { type InProcessStoreOptions, openInProcessStore } from "./in-process-store.js";
export { type IngestOptions, type IngestProgress, type IngestResult, ingest, ingestDocuments } from "./ingest.js";
export { createLexicalEmbedder } from "./lexical-embedder.js";
export { createNeuralEmbedder } from "./neural-embedder.js";
export { type OpenStoreOptions, openPassageStore } from "./open-store.js";
export { type CorpusDocument, type ReadOptions, type ReadProgress, readDocuments } from "./read-documents.js";
export type { Embedder, Passage, PassageStore, ScoredPassage } from "./types.js";
