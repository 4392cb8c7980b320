/** @file `preflexor completion`: the script that lets a shell complete commands, flags, files and runs. */
import { Argument, Command, Option } from "commander";
import { SHELLS, type Shell } from "./completion-scripts.js";
import { completionTree } from "./completion-tree.js";

const EXAMPLES = `
For this shell:
  $ source <(preflexor completion bash)         bash
  $ source <(preflexor completion zsh)          zsh, behind compinit
  $ preflexor completion fish | source          fish
For every shell from now on:
  $ preflexor completion bash > ~/.local/share/bash-completion/completions/preflexor
  $ preflexor completion zsh > "\${fpath[1]}/_preflexor"
  $ preflexor completion fish > ~/.config/fish/completions/preflexor.fish
`;

/** For `program`, whose commands are all there when somebody asks. */
export function completionCommand(program: Command): Command {
  return new Command("completion")
    .description("the completion script of a shell, on stdout")
    .addArgument(new Argument("[shell]", "which one").choices(Object.keys(SHELLS)))
    .addOption(new Option("--runs", "the names of the runs, a line each, as the scripts ask for them").hideHelp())
    .addHelpText("after", EXAMPLES)
    .action(async (shell: Shell | undefined, { runs }: { readonly runs?: true }) => {
      if (runs === true) process.stdout.write((await namesOfRuns()).map((name) => `${name}\n`).join(""));
      else if (shell === undefined) program.error(`error: expected a shell: ${Object.keys(SHELLS).join(", ")}`);
      else process.stdout.write(SHELLS[shell](completionTree(program)));
    });
}

/** Somebody is typing: what cannot be read offers nothing, and says nothing. */
async function namesOfRuns(): Promise<readonly string[]> {
  try {
    const { readConfig } = await import("./config.js");
    const { runNames } = await import("../agents/teaching/run-directory.js");
    return await runNames(readConfig().home);
  } catch {
    return [];
  }
}
