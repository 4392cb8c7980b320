/** @file Reads from a collection that another client is just writing for the first time: Chroma then has no index on the disk for a moment. */
import { setTimeout as sleep } from "node:timers/promises";

const UNSETTLED = /hnsw segment reader: Nothing found on disk/;
const WAITS_MS = [50, 100, 200, 400, 800, 1600];

/** Reads again for about three seconds while that is the reason of the failure; any other failure is thrown at once. */
export async function settled<T>(read: () => Promise<T>, waitsMs: readonly number[] = WAITS_MS): Promise<T> {
  for (const waitMs of waitsMs) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof Error && UNSETTLED.test(error.message))) throw error;
      await sleep(waitMs);
    }
  }
  return read();
}
