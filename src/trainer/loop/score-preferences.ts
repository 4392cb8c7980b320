/** @file Log-probabilities of both replies of every pair, under a model as it is or with an adapter. */
import { openPolicy, readAdapterSpec } from "../run/index.js";
import type { DeviceChoice, PairScore, PolicyOptions, ReplyScore } from "../run/policy.js";
import {
  type Dataset,
  loadChatTemplate,
  loadTokenizer,
  type PreferenceText,
  type PromptFormat,
  type ReplyMask,
  type RowProblem,
  type SectionMarkers,
  THINKING,
  tokenizePreferences,
} from "../text/index.js";

export interface ScorePreferencesOptions {
  /** A Hugging Face checkpoint directory. */
  readonly model: string;
  /** A PEFT adapter directory, or a checkpoint of a LoRA training. */
  readonly adapter?: string;
  readonly promptFormat?: PromptFormat;
  /** Default 512. */
  readonly maxPromptLength?: number;
  /** Default 2048. */
  readonly maxLength?: number;
  /** Which tokens count; default "none": all of the reply. */
  readonly mask?: ReplyMask;
  readonly includeThinkingTokenInLabels?: boolean;
  readonly markers?: SectionMarkers;
  readonly device?: DeviceChoice;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface PreferenceScore extends PairScore {
  /** Line or row of the pair. */
  readonly number: number;
  /** Sum of chosen minus sum of rejected. */
  readonly margin: number;
  /** The same of the means over tokens. */
  readonly meanMargin: number;
}

export interface PreferenceScores {
  readonly scores: readonly PreferenceScore[];
  /** Rows without a score, by number and reason. */
  readonly left: readonly RowProblem[];
  /** Share of pairs whose chosen reply has the larger sum. */
  readonly accuracy: number;
  readonly meanMargin: number;
  readonly device: string;
}

/** Pairs of one call of the engine: progress and cancelling come between. */
const BATCH = 16;

/** LoRA whose B is zero: the bare model. One small layer is enough. */
const BARE: PolicyOptions["trainable"] = { kind: "lora", r: 1, loraAlpha: 1, targetModules: ["q_proj"] };

/** Opens the model, scores every pair, and closes it. */
export async function scorePreferences(
  dataset: Dataset<PreferenceText>,
  options: ScorePreferencesOptions,
): Promise<PreferenceScores> {
  const { model, adapter, device, threads, signal, onProgress } = options;
  const { pairs, numbers, left } = tokenizePreferences(dataset, await textOptions(options));
  const trainable = adapter === undefined ? BARE : await readAdapterSpec(adapter);
  const policy = await openPolicy({
    model,
    trainable,
    seed: 0,
    ...(device !== undefined && { device }),
    ...(threads !== undefined && { threads }),
  });
  try {
    if (adapter !== undefined) await policy.loadAdapter(adapter);
    const scores: PreferenceScore[] = [];
    for (let from = 0; from < pairs.length; from += BATCH) {
      signal?.throwIfAborted();
      const found = await policy.scorePairs(pairs.slice(from, from + BATCH), { ...(signal && { signal }) });
      scores.push(...found.map((score, i) => withMargins(score, numbers[from + i]!)));
      onProgress?.(scores.length, pairs.length);
    }
    return { ...summary(scores), scores, left, device: policy.info.device };
  } finally {
    await policy.close();
  }
}

async function textOptions({ model, ...options }: ScorePreferencesOptions) {
  const template = await loadChatTemplate(model).catch(() => undefined);
  const { maxLength = 2048 } = options;
  return {
    tokenizer: await loadTokenizer(model),
    ...(template !== undefined && { template }),
    ...(options.promptFormat !== undefined && { promptFormat: options.promptFormat }),
    maxPromptLength: options.maxPromptLength ?? Math.min(512, maxLength - 1),
    maxLength,
    mask: options.mask ?? "none",
    includeThinkingTokenInLabels: options.includeThinkingTokenInLabels ?? true,
    markers: options.markers ?? THINKING,
  };
}

function withMargins({ chosen, rejected }: PairScore, number: number): PreferenceScore {
  const mean = ({ sum, count }: ReplyScore): number => (count === 0 ? 0 : sum / count);
  return { number, chosen, rejected, margin: chosen.sum - rejected.sum, meanMargin: mean(chosen) - mean(rejected) };
}

function summary(scores: readonly PreferenceScore[]): Pick<PreferenceScores, "accuracy" | "meanMargin"> {
  const right = scores.filter(({ margin }) => margin > 0).length;
  return {
    accuracy: right / scores.length,
    meanMargin: scores.reduce((sum, { meanMargin }) => sum + meanMargin, 0) / scores.length,
  };
}
