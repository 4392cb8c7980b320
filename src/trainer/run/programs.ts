/** @file The programs that run on ONNX Runtime: what goes in, what comes out. Each is one graph. */
import { gradients } from "../autodiff/index.js";
import { type Graph, GraphBuilder, type Value } from "../graph/index.js";
import {
  type LogpsUse,
  nllLoss,
  orpoTerm,
  preferenceRules,
  preferenceTerm,
  tokenLogps,
  weightedLogps,
} from "../losses/index.js";
import {
  decoder,
  headOf,
  openParameters,
  type ProgramSource,
  packedVisibility,
  rotaryAngles,
  type ThetaLayout,
} from "../model/index.js";
import { adamw, clipByGlobalNorm } from "../optim/index.js";
import type { LossName } from "./policy.js";

export interface TrainProgramOptions {
  /** Share of a LoRA layer's inputs that is left out; more than 0 adds the input `noise`. */
  readonly loraDropout?: number;
  readonly gradientCheckpointing?: boolean;
  /** Where frozen weights are opened, if the program becomes the body of a loop. */
  readonly outside?: GraphBuilder;
}

interface Rows {
  readonly theta: Value;
  /** Log-probability of each label, [labels]. */
  readonly logps: Value;
}

/** Packed rows to the log-probability of each label; shared by training and scoring, so that the two cannot disagree. */
function labelLogps(
  g: GraphBuilder,
  { checkpoint, layout, loraScale, computeDtype: dtype = "float32" }: ProgramSource,
  use: LogpsUse,
  { loraDropout = 0, gradientCheckpointing = false, outside = g }: TrainProgramOptions = {},
): Rows {
  const { config } = checkpoint;
  const cell = (name: string): Value => g.input(name, "int32", ["batch", "time"]);
  const theta = g.input("theta", "float32", [layout.length]);
  const dropout = loraDropout > 0 ? { noise: cell("noise"), dropout: loraDropout } : {};
  const parameters = openParameters(g, checkpoint, layout, theta, loraScale, { ...dropout, dtype, outside });
  const ids = cell("ids");
  const positions = cell("positions");
  const order = g.input("order", "int32", ["time"]);
  const visible = packedVisibility(g, cell("items"), cell("branches"), positions, order);
  const angles = rotaryAngles(g, config, positions, order, dtype);
  const { hidden } = decoder(g, config, parameters, { ids, angles, visible, gradientCheckpointing });
  const rows = g.gather(g.reshape(hidden, ["tokens", config.hiddenSize]), g.input("label_rows", "int32", ["labels"]));
  const targets = g.input("targets", "int32", ["labels"]);
  return { theta, logps: tokenLogps(g, rows, headOf(config, parameters), targets, use) };
}

/** Inputs as in {@link labelLogps}; output `logps` [labels]. */
export function scoreProgram(source: ProgramSource): Graph {
  const g = new GraphBuilder();
  g.output("logps", labelLogps(g, source, "score").logps);
  return g.build();
}

/**
 * Forward, backward and optimizer in one graph. `gradient` carries the sum of earlier micro-batches of the same step in
 * and out; `next_theta`, `next_m`, `next_v` are the update by that sum, to be taken after the last micro-batch only.
 * Weights of labels and pairs are inputs, so that every mean is over the whole step, however it is cut up.
 *
 * In float16 the input `loss_scale` multiplies what runs backward, so that small gradients are no zeros; it is divided
 * out again in float32 before anything is summed (Micikevicius et al. 2018, arXiv 1710.03740).
 */
export function trainProgram(source: ProgramSource, loss: LossName, options: TrainProgramOptions = {}): Graph {
  const g = new GraphBuilder();
  for (const [name, value] of Object.entries(trainStep(g, source, loss, options))) g.output(name, value);
  return g.build();
}

type Outputs = Readonly<Record<string, Value>>;

