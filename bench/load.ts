/** @file What else the machine did meanwhile. A step that shared its cores tells nothing about the code. Linux only. */
import { readdirSync, readFileSync } from "node:fs";
import { cpuUsage } from "node:process";

/** Above this many cores taken by others, a step counts as disturbed. */
export const DISTURBED = 0.15;

const TICKS_PER_SECOND = 100;

const read = (file: string): string => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
};

/** Ids of the processes that a process started. */
function children(process: string): string[] {
  const ids: string[] = [];
  try {
    for (const task of readdirSync(`/proc/${process}/task`)) {
      ids.push(...read(`/proc/${process}/task/${task}/children`).split(/\s+/).filter(Boolean));
    }
  } catch {
    // No /proc, or the process has ended: nothing is known.
  }
  return ids;
}

/** Processor seconds of all cores since the machine started. */
function machineSeconds(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = read("/proc/stat")
    .split("\n", 1)
    .join("")
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}

function secondsOf(id: string): number {
  // The name of a process may hold spaces; what follows it does not.
  const fields = read(`/proc/${id}/stat`).split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND;
}

/** Processor seconds of this process and of those it started that still run. */
function ownSeconds(): number {
  const { user, system } = cpuUsage();
  return children("self").reduce((sum, id) => sum + secondsOf(id), (user + system) / 1e6);
}

/** Processor seconds of a process and of all below it that still run. */
export const treeSeconds = (id: number | string): number =>
  children(String(id)).reduce((sum, child) => sum + treeSeconds(child), secondsOf(String(id)));

/** Starts a watch; its function gives the seconds since, and the cores that others had meanwhile. */
export function stopwatch(): () => { readonly seconds: number; readonly otherCores: number } {
  const started = performance.now();
  const machine = machineSeconds();
  const own = ownSeconds();
  return () => {
    const seconds = (performance.now() - started) / 1000;
    const others = machineSeconds() - machine - (ownSeconds() - own);
    return { seconds, otherCores: Math.max(0, others) / seconds };
  };
}

export interface TimedStep {
  readonly seconds: number;
  readonly otherCores: number;
}

/** Undisturbed steps where there are any, all of them otherwise. */
export function usable<T extends { readonly otherCores: number }>(steps: readonly T[]): readonly T[] {
  const quiet = steps.filter(({ otherCores }) => otherCores <= DISTURBED);
  return quiet.length > 0 ? quiet : steps;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle) - 1] ?? Number.NaN)) / 2;
}
