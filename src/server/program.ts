/** @file The tree of commands: what may be typed, in which group the help shows it, and which settings it reads. */
import { Command, Option } from "commander";
import { apiCommand } from "./api-command.js";
import { chatCommand } from "./chat-command.js";
import type { Commands } from "./commands.js";
import { completionCommand } from "./completion-command.js";
import { demoCommand } from "./demo-command.js";
import type { DemoOptions } from "./demo-options.js";
import { doctorCommand } from "./doctor-command.js";
import { evalCommand } from "./eval-command.js";
import { exportCommand } from "./export-command.js";
import { generateCommand } from "./generate-command.js";
import { helpCommand } from "./help-command.js";
import { runsCommand } from "./runs-command.js";
import { scoreCommand } from "./score-command.js";
import { serveCommand } from "./serve-command.js";
import { settingsReadBy } from "./settings-help.js";
import { teachCommand } from "./teach-command.js";
import { trainCommand } from "./train-command.js";
import { packageVersion } from "./version.js";

const EXAMPLES = `
Examples:
  $ preflexor demo                            one iteration of self-teaching, in about a minute, on this machine alone
  $ preflexor help mcp                        how to connect an assistant
  $ preflexor teach --corpus ./articles --model ./SmolLM2-135M-Instruct
                                              a whole run: rounds of pairs, training and evaluation, in phases
  $ preflexor eval --run <run> --against base what the training has brought, with intervals
  $ preflexor serve --http                    the MCP server over HTTP, and a page for people
  $ preflexor chat --adapter out/adapter      a conversation with what was trained
  $ preflexor <command> --help                every flag, with examples, and the settings that the command reads
  $ source <(preflexor completion bash)       Tab completes commands, flags, files and runs

Settings (environment): PREFLEXOR_HOME (corpora and runs), PREFLEXOR_MODEL, PREFLEXOR_TEACHER and more: preflexor help settings
`;

const ADVICE = "(preflexor --help lists commands and examples)";

type Finish = (exitCode: number) => void;

/** In the order of the help, by group. */
function groupedCommands(
  demo: (options: DemoOptions) => Promise<number>,
  others: Commands,
  finish: Finish,
): Record<string, Command[]> {
  return {
    "Teach:": [
      demoCommand(async (options) => finish(await demo(options))),
      teachCommand(async (options) => finish(await others.teach(options))),
      trainCommand(async (options) => finish(await others.train(options))),
    ],
    "Measure:": [
      evalCommand(async (options) => finish(await others.eval(options))),
      scoreCommand(async (options) => finish(await others.score(options))),
      runsCommand(async (request) => finish(await others.runs(request))),
    ],
    "Use:": [
      chatCommand(async (options) => finish(await others.chat(options))),
      generateCommand(async (options) => finish(await others.generate(options))),
      exportCommand(async (options) => finish(await others.export(options))),
    ],
    "Serve:": [
      serveCommand(async (options) => finish(await others.serve(options))),
      apiCommand(async (options) => finish(await others.api(options))),
    ],
    "This machine:": [doctorCommand(async (options) => finish(await others.doctor(options)))],
  };
}

/** Commands report their exit code to `finish`. */
export function createProgram(
  demo: (options: DemoOptions) => Promise<number>,
  others: Commands,
  finish: Finish,
): Command {
  const program = new Command("preflexor")
    .description(
      "A small language model teaches itself to reason, on ONNX Runtime, steered through MCP.\nWithout a command: the MCP server over stdio.",
    )
    .version(packageVersion(), "-v, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", EXAMPLES);
  const groups = groupedCommands(demo, others, finish);
  groups["This machine:"]?.push(completionCommand(program), helpCommand(program));
  for (const [group, commands] of Object.entries(groups)) {
    for (const command of commands) {
      const settings = settingsReadBy(command.name());
      if (settings !== "") command.addHelpText("after", settings);
      program.addCommand(command.helpGroup(group));
    }
  }
  for (const command of [program, ...program.commands, ...program.commands.flatMap((one) => one.commands)])
    command.exitOverride().helpCommand(false).showSuggestionAfterError().showHelpAfterError(ADVICE);
  return program.addOption(new Option("--verbose").hideHelp());
}
