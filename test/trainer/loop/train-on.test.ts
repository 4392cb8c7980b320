/** @file The training loop: which rows make which step, what it logs, writes and refuses. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkpointSteps } from "../../../src/trainer/loop/checkpoints.js";
import type { TrainEvent } from "../../../src/trainer/loop/train-events.js";
import { trainOn } from "../../../src/trainer/loop/train-on.js";
import type { TokenizedPair } from "../../../src/trainer/text/types.js";
import { fakePolicy } from "../../support/fake-policy.js";
import { collect, configOf, contentsOf, inTempDir, pairsOf } from "./loop-support.js";

const ofKind = <K extends TrainEvent["kind"]>(events: readonly TrainEvent[], kind: K) =>
  events.filter((event): event is Extract<TrainEvent, { kind: K }> => event.kind === kind);

describe("a pass over the rows", () => {
  it("uses every row once, in an order that depends on seed and pass alone", async () => {
    await inTempDir(async (out) => {
      const pairs = pairsOf(7);
      const orders: TokenizedPair[][] = [];
      for (const settings of [{ seed: 1 }, { seed: 1, gradient_accumulation_steps: 3 }, { seed: 2 }]) {
        const policy = fakePolicy();
        const config = configOf(join(out, `${orders.length}`), { num_train_epochs: 2, ...settings });
        await collect(trainOn(policy, { pairs }, config));
        const sizes = policy.batches.map(({ batch }) => batch.pairs.length);
        expect(sizes.slice(0, sizes.length / 2)).toEqual(
          settings.gradient_accumulation_steps ? [3, 3, 1] : [2, 2, 2, 1],
        );
        orders.push(policy.batches.flatMap(({ batch }) => batch.pairs));
      }
      const [first, second, other] = orders as [TokenizedPair[], TokenizedPair[], TokenizedPair[]];
      expect(new Set(first.slice(0, 7))).toEqual(new Set(pairs));
      expect(new Set(first.slice(7))).toEqual(new Set(pairs));
      expect(first.slice(7)).not.toEqual(first.slice(0, 7));
      expect(second).toEqual(first);
      expect(other).not.toEqual(first);
    });
  });

  it("may end within: half an epoch is half of its steps, and max_steps goes before epochs", async () => {
    await inTempDir(async (out) => {
      const run = async (name: string, settings: Record<string, unknown>) =>
        (await collect(trainOn(fakePolicy(), { pairs: pairsOf(8) }, configOf(join(out, name), settings)))).at(-1);
      expect(await run("a", { num_train_epochs: 0.5 })).toMatchObject({ result: { steps: 2, epoch: 0.5 } });
      expect(await run("b", { max_steps: 9 })).toMatchObject({ result: { steps: 9, epoch: 2.25 } });
    });
  });

  it("of sft takes texts, or the chosen sides of pairs", async () => {
    await inTempDir(async (out) => {
      const [pair] = pairsOf(1) as [TokenizedPair];
      const ids = Int32Array.of(...pair.prompt, ...pair.chosen.ids);
      for (const nll of ["prompt+chosen", "chosen"]) {
        const policy = fakePolicy();
        await collect(
          trainOn(policy, { pairs: [pair] }, configOf(join(out, nll), { loss_type: "sft", nll_over: nll })),
        );
        const [text] = policy.batches[0]!.batch.texts;
        expect(text!.ids).toEqual(ids);
        const from = nll === "chosen" ? pair.prompt.length : 1;
        expect([...text!.labels]).toEqual([...ids].map((_, i) => (i < from ? 0 : 1)));
      }
    });
  });
});

describe("the log", () => {
  it("holds means over the steps since the last entry, and rate and norm of the last step", async () => {
    await inTempDir(async (out) => {
      const config = configOf(out, { logging_steps: 2, max_steps: 5, lr_scheduler_type: "linear", warmup_steps: 1 });
      const events = await collect(trainOn(fakePolicy(), { pairs: pairsOf(6) }, config));
      const steps = ofKind(events, "step").map(({ metrics }) => metrics);
      const log = ofKind(events, "log").map(({ entry }) => entry);
      expect(log.map(({ step }) => step)).toEqual([2, 4, 5]);
      expect(log.map(({ epoch }) => epoch)).toEqual([2 / 3, 4 / 3, 5 / 3]);
      expect(log[0]!["loss"]).toBe((steps[0]!["loss"]! + steps[1]!["loss"]!) / 2);
      expect(log[0]!["grad_norm"]).toBe(steps[1]!["grad_norm"]);
      // Warm-up from 0, then 0.05 · remaining / 4.
      expect(steps.map((metrics) => metrics["learning_rate"])).toEqual([0, 0.05, 0.05 * 0.75, 0.05 * 0.5, 0.05 * 0.25]);
      expect(log[2]!["learning_rate"]).toBe(0.05 * 0.25);
      const lines = (await readFile(join(out, "metrics.jsonl"), "utf8")).trim().split("\n");
      expect(lines.map((line) => JSON.parse(line))).toEqual(log);
      const state = JSON.parse(await readFile(join(out, "checkpoint-5", "trainer_state.json"), "utf8"));
      expect(state).toMatchObject({
        global_step: 5,
        epoch: 5 / 3,
        max_steps: 5,
        num_train_epochs: 2,
        logging_steps: 2,
        save_steps: 2,
        train_batch_size: 1,
        is_world_process_zero: true,
        log_history: log,
        preflexor: { cursor: { step: 5, pass: 1, rows_used: 4 } },
      });
    });
  });

  it("holds no time, and the times are in a file of their own", async () => {
    await inTempDir(async (out) => {
      let clock = 0;
      await collect(trainOn(fakePolicy(), { pairs: pairsOf(4) }, configOf(out), { now: () => (clock += 250) }));
      const times = (await readFile(join(out, "timing.jsonl"), "utf8"))
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      expect(times).toMatchObject([
        { step: 1, milliseconds: expect.any(Number), tokens: expect.any(Number) },
        { step: 2 },
      ]);
      expect(JSON.stringify(await contentsOf(out))).not.toMatch(/milliseconds/);
    });
  });
});

describe("the reference", () => {
  const exo = { loss_type: "exo_pair", eval_strategy: "epoch", eval_size: 4 };

  it("is scored once, before the first step, and each step gets its own pairs' scores", async () => {
    await inTempDir(async (out) => {
      const policy = fakePolicy();
      const pairs = pairsOf(12);
      const events = await collect(trainOn(policy, { pairs }, configOf(out, { ...exo, num_train_epochs: 3 })));
      expect(ofKind(events, "progress").filter(({ phase }) => phase === "reference")).toMatchObject([
        { done: 0, total: 12 },
        { done: 12, total: 12 },
      ]);
      const kinds = events.map(({ kind }) => kind);
      expect(kinds.indexOf("step")).toBeGreaterThan(kinds.lastIndexOf("started"));
      const scored = policy.scored.filter(({ weights }) => weights === "reference").map((call) => call.pairs.length);
      expect(scored).toEqual([2, 12]); // two to know the reference by
      const fresh = fakePolicy();
      for (const { batch } of policy.batches) {
        expect(batch.reference).toEqual(await fresh.scorePairs(batch.pairs, { weights: "reference" }));
      }
    });
  });

  it("is not scored again by a resumed run, nor twice for equal pairs, and may be the bare model", async () => {
    await inTempDir(async (out) => {
      const [pair] = pairsOf(1) as [TokenizedPair];
      const copies = Array.from({ length: 6 }, () => structuredClone(pair));
      const policy = fakePolicy();
      const settings = { loss_type: "sigmoid", reference: "base", max_steps: 2 };
      await collect(trainOn(policy, { pairs: copies }, configOf(out, settings)));
      expect(policy.scored.map(({ pairs, weights }) => [pairs.length, weights])).toEqual([
        [1, "base"],
        [1, "base"],
      ]);
      const other = fakePolicy();
      const again = configOf(out, { ...settings, max_steps: 4, resume_from_checkpoint: true });
      await collect(trainOn(other, { pairs: copies }, again));
      expect(other.scored).toEqual([]);
    });
  });

  it("is scored again where its file is lost or of another reference", async () => {
    await inTempDir(async (out) => {
      const settings = { loss_type: "sigmoid", max_steps: 2 };
      const data = { pairs: pairsOf(4) };
      await collect(trainOn(fakePolicy(), data, configOf(out, settings)));
      const file = join(out, "reference-logps.jsonl");
      const text = await readFile(file, "utf8");
      const other = text.replace(/"reference":"[0-9a-f]+"/, '"reference":"0"').replaceAll(/\[-?[\d.]+/g, "[1");
      for (const broken of ["", "{}\n", text.slice(0, -10), other]) {
        await writeFile(file, broken);
        const config = configOf(out, { ...settings, max_steps: 4, resume_from_checkpoint: join(out, "checkpoint-2") });
        await collect(trainOn(fakePolicy(), data, config));
        expect(await readFile(file, "utf8")).toBe(text);
      }
    });
  });
});

describe("a step that fails", () => {
  it("ends the training, writes nothing more, and names the last good checkpoint", async () => {
    await inTempDir(async (out) => {
      const events: TrainEvent[] = [];
      const run = async () => {
        for await (const event of trainOn(fakePolicy({ failAt: 6 }), { pairs: pairsOf(20) }, configOf(out)))
          events.push(event);
      };
      await expect(run()).rejects.toThrow(
        `training stopped after step 5: step 6 was not taken: the loss is NaN.\nThe last good checkpoint is ${join(out, "checkpoint-4")}; resume from it.`,
      );
      expect(await checkpointSteps(out)).toEqual([2, 4]);
      expect(Object.keys(await contentsOf(out))).not.toContain("adapter/theta.json");
    });
  });
});

describe("an abort", () => {
  it.each(["step", "progress"] as const)(
    "during a %s keeps the steps that were taken; a resume then ends as if unbroken",
    async (at) => {
      await inTempDir(async (directory) => {
        const settings = {
          eval_strategy: "steps",
          eval_steps: 3,
          eval_size: 4,
          per_device_eval_batch_size: 1,
          save_steps: 4,
        };
        const data = { pairs: pairsOf(16) };
        const [whole, broken] = [join(directory, "whole"), join(directory, "broken")];
        await collect(trainOn(fakePolicy(), data, configOf(whole, settings)));
        const abort = new AbortController();
        const events: TrainEvent[] = [];
        const run = async () => {
          for await (const event of trainOn(fakePolicy(), data, configOf(broken, settings), { signal: abort.signal })) {
            events.push(event);
            if (event.kind === at && (at === "progress" || event.kind !== "step" || event.step === 3)) abort.abort();
          }
        };
        await expect(run()).rejects.toMatchObject({ name: "AbortError" });
        expect(events.at(-1)).toMatchObject({ kind: "checkpoint", step: 3 });
        expect(ofKind(events, "evaluation")).toEqual([]);
        await collect(trainOn(fakePolicy(), data, configOf(broken, { ...settings, resume_from_checkpoint: true })));
        const [expected, found] = [await contentsOf(whole), await contentsOf(broken)];
        for (const [name, content] of Object.entries(expected)) expect(found[name], name).toBe(content);
      });
    },
  );

  it("before the first step leaves no checkpoint", async () => {
    await inTempDir(async (out) => {
      const run = collect(trainOn(fakePolicy(), { pairs: pairsOf(4) }, configOf(out), { signal: AbortSignal.abort() }));
      await expect(run).rejects.toMatchObject({ name: "AbortError" });
      expect(await checkpointSteps(out)).toEqual([]);
    });
  });
});

describe("data", () => {
  it("that does not suit the config is refused", async () => {
    await inTempDir(async (out) => {
      const text = { ids: Int32Array.of(1, 2), labels: Uint8Array.of(0, 1) };
      const run = (data: Parameters<typeof trainOn>[1], settings = {}) =>
        collect(trainOn(fakePolicy(), data, configOf(out, settings)));
      await expect(run({ texts: [text] })).rejects.toThrow(/expected preference pairs, found texts/);
      await expect(run({ pairs: [] })).rejects.toThrow(/expected rows to train on, found none/);
      await expect(run({ pairs: pairsOf(3) }, { eval_strategy: "epoch", eval_size: 3 })).rejects.toThrow(
        /found 3, of which eval_size holds out 3/,
      );
      await expect(run({ pairs: pairsOf(3) }, { eval_strategy: "epoch" })).rejects.toThrow(
        /no rows for it: give eval_pairs/,
      );
      await expect(
        run({ pairs: pairsOf(4) }, { eval_strategy: "steps", eval_size: 1, metric_for_best_model: "acc" }),
      ).rejects.toThrow(/metric_for_best_model: expected one of eval_loss/);
    });
  });

  it("that was left out is reported by number and reason, and never trained on", async () => {
    await inTempDir(async (out) => {
      const left = [{ number: 3, reason: "a reply is empty" }];
      const events = await collect(trainOn(fakePolicy(), { pairs: pairsOf(4), left, unit: "line" }, configOf(out)));
      expect(events[0]).toEqual({ kind: "rows-left-out", of: "training", unit: "line", rows: left });
      expect(ofKind(events, "diagnosis")).toMatchObject([{ diagnosis: { kind: "rows-left-out", step: 0 } }]);
    });
  });

  it("that is held out is not trained on", async () => {
    await inTempDir(async (out) => {
      const policy = fakePolicy();
      const config = configOf(out, { eval_strategy: "epoch", eval_size: 0.25 });
      await collect(trainOn(policy, { pairs: pairsOf(8) }, config));
      const trained = new Set(policy.batches.flatMap(({ batch }) => batch.pairs));
      const evaluated = policy.scored[0]!.pairs;
      expect(trained.size).toBe(6);
      expect(evaluated).toHaveLength(2);
      for (const pair of evaluated) expect(trained.has(pair)).toBe(false);
    });
  });
});
