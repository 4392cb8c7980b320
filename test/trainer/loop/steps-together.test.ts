/** @file Steps that go to a GPU together: the same training, cut only where somebody has to look. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { trainOn } from "../../../src/trainer/loop/train-on.js";
import type { Policy } from "../../../src/trainer/run/policy.js";
import { type FakePolicy, fakePolicy } from "../../support/fake-policy.js";
import { collect, configOf, inTempDir, pairsOf } from "./loop-support.js";

/** A policy that takes its steps together, and the sizes of these groups. */
function together(policy: FakePolicy, device: string): { policy: Policy; groups: number[] } {
  const groups: number[] = [];
  const trainSteps: Policy["trainSteps"] = async (steps, signal) => {
    groups.push(steps.length);
    const metrics = [];
    for (const { batch, options } of steps) metrics.push(await policy.trainStep(batch, options, signal));
    return metrics;
  };
  return { policy: { ...policy, info: { ...policy.info, device }, trainSteps }, groups };
}

it("gives the same steps and events, in groups of 8 that end where a step is saved or evaluated", async () => {
  await inTempDir(async (out) => {
    const settings = { max_steps: 23, save_strategy: "steps", save_steps: 11, eval_strategy: "no" };
    const run = async (device: string) => {
      const fake = fakePolicy();
      const { policy, groups } = together(fake, device);
      const events = await collect(trainOn(policy, { pairs: pairsOf(6) }, configOf(join(out, device), settings)));
      const steps = events.flatMap((event) => (event.kind === "step" ? [{ ...event, milliseconds: 0 }] : []));
      const saved = events.flatMap((event) => (event.kind === "checkpoint" ? [event.step] : []));
      return { steps, saved, groups, theta: fake.theta(), batches: fake.batches };
    };
    const [gpu, cpu] = [await run("cuda"), await run("cpu")];
    expect(gpu.groups).toEqual([8, 3, 8, 3]); // 11, 22, and the last one alone
    expect(cpu.groups).toEqual([]);
    expect(gpu.saved).toEqual([11, 22, 23]);
    expect({ ...gpu, groups: [] }).toEqual(cpu);
  });
});

it("an abort leaves what was taken before the group", async () => {
  await inTempDir(async (out) => {
    const abort = new AbortController();
    const fake = fakePolicy();
    const { policy } = together(fake, "cuda");
    const stopping: Policy = {
      ...policy,
      trainSteps: async (steps, signal) => {
        if (fake.batches.length >= 8) {
          abort.abort();
          signal?.throwIfAborted();
        }
        return (await policy.trainSteps?.(steps, signal)) ?? [];
      },
    };
    const config = configOf(out, { max_steps: 20, save_strategy: "epoch" });
    const taken: number[] = [];
    const events = trainOn(stopping, { pairs: pairsOf(80) }, config, { signal: abort.signal });
    await expect(async () => {
      for await (const event of events) if (event.kind === "checkpoint") taken.push(event.step);
    }).rejects.toThrow();
    expect(taken).toEqual([8]);
  });
});
