/** @file The command line: runs what was typed, and says what to type instead of a slip. */
import { CommanderError } from "commander";
import { COMMANDS, type Commands } from "./commands.js";
import type { DemoOptions } from "./demo-options.js";
import { createProgram } from "./program.js";

export type { Commands } from "./commands.js";

/** Runs a command; resolves to the exit code. Help, version and mistakes are printed here. */
export async function runCli(
  args: readonly string[],
  demo: (options: DemoOptions) => Promise<number> = async (options) => (await import("./demo.js")).runDemo(options),
  others: Commands = COMMANDS,
): Promise<number> {
  let exitCode = 0;
  const program = createProgram(demo, others, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    throw error;
  }
}
