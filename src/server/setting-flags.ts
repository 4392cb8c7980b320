/** @file The settings of a training config as flags of the command line: the same names with hyphens, checked by the same rules. */
import { type SettingName, settingsSchema } from "../trainer/index.js";
import { BOOLEAN, type Flag, type FlagTable, readSetting, type SettingFlags, tableFlags } from "./flag-table.js";

const MODEL = "Model and data:";
const LOSS = "Loss:";
const OPTIMIZATION = "Optimization:";
const TEXT = "Text and masks:";
const TRAINED = "What is trained:";
const SAVING = "Saving, logging, evaluation:";
const MACHINE = "Machine:";

const flag = (group: string, value: string, help: string): Flag => ({ group, value, help });

export const TRAIN_FLAGS: Readonly<Record<SettingName, Flag>> = {
  model: flag(
    MODEL,
    "<model>",
    "a Hugging Face directory or a hub id (default: PREFLEXOR_MODEL, or the package's own)",
  ),
  adapter: flag(MODEL, "<directory>", "a PEFT adapter to begin with, such as that of the phase before"),
  pairs: flag(MODEL, "<file>", "JSONL or Parquet with prompt, chosen, rejected: strings or [{role, content}]"),
  texts: flag(
    MODEL,
    "<file>",
    "for sft: JSONL or Parquet with text, messages, or prompt and completion; or a .txt file",
  ),
  eval_pairs: flag(MODEL, "<file>", "held-out pairs"),
  eval_texts: flag(MODEL, "<file>", "held-out texts"),
  output_dir: flag(MODEL, "<directory>", "checkpoints, metrics and the result (default: ./<model>-<loss>)"),
  overwrite_output_dir: flag(MODEL, BOOLEAN, "removes the checkpoints of an earlier training there"),
  resume_from_checkpoint: flag(MODEL, "[checkpoint]", "goes on from this checkpoint, or from the newest of --output"),
  loss_type: flag(
    LOSS,
    "<name>",
    "sft, orpo, or of the DPO family: sigmoid, robust, hinge, ipo, exo_pair, sigmoid_norm, simpo",
  ),
  beta: flag(LOSS, "<number>", "weight of ORPO's odds-ratio term, or inverse temperature of the DPO family"),
  label_smoothing: flag(LOSS, "<number>", "ε of the DPO family"),
  simpo_gamma: flag(LOSS, "<number>", "target margin of simpo"),
  nll_over: flag(LOSS, "<part>", "NLL over prompt+chosen (as TRL) or chosen"),
  reference: flag(LOSS, "<which>", "phase_start or base: the weights that the DPO family compares with"),
  learning_rate: flag(OPTIMIZATION, "<number>", "peak learning rate"),
  lr_scheduler_type: flag(OPTIMIZATION, "<name>", "constant, linear or cosine"),
  warmup_steps: flag(OPTIMIZATION, "<number>", "optimizer steps of warm-up"),
  warmup_ratio: flag(OPTIMIZATION, "<share>", "the same as a share of all steps"),
  num_train_epochs: flag(OPTIMIZATION, "<number>", "passes over the data"),
  max_steps: flag(OPTIMIZATION, "<number>", "optimizer steps, whatever the epochs say"),
  per_device_train_batch_size: flag(OPTIMIZATION, "<rows>", "times the accumulation: rows of an optimizer step"),
  gradient_accumulation_steps: flag(OPTIMIZATION, "<number>", "see above"),
  max_grad_norm: flag(OPTIMIZATION, "<number>", "gradients are clipped to this norm"),
  weight_decay: flag(OPTIMIZATION, "<number>", "decoupled, as in AdamW"),
  max_tokens_per_micro_batch: flag(
    OPTIMIZATION,
    "<tokens>",
    "what is in memory at once; the result does not depend on it",
  ),
  gradient_checkpointing: flag(OPTIMIZATION, BOOLEAN, "less memory for about a third more work"),
  seed: flag(OPTIMIZATION, "<number>", "of everything that is drawn"),
  max_prompt_length: flag(TEXT, "<tokens>", "a longer prompt loses its beginning"),
  max_length: flag(TEXT, "<tokens>", "prompt and reply; a longer reply leaves its row out"),
  packing: flag(TEXT, BOOLEAN, "sft: raw texts joined with EOS and cut into blocks of max_length"),
  prompt_format: flag(
    TEXT,
    "<format>",
    "chat: a prompt in words is the user's turn; raw: it is text as it stands (as TRL)",
  ),
  dynamic_answer_comparison: flag(TEXT, BOOLEAN, "compare what follows the thinking section"),
  mask_thinking_tokens: flag(TEXT, BOOLEAN, "leave a random share of the thinking tokens out of the loss"),
  thinking_token_mask_percentage: flag(TEXT, "<share>", "that share, 0 to 1"),
  include_thinking_token_in_labels: flag(TEXT, BOOLEAN, "whether the markers stay in the loss"),
  thinking_markers: flag(
    TEXT,
    "<how>",
    "text, or tokens: added to the tokenizer, with embedding rows that are trained",
  ),
  think_start_token: flag(TEXT, "<text>", "opens a thinking section"),
  think_end_token: flag(TEXT, "<text>", "closes it"),
  full_finetuning: flag(TRAINED, BOOLEAN, "all weights in place of LoRA"),
  lora_r: flag(TRAINED, "<rank>", "rank of LoRA"),
  lora_alpha: flag(TRAINED, "<number>", "scale alpha / r"),
  lora_dropout: flag(TRAINED, "<share>", "of a LoRA layer's inputs"),
  target_modules: flag(TRAINED, "<names>", "q_proj,v_proj,… or all-linear"),
  use_rslora: flag(TRAINED, BOOLEAN, "scale alpha / √r"),
  trainable_token_indices: flag(TRAINED, "<ids>", "token ids whose embedding rows are trained too"),
  save_strategy: flag(SAVING, "<when>", "no, steps or epoch"),
  save_steps: flag(SAVING, "<steps>", "between checkpoints"),
  save_total_limit: flag(SAVING, "<number>", "checkpoints that are kept"),
  logging_steps: flag(SAVING, "<steps>", "between rows of metrics.jsonl"),
  report_to: flag(SAVING, "<where>", "tensorboard or none"),
  eval_strategy: flag(SAVING, "<when>", "no, steps or epoch"),
  eval_steps: flag(SAVING, "<steps>", "between evaluations"),
  eval_size: flag(SAVING, "<size>", "rows held out: a share below 1 or a number"),
  per_device_eval_batch_size: flag(SAVING, "<rows>", "rows scored at once"),
  metric_for_best_model: flag(SAVING, "<metric>", "decides which checkpoint is the best"),
  greater_is_better: flag(SAVING, BOOLEAN, "whether a larger value of it is better"),
  device: flag(MACHINE, "<device>", "auto, cpu, cuda or webgpu"),
  precision: flag(MACHINE, "<dtype>", "auto, float32, float16 or bfloat16: what the layers compute in"),
  threads: flag(MACHINE, "<number>", "threads of ONNX Runtime"),
};

/** Short names beside the long ones. */
const SHORT: Readonly<Partial<Record<SettingName, string>>> = {
  loss_type: "loss",
  output_dir: "output",
  resume_from_checkpoint: "resume",
};

const TABLE: FlagTable<SettingName> = { flags: TRAIN_FLAGS, schemas: settingsSchema.shape, short: SHORT };

/** Flags of these settings. The short name of a setting is shown, the long one understood. */
export const settingFlags = (names: readonly SettingName[]): SettingFlags => tableFlags(TABLE, names);

/** The text as what the setting may hold: a number, a truth value, a list, or text. */
export const settingOf = (name: SettingName, text: string): unknown => readSetting(settingsSchema.shape[name], text);
