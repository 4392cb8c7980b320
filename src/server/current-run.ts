/** @file The run that the tools go on with: remembered in the home directory, one for each base model. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { openRunFolder, type RunFolder, writeWhole } from "../tools/index.js";

const pointerSchema = z.object({ name: z.string().regex(/^[\w.-]+$/), model: z.string() });

/** E.g. "2026-03-01T10-20-30": sorts by time and is a folder's name on every platform. */
export function timeName(now: Date): string {
  return now.toISOString().slice(0, 19).replaceAll(":", "-");
}

/** Opens the current run, or starts one where there is none or where it belongs to another base model. */
export async function currentRun(home: string, model: string, now = new Date()): Promise<RunFolder> {
  await mkdir(home, { recursive: true });
  const pointerFile = join(home, "current-run.json");
  const text = await readFile(pointerFile, "utf8").catch(() => undefined);
  const known = text === undefined ? undefined : readPointer(text);
  const name = known !== undefined && known.model === model ? known.name : `tools-${timeName(now)}`;
  const run = await openRunFolder(join(home, "runs", name));
  if (name !== known?.name) await writeWhole(pointerFile, `${JSON.stringify({ name, model })}\n`);
  return run;
}

/** A broken pointer only means that a new run is started; the runs themselves stay. */
function readPointer(text: string): z.infer<typeof pointerSchema> | undefined {
  try {
    return pointerSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
