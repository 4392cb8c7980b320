/** @file Rows that decode together under one set of weights: prompts are read in pieces, then every row gets tokens. */
import type { ModelConfig } from "../checkpoint/types.js";
import type { Program } from "../runtime/index.js";
import { type DecodeResult, runDecode } from "./decode-run.js";
import { type GenerationRow, takeToken } from "./generation-row.js";
import { cacheShape, KeyValueCache, PAGE_TOKENS, TAIL_SLOTS } from "./kv-cache.js";
import { type PageKey, type PrefixCache, pageKey } from "./prefix-cache.js";
import type { RopeRows } from "./rope-rows.js";

/** Rows decoded together. More rows share each read of the weights; beyond this the cache costs more than it saves. */
const MAX_ROWS = 128;
/** What keys and values of all admitted rows may take at most. */
const CACHE_BYTES = 4 * 2 ** 30;
/** A run blocks its thread: after this long a cancellation is heard. */
const RUN_MS = 120;
/** How long rows of other calls wait while a prompt is read. */
const PATIENCE_MS = 300;
/** New tokens of a prompt are padded to a multiple of this, whatever stands beside them. */
const PIECE_STEP = 16;

export interface LaneOptions {
  /** Tokens of a row between two looks at messages, at most; for measurements and tests. */
  readonly maxChunk?: number | undefined;
  /** Pages of earlier prompts, shared by all lanes; undefined: nothing is found again. */
  readonly prefixes?: PrefixCache | undefined;
  /**
   * Rows of a run at least, 1 or 2. Where all weights are trained they are no constants, and ONNX Runtime multiplies a single
   * row by another kernel than many: then a row that is alone runs beside a copy of itself.
   */
  readonly minRows: 1 | 2;
}

/** Whoever asked for a row. */
export interface Asker {
  readonly isCancelled: () => boolean;
  /** Called with what a run gave the row: how many ids and log-probabilities it had before. */
  readonly onRun: (row: GenerationRow, ids: number, logps: number) => void;
}

interface Pending {
  readonly row: GenerationRow;
  readonly asker: Asker;
  readonly cache: KeyValueCache;
  /** Tokens of the prompt that are in the cache. */
  done: number;
  /** Name of the pages read so far. */
  key: PageKey;
  /** Name of the next page, once somebody asked for it. */
  nextKey?: PageKey | undefined;
}

interface Active {
  readonly row: GenerationRow;
  readonly asker: Asker;
  past: number;
  tail: number;
}

export class GenerationLane {
  private readonly waiting: { readonly row: GenerationRow; readonly asker: Asker }[] = [];
  private pending: Pending[] = [];
  /** In the order of the cache's rows. */
  private readonly active: Active[] = [];
  private cache: KeyValueCache;
  private readonly decodeMs = new Pace(60);
  private readonly readMs = new Pace(2);
  private lastDecode = performance.now();

  constructor(
    readonly program: Program,
    private readonly config: ModelConfig,
    readonly theta: Float32Array,
    private readonly options: LaneOptions,
    private readonly ropes: RopeRows,
    /** Begins the names of this lane's pages, which hold for its weights alone. */
    private readonly root: PageKey,
  ) {
    this.cache = new KeyValueCache(cacheShape(config));
  }

  get isIdle(): boolean {
    return this.waiting.length + this.pending.length + this.active.length === 0;
  }

  add(row: GenerationRow, asker: Asker): void {
    this.waiting.push({ row, asker });
  }

  /** One run: a piece of some prompts, or a chunk of tokens for all rows that have read theirs. */
  async step(): Promise<void> {
    this.drop();
    this.admit();
    const group = this.shouldDecode() ? [] : this.nextGroup();
    if (group.length > 0) await this.read(group);
    else if (this.active.length > 0) await this.decode();
  }

  /** Rows that nobody waits for leave at once. */
  private drop(): void {
    const isOpen = ({ row, asker }: { row: GenerationRow; asker: Asker }): boolean =>
      row.finish === undefined && !asker.isCancelled();
    for (let i = this.active.length - 1; i >= 0; i -= 1) {
      if (isOpen(this.active[i] as Active)) continue;
      this.cache.removeRow(i);
      const last = this.active.pop() as Active;
      if (i < this.active.length) this.active[i] = last;
    }
    this.pending = this.pending.filter(isOpen);
    const kept = this.waiting.filter(isOpen);
    this.waiting.splice(0, this.waiting.length, ...kept);
    // Nobody knows when the next one comes: the memory goes back.
    if (this.active.length === 0 && this.cache.room > 0) this.cache = new KeyValueCache(cacheShape(this.config));
  }

