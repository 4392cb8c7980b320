/** @file AdamW and clipping against the textbook update, written out number by number. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openCheckpointDir } from "../../src/trainer/checkpoint/index.js";
import { GraphBuilder } from "../../src/trainer/graph/index.js";
import { adamScalars, adamw, clipByGlobalNorm } from "../../src/trainer/optim/index.js";
import { openPolicy } from "../../src/trainer/run/index.js";
import type { Feed } from "../../src/trainer/runtime/session.js";
import { goldenFolder, goldenText } from "../support/golden.js";
import { floatsOf, runGraph } from "../support/program-runner.js";

const vector = (values: readonly number[]): Feed => ({ data: Float32Array.from(values), dims: [values.length] });
const scalar = (value: number): Feed => ({ data: Float32Array.of(value), dims: [] });

describe("AdamW", () => {
  it("takes torch.optim.AdamW's steps, weight decay only where the mask has it", async () => {
    const g = new GraphBuilder();
    const input = (name: string) => g.input(name, "float32", [3]);
    const number = (name: string) => g.input(name, "float32", []);
    const state = { theta: input("theta"), m: input("m"), v: input("v") };
    const scalars = { stepSize: number("step_size"), rootBias2: number("root_bias2"), decay: number("decay") };
    const next = adamw(g, state, input("gradient"), scalars, g.floats("mask", [3], Float32Array.of(1, 0, 1)));
    for (const [name, value] of Object.entries(next)) g.output(`next_${name}`, value);
    const graph = g.build();

    const [lr, wd, b1, b2, eps] = [0.1, 0.05, 0.9, 0.999, 1e-8];
    const gradients = [
      [0.5, -2, 1e-3],
      [-0.25, 1, 3],
      [4, 0, -1],
    ];
    let [theta, m, v] = [
      [1, -2, 0.5],
      [0, 0, 0],
      [0, 0, 0],
    ];
    const expected = { theta: [1, -2, 0.5], m: [0, 0, 0], v: [0, 0, 0] };
    for (const [i, gradient] of gradients.entries()) {
      const t = i + 1;
      for (let j = 0; j < 3; j += 1) {
        const gj = gradient[j] as number;
        const decayed = (expected.theta[j] as number) * (j === 1 ? 1 : 1 - lr * wd);
        expected.m[j] = b1 * (expected.m[j] as number) + (1 - b1) * gj;
        expected.v[j] = b2 * (expected.v[j] as number) + (1 - b2) * gj * gj;
        const mHat = (expected.m[j] as number) / (1 - b1 ** t);
        const vHat = (expected.v[j] as number) / (1 - b2 ** t);
        expected.theta[j] = decayed - (lr * mHat) / (Math.sqrt(vHat) + eps);
      }
      const { stepSize, rootBias2, decay } = adamScalars(lr, wd, t);
      const feeds = {
        theta: vector(theta),
        m: vector(m),
        v: vector(v),
        gradient: vector(gradient),
        step_size: scalar(stepSize),
        root_bias2: scalar(rootBias2),
        decay: scalar(decay),
      };
      const result = await runGraph(graph, feeds, ["next_theta", "next_m", "next_v"]);
      [theta, m, v] = [floatsOf(result["next_theta"]), floatsOf(result["next_m"]), floatsOf(result["next_v"])];
      for (let j = 0; j < 3; j += 1) expect(theta[j]).toBeCloseTo(expected.theta[j] as number, 5);
    }
  });

  it("decays matrices and leaves norm weights alone when all weights are trained", async () => {
    const { model, golden } = goldenFolder("gqa-untied");
    const folder = await mkdtemp(join(tmpdir(), "decay-"));
    const [learningRate, weightDecay] = [1e-2, 0.1];
    const trained = async (name: string, decay: number) => {
      const policy = await openPolicy({ model, trainable: { kind: "full" }, seed: 1, threads: 1 });
      try {
        const options = {
          loss: "sft",
          learningRate,
          weightDecay: decay,
          beta: 0,
          maxGradNorm: 1,
          textWeight: 1,
          nllOver: "chosen",
          maxTokens: 512,
        } as const;
        await policy.trainStep({ pairs: [], texts: [goldenText(golden.sequences[0]?.ids ?? [])] }, options);
        await policy.saveAdapter(join(folder, name));
      } finally {
        await policy.close();
      }
      return openCheckpointDir(join(folder, name));
    };
    try {
      const [start, plain, decayed] = [
        await openCheckpointDir(model),
        await trained("plain", 0),
        await trained("decayed", weightDecay),
      ];
      for (const [name, factor] of [
        ["model.norm.weight", 0],
        ["model.layers.1.mlp.up_proj.weight", learningRate * weightDecay],
      ] as const) {
        const [theta0, without, withDecay] = await Promise.all(
          [start, plain, decayed].map((dir) => dir.readFloat32(name)),
        );
        withDecay?.forEach((value, i) => {
          expect(value - (without?.[i] as number)).toBeCloseTo(-factor * (theta0?.[i] as number), 6);
        });
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("clipping by the global norm", () => {
  it.each([
    [5, [3, 4]],
    [1, [0.6, 0.8]],
  ])("to at most %f", async (maxNorm, expected) => {
    const g = new GraphBuilder();
    const { clipped, norm } = clipByGlobalNorm(g, g.input("x", "float32", [2]), g.scalar(maxNorm));
    g.output("clipped", clipped);
    g.output("norm", norm);
    const result = await runGraph(g.build(), { x: vector([3, 4]) }, ["clipped", "norm"]);
    expect(floatsOf(result["norm"])[0]).toBeCloseTo(5, 5);
    floatsOf(result["clipped"]).forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i] as number, 5);
    });
  });
});
