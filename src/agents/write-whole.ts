/** @file A small file written whole or not at all, and known to be on the disk when the call returns. */
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** A reader never sees half of it, and a crash leaves the old content or the new. */
export async function writeWhole(file: string, text: string): Promise<void> {
  const staging = `${file}.${process.pid}.tmp`;
  try {
    const handle = await open(staging, "w");
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(staging, file);
  } catch (error) {
    await rm(staging, { force: true });
    throw error;
  }
  await syncFolder(dirname(file));
}

/** Makes a rename durable; Windows cannot open folders and does not need it. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  await handle.sync().finally(() => handle.close());
}
