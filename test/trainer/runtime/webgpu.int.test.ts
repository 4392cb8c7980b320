/** @file Training on WebGPU, where there is an adapter; a software one, such as SwiftShader through VK_DRIVER_FILES, will do. */
import { expect, it } from "vitest";
import { openPolicy, type StepOptions } from "../../../src/trainer/run/index.js";
import { goldenFolder, goldenPairs } from "../../support/golden.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";

const { model, golden } = goldenFolder("tied-llama3");
const STEP: StepOptions = {
  loss: "orpo",
  learningRate: 1e-2,
  beta: 0.1,
  maxGradNorm: 1,
  weightDecay: 0.01,
  textWeight: 0,
  nllOver: "prompt+chosen",
  maxTokens: 4096,
};

async function threeSteps(device: "cpu" | "webgpu"): Promise<number[]> {
  const policy = await openPolicy({ model, trainable: GOLDEN_LORA, seed: 1, threads: 1, device });
  try {
    const found: number[] = [];
    for (let step = 0; step < 3; step++) {
      const metrics = await policy.trainStep({ pairs: goldenPairs(golden.orpo), texts: [] }, STEP);
      found.push(metrics["loss"] as number, metrics["grad_norm"] as number);
    }
    return found;
  } finally {
    await policy.close();
  }
}

it("three steps on WebGPU have the losses and gradient norms of the CPU", async (context) => {
  let found: number[];
  try {
    found = await threeSteps("webgpu");
  } catch (error) {
    const { message } = error as Error;
    if (!/WebGPU adapter/.test(message)) throw error;
    return context.skip(`needs a WebGPU adapter: ${message.split("\n")[0]}`);
  }
  const expected = await threeSteps("cpu");
  for (const [i, value] of expected.entries()) expect(Math.abs((found[i] as number) / value - 1)).toBeLessThan(1e-3);
});
