import { readFileSync } from "node:fs";
import { mkdir, readdir, readFile, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openCheckpointDir, readTensorFloat32, type TensorEntry } from "../../../src/trainer/checkpoint/index.js";
import { quantizeBlocks, scalesOf } from "../../../src/trainer/checkpoint/quantize.js";
import { GraphBuilder } from "../../../src/trainer/graph/index.js";
import { openParameters, thetaLayout } from "../../../src/trainer/model/index.js";
import { rolloutCheckpoint } from "../../../src/trainer/run/rollout-weights.js";
import { openSession } from "../../../src/trainer/runtime/session.js";

import { goldenFolder } from "../../support/golden.js";
import { tempDir } from "../checkpoint/temp-dir.js";

const FAMILIES = fileURLToPath(new URL("../../fixtures/families/", import.meta.url));
const untied = await openCheckpointDir(goldenFolder("gqa-untied").model);
const tied = await openCheckpointDir(goldenFolder("tied-llama3").model);
const withBiases = await openCheckpointDir(join(FAMILIES, "qwen2", "model"));

const bytesOf = ({ file, offset, byteLength }: TensorEntry): Buffer =>
  readFileSync(file).subarray(offset, offset + byteLength);

describe("weights for sampling", () => {
  it.each(["float32", "float16"] as const)("in %s are the checkpoint's own files", async (weights) => {
    const rollout = await rolloutCheckpoint(untied, weights, "/nowhere");
    expect(rollout).toEqual({ checkpoint: untied, quantized: undefined, folder: untied.path });
  });

  it("hold every linear layer of the decoder and the head, in the bits asked for and the head in 8", async () => {
    const { quantized, folder } = await rolloutCheckpoint(untied, "int4", await tempDir());
    const layers = [0, 1].flatMap((layer) =>
      ["self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj"].map(
        (path) => `model.layers.${layer}.${path}`,
      ),
    );
    expect([...quantized!.keys()]).toEqual([...layers, "lm_head"]);
    expect(layers.map((module) => quantized?.get(module)?.bits)).toEqual(layers.map(() => 4));
    expect(quantized?.get("lm_head")?.bits).toBe(8);
    for (const { packed, scales } of quantized!.values()) {
      expect([packed, scales].map(({ file }) => file)).toEqual(
        Array(2).fill(join(folder, (await readdir(folder))[0]!)),
      );
    }
  });

  it("stack q, k and v as the layers of the checkpoint lie, row by row", async () => {
    const { quantized } = await rolloutCheckpoint(untied, "int8", await tempDir());
    const { packed, scales, inner, rows, parts } = quantized!.get("model.layers.1.self_attn.qkv_proj")!;
    const modules = ["q", "k", "v"].map((letter) => `model.layers.1.self_attn.${letter}_proj`);
    expect(parts.map(({ module }) => module)).toEqual(modules);
    expect(parts.reduce((sum, part) => sum + part.rows, 0)).toBe(rows);
    const alone = await Promise.all(
      modules.map(async (name) => quantizeBlocks(await untied.readFloat32(`${name}.weight`), inner, 8)),
    );
    expect(bytesOf(packed)).toEqual(Buffer.concat(alone.map(({ codes }) => codes)));
    expect([...(await readTensorFloat32(scales))]).toEqual(alone.flatMap((blocks) => [...scalesOf(blocks)]));
  });

  it("keep norms and the embedding as they are stored, and nothing that is quantized", async () => {
    for (const source of [untied, tied]) {
      const { checkpoint, quantized } = await rolloutCheckpoint(source, "int8", await tempDir());
      for (const [name, entry] of checkpoint.tensors) {
        const original = source.tensors.get(name)!;
        expect(entry.dtype).toBe(original.dtype);
        expect(bytesOf(entry).equals(bytesOf(original)), name).toBe(true);
        expect(entry.offset % 2).toBe(0);
      }
      const linear = [...source.tensors.keys()].filter((name) => /_proj|lm_head/.test(name));
      expect(checkpoint.tensors.size).toBe(source.tensors.size - linear.length);
      expect(checkpoint.tensors.has("model.embed_tokens.weight")).toBe(true);
      const head = source === tied ? "model.embed_tokens" : "lm_head";
      expect(quantized?.get("lm_head")?.parts).toEqual([{ module: head, rows: source.config.vocabSize }]);
    }
  });

  it("stack the biases of q, k and v too", async () => {
    const { quantized } = await rolloutCheckpoint(withBiases, "int4", await tempDir());
    const { bias } = quantized!.get("model.layers.0.self_attn.qkv_proj")!;
    const names = ["q", "k", "v"].map((letter) => `model.layers.0.self_attn.${letter}_proj.bias`);
    const expected = await Promise.all(names.map((name) => withBiases.readFloat32(name)));
    expect([...(await readTensorFloat32(bias!))]).toEqual(expected.flatMap((values) => [...values]));
    expect(quantized?.get("model.layers.0.self_attn.o_proj")?.bias).toBeUndefined();
  });
});

