/** @file The run that the tools go on with: remembered in the home directory, one for each base model. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { createRunDirectory, openRunDirectory, type RunDirectory, runsFolder } from "../agents/index.js";
import { writeWhole } from "../tools/index.js";

const pointerSchema = z.object({ name: z.string().regex(/^[\w.-]+$/), model: z.string() });

/** Opens the current run, or starts one where there is none or where it belongs to another base model. */
export async function currentRun(home: string, model: string, now = new Date()): Promise<RunDirectory> {
  await mkdir(home, { recursive: true });
  const pointerFile = join(home, "current-run.json");
  const text = await readFile(pointerFile, "utf8").catch(() => undefined);
  const known = text === undefined ? undefined : readPointer(text);
  if (known?.model === model) {
    // What is no longer there, or no run, is not gone on with.
    const found = await openRunDirectory(join(runsFolder(home), known.name)).catch(() => undefined);
    if (found !== undefined) return found;
  }
  const run = await createRunDirectory(home, { kind: "tools", request: { model }, created: now });
  await writeWhole(pointerFile, `${JSON.stringify({ name: run.name, model })}\n`);
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
