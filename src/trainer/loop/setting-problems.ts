/** @file Settings that are missing, contradict each other, or would have no effect. */
import { lossOptionsProblems, preferenceRules } from "../losses/index.js";
import type { LossName } from "../run/policy.js";
import type { SettingName, TrainSettings } from "./train-settings.js";

const REQUIRED = ["model", "output_dir", "loss_type"] as const;
const ONLY_LORA = [
  "lora_r",
  "lora_alpha",
  "lora_dropout",
  "target_modules",
  "use_rslora",
  "trainable_token_indices",
] as const;

/** Every problem of the settings together. `input` is what was read, to know which required keys were given at all. */
export function settingProblems(s: TrainSettings, input: unknown): string[] {
  const given = new Set(typeof input === "object" && input !== null ? Object.keys(input) : []);
  const missing = REQUIRED.filter((key) => !given.has(key)).map((key) => `${key}: is required, found nothing`);
  return [...missing, ...lossProblems(s), ...dataProblems(s), ...trainableProblems(s), ...scheduleProblems(s)];
}

/** Names the keys of `keys` that are set although they would have no effect. */
function idle(s: TrainSettings, keys: readonly SettingName[], reason: string): string[] {
  return keys.filter((key) => s[key] !== undefined).map((key) => `${key}: has no effect, ${reason}; leave it out`);
}

/** Whether a setting means anything to a loss; what holds for phases of several losses passes those over that do not have it. */
export function isOfLoss(name: SettingName, loss: LossName): boolean {
  const rule = loss === "sft" || loss === "orpo" ? undefined : preferenceRules[loss];
  if (name === "beta") return loss !== "sft";
  if (name === "simpo_gamma") return loss === "simpo";
  if (name === "label_smoothing") return rule?.smoothed === true;
  if (name === "reference") return rule?.reference === true;
  return name !== "nll_over" || rule === undefined;
}

function lossProblems(s: TrainSettings): string[] {
  const loss = s.loss_type;
  if (loss === undefined) return [];
  const problems: string[] = [];
  if (loss === "sft") problems.push(...idle(s, ["beta"], "sft compares no replies"));
  if (loss !== "simpo") problems.push(...idle(s, ["simpo_gamma"], `${loss} has no target margin (simpo has)`));
  if (loss === "sft" || loss === "orpo") {
    return [...problems, ...idle(s, ["reference", "label_smoothing"], `${loss} is not of the DPO family`)];
  }
  problems.push(...idle(s, ["nll_over"], `${loss} has no NLL term`));
  if (!preferenceRules[loss].reference) problems.push(...idle(s, ["reference"], `${loss} has no reference`));
  const { beta = 0.1, label_smoothing: labelSmoothing, simpo_gamma: simpoGamma } = s;
  if (labelSmoothing === undefined) return problems;
  const found = lossOptionsProblems(loss, { beta, labelSmoothing, ...(simpoGamma !== undefined && { simpoGamma }) });
  return [...problems, ...found.map((problem) => problem.replace("labelSmoothing", "label_smoothing"))];
}

function dataProblems(s: TrainSettings): string[] {
  const problems: string[] = [];
  if (s.dynamic_answer_comparison === true && s.mask_thinking_tokens === true) {
    problems.push("dynamic_answer_comparison and mask_thinking_tokens: exclude each other; choose one");
  }
  if (s.mask_thinking_tokens !== true) {
    problems.push(...idle(s, ["thinking_token_mask_percentage"], "mask_thinking_tokens is not true"));
  }
  if (s.dynamic_answer_comparison !== true && s.mask_thinking_tokens !== true) {
    problems.push(...idle(s, ["include_thinking_token_in_labels"], "no mask is on"));
  }
  if (s.packing === true && s.loss_type !== undefined && s.loss_type !== "sft") {
    problems.push(`packing: joins raw texts for sft, but loss_type is ${s.loss_type}; rows of pairs are packed anyway`);
  }
  if (s.packing === true && s.pairs !== undefined) problems.push("packing: joins raw texts, but pairs are given");
  if (s.loss_type !== "sft" && s.loss_type !== undefined) {
    problems.push(...idle(s, ["texts", "eval_texts"], `${s.loss_type} trains on pairs`));
  }
  if (s.pairs !== undefined && s.texts !== undefined) problems.push("pairs and texts: give one of them");
  if (s.max_prompt_length !== undefined && s.max_prompt_length >= (s.max_length ?? 2048)) {
    problems.push(
      `max_prompt_length: expected less than max_length (${s.max_length ?? 2048}), found ${s.max_prompt_length}; it leaves no room for a reply`,
    );
  }
  const marker = s.think_start_token;
  if (marker !== undefined && marker === s.think_end_token) {
    problems.push(`think_start_token and think_end_token: expected two markers, found "${marker}" twice`);
  }
  return problems;
}

function trainableProblems(s: TrainSettings): string[] {
  if (s.full_finetuning !== true) return [];
  const problems = idle(s, [...ONLY_LORA, "adapter"], "full_finetuning trains all weights");
  if (s.thinking_markers === "tokens") {
    problems.push("thinking_markers: tokens are added beside LoRA only; with full_finetuning leave the markers text");
  }
  return problems;
}

function scheduleProblems(s: TrainSettings): string[] {
  const problems: string[] = [];
  if ((s.warmup_steps ?? 0) > 0 && (s.warmup_ratio ?? 0) > 0) {
    problems.push("warmup_steps and warmup_ratio: give one of them");
  }
  const { save_strategy: save = "steps", eval_strategy: evaluate = "no" } = s;
  if (save !== "steps") problems.push(...idle(s, ["save_steps"], `save_strategy is "${save}"`));
  if (save === "no") problems.push(...idle(s, ["save_total_limit"], 'save_strategy is "no"'));
  if (evaluate !== "steps") problems.push(...idle(s, ["eval_steps"], `eval_strategy is "${evaluate}"`));
  if (evaluate === "no") {
    problems.push(
      ...idle(s, ["eval_size", "eval_pairs", "eval_texts", "metric_for_best_model"], 'eval_strategy is "no"'),
    );
  }
  if (s.eval_size !== undefined && (s.eval_pairs ?? s.eval_texts) !== undefined) {
    problems.push("eval_size: holds out training rows, but evaluation data is given; leave one out");
  }
  if (s.overwrite_output_dir === true && s.resume_from_checkpoint === true) {
    problems.push("overwrite_output_dir and resume_from_checkpoint: exclude each other; choose one");
  }
  return problems;
}
