/** @file Documents of a corpus into its store, which becomes the active one; the tool and the demo share it. */
import {
  type IngestOptions,
  type IngestProgress,
  ingest,
  ingestDocuments,
  removeFromCorpus,
} from "../agents/corpus/index.js";
import type { PassageStore } from "../agents/index.js";
import { type ActiveCorpus, BUILT_IN_WORLD } from "./active-corpus.js";
import type { ReportProgress } from "./progress.js";
import type { ToolContext } from "./tool-context.js";

export interface Ingested {
  /** Passages that the store now has. */
  readonly passages: number;
  readonly added: number;
  readonly removed: number;
  readonly documents: number;
  readonly unchanged: number;
  readonly store: { readonly name: string; readonly version: string };
}

export type IngestContext = Pick<ToolContext, "openCorpus" | "activate" | "world">;

const STAGES: Record<IngestProgress["stage"], { readonly first: number; readonly message: string }> = {
  read: { first: 0, message: "reading documents" },
  chunk: { first: 1, message: "cutting passages" },
  store: { first: 2, message: "indexing passages" },
};

export interface IngestCorpusOptions extends Pick<IngestOptions, "limits" | "problemOf"> {
  readonly signal: AbortSignal;
  readonly onProgress: ReportProgress;
}

/** Reads everything before anything is stored: a bad file leaves the store, and what is active, as they were. */
export async function ingestCorpus(
  context: IngestContext,
  corpus: ActiveCorpus,
  { signal, onProgress: report, ...bounds }: IngestCorpusOptions,
): Promise<Ingested> {
  signal.throwIfAborted();
  const onProgress = ({ stage, done, total }: IngestProgress): void => {
    const { first, message } = STAGES[stage];
    report(Math.round((100 * (first + done / Math.max(1, total))) / 3), 100, `${message}, ${done} of ${total}`);
  };
  const store = await context.openCorpus(corpus);
  const { passages: _ofThese, ...counts } =
    corpus.kind === "world"
      ? await ingestDocuments((await context.world()).documents, store, { signal, onProgress, root: BUILT_IN_WORLD })
      : await ingest(corpus.path, store, { signal, onProgress, ...bounds });
  await context.activate(corpus);
  return { ...counts, ...(await stateOf(store)) };
}

/** Takes a root out of its store, or the document that passages name `path` as their source. What is active stays so. */
export async function removeCorpus(
  context: IngestContext,
  corpus: ActiveCorpus,
  path: string,
  signal: AbortSignal,
): Promise<Ingested> {
  const store = await context.openCorpus(corpus);
  const isRoot = (await store.records.read(corpus.path)) !== undefined;
  const { documents, removed } = await removeFromCorpus(
    store,
    isRoot ? { root: corpus.path } : { source: path },
    signal,
  );
  return { added: 0, removed, documents, unchanged: 0, ...(await stateOf(store)) };
}

async function stateOf(store: PassageStore): Promise<Pick<Ingested, "passages" | "store">> {
  const { name, version } = store.description;
  return { passages: await store.count(), store: { name, version } };
}
