/** @file The embedder of a context: the model that a setting names, opened when passages are first needed, or none. */
import type { Embedder } from "../agents/index.js";
import { openEmbedder, resolveModel } from "../trainer/index.js";
import type { Config } from "./config.js";
import { lazy } from "./lazy.js";

/** Undefined where no model is named: passages are then found by their words. */
export type OpenEmbedding = () => Promise<Embedder | undefined>;

/** Nothing is opened here. */
export function embeddingOf(
  { embeddingModel, hub, threads }: Pick<Config, "embeddingModel" | "hub" | "threads">,
  signal: AbortSignal,
  onNotice: (text: string) => void,
): { readonly open: OpenEmbedding; readonly close: () => Promise<void> } {
  if (embeddingModel === undefined) return { open: async () => undefined, close: async () => undefined };
  const engine = lazy(async () => {
    try {
      const { path, notice } = await resolveModel(embeddingModel, { ...hub, signal });
      if (notice !== undefined) onNotice(notice);
      return await openEmbedder({ model: path, signal, ...(threads !== undefined && { threads }) });
    } catch (cause) {
      if (signal.aborted) throw cause;
      const advice = "Name another with PREFLEXOR_EMBEDDING_MODEL, or leave it out to find passages by their words";
      throw new Error(`the embedding model cannot be opened: ${(cause as Error).message}\n${advice}`, { cause });
    }
  });
  const embedder = lazy(async () => {
    const { createNeuralEmbedder } = await import("../agents/corpus/index.js");
    return createNeuralEmbedder(await engine());
  });
  return { open: embedder, close: () => engine.closeWith((opened) => opened.close()) };
}
