/** @file `preflexor teach` on the command line. */
import { Command } from "commander";
import { teachFlags } from "./teach-flags.js";
import type { TeachRunOptions } from "./teach-prepare.js";

const EXAMPLES = `
Examples:
  $ preflexor teach                                             the package's small model on its own world: ORPO, then EXO
  $ preflexor teach --corpus ./articles --model HuggingFaceTB/SmolLM2-135M-Instruct --iterations 2 --topics 24
  $ preflexor teach --corpus ./articles --teacher openai:gpt-5 --phases orpo,exo_pair --only-include-wrong-answers --judge openai:gpt-5
  $ preflexor teach --corpus ./articles --teacher openai:local --teacher-base-url http://127.0.0.1:8080/v1 --offline
  $ preflexor teach --config teach.json --seed 3                flags win over the file, whose keys are the same with _ for -
  $ preflexor teach --resume <run directory>                    goes on where it stopped, and writes what an unbroken run would have
`;

export function teachCommand(run: (options: TeachRunOptions) => Promise<void>): Command {
  const flags = teachFlags();
  const command = new Command("teach")
    .description(
      "a whole self-teaching run: rounds of pairs against the current model, training, evaluation, in phases",
    )
    .option("--config <file>", "a JSON file of settings; its phases may each have settings of their own")
    .option("--phases <losses>", "the losses of the phases in turn, such as sft,orpo,exo_pair (default: orpo,exo_pair)")
    .option("--resume <run>", "goes on with a run: its directory, or its name")
    .option("--home <directory>", "where corpora and runs are kept (default: PREFLEXOR_HOME)")
    .option("--json", "the last line of stdout is the result as one JSON object; everything else goes to stderr")
    .option("--verbose", "with a failure, also its stack")
    .addHelpText("after", EXAMPLES);
  for (const option of flags.options) command.addOption(option);
  return command.action(async (parsed: Readonly<Record<string, unknown>>) => {
    const { config, phases, resume, home, json, verbose } = parsed;
    await run({
      flags: {
        ...flags.read(parsed),
        ...(typeof phases === "string" && { phases: phases.split(",").map((name) => name.trim()) }),
      },
      ...(typeof config === "string" && { config }),
      ...(typeof resume === "string" && { resume }),
      ...(typeof home === "string" && { home }),
      json: json === true,
      verbose: verbose === true,
    });
  });
}
