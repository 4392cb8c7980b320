/** @file `preflexor runs` on the command line: list, show, report, remove. */
import { resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import type { RunsRequest } from "./runs-run.js";

const EXAMPLES = `
Examples:
  $ preflexor runs list
  $ preflexor runs show teach-2026-03-01T10-20-30
  $ preflexor runs report teach-2026-03-01T10-20-30 --out run.html
  $ preflexor runs remove teach-2026-03-01T10-20-30 ./elsewhere/runs/demo-2026-02-01T08-00-00
  $ preflexor runs remove --keep 5 --yes          all but the five that were written last
  $ preflexor runs remove --older-than 30         those that nothing was written to for 30 days
A run is named by its folder, or by a path. A run that is in use is never removed.
`;

interface Flags {
  readonly home?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly olderThan?: number;
  readonly keep?: number;
  readonly yes?: boolean;
  readonly out?: string;
}

export function runsCommand(run: (request: RunsRequest) => Promise<void>): Command {
  const command = new Command("runs").description("the runs that are kept: what they hold, and the room they take");
  const shared = ({ home, json, verbose }: Flags) => ({
    ...(home !== undefined && { home }),
    json: json === true,
    verbose: verbose === true,
  });
  const list = new Command("list")
    .description("all runs, their progress and their size on disk, the one that was written last first")
    .action(async (flags: Flags) => run({ action: "list", ...shared(flags) }));
  const show = new Command("show")
    .description("one run: what it was asked for, how far it came, what it holds")
    .argument("<run>", "the name of its folder, or a path")
    .action(async (name: string, flags: Flags) => run({ action: "show", run: name, ...shared(flags) }));
  const report = new Command("report")
    .description("one run as one HTML page that needs no server: curves, pairs, recursion, question graph")
    .argument("<run>", "the name of its folder, or a path")
    .option("--out <file>", "where it is written (default: report.html in the run's folder)", (path) => resolve(path))
    .action(async (name: string, flags: Flags) =>
      run({ action: "report", run: name, ...(flags.out !== undefined && { out: flags.out }), ...shared(flags) }),
    );
  const remove = new Command("remove")
    .description("whole runs, with everything that is in their folders")
    .argument("[runs...]", "names of their folders, or paths")
    .option("--older-than <days>", "instead of names: those that nothing was written to for so long", days)
    .option("--keep <number>", "instead of names: all but so many, those that were written last", count)
    .option("--yes", "ask nothing")
    .action(async (runs: string[], flags: Flags) => {
      const { olderThan, keep, yes } = flags;
      await run({
        action: "remove",
        runs,
        ...(olderThan !== undefined && { olderThanDays: olderThan }),
        ...(keep !== undefined && { keep }),
        yes: yes === true,
        ...shared(flags),
      });
    });
  for (const one of [list, show, report, remove]) {
    one
      .option("--home <directory>", "where runs are kept, in its folder runs (default: PREFLEXOR_HOME)", (path) =>
        resolve(path),
      )
      .option("--json", "one JSON line on stdout")
      .option("--verbose", "with a failure, also its stack");
    command.addCommand(one);
  }
  return command.addHelpText("after", EXAMPLES);
}

function days(text: string): number {
  const value = Number(text);
  if (/^\d+(?:\.\d+)?$/.test(text)) return value;
  throw new InvalidArgumentError("expected a number of days, such as 30.");
}

function count(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("expected a whole number from 0.");
}
