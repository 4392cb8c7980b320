/** @file The peer's side: bench/peers/trl_train.py in a process of its own, set up on demand. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { TimedStep } from "./load.js";
import type { BenchModel } from "./model.js";
import type { TrainBenchOptions } from "./options.js";

const run = promisify(execFile);
const here = (path: string): string => fileURLToPath(new URL(`../bench/peers/${path}`, import.meta.url));
/** Ignored by git. */
const VENV = fileURLToPath(new URL("../.cache/venv", import.meta.url));
const LARGEST_OUTPUT = 1 << 24;

export interface PeerRun {
  readonly peer: string;
  readonly steps: readonly TimedStep[];
  readonly peakRssMb: number;
  readonly losses: readonly number[];
}

interface PeerReport {
  readonly peer: string;
  readonly seconds: readonly number[];
  readonly otherCores: readonly number[];
  readonly peakRssMb: number;
  readonly losses: readonly number[];
}

/** A Python with the peer's packages; installs them into .cache/venv where none was named and none is there. */
export const peerPython = (named: string | undefined): Promise<string> =>
  pythonWith(named, ["trl", "peft", "datasets"]);

/** As {@link peerPython}, for a peer that needs only some of the packages. */
export async function pythonWith(named: string | undefined, modules: readonly string[]): Promise<string> {
  const python = named ?? `${VENV}/bin/python`;
  if (named === undefined && !existsSync(python)) {
    process.stderr.write(`installing the peer into ${VENV} (torch first, then the rest)\n`);
    await run("python3", ["-m", "venv", VENV]);
    const pip = (...what: string[]) =>
      run(`${VENV}/bin/pip`, ["install", "--quiet", ...what], { maxBuffer: LARGEST_OUTPUT });
    await pip("torch==2.13.0");
    await pip("-r", here("requirements.txt"));
  }
  await run(python, ["-c", `import ${modules.join(", ")}`]).catch((cause: Error) => {
    throw new Error(
      `${python} lacks one of ${modules.join(", ")}: ${python} -m pip install -r bench/peers/requirements.txt`,
      { cause },
    );
  });
  return python;
}

/** Reference log-probabilities are computed before the clock starts, as on our side. */
export async function peerRun(
  python: string,
  model: BenchModel,
  pairsFile: string,
  dtype: "float32" | "bf16",
  options: TrainBenchOptions,
): Promise<PeerRun> {
  const { loss, steps, warmup, rank, threads, gradientCheckpointing } = options;
  const flags = { model: model.path, pairs: pairsFile, loss, dtype, steps, warmup, rank, threads };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  if (loss !== "orpo") args.push("--precompute-reference");
  if (gradientCheckpointing) args.push("--gradient-checkpointing");
  const { stdout } = await run(python, [here("trl_train.py"), ...args], { maxBuffer: LARGEST_OUTPUT });
  const report = JSON.parse(stdout.trim().split("\n").at(-1) as string) as PeerReport;
  const timed = report.seconds.map((seconds, i) => ({ seconds, otherCores: report.otherCores[i] ?? 0 }));
  return { peer: report.peer, steps: timed, peakRssMb: report.peakRssMb, losses: report.losses };
}
