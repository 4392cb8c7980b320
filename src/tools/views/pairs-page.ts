/** @file Pairs of a run a page at a time: whatever the size of pairs.jsonl, only the page is held. */
import { join } from "node:path";
import { type LinesPage, readLines } from "../../agents/teaching/growing-lines.js";
import { PAIRS_FILE } from "../../agents/teaching/run-journal.js";
import { preferencePairSchema } from "../../trainer/index.js";
import { runPlace } from "./run-place.js";
import type { PairsPage } from "./types.js";

export const DEFAULT_PAIRS = 20;
export const MOST_PAIRS = 200;

export interface PairsOptions {
  /** Pairs to pass over; 0 begins with the first. */
  readonly after?: number;
  /** At most {@link MOST_PAIRS}; a page of very long pairs holds fewer. */
  readonly limit?: number;
}

/** Throws {@link NoSuchRunError} where there is no such run. */
export async function pairsPage(
  home: string,
  id: string,
  { after = 0, limit = DEFAULT_PAIRS }: PairsOptions = {},
): Promise<PairsPage> {
  const file = join(await runPlace(home, id), PAIRS_FILE);
  const from = Math.max(0, Math.floor(after));
  const page = await readLines(file, { after: from, limit: Math.min(MOST_PAIRS, Math.max(1, Math.floor(limit))) });
  const next = (page.lines.at(-1)?.index ?? page.total) + 1;
  return { ...pairsOf(page), ...(next < page.total && { next }) };
}

/** So many pairs, evenly spread over the run, so that early and late ones both show. */
export async function pairsSample(home: string, id: string, most: number): Promise<PairsPage> {
  const file = join(await runPlace(home, id), PAIRS_FILE);
  const { lines: first, total } = await readLines(file, { after: 0, limit: most });
  if (total <= most) return pairsOf({ lines: first, total });
  const places = Array.from({ length: most }, (_, i) => Math.round((i * (total - 1)) / Math.max(1, most - 1)));
  const lines = [];
  for (const after of places) lines.push(...(await readLines(file, { after, limit: 1 })).lines);
  return pairsOf({ lines, total });
}

function pairsOf({ lines, total }: LinesPage): PairsPage {
  const damaged: number[] = [];
  const pairs = lines.flatMap(({ index, text }) => {
    try {
      return [{ index, ...preferencePairSchema.parse(JSON.parse(text ?? "")) }];
    } catch {
      damaged.push(index);
      return [];
    }
  });
  return { pairs, total, ...(damaged.length > 0 && { damaged }) };
}
