/** @file A directory of its own for a test, removed afterwards. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export async function tempDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "preflexor-test-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
