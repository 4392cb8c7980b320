/** @file The generation bench: tokens per second of greedy decoding for each weight format, beside its peers where asked. */
import { openPolicy, type Policy, type RolloutGap } from "../dist/trainer/index.js";
import {
  bytesPerStep,
  type ModelSizes,
  type Round,
  ratesOf,
  ratioOf,
  sameTokens,
  type TimedGeneration,
} from "./generate-figures.js";
import { type GenerateBenchOptions, parseGenerateOptions, type Weights } from "./generate-options.js";
import {
  cancelTimes,
  casePrompts,
  type GenerateCase,
  modelSizes,
  ourCase,
  readRate,
  samplerGap,
} from "./generate-ours.js";
import { installPeers, PEER_NAMES, type PeerCase, type PeerName, peerCase, peerModel } from "./generate-peers.js";
import { DISTURBED, median, usable } from "./load.js";
import { type BenchModel, benchModel } from "./model.js";

interface OurCase extends TimedGeneration {
  /** Of the engine process so far: cases go from small to large. */
  readonly peakRssMb: number;
}

/** All repetitions of one case; peers' at the same index ran right after ours. */
interface CaseRuns extends GenerateCase {
  readonly weights: Weights;
  readonly ours: OurCase[];
  readonly peers: Record<PeerName, PeerCase[]>;
}

type PeerModels = Readonly<Partial<Record<PeerName, string>>>;

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const rounded = (value: number, digits = 2): number => Number(value.toFixed(digits));

