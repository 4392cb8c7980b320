/** @file The DPO family against worked numbers, identities, central differences and its limits. */
import { describe, expect, it } from "vitest";
import { gradients } from "../../../src/trainer/autodiff/index.js";
import { GraphBuilder } from "../../../src/trainer/graph/index.js";
import {
  lossOptionsProblems,
  PREFERENCE_LOSSES,
  type PreferenceLoss,
  preferenceRules,
  preferenceTerm,
} from "../../../src/trainer/losses/index.js";
import type { Feed, Feeds } from "../../../src/trainer/runtime/session.js";
import { floatsOf, runGraph } from "../../support/program-runner.js";

const vector = (values: readonly number[]): Feed => ({ data: Float32Array.from(values), dims: [values.length] });
const scalar = (value: number): Feed => ({ data: Float32Array.of(value), dims: [] });

interface Case {
  readonly loss: PreferenceLoss;
  readonly chosen: readonly number[];
  readonly rejected: readonly number[];
  readonly refChosen?: readonly number[];
  readonly refRejected?: readonly number[];
  readonly weights?: readonly number[];
  readonly beta?: number;
  readonly ε?: number;
  readonly γ?: number;
}

const NAMES = ["loss", "per_pair", "z", "d_chosen", "d_rejected"] as const;

/** Runs one loss with its gradients; [pairs] each, the loss a single number. */
async function run({ loss, chosen, rejected, beta = 0.1, ε = 0, γ = 0.5, ...rest }: Case) {
  const g = new GraphBuilder();
  const pairs = (name: string) => g.input(name, "float32", ["pairs"]);
  const number = (name: string) => g.input(name, "float32", []);
  const [c, r] = [pairs("chosen"), pairs("rejected")];
  const term = preferenceTerm(g, loss, {
    chosen: c,
    rejected: r,
    ...(preferenceRules[loss].reference ? { refChosen: pairs("ref_chosen"), refRejected: pairs("ref_rejected") } : {}),
    weights: pairs("weights"),
    beta: number("beta"),
    labelSmoothing: number("label_smoothing"),
    simpoGamma: number("simpo_gamma"),
  });
  const [dc, dr] = gradients(g, term.loss, [c, r]);
  const values = [term.loss, term.perPair, term.z, dc, dr];
  values.forEach((value, i) => {
    if (value !== undefined) g.output(NAMES[i] as string, value);
  });
  const zeros = chosen.map(() => 0);
  const feeds: Feeds = {
    chosen: vector(chosen),
    rejected: vector(rejected),
    ref_chosen: vector(rest.refChosen ?? zeros),
    ref_rejected: vector(rest.refRejected ?? zeros),
    weights: vector(rest.weights ?? chosen.map(() => 1 / chosen.length)),
    beta: scalar(beta),
    label_smoothing: scalar(ε),
    simpo_gamma: scalar(γ),
  };
  const result = await runGraph(g.build(), feeds, NAMES);
  return {
    loss: floatsOf(result["loss"])[0] as number,
    perPair: floatsOf(result["per_pair"]),
    z: floatsOf(result["z"]),
    dChosen: floatsOf(result["d_chosen"]),
    dRejected: floatsOf(result["d_rejected"]),
  };
}

/** The definitions once more in double precision, for one pair. */
const σ = (x: number): number => 1 / (1 + Math.exp(-x));
const logσ = (x: number): number => (x > 0 ? -Math.log1p(Math.exp(-x)) : x - Math.log1p(Math.exp(x)));
const DEFINITIONS: { readonly [K in PreferenceLoss]: (h: number, β: number, ε: number, γ: number) => number } = {
  sigmoid: (h, β, ε) => -(1 - ε) * logσ(β * h) - ε * logσ(-β * h),
  robust: (h, β, ε) => (-(1 - ε) * logσ(β * h) + ε * logσ(-β * h)) / (1 - 2 * ε),
  hinge: (h, β) => Math.max(0, 1 - β * h),
  ipo: (h, β) => (h - 1 / (2 * β)) ** 2,
  exo_pair: (h, β, ε) => σ(β * h) * (logσ(β * h) - Math.log1p(-ε)) + σ(-β * h) * (logσ(-β * h) - Math.log(ε)),
  sigmoid_norm: (h, β) => -logσ(β * h),
  simpo: (h, β, ε, γ) => -(1 - ε) * logσ(β * h - γ) - ε * logσ(γ - β * h),
};
const smoothingOf = (loss: PreferenceLoss): number => (preferenceRules[loss].smoothed ? 0.1 : 0);

