/** @file `preflexor score` on the command line. */
import { Command } from "commander";
import type { SettingName } from "../trainer/loop/train-settings.js";
import type { ScoreOptions } from "./score-run.js";
import { settingFlags } from "./setting-flags.js";

const SETTINGS: readonly SettingName[] = [
  "model",
  "adapter",
  "pairs",
  "max_prompt_length",
  "max_length",
  "prompt_format",
  "dynamic_answer_comparison",
  "include_thinking_token_in_labels",
  "think_start_token",
  "think_end_token",
  "device",
  "threads",
];

const EXAMPLES = `
Examples:
  $ preflexor score --pairs pairs.jsonl > scores.jsonl
  $ preflexor score --pairs pairs.jsonl --model ./SmolLM2-135M-Instruct --adapter out/adapter --output scores.jsonl
Each line: {"number", "chosen": {"sum", "count"}, "rejected": {"sum", "count"}, "margin", "meanMargin"}; number is the line of the pair.
`;

export function scoreCommand(run: (options: ScoreOptions) => Promise<void>): Command {
  const flags = settingFlags(SETTINGS);
  const command = new Command("score")
    .description("log-probabilities of both replies of every pair, and their margin")
    .option("--output <file>", "the scores as JSONL (default: stdout)")
    .option("--json", "one JSON line on stdout: the summary, and the scores where no --output is given")
    .option("--verbose", "with a failure, also its stack")
    .addHelpText("after", EXAMPLES);
  for (const option of flags.options) command.addOption(option);
  return command.action(async (parsed: Readonly<Record<string, unknown>>) => {
    const { output, json, verbose } = parsed;
    await run({
      settings: flags.read(parsed),
      ...(typeof output === "string" && { output }),
      json: json === true,
      verbose: verbose === true,
    });
  });
}
