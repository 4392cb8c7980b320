/** @file Items to rows: several items pack into a row without padding between, and the replies of a pair share their prompt. */
import { LABEL_CHUNK } from "../losses/index.js";
import type { LabelledTokens, TokenizedPair } from "../text/types.js";

/** A token's labels and where they are read: `row` predicts `target`. */
interface Label {
  /** Index of the predicting token within the item. */
  readonly from: number;
  readonly target: number;
  readonly side: "text" | "prompt" | "chosen" | "rejected";
  /** Counts in the comparison of replies; a masked token of a reply does not. */
  readonly compared: boolean;
}

/** One item laid out on a row of its own. */
interface Item {
  readonly ids: number[];
  readonly positions: number[];
  readonly branches: number[];
  readonly labels: Label[];
  /** Index among the pairs of the batch; undefined for a text. */
  readonly pair?: number;
}

export interface CollateWeights {
  /** Each label of a text counts this much in the NLL. */
  readonly text: number;
  /** Each NLL label of a pair (its chosen reply, and its prompt if asked for). */
  readonly pairNll: number;
  readonly nllOver: "prompt+chosen" | "chosen";
  /** Each pair's preference term. */
  readonly pair: number;
  /** Whether a reply's labels add up or are averaged in that term. */
  readonly logps: "sum" | "mean";
}

/**
 * Feeds of the train and score programs; B rows of T tokens, N labels, P pairs. Arrays are row-major. N is a multiple of
 * LABEL_CHUNK; labels beyond the real ones weigh nothing.
 */
export interface MicroBatch {
  readonly rows: number;
  readonly time: number;
  readonly ids: Int32Array; // [B, T]
  readonly positions: Int32Array; // [B, T]
  readonly items: Int32Array; // [B, T]; -1 is padding
  readonly branches: Int32Array; // [B, T]
  readonly labelRows: Int32Array; // [N], index into B·T of the predicting token
  readonly targets: Int32Array; // [N]
  readonly nllWeights: Float32Array; // [N]
  readonly pairs: readonly number[]; // indices of the P pairs, in the order of the weights below
  readonly chosenWeights: Float32Array; // [P, N], 1 or 1 / labels of the reply
  readonly rejectedWeights: Float32Array; // [P, N]
  readonly pairWeights: Float32Array; // [P]
}

/** Short items share rows of this many tokens; attention costs grow with the square of it. */
const PACKED_ROW = 128;

function textItem(text: LabelledTokens): Item {
  const labels = Array.from(text.ids, (target, i): Label => ({ from: i - 1, target, side: "text", compared: false }));
  return {
    ids: [...text.ids],
    positions: Array.from(text.ids, (_, i) => i),
    branches: Array<number>(text.ids.length).fill(0),
    labels: labels.filter((label, i) => label.from >= 0 && text.labels[i] === 1),
  };
}

function pairItem(pair: TokenizedPair, index: number): Item {
  const P = pair.prompt.length;
  const reply = (side: "chosen" | "rejected", start: number): Label[] =>
    Array.from(pair[side].ids, (target, i) => {
      const from = i === 0 ? P - 1 : start + i - 1;
      return { from, target, side, compared: pair[side].labels[i] === 1 };
    });
  const C = pair.chosen.ids.length;
  const R = pair.rejected.ids.length;
  const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
  const prompt = Array.from(pair.prompt, (target, i): Label => {
    return { from: i - 1, target, side: "prompt", compared: false };
  }).slice(1);
  return {
    ids: [...pair.prompt, ...pair.chosen.ids, ...pair.rejected.ids],
    positions: [...range(0, P + C), ...range(P, R)],
    branches: [...Array<number>(P).fill(0), ...Array<number>(C).fill(1), ...Array<number>(R).fill(2)],
    labels: [...prompt, ...reply("chosen", P), ...reply("rejected", P + C)],
    pair: index,
  };
}

/** First-fit in the given order: deterministic, and good enough where items are short. */
function packRows(items: readonly Item[], time: number): Item[][] {
  const rows: { free: number; items: Item[] }[] = [];
  for (const item of items) {
    const row = rows.find(({ free }) => free >= item.ids.length);
    if (row === undefined) rows.push({ free: time - item.ids.length, items: [item] });
    else {
      row.free -= item.ids.length;
      row.items.push(item);
    }
  }
  return rows.map((row) => row.items);
}