describe("worked values of EXO and DPO", () => {
  it.each([
    [0.1, 5e-3, -20, 4.30200611, -0.07657502, 2.12692801, 2.11692801],
    [0.1, 5e-3, 0, 1.95851777, -0.13233262, Math.LN2, Math.LN2],
    [0.1, 5e-3, 10, 0.84639836, -0.0844115, 0.31326169, 0.31826169],
    [0.1, 5e-3, 100, 0.00475347, 0.00002137, 0.0000454, 0.0500454],
    [0.5, 5e-3, -5, 4.62824171, -0.27316982, 2.57888973, 2.56638973],
    [0.5, 5e-3, 5, 0.13801783, -0.09791052, 0.07888973, 0.09138973],
    [0.1, 1e-3, 0, 2.76123071, -0.17266887, Math.LN2, Math.LN2],
  ])("β = %f, ε = %f, h = %f", async (beta, ε, h, exo, dExo, dpo, cdpo) => {
    const side = { chosen: [h], rejected: [0], beta };
    const [found, plain, smoothed] = [
      await run({ loss: "exo_pair", ...side, ε }),
      await run({ loss: "sigmoid", ...side }),
      await run({ loss: "sigmoid", ...side, ε }),
    ];
    expect(Math.abs(found.loss - exo)).toBeLessThan(1e-6);
    expect(Math.abs((found.dChosen[0] as number) - dExo)).toBeLessThan(1e-7);
    expect(found.dRejected[0]).toBe(-(found.dChosen[0] as number));
    expect(Math.abs(plain.loss - dpo)).toBeLessThan(1e-6);
    expect(Math.abs(smoothed.loss - cdpo)).toBeLessThan(1e-6);
  });
});

describe.each(PREFERENCE_LOSSES)("%s", (loss) => {
  const ε = smoothingOf(loss);
  const given = {
    loss,
    ε,
    beta: 0.7,
    chosen: [-3.1, -0.4, -2],
    rejected: [-2.6, -2.5, -2],
    refChosen: [-2.9, -1, -1.5],
    refRejected: [-3.3, -2.2, -0.2],
    weights: [0.5, 0.3, 0.2],
  };
  const hOf = (i: number, chosen = given.chosen): number => {
    const policy = (chosen[i] as number) - (given.rejected[i] as number);
    const reference = (given.refChosen[i] as number) - (given.refRejected[i] as number);
    return preferenceRules[loss].reference ? policy - reference : policy;
  };
  const defined = (i: number, chosen?: number[]): number => DEFINITIONS[loss](hOf(i, chosen), given.beta, ε, 0.5);

  it("equals its definition, pair by pair and weighted", async () => {
    const found = await run(given);
    given.chosen.forEach((_, i) => {
      expect(found.perPair[i]).toBeCloseTo(defined(i), 5);
      expect(found.z[i]).toBeCloseTo(given.beta * hOf(i), 5);
    });
    expect(found.loss).toBeCloseTo(
      given.weights.reduce((sum, weight, i) => sum + weight * defined(i), 0),
      5,
    );
  });

  it("has the gradients of central differences, opposite for the two replies", async () => {
    const found = await run(given);
    const d = 1e-5;
    given.chosen.forEach((value, i) => {
      const moved = (by: number) => given.chosen.map((c, j) => (j === i ? value + by : c));
      const slope = (defined(i, moved(d)) - defined(i, moved(-d))) / (2 * d);
      expect(found.dChosen[i]).toBeCloseTo((given.weights[i] as number) * slope, 5);
      expect(found.dRejected[i]).toBeCloseTo(-(found.dChosen[i] as number), 6);
    });
  });

  it.each([-500, -89, -30, 0, 30, 89, 500])("keeps loss and gradients finite and right at z = %f", async (z) => {
    const found = await run({ loss, ε: smoothingOf(loss), beta: 1, chosen: [z], rejected: [0], γ: 0 });
    const expected = DEFINITIONS[loss](z, 1, ε, 0);
    expect(Math.abs(found.loss - expected)).toBeLessThan(2e-6 * Math.max(1, Math.abs(expected)));
    for (const gradient of [...found.dChosen, ...found.dRejected]) expect(gradient).toSatisfy(Number.isFinite);
  });
});

