/** @file The flags that generate and chat share: the model, how it samples, the machine. */
import { isAbsolute, resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { DeviceChoice, RolloutWeights, TextSampling } from "../trainer/index.js";

/** What the shared flags say; those that were not given are absent. */
export interface TextFlags {
  readonly model?: string;
  readonly adapter?: string;
  readonly weights?: RolloutWeights;
  readonly device?: DeviceChoice;
  readonly threads?: number;
  readonly system?: string;
  readonly sampling: TextSampling;
  readonly verbose: boolean;
}

export const WEIGHTS: readonly RolloutWeights[] = ["float32", "float16", "int8", "int4"];
export const DEVICES: readonly DeviceChoice[] = ["auto", "cpu", "cuda", "webgpu"];
const SAMPLING = "Sampling (default: what the model's generation_config.json says):";
const MODEL = "Model and machine:";

const absolute = (path: string): string => (isAbsolute(path) ? path : resolve(path));

export function numberFrom(expected: string, good: (value: number) => boolean): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (Number.isFinite(value) && good(value)) return value;
    throw new InvalidArgumentError(`expected ${expected}.`);
  };
}

export const wholeFrom = (least: number, most = Number.MAX_SAFE_INTEGER): ((text: string) => number) =>
  numberFrom(
    most === Number.MAX_SAFE_INTEGER ? `a whole number, ${least} or more` : `a whole number from ${least} to ${most}`,
    (value) => Number.isSafeInteger(value) && value >= least && value <= most,
  );

/** `\n` and `\t` as a shell passes them on, so that a stop string may hold a line's end. */
const unescaped = (text: string): string =>
  text.replace(/\\([nt\\])/g, (_, letter: string) => (letter === "n" ? "\n" : letter === "t" ? "\t" : "\\"));

function stopString(text: string, before: readonly string[] = []): readonly string[] {
  if (text === "") throw new InvalidArgumentError("expected a text that is not empty.");
  return [...before, unescaped(text)];
}

/** Adds the shared flags to a command. */
export function addTextFlags(command: Command): Command {
  const add = (group: string, option: Option): Command => command.addOption(option.helpGroup(group));
  const number = (flag: string, help: string, expected: string, good: (value: number) => boolean): Command =>
    add(SAMPLING, new Option(flag, help).argParser(numberFrom(expected, good)));
  add(
    MODEL,
    new Option(
      "--model <model>",
      "a Hugging Face directory or a hub id (default: PREFLEXOR_MODEL, or the package's own)",
    ),
  );
  add(MODEL, new Option("--adapter <directory>", "a PEFT adapter of the model").argParser(absolute));
  add(
    MODEL,
    new Option("--weights <format>", "what the model computes with (default: float32 on the CPU)").choices(WEIGHTS),
  );
  add(MODEL, new Option("--device <device>", "where it runs (default: auto)").choices(DEVICES));
  add(MODEL, new Option("--threads <number>", "threads of ONNX Runtime").argParser(wholeFrom(1, 256)));
  add(MODEL, new Option("--verbose", "with a failure, also its stack"));
  add(
    SAMPLING,
    new Option("--max-new-tokens <number>", "the reply ends after these (default: the context is full)").argParser(
      wholeFrom(1),
    ),
  );
  number("--temperature <number>", "0 is greedy (default: 0.7)", "a number, 0 or more", (value) => value >= 0);
  add(SAMPLING, new Option("--top-k <number>", "of the k most likely tokens; 0: of all").argParser(wholeFrom(0)));
  const share = (value: number): boolean => value > 0 && value <= 1;
  number(
    "--top-p <share>",
    "of the likeliest tokens that together have this share",
    "a number above 0, at most 1",
    share,
  );
  const below1 = (value: number): boolean => value >= 0 && value < 1;
  number(
    "--min-p <share>",
    "of tokens at least this share as likely as the likeliest",
    "a number from 0 to below 1",
    below1,
  );
  const above0 = (value: number): boolean => value > 0;
  number("--repetition-penalty <number>", "above 1: what was said is less likely", "a number above 0", above0);
  add(
    SAMPLING,
    new Option("--seed <number>", "the same seed, the same reply (default: random)").argParser(wholeFrom(0)),
  );
  add(
    SAMPLING,
    new Option("--stop <text>", "the reply ends in front of it; may be repeated; \\n is a line's end").argParser(
      stopString,
    ),
  );
  return command;
}

const SAMPLING_FLAGS = [
  "maxNewTokens",
  "temperature",
  "topK",
  "topP",
  "minP",
  "repetitionPenalty",
  "seed",
  "stop",
] as const satisfies readonly (keyof TextSampling)[];

/** The shared flags of what commander parsed. */
export function readTextFlags(parsed: Readonly<Record<string, unknown>>): TextFlags {
  const { model, adapter, weights, device, threads, system, verbose } = parsed as Partial<TextFlags>;
  return {
    ...(model !== undefined && { model }),
    ...(adapter !== undefined && { adapter }),
    ...(weights !== undefined && { weights }),
    ...(device !== undefined && { device }),
    ...(threads !== undefined && { threads }),
    ...(system !== undefined && { system }),
    sampling: Object.fromEntries(
      SAMPLING_FLAGS.flatMap((name) => (parsed[name] === undefined ? [] : [[name, parsed[name]]])),
    ),
    verbose: verbose === true,
  };
}
