/** @file `preflexor eval` on the command line. */
import { existsSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { THINKING_MODES, type ThinkingMode } from "../agents/evaluation/thinking-mode.js";
import type { EvalOptions } from "./eval-plan.js";
import { shellWord } from "./own-command.js";
import { DEVICES, numberFrom, WEIGHTS, wholeFrom } from "./text-flags.js";

const EXAMPLES = `
Examples:
  $ preflexor eval                                   the package's model on both held-out splits of the materials world
  $ preflexor eval --run <run directory> --against base --thinking on,off
                                                     what a training has brought: paired, with interval and exact test
  $ preflexor eval --adapter out/adapter --k 1,4,16 --rounds 1..4 --json
                                                     pass@k from 16 samples, and accuracy against the depth of recursion
  $ preflexor eval --adapter out/adapter --pairs held-out.jsonl
                                                     preference accuracy and margins, by itself and beside the base
  $ preflexor eval --adapter new --against old --questions q.jsonl --judge openai:gpt-4.1-mini
                                                     blind pairwise judging; q.jsonl holds {"question", "reference"?} a line
Thinking: on asks for it; off does not, but a trained model may think all the same; forced-off rules it out.
`;

const MEASURED = "What is measured:";
const ASKED = "What is asked:";
const MACHINE = "Machine:";
const RESULT = "Result:";

const absolute = (path: string): string => (isAbsolute(path) ? path : resolve(path));

/** `1,4` or `1..4`. */
function wholeNumbers(most: number): (text: string) => readonly number[] {
  return (text) => {
    const [, from, to] = /^(\d+)\.\.(\d+)$/.exec(text) ?? [];
    const numbers =
      from === undefined
        ? text.split(",").map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : Number.NaN))
        : Array.from({ length: Math.min(most, Number(to)) - Number(from) + 1 }, (_, i) => Number(from) + i);
    const all = [...new Set(numbers)];
    const good = all.length > 0 && all.every((value) => value >= 1 && value <= most) && Number(to ?? 1) <= most;
    if (good) return all;
    throw new InvalidArgumentError(`expected whole numbers from 1 to ${most}, such as 1,4 or 1..4.`);
  };
}

function thinkingModes(text: string): readonly ThinkingMode[] {
  const named = [...new Set(text.split(",").map((part) => part.trim()))];
  const known = THINKING_MODES.filter((mode) => named.includes(mode));
  if (known.length === named.length) return known;
  throw new InvalidArgumentError(`expected one or more of ${THINKING_MODES.join(", ")}.`);
}

/** A directory or a file is made absolute; base and a hub id stay. */
const pathOrName = (text: string): string =>
  text !== "base" && (text.startsWith(".") || text.endsWith(".jsonl") || existsSync(text)) ? absolute(text) : text;

const share = numberFrom("a number above 0, at most 1", (value) => value > 0 && value <= 1);
const notNegative = numberFrom("a number, 0 or more", (value) => value >= 0);

export function evalCommand(run: (options: EvalOptions) => Promise<void>): Command {
  const command = new Command("eval").description(
    "what a model can do, with intervals: held-out questions, pass@k, depth of recursion, pairs, blind judging",
  );
  const add = (group: string, option: Option): Command => command.addOption(option.helpGroup(group));
  for (const option of modelFlags()) add(MEASURED, option);
  for (const option of questionFlags()) add(ASKED, option);
  for (const option of machineFlags()) add(MACHINE, option);
  for (const option of resultFlags()) add(RESULT, option);
  return command.addHelpText("after", EXAMPLES).action(async (parsed: Omit<EvalOptions, "invocation">) =>
    run({
      ...parsed,
      json: parsed.json === true,
      verbose: parsed.verbose === true,
      invocation: invocationOf(command),
    }),
  );
}

function modelFlags(): Option[] {
  const trained = ["adapter", "checkpoint", "run"];
  const oneOf = (option: Option): Option =>
    option.argParser(absolute).conflicts(trained.filter((name) => name !== option.attributeName()));
  return [
    new Option(
      "--model <model>",
      "a Hugging Face directory or a hub id (default: the base of what was trained, PREFLEXOR_MODEL, or the package's own)",
    ).argParser(pathOrName),
    oneOf(new Option("--adapter <directory>", "a PEFT adapter")),
    oneOf(new Option("--checkpoint <directory>", "a checkpoint of a training")),
    oneOf(new Option("--run <directory>", "what a run left: its adapter or model, or its newest checkpoint")),
    new Option(
      "--against <other>",
      "compare with base, an adapter, another model, or replies of a .jsonl file",
    ).argParser(pathOrName),
  ];
}

function questionFlags(): Option[] {
  return [
    new Option(
      "--environment <name>",
      "questions that can be checked: materials-world (the default where no file is given)",
    ),
    new Option("--world-seed <number>", "of the environment; the package's model knows the world of 7")
      .argParser(wholeFrom(0, 2 ** 31 - 1))
      .default(7),
    new Option("--pairs <file>", "held-out preference pairs, JSONL or Parquet").argParser(absolute),
    new Option("--questions <file>", 'JSONL of {"question", "reference"?}').argParser(absolute),
    new Option("--limit <number>", "at most the first n of each split or file").argParser(wholeFrom(1)),
    new Option("--thinking <modes>", "one or more of on, off, forced-off")
      .argParser(thinkingModes)
      .default(["on"], "on"),
    new Option("--k <numbers>", "pass@k for these, such as 1,4").argParser(wholeNumbers(4096)),
    new Option("--samples <number>", "samples of each question for pass@k (default: the largest k)").argParser(
      wholeFrom(1, 4096),
    ),
    new Option("--temperature <number>", "of the samples").argParser(notNegative).default(1),
    new Option("--top-p <share>", "of the samples").argParser(share).default(1),
    new Option("--rounds <numbers>", "accuracy by depth of recursion, such as 1..4").argParser(wholeNumbers(16)),
    new Option("--max-new-tokens <number>", "of a reply (default: 96 for the package's model, else 320)").argParser(
      wholeFrom(1),
    ),
    new Option("--judge <judge>", "who compares replies with --against: lexical, or a chat model as provider:model"),
    new Option("--seed <number>", "of samples, order and intervals").argParser(wholeFrom(0, 2 ** 31 - 1)).default(7),
  ];
}

const machineFlags = (): Option[] => [
  new Option("--weights <format>", "what sampling computes with (default: float32 on the CPU)").choices(WEIGHTS),
  new Option("--device <device>", "where it runs (default: auto)").choices(DEVICES),
  new Option("--threads <number>", "threads of ONNX Runtime").argParser(wholeFrom(1, 256)),
  new Option("--verbose", "with a failure, also its stack"),
];

const resultFlags = (): Option[] => [
  new Option("--json", "the last line of stdout is the report as one JSON object (default: Markdown)"),
  new Option("--output <file>", "the report: .json or .md").argParser(absolute),
  new Option("--replies <file>", "every reply with its verdict, as JSONL; --against reads it").argParser(absolute),
];

/** What was typed, with paths made absolute, so that it can be run again from anywhere. */
function invocationOf(command: Command): string {
  const words = command.options.flatMap((option) => {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== "cli" || option.long == null) return [];
    const value: unknown = command.getOptionValue(name);
    return value === true ? [option.long] : [option.long, shellWord(String(value))];
  });
  return ["preflexor", "eval", ...words].join(" ");
}