describe("limits", () => {
  it.each(["sigmoid", "robust", "sigmoid_norm"] as const)("%s is ln 2 where policy = reference", async (loss) => {
    const logps = { chosen: [-7.5], rejected: [-3.25], refChosen: [-7.5], refRejected: [-3.25] };
    expect((await run({ loss, ...logps, ε: loss === "robust" ? 0.3 : 0 })).loss).toBeCloseTo(Math.LN2, 6);
  });

  it("exo_pair at its optimum z* = ln((1-ε)/ε) is 0, and flat", async () => {
    const found = await run({ loss: "exo_pair", ε: 5e-3, beta: 1, chosen: [Math.log(0.995 / 0.005)], rejected: [0] });
    expect(Math.abs(found.loss)).toBeLessThan(1e-6);
    expect(Math.abs(found.dChosen[0] as number)).toBeLessThan(1e-6);
  });

  it("exo_pair's gradient vanishes on a badly ranked pair, sigmoid's does not", async () => {
    const pair = { chosen: [-20], rejected: [0], beta: 1 };
    const exo = await run({ loss: "exo_pair", ε: 5e-3, ...pair });
    const dpo = await run({ loss: "sigmoid", ...pair });
    expect(Math.abs(exo.dChosen[0] as number)).toBeLessThan(1e-6);
    expect(dpo.dChosen[0]).toBeCloseTo(-1, 6);
  });

  it("robust keeps sigmoid's mean under label flips at rate ε", async () => {
    const [ε, h] = [0.2, 3.7];
    const straight = await run({ loss: "robust", ε, chosen: [h], rejected: [0] });
    const flipped = await run({ loss: "robust", ε, chosen: [0], rejected: [h] });
    const clean = await run({ loss: "sigmoid", chosen: [h], rejected: [0] });
    expect((1 - ε) * straight.loss + ε * flipped.loss).toBeCloseTo(clean.loss, 5);
  });

  it("hinge has no gradient beyond the margin", async () => {
    expect((await run({ loss: "hinge", chosen: [30, 5], rejected: [0, 0] })).dChosen).toEqual([
      0,
      expect.closeTo(-0.05),
    ]);
  });

  it.each(["simpo", "ipo", "sigmoid_norm"] as const)("%s is finite where a mean log-probability is 0", async (loss) => {
    const found = await run({ loss, chosen: [0, -40], rejected: [-40, 0] });
    for (const value of [found.loss, ...found.dChosen]) expect(value).toSatisfy(Number.isFinite);
  });

  it("a reference that a loss needs and does not get is refused", () => {
    const g = new GraphBuilder();
    const v = g.input("v", "float32", ["pairs"]);
    const s = g.scalar(1);
    const inputs = { chosen: v, rejected: v, weights: v, beta: s, labelSmoothing: s, simpoGamma: s };
    expect(() => preferenceTerm(g, "ipo", inputs)).toThrow("ipo needs log-probabilities of the reference");
    expect(() => preferenceTerm(g, "simpo", inputs)).not.toThrow();
  });
});

describe("settings of a loss", () => {
  it.each([
    ["exo_pair", { beta: 0.1, labelSmoothing: 0.005 }, []],
    ["exo_pair", { beta: 0.1 }, ["labelSmoothing"]],
    ["exo_pair", { beta: 0.1, labelSmoothing: 1 }, ["labelSmoothing"]],
    ["robust", { beta: 0.1, labelSmoothing: 0.5 }, ["labelSmoothing"]],
    ["robust", { beta: 0.1, labelSmoothing: 0.49 }, []],
    ["sigmoid", { beta: 0.1, labelSmoothing: -0.1 }, ["labelSmoothing"]],
    ["sigmoid", { beta: 0.1, labelSmoothing: Number.NaN }, ["labelSmoothing"]],
    ["sigmoid", { beta: 0.1, labelSmoothing: 0.9 }, []],
    ["hinge", { beta: 0.1, labelSmoothing: 0.1 }, ["labelSmoothing"]],
    ["ipo", { beta: 0 }, ["beta"]],
    ["simpo", { beta: 2, simpoGamma: Number.NaN }, ["simpoGamma"]],
    ["simpo", { beta: -1, labelSmoothing: 2, simpoGamma: -1 }, ["beta", "labelSmoothing", "simpoGamma"]],
    ["sigmoid", { beta: Number.POSITIVE_INFINITY, simpoGamma: -1 }, ["beta"]],
  ] as const)("%s with %j: problems with %j, all at once", (loss, settings, expected) => {
    expect(lossOptionsProblems(loss, settings).map((problem) => problem.split(":")[0])).toEqual([...expected]);
  });
});
