/** @file stderr of a process as a file of bounded size, without secrets. */
import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { redactor } from "../redact.js";

/** Enough for the last hours of a run, little enough to send. */
const MOST_BYTES = 1 << 20;
const CHECK_MS = 30_000;

/** Keeps the newer half of a file that became too large. Synchronous, so that no line of this process falls in between. */
export function cutLog(file: string, most = MOST_BYTES): void {
  try {
    if (statSync(file).size <= most) return;
    const tail = readFileSync(file).subarray(-Math.floor(most / 2));
    const whole = tail.subarray(tail.indexOf(0x0a) + 1);
    truncateSync(file, 0);
    writeFileSync(file, whole, { flag: "a" });
  } catch {
    // A run must not end over its log.
  }
}

/** From here on this process's stderr, which goes to `file`, holds no secret and stays small. */
export function boundStderr(file: string, secrets: readonly string[]): void {
  const write = process.stderr.write.bind(process.stderr) as (text: string | Uint8Array, ...rest: unknown[]) => boolean;
  const redact = redactor(secrets);
  const clean = (text: string | Uint8Array): string =>
    redact(typeof text === "string" ? text : Buffer.from(text).toString("utf8"));
  process.stderr.write = ((text: string | Uint8Array, ...rest: unknown[]) => write(clean(text), ...rest)) as never;
  cutLog(file);
  setInterval(() => cutLog(file), CHECK_MS).unref();
}
