/** @file What a training config may say, what it may not, and what it means where it says nothing. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseTrainConfig } from "../../../src/trainer/loop/train-config.js";
import { SETTING_NAMES } from "../../../src/trainer/loop/train-settings.js";

const LEAST = { model: "m", output_dir: "out", loss_type: "orpo" };

function problemsOf(settings: Record<string, unknown>): string[] {
  try {
    parseTrainConfig({ ...LEAST, ...settings });
  } catch (error) {
    return (error as Error).message.split("\n  - ").slice(1);
  }
  return [];
}

describe("a training config", () => {
  it("needs a model, an output directory and a loss, and says so at once", () => {
    expect(() => parseTrainConfig({}, "train.json")).toThrow(
      /^train\.json: 3 problems\n {2}- model: is required.*\n {2}- output_dir: .*\n {2}- loss_type: /,
    );
    expect(() => parseTrainConfig([1])).toThrow(/expected an object of settings, found \[1\]/);
  });

  it.each([
    ["learning_rte", "learning_rate"],
    ["lora-r", "lora_r"],
    ["batch_size", undefined],
    ["save_totl_limit", "save_total_limit"],
    ["__proto__x", undefined],
    ["constructor", undefined],
  ])("refuses the unknown key %s and names the nearest valid one (%s)", (key, guess) => {
    const problems = problemsOf({ [key]: 1 });
    expect(problems).toEqual([`unknown key "${key}"${guess === undefined ? "" : `: did you mean "${guess}"?`}`]);
  });

  it("reports wrong values, unknown keys and contradictions together", () => {
    const problems = problemsOf({
      learning_rate: "fast",
      max_step: 3,
      dynamic_answer_comparison: true,
      mask_thinking_tokens: true,
    });
    expect(problems).toEqual([
      'learning_rate: expected a number above 0, found "fast"',
      'unknown key "max_step": did you mean "max_steps"?',
      "dynamic_answer_comparison and mask_thinking_tokens: exclude each other; choose one",
    ]);
  });

  it.each<[Record<string, unknown>, RegExp]>([
    [{ loss_type: "exo_pair", label_smoothing: 0 }, /label_smoothing: expected a number above 0 .*exo_pair/],
    [
      { loss_type: "robust", label_smoothing: 0.5 },
      /label_smoothing: expected a number from 0 to below 0\.5 for robust/,
    ],
    [
      { loss_type: "hinge", label_smoothing: 0.1 },
      /label_smoothing: expected 0 \(it has no label smoothing\) for hinge/,
    ],
    [{ loss_type: "sft", beta: 0.1 }, /beta: has no effect/],
    [{ loss_type: "sft", label_smoothing: 0.1 }, /label_smoothing: has no effect, sft/],
    [{ reference: "base" }, /reference: has no effect, orpo is not of/],
    [{ loss_type: "simpo", reference: "base" }, /reference: has no effect/],
    [{ simpo_gamma: 1 }, /simpo_gamma: has no effect/],
    [{ loss_type: "ipo", nll_over: "chosen" }, /nll_over: has no effect/],
    [{ thinking_token_mask_percentage: 0.2 }, /thinking_token_mask_percentage: has no effect/],
    [{ include_thinking_token_in_labels: false }, /no mask is on/],
    [{ packing: true }, /packing: joins raw texts for sft/],
    [{ max_prompt_length: 100, max_length: 100 }, /max_prompt_length: expected less than max_length \(100\)/],
    [{ full_finetuning: true, lora_r: 4 }, /lora_r: has no effect/],
    [{ warmup_steps: 2, warmup_ratio: 0.1 }, /warmup_steps and warmup_ratio/],
    [{ save_strategy: "epoch", save_steps: 5 }, /save_steps: has no effect/],
    [{ eval_steps: 5 }, /eval_steps: has no effect/],
    [{ eval_size: 0.1 }, /eval_size: has no effect/],
    [{ eval_strategy: "epoch", eval_size: 0.1, eval_pairs: "e.jsonl" }, /eval_size: holds out/],
    [{ resume_from_checkpoint: true, overwrite_output_dir: true }, /exclude each other/],
    [{ think_start_token: "<x>", think_end_token: "<x>" }, /expected two markers/],
    [{ loss_type: "dpoo" }, /loss_type: expected one of sft, orpo/],
    [{ loss_type: "exo" }, /did you mean "exo_pair"/],
    [{ max_steps: 0 }, /max_steps: expected a whole number from 1/],
    [{ lora_dropout: 1 }, /lora_dropout: expected a share from 0 to below 1/],
    [{ target_modules: "q_proj" }, /target_modules: expected a list of layer names/],
  ])("refuses %j", (settings, message) => {
    const problems = problemsOf(settings);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(message);
  });

  it("takes the published settings where the file is silent", () => {
    const orpo = parseTrainConfig(LEAST);
    expect(orpo).toMatchObject({
      learningRate: 5e-5,
      beta: 0.1,
      maxGradNorm: 1,
      nllOver: "prompt+chosen",
      mask: "none",
    });
    const exo = parseTrainConfig({ ...LEAST, loss_type: "exo_pair", dynamic_answer_comparison: true });
    expect(exo).toMatchObject({
      learningRate: 5e-7,
      labelSmoothing: 5e-3,
      maxGradNorm: 0.3,
      reference: "phase_start",
      mask: "dynamic-answer",
    });
  });

  it("turns every kind of setting into camelCase", () => {
    const config = parseTrainConfig({
      ...LEAST,
      lora_r: 4,
      lora_alpha: 8,
      lora_dropout: 0.05,
      use_rslora: true,
      target_modules: ["q_proj"],
      trainable_token_indices: [7, 8],
      mask_thinking_tokens: true,
      thinking_token_mask_percentage: 0.3,
      think_start_token: "<t>",
      think_end_token: "</t>",
      seed: 5,
      max_steps: -1,
      threads: null,
      metric_for_best_model: "rewards/accuracies",
      eval_strategy: "steps",
      logging_steps: 4,
      resume_from_checkpoint: "out/checkpoint-4",
    });
    expect(config.trainable).toEqual({
      kind: "lora",
      r: 4,
      loraAlpha: 8,
      loraDropout: 0.05,
      useRslora: true,
      targetModules: ["q_proj"],
      trainableTokenIndices: [7, 8],
    });
    expect(config.mask).toEqual({ thinkingShare: 0.3, seed: 5 });
    expect(config.markers).toEqual({ start: "<t>", end: "</t>" });
    expect(config).not.toHaveProperty("maxSteps");
    expect(config).not.toHaveProperty("threads");
    expect(config).toMatchObject({
      metricForBestModel: "eval_rewards/accuracies",
      greaterIsBetter: true,
      evalSteps: 4,
    });
    expect(config.resume).toBe("out/checkpoint-4");
  });

  it("has no setting that is never read", () => {
    const source = readFileSync(new URL("../../../src/trainer/loop/train-config.ts", import.meta.url), "utf8");
    expect(SETTING_NAMES.filter((name) => !source.includes(`s.${name}`))).toEqual([]);
  });
});