/** The outputs of {@link trainProgram} by name. */
export function trainStep(
  g: GraphBuilder,
  source: ProgramSource,
  loss: LossName,
  options: TrainProgramOptions = {},
): Outputs {
  const { theta, logps } = labelLogps(g, source, "differentiate", options);
  const nll = nllLoss(g, logps, g.input("nll_weights", "float32", ["labels"]));
  const { term, outputs } = loss === "sft" ? { term: undefined, outputs: {} } : preference(g, loss, logps);
  const total = term === undefined ? nll : g.add(nll, term);
  const gradient = gradientOf(g, source, total, theta);
  return { ...outputs, loss: total, nll, ...optimizer(g, source.layout, theta, gradient) };
}

function gradientOf(g: GraphBuilder, { computeDtype }: ProgramSource, loss: Value, theta: Value): Value {
  if (computeDtype !== "float16") return gradients(g, loss, [theta])[0] as Value;
  const scale = g.input("loss_scale", "float32", []);
  return g.div(gradients(g, loss, [theta], scale)[0] as Value, scale);
}

/** The term that compares replies, and its per-pair values, named in {@link preferenceOutputs}. */
function preference(
  g: GraphBuilder,
  loss: Exclude<LossName, "sft">,
  logps: Value,
): { readonly term: Value; readonly outputs: Outputs } {
  const reply = (name: string): Value =>
    weightedLogps(g, g.input(`${name}_weights`, "float32", ["pairs", "labels"]), logps);
  const perPair = (name: string): Value => g.input(name, "float32", ["pairs"]);
  const scalar = (name: string): Value => g.input(name, "float32", []);
  const [chosen, rejected] = [reply("chosen"), reply("rejected")];
  if (loss === "orpo") {
    const term = orpoTerm(g, chosen, rejected, perPair("pair_weights"), scalar("beta"));
    const { logOdds: log_odds, logSigmoidOdds: log_sigmoid_odds } = term;
    return { term: term.loss, outputs: { chosen, rejected, log_odds, log_sigmoid_odds } };
  }
  const reference = preferenceRules[loss].reference
    ? { refChosen: perPair("ref_chosen"), refRejected: perPair("ref_rejected") }
    : {};
  const { loss: term } = preferenceTerm(g, loss, {
    chosen,
    rejected,
    ...reference,
    weights: perPair("pair_weights"),
    beta: scalar("beta"),
    labelSmoothing: scalar("label_smoothing"),
    simpoGamma: scalar("simpo_gamma"),
  });
  return { term, outputs: { chosen, rejected } };
}

/** Per-pair outputs of a train program. */
export function preferenceOutputs(loss: LossName): readonly string[] {
  if (loss === "sft") return [];
  return loss === "orpo" ? ["chosen", "rejected", "log_odds", "log_sigmoid_odds"] : ["chosen", "rejected"];
}

function optimizer(g: GraphBuilder, layout: ThetaLayout, theta: Value, gradient: Value): Outputs {
  const vector = (name: string): Value => g.input(name, "float32", [layout.length]);
  const scalar = (name: string): Value => g.input(name, "float32", []);
  const sum = g.add(vector("gradient"), gradient);
  const { clipped, norm } = clipByGlobalNorm(g, sum, scalar("max_grad_norm"));
  const inputs = { stepSize: scalar("step_size"), rootBias2: scalar("root_bias2"), decay: scalar("decay") };
  const next = adamw(g, { theta, m: vector("m"), v: vector("v") }, clipped, inputs, decayMask(g, layout));
  return { sum_gradient: sum, grad_norm: norm, next_theta: next.theta, next_m: next.m, next_v: next.v };
}

/** 1 where weight decay applies: a scalar where it does everywhere, else runs of ones and zeros. */
function decayMask(g: GraphBuilder, { entries }: ThetaLayout): Value {
  if (entries.every((entry) => entry.decay)) return g.scalar(1);
  const runs: { decay: boolean; size: number }[] = [];
  for (const { decay, size } of entries) {
    const last = runs.at(-1);
    if (last?.decay === decay) last.size += size;
    else runs.push({ decay, size });
  }
  return g.concat(
    runs.map(({ decay, size }) => g.filled(size, decay ? 1 : 0)),
    0,
  );
}
