/** @file A training that is stopped anywhere and resumed ends as one that was never stopped. */
import { appendFile, mkdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkpointSteps } from "../../../src/trainer/loop/checkpoints.js";
import { trainOn } from "../../../src/trainer/loop/train-on.js";
import { createRng, type Rng } from "../../../src/trainer/text/rng.js";
import { fakePolicy } from "../../support/fake-policy.js";
import { collect, configOf, contentsOf, inTempDir, pairsOf } from "./loop-support.js";

function randomSettings(rng: Rng): Record<string, unknown> {
  const loss = rng.pick(["orpo", "exo_pair", "sigmoid", "sft"]);
  const saved = rng.pick(["steps", "epoch"]);
  const evaluated = rng.pick(["no", "steps", "epoch"]);
  return {
    loss_type: loss,
    num_train_epochs: 1 + rng.int(3),
    per_device_train_batch_size: 1 + rng.int(2),
    gradient_accumulation_steps: 1 + rng.int(3),
    logging_steps: 1 + rng.int(4),
    lr_scheduler_type: rng.pick(["constant", "linear", "cosine"]),
    warmup_steps: rng.int(3),
    seed: rng.int(1000),
    save_strategy: saved,
    ...(saved === "steps" && { save_steps: 1 + rng.int(4) }),
    ...(rng.uniform() < 0.5 && { save_total_limit: 1 + rng.int(3) }),
    eval_strategy: evaluated,
    ...(evaluated === "steps" && { eval_steps: 1 + rng.int(3) }),
    ...(evaluated !== "no" && { eval_size: 3, per_device_eval_batch_size: 2 }),
  };
}

describe("resume", () => {
  it.each(Array.from({ length: 40 }, (_, i) => i))(
    "ends byte for byte like the unbroken run, whatever the settings and wherever it was killed (%i)",
    async (seed) => {
      await inTempDir(async (directory) => {
        const rng = createRng(seed, "resume");
        const settings = randomSettings(rng);
        const data = { pairs: pairsOf(9 + rng.int(8), seed) };
        const [whole, broken] = [join(directory, "whole"), join(directory, "broken")];
        const events = await collect(trainOn(fakePolicy(), data, configOf(whole, settings)));

        let left = 1 + rng.int(events.length - 1);
        for await (const event of trainOn(fakePolicy(), data, configOf(broken, settings))) {
          if (event.kind !== "finished" && --left === 0) break; // as a crash at this point leaves the directory
        }
        await appendFile(join(broken, "metrics.jsonl"), '{"epoch":9,"st');
        const some = (await checkpointSteps(broken)).length > 0;
        const how = some ? { resume_from_checkpoint: true } : { overwrite_output_dir: true };
        const other = some ? fakePolicy({ seed: 5 }) : fakePolicy();
        await collect(trainOn(other, data, configOf(broken, { ...settings, ...how })));
        const [expected, found] = [await contentsOf(whole), await contentsOf(broken)];
        for (const [name, content] of Object.entries(expected)) expect(found[name], name).toBe(content);
        // What a limit would have removed stays where the broken run resumed from it.
        const extra = Object.keys(found).filter((name) => !(name in expected));
        expect(
          extra.every((name) => name.startsWith("checkpoint-")),
          extra.join(),
        ).toBe(true);
      });
    },
  );
});

const EIGHT = { pairs: pairsOf(16) };

/** Trains 8 steps into `out`, with a checkpoint every 2. */
async function trained(out: string, settings: Record<string, unknown> = {}): Promise<void> {
  await collect(trainOn(fakePolicy(), EIGHT, configOf(out, settings)));
}

const resumed = (out: string, settings: Record<string, unknown> = {}, policy = fakePolicy(), data = EIGHT) =>
  collect(trainOn(policy, data, configOf(out, { resume_from_checkpoint: true, ...settings })));

