/** @file Ends a child process in order, and at once where that takes too long. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

export async function stopChild(child: ChildProcess, limitMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
  await exit;
  clearTimeout(timer);
}
