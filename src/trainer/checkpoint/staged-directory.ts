/** @file A directory that appears complete or not at all: written beside its place, made durable, then renamed into it. */
import { mkdir, mkdtemp, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

/**
 * Calls `write` with an empty staging directory, makes everything durable and moves it to `dir`. `finish` runs after the
 * files are on disk and before the rename. Where `dir` exists it is kept as `<dir>.previous` until the new one stands.
 * If anything throws, `dir` is as it was and nothing is left beside it.
 */
export async function writeStagedDirectory(
  dir: string,
  write: (staging: string) => Promise<void>,
  finish?: (staging: string) => Promise<void>,
): Promise<void> {
  const target = resolve(dir);
  const parent = dirname(target);
  await mkdir(parent, { recursive: true });
  const staging = await mkdtemp(join(parent, `.${basename(target)}.staging-`));
  try {
    await write(staging);
    await syncTree(staging);
    if (finish) {
      await finish(staging);
      await syncPath(staging);
    }
    await moveIntoPlace(staging, target);
    await syncPath(parent);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    throw error;
  }
}

/** Where the version before lies while a directory is being exchanged. */
export function previousPath(dir: string): string {
  return `${resolve(dir)}.previous`;
}

async function moveIntoPlace(staging: string, target: string): Promise<void> {
  const previous = previousPath(target);
  if (!(await exists(target))) {
    await rename(staging, target);
  } else {
    await rm(previous, { recursive: true, force: true });
    await rename(target, previous);
    try {
      await rename(staging, target);
    } catch (error) {
      await rename(previous, target);
      throw error;
    }
  }
  // Also what a crash between the two renames left behind, now that the new one stands.
  await rm(previous, { recursive: true, force: true });
}

async function syncTree(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else await syncPath(path);
  }
  await syncPath(dir);
}

/** fsync of a file or a directory. */
export async function syncPath(path: string): Promise<void> {
  const directory = (await stat(path)).isDirectory();
  if (directory && process.platform === "win32") return; // directories cannot be opened there
  const handle = await open(path, directory ? "r" : "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Whether something is at `path`. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
