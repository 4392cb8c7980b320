/** @file Losses as numbers, and evaluation: against the published tables, the graph, and sums made by hand. */
import { describe, expect, it } from "vitest";
import { GraphBuilder } from "../../../src/trainer/graph/index.js";
import { evaluate, textAsPair } from "../../../src/trainer/loop/evaluate.js";
import { logOdds, logSigmoid, preferenceValue } from "../../../src/trainer/loop/loss-values.js";
import type { ReferenceScores } from "../../../src/trainer/loop/reference-cache.js";
import type { TrainEvent } from "../../../src/trainer/loop/train-events.js";
import { PREFERENCE_LOSSES, type PreferenceLoss, preferenceTerm } from "../../../src/trainer/losses/index.js";
import type { PairScore } from "../../../src/trainer/run/policy.js";
import type { LabelledTokens, TokenizedPair } from "../../../src/trainer/text/types.js";
import { floatsOf, runGraph } from "../../support/program-runner.js";
import { pairsOf } from "./loop-support.js";

const reply = (sum: number, count: number) => ({ sum, count });
const score = (chosen: number, rejected: number, counts: readonly [number, number] = [1, 1]): PairScore => ({
  chosen: reply(chosen, counts[0]),
  rejected: reply(rejected, counts[1]),
});
const ZERO = score(0, 0);
const NUMBERS = { beta: 0.1, labelSmoothing: 0, simpoGamma: 0.5 };

describe("the losses as numbers", () => {
  // β, ε, h → EXO, DPO, conservative DPO
  it.each([
    [0.1, 5e-3, -20, 4.30200611, 2.12692801, 2.11692801],
    [0.1, 5e-3, 0, 1.95851777, Math.LN2, Math.LN2],
    [0.1, 5e-3, 100, 0.00475347, 0.0000454, 0.0500454],
    [0.5, 5e-3, 5, 0.13801783, 0.07888973, 0.09138973],
    [0.1, 1e-3, 0, 2.76123071, Math.LN2, Math.LN2],
  ])("agree with the table at β %d, ε %d, h %d", (beta, labelSmoothing, h, exo, dpo, smoothed) => {
    const value = (loss: PreferenceLoss, ε: number) =>
      preferenceValue(loss, score(h, 0), ZERO, { ...NUMBERS, beta, labelSmoothing: ε });
    expect(value("exo_pair", labelSmoothing)).toBeCloseTo(exo, 7);
    expect(value("sigmoid", 0)).toBeCloseTo(dpo, 7);
    expect(value("sigmoid", labelSmoothing)).toBeCloseTo(smoothed, 7);
  });

  it.each([
    [-0.8, -1.2, 0.63823526, -0.42410613],
    [-1.5, -0.7, -1.23385854, -1.48940495],
    [-0.1, -3, 5.20109928, -0.00549538],
  ])("agree with the table of ORPO at %d, %d", (chosen, rejected, odds, logSigmoidOdds) => {
    expect(logOdds(chosen, rejected)).toBeCloseTo(odds, 7);
    expect(logSigmoid(logOdds(chosen, rejected))).toBeCloseTo(logSigmoidOdds, 7);
    expect(Number.isFinite(logOdds(0, -1))).toBe(true);
  });

  it.each(PREFERENCE_LOSSES)("of %s are those of the graph", async (loss) => {
    const policies = [score(-9, -14, [5, 7]), score(-20, -3, [4, 2]), score(-1, -400, [3, 90])];
    const references = [score(-8, -15, [5, 7]), score(-16, -6, [4, 2]), score(-2, -300, [3, 90])];
    const numbers = { beta: 0.3, labelSmoothing: 0.1, simpoGamma: 0.7 };
    const means = ["ipo", "sigmoid_norm", "simpo"].includes(loss);
    const g = new GraphBuilder();
    const input = (name: string) => g.input(name, "float32", ["pairs"]);
    const term = preferenceTerm(g, loss, {
      chosen: input("chosen"),
      rejected: input("rejected"),
      refChosen: input("ref_chosen"),
      refRejected: input("ref_rejected"),
      weights: input("weights"),
      beta: g.scalar(numbers.beta),
      labelSmoothing: g.scalar(numbers.labelSmoothing),
      simpoGamma: g.scalar(numbers.simpoGamma),
    });
    g.output("per_pair", term.perPair);
    const feed = (list: readonly PairScore[], side: "chosen" | "rejected") => ({
      data: Float32Array.from(list, (pair) => pair[side].sum / (means ? pair[side].count : 1)),
      dims: [3],
    });
    const feeds = {
      chosen: feed(policies, "chosen"),
      rejected: feed(policies, "rejected"),
      ref_chosen: feed(references, "chosen"),
      ref_rejected: feed(references, "rejected"),
      weights: { data: new Float32Array(3).fill(1), dims: [3] },
    };
    const graph = g.build();
    const used = Object.fromEntries(
      Object.entries(feeds).filter(([name]) => graph.inputs.some((i) => i.name === name)),
    );
    const found = floatsOf((await runGraph(graph, used, ["per_pair"]))["per_pair"]);
    policies.forEach((policy, i) => {
      expect(preferenceValue(loss, policy, references[i], numbers)).toBeCloseTo(found[i] as number, 4);
    });
  });
});

