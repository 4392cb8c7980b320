/** @file A batch laid out the plain way: a row of its own for each reply behind its prompt, and for each text. */
import { LABEL_CHUNK } from "../../src/trainer/losses/index.js";
import type { CollateWeights, MicroBatch } from "../../src/trainer/run/collate.js";
import type { TrainBatch } from "../../src/trainer/run/policy.js";
import type { LabelledTokens, TokenizedPair } from "../../src/trainer/text/types.js";
import type { Layout } from "./trajectory.js";

/** A row, and for each of its tokens but the first how much it counts: in the NLL, and in the mean or sum of its reply. */
interface PlainRow {
  readonly ids: readonly number[];
  readonly nll: readonly number[];
  readonly reply: readonly number[];
  readonly side?: "chosen" | "rejected";
  readonly pair?: number;
}

function replyRow(
  { prompt, ...pair }: TokenizedPair,
  index: number,
  side: "chosen" | "rejected",
  { pairNll, nllOver, logps }: CollateWeights,
): PlainRow {
  const { ids, labels } = pair[side];
  const none = Array.from(prompt, () => 0);
  const compared = [...none, ...labels];
  const share = logps === "sum" ? 1 : 1 / labels.reduce((a, b) => a + b, 0);
  const counted = nllOver === "chosen" ? compared : compared.map(() => 1);
  return {
    ids: [...prompt, ...ids],
    nll: counted.map((label) => (side === "chosen" ? label * pairNll : 0)),
    reply: compared.map((label) => label * share),
    side,
    pair: index,
  };
}

const textRow = ({ ids, labels }: LabelledTokens, { text }: CollateWeights): PlainRow => ({
  ids: [...ids],
  nll: [...labels].map((label) => label * text),
  reply: [...labels].map(() => 0),
});

function fill(rows: readonly PlainRow[], pairWeight: number): MicroBatch {
  const time = Math.max(...rows.map(({ ids }) => ids.length));
  const cells = (of: (row: PlainRow, t: number) => number): Int32Array =>
    Int32Array.from({ length: rows.length * time }, (_, i) => of(rows[Math.floor(i / time)] as PlainRow, i % time));
  const labels = rows.flatMap((row, b) => row.ids.slice(1).map((target, i) => ({ row, target, t: i + 1, b })));
  const N = Math.ceil(labels.length / LABEL_CHUNK) * LABEL_CHUNK;
  const pairs = [...new Set(rows.flatMap(({ pair }) => pair ?? []))];
  const perLabel = (of: (label: (typeof labels)[number]) => number): number[] =>
    Array.from({ length: N }, (_, n) => (n < labels.length ? of(labels[n] as (typeof labels)[number]) : 0));
  const replies = (side: "chosen" | "rejected"): Float32Array =>
    Float32Array.from(
      pairs.flatMap((pair) =>
        perLabel(({ row, t }) => (row.pair === pair && row.side === side ? (row.reply[t] as number) : 0)),
      ),
    );
  return {
    rows: rows.length,
    time,
    ids: cells(({ ids }, t) => ids[t] ?? 0),
    positions: cells((_, t) => t),
    items: cells(({ ids }, t) => (t < ids.length ? 0 : -1)),
    branches: cells(() => 0),
    labelRows: Int32Array.from(perLabel(({ b, t }) => b * time + t - 1)),
    targets: Int32Array.from(perLabel(({ target }) => target)),
    nllWeights: Float32Array.from(perLabel(({ row, t }) => row.nll[t] as number)),
    pairs,
    chosenWeights: replies("chosen"),
    rejectedWeights: replies("rejected"),
    pairWeights: new Float32Array(pairs.length).fill(pairWeight),
  };
}

/** `itemsAtOnce` pairs or texts a micro-batch; no row holds more than one reply or text. */
export const plainRows =
  (itemsAtOnce: number): Layout =>
  ({ pairs, texts }: TrainBatch, weights) => {
    const items = [
      ...pairs.map((pair, i) => [replyRow(pair, i, "chosen", weights), replyRow(pair, i, "rejected", weights)]),
      ...texts.map((text) => [textRow(text, weights)]),
    ];
    const batches: MicroBatch[] = [];
    for (let start = 0; start < items.length; start += itemsAtOnce) {
      batches.push(fill(items.slice(start, start + itemsAtOnce).flat(), weights.pair));
    }
    return batches;
  };