/** Lays a batch out as micro-batches of at most `maxTokens` tokens each (one row at least). */
export function collate(
  pairs: readonly TokenizedPair[],
  texts: readonly LabelledTokens[],
  weights: CollateWeights,
  maxTokens: number,
): MicroBatch[] {
  const items = [...pairs.map(pairItem), ...texts.map(textItem)];
  if (items.length === 0) throw new Error("internal: an empty batch");
  const longest = items.reduce((max, item) => Math.max(max, item.ids.length), 0);
  const time = Math.max(
    longest,
    Math.min(
      PACKED_ROW,
      items.reduce((sum, item) => sum + item.ids.length, 0),
    ),
  );
  const rows = packRows(items, time);
  const rowsPerBatch = Math.max(1, Math.floor(maxTokens / time));
  const batches: MicroBatch[] = [];
  for (let start = 0; start < rows.length; start += rowsPerBatch) {
    batches.push(fill(rows.slice(start, start + rowsPerBatch), time, weights));
  }
  return batches;
}

function fill(rows: readonly (readonly Item[])[], time: number, weights: CollateWeights): MicroBatch {
  const size = rows.length * time;
  const cells = {
    ids: new Int32Array(size),
    positions: new Int32Array(size),
    items: new Int32Array(size).fill(-1),
    branches: new Int32Array(size),
  };
  const placed: { readonly item: Item; readonly offset: number }[] = [];
  rows.forEach((row, b) => {
    let offset = b * time;
    row.forEach((item, i) => {
      cells.ids.set(item.ids, offset);
      cells.positions.set(item.positions, offset);
      cells.branches.set(item.branches, offset);
      cells.items.fill(i, offset, offset + item.ids.length);
      placed.push({ item, offset });
      offset += item.ids.length;
    });
  });
  return { rows: rows.length, time, ...cells, ...fillLabels(placed, weights) };
}

function fillLabels(placed: readonly { readonly item: Item; readonly offset: number }[], weights: CollateWeights) {
  const labels = placed.flatMap(({ item, offset }) =>
    item.labels
      .filter((label) => label.compared || nllWeight(label, weights) > 0)
      .map((label) => ({ label, item, row: offset + label.from })),
  );
  const N = Math.max(1, Math.ceil(labels.length / LABEL_CHUNK)) * LABEL_CHUNK; // ONNX Runtime makes no loop of no trips
  const fill = <A extends Int32Array | Float32Array>(into: A, of: (entry: (typeof labels)[number]) => number): A => {
    labels.forEach((entry, n) => {
      into[n] = of(entry);
    });
    return into;
  };
  return {
    labelRows: fill(new Int32Array(N), ({ row }) => row),
    targets: fill(new Int32Array(N), ({ label }) => label.target),
    nllWeights: fill(new Float32Array(N), ({ label }) => nllWeight(label, weights)),
    ...fillPairs(placed, labels, N, weights),
  };
}

function fillPairs(
  placed: readonly { readonly item: Item }[],
  labels: readonly { readonly label: Label; readonly item: Item }[],
  N: number,
  weights: CollateWeights,
) {
  const pairs = placed.flatMap(({ item }) => (item.pair === undefined ? [] : [item.pair]));
  const rowOf = new Map(pairs.map((pair, i) => [pair, i]));
  const sides = {
    chosen: new Float32Array(pairs.length * N),
    rejected: new Float32Array(pairs.length * N),
  };
  const weightOf = (item: Item, side: Label["side"]): number => {
    if (weights.logps === "sum") return 1;
    return 1 / item.labels.filter((label) => label.compared && label.side === side).length;
  };
  const perItem = new Map(
    placed.map(({ item }) => [item, { chosen: weightOf(item, "chosen"), rejected: weightOf(item, "rejected") }]),
  );
  labels.forEach(({ label: { side, compared }, item }, n) => {
    if (item.pair === undefined || !compared || side === "prompt" || side === "text") return;
    const weight = (perItem.get(item) as Record<typeof side, number>)[side];
    sides[side][(rowOf.get(item.pair) as number) * N + n] = weight;
  });
  return {
    pairs,
    chosenWeights: sides.chosen,
    rejectedWeights: sides.rejected,
    pairWeights: new Float32Array(pairs.length).fill(weights.pair),
  };
}

/**
 * TRL's ORPO takes the NLL over all of prompt and chosen reply, masked thinking included; over "chosen" only what is
 * compared counts.
 */
function nllWeight({ side, compared }: Label, { text, pairNll, nllOver }: CollateWeights): number {
  if (side === "text") return text;
  if (side === "rejected") return 0;
  return nllOver === "prompt+chosen" || (side === "chosen" && compared) ? pairNll : 0;
}

/** NLL labels of a pair, for the token mean of a whole step. */
export function nllLabelCount(pair: TokenizedPair, nllOver: CollateWeights["nllOver"]): number {
  if (nllOver === "prompt+chosen") return pair.prompt.length - 1 + pair.chosen.ids.length;
  return pair.chosen.labels.reduce((sum, label) => sum + label, 0);
}

/** NLL labels of a text: the first token has nothing before it. */
export function textLabelCount(text: LabelledTokens): number {
  return text.labels.reduce((sum, label, i) => sum + (i === 0 ? 0 : label), 0);
}
