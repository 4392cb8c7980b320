/** @file A small JSON file of a run, for those who tell what can be told. */
import { readFile } from "node:fs/promises";

/** Undefined where there is no such file, or no JSON in it. */
export async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch {
    return undefined;
  }
}
