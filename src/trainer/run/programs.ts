/** @file The programs that run on ONNX Runtime: what goes in, what comes out. Each is one graph. */
import { gradients } from "../autodiff/index.js";
import type { CheckpointDir } from "../checkpoint/types.js";
import { addDims, type Graph, GraphBuilder, type Value } from "../graph/index.js";
import { nllLoss, orpoTerm, tokenLogps, weightedLogps } from "../losses/index.js";
import {
  cachedVisibility,
  decoder,
  headWeight,
  logits,
  openParameters,
  type Parameters,
  packedVisibility,
  type ThetaLayout,
} from "../model/index.js";
import { adamw, clipByGlobalNorm } from "../optim/index.js";

/** What every program of one policy is built from. */
export interface ProgramSource {
  readonly checkpoint: Pick<CheckpointDir, "config" | "tensors">;
  readonly layout: ThetaLayout;
  readonly loraScale: number;
}

interface Rows {
  readonly parameters: Parameters;
  readonly theta: Value;
  /** Log-probability of each label, [labels]. */
  readonly logps: Value;
}

/** Packed rows to the log-probability of each label; shared by training and scoring, so that the two cannot disagree. */
function labelLogps(g: GraphBuilder, { checkpoint, layout, loraScale }: ProgramSource): Rows {
  const { config } = checkpoint;
  const cell = (name: string): Value => g.input(name, "int32", ["batch", "time"]);
  const theta = g.input("theta", "float32", [layout.length]);
  const parameters = openParameters(g, checkpoint, layout, theta, loraScale);
  const ids = cell("ids");
  const positions = cell("positions");
  const visible = packedVisibility(g, cell("items"), cell("branches"), g.input("order", "int32", ["time"]));
  const { hidden } = decoder(g, config, parameters, { ids, positions, visible });
  const rows = g.gather(g.reshape(hidden, ["tokens", config.hiddenSize]), g.input("label_rows", "int32", ["labels"]));
  const logps = tokenLogps(g, rows, headWeight(config, parameters), g.input("targets", "int32", ["labels"]));
  return { parameters, theta, logps };
}

/** Inputs as in {@link labelLogps}; output `logps` [labels]. */
export function scoreProgram(source: ProgramSource): Graph {
  const g = new GraphBuilder();
  g.output("logps", labelLogps(g, source).logps);
  return g.build();
}

/**
 * Forward, backward and optimizer in one graph. `gradient` carries the sum of earlier micro-batches of the same step in
 * and out; `next_theta`, `next_m`, `next_v` are the update by that sum, to be taken after the last micro-batch only.
 * Weights of labels and pairs are inputs, so that every mean is over the whole step, however it is cut up.
 */
export function trainProgram(source: ProgramSource, loss: "sft" | "orpo"): Graph {
  const g = new GraphBuilder();
  const { theta, logps } = labelLogps(g, source);
  const nll = nllLoss(g, logps, g.input("nll_weights", "float32", ["labels"]));
  const total = loss === "sft" ? nll : withPreference(g, nll, logps);
  g.output("loss", total);
  g.output("nll", nll);
  const [gradient] = gradients(g, total, [theta]) as readonly [Value];
  optimizer(g, source.layout, theta, gradient);
  return g.build();
}

function withPreference(g: GraphBuilder, nll: Value, logps: Value): Value {
  const weights = (name: string): Value => g.input(name, "float32", ["pairs", "labels"]);
  const chosen = weightedLogps(g, weights("chosen_weights"), logps);
  const rejected = weightedLogps(g, weights("rejected_weights"), logps);
  const term = orpoTerm(
    g,
    chosen,
    rejected,
    g.input("pair_weights", "float32", ["pairs"]),
    g.input("beta", "float32", []),
  );
  g.output("chosen", chosen);
  g.output("rejected", rejected);
  g.output("log_odds", term.logOdds);
  g.output("log_sigmoid_odds", term.logSigmoidOdds);
  return g.add(nll, term.loss);
}

function optimizer(g: GraphBuilder, layout: ThetaLayout, theta: Value, gradient: Value): void {
  const vector = (name: string): Value => g.input(name, "float32", [layout.length]);
  const scalar = (name: string): Value => g.input(name, "float32", []);
  const sum = g.add(vector("gradient"), gradient);
  const { clipped, norm } = clipByGlobalNorm(g, sum, scalar("max_grad_norm"));
  const inputs = { stepSize: scalar("step_size"), rootBias2: scalar("root_bias2"), decay: scalar("decay") };
  const next = adamw(g, { theta, m: vector("m"), v: vector("v") }, clipped, inputs, decayMask(g, layout));
  g.output("sum_gradient", sum);
  g.output("grad_norm", norm);
  g.output("next_theta", next.theta);
  g.output("next_m", next.m);
  g.output("next_v", next.v);
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

/** Name of the cache tensors of a layer, in and out. */
export const cacheNames = (layer: number) => ({
  past: [`past_key_${layer}`, `past_value_${layer}`] as const,
  present: [`present_key_${layer}`, `present_value_${layer}`] as const,
});

/**
 * New tokens behind a cache: ids and positions [batch, time], valid_keys [batch, keys], query_order [time] and
 * key_order [keys], past keys and values [batch, kv heads, past, head dim]; gives logits of the last token
 * [batch, vocabulary] and the longer cache.
 */
export function generateProgram({ checkpoint, layout, loraScale }: ProgramSource): Graph {
  const g = new GraphBuilder();
  const { config } = checkpoint;
  const theta = g.input("theta", "float32", [layout.length]);
  const parameters = openParameters(g, checkpoint, layout, theta, loraScale);
  const ids = g.input("ids", "int32", ["batch", "time"]);
  const positions = g.input("positions", "int32", ["batch", "time"]);
  const keys = addDims("past", "time");
  const valid = g.input("valid_keys", "int32", ["batch", keys]);
  const visible = cachedVisibility(
    g,
    valid,
    g.input("query_order", "int32", ["time"]),
    g.input("key_order", "int32", [keys]),
  );
  const cache = (name: string): Value =>
    g.input(name, "float32", ["batch", config.numKeyValueHeads, "past", config.headDim]);
  const layers = Array.from({ length: config.numHiddenLayers }, (_, layer) => cacheNames(layer));
  const past = layers.map((names) => ({ key: cache(names.past[0]), value: cache(names.past[1]) }));
  const { hidden, present } = decoder(g, config, parameters, { ids, positions, visible, past });
  const last = g.reshape(g.slice(hidden, 1, -1), ["batch", config.hiddenSize]);
  g.output("logits", logits(g, config, parameters, last));
  present.forEach(({ key, value }, layer) => {
    const [keyName, valueName] = cacheNames(layer).present;
    g.output(keyName, key);
    g.output(valueName, value);
  });
  return g.build();
}
