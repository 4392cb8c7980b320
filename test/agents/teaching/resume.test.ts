/** @file Stop anywhere and go on: what a run leaves, however it was ended, becomes what an unbroken run writes, byte for byte. */
import { existsSync } from "node:fs";
import { appendFile, cp, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PassageStore, readDocuments } from "../../../src/agents/corpus/index.js";
import { createMaterialsWorld } from "../../../src/agents/environments/index.js";
import { createLexicalJudge } from "../../../src/agents/lexical-judge.js";
import { createExtractiveTeacher } from "../../../src/agents/models/extractive-teacher.js";
import { createWorldTeacher } from "../../../src/agents/models/world-teacher.js";
import type { TeachEvent } from "../../../src/agents/teaching/events.js";
import type { TeachContext } from "../../../src/agents/teaching/run.js";
import { teach } from "../../../src/agents/teaching/teach.js";
import type { TeachPlan } from "../../../src/agents/teaching/teach-plan.js";
import { smallStore } from "../scripted-student.js";
import { filesOf, learningStudent, ofKind, planOf, quickPairs, taught } from "./teach-support.js";

const CORPUS = fileURLToPath(new URL("../../../examples/corpus", import.meta.url));
const world = createMaterialsWorld({ seed: 3, materials: 24 });
let store: PassageStore;
let worldStore: PassageStore;
let textStore: PassageStore;
let folder: string;
let count = 0;
const place = (): string => join(folder, `run-${count++}`);

