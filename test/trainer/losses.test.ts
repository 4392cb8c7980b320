/** @file Losses against the worked numbers of the ORPO paper's formula and against their limits. */
import { describe, expect, it } from "vitest";
import { gradients } from "../../src/trainer/autodiff/index.js";
import { GraphBuilder } from "../../src/trainer/graph/index.js";
import { log1mexp, orpoTerm } from "../../src/trainer/losses/index.js";
import type { Feed } from "../../src/trainer/runtime/session.js";
import { floatsOf, runGraph } from "../support/program-runner.js";

const vector = (...values: number[]): Feed => ({ data: Float32Array.from(values), dims: [values.length] });

/** Loss of one pair with an NLL, its log odds, log σ and gradients for the two mean log-probabilities. */
async function orpo(chosen: number, rejected: number, nll: number, beta = 0.1) {
  const g = new GraphBuilder();
  const input = (name: string) => g.input(name, "float32", ["pairs"]);
  const [c, r] = [input("c"), input("r")];
  const term = orpoTerm(g, c, r, input("weights"), g.scalar(beta));
  const loss = g.add(term.loss, g.sumAll(input("nll")));
  const [dc, dr] = gradients(g, loss, [c, r]);
  g.output("loss", loss);
  g.output("log_odds", term.logOdds);
  g.output("log_sigmoid", term.logSigmoidOdds);
  if (dc !== undefined && dr !== undefined) {
    g.output("dc", dc);
    g.output("dr", dr);
  }
  const feeds = { c: vector(chosen), r: vector(rejected), weights: vector(1), nll: vector(nll) };
  const names = ["loss", "log_odds", "log_sigmoid", "dc", "dr"] as const;
  const result = await runGraph(g.build(), feeds, names);
  return Object.fromEntries(names.map((name) => [name, floatsOf(result[name])[0] as number]));
}

describe("ORPO", () => {
  it.each([
    [-0.8, -1.2, 0.9, 0.63823526, -0.42410613, 0.94241061],
    [-1, -1, 1, 0, -Math.LN2, 1.06931472],
    [-1.5, -0.7, 1.6, -1.23385854, -1.48940495, 1.74894049],
    [-0.1, -3, 0.2, 5.20109928, -0.00549538, 0.20054954],
  ])("c = %f, r = %f, NLL = %f", async (c, r, nll, logOdds, logSigmoid, loss) => {
    const found = await orpo(c, r, nll);
    expect(Math.abs((found["log_odds"] as number) - logOdds)).toBeLessThan(1e-6);
    expect(Math.abs((found["log_sigmoid"] as number) - logSigmoid)).toBeLessThan(1e-6);
    expect(Math.abs((found["loss"] as number) - loss)).toBeLessThan(1e-6);
  });

  it.each([
    [0, -1],
    [-1e-9, -1],
    [-1, 0],
    [-60, -1],
    [-1, -200],
  ])("stays finite, gradients too, at c = %f, r = %f", async (c, r) => {
    for (const value of Object.values(await orpo(c, r, 1))) expect(value).toSatisfy(Number.isFinite);
  });

  it("falls when the chosen reply gains and when the rejected one loses", async () => {
    const { dc, dr } = await orpo(-1.5, -0.7, 1);
    expect(dc).toBeLessThan(0);
    expect(dr).toBeGreaterThan(0);
  });
});

describe("log1mexp", () => {
  it.each([-1e-5, -1e-3, -0.1, -Math.LN2, -2, -20])("is exact to 1e-6 relative at %f", async (x) => {
    const g = new GraphBuilder();
    g.output("y", log1mexp(g, g.input("x", "float32", [1])));
    const [y] = floatsOf((await runGraph(g.build(), { x: vector(x) }, ["y"]))["y"]);
    const expected = Math.log(-Math.expm1(Math.fround(x)));
    expect(Math.abs((y as number) - expected)).toBeLessThan(1e-6 * Math.max(1, Math.abs(expected)));
  });
});