describe("the cache of quantized weights", () => {
  const only = async (folder: string): Promise<string> => {
    const names = await readdir(folder);
    expect(names).toHaveLength(1);
    return join(folder, names[0]!);
  };

  it("finds them again", async () => {
    const folder = await tempDir();
    await rolloutCheckpoint(untied, "int8", folder);
    const { ino, mtimeMs } = await stat(await only(folder));
    await rolloutCheckpoint(untied, "int8", folder);
    expect(await stat(await only(folder))).toMatchObject({ ino, mtimeMs });
  });

  it("names them by content and bits", async () => {
    const folder = await tempDir();
    await rolloutCheckpoint(untied, "int8", folder);
    await rolloutCheckpoint(untied, "int4", folder);
    await rolloutCheckpoint(tied, "int8", folder);
    const hashes = await Promise.all([untied, tied].map((checkpoint) => checkpoint.hash()));
    const names = [[0, "int8"] as const, [0, "int4"] as const, [1, "int8"] as const];
    const expected = names.map(([i, weights]) => `${hashes[i]!.slice(0, 32)}-${weights}-v1.safetensors`);
    expect((await readdir(folder)).sort()).toEqual(expected.sort());
  });

  it.each([
    ["cut short", (file: string) => truncate(file, 5000)],
    ["empty", (file: string) => truncate(file, 0)],
    [
      "of other bits",
      async (file: string) => writeFile(file, (await readFile(file, "latin1")).replace('"8"', '"4"'), "latin1"),
    ],
    [
      "of another model",
      async (file: string) => {
        const other = await tempDir();
        await rolloutCheckpoint(tied, "int8", other);
        await writeFile(file, await readFile(await only(other)));
      },
    ],
  ])("makes a file anew that is %s", async (_, damage) => {
    const folder = await tempDir();
    await rolloutCheckpoint(untied, "int8", folder);
    const file = await only(folder);
    const whole = await readFile(file);
    await damage(file);
    expect((await readFile(file)).equals(whole)).toBe(false);
    await rolloutCheckpoint(untied, "int8", folder);
    expect((await readFile(await only(folder))).equals(whole)).toBe(true);
  });

  it("may be filled by several at once", async () => {
    const folder = await tempDir();
    const all = await Promise.all([1, 2, 3].map(() => rolloutCheckpoint(untied, "int4", folder)));
    expect(new Set(all.map(({ quantized }) => quantized?.get("lm_head")?.packed.file))).toEqual(
      new Set([await only(folder)]),
    );
  });

  it("has nothing of a work that was cancelled or failed", async () => {
    const folder = await tempDir();
    await expect(rolloutCheckpoint(untied, "int8", folder, AbortSignal.abort())).rejects.toThrow(/aborted/);
    const calls = { left: 5 };
    const later = {
      throwIfAborted: () => {
        if (calls.left-- === 0) throw new Error("cancelled in the middle");
      },
    } as AbortSignal;
    await expect(rolloutCheckpoint(untied, "int8", folder, later)).rejects.toThrow(/in the middle/);
    expect(await readdir(folder)).toEqual([]);
  });

  it("is rid of what a killed process left a day ago, and of nothing younger", async () => {
    const folder = await tempDir();
    await mkdir(join(folder, ".staging-old"));
    await mkdir(join(folder, ".staging-new"));
    const old = new Date(Date.now() - 25 * 3600 * 1000);
    await utimes(join(folder, ".staging-old"), old, old);
    await rolloutCheckpoint(untied, "int8", folder);
    expect((await readdir(folder)).filter((name) => name.startsWith("."))).toEqual([".staging-new"]);
  });
});

