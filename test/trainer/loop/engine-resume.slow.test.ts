/** @file The true engine: a training that is killed and resumed in another process writes the same bytes as one that is not. */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkpointSteps } from "../../../src/trainer/loop/checkpoints.js";
import { policyOptionsOf } from "../../../src/trainer/loop/train-config.js";
import type { TrainEvent } from "../../../src/trainer/loop/train-events.js";
import { trainOn } from "../../../src/trainer/loop/train-on.js";
import type { TrainingData } from "../../../src/trainer/loop/training-data.js";
import { openPolicy } from "../../../src/trainer/run/index.js";
import { goldenFolder } from "../../support/golden.js";
import { configOf, contentsOf, inTempDir, pairsOf } from "./loop-support.js";

const { model } = goldenFolder("tied-llama3");
const LOOP = new URL("../../../dist/trainer/loop/index.js", import.meta.url).href;
const RUN = new URL("../../../dist/trainer/run/index.js", import.meta.url).href;

const settingsOf = (more: Readonly<Record<string, unknown>>) => ({
  model,
  learning_rate: 0.01,
  lr_scheduler_type: "cosine",
  warmup_steps: 1,
  per_device_train_batch_size: 2,
  gradient_accumulation_steps: 2,
  // So small that an optimizer step takes several micro-batches.
  max_tokens_per_micro_batch: 32,
  num_train_epochs: 2,
  save_steps: 1,
  logging_steps: 2,
  eval_strategy: "steps",
  eval_steps: 3,
  eval_size: 2,
  weight_decay: 0.01,
  threads: 1,
  device: "cpu",
  report_to: "none",
  ...more,
});

/** Trains until the end, or until `stop` says so; then the engine process is killed, as by the system. */
async function run(
  out: string,
  settings: Readonly<Record<string, unknown>>,
  data: TrainingData,
  stop?: (event: TrainEvent) => boolean,
) {
  const config = configOf(out, settings);
  const policy = await openPolicy(policyOptionsOf(config));
  try {
    for await (const event of trainOn(policy, data, config)) if (stop?.(event)) return;
  } finally {
    await policy.close();
  }
}

describe("with the true engine, a resumed training", () => {
  it.each([
    ["orpo", { loss_type: "orpo" }],
    ["exo_pair", { loss_type: "exo_pair", max_grad_norm: 0.3 }],
    ["orpo with dropout", { loss_type: "orpo", lora_dropout: 0.2 }],
    ["exo_pair with dropout", { loss_type: "exo_pair", lora_dropout: 0.2, reference: "base" }],
    ["full sft", { loss_type: "sft", full_finetuning: true, learning_rate: 1e-3 }],
  ])("of %s ends byte for byte like the unbroken one, wherever it was killed", async (name, more) => {
    await inTempDir(async (directory) => {
      const lora = "full_finetuning" in more ? {} : { lora_r: 2, lora_alpha: 4 };
      const settings = settingsOf({ ...lora, ...more });
      const data = { pairs: pairsOf(12) };
      await run(join(directory, "whole"), settings, data);
      const whole = await contentsOf(join(directory, "whole"));
      const steps = (await checkpointSteps(join(directory, "whole"))).length;
      expect(steps).toBe(6);
      for (const killedAt of name === "exo_pair with dropout" ? [1, 4] : [3]) {
        const out = join(directory, `killed-${killedAt}`);
        // Past the checkpoint of one step, before that of the next.
        await run(out, settings, data, (event) => event.kind === "step" && event.step === killedAt + 1);
        await run(out, { ...settings, resume_from_checkpoint: true }, data);
        expect(Object.keys(await contentsOf(out))).toEqual(Object.keys(whole));
        for (const [file, content] of Object.entries(await contentsOf(out)))
          expect(content === whole[file], file).toBe(true);
      }
    });
  });

  it("survives SIGKILL of the whole process at any moment", async () => {
    await inTempDir(async (directory) => {
      const settings = settingsOf({ loss_type: "sigmoid", lora_r: 2, lora_alpha: 4, num_train_epochs: 6 });
      const pairs = pairsOf(12);
      await run(join(directory, "whole"), settings, { pairs });
      const whole = await contentsOf(join(directory, "whole"));
      const out = join(directory, "killed");
      for (let kills = 0; kills < 2; kills++)
        await killedProcess(out, { ...settings, resume_from_checkpoint: kills > 0 });
      await run(out, { ...settings, resume_from_checkpoint: true }, { pairs });
      for (const [file, content] of Object.entries(await contentsOf(out)))
        expect(content === whole[file], file).toBe(true);
    });
  });

  it("ends at the first step without a finite result, and the last good checkpoint can be resumed from", async () => {
    await inTempDir(async (out) => {
      const data = { pairs: pairsOf(12) };
      const settings = settingsOf({ loss_type: "orpo", lora_r: 2, lr_scheduler_type: "constant", warmup_steps: 0 });
      await expect(run(out, { ...settings, learning_rate: 1e30 }, data)).rejects.toThrow(
        /training stopped after step 1: step 2 was not taken: .*\nThe last good checkpoint is .*checkpoint-1; resume/s,
      );
      expect(await checkpointSteps(out)).toEqual([1]);
    });
  });
});

