/** @file Every gradient rule against central differences on ONNX Runtime, along one random direction a case. */
import { describe, expect, it } from "vitest";
import { createRng } from "../../../src/agents/rng.js";
import { gradientRules, gradients } from "../../../src/trainer/autodiff/index.js";
import {
  type Dim,
  GraphBuilder,
  OP_TYPES,
  type OpType,
  type Value,
  type Vjp,
} from "../../../src/trainer/graph/index.js";
import type { Feed } from "../../../src/trainer/runtime/session.js";
import { floatsOf, runGraph } from "../../support/program-runner.js";

interface Case {
  readonly claim: string;
  /** Shapes of the inputs that are differentiated; a symbolic dim stands for the number behind it. */
  readonly shapes: readonly (readonly number[])[];
  /** Symbolic dims by [input, axis]. */
  readonly symbols?: Readonly<Record<string, string>>;
  readonly build: (g: GraphBuilder, inputs: readonly Value[]) => Value;
  /** Inputs are drawn from here; default [-1, 1]. */
  readonly range?: readonly [number, number];
}

const positive = [0.5, 2] as const;
const int32 = (g: GraphBuilder, name: string, shape: readonly Dim[], values: readonly number[]): Value => {
  const bytes = new Uint8Array(Int32Array.from(values).buffer);
  return g.constant(name, "int32", shape, { kind: "inline", bytes });
};
const bool = (g: GraphBuilder, shape: readonly number[], values: readonly number[]): Value =>
  g.constant("condition", "bool", shape, { kind: "inline", bytes: Uint8Array.from(values) });
const [a, b] = [0, 1];
const at = (inputs: readonly Value[], i: number): Value => inputs[i] as Value;

const pair = (
  claim: string,
  shapes: Case["shapes"],
  op: (g: GraphBuilder, x: Value, y: Value) => Value,
  range?: Case["range"],
): Case => ({
  claim,
  shapes,
  build: (g, xs) => op(g, at(xs, a), at(xs, b)),
  ...(range === undefined ? {} : { range }),
});
const single = (
  claim: string,
  shape: readonly number[],
  op: (g: GraphBuilder, x: Value) => Value,
  range?: Case["range"],
): Case => ({
  claim,
  shapes: [shape],
  build: (g, xs) => op(g, at(xs, a)),
  ...(range === undefined ? {} : { range }),
});

/** Over the rows of x: s ← s + x c, and each trip gives x² c, where c is read from outside. Its gradient comes with it. */
function loop(claim: string, read: (g: GraphBuilder, outputs: readonly Value[], start: Value) => Value): Case {
  const build: Case["build"] = (g, [s, x, c]) => {
    const [start, rows, factor] = [s as Value, x as Value, c as Value];
    const vjp: Vjp = ([dLast, dTrips], wants) => {
      const square = g.mul(rows, rows);
      const sum = (fromLast: (dy: Value) => Value, fromTrips: (dy: Value) => Value): Value => {
        const parts = [...(dLast ? [fromLast(dLast)] : []), ...(dTrips ? [fromTrips(dTrips)] : [])];
        return parts.reduce(g.add);
      };
      const gradients = new Map<Value, Value>();
      if (dLast !== undefined && wants(start)) gradients.set(start, dLast);
      const dRows = sum(
        (dy) => g.expandLike(g.mul(dy, factor), rows),
        (dy) => g.mul(dy, g.scale(g.mul(rows, factor), 2)),
      );
      if (wants(rows)) gradients.set(rows, dRows);
      const dFactor = sum(
        (dy) => g.mul(dy, g.reduceSum(rows, [0])),
        (dy) => g.reduceSum(g.mul(dy, square), [0]),
      );
      if (wants(factor)) gradients.set(factor, dFactor);
      return gradients;
    };
    const outputs = g.scan(
      { states: [start], scanned: [rows] },
      (b, [state], [row]) => {
        const step = b.mul(row as Value, factor);
        return [b.add(state as Value, step), b.mul(row as Value, step)];
      },
      vjp,
    );
    return read(g, outputs, start);
  };
  return { claim, shapes: [[3], [4, 3], [3]], symbols: { "1,0": "trips" }, build };
}

const tables = (g: GraphBuilder) => {
  const angles = Array.from({ length: 5 * 3 }, (_, i) => Math.floor(i / 3) * 0.7 ** (i % 3));
  const table = (name: string, f: (x: number) => number): Value => g.floats(name, [5, 3], Float32Array.from(angles, f));
  return { cos: table("cos", Math.cos), sin: table("sin", Math.sin) };
};