  private admit(): void {
    const shape = cacheShape(this.config);
    const size = ({ request, sampling }: GenerationRow): number =>
      (request.ids.length + sampling.maxNewTokens) * KeyValueCache.tokenBytes(shape);
    let bytes = [...this.pending, ...this.active].reduce((sum, { row }) => sum + size(row), 0);
    while (this.waiting.length > 0 && this.pending.length + this.active.length < MAX_ROWS) {
      const next = this.waiting[0] as { row: GenerationRow; asker: Asker };
      bytes += size(next.row);
      if (bytes > CACHE_BYTES && this.pending.length + this.active.length > 0) return;
      this.waiting.shift();
      const cache = new KeyValueCache(shape, 0);
      cache.addRow();
      this.pending.push({ ...next, cache, done: 0, key: this.root });
    }
  }

  /** Rows of one call wait for each other; those of other calls go on while a long prompt is read. */
  private shouldDecode(): boolean {
    if (this.active.length === 0) return false;
    const reading = this.pending[0];
    if (reading === undefined) return true;
    const waitsForOther = this.active.some(({ asker }) => asker !== reading.asker);
    return waitsForOther && performance.now() - this.lastDecode > PATIENCE_MS;
  }

  /** Prompts whose next pieces are equally long: as many as one run may read, and none that can use what another reads. */
  private nextGroup(): Pending[] {
    const tokens = RUN_MS / this.readMs.value;
    const group: Pending[] = [];
    const keys = new Set<PageKey>();
    let length = 0;
    for (const pending of this.pending) {
      this.reuse(pending);
      const { count, time } = pieceOf(pending);
      const key = count === PAGE_TOKENS && this.options.prefixes !== undefined ? keyOf(pending) : undefined;
      if (length === 0) length = time;
      if (time !== length || (key !== undefined && keys.has(key))) continue;
      if (group.length > 0 && (group.length + 1) * time > tokens) break;
      if (key !== undefined) keys.add(key);
      group.push(pending);
    }
    return group;
  }

  /** Takes the pages that are known, but for the prompt's last token: that one gives the first new token. */
  private reuse(pending: Pending): void {
    if (this.options.prefixes === undefined) return;
    while (pending.done + PAGE_TOKENS < pending.row.request.ids.length) {
      const page = this.options.prefixes.get(keyOf(pending));
      if (page === undefined) return;
      pending.cache.putPage(0, pending.done, page);
      turnPage(pending);
      pending.done += PAGE_TOKENS;
    }
  }

  private async read(group: readonly Pending[]): Promise<void> {
    const pieces = group.map(pieceOf);
    const { time } = pieces[0] as Piece;
    const ids = new Int32Array(group.length * time);
    group.forEach(({ row, done }, i) => {
      ids.set(row.request.ids.subarray(done, done + (pieces[i] as Piece).count), i * time);
    });
    const whole = group.flatMap(({ row }, i) => {
      const { count, isLast } = pieces[i] as Piece;
      return isLast ? [{ row, at: i * time + count - 1, index: i }] : [];
    });
    // Somebody must give a token; that of a prompt's middle means nothing.
    const rows = whole.length > 0 ? whole : [{ row: unsampled(group[0] as Pending), at: 0, index: -1 }];
    const started = performance.now();
    const result = await runDecode(this.program, this.config, this.ropes, {
      theta: this.theta,
      ids,
      time,
      cache: joined(group, this.config),
      pastLengths: group.map(({ done }) => done),
      tailLengths: group.map(() => 0),
      rows: this.padded(rows),
      trips: 1,
    });
    this.readMs.add((performance.now() - started) / (group.length * time));
    group.forEach((pending, i) => {
      this.keepPiece(pending, i, pieces[i] as Piece, result);
    });
    whole.forEach(({ row, index }, i) => {
      const pending = group[index] as Pending;
      this.give(row, pending.asker, result, i);
      if (row.finish === undefined) this.activate(pending);
    });
    const read = new Set(whole.map(({ index }) => group[index]));
    this.pending = this.pending.filter((pending) => !read.has(pending));
  }

  private keepPiece(pending: Pending, index: number, { count }: Piece, { fresh }: DecodeResult): void {
    const { cache, done } = pending;
    cache.reserve(done + count);
    cache.append(0, fresh, index, count, done);
    if (count === PAGE_TOKENS && this.options.prefixes !== undefined) {
      turnPage(pending);
      if (!this.options.prefixes.has(pending.key)) {
        this.options.prefixes.put(pending.key, cache.page(0, done, PAGE_TOKENS));
      }
    }
    pending.done += count;
  }

