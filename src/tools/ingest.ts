/** @file Documents of a corpus into its store; the tool and the demo share it. */
import { chunkDocuments } from "../agents/corpus/chunk.js";
import { readDocuments } from "../agents/corpus/read-documents.js";
import type { ActiveCorpus } from "./active-corpus.js";
import type { ReportProgress } from "./progress.js";
import type { ToolContext } from "./tool-context.js";

export interface IngestOptions {
  readonly signal: AbortSignal;
  readonly onProgress: ReportProgress;
}

export interface Ingested {
  readonly passages: number;
  readonly added: number;
  readonly documents: number;
  readonly store: { readonly name: string; readonly version: string };
}

/** Passages that are embedded and stored between two looks at the signal. */
const BATCH = 256;

export type IngestContext = Pick<ToolContext, "openCorpus" | "activate" | "world">;

/** Reads everything before anything is stored: a bad file leaves the store as it was. */
export async function ingestCorpus(context: IngestContext, corpus: ActiveCorpus, options: IngestOptions): Promise<Ingested> {
  const { signal, onProgress } = options;
  signal.throwIfAborted();
  onProgress(0, 1, "reading documents");
  const documents = corpus.kind === "world" ? (await context.world()).documents : await readDocuments(corpus.path, { signal });
  const passages = await chunkDocuments(documents);
  const store = await context.openCorpus(corpus);
  let added = 0;
  for (let start = 0; start < passages.length; start += BATCH) {
    signal.throwIfAborted();
    added += await store.add(passages.slice(start, start + BATCH), signal);
    onProgress(Math.min(start + BATCH, passages.length), passages.length, "indexing passages");
  }
  await context.activate(corpus);
  const { name, version } = store.description;
  return { passages: await store.count(), added, documents: documents.length, store: { name, version } };
}
