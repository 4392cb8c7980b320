/** @file Sampling fields to the text model's, its complaints back to the client's names, and many replies at once. */

import type { TextRequest } from "../../trainer/generate/index.js";
import {
  type TextModel,
  type TextPart,
  TextRequestError,
  type TextSampling,
  type TextUsage,
} from "../../trainer/generate/index.js";
import { type ApiError, badRequest } from "./errors.js";

export interface SamplingFields {
  readonly temperature?: number | undefined;
  readonly top_p?: number | undefined;
  readonly top_k?: number | undefined;
  readonly min_p?: number | undefined;
  readonly repetition_penalty?: number | undefined;
  readonly seed?: number | undefined;
  readonly stop?: readonly string[] | undefined;
}

/** Sampling of choice `choice`: with a seed, the first is what a request for one would get. */
export function samplingOf(fields: SamplingFields, maxNewTokens: number | undefined, choice: number): TextSampling {
  const { temperature, top_p, top_k, min_p, repetition_penalty, seed, stop } = fields;
  return {
    ...(maxNewTokens !== undefined && { maxNewTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(top_p !== undefined && { topP: top_p }),
    ...(top_k !== undefined && { topK: Math.max(0, top_k) }),
    ...(min_p !== undefined && { minP: min_p }),
    ...(repetition_penalty !== undefined && { repetitionPenalty: repetition_penalty }),
    ...(seed !== undefined && { seed: (seed + choice) % 2 ** 53 }),
    ...(stop !== undefined && { stop }),
  };
}

const NAMES: Readonly<Record<string, string>> = {
  "sampling.maxNewTokens": "max_tokens",
  "sampling.temperature": "temperature",
  "sampling.topP": "top_p",
  "sampling.topK": "top_k",
  "sampling.minP": "min_p",
  "sampling.repetitionPenalty": "repetition_penalty",
  "sampling.seed": "seed",
  "sampling.stop": "stop",
  templateArguments: "chat_template_kwargs",
  adapter: "model",
};

/** 400 for what the text model refuses, under the names that the client used; anything else as it is. */
export function asClientError(error: unknown): unknown {
  if (!(error instanceof TextRequestError)) return error;
  const problems = error.problems.map(({ field, message }) => ({ param: NAMES[field] ?? field, message }));
  const lines = new Set(problems.map(({ param, message }) => `${param}: ${message}`));
  const code = problems.some(({ message }) => /\bcontext\b/.test(message)) ? "context_length_exceeded" : undefined;
  return badRequest([...lines].join("; "), problems[0]?.param, code) satisfies ApiError;
}

/** Runs all requests; each part is awaited, so that a slow reader slows its own. The first failure ends the others. */
export async function streamAll(
  model: TextModel,
  requests: readonly TextRequest[],
  signal: AbortSignal,
  onPart: (part: TextPart, index: number) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const failures: unknown[] = [];
  await Promise.all(
    requests.map(async (request, i) => {
      try {
        for await (const part of model.stream(request, { signal: either })) await onPart(part, i);
      } catch (error) {
        failures.push(error);
        stop.abort(error);
      }
    }),
  );
  if (failures.length > 0) throw failures[0];
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

/** Each prompt counts once, whatever the number of its replies. */
export function usageOf(usages: readonly TextUsage[], choices: number): Usage {
  const prompt = usages.reduce((sum, { promptTokens }, i) => (i % choices === 0 ? sum + promptTokens : sum), 0);
  const completion = usages.reduce((sum, { completionTokens }) => sum + completionTokens, 0);
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}
