/** @file The arithmetic of the memory estimate; how near it comes to a real process is for `npm run bench -- memory`. */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { GraphBuilder } from "../../../src/trainer/graph/index.js";
import { estimateStepMemory, estimateTrainingMemory, largestFit } from "../../../src/trainer/run/memory-estimate.js";

const model = fileURLToPath(new URL("../../../models/nano", import.meta.url));
const trainable = { kind: "lora", r: 4, loraAlpha: 8, targetModules: ["q_proj", "v_proj"] } as const;
const options = { model, trainable, seed: 1 };
const row = { time: 64, labels: 64, pairs: 1 };
const GB = 2 ** 30;

describe("estimateStepMemory", () => {
  it("counts a frozen matrix once for each way round that products read it, and in full where anything else does", () => {
    const g = new GraphBuilder();
    const file = (offset: number) => ({ kind: "file", file: "w", offset, byteLength: 64 * 32 * 2 }) as const;
    const w = g.cast(g.constant("w", "float16", [64, 32], file(0)), "float32");
    const table = g.constant("table", "float16", [64, 32], file(4096));
    const ids = g.input("ids", "int32", ["batch", "time"]);
    const x = g.cast(g.gather(table, ids), "float32"); // [1, 8, 32]
    const y = g.fusedMatMul(x, w, { transB: true });
    const again = g.fusedMatMul(g.neg(x), w, { transB: true });
    g.output("back", g.matmul(g.add(y, again), w));
    const estimate = estimateStepMemory(g.build(), 100, { time: 8, labels: 0, pairs: 0 }, 1);
    expect(estimate.prepared).toBe(2 * (64 * 32 * 4));
    expect(estimate.weights).toBe(64 * 32 * 2);
    expect(estimate.state).toBe(8 * 100 * 4);
    const { total, ...parts } = estimate;
    expect(total).toBe(Object.values(parts).reduce((a, b) => a + b, 0));
  });
});

describe("estimateTrainingMemory", () => {
  it("asks for more with each token, each row and each row's square of attention", async () => {
    const bytes = async (time: number) =>
      (await estimateTrainingMemory(options, "orpo", { ...row, time }, GB)).oneRow.activations;
    const [short, double, long] = [await bytes(64), await bytes(128), await bytes(256)];
    expect(double).toBeGreaterThan(short);
    expect(long - double).toBeGreaterThan(2 * (double - short));
  });

  it("finds the most rows that fit: one more would not", async () => {
    const { oneRow, largestRows, largestMaxTokens } = await estimateTrainingMemory(options, "orpo", row, GB);
    expect(largestMaxTokens).toBe(64 * largestRows);
    expect(largestRows).toBeGreaterThan(1);
    const tight = await estimateTrainingMemory(options, "orpo", row, oneRow.total);
    expect(tight.largestRows).toBe(1);
    expect((await estimateTrainingMemory(options, "orpo", row, oneRow.total - 1)).largestRows).toBe(0);
  });

  it("says that checkpointing holds less, of a model that is deep enough", async () => {
    const activations = async (gradientCheckpointing: boolean) =>
      (await estimateTrainingMemory({ ...options, gradientCheckpointing }, "exo_pair", { ...row, time: 256 }, GB))
        .oneRow.activations;
    expect(await activations(true)).toBeLessThan(await activations(false));
  });
});

describe("largestFit", () => {
  it.each([0, 1, 2, 3, 7, 8, 100, 1000])("is %i where that many fit", (limit) => {
    expect(largestFit((count) => count <= limit)).toBe(limit);
  });
});
