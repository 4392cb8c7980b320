/** @file Vectors of this project's engine as LangChain embeddings, for vector stores and retrievers. */
import { Embeddings, type EmbeddingsParams } from "@langchain/core/embeddings";
import type { Embedder, EmbedderOptions } from "../../trainer/index.js";
import { passagePrompt, queryPrompt } from "../corpus/neural-embedder.js";

export interface EngineEmbeddingsFields extends EmbeddingsParams {
  readonly embedder: Embedder;
  /**
   * Put in front of questions, for models whose files do not say it: "query: " of e5, "Represent this sentence for searching
   * relevant passages: " of bge. Default: the model's own prompt for questions.
   */
  readonly queryPrefix?: string;
  /** Put in front of documents: "passage: " of e5. Default: the model's own prompt for documents. */
  readonly documentPrefix?: string;
}

export interface OpenEngineEmbeddingsOptions extends Omit<EngineEmbeddingsFields, "embedder">, EmbedderOptions {}

/** Nothing is sent anywhere, so nothing is tried again. */
export class EngineEmbeddings extends Embeddings {
  readonly #embedder: Embedder;
  readonly #queryPrefix: string | undefined;
  readonly #documentPrefix: string | undefined;

  constructor({ embedder, queryPrefix, documentPrefix, ...others }: EngineEmbeddingsFields) {
    super(others);
    this.#embedder = embedder;
    this.#queryPrefix = queryPrefix;
    this.#documentPrefix = documentPrefix;
  }

  /** Opens a sentence-transformers directory; `close` ends its process. */
  static async open({ model, threads, signal, ...fields }: OpenEngineEmbeddingsOptions): Promise<EngineEmbeddings> {
    const { openEmbedder } = await import("../../trainer/index.js");
    const options = { model, ...(threads !== undefined && { threads }), ...(signal && { signal }) };
    return new EngineEmbeddings({ ...fields, embedder: await openEmbedder(options) });
  }

  override async embedDocuments(documents: string[]): Promise<number[][]> {
    return this.#embed(documents, this.#documentPrefix, passagePrompt(this.#embedder.info));
  }

  override async embedQuery(document: string): Promise<number[]> {
    const [vector] = await this.#embed([document], this.#queryPrefix, queryPrompt(this.#embedder.info));
    return vector as number[];
  }

  /** Ends the process of the embedder. */
  close(): Promise<void> {
    return this.#embedder.close();
  }

  async #embed(texts: readonly string[], prefix: string | undefined, promptName: string | undefined) {
    const vectors =
      prefix === undefined
        ? await this.#embedder.embed(texts, promptName === undefined ? {} : { promptName })
        : await this.#embedder.embed(texts.map((text) => prefix + text));
    return vectors.map((vector) => Array.from(vector));
  }
}
