/** @file Gradient checkpointing of every family, LoRA with dropout: the same loss, the same gradients, nothing kept. */
import { describe, expect, it } from "vitest";
import { GraphBuilder } from "../../../src/trainer/graph/index.js";
import type { LoraSpec } from "../../../src/trainer/model/index.js";
import type { StepOptions } from "../../../src/trainer/run/policy.js";
import { trainProgram } from "../../../src/trainer/run/programs.js";
import { stepNoise } from "../../../src/trainer/runtime/random.js";
import { FAMILY_NAMES, familyFolder } from "../../support/family-golden.js";
import { plainTrainProgram } from "../../support/plain-program.js";
import { GOLDEN_LORA, relativeError } from "../../support/program-runner.js";
import { leaksOf, PlainBuilder } from "../../support/recompute.js";
import { openProgram, openSource, packed, trajectory } from "../../support/trajectory.js";

const STEP: StepOptions = {
  loss: "orpo",
  learningRate: 1e-2,
  beta: 0.1,
  maxGradNorm: 1,
  weightDecay: 0,
  textWeight: 0,
  nllOver: "prompt+chosen",
  maxTokens: 4096,
};
const LORA: LoraSpec = { ...GOLDEN_LORA, loraDropout: 0.25 };

describe.each(FAMILY_NAMES)("%s", (name) => {
  const { model, adapter, golden } = familyFolder(name);
  const reply = (ids: readonly number[]) => ({ ids: Int32Array.from(ids), labels: new Uint8Array(ids.length).fill(1) });
  const { prompt, chosen, rejected } = golden.pair;
  const pair = { prompt: Int32Array.from(prompt), chosen: reply(chosen), rejected: reply(rejected) };
  const batch = { pairs: [pair], texts: [] };
  const dropped = { loraDropout: LORA.loraDropout ?? 0 };

  it("takes the same steps with and without, masks of the dropout included", async () => {
    const source = await openSource(model, GOLDEN_LORA, adapter);
    const steps = async (graph: ReturnType<typeof trainProgram>) => {
      const program = await openProgram(source, graph);
      const noise = (step: number, micro: number, count: number) => stepNoise(7, step, micro, count);
      const taken = await trajectory(source, batch, STEP, { program, layOut: packed(4096), noise }, 2);
      await program.dispose();
      return taken;
    };
    const kept = await steps(plainTrainProgram(source, "orpo", dropped, new PlainBuilder()).graph);
    const small = await steps(trainProgram(source, "orpo", dropped));
    const checkpointed = await steps(trainProgram(source, "orpo", { ...dropped, gradientCheckpointing: true }));
    const undropped = await steps(trainProgram(source, "orpo"));
    kept.forEach((step, i) => {
      for (const other of [small, checkpointed]) {
        expect(Math.abs((other[i]?.loss ?? 0) - step.loss)).toBeLessThan(1e-6 * Math.abs(step.loss));
        expect(relativeError(other[i]?.gradient ?? [], step.gradient)).toBeLessThan(2e-6);
      }
      // The same kernels on the same numbers: recomputing whole layers changes no bit.
      expect(checkpointed[i]?.loss).toBe(small[i]?.loss);
      expect(checkpointed[i]?.gradient).toEqual(small[i]?.gradient);
    });
    expect(relativeError(undropped[0]?.gradient ?? [], kept[0]?.gradient ?? [])).toBeGreaterThan(1e-2);
  });

  it.each([
    ["inside a recomputed layer", true],
    ["inside attention scores and activations", false],
  ])("keeps nothing %s", async (_claim, gradientCheckpointing) => {
    const source = await openSource(model, LORA);
    const built = plainTrainProgram(source, "sft", { ...dropped, gradientCheckpointing }, new GraphBuilder());
    const layers = source.checkpoint.config.numHiddenLayers;
    expect(built.segments.length).toBe(gradientCheckpointing ? layers : 2 * layers);
    expect(leaksOf(built)).toEqual([]);
  });
});
