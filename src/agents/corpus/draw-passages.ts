/** @file Passages to write tasks from: near a topic, or anywhere; both by a seeded draw. */

import { createRng } from "../rng.js";
import type { Passage, PassageStore } from "./types.js";

export interface DrawOptions {
  readonly k: number;
  /** Without it k are drawn at random from all passages. */
  readonly topic?: string;
  /** With a topic: k are drawn at random from so many that a search finds first. Default: the nearest k, always the same. */
  readonly among?: number;
  /** Of a random draw. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** At most `k` different passages. Throws where the store is empty. */
export async function drawPassages(store: PassageStore, options: DrawOptions): Promise<Passage[]> {
  const { k, topic, among, seed = 0, signal } = options;
  if (!Number.isInteger(k) || k < 1) throw new Error(`k is ${k}: expected a whole number of at least 1`);
  if (among !== undefined && (!Number.isInteger(among) || among < k)) {
    throw new Error(`among is ${among}: expected a whole number of at least k, which is ${k}`);
  }
  if (topic !== undefined && topic.trim() !== "") {
    if (among === undefined) return store.query(topic, k, signal);
    const near = await store.search(topic, { k: among }, signal);
    return createRng(seed, "draw-passages", "topic", topic).shuffle(near).slice(0, k);
  }
  const all = await store.list();
  if (all.length === 0) throw new Error("the corpus is empty: call ingest-corpus first");
  return createRng(seed, "draw-passages").shuffle(all).slice(0, k);
}
