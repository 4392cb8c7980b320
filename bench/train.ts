/** @file The training bench: tokens per second and peak memory of LoRA steps on single pairs, beside TRL's where asked. */
import { DISTURBED, median, type TimedStep, usable } from "./load.js";
import { benchModel, benchPairs, writePairs } from "./model.js";
import { parseOptions, type TrainBenchOptions } from "./options.js";
import { matmulRate, type OurRun, ourRun, stepFlops } from "./ours.js";
import { type PeerRun, peerPython, peerRun } from "./trl.js";

/** Different pairs, so that no side profits from having seen its step before. */
const PAIRS = 16;

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const rounded = (value: number, digits = 2): number => Number(value.toFixed(digits));

export async function trainBench(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  const model = await benchModel(options.model);
  const pairs = benchPairs(PAIRS, model.vocabulary, options.promptTokens, options.answerTokens);
  const flops = await stepFlops(model, pairs[0] as (typeof pairs)[number], options);
  const python = options.peer ? await peerPython(options.python) : undefined;
  const pairsFile = await writePairs(pairs);
  const ours: OurRun[] = [];
  /** Before and after each run of ours; the best counts, as others' work only lowers it. */
  const rates: number[] = [];
  const float32: PeerRun[] = [];
  const bf16: PeerRun[] = [];
  for (let repeat = 1; repeat <= options.repeats; repeat += 1) {
    rates.push(await matmulRate(options.threads));
    ours.push(await ourRun(model, pairs, options));
    rates.push(await matmulRate(options.threads));
    say(
      `${repeat}/${options.repeats} ours: ${stepsText(ours.at(-1)?.steps)}, engine ${ours.at(-1)?.engineRssMb.toFixed(0)} MiB`,
    );
    if (python === undefined) continue;
    for (const [dtype, runs] of [
      ["float32", float32],
      ["bf16", bf16],
    ] as const) {
      if (dtype === "bf16" && !options.peerBf16) continue;
      runs.push(await peerRun(python, model, pairsFile, dtype, options));
      say(
        `${repeat}/${options.repeats} TRL ${dtype}: ${stepsText(runs.at(-1)?.steps)}, ${runs.at(-1)?.peakRssMb.toFixed(0)} MiB`,
      );
    }
  }
  const result = {
    ...ourFigures(ours, options, flops, Math.max(...rates)),
    ...peerFigures(ours, float32, bf16, options),
    model: model.name,
    loss: options.loss,
    threads: options.threads,
    gradientCheckpointing: options.gradientCheckpointing,
    disturbedSteps: [...ours, ...float32, ...bf16]
      .flatMap(({ steps }) => steps)
      .filter(({ otherCores }) => otherCores > DISTURBED).length,
  };
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${JSON.stringify(result, null, 2)}\n`);
}

const stepsText = (steps: readonly TimedStep[] = []): string =>
  steps
    .map(({ seconds, otherCores }) => `${seconds.toFixed(2)} s${otherCores > DISTURBED ? " (disturbed)" : ""}`)
    .join(", ");

const secondsOf = (runs: readonly { readonly steps: readonly TimedStep[] }[]): number =>
  median(usable(runs.flatMap(({ steps }) => steps)).map(({ seconds }) => seconds));

/** Prompt and answer of both sides, whether or not the prompt was computed twice. */
const unsharedTokens = ({ promptTokens, answerTokens }: TrainBenchOptions): number => 2 * (promptTokens + answerTokens);

const ourRssMb = (runs: readonly OurRun[]): number => median(runs.map((run) => run.engineRssMb + run.parentRssMb));

function ourFigures(runs: readonly OurRun[], options: TrainBenchOptions, flops: number, rate: number) {
  const seconds = secondsOf(runs);
  return {
    tokensPerSecond: rounded(unsharedTokens(options) / seconds),
    pairsPerSecond: rounded(1 / seconds, 4),
    peakRssMb: rounded(ourRssMb(runs), 1),
    sessionMs: rounded(median(runs.map(({ sessionMs }) => sessionMs)), 0),
    matmulFraction: rounded(flops / seconds / rate, 3),
    engineRssMb: rounded(median(runs.map(({ engineRssMb }) => engineRssMb)), 1),
    parentRssMb: rounded(median(runs.map(({ parentRssMb }) => parentRssMb)), 1),
    stepGflop: rounded(flops / 1e9, 1),
    matmulGflops: rounded(rate / 1e9, 1),
    device: runs[0]?.device,
  };
}

function peerFigures(
  ours: readonly OurRun[],
  float32: readonly PeerRun[],
  bf16: readonly PeerRun[],
  options: TrainBenchOptions,
) {
  if (float32.length === 0) return {};
  const figures = (runs: readonly PeerRun[]) => ({
    tokensPerSecond: rounded(unsharedTokens(options) / secondsOf(runs)),
    peakRssMb: rounded(median(runs.map(({ peakRssMb }) => peakRssMb)), 1),
  });
  const ratio = (runs: readonly PeerRun[]) => ({
    speed: rounded(secondsOf(runs) / secondsOf(ours), 3),
    memory: rounded(ourRssMb(ours) / median(runs.map(({ peakRssMb }) => peakRssMb)), 3),
  });
  return {
    ratio: ratio(float32),
    peer: float32[0]?.peer,
    trlFloat32: figures(float32),
    ...(bf16.length === 0 ? {} : { trlBf16: figures(bf16), ratioToBf16: ratio(bf16) }),
  };
}
