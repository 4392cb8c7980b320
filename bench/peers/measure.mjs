/** @file What both peers share: the job on stdin, when tokens came, and what else the machine did meanwhile (Linux only). */
import { readFileSync } from "node:fs";
import { cpuUsage, resourceUsage } from "node:process";
import { text } from "node:stream/consumers";

const TICKS_PER_SECOND = 100;

/** { model, prompts: number[][], newTokens, threads } */
export const readJob = async () => JSON.parse(await text(process.stdin));

/** Processor seconds of all cores since the machine started. */
function machineSeconds() {
  try {
    const [, user, nice, system, , , irq, softirq] = readFileSync("/proc/stat", "utf8").split("\n", 1)[0].split(/\s+/);
    return [user, nice, system, irq, softirq].reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}

function ownSeconds() {
  const { user, system } = cpuUsage();
  return (user + system) / 1e6;
}

/**
 * Times one generation: `generate(arrived)` calls `arrived(row, ids)` with each new token. Gives the tokens of each row, and
 * events [milliseconds since the start, row, number of tokens].
 */
export async function timed(rows, generate) {
  const events = [];
  const ids = Array.from({ length: rows }, () => []);
  const machine = machineSeconds();
  const own = ownSeconds();
  const started = performance.now();
  await generate((row, tokens) => {
    events.push([performance.now() - started, row, tokens.length]);
    ids[row].push(...tokens);
  });
  const seconds = (performance.now() - started) / 1000;
  const others = machineSeconds() - machine - (ownSeconds() - own);
  return { events, ids, otherCores: Math.max(0, others) / seconds };
}

/** A warm-up of the same number of rows: short prompts that no case uses. */
export const warmupPrompts = (prompts) =>
  prompts.map((prompt, row) => Array.from({ length: 16 }, (_, i) => prompt[(i * 5 + row) % prompt.length]));

/** One line of JSON on stdout, then the end: a peer's threads may keep a process alive. */
export function report(peer, runs) {
  const line = JSON.stringify({ peer, runs, peakRssMb: resourceUsage().maxRSS / 1024 });
  process.stdout.write(`${line}\n`, () => process.exit(0));
}
