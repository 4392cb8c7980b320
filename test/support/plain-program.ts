/** @file The training step written the plain way: all logits, log-softmax over them, and a builder of the test's choice. */
import { gradients } from "../../src/trainer/autodiff/index.js";
import { GraphBuilder, type Value } from "../../src/trainer/graph/index.js";
import { nllLoss, orpoTerm, preferenceRules, preferenceTerm, weightedLogps } from "../../src/trainer/losses/index.js";
import {
  decoder,
  headLogits,
  openParameters,
  type ProgramSource,
  packedVisibility,
  rotaryAngles,
} from "../../src/trainer/model/index.js";
import { adamw, clipByGlobalNorm } from "../../src/trainer/optim/index.js";
import type { LossName } from "../../src/trainer/run/policy.js";
import type { TrainProgramOptions } from "../../src/trainer/run/programs.js";
import type { Built } from "./recompute.js";

/** Takes the feeds of the real train program and gives its outputs. Every weight decays, as LoRA's do. */
export function plainTrainProgram(
  source: ProgramSource,
  loss: LossName,
  { loraDropout = 0, gradientCheckpointing = false }: TrainProgramOptions = {},
  g: GraphBuilder = new GraphBuilder(),
): Built {
  const { checkpoint, layout, loraScale } = source;
  const { config } = checkpoint;
  const cell = (name: string): Value => g.input(name, "int32", ["batch", "time"]);
  const vector = (name: string): Value => g.input(name, "float32", [layout.length]);
  const scalar = (name: string): Value => g.input(name, "float32", []);
  const theta = vector("theta");
  const dropout = loraDropout > 0 ? { noise: cell("noise"), dropout: loraDropout } : {};
  const parameters = openParameters(g, checkpoint, layout, theta, loraScale, dropout);
  const [ids, positions, order] = [cell("ids"), cell("positions"), g.input("order", "int32", ["time"])];
  const visible = packedVisibility(g, cell("items"), cell("branches"), positions, order);
  const { hidden } = decoder(g, config, parameters, {
    ids,
    angles: rotaryAngles(g, config, positions, order, "float32"),
    visible,
    gradientCheckpointing,
  });

  const scores = g.reshape(headLogits(g, config, parameters, hidden), ["tokens", config.vocabSize]);
  const all = g.sub(scores, g.reduceLogSumExp(scores, [-1], true)); // log-softmax of every token
  const rows = g.gather(all, g.input("label_rows", "int32", ["labels"]));
  const targets = g.reshape(g.input("targets", "int32", ["labels"]), ["labels", 1]);
  const logps = g.reshape(g.gatherElements(rows, targets, -1), ["labels"]);

  const nll = nllLoss(g, logps, g.input("nll_weights", "float32", ["labels"]));
  const total = loss === "sft" ? nll : g.add(nll, preference(g, loss, logps));
  const forwardNodes = g.nodes.length;
  const [gradient] = gradients(g, total, [theta]) as readonly [Value];
  const sum = g.add(vector("gradient"), gradient);
  const { clipped } = clipByGlobalNorm(g, sum, scalar("max_grad_norm"));
  const scalars = { stepSize: scalar("step_size"), rootBias2: scalar("root_bias2"), decay: scalar("decay") };
  const next = adamw(g, { theta, m: vector("m"), v: vector("v") }, clipped, scalars, g.scalar(1));
  const outputs = { loss: total, sum_gradient: sum, next_theta: next.theta, next_m: next.m, next_v: next.v };
  for (const [name, value] of Object.entries(outputs)) g.output(name, value);
  return { graph: g.build(), nodes: g.nodes, segments: g.segments, forwardNodes };
}

function preference(g: GraphBuilder, loss: Exclude<LossName, "sft">, logps: Value): Value {
  const perPair = (name: string): Value => g.input(name, "float32", ["pairs"]);
  const scalar = (name: string): Value => g.input(name, "float32", []);
  const reply = (name: string): Value =>
    weightedLogps(g, g.input(`${name}_weights`, "float32", ["pairs", "labels"]), logps);
  const [chosen, rejected, weights] = [reply("chosen"), reply("rejected"), perPair("pair_weights")];
  const beta = scalar("beta");
  if (loss === "orpo") return orpoTerm(g, chosen, rejected, weights, beta).loss;
  const [labelSmoothing, simpoGamma] = [scalar("label_smoothing"), scalar("simpo_gamma")];
  const reference = preferenceRules[loss].reference
    ? { refChosen: perPair("ref_chosen"), refRejected: perPair("ref_rejected") }
    : {};
  return preferenceTerm(g, loss, { chosen, rejected, ...reference, weights, beta, labelSmoothing, simpoGamma }).loss;
}