describe("quantized parameters in a graph", () => {
  const none = thetaLayout([], untied.config, { kind: "none" });

  it("are read from the file: a product is that of the weights before, but for the rounding of 8 bits", async () => {
    const { checkpoint, quantized, folder } = await rolloutCheckpoint(untied, "int8", await tempDir());
    const g = new GraphBuilder();
    const theta = g.input("theta", "float32", [0]);
    const parameters = openParameters(g, checkpoint, none, theta, 1, { quantized: quantized! });
    const module = "model.layers.0.self_attn.o_proj";
    const { packed, scales, inner, rows, bits, blockSize } = parameters.quantized(module)!;
    const x = g.input("x", "float32", [1, inner]);
    g.output("y", g.matmulNBits(x, packed, scales, { inner, rows, bits, blockSize, accuracyLevel: 1 }));
    const program = await openSession(g.build(), "quantized", { weightsFolder: folder, threads: 1 });
    const ones = new Float32Array(inner).fill(1);
    const { y } = await program.run({ x: { data: ones, dims: [1, inner] } }, ["y"]);
    await program.dispose();
    const weight = await untied.readFloat32(`${module}.weight`);
    for (let row = 0; row < rows; row++) {
      const values = weight.subarray(row * inner, (row + 1) * inner);
      const largest = Math.max(...values.map(Math.abs));
      expect(Math.abs(y!.data[row]! - values.reduce((a, b) => a + b))).toBeLessThan((inner * largest) / 254);
    }
  });

  it("open each matrix once, scales and bias in the dtype of the layers", async () => {
    const { checkpoint, quantized } = await rolloutCheckpoint(withBiases, "int4", await tempDir());
    const g = new GraphBuilder();
    const theta = g.input("theta", "float32", [0]);
    const parameters = openParameters(g, checkpoint, none, theta, 1, { dtype: "float16", quantized: quantized! });
    const linear = parameters.quantized("model.layers.0.self_attn.qkv_proj")!;
    expect(parameters.quantized("model.layers.0.self_attn.qkv_proj")).toBe(linear);
    expect([linear.packed, linear.scales, linear.bias].map((value) => value?.dtype)).toEqual([
      "uint8",
      "float16",
      "float16",
    ]);
    expect(parameters.quantized("model.layers.0.self_attn.q_proj")).toBeUndefined();
  });

  it("are none where nothing is quantized, and never stand for weights that are trained", async () => {
    const g = new GraphBuilder();
    expect(openParameters(g, untied, none, g.input("theta", "float32", [0]), 1).quantized("lm_head")).toBeUndefined();
    const { quantized } = await rolloutCheckpoint(untied, "int8", await tempDir());
    const tensor = { name: "lm_head.weight", shape: [...untied.tensors.get("lm_head.weight")!.shape] };
    const full = thetaLayout([tensor], untied.config, { kind: "full" });
    const theta = g.input("theta_full", "float32", [full.length]);
    expect(() => openParameters(g, untied, full, theta, 1, { quantized: quantized! })).toThrow(/lm_head is trained/);
  });
});
