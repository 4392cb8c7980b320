/** @file The directory of a run that a client names by its id; nothing else can be named so. */
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { runNames, runsFolder } from "../agents/index.js";
import { nearest } from "../trainer/text/nearest.js";
import { words } from "./arguments.js";

/** The argument of tools that work on one run. */
export const runId = () => words("the id of a run, as list-runs gives it");

/** Throws where there is no such run, with the one that was probably meant; links are not followed. */
export async function directoryOfRun(home: string, id: string): Promise<string> {
  const names = await runNames(home);
  if (!names.includes(id)) {
    const guess = nearest(id, names);
    const found = names.length === 0 ? "there are no runs yet: call start-run" : "call list-runs to see those that there are";
    throw new Error(
      `there is no run ${JSON.stringify(id.slice(0, 120))}${guess === undefined ? "" : `: did you mean "${guess}"?`}; ${found}`,
    );
  }
  const path = join(runsFolder(home), id);
  if ((await lstat(path)).isSymbolicLink()) throw new Error(`${id} is a link, which is not followed: call list-runs`);
  return path;
}
