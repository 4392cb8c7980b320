/** @file The metrics of a step, written out by hand. */
import { describe, expect, it } from "vitest";
import type { PairScore, StepOptions } from "../../../src/trainer/run/policy.js";
import { StepSums } from "../../../src/trainer/run/step-metrics.js";
import type { Feed } from "../../../src/trainer/runtime/session.js";

const OPTIONS: StepOptions = {
  loss: "sigmoid",
  learningRate: 1e-3,
  beta: 0.5,
  maxGradNorm: 1,
  weightDecay: 0,
  textWeight: 0,
  nllOver: "chosen",
  maxTokens: 512,
};

const outputs = (values: Readonly<Record<string, readonly number[]>>): Record<string, Feed> =>
  Object.fromEntries(
    Object.entries(values).map(([name, data]) => [name, { data: Float32Array.from(data), dims: [data.length] }]),
  );
const score = (chosen: readonly [number, number], rejected: readonly [number, number]): PairScore => ({
  chosen: { sum: chosen[0], count: chosen[1] },
  rejected: { sum: rejected[0], count: rejected[1] },
});

describe("a step of two micro-batches", () => {
  const reference = [score([-8, 4], [-6, 2]), score([-5, 5], [-9, 3]), score([-1, 1], [-1, 1])];
  const sums = (means: boolean) => {
    const step = new StepSums();
    const [c, r] = means ? [[-1.5, -1.2], [-4]] : [[-6, -6], [-8]];
    const [c2, r2] = means ? [[-3], [-2, -3]] : [[-3], [-6, -3]];
    step.add(
      outputs({
        loss: [0.25],
        chosen: [c?.[0] as number, c?.[1] as number],
        rejected: [r?.[0] as number, r2?.[0] as number],
      }),
      reference.slice(0, 2),
    );
    step.add(
      outputs({ loss: [0.5], grad_norm: [2.5], chosen: c2 as number[], rejected: [r2?.[1] as number] }),
      reference.slice(2),
    );
    return step;
  };
  // log π - log πref: chosen 2, -1, -2; rejected -2, 3, -2.
  const expected = {
    loss: 0.75,
    grad_norm: 2.5,
    learning_rate: 1e-3,
    "rewards/chosen": (0.5 * (2 - 1 - 2)) / 3,
    "rewards/rejected": (0.5 * (-2 + 3 - 2)) / 3,
    "rewards/accuracies": 1 / 3, // the third margin is 0, and that is not larger
    "rewards/margins": (0.5 * (4 - 4 + 0)) / 3,
    "logps/chosen": -15 / 3,
    "logps/rejected": -17 / 3,
  };

  it.each(["sigmoid", "robust", "hinge", "exo_pair"] as const)(
    "rewards of %s are those against the reference",
    (loss) => {
      const { "exo/vanishing": _, ...found } = sums(false).metrics({ ...OPTIONS, loss });
      expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
      for (const [name, value] of Object.entries(expected)) expect(found[name], name).toBeCloseTo(value, 5);
    },
  );

  it.each(["ipo", "sigmoid_norm"] as const)("%s, which compares means, reports sums as TRL does", (loss) => {
    const found = sums(true).metrics({ ...OPTIONS, loss });
    for (const [name, value] of Object.entries(expected)) expect(found[name], name).toBeCloseTo(value, 5);
  });

  it("where policy and reference agree up to rounding, no pair counts as won", () => {
    const step = new StepSums();
    step.add(outputs({ loss: [1], chosen: [-400.00003, -4], rejected: [-300, -3.9] }), [
      score([-400.00006, 9], [-300, 9]),
      score([-4.001, 9], [-3.9, 9]),
    ]);
    expect(step.metrics(OPTIONS)["rewards/accuracies"]).toBe(0.5);
  });

  it("simpo has no reference: rewards are β times the mean log-probability", () => {
    const step = new StepSums();
    step.add(outputs({ loss: [1], grad_norm: [1], chosen: [-1, -2], rejected: [-2, -1] }));
    const found = step.metrics({ ...OPTIONS, loss: "simpo", beta: 2 });
    expect(found).toMatchObject({ "rewards/chosen": -3, "rewards/rejected": -3, "logps/chosen": -1.5 });
    expect(found).not.toHaveProperty("nll_loss");
  });

  it("a micro-batch without its reference scores is refused", () => {
    const step = new StepSums();
    step.add(outputs({ loss: [1], chosen: [-1], rejected: [-1] }));
    expect(() => step.metrics(OPTIONS)).toThrow("1 pairs, 0 reference scores");
  });
});

describe("diagnosis", () => {
  it("exo/vanishing is the share of pairs with z below -8, and only exo_pair has it", () => {
    const step = new StepSums();
    const at = (h: number) => score([0, 1], [h, 1]); // the policy's replies are equal, so that -h is what is left
    step.add(
      outputs({ loss: [1], grad_norm: [1], chosen: [0, 0, 0, 0], rejected: [0, 0, 0, 0] }),
      [-15, -17, -100, 100].map(at),
    );
    expect(step.metrics({ ...OPTIONS, loss: "exo_pair" })["exo/vanishing"]).toBe(0.5);
    expect(step.metrics(OPTIONS)).not.toHaveProperty("exo/vanishing");
  });

  it("ORPO reports its odds, sft nothing of pairs", () => {
    const step = new StepSums();
    const pair = { chosen: [-1], rejected: [-2], log_odds: [1.5], log_sigmoid_odds: [-0.25] };
    step.add(outputs({ loss: [1], nll: [0.75], grad_norm: [3], ...pair }));
    expect(step.metrics({ ...OPTIONS, loss: "orpo" })).toMatchObject({
      nll_loss: 0.75,
      log_odds_chosen: 1.5,
      log_odds_ratio: -0.25,
      "rewards/margins": 0.5,
    });
    const text = new StepSums();
    text.add(outputs({ loss: [1], nll: [1], grad_norm: [3] }));
    expect(text.metrics({ ...OPTIONS, loss: "sft" })).toEqual({
      loss: 1,
      nll_loss: 1,
      grad_norm: 3,
      learning_rate: 1e-3,
    });
  });
});
