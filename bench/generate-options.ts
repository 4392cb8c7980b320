/** @file Options of the generation bench. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

export const WEIGHTS = ["float32", "float16", "int8", "int4"] as const;
export type Weights = (typeof WEIGHTS)[number];

export interface GenerateBenchOptions {
  /** A checkpoint directory; default: SmolLM2-135M-Instruct in .cache, or its shape with random weights. */
  readonly model: string | undefined;
  readonly weights: readonly Weights[];
  readonly batches: readonly number[];
  /** Tokens of each prompt. */
  readonly prompts: readonly number[];
  readonly newTokens: number;
  /** Each is all cases once, on all sides, in fresh processes. */
  readonly repeats: number;
  readonly threads: number;
  readonly json: boolean;
  readonly peer: boolean;
  /** The Python that exports transformers.js's model; default: .cache/venv, made when it is missing. */
  readonly python: string | undefined;
  /** Measures the gap between sampler and trainer. */
  readonly gap: boolean;
}

const USAGE = `npm run bench -- generate [--json] [--peer] [--python FILE] [--no-gap] [--model DIR] [--weights ${WEIGHTS.join(",")}]
    [--batch N,…] [--prompt N,…] [--new-tokens N] [--repeats N] [--threads N]`;

export function parseGenerateOptions(args: readonly string[]): GenerateBenchOptions {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      model: { type: "string" },
      weights: { type: "string", default: "float32,int8,int4" },
      batch: { type: "string", default: "1,8" },
      prompt: { type: "string", default: "128,1024" },
      "new-tokens": { type: "string", default: "256" },
      repeats: { type: "string", default: "3" },
      threads: { type: "string", default: String(Math.max(1, Math.min(2, availableParallelism()))) },
      json: { type: "boolean", default: false },
      peer: { type: "boolean", default: false },
      python: { type: "string" },
      gap: { type: "boolean", default: true },
    },
  });
  const problems: string[] = [];
  const counts = (name: "batch" | "prompt" | "new-tokens" | "repeats" | "threads", least: number): number[] => {
    const numbers = values[name].split(",").map(Number);
    if (numbers.some((number) => !Number.isInteger(number) || number < least)) {
      problems.push(`--${name}: expected whole numbers from ${least}, found "${values[name]}"`);
    }
    return numbers;
  };
  const count = (name: "new-tokens" | "repeats" | "threads", least: number): number => {
    const numbers = counts(name, least);
    if (numbers.length !== 1) problems.push(`--${name}: expected one number, found "${values[name]}"`);
    return numbers[0] as number;
  };
  const weights = values.weights.split(",").map((name) => WEIGHTS.find((known) => known === name));
  if (weights.includes(undefined)) {
    problems.push(`--weights: expected some of ${WEIGHTS.join(",")}, found "${values.weights}"`);
  }
  const options: GenerateBenchOptions = {
    model: values.model,
    weights: weights.filter((name) => name !== undefined),
    batches: counts("batch", 1),
    prompts: counts("prompt", 2),
    newTokens: count("new-tokens", 2),
    repeats: count("repeats", 1),
    threads: count("threads", 1),
    json: values.json,
    peer: values.peer,
    python: values.python,
    gap: values.gap,
  };
  if (problems.length > 0) throw new Error(`${problems.join("\n")}\n${USAGE}`);
  return options;
}
