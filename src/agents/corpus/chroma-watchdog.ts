/**
 * @file Preloaded into the Chroma server's process: ends it when the process that started it is gone, however that
 * ended. The server may keep the main thread busy, so a worker thread watches stdin, a pipe that the starter holds open.
 */

import { Socket } from "node:net";
import { isMainThread, Worker } from "node:worker_threads";

/** How long the server may take to end by SIGINT once its starter is gone. */
const GRACE_MS = 3000;

if (isMainThread) {
  // Without execArgv: [] the worker would preload this file again, and so on.
  new Worker(new URL(import.meta.url), { execArgv: [] }).unref();
} else {
  // Not a blocking read: the process could not exit by itself while a thread of it sits in one.
  const starter = new Socket({ fd: 0, readable: true, writable: false });
  starter.on("error", () => undefined);
  starter.once("close", () => {
    process.kill(process.pid, "SIGINT");
    setTimeout(() => process.kill(process.pid, "SIGKILL"), GRACE_MS);
  });
  starter.resume();
}
