/** @file Log-probabilities in chunks: the definition in float64, and the gradients made beside them against central differences. */
import { describe, expect, it } from "vitest";
import { createRng } from "../../../src/agents/rng.js";
import { gradients } from "../../../src/trainer/autodiff/index.js";
import { GraphBuilder } from "../../../src/trainer/graph/index.js";
import { type Head, LABEL_CHUNK, type LogpsUse, tokenLogps } from "../../../src/trainer/losses/index.js";
import { openSession } from "../../../src/trainer/runtime/session.js";
import { relativeError } from "../../support/program-runner.js";

const [VOCABULARY, WIDTH, CHUNKS] = [11, 6, 3];
const LABELS = CHUNKS * LABEL_CHUNK;

const rng = createRng(3);
const draw = (size: number, scale = 1): Float32Array =>
  Float32Array.from({ length: size }, () => (2 * rng.uniform() - 1) * scale);

interface Data {
  /** [LABELS, WIDTH] */
  readonly hidden: Float32Array;
  /** [VOCABULARY, WIDTH] */
  readonly head: Float32Array;
  /** [indices, WIDTH] */
  readonly rows: Float32Array;
}

/** Rows by token id as the model sees them: the head, and trained rows in the place of its own or after them. */
function matrix({ head, rows }: Data, indices: readonly number[]): number[][] {
  const all = Array.from({ length: VOCABULARY }, (_, id) => [...head.slice(id * WIDTH, (id + 1) * WIDTH)]);
  indices.forEach((id, i) => {
    all[id] = [...rows.slice(i * WIDTH, (i + 1) * WIDTH)];
  });
  return all;
}

/** log softmax(x Wᵀ)[target] of each label, in float64. */
function definition(data: Data, indices: readonly number[], targets: Int32Array): number[] {
  const weight = matrix(data, indices);
  return Array.from(targets, (target, n) => {
    const logits = weight.map((row) => row.reduce((sum, w, j) => sum + w * (data.hidden[n * WIDTH + j] as number), 0));
    const most = Math.max(...logits);
    return (logits[target] as number) - most - Math.log(logits.reduce((sum, z) => sum + Math.exp(z - most), 0));
  });
}

/** Σ w · logp² / 2 + w · logp: each label's gradient depends on its own log-probability. */
const lossOf = (logps: readonly number[], weights: Float32Array): number =>
  logps.reduce((sum, logp, n) => sum + (weights[n] as number) * (logp + (logp * logp) / 2), 0);

interface Setting {
  readonly indices: readonly number[];
  readonly trained: readonly (keyof Data)[];
  readonly use?: LogpsUse;
}

/** Log-probabilities, and the gradient of {@link lossOf} for each of `trained`. */
async function run(
  data: Data,
  targets: Int32Array,
  weights: Float32Array,
  { indices, trained, use = "differentiate" }: Setting,
) {
  const g = new GraphBuilder();
  const inputs = {
    hidden: g.input("hidden", "float32", ["labels", WIDTH]),
    head: g.input("head", "float32", [VOCABULARY, WIDTH]),
    rows: g.input("rows", "float32", [indices.length, WIDTH]),
  };
  const head: Head = {
    weight: inputs.head,
    gather: (at, ids) => at.gather(inputs.head, ids),
    ...(indices.length > 0 && { rows: { indices, weight: inputs.rows } }),
  };
  const logps = tokenLogps(g, inputs.hidden, head, g.input("targets", "int32", ["labels"]), use);
  const loss = g.sumAll(
    g.mul(g.input("weights", "float32", ["labels"]), g.add(logps, g.scale(g.mul(logps, logps), 0.5))),
  );
  g.output("logps", logps);
  const wrt = trained.map((name) => inputs[name]);
  if (wrt.length > 0) {
    gradients(g, loss, wrt).forEach((gradient, i) => {
      g.output(`d_${trained[i]}`, gradient);
    });
  }
  const program = await openSession(g.build(), "test", { weightsFolder: "/", threads: 1 });
  const feed = (values: Float32Array) => ({ data: values, dims: [values.length / WIDTH, WIDTH] });
  const feeds = {
    hidden: feed(data.hidden),
    head: feed(data.head),
    rows: feed(data.rows),
    targets: { data: targets, dims: [targets.length] },
    weights: { data: weights, dims: [weights.length] },
  };
  const found = await program.run(feeds, ["logps", ...trained.map((name) => `d_${name}`)]);
  await program.dispose();
  return (name: string): number[] => Array.from(found[name]?.data as Float32Array, (x) => x + 0); // no -0
}

const dataFor = (indices: readonly number[], scale = 1): Data => ({
  hidden: draw(LABELS * WIDTH, 2),
  head: draw(VOCABULARY * WIDTH, scale),
  rows: draw(indices.length * WIDTH, scale),
});
const targetsBelow = (count: number): Int32Array => Int32Array.from({ length: LABELS }, () => rng.int(count));