beforeAll(async () => {
  store = await smallStore();
  [worldStore, textStore] = await Promise.all([
    smallStore([...world.documents]),
    smallStore(await readDocuments(CORPUS)),
  ]);
  folder = await mkdtemp(join(tmpdir(), "resume-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What the student says depends on what it has learned: wrong weights show in its samples. */
const student = () => learningStudent((_, seed, theta) => `guess ${seed} of ${theta.join(" and ")}`);

const small = {
  topics: 3,
  per_device_train_batch_size: 2,
  learning_rate: 2e-3,
  warmup_steps: 3,
  demo_prompts: ["What is nacre?"],
  demo_tokens: 20,
};
const held = { ...small, held_out_pairs: 3, evaluate_every: 2 };

const rolledBack = planOf({
  ...held,
  phases: [
    { loss_type: "orpo", iterations: 3 },
    { loss_type: "exo_pair", iterations: 3 },
  ],
  roll_back: true,
  save_steps: 3,
  save_total_limit: 2,
});
const stopped = planOf({
  ...held,
  phases: [
    { loss_type: "sft", iterations: 6, early_stopping_patience: 2 },
    { loss_type: "sigmoid", iterations: 6, early_stopping_patience: 1, label_smoothing: 0 },
  ],
});
const prepared = planOf({
  ...small,
  phases: [
    { loss_type: "exo_pair", iterations: 2, generate_each_iteration: false },
    { loss_type: "sigmoid", iterations: 2, reference: "base", generate_each_iteration: false },
  ],
});

const evaluated: TeachPlan = {
  ...planOf({
    ...small,
    phases: ["orpo", { loss_type: "exo_pair", only_include_wrong_answers: true }],
    topics: 3,
    replay_share: 0.5,
  }),
  evaluateEvery: 1,
  evaluationQuestions: world.questions("unseen-material").slice(0, 4),
};
const judged = planOf({
  ...held,
  phases: ["orpo", "exo_pair"],
  only_include_wrong_answers: true,
  student_samples: 2,
  rejected_rule: "most-similar",
  roll_back: true,
});

type LearningContext = TeachContext & Pick<ReturnType<typeof student>, "learned">;

type Context = (directory: string) => LearningContext | Promise<LearningContext>;

const quick = (directory: string): LearningContext => ({
  ...student(),
  store,
  teacher: createExtractiveTeacher(),
  pairSource: quickPairs,
  directory,
});

/** The agents, on a world that checks answers, with texts replayed. */
const ofWorld = (directory: string): LearningContext => ({
  ...student(),
  store: worldStore,
  teacher: createWorldTeacher({ allowed: world.isTrainable }),
  environment: world,
  replay: (count, seed) =>
    Array.from({ length: count }, () => ({ ids: Int32Array.of(seed % 999), labels: Uint8Array.of(1) })),
  directory,
});

/** The agents, on free text, with a judge. */
const ofText = (directory: string): LearningContext => ({
  ...student(),
  store: textStore,
  teacher: createExtractiveTeacher(),
  judge: createLexicalJudge(),
  directory,
});

/** Goes on from an adapter, as with the setting of that name: it is loaded before the run is begun or gone on with. */
async function adapted(directory: string): Promise<LearningContext> {
  const adapter = join(folder, "adapter");
  await mkdir(adapter, { recursive: true });
  await writeFile(join(adapter, "theta.json"), "[0.3, -0.4]");
  const context = quick(directory);
  await context.policy.loadAdapter(adapter);
  return context;
}

/** Runs to the end in the directory as it is, with a model that has just been opened. */
async function finish(directory: string, plan: TeachPlan, context: Context = quick): Promise<readonly number[]> {
  const of = await context(directory);
  await taught(of, plan);
  return of.learned.theta();
}

interface Unbroken {
  readonly directory: string;
  readonly files: Readonly<Record<string, string>>;
  readonly theta: readonly number[];
  readonly events: readonly TeachEvent[];
  /** The directory as a process that is killed would leave it: at every event, and before and after calls of the model. */
  readonly copies: readonly string[];
}

async function unbroken(plan: TeachPlan, context: Context = quick): Promise<Unbroken> {
  const directory = place();
  await mkdir(directory);
  const copies: string[] = [];
  const copy = async (): Promise<void> => {
    copies.push(await copyOf(directory));
  };
  const of = await context(directory);
  const around = (name: "saveCheckpoint" | "loadCheckpoint" | "scorePairs" | "markReference" | "resetOptimizer") => ({
    [name]: async (...args: unknown[]) => {
      await copy();
      const result = await (of.policy[name] as (...all: unknown[]) => unknown)(...args);
      await copy();
      return result;
    },
  });
  const policy = {
    ...of.policy,
    ...around("saveCheckpoint"),
    ...around("loadCheckpoint"),
    ...around("scorePairs"),
    ...around("markReference"),
    ...around("resetOptimizer"),
  };
  const events: TeachEvent[] = [];
  for await (const event of teach({ ...of, policy }, plan)) {
    events.push(event);
    await copy();
  }
  return { directory, files: await filesOf(directory), theta: of.learned.theta(), copies, events };
}

async function copyOf(...directories: readonly string[]): Promise<string> {
  const to = place();
  for (const from of directories) await cp(from, to, { recursive: true });
  return to;
}

/** How far the places to stop at lie apart; a prime, so that no kind of event is always passed over. 1 stops everywhere. */
const STRIDE = 23;
const spread = <T>(all: readonly T[], first: number): readonly T[] => all.filter((_, i) => (i + first) % STRIDE === 0);

describe.each([
  ["with roll-backs and checkpoints within rounds", rolledBack, quick],
  ["with phases that stop early", stopped, quick],
  ["with agents, a checker and replay", evaluated, ofWorld],
  ["with agents and a judge", judged, ofText],
  ["that makes the pairs of a phase at once, from an adapter", prepared, adapted],
])("a run of two phases %s", (_, plan, context) => {
  let whole: Unbroken;
  beforeAll(async () => {
    whole = await unbroken(plan, context);
  });

  test("that is killed anywhere ends as the unbroken one", async () => {
    for (const copy of spread(whole.copies, 0)) {
      const directory = await copyOf(copy);
      expect(await finish(directory, plan, context), copy).toEqual(whole.theta);
      expect(await filesOf(directory), copy).toEqual(whole.files);
    }
  }, 600_000);

  test("that is killed when all was written but the state ends as the unbroken one", async () => {
    for (const [before, after] of spread(neighbours(whole.copies), 3)) {
      const directory = await copyOf(before, after);
      await cp(join(before, "state.json"), join(directory, "state.json"));
      await finish(directory, plan, context);
      expect(await filesOf(directory), after).toEqual(whole.files);
    }
  }, 600_000);
});

/** Each with the one behind it, from the first that has begun. */
function neighbours(copies: readonly string[]): (readonly [string, string])[] {
  const begun = copies.filter((copy) => existsSync(join(copy, "state.json")));
  return begun.slice(1).map((after, i) => [begun[i] as string, after] as const);
}

describe("a run that ends otherwise", () => {
  let whole: Unbroken;
  beforeAll(async () => {
    whole = await unbroken(rolledBack);
  });
  const stops = (first: number) => spread(Array.from(whole.events.keys()), first);

  test("because its reader stops ends as the unbroken one", async () => {
    for (const stop of stops(1)) {
      const directory = place();
      const read = async (): Promise<void> => {
        let n = 0;
        for await (const _ of teach(quick(directory), rolledBack)) if (n++ === stop) throw new Error("enough");
      };
      await expect(read()).rejects.toThrow("enough");
      await finish(directory, rolledBack);
      expect(await filesOf(directory), `event ${stop}`).toEqual(whole.files);
    }
  });

  test("because it is aborted ends as the unbroken one", async () => {
    for (const stop of stops(2)) {
      const directory = place();
      const controller = new AbortController();
      const read = async (): Promise<void> => {
        let n = 0;
        const of = { ...quick(directory), signal: controller.signal };
        for await (const _ of teach(of, rolledBack)) if (n++ === stop) controller.abort(new Error("enough"));
      };
      await expect(read(), `event ${stop}`).rejects.toThrow("enough");
      await finish(directory, rolledBack);
      expect(await filesOf(directory), `event ${stop}`).toEqual(whole.files);
    }
  });

  test("many times over ends as the unbroken one", async () => {
    const directory = place();
    let starts = 0;
    for (let finished = false; !finished; starts++) {
      let n = 0;
      finished = true;
      for await (const _ of teach(quick(directory), rolledBack)) {
        if (n++ < 40) continue;
        finished = false;
        break;
      }
    }
    expect(starts).toBeGreaterThan(3);
    expect(await filesOf(directory)).toEqual(whole.files);
  });

  test("with half a line in every journal ends as the unbroken one, and has a time for every line of metrics", async () => {
    for (const copy of spread(neighbours(whole.copies), 4).map(([, after]) => after)) {
      const directory = await copyOf(copy);
      for (const name of ["pairs", "metrics", "failures", "samples", "timing"])
        await appendFile(join(directory, `${name}.jsonl`), '{"kind":"step","rou');
      await finish(directory, rolledBack);
      expect(await filesOf(directory), copy).toEqual(whole.files);
      const lines = async (name: string) => (await readFile(join(directory, name), "utf8")).split("\n").length;
      expect(await lines("timing.jsonl")).toBe(await lines("metrics.jsonl"));
    }
  });

  test("tells of all its pairs and steps in the end, not of those since it was resumed", async () => {
    const summary = async (directory: string) => {
      const events = teach(quick(directory), rolledBack);
      for (;;) {
        const next = await events.next();
        if (next.done === true) return next.value;
      }
    };
    const late = await copyOf(whole.copies.at(-1) as string);
    expect(await summary(late)).toEqual(await summary(place()));
    expect((await summary(late)).pairs).toBe(ofKind(whole.events, "pair").length);
  });

  test("and starts again when it was finished changes nothing", async () => {
    const directory = await copyOf(whole.directory);
    expect(await taught(quick(directory), rolledBack)).toEqual([]);
    expect(await filesOf(directory)).toEqual(whole.files);
  });
});

describe("between the parts of a run", () => {
  let half: string;
  let whole: Unbroken;
  beforeAll(async () => {
    whole = await unbroken(rolledBack);
    half = whole.copies[Math.floor(whole.copies.length / 2)] as string;
  });

  test("the number of checkpoints, of calls at once and of steps between checkpoints may change", async () => {
    const directory = await copyOf(half);
    const changed = {
      ...rolledBack,
      saveTotalLimit: 1,
      concurrency: 1,
      phases: rolledBack.phases.map((phase) => ({ ...phase, saveSteps: 0 })),
    };
    expect(await finish(directory, changed)).toEqual(whole.theta);
    const kept = async (of: string) =>
      Object.entries(await filesOf(of)).filter(([name]) => !name.startsWith("checkpoint-"));
    expect(await kept(directory)).toEqual(await kept(whole.directory));
  });

  test.each([
    ["the seed", { seed: 12 }],
    ["a rate", { phases: rolledBack.phases.map((phase) => ({ ...phase, step: { ...phase.step, learningRate: 1 } })) }],
    ["the pairs of a round", { phases: rolledBack.phases.map((phase) => ({ ...phase, topics: 4 })) }],
    ["the held-out pairs", { heldOutPairs: 4 }],
  ])("%s may not change, and the directory stays as it was", async (_, change) => {
    const directory = await copyOf(half);
    const before = await filesOf(directory);
    await expect(taught(quick(directory), { ...rolledBack, ...change })).rejects.toThrow(
      /holds a run of another plan .*go on with the settings it was started with, or give another directory/,
    );
    expect(await filesOf(directory)).toEqual(before);
  });

  test.each([
    ["pairs.jsonl", /pairs.jsonl: expected at least \d+ bytes, found \d+: lines of this run are lost/],
    ["metrics.jsonl", /metrics.jsonl: expected at least \d+ bytes/],
    ["state.json", /state.json is damaged or of another version of this program: start a new run/],
    ["held-out-pairs.jsonl", /held-out-pairs.jsonl line 1: expected a preference pair/],
  ])("a %s that was cut short is refused", async (name, message) => {
    const directory = await copyOf(half);
    await truncate(join(directory, name), 10);
    await expect(taught(quick(directory), rolledBack)).rejects.toThrow(message);
  });

  test.each([
    ["held-out-pairs.jsonl", /held-out-pairs.jsonl is missing: put it back, or start a new run/],
    ["the question graph", /question-graph-\d+.json is missing or damaged: start a new run/],
    ["the checkpoint", /checkpoint-\d+ is no checkpoint/],
  ])("%s that is gone is missed", async (what, message) => {
    const directory = await copyOf(half);
    const { graph, checkpoint } = JSON.parse(await readFile(join(directory, "state.json"), "utf8")) as {
      graph: string;
      checkpoint: string;
    };
    const name = what === "the question graph" ? graph : what === "the checkpoint" ? checkpoint : what;
    await rm(join(directory, name), { recursive: true });
    await expect(taught(quick(directory), rolledBack)).rejects.toThrow(message);
  });
});

test.each(["pairs.jsonl", "metrics.jsonl", "held-out-pairs.jsonl", "checkpoint-8/manifest.json"])(
  "a directory with another's %s is refused, and nothing in it is touched",
  async (name) => {
    const directory = place();
    await mkdir(join(directory, name, ".."), { recursive: true });
    await writeFile(join(directory, name), "{}\n");
    await expect(taught(quick(directory), rolledBack)).rejects.toThrow(
      `${directory} holds ${name.split("/")[0]} but no run to go on with: give an empty directory`,
    );
    expect(await filesOf(directory)).toEqual({ [name]: "{}\n" });
  },
);
