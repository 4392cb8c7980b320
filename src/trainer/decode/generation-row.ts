/** @file One reply that is being sampled: what was asked, what stands so far, and where its keys and values are. */

import { uniform } from "../runtime/index.js";
import type { GenerateRequest, Generation, SamplingOptions, SamplingParameters, TokenChunk } from "./types.js";

/** What a call of `generate` wants to know while it runs. */
export interface GenerateHooks {
  /** Whether the call as a whole was cancelled. */
  readonly isCancelled: () => boolean;
  /** Whether the caller ended one of its requests. */
  readonly isEnded?: (request: number) => boolean;
  readonly onTokens?: (chunk: TokenChunk) => void;
  readonly onFinished?: (count: number) => void;
}

export interface GenerationRow {
  readonly request: GenerateRequest;
  /** Of its call. */
  readonly index: number;
  readonly sampling: Required<SamplingParameters>;
  readonly ids: number[];
  readonly logps: number[];
  finish?: "stop" | "length";
}

export function generationRow(request: GenerateRequest, index: number, options: SamplingOptions): GenerationRow {
  const { maxNewTokens, temperature, topP, stopTokenIds, topK, minP, repetitionPenalty } = {
    ...options,
    ...request.sampling,
  };
  const sampling = {
    maxNewTokens,
    temperature,
    topP,
    stopTokenIds,
    topK: topK ?? 0,
    minP: minP ?? 0,
    repetitionPenalty: repetitionPenalty ?? 1,
  };
  return { request, index, sampling, ids: [], logps: [] };
}

/** The largest float32 below 1. */
const BELOW_ONE = 1 - 2 ** -24;

/** Noise of the row's token number `token`; it depends on the row's seed and that number alone. */
export const rowNoise = (row: GenerationRow, token: number): number =>
  Math.min(BELOW_ONE, uniform(row.request.seed, 0, token));

/** Takes one token, or closes the row. */
export function takeToken(row: GenerationRow, id: number, logp: number): void {
  row.logps.push(logp);
  if (row.sampling.stopTokenIds.includes(id)) {
    row.finish = "stop";
    return;
  }
  row.ids.push(id);
  if (row.ids.length >= row.sampling.maxNewTokens) row.finish = "length";
}

export const generationOf = ({ ids, logps, finish }: GenerationRow): Generation => ({
  ids: Int32Array.from(ids),
  logps: Float32Array.from(logps),
  finish: finish ?? "length",
});

/** Throws for what cannot be sampled: all problems of a call at once. */
export function checkRows(rows: readonly GenerationRow[], context: number, vocabulary: number): void {
  const problems = rows.flatMap((row) =>
    rowProblems(row, context, vocabulary).map((each) => `request ${row.index}${each}`),
  );
  if (problems.length > 0) throw new Error(problems.slice(0, 12).join("; "));
}

function rowProblems(
  { request: { ids, seed }, sampling }: GenerationRow,
  context: number,
  vocabulary: number,
): string[] {
  const problems: string[] = [];
  const expect = (holds: boolean, name: string, found: unknown, expected: string): void => {
    if (!holds) problems.push(`: ${name} is ${found}; expected ${expected}`);
  };
  if (ids.length === 0) problems.push(" has an empty prompt");
  const unknown = ids.find((id) => id < 0 || id >= vocabulary);
  if (unknown !== undefined) problems.push(`: token ${unknown} is not in the vocabulary of ${vocabulary}`);
  if (ids.length + sampling.maxNewTokens > context) {
    problems.push(
      `: ${ids.length} prompt tokens and ${sampling.maxNewTokens} new ones exceed the context of ${context}. Shorten the prompt or ask for fewer tokens`,
    );
  }
  const { maxNewTokens, temperature, topK, topP, minP, repetitionPenalty } = sampling;
  expect(Number.isInteger(maxNewTokens) && maxNewTokens > 0, "maxNewTokens", maxNewTokens, "a whole number from 1");
  expect(Number.isFinite(temperature) && temperature >= 0, "temperature", temperature, "a number from 0");
  expect(Number.isInteger(topK) && topK >= 0, "topK", topK, "a whole number from 0 (all tokens)");
  expect(topP > 0 && topP <= 1, "topP", topP, "more than 0, at most 1");
  expect(minP >= 0 && minP <= 1, "minP", minP, "a number from 0 to 1");
  expect(
    repetitionPenalty > 0 && Number.isFinite(repetitionPenalty),
    "repetitionPenalty",
    repetitionPenalty,
    "more than 0",
  );
  expect(Number.isSafeInteger(seed) && seed >= 0, "seed", seed, "a whole number from 0");
  return problems;
}
