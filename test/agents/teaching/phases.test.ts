/** @file Phases: what each begins with and what a step of it gets; rounds that are kept or taken back; phases that end early. */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PassageStore } from "../../../src/agents/corpus/index.js";
import { createExtractiveTeacher } from "../../../src/agents/models/extractive-teacher.js";
import type { TeachContext } from "../../../src/agents/teaching/run.js";
import type { TokenizedPair } from "../../../src/trainer/text/types.js";
import { smallStore } from "../scripted-student.js";
import { learningStudent, ofKind, planOf, quickPairs, scoreAt, taught } from "./teach-support.js";

let store: PassageStore;
let folder: string;
beforeAll(async () => {
  store = await smallStore();
  folder = await mkdtemp(join(tmpdir(), "phases-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Learning = ReturnType<typeof learningStudent>;
const student = (): Learning => learningStudent((_, seed, theta) => `guess ${seed} of ${theta.join(" and ")}`);

const contextOf = (of: Learning, more: Partial<TeachContext> = {}): TeachContext => ({
  ...of,
  store,
  teacher: createExtractiveTeacher(),
  pairSource: quickPairs,
  ...more,
});

/** Two steps a round, of two and of one pair. */
const small = { topics: 3, per_device_train_batch_size: 2, num_train_epochs: 1, max_new_tokens: 40 };

describe("SFT, then ORPO, then EXO in one plan", () => {
  const calls: string[] = [];
  const of = student();
  const note = <A extends unknown[], R>(name: string, call: (...args: A) => R) => {
    return (...args: A): R => {
      calls.push(name);
      return call(...args);
    };
  };
  const thetas: (readonly number[])[] = [];
  const policy = {
    ...of.policy,
    resetOptimizer: note("reset", of.policy.resetOptimizer),
    markReference: note("mark", async () => {
      thetas.push(of.learned.theta());
      await of.policy.markReference();
    }),
    trainStep: note("step", of.policy.trainStep),
  };
  const phases = [
    { loss_type: "sft", learning_rate: 4e-3 },
    { loss_type: "orpo", iterations: 2, learning_rate: 1e-3 },
    { loss_type: "exo_pair", iterations: 2, learning_rate: 2e-3, beta: 0.1, label_smoothing: 0.001 },
  ];
  const plan = planOf({ ...small, phases, warmup_steps: 4 });
  let seen: Awaited<ReturnType<typeof taught>>;
  beforeAll(async () => {
    seen = await taught(contextOf({ ...of, policy }), plan);
  });
  const steps = () => of.learned.batches;

  test("each phase says so, and its rounds are counted on", () => {
    expect(ofKind(seen, "phase")).toEqual([
      { kind: "phase", round: 1, phase: "sft", index: 0 },
      { kind: "phase", round: 2, phase: "orpo", index: 1 },
      { kind: "phase", round: 4, phase: "exo_pair", index: 2 },
    ]);
    expect(ofKind(seen, "pair").map(({ pair }) => pair.provenance.phase)).toEqual(
      ["sft", "orpo", "orpo", "exo_pair", "exo_pair"].flatMap((name) => [name, name, name]),
    );
    expect(ofKind(seen, "step").map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test("each trains with its own loss and its own numbers", () => {
    expect(steps().map(({ options }) => options.loss)).toEqual([
      "sft",
      "sft",
      "orpo",
      "orpo",
      "orpo",
      "orpo",
      "exo_pair",
      "exo_pair",
      "exo_pair",
      "exo_pair",
    ]);
    expect(steps().at(-1)?.options).toMatchObject({ beta: 0.1, labelSmoothing: 0.001 });
  });

  test("the optimizer begins anew with every phase but the first, and only a loss with a reference marks one", () => {
    expect(calls.join(" ")).toBe("step step reset step step step step reset mark step step step step");
  });

  test("the rate warms up anew", () => {
    // 4 steps of warm-up: n/4 of the rate at step n of the phase.
    const expected = [1e-3, 2e-3, 0.25e-3, 0.5e-3, 0.75e-3, 1e-3, 0.5e-3, 1e-3, 1.5e-3, 2e-3];
    expect(steps().map(({ options }) => options.learningRate)).toEqual(expected);
  });

  test("a step of SFT gets texts alone, whose labels are the chosen reply's", () => {
    const [first] = steps();
    expect(first?.batch.pairs).toEqual([]);
    expect(first?.batch.texts).toHaveLength(2);
    for (const { ids, labels } of first?.batch.texts ?? []) {
      const text = of.tokenizer.decode(ids);
      const answered = of.tokenizer.decode(ids.filter((_, i) => labels[i] === 1));
      expect(text).toMatch(/^\[user\] Round 1, question/);
      expect(answered).not.toContain("[user]");
      expect(text.endsWith(answered)).toBe(true);
      expect(answered).not.toMatch(/guess/);
    }
  });

  test("a step of ORPO gets pairs without a reference, one of EXO pairs with the scores of the phase's start", async () => {
    expect(steps()[2]?.batch).toMatchObject({ pairs: { length: 2 }, texts: [] });
    expect(steps()[2]?.batch).not.toHaveProperty("reference");
    const [start] = thetas;
    expect(thetas).toEqual([start]);
    const { scored } = of.learned;
    expect(scored.map(({ pairs, weights }) => [pairs.length, weights])).toEqual([
      [3, "reference"],
      [3, "reference"],
    ]);
    for (const { batch } of steps().slice(6)) {
      expect(batch.reference).toHaveLength(batch.pairs.length);
      expect(batch.reference).toEqual(batch.pairs.map((pair) => scoreAt(start as readonly number[], pair)));
    }
  });

  test("what the student said is of the weights of its round, by the steps of the whole run", () => {
    const named = ofKind(seen, "pair").map(({ pair }) => pair.provenance.student.split("@")[1]);
    expect(named).toEqual(["0", "2", "4", "6", "8"].flatMap((step) => [step, step, step]));
  });
});

/** A student whose held-out loss is, one measurement after the other, as the list says (log-probability of a token, negated). */
function measured(levels: readonly number[]) {
  const of = student();
  const left = [...levels];
  const after: (readonly number[])[] = [];
  const policy = {
    ...of.policy,
    async scorePairs(pairs: readonly TokenizedPair[]) {
      const level = left.shift();
      if (level === undefined) throw new Error("measured more often than expected");
      after.push(of.learned.theta());
      return pairs.map(() => ({ chosen: { sum: -8 * level, count: 8 }, rejected: { sum: -80, count: 8 } }));
    },
  };
  return { context: contextOf({ ...of, policy }), learned: of.learned, left, after };
}

const watched = { ...small, held_out_pairs: 2, nll_over: "chosen", save_total_limit: 2 };

describe("rounds that raise the loss on the held-out pairs", () => {
  const levels = [2, 1, 3, 1.5, 0.5];
  const directory = () => join(folder, "rolled-back");
  let of: ReturnType<typeof measured>;
  let seen: Awaited<ReturnType<typeof taught>>;
  beforeAll(async () => {
    of = measured(levels);
    const plan = planOf({ ...watched, phases: [{ loss_type: "orpo", iterations: 4, roll_back: true }] });
    seen = await taught({ ...of.context, directory: directory() }, plan);
  });

  test("are taken back, and the loss to beat stays the best one", () => {
    const rounds = ofKind(seen, "held-out");
    expect(rounds.map(({ round, kept }) => [round, kept])).toEqual([
      [1, true],
      [2, false],
      [3, false],
      [4, true],
    ]);
    const losses = rounds.map(({ metrics }) => metrics["eval_loss"] as number);
    expect(losses.map((_, i) => Math.min(...losses.slice(0, i + 1)))).toEqual(rounds.map(({ best }) => best));
    expect(of.left).toEqual([]);
  });

  test("leave the best weights to the next round, which asks and trains them", () => {
    const [, one, , , four] = of.after as (readonly number[])[];
    const asked = ofKind(seen, "pair").filter(({ round }) => round > 1);
    expect(asked.every(({ pair }) => pair.rejected.endsWith(` of ${one?.join(" and ")}`))).toBe(true);
    expect(new Set(asked.map(({ pair }) => pair.provenance.student.split("@")[1]))).toEqual(new Set(["2"]));
    expect(of.learned.theta()).toEqual(four);
  });

  test("write no checkpoint; their steps count", async () => {
    expect(ofKind(seen, "checkpoint").map(({ round, path }) => [round, path])).toEqual([
      [1, join(directory(), "checkpoint-2")],
      [4, join(directory(), "checkpoint-8")],
    ]);
    expect((await readdir(directory())).filter((name) => name.startsWith("checkpoint")).sort()).toEqual([
      "checkpoint-2",
      "checkpoint-8",
    ]);
  });
});

test("without a directory rounds are taken back as well, and nothing is left behind", async () => {
  const before = await readdir(tmpdir());
  const of = measured([2, 1, 3]);
  await taught(of.context, planOf({ ...watched, phases: [{ loss_type: "orpo", iterations: 2, roll_back: true }] }));
  expect(of.learned.theta()).toEqual(of.after[1]);
  expect(
    (await readdir(tmpdir())).filter((name) => name.startsWith("preflexor-run-") && !before.includes(name)),
  ).toEqual([]);
});

describe("patience", () => {
  const phases = [
    { loss_type: "orpo", iterations: 5, early_stopping_patience: 2 },
    { loss_type: "sft", iterations: 1 },
  ];

  test("ends a phase after so many rounds without a lower loss, keeps their weights, and goes on with the next phase", async () => {
    const of = measured([2, 1, 3, 3]);
    const seen = await taught(of.context, planOf({ ...watched, phases }));
    expect(ofKind(seen, "early-stop")).toEqual([{ kind: "early-stop", round: 3, phase: "orpo", rounds: 2 }]);
    expect(ofKind(seen, "held-out").map(({ kept }) => kept)).toEqual([true, true, true]);
    expect(ofKind(seen, "phase").map(({ round }) => round)).toEqual([1, 6]);
    expect(ofKind(seen, "step").map(({ round, step }) => [round, step])).toEqual(
      [1, 2, 3, 6].flatMap((round, i) => [
        [round, 2 * i + 1],
        [round, 2 * i + 2],
      ]),
    );
  });

  test("counts rounds in turn: a lower loss begins the count anew", async () => {
    const of = measured([2, 3, 1.5, 3, 3]);
    const seen = await taught(of.context, planOf({ ...watched, phases }));
    expect(ofKind(seen, "early-stop").map(({ round }) => round)).toEqual([4]);
  });

  test("that runs out in the last round says nothing, for the phase is over", async () => {
    const of = measured([2, 1, 3, 3]);
    const last = [{ ...phases[0], iterations: 3 }];
    expect(ofKind(await taught(of.context, planOf({ ...watched, phases: last })), "early-stop")).toEqual([]);
  });

  test("with roll-back ends with the best weights", async () => {
    const of = measured([2, 1, 3, 3]);
    const plan = planOf({ ...watched, phases: [{ ...phases[0], roll_back: true }] });
    await taught(of.context, plan);
    expect(of.learned.theta()).toEqual(of.after[1]);
  });
});

test("a loss that is not a number is no improvement", async () => {
  const of = measured([2, Number.NaN]);
  const seen = await taught(of.context, planOf({ ...watched, phases: [{ loss_type: "orpo", roll_back: true }] }));
  expect(ofKind(seen, "held-out")).toMatchObject([{ kept: false }]);
  expect(of.learned.theta()).toEqual(of.after[0]);
});

test("held-out pairs that do not fit are told, before any step", async () => {
  const of = student();
  const phases = [{ loss_type: "orpo", roll_back: true }];
  const plan = planOf({ ...watched, phases, max_prompt_length: 20, max_length: 40 });
  await expect(taught(contextOf(of), plan)).rejects.toThrow(
    /expected held-out pairs .*raise max_length or held_out_pairs/,
  );
  expect(of.learned.batches).toEqual([]);
});

describe("the pairs of a phase", () => {
  const asked = async (settings: object) => {
    const seen = await taught(contextOf(student()), planOf({ ...small, phases: ["orpo"], iterations: 2, ...settings }));
    const pairs = ofKind(seen, "pair");
    const firstStep = seen.findIndex(({ kind }) => kind === "step");
    return {
      weights: pairs.map(({ round, pair }) => [round, pair.provenance.student.split("@")[1]]),
      before: pairs.filter((pair) => seen.indexOf(pair) < firstStep).length,
    };
  };

  test("are made round by round, against the model as it is then", async () => {
    expect(await asked({})).toEqual({
      weights: [1, 1, 1, 2, 2, 2].map((round) => [round, round === 1 ? "0" : "2"]),
      before: 3,
    });
  });

  test("or all at once when it begins, against the model of then", async () => {
    expect(await asked({ generate_each_iteration: false })).toEqual({
      weights: [1, 1, 1, 2, 2, 2].map((round) => [round, "0"]),
      before: 6,
    });
  });
});

describe("checkpoints", () => {
  const checkpoints = async (directory: string) =>
    (await readdir(directory)).filter((name) => name.startsWith("checkpoint")).sort();

  test("are kept up to the limit, the best one always", async () => {
    const directory = join(folder, "pruned");
    const of = measured([2, 1, 3, 3, 3]);
    const phases = [{ loss_type: "orpo", iterations: 4, early_stopping_patience: 4 }];
    await taught({ ...of.context, directory }, planOf({ ...watched, phases }));
    expect(await checkpoints(directory)).toEqual(["checkpoint-2", "checkpoint-8"]);
    const state = JSON.parse(await readFile(join(directory, "state.json"), "utf8")) as object;
    expect(state).toMatchObject({ checkpoint: "checkpoint-8", best: { checkpoint: "checkpoint-2" } });
  });

  test("within a round follow every so many of its steps", async () => {
    const directory = join(folder, "within");
    const plan = planOf({ ...small, phases: ["orpo"], topics: 9, save_steps: 2, save_total_limit: 9 });
    const seen = await taught(contextOf(student(), { directory }), plan);
    expect(ofKind(seen, "checkpoint").map(({ path }) => path)).toEqual(
      [2, 4, 5].map((step) => join(directory, `checkpoint-${step}`)),
    );
    expect(await checkpoints(directory)).toEqual(["checkpoint-2", "checkpoint-4", "checkpoint-5"]);
  });

  test("are none where there is no directory and no round may be taken back", async () => {
    const of = student();
    let saved = 0;
    const policy = {
      ...of.policy,
      saveCheckpoint: async (directory: string) => {
        saved += 1;
        return directory;
      },
    };
    await taught(contextOf({ ...of, policy }), planOf({ ...small, phases: ["orpo", "exo_pair"] }));
    expect(saved).toBe(0);
  });
});

test("demo prompts are asked greedily after every round, told and kept", async () => {
  const directory = join(folder, "demo");
  const of = student();
  const prompts = ["What is nacre?", "What is wood?"];
  const plan = planOf({ ...small, phases: ["orpo"], iterations: 2, demo_prompts: prompts, demo_tokens: 17 });
  const seen = await taught(contextOf(of, { directory }), plan);
  const told = ofKind(seen, "samples");
  expect(told.map(({ round, samples }) => [round, samples.map(({ prompt }) => prompt)])).toEqual([
    [1, prompts],
    [2, prompts],
  ]);
  expect(told[0]?.samples).not.toEqual(told[1]?.samples);
  const kept = (await readFile(join(directory, "samples.jsonl"), "utf8")).trim().split("\n");
  expect(kept.map((line) => JSON.parse(line) as object)).toEqual(
    told.flatMap(({ round, samples }) => samples.map((sample) => ({ round, ...sample }))),
  );
  expect(of.generateCalls.at(-1)).toMatchObject({ maxNewTokens: 17, temperature: 0 });
  expect(of.prompts.at(-1)).toBe("[user] What is wood? Use <|thinking|>.[assistant] ");
});

describe("publishing", () => {
  const plan = planOf({ ...small, phases: ["orpo"], iterations: 3 });

  test("that fails is a notice, and the next round tries again with its own step", async () => {
    const tried: unknown[] = [];
    const publish: TeachContext["publish"] = async ({ round, step, policy }) => {
      tried.push([round, step, await policy.stepCount()]);
      if (round < 3) throw new Error("the hub is out of reach");
      return "https://hub/somebody/something";
    };
    const seen = await taught(contextOf(student(), { publish }), plan);
    expect(tried).toEqual([
      [1, 2, 2],
      [2, 4, 4],
      [3, 6, 6],
    ]);
    expect(ofKind(seen, "notice").map(({ message }) => message)).toEqual(
      [1, 2].map((n) => `round ${n} was not published: the hub is out of reach. The next round tries again.`),
    );
    expect(ofKind(seen, "published")).toEqual([
      { kind: "published", round: 3, where: "https://hub/somebody/something" },
    ]);
  });

  test("that is aborted ends the run, and is done when the run goes on", async () => {
    const directory = join(folder, "published");
    const stop = new AbortController();
    const publish: TeachContext["publish"] = async () => {
      stop.abort(new Error("enough"));
      throw new Error("the connection was closed");
    };
    const first = contextOf(student(), { publish, directory, signal: stop.signal });
    await expect(taught(first, plan)).rejects.toThrow("enough");
    const rounds: number[] = [];
    const again = contextOf(student(), {
      directory,
      publish: async ({ round }) => {
        rounds.push(round);
        return "there";
      },
    });
    await taught(again, plan);
    expect(rounds).toEqual([1, 2, 3]);
    expect(existsSync(join(directory, "checkpoint-6"))).toBe(true);
  });
});
