/** @file The recipes: a phase for every loss that the tools offer. */
import { describe, expect, it } from "vitest";
import { phaseFor, recipeOf } from "../../src/tools/run-settings.js";

const LOSSES = ["orpo", "sft", "exo_pair", "sigmoid", "robust", "hinge", "ipo", "sigmoid_norm", "simpo"] as const;

describe.each(["nano", "pretrained"] as const)("the recipe %s", (name) => {
  it.each(LOSSES)("has settings for %s that the trainer accepts", (loss) => {
    const phase = phaseFor(name, loss, 1e6);
    expect(phase.loss).toBe(loss);
    expect(phase.step.learningRate).toBeGreaterThan(0);
  });

  it("trains with ORPO where nobody says otherwise, at a rate of its own", () => {
    const { phase } = recipeOf(name);
    expect(phase).toEqual(phaseFor(name, "orpo", 3e9));
  });
});

it("a loss without a phase has the settings of its kind: sft those of ORPO, DPO those of EXO", () => {
  const [orpo, sft] = [phaseFor("nano", "orpo", 1e6), phaseFor("nano", "sft", 1e6)];
  expect(sft.step.learningRate).toBe(orpo.step.learningRate);
  const [exo, dpo] = [phaseFor("nano", "exo_pair", 1e6), phaseFor("nano", "sigmoid", 1e6)];
  expect(dpo.step.learningRate).toBe(exo.step.learningRate);
});