describe("the checkpoint to resume from", () => {
  it("is the newest intact one, and the damaged ones are named", async () => {
    await inTempDir(async (out) => {
      await trained(out, { max_steps: 8 });
      const whole = await contentsOf(out);
      await truncate(join(out, "checkpoint-8", "vectors.json"), 10);
      await rm(join(out, "checkpoint-6", "manifest.json"));
      const events = await resumed(out, { max_steps: 8 });
      expect(events.filter(({ kind }) => kind === "checkpoint-skipped")).toMatchObject([
        { path: join(out, "checkpoint-8"), reason: expect.stringMatching(/damaged.*\n.*vectors\.json/) },
        { path: join(out, "checkpoint-6"), reason: expect.stringMatching(/no manifest/) },
      ]);
      expect(events.find(({ kind }) => kind === "started")).toMatchObject({
        step: 4,
        totalSteps: 8,
        resumedFrom: join(out, "checkpoint-4"),
      });
      expect(await contentsOf(out)).toEqual(whole);
    });
  });

  it("must exist", async () => {
    await inTempDir(async (out) => {
      await expect(resumed(out)).rejects.toThrow(/expected a checkpoint to resume from in .*found none; start without/);
      await trained(out, { max_steps: 2 });
      await truncate(join(out, "checkpoint-2", "vectors.json"), 1);
      await expect(resumed(out)).rejects.toThrow(/found none intact:\n {2}- checkpoint .* is damaged/);
    });
  });

  it("may be named, and then is not replaced by another one when it is damaged", async () => {
    await inTempDir(async (out) => {
      await trained(out, { max_steps: 8 });
      const whole = await contentsOf(out);
      const events = await resumed(out, { max_steps: 8, resume_from_checkpoint: join(out, "checkpoint-2") });
      expect(events.find(({ kind }) => kind === "started")).toMatchObject({ step: 2 });
      expect(await contentsOf(out)).toEqual(whole);
      await truncate(join(out, "checkpoint-2", "vectors.json"), 1);
      await expect(resumed(out, { max_steps: 8, resume_from_checkpoint: join(out, "checkpoint-2") })).rejects.toThrow(
        /damaged/,
      );
    });
  });

  it("is refused where model, data or settings differ, with every difference, before anything is loaded", async () => {
    await inTempDir(async (out) => {
      await trained(out, { lr_scheduler_type: "linear" });
      const policy = fakePolicy({ modelHash: "model-b" });
      const settings = {
        seed: 7,
        learning_rate: 0.01,
        beta: 0.2,
        lora_r: 4,
        gradient_accumulation_steps: 4,
        lr_scheduler_type: "linear",
        max_length: 100,
        max_prompt_length: 50,
      };
      const error = await resumed(out, settings, policy, { pairs: pairsOf(16, 2) }).catch((e: Error) => e);
      const message = (error as Error).message;
      for (const name of [
        'model_hash: was "model-a", is "model-b"',
        "dataset_hash",
        "trainable: ",
        "seed: was 42, is 7",
        "per_device_train_batch_size × gradient_accumulation_steps: was 2, is 4",
        "beta: was 0.1, is 0.2",
        "learning_rate: was 0.05, is 0.01",
        "steps of the schedule: was 8, is 4",
        "max_length: was 2048, is 100",
      ])
        expect(message).toContain(`\n  - ${name}`);
      expect(await policy.stepCount()).toBe(0);
    });
  });

  it("may be continued with other options that do not matter, and with more steps at a constant rate", async () => {
    await inTempDir(async (out) => {
      await trained(out, { max_steps: 4 });
      const settings = { max_steps: 6, logging_steps: 3, save_total_limit: 1, save_steps: 5, report_to: "none" };
      const events = await resumed(out, settings);
      expect(events.filter(({ kind }) => kind === "notice")).toEqual([]);
      const bits = await resumed(out, { max_steps: 6, threads: 3, max_tokens_per_micro_batch: 64 });
      expect(bits.filter(({ kind }) => kind === "notice")).toMatchObject([
        {
          message: expect.stringMatching(
            /last bits.*threads: was null, is 3; max_tokens_per_micro_batch: was 4096, is 64/,
          ),
        },
      ]);
      expect(events.at(-1)).toMatchObject({ kind: "finished", result: { steps: 6 } });
    });
  });

  it("stays where it is under any limit, as does the best one", async () => {
    await inTempDir(async (out) => {
      const settings = {
        save_steps: 1,
        eval_strategy: "steps",
        eval_steps: 1,
        eval_size: 2,
        metric_for_best_model: "logps/chosen",
      };
      await trained(out, { ...settings, max_steps: 4 });
      const limited = { ...settings, max_steps: 7, save_total_limit: 1 };
      const events = await resumed(out, { ...limited, resume_from_checkpoint: join(out, "checkpoint-3") });
      const best = events.filter((event) => event.kind === "evaluation" && event.best).at(-1);
      const state = JSON.parse(await readFile(join(out, "checkpoint-7", "trainer_state.json"), "utf8"));
      const steps = await checkpointSteps(out);
      expect(steps).toContain(3);
      expect(steps).toContain(7);
      expect(steps.map((step) => `checkpoint-${step}`)).toContain(state.best_model_checkpoint);
      expect(steps.length).toBeLessThanOrEqual(3);
      if (best?.kind === "evaluation") expect(state.best_global_step).toBe(best.step);
    });
  });
});

