/** @file Several optimizer steps in one run: the training program as the body of a loop over micro-batches. */
import { type Graph, GraphBuilder, type Value } from "../graph/index.js";
import type { ProgramSource } from "../model/index.js";
import type { LossName } from "./policy.js";
import { preferenceOutputs, type TrainProgramOptions, trainStep } from "./programs.js";

const VECTORS = ["theta", "m", "v"] as const;
/** The same in every trip. */
const SHARED: readonly string[] = ["order", "loss_scale"];

/** Outputs of a steps program that have one row a trip. */
export const tripOutputs = (loss: LossName): readonly string[] => [
  "loss",
  "nll",
  ...preferenceOutputs(loss),
  "grad_norm",
  "alive",
];

/**
 * Takes the inputs of the train program, each with a new axis 0 of micro-batches, but theta, m, v, order and loss_scale
 * as they are, and no gradient. `last` [micros] is 1 where a step's update is taken. Gives next_theta, next_m and next_v
 * after all of them, and a row a trip of what a micro-batch reports.
 *
 * `alive` [micros] is 1 up to the first micro-batch whose loss or gradient is not finite; from there on no step is taken.
 */
export function stepsProgram(source: ProgramSource, loss: LossName, options: TrainProgramOptions = {}): Graph {
  const g = new GraphBuilder();
  const vectors = VECTORS.map((name) => g.input(name, "float32", [source.layout.length]));
  const others = declaredInputs(source, loss, options);
  const shared = others.filter(({ name }) => SHARED.includes(name)).map((v) => g.input(v.name, v.dtype, v.shape));
  const ofTrip = others.filter(({ name }) => !SHARED.includes(name));
  const scanned = [
    ...ofTrip.map(({ name, dtype, shape }) => g.input(name, dtype, ["micros", ...shape])),
    g.input("last", "float32", ["micros"]),
  ];
  const states = [...vectors, g.filled(source.layout.length, 0), g.scalar(1)];
  const outputs = g.scan({ states, scanned }, (b, carried, slices) => {
    [...VECTORS, "gradient"].forEach((name, i) => {
      b.bind(name, carried[i] as Value);
    });
    for (const value of shared) b.bind(value.name, value);
    ofTrip.forEach(({ name }, i) => {
      b.bind(name, slices[i] as Value);
    });
    const found = trainStep(b, source, loss, { ...options, outside: g });
    return nextStates(b, found, carried, slices.at(-1) as Value, tripOutputs(loss));
  });
  VECTORS.forEach((name, i) => {
    g.output(`next_${name}`, outputs[i] as Value);
  });
  tripOutputs(loss).forEach((name, i) => {
    g.output(name, outputs[states.length + i] as Value);
  });
  return g.build();
}

/** Inputs of the train program that do not come from the trip before, unread ones too. */
function declaredInputs(source: ProgramSource, loss: LossName, options: TrainProgramOptions): readonly Value[] {
  const g = new GraphBuilder();
  trainStep(g, source, loss, options);
  const carried: readonly string[] = [...VECTORS, "gradient"];
  return g.inputs.filter(({ name }) => !carried.includes(name));
}

function nextStates(
  b: GraphBuilder,
  found: Readonly<Record<string, Value>>,
  carried: readonly Value[],
  last: Value,
  reported: readonly string[],
): readonly Value[] {
  const of = (name: string): Value => found[name] as Value;
  const one = b.scalar(1);
  const finite = b.and(finiteScalar(b, of("loss")), finiteScalar(b, of("grad_norm")));
  const alive = b.mul(carried.at(-1) as Value, b.cast(finite, "float32"));
  const taken = b.equal(b.mul(last, alive), one);
  const next = VECTORS.map((name, i) => b.where(taken, of(`next_${name}`), carried[i] as Value));
  const gradient = b.where(b.equal(last, one), b.scalar(0), of("sum_gradient"));
  return [...next, gradient, alive, ...reported.map((name) => (name === "alive" ? alive : of(name)))];
}

const LARGEST_FLOAT32 = 3.4028234663852886e38;

/** No comparison with NaN holds. */
function finiteScalar(b: GraphBuilder, x: Value): Value {
  const largest = b.scalar(LARGEST_FLOAT32);
  return b.and(b.lessOrEqual(x, largest), b.lessOrEqual(b.neg(x), largest));
}
