/** @file Rules over curves whose truth is known: each made so that one thing is wrong, and then so that nothing is. */
import { describe, expect, it } from "vitest";
import { explainRun, metricDefinition, type RunCurves } from "../../../src/agents/explain/index.js";

type Metrics = Readonly<Record<string, number>>;

/** `count` steps whose metrics go from one value to another in a straight line. */
function steps(
  count: number,
  spans: Readonly<Record<string, readonly [number, number]>>,
  round = 1,
  from = 0,
): RunCurves["steps"] {
  return Array.from({ length: count }, (_, i) => {
    const at = count === 1 ? 0 : i / (count - 1);
    const metrics: Metrics = Object.fromEntries(
      Object.entries(spans).map(([name, [a, b]]) => [name, a + at * (b - a)]),
    );
    return { step: from + i + 1, round, metrics };
  });
}

/** A preference phase in which all is well. */
const GOOD = {
  loss: [0.69, 0.4],
  grad_norm: [2, 1.5],
  learning_rate: [1e-4, 1e-4],
  epoch: [0.1, 2],
  "rewards/accuracies": [0.5, 0.9],
  "rewards/margins": [0, 1.2],
  "logps/chosen": [-80, -76],
  "logps/rejected": [-80, -90],
} as const;

const run = (over: Partial<RunCurves> = {}): RunCurves => ({
  steps: steps(20, GOOD),
  heldOut: steps(2, { eval_loss: [0.6, 0.5] }),
  evaluations: [],
  preferenceAccuracies: [],
  pairs: 100,
  failures: {},
  ...over,
});

const ids = (curves: RunCurves): string[] => explainRun(curves).findings.map(({ id }) => id);
const finding = (curves: RunCurves, id: string) => explainRun(curves).findings.find((one) => one.id === id);
const withCurves = (spans: Readonly<Record<string, readonly [number, number]>>): RunCurves =>
  run({ steps: steps(20, { ...GOOD, ...spans }) });

describe("a run in which all is well", () => {
  it("has nothing but good to say of it", () => {
    expect(explainRun(run()).findings.map(({ level }) => level)).toEqual(["good"]);
  });
});

describe("chosen log-probabilities that fall", () => {
  const both = withCurves({ "logps/chosen": [-80, -120], "logps/rejected": [-80, -200], "rewards/margins": [0, 4] });

  it("are likelihood displacement where the margin grows, with the numbers found", () => {
    const found = finding(both, "likelihood-displacement");
    expect(found?.level).toBe("warning");
    // Means of the first and of the last five of twenty points in a line.
    expect(found?.what).toContain("logps/chosen -84.21 → -115.8");
    expect(found?.what).toContain("rewards/margins 0.4211 → 3.579");
    expect(found?.why).toMatch(/Razin et al\. 2024.*Pal et al\. 2024/);
    expect(found?.advice[0]).toContain("replay_chosen: true");
  });

  it("by little are a note", () => {
    const little = withCurves({ "logps/chosen": [-80, -84], "logps/rejected": [-80, -90] });
    expect(finding(little, "likelihood-displacement")?.level).toBe("note");
  });

  it("without a growing margin are a problem", () => {
    const lost = withCurves({
      "logps/chosen": [-80, -150],
      "logps/rejected": [-80, -120],
      "rewards/margins": [0.5, -2],
    });
    expect(finding(lost, "both-fall")?.level).toBe("problem");
    expect(ids(lost)).toContain("margins-collapsed");
  });

  it("are not found where only the rejected fall", () => {
    expect(ids(run())).not.toContain("likelihood-displacement");
  });
});