describe("an output directory", () => {
  it("with checkpoints of another training is refused, or cleared on request", async () => {
    await inTempDir(async (out) => {
      await trained(out, { max_steps: 4 });
      await expect(trained(out)).rejects.toThrow(/holds checkpoints of a training \(steps 2, 4\): continue it with/);
      await trained(out, { overwrite_output_dir: true, max_steps: 2 });
      expect(await checkpointSteps(out)).toEqual([2]);
    });
  });

  it("keeps as many checkpoints as the limit says, the newest and the best among them", async () => {
    await inTempDir(async (out) => {
      for (const limit of [1, 2, 3]) {
        await trained(join(out, `${limit}`), { save_steps: 1, save_total_limit: limit });
        expect(await checkpointSteps(join(out, `${limit}`))).toEqual([6, 7, 8].slice(3 - limit));
      }
      const settings = { save_steps: 1, save_total_limit: 2, eval_strategy: "steps", eval_steps: 1, eval_size: 2 };
      const events = await collect(trainOn(fakePolicy(), EIGHT, configOf(join(out, "best"), settings)));
      const best = events.flatMap((event) => (event.kind === "evaluation" && event.best ? [event.step] : [])).at(-1);
      expect(await checkpointSteps(join(out, "best"))).toEqual(best === 7 ? [6, 7] : [best, 7]);
    });
  });

  it("is resumed without repeating what was said", async () => {
    await inTempDir(async (out) => {
      const data = { ...EIGHT, left: Array.from({ length: 9 }, (_, number) => ({ number, reason: "too long" })) };
      const said = async (settings: Record<string, unknown>) =>
        (await collect(trainOn(fakePolicy(), data, configOf(out, settings)))).filter(
          ({ kind }) => kind === "diagnosis",
        );
      expect(await said({ max_steps: 2 })).toHaveLength(1);
      expect(await said({ max_steps: 4, resume_from_checkpoint: true })).toHaveLength(0);
    });
  });

  it("loses what a killed process left half-written", async () => {
    await inTempDir(async (out) => {
      await mkdir(join(out, ".checkpoint-2.staging-abc"), { recursive: true });
      await writeFile(join(out, ".checkpoint-2.staging-abc", "theta.json"), "[");
      await trained(out, { max_steps: 2 });
      expect(Object.keys(await contentsOf(out)).some((name) => name.includes("staging"))).toBe(false);
    });
  });
});