/** Central differences of the definition along `direction`: float64, so the step can be small. */
function numeric(data: Data, name: keyof Data, direction: Float32Array, of: (data: Data) => number): number {
  const at = (step: number): number => {
    const moved = Float64Array.from(data[name], (x, i) => x + step * (direction[i] as number));
    return of({ ...data, [name]: moved as unknown as Float32Array });
  };
  const h = 1e-4;
  return (at(h) - at(-h)) / (2 * h);
}

const SETTINGS: readonly (readonly [string, Setting])[] = [
  ["a frozen head", { indices: [], trained: ["hidden"] }],
  ["a trained head", { indices: [], trained: ["hidden", "head"] }],
  ["rows that replace two ids", { indices: [7, 2], trained: ["hidden", "rows"] }],
  ["two new ids past the vocabulary", { indices: [11, 12], trained: ["hidden", "rows"] }],
  ["a replaced id and two new ones", { indices: [4, 11, 12], trained: ["hidden", "rows"] }],
  ["rows alone", { indices: [4, 11], trained: ["rows"] }],
];

describe.each(SETTINGS)("log-probabilities over %s", (_claim, setting) => {
  const { indices, trained } = setting;
  const data = dataFor(indices);
  const targets = targetsBelow(Math.max(VOCABULARY, ...indices.map((id) => id + 1)));
  const weights = draw(LABELS);

  it("equal the definition in every chunk, with gradients and without", async () => {
    const expected = definition(data, indices, targets);
    const asked = (await run(data, targets, weights, setting))("logps");
    const plain = (await run(data, targets, weights, { ...setting, trained: [], use: "score" }))("logps");
    for (const found of [asked, plain]) expect(relativeError(found, expected)).toBeLessThan(1e-6);
  });

  it.each(trained)("have the gradient of %s that central differences give", async (name) => {
    const found = (await run(data, targets, weights, setting))(`d_${name}`);
    for (let trial = 0; trial < 3; trial += 1) {
      const direction = draw(data[name].length);
      const expected = numeric(data, name, direction, (moved) => lossOf(definition(moved, indices, targets), weights));
      const directional = found.reduce((sum, x, i) => sum + x * (direction[i] as number), 0);
      expect(Math.abs(directional - expected)).toBeLessThan(1e-4 * Math.max(1, Math.abs(expected)));
    }
  });

  it("take nothing from labels that weigh nothing", async () => {
    const used = LABELS - 50;
    const masked = weights.map((w, n) => (n < used ? w : 0));
    const other = targets.map((target, n) => (n < used ? target : (target + 1) % VOCABULARY));
    const [first, second] = [await run(data, targets, masked, setting), await run(data, other, masked, setting)];
    for (const name of trained) expect(second(`d_${name}`)).toEqual(first(`d_${name}`));
    if (trained.includes("hidden")) {
      const tail = first("d_hidden").slice(used * WIDTH);
      expect(tail.every((x) => x === 0)).toBe(true);
      expect(
        first("d_hidden")
          .slice(0, used * WIDTH)
          .every((x) => x === 0),
      ).toBe(false);
    }
  });
});

describe("a frozen row that a trained one replaces", () => {
  it("has no part in any probability", async () => {
    const indices = [3];
    const data = dataFor(indices);
    const targets = targetsBelow(VOCABULARY);
    const weights = draw(LABELS);
    const setting: Setting = { indices, trained: ["hidden"] };
    const first = await run(data, targets, weights, setting);
    const head = data.head.map((w, i) => (Math.floor(i / WIDTH) === 3 ? 9 * w : w));
    const second = await run({ ...data, head }, targets, weights, setting);
    expect(second("logps")).toEqual(first("logps"));
    expect(second("d_hidden")).toEqual(first("d_hidden"));
  });
});

describe("large logits", () => {
  it.each([
    ["a trained head", [], ["hidden", "head"]],
    ["trained rows", [0, 11], ["hidden", "rows"]],
  ] as const)("of %s neither overflow nor lose the definition", async (_claim, indices, trained) => {
    const data = dataFor(indices, 200); // logits up to thousands
    const targets = targetsBelow(VOCABULARY);
    const found = await run(data, targets, draw(LABELS), { indices, trained });
    const expected = definition(data, indices, targets);
    expect(Math.min(...expected)).toBeLessThan(-1000);
    found("logps").forEach((logp, n) => {
      expect(Math.abs(logp - (expected[n] as number))).toBeLessThan(2e-3); // float32 at 4000 has steps of 2.4e-4
    });
    for (const name of trained) for (const x of found(`d_${name}`)) expect(x).toSatisfy(Number.isFinite);
  });
});
