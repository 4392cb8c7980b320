/** @file The trainer's embedder as the corpus takes one: questions and passages with the prompts that the model wants for them. */

import type { EmbedderInfo, Embedder as Engine } from "../../trainer/index.js";
import type { Embedder, EmbedWork } from "./types.js";

/** Prompts by the names under which models have them, the usual one first. */
const QUERY_PROMPTS = ["query", "s2p_query"];
const PASSAGE_PROMPTS = ["document", "passage", "corpus"];

/** Name of the prompt that a model has for questions; undefined where it has none. */
export const queryPrompt = ({ prompts }: Pick<EmbedderInfo, "prompts">): string | undefined =>
  QUERY_PROMPTS.find((name) => Object.hasOwn(prompts, name));

/** Name of the prompt that a model has for texts to be found; undefined where it has none. */
export const passagePrompt = ({ prompts }: Pick<EmbedderInfo, "prompts">): string | undefined =>
  PASSAGE_PROMPTS.find((name) => Object.hasOwn(prompts, name));

/** Unit vectors of an engine, which stays the caller's to close. The name tells models apart by content, not by path. */
export function createNeuralEmbedder(engine: Pick<Engine, "info" | "embed">): Embedder {
  const { info } = engine;
  const embed = async (texts: readonly string[], promptName?: string, { signal, onProgress }: EmbedWork = {}) => {
    const options = {
      ...(promptName !== undefined && { promptName }),
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    };
    const vectors = await engine.embed(texts, options);
    return info.normalized ? vectors : vectors.map(unit);
  };
  return {
    name: `neural-${info.modelHash.slice(0, 16)}`,
    dimensions: info.dimensions,
    embed: (texts, work) => embed(texts, passagePrompt(info), work),
    embedQuery: async (text, signal) => (await embed([text], queryPrompt(info), { signal }))[0] as Float32Array,
  };
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return length > 0 ? vector.map((value) => value / length) : vector;
}
