/** @file Options of the training bench. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

export const LOSSES = ["orpo", "exo_pair"] as const;
export const DEVICES = ["auto", "cpu", "cuda", "webgpu"] as const;

export interface TrainBenchOptions {
  /** A checkpoint directory; default: SmolLM2-135M-Instruct in .cache, or its shape with random weights. */
  readonly model: string | undefined;
  readonly loss: (typeof LOSSES)[number];
  /** Timed steps of a repetition. */
  readonly steps: number;
  readonly warmup: number;
  /** Fresh processes on each side, alternating. */
  readonly repeats: number;
  readonly promptTokens: number;
  readonly answerTokens: number;
  readonly rank: number;
  readonly threads: number;
  readonly device: (typeof DEVICES)[number];
  readonly gradientCheckpointing: boolean;
  readonly json: boolean;
  readonly peer: boolean;
  /** The Python that has bench/peers/requirements.txt; default: bench/peers/.cache/venv, made when it is missing. */
  readonly python: string | undefined;
  /** Runs the peer in bfloat16 too. */
  readonly peerBf16: boolean;
}

export const USAGE = `npm run bench -- train [--json] [--peer] [--no-peer-bf16] [--python FILE] [--model DIR] [--loss ${LOSSES.join("|")}]
    [--steps N] [--warmup N] [--repeats N] [--prompt N] [--answer N] [--rank N] [--threads N] [--device ${DEVICES.join("|")}]
    [--gradient-checkpointing]`;

export function parseOptions(args: readonly string[]): TrainBenchOptions {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      model: { type: "string" },
      loss: { type: "string", default: "orpo" },
      steps: { type: "string", default: "5" },
      warmup: { type: "string", default: "1" },
      repeats: { type: "string", default: "3" },
      prompt: { type: "string", default: "256" },
      answer: { type: "string", default: "256" },
      rank: { type: "string", default: "16" },
      threads: { type: "string", default: String(Math.max(1, Math.min(2, availableParallelism()))) },
      device: { type: "string", default: "cpu" },
      "gradient-checkpointing": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      peer: { type: "boolean", default: false },
      "peer-bf16": { type: "boolean", default: true },
      python: { type: "string" },
    },
  });
  const problems: string[] = [];
  const count = (name: keyof typeof values & string, least = 1): number => {
    const number = Number(values[name]);
    if (!Number.isInteger(number) || number < least) {
      problems.push(`--${name}: expected a whole number from ${least}, found "${values[name]}"`);
    }
    return number;
  };
  const choice = <T extends string>(name: keyof typeof values & string, known: readonly T[]): T => {
    const found = known.find((value) => value === values[name]);
    if (found === undefined) problems.push(`--${name}: expected ${known.join(", ")}, found "${values[name]}"`);
    return found as T;
  };
  const options: TrainBenchOptions = {
    model: values.model,
    loss: choice("loss", LOSSES),
    steps: count("steps"),
    warmup: count("warmup"),
    repeats: count("repeats"),
    promptTokens: count("prompt", 2),
    answerTokens: count("answer", 2),
    rank: count("rank"),
    threads: count("threads"),
    device: choice("device", DEVICES),
    gradientCheckpointing: values["gradient-checkpointing"],
    json: values.json,
    peer: values.peer,
    python: values.python,
    peerBf16: values["peer-bf16"],
  };
  if (problems.length > 0) throw new Error(`${problems.join("\n")}\n${USAGE}`);
  return options;
}