const cases: { readonly [K in OpType]?: readonly Case[] } = {
  Add: [
    pair(
      "same shapes",
      [
        [2, 3],
        [2, 3],
      ],
      (g, x, y) => g.add(x, y),
    ),
    pair(
      "a row is broadcast over leading and inner dims",
      [
        [2, 3, 4],
        [3, 1],
      ],
      (g, x, y) => g.add(x, y),
    ),
    {
      claim: "a symbolic batch is summed",
      shapes: [[3, 4], [4]],
      symbols: { "0,0": "batch" },
      build: (g, xs) => g.add(at(xs, a), at(xs, b)),
    },
  ],
  Sub: [pair("both sides, broadcast", [[4], [2, 4]], (g, x, y) => g.sub(x, y))],
  Mul: [
    pair(
      "both sides, broadcast",
      [
        [2, 1, 3],
        [4, 3],
      ],
      (g, x, y) => g.mul(x, y),
    ),
    single("a value times itself adds up", [3, 2], (g, x) => g.mul(x, x)),
  ],
  Div: [pair("both sides, broadcast", [[2, 3], [3]], (g, x, y) => g.div(x, y), positive)],
  Min: [pair("goes to the smaller side", [[3, 4], [4]], (g, x, y) => g.min(x, y))],
  Neg: [single("turns the sign", [3], (g, x) => g.neg(x))],
  Exp: [single("is its own derivative", [5], (g, x) => g.exp(x))],
  Log: [single("1/x", [5], (g, x) => g.log(x), positive)],
  Sqrt: [single("1/(2√x)", [5], (g, x) => g.sqrt(x), positive)],
  Tanh: [single("1 - y²", [5], (g, x) => g.tanh(x))],
  Sigmoid: [single("y(1 - y)", [5], (g, x) => g.sigmoid(x))],
  Softplus: [single("σ(x)", [5], (g, x) => g.softplus(x), [-4, 4])],
  MatMul: [
    pair(
      "two matrices",
      [
        [3, 4],
        [4, 2],
      ],
      (g, x, y) => g.matmul(x, y),
    ),
    pair(
      "a shared right matrix sums over rows",
      [
        [2, 3, 4],
        [4, 5],
      ],
      (g, x, y) => g.matmul(x, y),
    ),
    pair(
      "broadcast batches",
      [
        [2, 3, 2, 4],
        [1, 3, 4, 2],
      ],
      (g, x, y) => g.matmul(x, y),
    ),
  ],
  FusedMatMul: [
    pair(
      "A Bᵀ with a shared right matrix",
      [
        [2, 3, 4],
        [5, 4],
      ],
      (g, x, y) => g.fusedMatMul(x, y, { transB: true, alpha: 0.5 }),
    ),
    pair(
      "batched A Bᵀ",
      [
        [2, 2, 3, 4],
        [2, 2, 5, 4],
      ],
      (g, x, y) => g.fusedMatMul(x, y, { transB: true, alpha: 2 }),
    ),
    pair(
      "batched Aᵀ B",
      [
        [2, 4, 3],
        [2, 4, 5],
      ],
      (g, x, y) => g.fusedMatMul(x, y, { transA: true }),
    ),
    pair(
      "batched Aᵀ Bᵀ",
      [
        [2, 4, 3],
        [2, 5, 4],
      ],
      (g, x, y) => g.fusedMatMul(x, y, { transA: true, transB: true, alpha: -1 }),
    ),
    pair(
      "Aᵀ B of matrices",
      [
        [4, 3],
        [4, 5],
      ],
      (g, x, y) => g.fusedMatMul(x, y, { transA: true, alpha: 3 }),
    ),
  ],
  Softmax: [single("rows", [3, 5], (g, x) => g.softmax(x), [-2, 2])],
  SimplifiedLayerNormalization: [
    pair("input and weight", [[2, 3, 6], [6]], (g, x, w) => g.rmsNorm(x, w, 1e-5)[0], positive),
  ],
  RotaryEmbedding: [
    single("is undone by the opposite angle", [2, 2, 3, 6], (g, x) => {
      const positions = g.cast(int32(g, "positions", [2, 3], [0, 1, 2, 4, 3, 1]), "int64");
      const { cos, sin } = tables(g);
      return g.rotary(x, positions, cos, sin);
    }),
  ],
  ReduceSum: [
    single("keeps dims", [2, 3, 4], (g, x) => g.reduceSum(g.mul(x, x), [1], true)),
    single("drops dims", [2, 3, 4], (g, x) => g.reduceSum(g.mul(x, x), [0, 2])),
    single("of everything", [2, 3], (g, x) => g.sumAll(g.mul(x, x))),
    {
      claim: "drops a dim between two symbolic ones",
      shapes: [[2, 3, 4]],
      symbols: { "0,0": "batch", "0,1": "time" },
      build: (g, xs) => g.reduceSum(g.mul(at(xs, a), at(xs, a)), [2]),
    },
  ],
  ReduceLogSumExp: [single("softmax of the inputs", [3, 5], (g, x) => g.reduceLogSumExp(x, [-1], true), [-3, 3])],
  Transpose: [single("turns back", [2, 3, 4], (g, x) => g.transpose(x, [2, 0, 1]))],
  Reshape: [
    {
      claim: "with a symbolic dim",
      shapes: [[2, 3, 4]],
      symbols: { "0,0": "batch" },
      build: (g, xs) => g.reshape(at(xs, a), ["rows", 4]),
    },
  ],
  Expand: [
    pair(
      "sums over what was repeated",
      [
        [2, 1, 3],
        [2, 4, 3],
      ],
      (g, x, y) => g.mul(g.expandLike(x, y), y),
    ),
  ],
  Concat: [
    pair(
      "cuts the gradient up",
      [
        [2, 3],
        [2, 2],
      ],
      (g, x, y) => g.concat([x, y, x], 1),
    ),
  ],
  Split: [
    single("an unread part has gradient zero", [6, 2], (g, x) => {
      const [first, , last] = g.split(x, 0, [1, 2, 3]) as readonly [Value, Value, Value];
      return g.concat([g.mul(last, last), first], 0);
    }),
  ],
  Gather: [single("rows read twice add up", [4, 3], (g, x) => g.gather(x, int32(g, "rows", [2, 2], [1, 3, 1, 0])))],
  GatherElements: [
    single("one element a row", [3, 4], (g, x) => g.gatherElements(x, int32(g, "columns", [3, 1], [2, 0, 3]), 1)),
  ],
  Where: [
    pair("goes to the side that was taken", [[2, 3], [3]], (g, x, y) =>
      g.where(bool(g, [2, 3], [1, 0, 1, 0, 0, 1]), x, y),
    ),
  ],
  Cast: [single("comes back in the input's dtype", [3], (g, x) => g.cast(g.cast(x, "float32"), "float32"))],
  Scan: [
    loop("the last state alone", (_g, [last]) => last as Value),
    loop("what the trips gave alone", (g, [, trips], start) => g.add(trips as Value, start)),
    loop("both", (g, [last, trips]) => g.mul(last as Value, trips as Value)),
  ],
};

