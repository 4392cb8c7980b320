/** @file Texts to batches: neighbours in length go together, so that little of a batch is padding. */

/** Padded tokens of one run: above this a run gets no faster a token, and cancelling and progress wait for a run. */
const BATCH_TOKENS = 2048;
/** Texts of one run. */
const BATCH_TEXTS = 64;

/** Indices into `lengths`, the longest first: if one does not fit into memory, it is known at once. */
export function embedBatches(lengths: readonly number[]): number[][] {
  const order = [...lengths.keys()].sort((a, b) => (lengths[b] as number) - (lengths[a] as number) || a - b);
  const batches: number[][] = [];
  let longest = 0;
  for (const index of order) {
    const last = batches.at(-1);
    if (last === undefined || last.length === BATCH_TEXTS || (last.length + 1) * longest > BATCH_TOKENS) {
      batches.push([index]);
      longest = lengths[index] as number;
    } else last.push(index);
  }
  return batches;
}
