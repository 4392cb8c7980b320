/** @file Files that are on the disk when a write is reported as done, and never half-written when it is not. */

import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** The whole content takes the file's name only when it is on the disk. Makes the folder where it is missing. */
export async function replaceFile(file: string, parts: Iterable<string>): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const staged = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await write(staged, "w", parts);
    await rename(staged, file);
    await syncFolder(dirname(file));
  } catch (error) {
    await rm(staged, { force: true });
    throw error;
  }
}

/** False where there is no such file. What was there before stays as it was where the write fails, e.g. on a full disk. */
export async function appendFile(file: string, parts: Iterable<string>): Promise<boolean> {
  try {
    await write(file, constants.O_WRONLY | constants.O_APPEND, parts);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

async function write(file: string, flag: "w" | number, parts: Iterable<string>): Promise<void> {
  const handle = await open(file, flag);
  const { size } = await handle.stat();
  try {
    for (const part of parts) await handle.writeFile(part);
    await handle.sync();
  } catch (error) {
    // Half a line must not stand before the next append.
    await handle.truncate(size).catch(() => undefined);
    throw error;
  } finally {
    await handle.close();
  }
}

/** Makes a rename or a removal itself durable; Windows cannot open folders and does not need it. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  await handle.sync().finally(() => handle.close());
}
