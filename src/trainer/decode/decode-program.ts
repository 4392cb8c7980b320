/** @file The program that samples: a loop whose trip is one forward and one token a row; reading a prompt is one trip of many tokens. */
import type { ModelConfig } from "../checkpoint/types.js";
import { type FloatDType, type Graph, GraphBuilder, oneOr, type Value } from "../graph/index.js";
import {
  cachedVisibility,
  type DecodingRows,
  decoder,
  headLogits,
  type LayerCache,
  openParameters,
  type Parameters,
  type ProgramSource,
  type RotaryAngles,
  sampleTokens,
} from "../model/index.js";
import { ropeNames } from "./rope-rows.js";

/** Names of a layer's cache: what goes in, and the new keys and values that come out. */
export const cacheNames = (layer: number) => ({
  past: [`past_key_${layer}`, `past_value_${layer}`] as const,
  tail: [`tail_key_${layer}`, `tail_value_${layer}`] as const,
  fresh: [`new_key_${layer}`, `new_value_${layer}`] as const,
});

/** One token a row and trip, or all slots of the tail in one trip. */
const TIME = oneOr("slots");

/** What a loop carries, by name. */
interface States {
  /** int32 [batch, time] */
  readonly ids: Value;
  /** int64 [rows, tokens seen] */
  readonly history: Value;
  /** int32 [rows], 1 where the row is done */
  readonly done: Value;
  /** Key and value of each layer. */
  readonly tails: readonly Value[];
}

/**
 * Inputs, all but the first few per row:
 * - `theta`; `first_position` int32 [], and cos and sin of the angles from that position on, see RopeRows
 * - `ids` int32 [batch, time]: the new tokens; `time`, `slots` and `keys` int32 [time], [slots], [past]: 0, 1, 2, …
 * - `past_length`, `tail_length` int32 [batch]: how much of its cache is a row's own
 * - past and tail keys and values of each layer, [batch, kv heads, past or slots, head dim]
 * - `sampled` int32 [rows]: which hidden rows (of batch · time) give a token
 * - `noise` float32 [trips, rows], and the sampler's parameters, [rows] each; `history` int32 [rows, tokens]
 * - `stop_ids` int32 [rows, stops], padded with -1; `remaining` int32 [rows]: tokens that a row may still take
 *
 * Outputs: `tokens` int32 and `logps` float32 [trips, rows], and the new keys and values of each layer [trips, batch, kv
 * heads, time, head dim]. The loop ends early when every row has stopped; what a row gives after its stop means nothing.
 */
export function decodeProgram({
  checkpoint,
  layout,
  loraScale,
  quantized,
  computeDtype = "float32",
}: ProgramSource): Graph {
  const g = new GraphBuilder();
  const { config } = checkpoint;
  const theta = g.input("theta", "float32", [layout.length]);
  const options = { dtype: computeDtype, outside: g, rowByRow: true, ...(quantized !== undefined && { quantized }) };
  const parameters = openParameters(g, checkpoint, layout, theta, loraScale, options);
  const keys = g.input("keys", "int32", ["past"]);
  const slots = g.input("slots", "int32", ["slots"]);
  const run: Run = {
    config,
    parameters,
    tables: ropeInputs(g, config, computeDtype),
    firstPosition: g.input("first_position", "int32", []),
    keys,
    slots,
    time: g.input("time", "int32", [TIME]),
    lengths: g.concat([g.shapeOf(keys), g.shapeOf(slots)], 0),
    pastLength: g.input("past_length", "int32", ["batch"]),
    tailLength: g.input("tail_length", "int32", ["batch"]),
    pasts: caches(g, config, "past").map((value) => g.cast(value, computeDtype)),
    sampled: g.input("sampled", "int32", ["rows"]),
    noise: g.input("noise", "float32", ["trips", "rows"]),
    sampler: samplerInputs(g),
    stopIds: g.input("stop_ids", "int32", ["rows", "stops"]),
    remaining: g.input("remaining", "int32", ["rows"]),
  };
  const states: States = {
    ids: g.input("ids", "int32", ["batch", TIME]),
    history: g.cast(g.input("history", "int32", ["rows", "seen"]), "int64"),
    done: g.zerosLike(run.sampled, "int32"),
    tails: caches(g, config, "tail").map((value) => g.cast(value, computeDtype)),
  };
  const trips = g.reshape(g.gather(g.shapeOf(run.noise), g.int64s([0])), []);
  const carried = [states.ids, states.history, states.done, ...states.tails];
  const results = g.loop({ trips, states: carried }, (body, trip, [ids, history, done, ...tails]) =>
    oneTrip(body, run, trip, { ids, history, done, tails } as States),
  );
  const [tokens, logps, ...fresh] = results.slice(carried.length) as [Value, Value, ...Value[]];
  g.output("tokens", tokens);
  g.output("logps", logps);
  eachCache(config, "fresh").forEach((name, i) => {
    g.output(name, fresh[i] as Value);
  });
  return g.build();
}