  private activate({ row, asker, cache, done }: Pending): void {
    this.cache.addRowOf(cache, 0, done);
    this.active.push({ row, asker, past: done, tail: 0 });
  }

  private async decode(): Promise<void> {
    const { active, cache } = this;
    const trips = this.chunk();
    cache.reserve(Math.max(...active.map(({ past }) => past)) + TAIL_SLOTS);
    const rows = this.padded(active);
    if (rows.length > active.length) cache.repeatRow(0);
    const started = performance.now();
    const result = await runDecode(this.program, this.config, this.ropes, {
      theta: this.theta,
      ids: Int32Array.from(rows, ({ row }) => row.ids.at(-1) as number),
      time: 1,
      cache,
      pastLengths: rows.map(({ past }) => past),
      tailLengths: rows.map(({ tail }) => tail),
      rows: rows.map(({ row }, at) => ({ row, at })),
      trips,
    });
    if (rows.length > active.length) cache.removeRow(active.length);
    this.lastDecode = performance.now();
    this.decodeMs.add((this.lastDecode - started) / result.trips);
    active.forEach((each, i) => {
      cache.append(i, result.fresh, i, result.trips, each.past + each.tail, each.tail);
      each.tail += result.trips;
      if (each.tail === TAIL_SLOTS) {
        each.past += TAIL_SLOTS;
        each.tail = 0;
      }
      this.give(each.row, each.asker, result, i);
    });
  }

  /** Tokens of the next run: what the tails have slots for, no more than anybody wants, and not for long. */
  private chunk(): number {
    const slots = TAIL_SLOTS - Math.max(...this.active.map(({ tail }) => tail));
    const wanted = Math.max(...this.active.map(({ row }) => row.sampling.maxNewTokens - row.ids.length));
    const inTime = Math.floor(RUN_MS / this.decodeMs.value);
    return Math.max(1, Math.min(slots, wanted, inTime, this.options.maxChunk ?? TAIL_SLOTS));
  }

  private padded<T>(rows: readonly T[]): readonly T[] {
    return rows.length < this.options.minRows ? [...rows, rows[0] as T] : rows;
  }

  private give(row: GenerationRow, asker: Asker, { tokens, logps, trips, rows }: DecodeResult, index: number) {
    const [ids, known] = [row.ids.length, row.logps.length];
    for (let trip = 0; trip < trips && row.finish === undefined; trip += 1) {
      const at = trip * rows + index;
      takeToken(row, tokens[at] as number, logps[at] as number);
    }
    asker.onRun(row, ids, known);
  }
}

interface Piece {
  readonly count: number;
  /** The count, padded. */
  readonly time: number;
  readonly isLast: boolean;
}

function pieceOf({ row, done }: Pending): Piece {
  const left = row.request.ids.length - done;
  const count = Math.min(PAGE_TOKENS, left);
  return { count, time: Math.ceil(count / PIECE_STEP) * PIECE_STEP, isLast: count === left };
}

function keyOf(pending: Pending): PageKey {
  const { row, done, key } = pending;
  pending.nextKey ??= pageKey(key, row.request.ids.subarray(done, done + PAGE_TOKENS));
  return pending.nextKey;
}

/** The next page is read, or found. */
function turnPage(pending: Pending): void {
  pending.key = keyOf(pending);
  pending.nextKey = undefined;
}

const unsampled = ({ row }: Pending): GenerationRow => ({
  ...row,
  sampling: { ...row.sampling, temperature: 0, repetitionPenalty: 1 },
});

/** The caches of a group as one; that of a single row as it is. */
function joined(group: readonly Pending[], config: ModelConfig): KeyValueCache {
  if (group.length === 1) {
    const [{ cache }] = group as readonly [Pending];
    cache.reserve(1);
    return cache;
  }
  const all = new KeyValueCache(cacheShape(config), 0);
  all.reserve(Math.max(1, ...group.map(({ done }) => done)));
  for (const { cache, done } of group) all.addRowOf(cache, 0, done);
  return all;
}

/** Milliseconds of one unit of work, as the last few runs had it. */
class Pace {
  private known = false;

  constructor(public value: number) {}

  add(ms: number): void {
    this.value = this.known ? 0.5 * this.value + 0.5 * ms : ms;
    this.known = true;
  }
}