const withRule = OP_TYPES.filter((op) => !("none" in gradientRules[op]));

describe("gradient rules", () => {
  it("has a case for every op that has a rule", () => {
    expect(withRule.filter((op) => cases[op] === undefined)).toEqual([]);
  });

  it("gives a reason for every op without a gradient", () => {
    for (const op of OP_TYPES) {
      const rule = gradientRules[op];
      if ("none" in rule) expect(rule.none.length).toBeGreaterThan(10);
    }
  });

  const listed = Object.entries(cases).flatMap(([op, list]) => list.map((one) => [op, one.claim, one] as const));
  it.each(listed)("%s: %s", async (_op, _claim, one) => {
    const { directional, numeric } = await compare(one);
    expect(Math.abs(directional - numeric)).toBeLessThan(2e-3 * Math.max(1, Math.abs(numeric)));
  });
});

/** ⟨∇f, d⟩ by the rules, and the difference quotient of f along d, for f = Σ y · w with random w. */
async function compare({
  shapes,
  symbols,
  build,
  range = [-1, 1],
}: Case): Promise<{ directional: number; numeric: number }> {
  const rng = createRng(11, JSON.stringify(shapes));
  const draw = (size: number, [low, high]: readonly [number, number]): Float32Array =>
    Float32Array.from({ length: size }, () => low + rng.uniform() * (high - low));
  const sizes = shapes.map((shape) => shape.reduce((x, y) => x * y, 1));
  const values = sizes.map((size) => draw(size, range));
  const directions = sizes.map((size) => draw(size, [-1, 1]));

  const g = new GraphBuilder();
  const inputs = shapes.map((shape, i) =>
    g.input(
      `x${i}`,
      "float32",
      shape.map((dim, axis) => symbols?.[`${i},${axis}`] ?? dim),
    ),
  );
  const y = build(g, inputs);
  const loss = g.sumAll(g.mul(y, g.softplus(g.scale(y, 0.7)))); // every element of y gets a gradient of its own
  g.output("loss", loss);
  gradients(g, loss, inputs).forEach((gradient, i) => {
    g.output(`g${i}`, gradient);
  });
  const graph = g.build();
  const feeds = (step: number): Record<string, Feed> =>
    Object.fromEntries(
      shapes.map((dims, i) => {
        const data = (values[i] as Float32Array).map(
          (x, j) => x + step * ((directions[i] as Float32Array)[j] as number),
        );
        return [`x${i}`, { data, dims }];
      }),
    );
  const names = shapes.map((_, i) => `g${i}`);
  const result = await runGraph(graph, feeds(0), names);
  let directional = 0;
  names.forEach((name, i) => {
    const gradient = floatsOf(result[name]);
    expect(gradient.length).toBe(sizes[i]);
    gradient.forEach((x, j) => {
      directional += x * ((directions[i] as Float32Array)[j] as number);
    });
  });
  const h = 2e-2; // five-point stencil: the error of the difference is O(h⁴), that of float32 about 1e-6 / h
  const lossAt = async (step: number): Promise<number> =>
    floatsOf((await runGraph(graph, feeds(step), ["loss"]))["loss"])[0] as number;
  const [far, near] = [(await lossAt(2 * h)) - (await lossAt(-2 * h)), (await lossAt(h)) - (await lossAt(-h))];
  return { directional, numeric: (8 * near - far) / (12 * h) };
}
