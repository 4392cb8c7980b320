/** @file The sampler in the graph against exact probabilities, transformers' processors, and itself in other batches. */
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { uniform, uniforms } from "../../../src/trainer/runtime/random.js";
import type { Program } from "../../../src/trainer/runtime/session.js";
import { openSampler, type SamplerRow, sampleRows } from "../../support/sampler-program.js";
import { type Choice, logProbability, tokenProbabilities } from "../../support/sampling-reference.js";

const programs = new Map<number, Promise<Program>>();
afterAll(async () => {
  for (const program of programs.values()) await (await program).dispose();
});

async function sample(rows: readonly SamplerRow[]) {
  const vocabulary = (rows[0] as SamplerRow).logits.length;
  const program = programs.get(vocabulary) ?? openSampler(vocabulary);
  programs.set(vocabulary, program);
  return sampleRows(await program, rows);
}

/** Normal numbers by Box and Muller. */
function normals(seed: number, count: number, scale = 2): Float32Array {
  const u = uniforms(seed, 0, 2 * count);
  return Float32Array.from({ length: count }, (_, i) => {
    const radius = Math.sqrt(-2 * Math.log(1 - (u[2 * i] as number)));
    return scale * radius * Math.cos(2 * Math.PI * (u[2 * i + 1] as number));
  });
}

/** How often each token is drawn, for these noise numbers. */
async function histogram(row: Omit<SamplerRow, "noise">, noises: ArrayLike<number>): Promise<Float64Array> {
  const { ids } = await sample(Array.from(noises, (noise) => ({ ...row, noise })));
  const counts = new Float64Array(row.logits.length);
  for (const id of ids) counts[id] = (counts[id] as number) + 1;
  return counts;
}

/** Pearson's χ² in units of the value that chance passes once in 10,000 times; cells below 5 expected draws are joined. */
function chiSquareOverLimit(counts: Float64Array, probabilities: Float64Array): number {
  const draws = counts.reduce((a, b) => a + b, 0);
  let [statistic, cells, restFound, restExpected] = [0, 0, 0, 0];
  for (const [id, found] of counts.entries()) {
    const expected = draws * (probabilities[id] as number);
    if (expected === 0 && found > 0) return Number.POSITIVE_INFINITY;
    if (expected >= 5) {
      statistic += (found - expected) ** 2 / expected;
      cells += 1;
    } else {
      restFound += found;
      restExpected += expected;
    }
  }
  if (restExpected >= 5) {
    statistic += (restFound - restExpected) ** 2 / restExpected;
    cells += 1;
  }
  const freedom = cells - 1;
  const spread = 2 / (9 * freedom); // Wilson and Hilferty
  return statistic / (freedom * (1 - spread + 3.719 * Math.sqrt(spread)) ** 3);
}

const DRAWS = 6000;
const LOGITS = normals(7, 60, 1.5);
const LIKELIEST = [...LOGITS.keys()].sort((a, b) => (LOGITS[b] as number) - (LOGITS[a] as number));
/** The likeliest tokens, one of them twice, and two others. */
const HISTORY = [...LIKELIEST.slice(0, 5), LIKELIEST[2], 8, 59].map(Number);

describe("draws follow the exact probabilities, and would not with other parameters", () => {
  const cases: readonly [string, Choice, Choice][] = [
    ["temperature 0.7", { temperature: 0.7 }, { temperature: 0.8 }],
    ["top-k", { temperature: 1.2, topK: 9 }, { temperature: 1.2, topK: 10 }],
    ["top-p", { temperature: 1, topP: 0.8 }, { temperature: 1, topP: 0.83 }],
    ["min-p", { temperature: 1, minP: 0.2 }, { temperature: 1, minP: 0.26 }],
    ["repetition penalty", { temperature: 1, repetitionPenalty: 1.4 }, { temperature: 1, repetitionPenalty: 1.2 }],
    [
      "all of them",
      { temperature: 1.3, topK: 14, topP: 0.9, minP: 0.1, repetitionPenalty: 1.3 },
      { temperature: 1.3, topK: 14, topP: 0.8, minP: 0.1, repetitionPenalty: 1.3 },
    ],
  ];
  it.each(cases)("%s", async (name, choice, other) => {
    const noises = Array.from({ length: DRAWS }, (_, i) => uniform(11, name.length, i));
    const counts = await histogram({ logits: LOGITS, history: HISTORY, ...choice }, noises);
    expect(chiSquareOverLimit(counts, tokenProbabilities(LOGITS, choice, HISTORY))).toBeLessThan(1);
    expect(chiSquareOverLimit(counts, tokenProbabilities(LOGITS, other, HISTORY))).toBeGreaterThan(1);
  });
});

