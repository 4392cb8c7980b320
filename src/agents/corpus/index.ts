/** @file The corpus: documents read, cut into passages, embedded, stored and found again. */

export { ChromaStartError, type ChromaStartReason } from "./chroma-process.js";
export { acquireChromaServer, type ChromaServer } from "./chroma-server.js";
export { type ChunkOptions, chunkDocument, chunkDocuments, passageId } from "./chunk.js";
export { type DrawOptions, drawPassages } from "./draw-passages.js";
export { EXACT_LIMIT } from "./exact-ranking.js";
export { type InProcessStoreOptions, openInProcessStore } from "./in-process-store.js";
export {
  type IngestDocumentsOptions,
  type IngestOptions,
  type IngestProgress,
  type IngestResult,
  ingest,
  ingestDocuments,
} from "./ingest.js";
export type { IngestRecord, IngestRecords, RecordedDocument } from "./ingest-records.js";
export { createLexicalEmbedder } from "./lexical-embedder.js";
export { createNeuralEmbedder } from "./neural-embedder.js";
export { type OpenStoreOptions, openPassageStore } from "./open-store.js";
export {
  type CorpusDocument,
  type ReadLimits,
  type ReadOptions,
  type ReadProgress,
  readDocuments,
} from "./read-documents.js";
export { type CorpusPart, type RemoveResult, removeFromCorpus } from "./remove-from-corpus.js";
export type {
  Embedder,
  FoundBy,
  MmrOptions,
  Passage,
  PassageStore,
  ScoredPassage,
  SearchMode,
  SearchOptions,
} from "./types.js";