describe("single rules", () => {
  const cases: readonly (readonly [id: string, curves: RunCurves])[] = [
    ["no-steps", run({ steps: [], heldOut: [] })],
    ["loss-rises", withCurves({ loss: [0.5, 1.5] })],
    ["grad-norm-explodes", withCurves({ grad_norm: [1, 9] })],
    ["no-gradient", withCurves({ grad_norm: [0, 0] })],
    ["not-learning", withCurves({ loss: [Math.LN2, Math.LN2], "rewards/accuracies": [0.5, 0.52] })],
    ["saturated", withCurves({ loss: [0.5, 0.01], "rewards/accuracies": [1, 1] })],
    ["many-passes", withCurves({ epoch: [1, 12] })],
    ["only-warmup", withCurves({ learning_rate: [1e-5, 1e-4] })],
    ["exo-vanishing", withCurves({ "exo/vanishing": [0, 0.4] })],
    ["nll-rises", run({ steps: steps(20, { ...GOOD, log_odds_ratio: [-1, -0.1], nll_loss: [1, 2] }) })],
    ["few-pairs", run({ pairs: 3 })],
    ["no-held-out", run({ heldOut: [] })],
    ["many-failures", run({ pairs: 10, failures: { "longer than max_length": 20, "asked before": 2 } })],
    ["loss-not-finite", run({ steps: [...steps(5, GOOD), { step: 6, round: 1, metrics: { grad_norm: 1 } }] })],
  ];
  for (const [id, curves] of cases) {
    it(`${id} is found where it is, and not in a good run`, () => {
      expect(ids(curves)).toContain(id);
      expect(ids(run())).not.toContain(id);
    });
  }

  it("a single peak of grad_norm names its step", () => {
    const peak = steps(20, GOOD).map((point) =>
      point.step === 13 ? { ...point, metrics: { ...point.metrics, grad_norm: 99 } } : point,
    );
    expect(finding(run({ steps: peak }), "grad-norm-explodes")?.what).toContain("99 at step 13");
  });

  it("what was left out for its length is answered with lengths", () => {
    const long = run({ pairs: 10, failures: { "longer than max_length": 20 } });
    expect(finding(long, "many-failures")?.advice[0]).toContain("max_length");
  });
});

describe("held-out results", () => {
  const losses = (...values: readonly number[]): RunCurves["heldOut"] =>
    values.map((eval_loss, i) => ({ step: 10 * (i + 1), round: i + 1, metrics: { eval_loss } }));

  it("overfitting: the held-out loss turns while the loss on what is trained on falls", () => {
    const found = finding(run({ heldOut: losses(0.6, 0.5, 0.8) }), "overfitting");
    expect(found?.what).toContain("eval_loss is 0.8 after round 3, and was 0.5 after round 2");
  });

  it("rounds in turn that bring nothing are stale", () => {
    expect(ids(run({ heldOut: losses(0.5, 0.505, 0.502) }))).toContain("stale-rounds");
    expect(ids(run({ heldOut: losses(0.6, 0.5, 0.502) }))).not.toContain("stale-rounds");
  });

  const evaluations = (first: number, last: number, ci95: number): RunCurves["evaluations"] => [
    { round: 0, split: "unseen-material", accuracy: first, n: 200, chance: 0.25, ci95 },
    { round: 2, split: "unseen-material", accuracy: last, n: 200, chance: 0.25, ci95 },
  ];

  it("accuracy counts as changed only beyond its interval", () => {
    expect(ids(run({ evaluations: evaluations(0.3, 0.6, 0.07) }))).toContain("held-out-accuracy-rises");
    expect(ids(run({ evaluations: evaluations(0.6, 0.3, 0.07) }))).toContain("held-out-accuracy-falls");
    expect(ids(run({ evaluations: evaluations(0.3, 0.33, 0.07) }))).toContain("held-out-accuracy-unclear");
  });
});

describe("a run of several losses", () => {
  it("is read loss by loss, and says of which steps it speaks", () => {
    const orpo = steps(10, { ...GOOD, log_odds_ratio: [-1, -0.1], nll_loss: [2, 1] });
    const exo = steps(
      10,
      { ...GOOD, "exo/vanishing": [0, 0], "logps/chosen": [-80, -120], "logps/rejected": [-80, -200] },
      2,
      10,
    );
    const found = finding(run({ steps: [...orpo, ...exo] }), "likelihood-displacement");
    expect(found?.what).toMatch(/^steps 11 to 20 \(exo_pair\): /);
  });
});

describe("the metrics of a run", () => {
  it("are all defined, with their ends; the worst finding stands first", () => {
    const bad = withCurves({ loss: [0.5, 1.5] });
    const { metrics, findings } = explainRun(bad);
    expect(metrics.map(({ name }) => name)).toEqual([...Object.keys(GOOD), "eval_loss"]);
    expect(metrics.at(-1)?.definition).toMatch(/^On held-out pairs/);
    expect(findings[0]?.level).toBe("problem");
    expect(metricDefinition("constructor")).toBeUndefined();
  });
});