/** Equally spaced noise draws each token as often as its probability says, but for the two ends of its share. */
const GRID = Array.from({ length: 4000 }, (_, i) => (i + 0.5) / 4000);

async function expectExact(row: Omit<SamplerRow, "noise">, probabilities: ArrayLike<number>): Promise<void> {
  const counts = await histogram(row, GRID);
  const wrong = [...counts].flatMap((count, id) => {
    const expected = GRID.length * (probabilities[id] as number);
    const isKept = count === 0 || expected > 0;
    return isKept && Math.abs(count - expected) < 1.01 ? [] : [{ id, count, expected }];
  });
  expect(wrong).toEqual([]);
}

describe("what is kept", () => {
  const kept = (logits: ArrayLike<number>, choice: Choice, history: readonly number[] = []): number[] =>
    [...tokenProbabilities(logits, choice, history)].flatMap((p, id) => (p > 0 ? [id] : []));
  const some = [1, 3, 3, 2, 0, 3, 2];
  const ids = [0, 1, 2, 3, 4, 5, 6];
  const cases: readonly [string, readonly number[], Choice, readonly number[]][] = [
    ["top-k keeps all that tie with the last", some, { topK: 2 }, [1, 2, 5]],
    ["top-k within a lower tie", some, { topK: 4 }, [1, 2, 3, 5, 6]],
    ["top-k larger than the vocabulary keeps all", some, { topK: 100 }, ids],
    ["top-k of the vocabulary keeps all", some, { topK: 7 }, ids],
    ["top-p keeps all that tie with the last", some, { topP: 0.1 }, [1, 2, 5]],
    ["a tiny top-p keeps one", [0, 2, 1], { topP: 1e-9 }, [1]],
    ["top-p 0 keeps one", [0, 2, 1], { topP: 0 }, [1]],
    ["top-p 1 keeps all", some, { topP: 1 }, ids],
    ["top-p close to 1 keeps all", some, { topP: 0.9999999 }, ids],
    ["top-p counts what top-k left", [4, 3, 3, 3, 3, 3, 3], { topK: 1, topP: 0.9 }, [0]],
    ["min-p 1 keeps the maximum and its ties", some, { minP: 1 }, [1, 2, 5]],
    ["min-p", [0, 2, 1.5, 1], { minP: 0.5 }, [1, 2]],
    ["min-p is a share of the tempered maximum", [0, 2, 1.5, 1], { minP: 0.5, temperature: 2 }, [1, 2, 3]],
    ["a logit of -Infinity is never drawn", [Number.NEGATIVE_INFINITY, 1, 1], {}, [1, 2]],
    ["nor kept by top-k", [Number.NEGATIVE_INFINITY, 1, Number.NEGATIVE_INFINITY], { topK: 2 }, [1]],
    ["nor by top-p", [Number.NEGATIVE_INFINITY, 1, 1], { topP: 0.999999 }, [1, 2]],
    ["one very large logit takes all", [0, 1e30, 5], { temperature: 0.5 }, [1]],
    ["one very small logit takes nothing", [0, -1e30, 0], {}, [0, 2]],
  ];
  it.each(cases)("%s", async (_, logits, choice, expected) => {
    expect(kept(logits, choice)).toEqual(expected);
    await expectExact({ logits, ...choice }, tokenProbabilities(logits, choice));
  });

  it("counts all ties with the last of top-k in the mass of top-p, and few or many are sorted for it", async () => {
    const logits = Float32Array.from({ length: 3000 }, (_, i) => (i % 100 === 0 ? 4 : i % 6 === 1 ? 3 : -2));
    for (const topP of [0.12, 0.6]) {
      const choice = { topK: 50, topP };
      expect(kept(logits, choice).length).toBe(topP < 0.2 ? 30 : 530);
      await expectExact({ logits, ...choice }, tokenProbabilities(logits, choice));
    }
  });

  it("comes after the penalty, which takes a token once however often it was seen", async () => {
    const logits = [2, 1.9, -1, 0.5, -0.9];
    const choice = { repetitionPenalty: 1.5, topK: 4 };
    const history = [0, 2, 0, 0, 2];
    expect(kept(logits, choice, history)).toEqual([0, 1, 3, 4]);
    await expectExact({ logits, history, ...choice }, tokenProbabilities(logits, choice, history));
  });

  it("is everything where nothing was seen yet, whatever the penalty", async () => {
    await expectExact({ logits: some, repetitionPenalty: 1.5 }, tokenProbabilities(some, {}));
  });
});

