/** @file An estimate in a sentence, and whether it is so much that the user is asked first. */
import type { Estimate } from "./run-keeper.js";

/** Who has to wait longer wants to know before. */
const LONG_S = 15 * 60;

export function isExpensive({ seconds, memoryBytes, freeBytes }: Estimate): boolean {
  const isTight = memoryBytes !== null && freeBytes !== null && memoryBytes > freeBytes;
  // What cannot be estimated may be anything.
  return isTight || seconds === null || seconds.high > LONG_S;
}

export function estimateText({
  rounds,
  pairs,
  steps,
  memoryBytes,
  freeBytes,
  seconds,
  basis,
  notes,
}: Estimate): string {
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
  const work = [count(rounds, "round"), `at most ${count(pairs, "pair")}`, count(steps, "optimizer step")].join(", ");
  const memory = memoryBytes === null ? "" : `, about ${gib(memoryBytes)} of memory (${gib(freeBytes ?? 0)} are free)`;
  const time =
    seconds === null
      ? `, of unknown length (${basis})`
      : `, ${duration(seconds.low)} to ${duration(seconds.high)} (${basis})`;
  return `${work}${memory}${time}${notes.map((note) => `; ${note}`).join("")}`;
}

const gib = (bytes: number): string =>
  bytes < 2 ** 30 ? `${Math.round(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;

export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 90 * 60 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