const scorer = (table: (pair: TokenizedPair) => PairScore) => ({
  scorePairs: async (pairs: readonly TokenizedPair[]) => pairs.map(table),
});

async function metricsOf(events: AsyncGenerator<TrainEvent, Readonly<Record<string, number>>>) {
  for (;;) {
    const next = await events.next();
    if (next.done === true) return next.value;
  }
}

const COMMON = { ...NUMBERS, nllOver: "chosen", batchSize: 2 } as const;

describe("an evaluation", () => {
  it("of texts weighs by tokens, not by rows or batches", async () => {
    const text = (length: number): LabelledTokens => ({
      ids: new Int32Array(length).fill(5),
      labels: new Uint8Array(length).fill(1, 1),
    });
    const evaluation = [text(3), text(11), text(21)];
    // Every token of the first costs 4, of the others 1.
    const policy = scorer(({ chosen }) =>
      score(-(chosen.ids.length === 2 ? 8 : chosen.ids.length), -1, [chosen.ids.length, 1]),
    );
    const found = await metricsOf(evaluate(policy, { kind: "texts", evaluation }, { ...COMMON, loss: "sft" }));
    expect(found).toEqual({ eval_loss: (8 + 10 + 20) / 32, eval_nll_loss: (8 + 10 + 20) / 32 });
  });

  it("of a text scores each labelled token but the first", () => {
    const { prompt, chosen } = textAsPair({ ids: Int32Array.of(7, 8, 9), labels: Uint8Array.of(1, 0, 1) });
    expect([...prompt]).toEqual([7]);
    expect([...chosen.ids]).toEqual([8, 9]);
    expect([...chosen.labels]).toEqual([0, 1]);
  });

  it("of orpo is NLL minus β log σ(log odds), over the prompt as well where asked for", async () => {
    const evaluation = pairsOf(3);
    const policy = scorer(({ prompt }) => (prompt.length === 1 ? score(-30, -1, [10, 1]) : score(-1.6, -2.4, [2, 2])));
    const run = (nllOver: "chosen" | "prompt+chosen") =>
      metricsOf(evaluate(policy, { kind: "pairs", evaluation }, { ...COMMON, nllOver, loss: "orpo" }));
    const found = await run("chosen");
    expect(found["eval_loss"]).toBeCloseTo(0.8 + 0.1 * 0.42410613, 7);
    expect(found).toMatchObject({
      eval_nll_loss: expect.closeTo(0.8, 9),
      eval_log_odds_ratio: expect.closeTo(-0.42410613, 7),
      eval_log_odds_chosen: expect.closeTo(0.63823526, 7),
      "eval_logps/chosen": expect.closeTo(-0.8, 9),
      "eval_rewards/margins": expect.closeTo(0.04, 9),
      "eval_rewards/accuracies": 1,
    });
    expect((await run("prompt+chosen"))["eval_loss"]).toBeCloseTo(3 + 0.1 * 0.42410613, 7);
  });

  it("of the DPO family is ln 2 where policy and reference agree, and no such pair counts as ranked right", async () => {
    const evaluation = pairsOf(5);
    const same = score(-7, -3, [2, 2]);
    const reference: ReferenceScores = { id: "r", of: () => same };
    const options = { ...COMMON, loss: "sigmoid", reference } as const;
    const found = await metricsOf(
      evaluate(
        scorer(() => same),
        { kind: "pairs", evaluation },
        options,
      ),
    );
    expect(found["eval_loss"]).toBeCloseTo(Math.LN2, 12);
    expect(found).toMatchObject({ "eval_rewards/accuracies": 0, "eval_rewards/margins": 0, "eval_logps/chosen": -7 });
  });
});
