/** @file Keys and values of the rows that decode together, in memory of our own: a run reads them where they lie. */
import type { ModelConfig } from "../checkpoint/types.js";

/** Slots of the tail: new keys and values gather here, and count as past when all are taken. */
export const TAIL_SLOTS = 16;
/** Tokens of a page: prompts are read in pieces that end at multiples of this. */
export const PAGE_TOKENS = 64;
/** Room for keys grows by this many. A multiple of what the runtime's kernels take in one go: room changes no bit of a sum. */
const ROOM_STEP = 128;

export interface CacheShape {
  /** Tensors: a key and a value for each layer. */
  readonly tensors: number;
  readonly heads: number;
  readonly headDim: number;
}

export const cacheShape = ({ numHiddenLayers, numKeyValueHeads, headDim }: ModelConfig): CacheShape => ({
  tensors: 2 * numHiddenLayers,
  heads: numKeyValueHeads,
  headDim,
});

/** Keys and values of `tokens` tokens of one row: one array a tensor, [heads, tokens, head dim]. */
export interface Page {
  readonly tokens: number;
  readonly tensors: readonly Float32Array[];
}

/** New keys and values of a run, one array a tensor: [trips, batch, heads, time, head dim]. */
export interface Fresh {
  readonly tensors: readonly Float32Array[];
  readonly trips: number;
  readonly batch: number;
  readonly time: number;
}

export class KeyValueCache {
  /** [rows, heads, room, head dim] each; only the first {@link rows} rows are in use. */
  private pasts: Float32Array[];
  /** [rows, heads, slots, head dim] each */
  private tails: Float32Array[];
  private space = 0;
  /** Rows in use. */
  rows = 0;
  /** Keys that a row has room for. */
  room = 0;

  constructor(
    private readonly shape: CacheShape,
    /** Tail slots a row; 0 where rows only read prompts. */
    private readonly slots: number = TAIL_SLOTS,
  ) {
    this.pasts = Array.from({ length: shape.tensors }, () => new Float32Array(0));
    this.tails = this.pasts;
  }

  /** Past of each tensor, [rows, heads, room, head dim]. */
  past(tensor: number): Float32Array {
    return (this.pasts[tensor] as Float32Array).subarray(0, this.rows * this.pastSize(this.room));
  }

  /** Tail of each tensor, [rows, heads, slots, head dim]. */
  tail(tensor: number): Float32Array {
    return (this.tails[tensor] as Float32Array).subarray(0, this.rows * this.pastSize(this.slots));
  }

  /** Makes room for `keys` keys in each row. */
  reserve(keys: number): void {
    if (keys > this.room) this.resize(this.space, Math.ceil(keys / ROOM_STEP) * ROOM_STEP);
  }

  /** A new row with nothing in it; gives its index. */
  addRow(): number {
    if (this.rows === this.space) this.resize(Math.max(1, 2 * this.space), this.room);
    this.rows += 1;
    return this.rows - 1;
  }

  /** A new row with the first `length` keys of a row of `other`. */
  addRowOf(other: KeyValueCache, row: number, length: number): number {
    this.reserve(length);
    const added = this.addRow();
    this.eachHead((tensor, head) => {
      const from = other.at(other.room, row, head);
      const { headDim } = this.shape;
      const source = (other.pasts[tensor] as Float32Array).subarray(from, from + length * headDim);
      (this.pasts[tensor] as Float32Array).set(source, this.at(this.room, added, head));
    });
    return added;
  }

  /** A new row that is a copy of `row`, tail and all. */
  repeatRow(row: number): void {
    const added = this.addRow();
    const copy = (arrays: readonly Float32Array[], size: number): void => {
      for (const array of arrays) array.copyWithin(added * size, row * size, (row + 1) * size);
    };
    copy(this.pasts, this.pastSize(this.room));
    if (this.slots > 0) copy(this.tails, this.pastSize(this.slots));
  }

  /** The last row takes the place of `row`. */
  removeRow(row: number): void {
    const last = this.rows - 1;
    const move = (arrays: readonly Float32Array[], size: number): void => {
      for (const array of arrays) array.copyWithin(row * size, last * size, (last + 1) * size);
    };
    if (row !== last) {
      move(this.pasts, this.pastSize(this.room));
      if (this.slots > 0) move(this.tails, this.pastSize(this.slots));
    }
    this.rows = last;
  }