interface GoldenRow {
  readonly parameters: Choice;
  readonly history: number[];
  readonly logits: number[];
  readonly probabilities: number[];
}

describe("transformers' processors", () => {
  const file = new URL("../../fixtures/samplers/golden.json", import.meta.url);
  const { rows } = JSON.parse(readFileSync(file, "utf8")) as { rows: GoldenRow[] };
  it.each(rows.map((row) => [JSON.stringify(row.parameters), row] as const))("%s", async (_, row) => {
    const { parameters, history, logits, probabilities } = row;
    const ours = tokenProbabilities(logits, parameters, history);
    ours.forEach((p, id) => {
      expect(p).toBeCloseTo(probabilities[id] as number, 6);
    });
    expect([...ours].map((p) => p > 0)).toEqual(probabilities.map((p) => p > 0));
    await expectExact({ logits, history, ...parameters }, probabilities);
  });
});

describe("one row", () => {
  const choices: readonly Choice[] = [
    { temperature: 0 },
    { temperature: 1 },
    { temperature: 0.7 },
    { temperature: 0, repetitionPenalty: 1.3 },
    { temperature: 1, repetitionPenalty: 0.9 },
    { temperature: 0.8, topK: 40 },
    { temperature: 1, topK: 700, topP: 0.97 },
    { temperature: 1, topK: 2000 },
    { temperature: 1.1, topK: 50, topP: 0.9, minP: 0.02, repetitionPenalty: 1.1 },
    { temperature: 0.6, topP: 0.95 },
    { temperature: 1, topP: 0.5 },
    { temperature: 6, topP: 0.9 },
    { temperature: 1.5, topK: 64, topP: 0.999 },
    { temperature: 1, minP: 0.1 },
  ];
  /** Every third has logits in steps of a half: hundreds of tokens tie. */
  const row = (vocabulary: number, i: number): SamplerRow => ({
    logits: normals(i, vocabulary, 1 + (i % 4)).map((logit) => (i % 3 === 0 ? Math.round(2 * logit) / 2 : logit)),
    noise: uniform(5, 1, i),
    history: [i, 2 * i + 1, 5].map((id) => id % vocabulary),
    ...(choices[i % choices.length] as Choice),
  });

  it.each([
    ["a small vocabulary", 100, 140],
    ["one that blocks do not divide", 9003, 42],
    ["a real one", 32_000, 28],
  ])("gives the same bits alone and in every batch: %s", async (_, vocabulary, count) => {
    const rows = Array.from({ length: count }, (_, i) => row(vocabulary, i));
    const together = await sample(rows);
    const backwards = await sample(rows.toReversed());
    const alone = { ids: [] as number[], logps: [] as number[] };
    for (const one of rows) {
      const { ids, logps } = await sample([one]);
      alone.ids.push(...ids);
      alone.logps.push(...logps);
    }
    expect(together).toEqual(alone);
    expect(backwards).toEqual({ ids: alone.ids.toReversed(), logps: alone.logps.toReversed() });
  });

  it.each([
    ["one more than whole blocks", 257, 42],
    ["5,003", 5003, 42],
    ["32,003", 32_003, 14],
    ["49,152", 49_152, 14],
    ["151,936", 151_936, 12],
  ])("is drawn where the exact running sum passes the noise: vocabulary of %s", async (_, vocabulary, count) => {
    const rows = Array.from({ length: count }, (_, i) => row(vocabulary, i));
    const { ids, logps } = await sample(rows);
    rows.forEach((one, i) => {
      const id = ids[i] as number;
      const probabilities = tokenProbabilities(one.logits, one, one.history);
      const before = probabilities.subarray(0, id).reduce((a, b) => a + b, 0);
      const p = probabilities[id] as number;
      const noise = one.temperature === 0 ? before : one.noise;
      expect(p).toBeGreaterThan(0);
      expect(noise).toBeGreaterThan(before - 2e-6);
      expect(noise).toBeLessThan(before + p + 2e-6);
      expect(logps[i]).toBeCloseTo(logProbability(one.logits, id), 4);
    });
  });
});