export async function generateBench(args: readonly string[]): Promise<void> {
  const options = parseGenerateOptions(args);
  const model = await benchModel(options.model);
  const models = await peerModels(model, options);
  const cases = options.weights.flatMap((weights) =>
    options.batches.flatMap((batch) => options.prompts.map((prompt) => newCase(weights, batch, prompt))),
  );
  /** Before and after each repetition; the best counts. */
  const rates = [await readRate(options.threads)];
  const gap: Partial<Record<Weights, RolloutGap>> = {};
  const cancelMs: Partial<Record<Weights, Record<string, unknown>>> = {};
  let device = "";
  for (let repeat = 1; repeat <= options.repeats; repeat += 1) {
    for (const weights of options.weights) {
      const policy = await openPolicy(policyOptions(model, weights, options));
      try {
        for (const one of cases.filter((of) => of.weights === weights)) {
          await runCase(one, policy, model, models.get(weights) ?? {}, options);
          say(`${repeat}/${options.repeats} ${caseText(one)}`);
        }
        if (repeat === options.repeats) cancelMs[weights] = await cancelFigures(policy, model, options);
        // After the cases: scoring opens another session, whose memory is not the sampler's.
        if (options.gap && repeat === options.repeats) gap[weights] = await samplerGap(policy, model);
        device = policy.info.device;
      } finally {
        await policy.close();
      }
    }
    rates.push(await readRate(options.threads));
  }
  const sizes = await modelSizes(model.path);
  const bandwidth = Math.max(...rates);
  const result = {
    cases: cases.map((of) => caseFigures(of, sizes, bandwidth, options)),
    ...(options.gap && { gap: Object.fromEntries(Object.entries(gap).map(([name, of]) => [name, gapFigures(of)])) }),
    cancelMs,
    model: model.name,
    newTokens: options.newTokens,
    threads: options.threads,
    repeats: options.repeats,
    device,
    readGBs: rounded(bandwidth / 1e9, 1),
    disturbedRuns: cases.reduce((sum, of) => sum + disturbedRuns(of), 0),
  };
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${JSON.stringify(result, null, 2)}\n`);
}

const newCase = (weights: Weights, batch: number, prompt: number): CaseRuns => ({
  weights,
  batch,
  prompt,
  ours: [],
  peers: { llamaCpp: [], transformersJs: [] },
});

const policyOptions = (model: BenchModel, rolloutWeights: Weights, { threads }: GenerateBenchOptions) =>
  ({ model: model.path, trainable: { kind: "none" }, seed: 7, threads, device: "cpu", rolloutWeights }) as const;

/** What must be downloaded or made is there before the first clock starts. */
async function peerModels(model: BenchModel, options: GenerateBenchOptions): Promise<Map<Weights, PeerModels>> {
  const models = new Map<Weights, PeerModels>();
  if (!options.peer) return models;
  await installPeers();
  for (const weights of options.weights) {
    const entries: [PeerName, string][] = [];
    for (const name of PEER_NAMES) {
      const path = await peerModel(name, model.path, weights, options.python);
      if (path !== undefined) entries.push([name, path]);
    }
    models.set(weights, Object.fromEntries(entries));
  }
  return models;
}

/** Ours, then each peer: what the machine does in these minutes, it does to all of them. */
async function runCase(
  of: CaseRuns,
  policy: Policy,
  model: BenchModel,
  models: PeerModels,
  { newTokens, threads }: GenerateBenchOptions,
): Promise<void> {
  const measured = await ourCase(policy, model, of, newTokens);
  of.ours.push({ ...measured, peakRssMb: policy.info.peakRssMb ?? Number.NaN });
  const prompts = casePrompts(of, model.vocabulary);
  for (const name of PEER_NAMES) {
    const path = models[name];
    if (path !== undefined) of.peers[name].push(await peerCase(name, path, prompts, newTokens, threads));
  }
}

const allRuns = ({ ours, peers }: CaseRuns): TimedGeneration[] => [...ours, ...Object.values(peers).flat()];

const disturbedRuns = (of: CaseRuns): number => allRuns(of).filter(({ otherCores }) => otherCores > DISTURBED).length;

function caseText({ weights, batch, prompt, ours, peers }: CaseRuns): string {
  const text = (runs: readonly TimedGeneration[]): string => {
    const last = runs.at(-1);
    if (last === undefined) return "–";
    return `${ratesOf(last).tokensPerSecond.toFixed(1)} tokens/s${last.otherCores > DISTURBED ? " (disturbed)" : ""}`;
  };
  const others = PEER_NAMES.map((name) => `, ${name} ${text(peers[name])}`).join("");
  return `${weights}, batch ${batch}, prompt ${prompt}: ours ${text(ours)}${others}`;
}

function caseFigures(of: CaseRuns, sizes: ModelSizes, bandwidth: number, { newTokens, peer }: GenerateBenchOptions) {
  const { weights, batch, prompt, ours, peers } = of;
  const own = runFigures(ours);
  const bytes = bytesPerStep(sizes, weights, batch, prompt + newTokens / 2);
  const ran = PEER_NAMES.filter((name) => peers[name].length > 0);
  const perPeer = (figure: (name: PeerName) => unknown) => Object.fromEntries(ran.map((name) => [name, figure(name)]));
  return {
    weights,
    batch,
    prompt,
    ...own,
    bandwidthShare: rounded((bytes * own.tokensPerSecond) / batch / bandwidth, 3),
    ...(peer && {
      ratio: perPeer((name) => rounded(ratioOf(roundsOf(ours, peers[name])), 3)),
      peers: perPeer((name) => peerFigures(ours, peers[name])),
    }),
    disturbedRuns: disturbedRuns(of),
  };
}

const roundsOf = (ours: readonly OurCase[], theirs: readonly PeerCase[]): Round[] =>
  ours.flatMap((own, i) => {
    const other = theirs[i];
    return other === undefined ? [] : [{ ours: own, theirs: other }];
  });

function runFigures(runs: readonly OurCase[]) {
  const rates = usable(runs).map(ratesOf);
  return {
    tokensPerSecond: rounded(median(rates.map(({ tokensPerSecond }) => tokensPerSecond))),
    totalTokensPerSecond: rounded(median(rates.map(({ totalTokensPerSecond }) => totalTokensPerSecond))),
    firstTokenMs: rounded(median(rates.map(({ firstTokenMs }) => firstTokenMs)), 1),
    peakRssMb: rounded(median(runs.map(({ peakRssMb }) => peakRssMb)), 1),
  };
}

const peerFigures = (ours: readonly OurCase[], runs: readonly PeerCase[]) => ({
  ...runFigures(runs),
  peer: runs[0]?.peer,
  settings: runs[0]?.settings,
  /** 1 in float32 if both computed the same model. */
  sameTokens: rounded(sameTokens(ours[0]?.ids ?? [], runs[0]?.ids ?? []), 3),
});

async function cancelFigures(policy: Policy, model: BenchModel, { batches }: GenerateBenchOptions) {
  const figures: Record<string, unknown> = {};
  for (const batch of batches) {
    const { decoding, reading } = await cancelTimes(policy, model, batch);
    figures[`batch ${batch}`] = { decoding: rounded(decoding, 0), reading: rounded(reading, 0) };
  }
  return figures;
}

const gapFigures = ({ mean, max, tokens }: RolloutGap) => ({
  mean: Number(mean.toPrecision(3)),
  max: Number(max.toPrecision(3)),
  tokens,
});
