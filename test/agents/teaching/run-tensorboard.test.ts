/** @file TensorBoard's events of a self-teaching run: they say what metrics.jsonl says, also behind a run that was cut off. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PassageStore } from "../../../src/agents/corpus/index.js";
import type { TeachContext } from "../../../src/agents/teaching/run.js";
import { openRunTensorBoard } from "../../../src/agents/teaching/run-tensorboard.js";
import { teach } from "../../../src/agents/teaching/teach.js";
import { readEvents, shown } from "../../support/event-reader.js";
import { smallStore } from "../scripted-student.js";
import { learningStudent, planOf, quickPairs, taught } from "./teach-support.js";

let store: PassageStore;
let folder: string;
beforeAll(async () => {
  store = await smallStore();
  folder = await mkdtemp(join(tmpdir(), "run-tensorboard-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const plan = planOf({ iterations: 2, topics: 4, held_out_pairs: 2, roll_back: true, evaluate_every: 1, save_steps: 1 });
const context = (directory: string): TeachContext => ({
  ...learningStudent((_, seed) => `guess ${seed}`),
  store,
  teacher: undefined as never,
  pairSource: quickPairs,
  directory,
});

/** Files of a folder in the order in which they were begun. */
async function eventsOf(directory: string, name: "steps" | "rounds") {
  const of = join(directory, "tensorboard", name);
  const names = (await readdir(of)).sort((a, b) => Number(/\d+$/.exec(a)?.[0]) - Number(/\d+$/.exec(b)?.[0]));
  return Promise.all(names.map((file) => readEvents(join(of, file))));
}

async function metricsOf(directory: string): Promise<Record<string, number | string>[]> {
  const text = await readFile(join(directory, "metrics.jsonl"), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

const close = (points: readonly (readonly [number, unknown])[]) =>
  points.map(([at, value]) => [at, expect.closeTo(Number(value), 5)]);

test("every number of metrics.jsonl is in them, by step where it is one of training, by round where of an evaluation", async () => {
  const directory = join(folder, "whole");
  await taught(context(directory), plan);
  const metrics = await metricsOf(directory);
  const of = (kind: string) => metrics.filter((line) => line["kind"] === kind);
  const steps = await eventsOf(directory, "steps");
  expect(of("step").length).toBeGreaterThan(2);
  for (const name of ["loss", "learning_rate", "epoch"])
    expect(shown(steps, `train/${name}`)).toEqual(close(of("step").map((line) => [Number(line["step"]), line[name]])));
  expect(of("held-out").length).toBeGreaterThan(1);
  expect(shown(steps, "eval/loss")).toEqual(
    close(of("held-out").map((line) => [Number(line["step"]), line["eval_loss"]])),
  );
  expect(of("preference-accuracy")).toHaveLength(3);
  expect(shown(await eventsOf(directory, "rounds"), "eval/preference/accuracy")).toEqual(
    close(of("preference-accuracy").map((line) => [Number(line["round"]), line["accuracy"]])),
  );
});

test("a run that was cut off within a round and went on shows each step once", async () => {
  const whole = join(folder, "unbroken");
  await taught(context(whole), plan);
  const directory = join(folder, "broken");
  let steps = 0;
  for await (const event of teach(context(directory), { ...plan })) {
    // Behind the third step and before its checkpoint: the step is in the event file and in no state.
    if (event.kind === "step" && ++steps === 3) break;
  }
  await taught(context(directory), plan);
  const [first, second] = await eventsOf(directory, "steps");
  expect(first?.some(({ step, scalars }) => step === 3 && "train/loss" in scalars)).toBe(true);
  expect(second?.[0]).toMatchObject({ step: 3, starts: true });
  expect(shown([first ?? [], second ?? []], "train/loss")).toEqual(shown(await eventsOf(whole, "steps"), "train/loss"));
});

test("report_to none leaves them out", async () => {
  const directory = join(folder, "none");
  await taught({ ...context(directory), reportTo: "none" }, plan);
  expect(await readdir(directory)).not.toContain("tensorboard");
  expect(await metricsOf(directory)).toEqual(await metricsOf(join(folder, "whole")));
});

test("an evaluation stands under its split; a line of another kind leaves nothing", async () => {
  const directory = join(folder, "lines");
  const board = openRunTensorBoard(directory, { step: 0, round: 0 });
  await board.add({
    kind: "evaluation",
    step: 9,
    round: 2,
    split: "unseen-material",
    accuracy: 0.5,
    n: 4,
    verdicts: [1],
  });
  await board.add({ kind: "something", step: 9, round: 2, loss: 1 });
  expect(await readdir(join(directory, "tensorboard"))).toEqual(["rounds"]);
  const [events] = await eventsOf(directory, "rounds");
  expect(events?.slice(1)).toEqual([{ step: 2, starts: false, scalars: { "eval/unseen-material/accuracy": 0.5 } }]);
});