describe("with the true engine, an evaluation", () => {
  it.each(["orpo", "sigmoid", "robust", "hinge", "ipo", "exo_pair", "sigmoid_norm", "simpo", "sft"])(
    "of the rows of the next %s step has that step's loss and metrics",
    async (loss) => {
      await inTempDir(async (out) => {
        const pairs = pairsOf(4);
        const settings = settingsOf({
          loss_type: loss,
          lora_r: 2,
          lr_scheduler_type: "constant",
          warmup_steps: 0,
          ...(loss === "robust" && { label_smoothing: 0.1 }),
          max_steps: 2,
          save_strategy: "no",
          logging_steps: 1,
          eval_steps: 1,
          per_device_eval_batch_size: 3,
        });
        const { save_steps: _steps, eval_size: _size, ...kept } = settings as Record<string, unknown>;
        await run(out, kept, { pairs, evalPairs: pairs });
        const lines = (await readFile(join(out, "metrics.jsonl"), "utf8")).trim().split("\n");
        const [, evaluation, second] = lines.map((line) => JSON.parse(line) as Record<string, number>);
        const shared = Object.keys(second!).filter((name) => `eval_${name}` in evaluation!);
        expect(shared.length).toBeGreaterThanOrEqual(loss === "sft" ? 1 : 7);
        for (const name of shared) expect(evaluation![`eval_${name}`], name).toBeCloseTo(second![name]!, 4);
      });
    },
  );
});

describe("with the true engine, the trajectory", () => {
  it.each(["orpo", "exo_pair"])("of %s does not depend on how a step is cut up", async (loss) => {
    await inTempDir(async (directory) => {
      const data = { pairs: pairsOf(12) };
      const cuts = {
        "4 rows at once": {
          per_device_train_batch_size: 4,
          gradient_accumulation_steps: 1,
          max_tokens_per_micro_batch: 4096,
        },
        "row by row": { per_device_train_batch_size: 1, gradient_accumulation_steps: 4, max_tokens_per_micro_batch: 1 },
        "with activations computed twice": { gradient_checkpointing: true, max_tokens_per_micro_batch: 64 },
      };
      const logs: Record<string, number>[][] = [];
      for (const [name, cut] of Object.entries(cuts)) {
        const out = join(directory, name);
        const common = { loss_type: loss, lora_r: 2, logging_steps: 1, save_strategy: "no", save_steps: null };
        await run(out, settingsOf({ ...common, ...cut }), data);
        const lines = (await readFile(join(out, "metrics.jsonl"), "utf8")).trim().split("\n");
        logs.push(lines.map((line) => JSON.parse(line)));
      }
      const [first, ...others] = logs as [Record<string, number>[], ...Record<string, number>[][]];
      expect(first.length).toBeGreaterThan(6);
      for (const other of others) {
        expect(other).toHaveLength(first.length);
        first.forEach((entry, i) => {
          for (const [name, value] of Object.entries(entry)) {
            const tolerance = name.startsWith("logps") || name.includes("/") ? 1e-4 : 1e-5;
            expect(Math.abs(other[i]![name]! - value), `${name} of step ${entry["step"]}`).toBeLessThan(
              tolerance * Math.max(1, Math.abs(value)),
            );
          }
        });
      }
    });
  });
});

/** Trains in a process of its own and kills it, hard, some time after its second step. */
async function killedProcess(out: string, settings: Readonly<Record<string, unknown>>): Promise<void> {
  const config = configOf(out, settings);
  const script = `
    const { trainOn } = await import(${JSON.stringify(LOOP)});
    const { openPolicy } = await import(${JSON.stringify(RUN)});
    const [config, options, pairs] = JSON.parse(process.argv[1]);
    const reply = ({ ids, labels }) => ({ ids: Int32Array.from(ids), labels: Uint8Array.from(labels) });
    const rows = pairs.map((pair) => ({ prompt: Int32Array.from(pair.prompt), chosen: reply(pair.chosen), rejected: reply(pair.rejected) }));
    const policy = await openPolicy(options);
    for await (const event of trainOn(policy, { pairs: rows }, config)) process.stderr.write(event.kind + "\\n");`;
  const plain = pairsOf(12).map(({ prompt, chosen, rejected }) => ({
    prompt: [...prompt],
    chosen: { ids: [...chosen.ids], labels: [...chosen.labels] },
    rejected: { ids: [...rejected.ids], labels: [...rejected.labels] },
  }));
  const argument = JSON.stringify([config, policyOptionsOf(config), plain]);
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, argument], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let text = "";
  await new Promise<void>((resolve) => {
    child.stderr.on("data", (chunk) => {
      text += String(chunk);
      if ((text.match(/^checkpoint$/gm)?.length ?? 0) >= 2) child.kill("SIGKILL");
    });
    child.once("exit", () => resolve());
  });
  expect(text, "the process ended before it could be killed").not.toMatch(/^finished$/m);
  expect(text.match(/^checkpoint$/gm)?.length ?? 0, text).toBeGreaterThanOrEqual(2);
}