describe("greedy choice", () => {
  it("takes the smaller of equal ids, also across blocks, and ignores every other parameter but the penalty", async () => {
    const logits = new Float32Array(700).fill(-1);
    for (const id of [299, 301, 690]) logits[id] = 2;
    const greedy = { logits, temperature: 0, topK: 3, topP: 0.1, minP: 0.9, noise: 0.999 };
    const { ids } = await sample([greedy, { ...greedy, history: [299, 690], repetitionPenalty: 1.1 }]);
    expect(ids).toEqual([299, 301]);
  });
});

describe("the ends of the noise", () => {
  const last = (values: ArrayLike<number>): number => values.length - 1;
  const logits = normals(3, 3000, 1);
  logits[0] = logits[last(logits)] = Number.NEGATIVE_INFINITY;

  it.each([{}, { topK: 5 }, { topP: 0.4 }, { minP: 0.3 }, { temperature: 30 }])(
    "%j: first and last kept",
    async (choice) => {
      const kept = [...tokenProbabilities(logits, choice)].flatMap((p, id) => (p > 0 ? [id] : []));
      const noises = [0, 1 - 2 ** -24, 1 - 2 ** -32, 1];
      const { ids } = await sample(noises.map((noise) => ({ logits, noise, ...choice })));
      expect(ids).toEqual([kept[0], ...[1, 1, 1].map(() => kept[last(kept)])]);
    },
  );

  it("stays within the vocabulary where all logits are one number, or none is one", async () => {
    const same = { logits: new Float32Array(3000).fill(4), topP: 0.5 };
    const broken = { logits: new Float32Array(3000).fill(Number.NaN), topP: 0.5, topK: 5 };
    const { ids } = await sample([
      { ...same, noise: 0 },
      { ...same, noise: 1 },
      { ...broken, noise: 0.5 },
      { ...broken, noise: 0.5, temperature: 0 },
    ]);
    expect(ids.slice(0, 2)).toEqual([0, 2999]);
    for (const id of ids) expect(id).toBeGreaterThanOrEqual(0);
    for (const id of ids) expect(id).toBeLessThan(3000);
  });
});

describe("log-probabilities", () => {
  it("are those of the raw logits, also of tokens that hardly ever come", async () => {
    const logits = [0, -60, -95, 30, 29.5];
    const rows = [0.1, 0.3, 0.5, 0.7, 0.9].map((noise) => ({ logits, noise, temperature: 1000 }));
    const { ids, logps } = await sample(rows);
    expect(new Set(ids).size).toBe(5);
    ids.forEach((id, i) => {
      expect(logps[i]).toBeCloseTo(logProbability(logits, id), 4);
    });
  });
});
