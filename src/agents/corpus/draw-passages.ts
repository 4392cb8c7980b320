/** @file Passages to write tasks from: the nearest to a topic, or a seeded random draw. */

import { createRng } from "../rng.js";
import type { Passage, PassageStore } from "./types.js";

export interface DrawOptions {
  readonly k: number;
  /** With a topic the nearest k are taken; without, k are drawn at random. */
  readonly topic?: string;
  /** Only for draws without a topic. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** At most `k` different passages. Throws where the store is empty. */
export async function drawPassages(store: PassageStore, options: DrawOptions): Promise<Passage[]> {
  const { k, topic, seed = 0, signal } = options;
  if (!Number.isInteger(k) || k < 1) throw new Error(`k is ${k}: expected a whole number of at least 1`);
  if (topic !== undefined && topic.trim() !== "") return store.query(topic, k, signal);
  const all = await store.list();
  if (all.length === 0) throw new Error("the corpus is empty: call ingest-corpus first");
  return createRng(seed, "draw-passages").shuffle(all).slice(0, k);
}