  /**
   * Takes the first `tokens` of row `from` of a run (tokens of one trip, or one of each trip): into the past at `position`,
   * and into the tail at `slot` where one is given.
   */
  append(row: number, fresh: Fresh, from: number, tokens: number, position: number, slot?: number): void {
    const { headDim, heads } = this.shape;
    const { trips, batch, time } = fresh;
    // Tokens lie one after the other where they come from one trip.
    const run = trips === 1 ? tokens : 1;
    for (let done = 0; done < tokens; done += run) {
      this.eachHead((tensor, head) => {
        const start = (((trips === 1 ? 0 : done) * batch + from) * heads + head) * time * headDim;
        const source = fresh.tensors[tensor] as Float32Array;
        const past = this.at(this.room, row, head) + (position + done) * headDim;
        copy(source, start, this.pasts[tensor] as Float32Array, past, run * headDim);
        if (slot === undefined) return;
        const tail = this.at(this.slots, row, head) + (slot + done) * headDim;
        copy(source, start, this.tails[tensor] as Float32Array, tail, run * headDim);
      });
    }
  }

  /** A copy of `tokens` keys and values of a row, from `position` on. */
  page(row: number, position: number, tokens: number): Page {
    const { heads, headDim, tensors } = this.shape;
    const copies = Array.from({ length: tensors }, () => new Float32Array(heads * tokens * headDim));
    this.eachHead((tensor, head) => {
      const start = this.at(this.room, row, head) + position * headDim;
      const source = (this.pasts[tensor] as Float32Array).subarray(start, start + tokens * headDim);
      (copies[tensor] as Float32Array).set(source, head * tokens * headDim);
    });
    return { tokens, tensors: copies };
  }

  putPage(row: number, position: number, { tokens, tensors }: Page): void {
    const size = tokens * this.shape.headDim;
    this.reserve(position + tokens);
    this.eachHead((tensor, head) => {
      const source = (tensors[tensor] as Float32Array).subarray(head * size, (head + 1) * size);
      (this.pasts[tensor] as Float32Array).set(source, this.at(this.room, row, head) + position * this.shape.headDim);
    });
  }

  /** Bytes of one token's keys and values. */
  static tokenBytes({ tensors, heads, headDim }: CacheShape): number {
    return tensors * heads * headDim * Float32Array.BYTES_PER_ELEMENT;
  }

  private pastSize(keys: number): number {
    return this.shape.heads * keys * this.shape.headDim;
  }

  /** Index of a head's first number, where each head has `keys` keys. */
  private at(keys: number, row: number, head: number): number {
    return (row * this.shape.heads + head) * keys * this.shape.headDim;
  }

  private eachHead(visit: (tensor: number, head: number) => void): void {
    for (let tensor = 0; tensor < this.shape.tensors; tensor += 1) {
      for (let head = 0; head < this.shape.heads; head += 1) visit(tensor, head);
    }
  }

  /** Zeros where nothing was written: what is masked must be finite. */
  private resize(space: number, room: number): void {
    const { heads, headDim } = this.shape;
    const copied = Math.min(this.room, room) * headDim;
    this.pasts = this.pasts.map((old) => {
      const grown = new Float32Array(space * heads * room * headDim);
      for (let block = 0; block < this.rows * heads; block += 1) {
        const start = block * this.room * headDim;
        grown.set(old.subarray(start, start + copied), block * room * headDim);
      }
      return grown;
    });
    if (space !== this.space) {
      this.tails = this.tails.map((old) => {
        const grown = new Float32Array(space * this.pastSize(this.slots));
        grown.set(old.subarray(0, this.rows * this.pastSize(this.slots)));
        return grown;
      });
    }
    this.space = space;
    this.room = room;
  }
}

/** A view of a few numbers costs more than the numbers. */
function copy(from: Float32Array, start: number, to: Float32Array, at: number, count: number): void {
  if (count > 256) {
    to.set(from.subarray(start, start + count), at);
    return;
  }
  for (let i = 0; i < count; i += 1) to[at + i] = from[start + i] as number;
}
