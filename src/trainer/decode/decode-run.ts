/** @file One run of the decode program: rows in, tokens and fresh keys and values out. */
import type { ModelConfig } from "../checkpoint/types.js";
import type { Feed, Feeds, Program } from "../runtime/index.js";
import { cacheNames } from "./decode-program.js";
import { type GenerationRow, rowNoise } from "./generation-row.js";
import { type Fresh, type KeyValueCache, TAIL_SLOTS } from "./kv-cache.js";
import type { RopeRows } from "./rope-rows.js";

/** What rows of a run have in common. */
export interface DecodeRun {
  readonly theta: Float32Array;
  /** New tokens, [batch, time]. */
  readonly ids: Int32Array;
  readonly time: number;
  /** Past and tail of each of the batch; no tail where a prompt is read, which is its own tail. */
  readonly cache: KeyValueCache;
  readonly pastLengths: readonly number[];
  readonly tailLengths: readonly number[];
  /** Rows that get tokens, and which new token (of batch · time) each stands behind. */
  readonly rows: readonly { readonly row: GenerationRow; readonly at: number }[];
  readonly trips: number;
}

export interface DecodeResult {
  /** Rows that gave tokens. */
  readonly rows: number;
  /** Trips that were made: fewer than asked for where all rows stopped. */
  readonly trips: number;
  /** [trips, rows] */
  readonly tokens: Int32Array;
  readonly logps: Float32Array;
  readonly fresh: Fresh;
}

export async function runDecode(
  program: Program,
  config: ModelConfig,
  ropes: RopeRows,
  run: DecodeRun,
): Promise<DecodeResult> {
  const names = Array.from({ length: config.numHiddenLayers }, (_, layer) => cacheNames(layer));
  const fresh = names.flatMap((each) => each.fresh);
  const feeds = { ...rowFeeds(run), ...positionFeeds(run, ropes), ...samplerFeeds(run), ...cacheFeeds(config, run) };
  const results = await program.run(feeds, ["tokens", "logps", ...fresh]);
  const tokens = results["tokens"] as Feed;
  const trips = tokens.dims[0] as number;
  return {
    rows: run.rows.length,
    trips,
    tokens: tokens.data as Int32Array,
    logps: (results["logps"] as Feed).data as Float32Array,
    fresh: {
      tensors: fresh.map((name) => (results[name] as Feed).data as Float32Array),
      trips,
      batch: run.cache.rows,
      time: run.time,
    },
  };
}

const ints = (values: readonly number[], dims: readonly number[] = [values.length]): Feed => ({
  data: Int32Array.from(values),
  dims,
});
const range = (start: number, count: number): Feed => ints(Array.from({ length: count }, (_, i) => start + i));

/** Slots of the tail: the new tokens themselves where a prompt is read. */
const slotsOf = ({ time }: DecodeRun): number => (time === 1 ? TAIL_SLOTS : time);

function rowFeeds(run: DecodeRun): Feeds {
  const { theta, ids, time, cache, pastLengths, tailLengths, rows } = run;
  return {
    theta: { data: theta, dims: [theta.length] },
    ids: { data: ids, dims: [cache.rows, time] },
    time: range(0, time),
    slots: range(0, slotsOf(run)),
    keys: range(0, cache.room),
    past_length: ints(pastLengths),
    tail_length: ints(tailLengths),
    sampled: ints(rows.map(({ at }) => at)),
  };
}

function positionFeeds({ pastLengths, tailLengths, time, trips }: DecodeRun, ropes: RopeRows): Feeds {
  const starts = pastLengths.map((past, i) => past + (tailLengths[i] as number));
  const first = Math.min(...starts);
  const end = Math.max(...starts) + time + trips - 1;
  return { first_position: ints([first], []), ...ropes.feeds(first, end - first) };
}

function samplerFeeds({ rows, trips }: DecodeRun): Feeds {
  const each = (read: (row: GenerationRow) => number): Feed => ({
    data: Float32Array.from(rows, ({ row }) => read(row)),
    dims: [rows.length],
  });
  const noise = Float32Array.from({ length: trips * rows.length }, (_, i) => {
    const { row } = rows[i % rows.length] as DecodeRun["rows"][number];
    return row.sampling.temperature === 0 ? 0 : rowNoise(row, row.ids.length + Math.floor(i / rows.length));
  });
  const stops = Math.max(1, ...rows.map(({ row }) => row.sampling.stopTokenIds.length));
  const stopIds = rows.flatMap(({ row }) =>
    Array.from({ length: stops }, (_, i) => row.sampling.stopTokenIds[i] ?? -1),
  );
  return {
    noise: { data: noise, dims: [trips, rows.length] },
    temperature: each((row) => row.sampling.temperature),
    top_k: ints(rows.map(({ row }) => row.sampling.topK)),
    top_p: each((row) => row.sampling.topP),
    min_p: each((row) => row.sampling.minP),
    repetition_penalty: each((row) => row.sampling.repetitionPenalty),
    history: history(rows.map(({ row }) => row)),
    stop_ids: ints(stopIds, [rows.length, stops]),
    remaining: ints(rows.map(({ row }) => row.sampling.maxNewTokens - row.ids.length)),
  };
}

/** Tokens seen by each row, where one of them is penalised for repeating; shorter rows repeat their first token. */
function history(rows: readonly GenerationRow[]): Feed {
  if (rows.every(({ sampling }) => sampling.repetitionPenalty === 1)) return ints([], [rows.length, 0]);
  const width = Math.max(...rows.map((row) => row.request.ids.length + row.ids.length));
  const data = new Int32Array(rows.length * width);
  rows.forEach(({ request, ids }, i) => {
    const start = i * width;
    data.fill(request.ids[0] as number, start, start + width);
    data.set(request.ids, start);
    data.set(ids, start + request.ids.length);
  });
  return { data, dims: [rows.length, width] };
}

function cacheFeeds({ numHiddenLayers, numKeyValueHeads, headDim }: ModelConfig, run: DecodeRun): Feeds {
  const { cache, time } = run;
  const slots = slotsOf(run);
  const dims = (length: number) => [cache.rows, numKeyValueHeads, length, headDim];
  // Where a prompt is read, no slot keeps what was in it.
  const nothing = time === 1 ? undefined : new Float32Array(cache.rows * numKeyValueHeads * slots * headDim);
  const feeds: Record<string, Feed> = {};
  for (let layer = 0; layer < numHiddenLayers; layer += 1) {
    const { past, tail } = cacheNames(layer);
    for (const part of [0, 1] as const) {
      const tensor = 2 * layer + part;
      feeds[past[part]] = { data: cache.past(tensor), dims: dims(cache.room) };
      feeds[tail[part]] = { data: nothing ?? cache.tail(tensor), dims: dims(slots) };
    }
  }
  return feeds;
}
