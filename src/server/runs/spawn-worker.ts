/** @file Starts the process of a run, apart from this one: it lives on when the server ends. */
import { spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const WORKER_LOG = "worker.log";

export interface WorkerCommand {
  readonly command: string;
  readonly args: readonly string[];
}

export interface Worker {
  readonly pid: number;
  /** How it ended, while this process lives to see it. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

export const workerCommand = (directory: string, home: string): WorkerCommand => ({
  command: process.execPath,
  args: [fileURLToPath(new URL("./run-worker.js", import.meta.url)), directory, home],
});

/** Its stderr goes to worker.log. Throws where it cannot be started at all. */
export async function spawnWorker(directory: string, { command, args }: WorkerCommand): Promise<Worker> {
  const log = await open(join(directory, WORKER_LOG), "a");
  try {
    // A session of its own: the end of the terminal, or of the client's process group, is not the run's.
    const child = spawn(command, [...args], { detached: true, stdio: ["ignore", "ignore", log.fd], windowsHide: true });
    const ended = new Promise<Awaited<Worker["ended"]>>((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    await new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject));
    child.unref();
    const pid = child.pid as number;
    yieldToOthers(pid);
    return { pid, ended };
  } finally {
    await log.close();
  }
}

/** A run takes every core for hours; what answers people and their assistants goes first. The engine that it forks inherits this. */
export function yieldToOthers(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // The system does not let it, or the process is over: the run is none the worse.
  }
}
