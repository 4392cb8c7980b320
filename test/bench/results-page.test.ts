/** @file The page of results: what it says is what the data says, worked out by hand on a few verdicts. */
import { expect, it } from "vitest";
import type { Condition, SeedResult } from "../../bench/reproduce/experiment.js";
import type { Measured } from "../../bench/reproduce/measure.js";
import { resultsPage } from "../../bench/reproduce/results-page.js";

function measured(verdicts: string): Measured {
  const n = verdicts.length;
  const share = [...verdicts].filter((v) => v === "1").length / n;
  return {
    accuracy: { share, n, low: share - 0.1, high: share + 0.1 },
    chance: 0.25,
    byType: { "stiffness-class": { share, n, low: 0, high: 1 } },
    markable: 1,
    thinks: 1,
    thinkingRight: 0.5,
    rightWithWrongThinking: 0.25,
    verdicts,
  };
}

const condition = (name: string, combinations: string, materials: string): Condition => ({
  name,
  asked: { "unseen-combination": measured(combinations), "unseen-material": measured(materials) },
});

const seed = (...conditions: Condition[]): SeedResult => ({
  seed: 3,
  conditions,
  recursion: [
    {
      checkpoint: "EXO",
      split: "unseen-combination",
      curves: ["retrieval critic", "resampling"].map((method, i) => ({
        method: method as "resampling",
        depths: ["1000", "1100", "1100", i === 0 ? "1110" : "0100"].map((verdicts, at) => ({
          rounds: at + 1,
          accuracy: measured(verdicts).accuracy,
          newTokens: 10 * (at + 1),
          criticCalls: 2 * at,
          verdicts,
        })),
      })),
    },
  ],
});

const page = (of: SeedResult) =>
  resultsPage(
    {
      command: "npm run reproduce",
      version: "0",
      model: { path: "models/nano", parameters: 1_000_000 },
      worldSeed: 7,
      seconds: 90,
      seeds: [of],
    },
    "What we make of it.",
  );

const result = seed(
  condition("incipient", "0000", "0001"),
  condition("ORPO", "1100", "1111"),
  condition("EXO", "1110", "1111"),
);

it("gives every condition its share and interval, and paired differences", () => {
  const { markdown } = page(result);
  expect(markdown).toContain("| ORPO | 50.0 [40.0, 60.0] | 100.0 [90.0, 110.0] |");
  // d = 0, 0, 1, 0: mean 0.25, s = 0.5, half-width 1.959964 · 0.5 / √4 = 0.49.
  expect(markdown).toContain("| ORPO → EXO | unseen combinations | 25.0 ± 49.0 |");
  expect(markdown).toContain("What we make of it.");
});

it("reads the depth of recursion off the verdicts, with its cost", () => {
  const { markdown } = page(result);
  // d = 0, 1, 1, 0: mean 0.5, s = 0.5774, half-width 1.959964 · 0.5774 / 2 = 0.5658.
  expect(markdown).toContain("| retrieval critic | 25.0 | 50.0 | 50.0 | 75.0 | 50.0 ± 56.6 | 40 | 6.0 |");
  // d = −1, 1, 0, 0: mean 0, s = 0.8165, half-width 0.8002.
  expect(markdown).toContain("| resampling | 25.0 | 50.0 | 50.0 | 25.0 | 0.0 ± 80.0 | 40 | 6.0 |");
});

it("leaves out what was not done, and draws a plot for what was", () => {
  const { markdown, plots } = page(result);
  expect(markdown).not.toContain("## Two candidates");
  expect(markdown).not.toContain("## Reflection");
  expect(Object.keys(plots).sort()).toEqual(["accuracy.svg", "recursion-exo.svg"]);
  for (const svg of Object.values(plots)) {
    expect(svg.match(/<(text|line|circle|path|svg|style)\b/g)?.length).toBeGreaterThan(10);
    expect(svg).not.toContain("NaN");
  }
  for (const name of Object.keys(plots)) expect(markdown).toContain(`results/${name}`);
});
