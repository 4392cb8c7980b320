/**
 * @file Preloaded into the Chroma server's process: ends it when the process that started it is gone, however that
 * ended. The server keeps the main thread busy, so a worker thread waits on stdin, a pipe that the starter holds open.
 */

import { readSync } from "node:fs";
import { isMainThread, Worker } from "node:worker_threads";

/** How long the server may take to end by SIGINT once its starter is gone. */
const GRACE_MS = 3000;

if (isMainThread) {
  // Without execArgv: [] the worker would preload this file again, and so on.
  new Worker(new URL(import.meta.url), { execArgv: [] }).unref();
} else {
  waitForEnd();
  process.kill(process.pid, "SIGINT");
  pause(GRACE_MS);
  process.kill(process.pid, "SIGKILL");
}

function waitForEnd(): void {
  const byte = Buffer.alloc(1);
  for (;;) {
    try {
      if (readSync(0, byte, 0, 1, null) === 0) return;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) return;
      pause(250);
    }
  }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
