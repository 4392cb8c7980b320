/** @file A passage store as a LangChain retriever, for chains and agents. */

import { Document } from "@langchain/core/documents";
import { BaseRetriever, type BaseRetrieverInput } from "@langchain/core/retrievers";
import type { FoundBy, MmrOptions, PassageStore, SearchMode } from "./types.js";

export interface PassageRetrieverFields extends BaseRetrieverInput {
  /** Whoever opened it closes it. */
  readonly store: PassageStore;
  readonly k?: number;
  readonly mode?: SearchMode;
  readonly mmr?: MmrOptions;
}

/** Of each document; its `id` is the passage's. */
export interface PassageMetadata {
  readonly source: string;
  /** Offsets in the source, as in {@link Passage}. */
  readonly start: number;
  readonly end: number;
  /** Cosine similarity to the query. */
  readonly score: number;
  readonly found?: FoundBy;
  readonly [key: string]: unknown;
}

const DEFAULT_K = 4;

/** Best first. Throws where the store is empty; lexical search may find nothing. */
export class PassageRetriever extends BaseRetriever<PassageMetadata> {
  static override lc_name(): string {
    return "PassageRetriever";
  }

  override lc_namespace = ["preflexor", "retrievers"];
  private readonly store: PassageStore;
  private readonly k: number;
  private readonly mode: SearchMode | undefined;
  private readonly mmr: MmrOptions | undefined;

  constructor({ store, k = DEFAULT_K, mode, mmr, ...fields }: PassageRetrieverFields) {
    super(fields);
    this.store = store;
    this.k = k;
    this.mode = mode;
    this.mmr = mmr;
  }

  override async _getRelevantDocuments(query: string): Promise<Document<PassageMetadata>[]> {
    const passages = await this.store.search(query, { k: this.k, mode: this.mode, mmr: this.mmr });
    return passages.map(({ id, text, ...metadata }) => new Document({ id, pageContent: text, metadata }));
  }
}
