/** @file MatMulNBits on the CPU: what the layout of codes and scales means to it, and that a row does not depend on its neighbours. */
import { describe, expect, it, onTestFinished } from "vitest";
import {
  blocksOf,
  packCodes,
  type QuantizedBits,
  quantizeBlocks,
  scalesOf,
} from "../../../src/trainer/checkpoint/quantize.js";
import { GraphBuilder } from "../../../src/trainer/graph/index.js";
import { openSession } from "../../../src/trainer/runtime/session.js";
import { dequantized } from "../../support/dequantized.js";

interface Size {
  readonly inner: number;
  readonly rows: number;
}

const wave = (length: number, step: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * i * step + i));

async function openProduct({ inner, rows }: Size, bits: QuantizedBits, accuracyLevel: 1 | 4) {
  const quantized = quantizeBlocks(wave(rows * inner, 0.37), inner, bits);
  const g = new GraphBuilder();
  const x = g.input("x", "float32", ["n", inner]);
  const packed = g.constant("packed", "uint8", [rows, blocksOf(inner), 4 * bits], {
    kind: "inline",
    bytes: packCodes(quantized.codes, bits),
  });
  const scales = g.floats("scales", [rows, blocksOf(inner)], scalesOf(quantized));
  g.output("y", g.matmulNBits(x, packed, scales, { inner, rows, bits, blockSize: 32, accuracyLevel }));
  const program = await openSession(g.build(), "product", { weightsFolder: ".", threads: 2 });
  onTestFinished(() => program.dispose());
  const run = async (data: Float32Array): Promise<Float32Array> => {
    const { y } = await program.run({ x: { data, dims: [data.length / inner, inner] } }, ["y"]);
    return y!.data as Float32Array;
  };
  return { run, matrix: dequantized(quantized, inner, bits) };
}

function product(x: Float32Array, matrix: Float32Array, { inner, rows }: Size): number[] {
  return Array.from({ length: (x.length / inner) * rows }, (_, i) => {
    const [from, row] = [Math.floor(i / rows) * inner, (i % rows) * inner];
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += x[from + k]! * matrix[row + k]!;
    return sum;
  });
}

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));

const SIZES: readonly Size[] = [
  { inner: 64, rows: 48 },
  { inner: 576, rows: 96 },
  { inner: 72, rows: 40 },
  { inner: 100, rows: 7 },
  { inner: 16, rows: 5 },
];
const CASES = ([8, 4] as const).flatMap((bits) => SIZES.map((size) => ({ bits, ...size })));

describe.each(CASES)("$bits bits, [$rows, $inner]", ({ bits, ...size }) => {
  const { inner } = size;
  const x = wave(24 * inner, 0.11);

  it("is the product with the weights that the codes stand for", async () => {
    const { run, matrix } = await openProduct(size, bits, 1);
    expect(distance(await run(x), product(x, matrix, size))).toBeLessThan(1e-4);
  });

  it("with activations of 8 bits a block differs by what rounding them makes", async () => {
    const { run, matrix } = await openProduct(size, bits, 4);
    const error = distance(await run(x), product(x, matrix, size));
    // A rounded activation is off by 1/254 of its block's largest at most, and errors of both signs mostly cancel.
    expect(error).toBeLessThan((4 * Math.sqrt(inner)) / 254);
    expect(error).toBeGreaterThan(0);
  });

  it("gives a row the same bits alone and among 3, 8 or 24", async () => {
    const { run } = await openProduct(size, bits, 4);
    const all = await run(x);
    for (const rows of [1, 3, 8]) {
      for (let row = 0; row < 24; row += rows) {
        const some = await run(x.slice(row * inner, (row + rows) * inner));
        expect(some, `rows ${row} to ${row + rows}`).toEqual(all.slice(row * size.rows, (row + rows) * size.rows));
      }
    }
  });
});
