/** @file `preflexor train` on the command line. */
import { Command } from "commander";
import { SETTING_NAMES } from "../trainer/loop/train-settings.js";
import { settingFlags } from "./setting-flags.js";
import type { TrainOptions } from "./train-run.js";

const EXAMPLES = `
Examples:
  $ preflexor train --pairs pairs.jsonl --loss orpo
  $ preflexor train --model HuggingFaceTB/SmolLM2-135M-Instruct --pairs pairs.jsonl --loss exo_pair --output out --save-steps 10
  $ preflexor train --texts notes.txt --loss sft --packing --output out
  $ preflexor train --config train.json --learning-rate 1e-5      flags win over the file, whose keys are the same with _ for -
  $ preflexor train --resume out/checkpoint-20                    goes on with the settings that the run was started with
`;

export function trainCommand(run: (options: TrainOptions) => Promise<void>): Command {
  const flags = settingFlags(SETTING_NAMES);
  const command = new Command("train")
    .description("trains a model on preference pairs or texts, and leaves checkpoints and an adapter")
    .option("--config <file>", "a JSON file of settings")
    .option("--json", "one JSON line on stdout; progress goes to stderr")
    .option("--verbose", "with a failure, also its stack")
    .addHelpText("after", EXAMPLES);
  for (const option of flags.options) command.addOption(option);
  return command.action(async (parsed: Readonly<Record<string, unknown>>) => {
    const { config, json, verbose } = parsed;
    await run({
      flags: flags.read(parsed),
      ...(typeof config === "string" && { config }),
      json: json === true,
      verbose: verbose === true,
    });
  });
}