/** What all trips of a run read. */
interface Run {
  readonly config: ModelConfig;
  readonly parameters: Parameters;
  readonly tables: RotaryAngles["tables"];
  readonly firstPosition: Value;
  readonly keys: Value;
  readonly slots: Value;
  readonly time: Value;
  readonly lengths: Value;
  readonly pastLength: Value;
  readonly tailLength: Value;
  readonly pasts: readonly Value[];
  readonly sampled: Value;
  readonly noise: Value;
  readonly sampler: ReturnType<typeof samplerInputs>;
  readonly stopIds: Value;
  readonly remaining: Value;
}

function ropeInputs(g: GraphBuilder, { ropes, headDim }: ModelConfig, dtype: FloatDType): RotaryAngles["tables"] {
  return ropes.map((_, rope) => {
    const { cos, sin } = ropeNames(rope);
    const table = (name: string): Value => g.cast(g.input(name, "float32", ["positions", headDim / 2]), dtype);
    return { cos: table(cos), sin: table(sin) };
  });
}

const samplerInputs = (g: GraphBuilder) => ({
  temperature: g.input("temperature", "float32", ["rows"]),
  topK: g.input("top_k", "int32", ["rows"]),
  topP: g.input("top_p", "float32", ["rows"]),
  minP: g.input("min_p", "float32", ["rows"]),
  repetitionPenalty: g.input("repetition_penalty", "float32", ["rows"]),
});

/** Names of the caches of all layers: key and value of the first, and so on. */
const eachCache = ({ numHiddenLayers }: ModelConfig, part: "past" | "tail" | "fresh"): string[] =>
  Array.from({ length: numHiddenLayers }, (_, layer) => cacheNames(layer)[part]).flat();

function caches(g: GraphBuilder, config: ModelConfig, part: "past" | "tail"): Value[] {
  const length = part === "past" ? "past" : "slots";
  return eachCache(config, part).map((name) =>
    g.input(name, "float32", ["batch", config.numKeyValueHeads, length, config.headDim]),
  );
}

function oneTrip(g: GraphBuilder, run: Run, trip: Value, { ids, history, done, tails }: States) {
  const { config, parameters, sampled } = run;
  const { angles, rows } = placed(g, run, trip);
  const cache = layerCaches(g, run, rows, tails);
  const visible = cachedVisibility(g, rows, run.keys, run.slots, run.time);
  const { hidden, present } = decoder(g, config, parameters, { ids, angles, visible, cache });
  const flat = g.reshape(hidden, ["tokens", config.hiddenSize]);
  const logits = headLogits(g, config, parameters, g.gather(flat, sampled));
  const noise = g.gather(run.noise, trip);
  const { ids: tokens, logps } = sampleTokens(g, { logits, noise, history, ...run.sampler });

  const next = g.cast(tokens, "int32");
  const isStop = g.reduceMax(g.cast(g.equal(g.reshape(next, ["rows", 1]), run.stopIds), "int32"), [1]);
  const isLast = g.cast(g.lessOrEqual(run.remaining, g.add(g.cast(trip, "int32"), g.int32Scalar(1))), "int32");
  const nowDone = g.max(g.max(done, isStop), isLast);
  const open = g.lessOrEqual(nowDone, g.int32Scalar(0));
  const column = g.reshape(next, ["rows", 1]);
  return {
    goOn: g.cast(g.reduceMax(g.cast(open, "int32"), [0]), "bool"),
    next: [
      column,
      g.concat([history, g.cast(column, "int64")], 1),
      nowDone,
      ...present.flatMap(({ tail }) => (tail === undefined ? [] : [tail.key, tail.value])),
    ],
    stacked: [next, logps, ...present.flatMap(({ key, value }) => [g.wide(key), g.wide(value)])],
  };
}

/** Where the new tokens stand: their rotary angles, and what their rows have behind them. */
function placed(g: GraphBuilder, { tables, firstPosition, pastLength, tailLength, time }: Run, trip: Value) {
  const rows: DecodingRows = { past: pastLength, taken: g.add(tailLength, g.cast(trip, "int32")) };
  const start = g.sub(g.add(rows.past, rows.taken), firstPosition);
  const positions = g.add(g.reshape(start, ["batch", 1]), g.reshape(time, [1, TIME]));
  return { rows, angles: { positions: g.cast(positions, "int64"), tables } };
}

function layerCaches(g: GraphBuilder, run: Run, { taken }: DecodingRows, tails: readonly Value[]): LayerCache[] {
  const slot = g.reshape(run.slots, [1, 1, "slots", 1]);
  const first = g.reshape(taken, ["batch", 1, 1, 1]);
  const count = g.cast(g.shapeOf(run.time), "int32");
  const end = g.add(first, g.reshape(count, [1, 1, 1, 1]));
  const isNew = g.and(g.lessOrEqual(first, slot), g.not(g.lessOrEqual(end, slot)));
  return Array.from({ length: run.config.numHiddenLayers }, (_, layer) => ({
    past: pair(run.pasts, layer),
    tail: pair(tails, layer),
    isNew,
    lengths: run.lengths,
  }));
}

const pair = (values: readonly Value[], layer: number) => ({
  key: values[2 * layer] as Value,
  value: values[2 * layer + 1] as Value,
});
