/** @file From a run's id to its directory: ids are names of folders below `<home>/runs`, never paths, and links are not followed. */
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { runNames, runsFolder } from "../../agents/index.js";
import { nearest } from "../../trainer/text/nearest.js";

/** File systems allow 255 bytes. */
const MOST_BYTES = 255;

/** The run is not there, or the id cannot be one. */
export class NoSuchRunError extends Error {
  override readonly name = "NoSuchRunError";
}

/** Why a text cannot be the id of a run. */
export function idProblem(id: string): string | undefined {
  if (id === "") return "it is empty";
  if (Buffer.byteLength(id) > MOST_BYTES) return `it is longer than ${MOST_BYTES} bytes`;
  // Of any platform: separators, drives and streams, and what a terminal would act on.
  if (/[/\\:\p{Cc}]/u.test(id) || id === "." || id === "..") return "it is a path, and not the name of a folder";
  return undefined;
}

/** Absolute. Throws {@link NoSuchRunError} with the way to the ids that there are. */
export async function runPlace(home: string, id: string): Promise<string> {
  const problem = idProblem(id);
  if (problem !== undefined) throw new NoSuchRunError(`${shown(id)} is no run id: ${problem}. ${WHERE}`);
  const path = join(runsFolder(home), id);
  const info = await lstat(path).catch(() => undefined);
  if (info?.isDirectory()) return path;
  if (info?.isSymbolicLink())
    throw new NoSuchRunError(`the run ${shown(id)} is a link, which is not followed. ${WHERE}`);
  const guess = nearest(id, await runNames(home).catch(() => []));
  const meant = guess === undefined ? "" : `did you mean ${guess}? `;
  throw new NoSuchRunError(`there is no run ${shown(id)}: ${meant}${WHERE}`);
}

const WHERE = "Call list-runs, or read preflexor://runs, for the ids that there are";
const SHOWN = 80;
const shown = (id: string): string => JSON.stringify(id.length > SHOWN ? `${id.slice(0, SHOWN)}…` : id);
