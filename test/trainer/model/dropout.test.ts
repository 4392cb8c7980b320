/** @file LoRA dropout: the mask as a random variable, and as a part of the layer. */
import { describe, expect, it } from "vitest";
import { gradients } from "../../../src/trainer/autodiff/index.js";
import { GraphBuilder, type Value } from "../../../src/trainer/graph/index.js";
import { loraDropout } from "../../../src/trainer/model/dropout.js";
import { linear } from "../../../src/trainer/model/linear.js";
import type { Parameters } from "../../../src/trainer/model/parameters.js";
import { uniforms } from "../../../src/trainer/runtime/random.js";
import { floatsOf, relativeError, runGraph } from "../../support/program-runner.js";

const [ROWS, COLUMNS] = [256, 256];

const noiseOf = (seed: number, dims: readonly [number, number]) => ({
  data: Int32Array.from(uniforms(seed, 0, dims[0] * dims[1]), (u) => Math.floor(u * 2 ** 31)),
  dims,
});

/** 1 where an element is kept, for each of `layers`: [ROWS · COLUMNS] each. */
async function masks(share: number, seed: number, layers: readonly number[]): Promise<number[][]> {
  const g = new GraphBuilder();
  const dropout = loraDropout(g, g.input("noise", "int32", ["batch", "time"]), share);
  const x = g.input("x", "float32", ["batch", "time", COLUMNS]);
  for (const layer of layers) g.output(`layer_${layer}`, dropout?.(layer).apply(x) as Value);
  const ones = { data: new Float32Array(ROWS * COLUMNS).fill(1), dims: [2, ROWS / 2, COLUMNS] };
  const names = layers.map((layer) => `layer_${layer}`);
  const result = await runGraph(g.build(), { noise: noiseOf(seed, [2, ROWS / 2]), x: ones }, names);
  return names.map((name) => floatsOf(result[name]));
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const row = (mask: readonly number[], i: number): number[] => mask.slice(i * COLUMNS, (i + 1) * COLUMNS);
const column = (mask: readonly number[], j: number): number[] =>
  Array.from({ length: ROWS }, (_, i) => mask[i * COLUMNS + j] as number);

function correlation(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  const product = (x: readonly number[], mx: number, y: readonly number[], my: number): number =>
    mean(x.map((value, i) => (value - mx) * ((y[i] as number) - my)));
  return product(a, meanA, b, meanB) / Math.sqrt(product(a, meanA, a, meanA) * product(b, meanB, b, meanB));
}

describe.each([0.05, 0.5])("a dropout of %d", (share) => {
  const sigma = Math.sqrt((share * (1 - share)) / COLUMNS); // of a row's or a column's mean

  it("keeps its share, over all, in each row and in each column", async () => {
    const [mask] = (await masks(share, 1, [0])) as [number[]];
    expect(new Set(mask)).toEqual(new Set([0, 1]));
    expect(Math.abs(mean(mask) - (1 - share))).toBeLessThan(4 * (sigma / Math.sqrt(ROWS)));
    for (let i = 0; i < ROWS; i += 1) {
      expect(Math.abs(mean(row(mask, i)) - (1 - share))).toBeLessThan(5.5 * sigma);
      expect(Math.abs(mean(column(mask, i)) - (1 - share))).toBeLessThan(5.5 * sigma);
    }
  });

  it("has masks that tell nothing of each other: layers, steps, neighbouring rows and columns", async () => {
    const [first, second, later] = (await masks(share, 1, [0, 1, 200])) as [number[], number[], number[]];
    const [nextStep] = (await masks(share, 2, [0])) as [number[]];
    const limit = 4.5 / Math.sqrt(ROWS * COLUMNS);
    for (const other of [second, later, nextStep]) expect(Math.abs(correlation(first, other))).toBeLessThan(limit);
    expect(Math.abs(correlation(first.slice(COLUMNS), first.slice(0, -COLUMNS)))).toBeLessThan(limit);
    expect(Math.abs(correlation(first.slice(1), first.slice(0, -1)))).toBeLessThan(limit);
  });

  it("has no two rows or columns that are alike", async () => {
    const [mask] = (await masks(share, 1, [0])) as [number[]];
    const few = Array.from({ length: 48 }, (_, i) => i * 5);
    for (const line of [row, column]) {
      const lines = few.map((i) => line(mask, i));
      const pairs = lines.flatMap((a, i) => lines.slice(i + 1).map((b) => Math.abs(correlation(a, b))));
      expect(Math.max(...pairs)).toBeLessThan(share === 0.5 ? 0.3 : 0.45); // 5 % dropped: a dozen elements a line
      expect(mean(pairs)).toBeLessThan(1.2 / Math.sqrt(COLUMNS));
    }
  });

  it("is unbiased: kept elements are scaled up to the same mean", async () => {
    const g = new GraphBuilder();
    const scale = loraDropout(g, g.input("noise", "int32", ["batch", "time"]), share)?.(0).scale as number;
    const means = await Promise.all(
      [1, 2, 3, 4].map(async (seed) => mean((await masks(share, seed, [seed]))[0] ?? [])),
    );
    expect(Math.abs(mean(means) * scale - 1)).toBeLessThan((3 * scale * sigma) / Math.sqrt(4 * ROWS));
  });

  it("gives the same bytes for the same noise", async () => {
    expect(await masks(share, 3, [4])).toEqual(await masks(share, 3, [4]));
  });
});

describe("a layer with dropout", () => {
  const [B, T, IN, OUT, R, SCALE, SHARE] = [2, 3, 6, 4, 2, 1.5, 0.4];
  const values = (stream: number, size: number): Float32Array =>
    Float32Array.from(uniforms(9, stream, size), (u) => u - 0.5);
  const data = { x: values(1, B * T * IN), w: values(2, OUT * IN), a: values(3, R * IN), b: values(4, OUT * R) };

  const build = (share: number) => {
    const g = new GraphBuilder();
    const noise = g.input("noise", "int32", ["batch", "time"]);
    const x = g.input("x", "float32", ["batch", "time", IN]);
    const [w, a, b] = [
      g.input("w", "float32", [OUT, IN]),
      g.input("a", "float32", [R, IN]),
      g.input("b", "float32", [OUT, R]),
    ];
    const dropout = loraDropout(g, noise, share)?.(5);
    const lora = { a, b, scale: SCALE, ...(dropout === undefined ? {} : { dropout }) };
    const parameters: Parameters = {
      dtype: "float32",
      weight: () => w,
      rows: () => w,
      lora: () => lora,
      stackedLora: () => undefined,
      tokenRows: () => undefined,
      quantized: () => undefined,
    };
    const y = linear(g, parameters, "layer", x);
    const wrt = [x, a, b];
    gradients(g, g.sumAll(g.mul(y, y)), wrt).forEach((dy, i) => {
      g.output(`d${["x", "a", "b"][i]}`, dy as Value);
    });
    g.output("y", y);
    if (dropout !== undefined) g.output("kept", dropout.apply(g.expandLike(g.scalar(1), x)));
    return g;
  };

  it("has the output and the gradients that its mask gives by hand", async () => {
    const feeds = {
      noise: noiseOf(11, [B, T]),
      x: { data: data.x, dims: [B, T, IN] },
      w: { data: data.w, dims: [OUT, IN] },
      a: { data: data.a, dims: [R, IN] },
      b: { data: data.b, dims: [OUT, R] },
    };
    const result = await runGraph(build(SHARE).build(), feeds, ["y", "dx", "da", "db", "kept"]);
    const kept = floatsOf(result["kept"]);
    expect(kept).toContain(0);
    expect(kept).toContain(1);
    const expected = byHand(kept);
    for (const name of ["y", "dx", "da", "db"] as const) {
      expect(relativeError(floatsOf(result[name]), expected[name]), name).toBeLessThan(1e-5);
    }
  });

  /** y = W x + s B A (m ∘ x) / (1 - p) and the gradients of Σ y², element by element. */
  function byHand(mask: readonly number[]) {
    const out = {
      y: Array(B * T * OUT).fill(0),
      dx: Array(B * T * IN).fill(0),
      da: Array(R * IN).fill(0),
      db: Array(OUT * R).fill(0),
    };
    const { x, w, a, b } = data as Record<keyof typeof data, ArrayLike<number>>;
    const at = (v: ArrayLike<number>, i: number): number => v[i] as number;
    const factor = SCALE / (1 - SHARE);
    for (let t = 0; t < B * T; t += 1) {
      const dropped = Array.from({ length: IN }, (_, j) => at(x, t * IN + j) * at(mask, t * IN + j));
      const low = Array.from({ length: R }, (_, k) => dropped.reduce((sum, v, j) => sum + v * at(a, k * IN + j), 0));
      const dlow = Array(R).fill(0) as number[];
      for (let o = 0; o < OUT; o += 1) {
        let y = 0;
        for (let j = 0; j < IN; j += 1) y += at(w, o * IN + j) * at(x, t * IN + j);
        for (let k = 0; k < R; k += 1) y += factor * at(b, o * R + k) * (low[k] as number);
        out.y[t * OUT + o] = y;
        for (let j = 0; j < IN; j += 1) out.dx[t * IN + j] += 2 * y * at(w, o * IN + j);
        for (let k = 0; k < R; k += 1) {
          dlow[k] = (dlow[k] as number) + 2 * y * factor * at(b, o * R + k);
          out.db[o * R + k] += 2 * y * factor * (low[k] as number);
        }
      }
      for (let k = 0; k < R; k += 1) {
        for (let j = 0; j < IN; j += 1) {
          out.da[k * IN + j] += (dlow[k] as number) * (dropped[j] as number);
          out.dx[t * IN + j] += (dlow[k] as number) * at(a, k * IN + j) * at(mask, t * IN + j);
        }
      }
    }
    return out;
  }

  it("adds nothing to the graph where nothing is dropped", () => {
    const g = build(0);
    expect(g.nodes.filter(({ name }) => name.includes("dropout"))).toEqual([]);
    expect(loraDropout(g, undefined, 0.5)).toBeUndefined();
  });

  it.each([1, -0.1, Number.NaN])("refuses a share of %d", (share) => {
    expect(() => build(share)).toThrow(/at least 0 and less than 1/);
  });
});
