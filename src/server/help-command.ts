/** @file `preflexor help`: the help of a command, or a page of its own. */
import { Argument, Command } from "commander";
import { nearest } from "../trainer/text/nearest.js";
import { HELP_TOPICS } from "./help-topics.js";

/** For `program`, whose commands are all there when somebody asks. */
export function helpCommand(program: Command): Command {
  const topics = Object.entries(HELP_TOPICS).map(([name, { summary }]) => `${name} (${summary})`);
  return new Command("help")
    .description(`help for a command, or one of the pages ${topics.join(", ")}`)
    .addArgument(new Argument("[words...]", "a command or a page"))
    .action((words: readonly string[]) => {
      const [first = ""] = words;
      const page = Object.hasOwn(HELP_TOPICS, first) ? HELP_TOPICS[first]?.page() : undefined;
      if (page !== undefined) process.stdout.write(page);
      else commandOf(program, words).outputHelp();
    });
}

function commandOf(program: Command, words: readonly string[]): Command {
  let command = program;
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word);
    if (next === undefined) {
      const known = [
        ...command.commands.map((one) => one.name()),
        ...(command === program ? Object.keys(HELP_TOPICS) : []),
      ];
      const guess = nearest(word, known);
      return program.error(
        `error: no help for '${words.join(" ")}': ${guess === undefined ? `there is help for ${known.join(", ")}` : `did you mean ${guess}?`}`,
      );
    }
    command = next;
  }
  return command;
}
