/** @file A pre-norm decoder of any family that ModelConfig describes: token ids to hidden rows, hidden rows to logits. */
import type { LayerConfig, ModelConfig } from "../checkpoint/types.js";
import type { FloatDType, GraphBuilder, Value } from "../graph/index.js";
import { type AttentionContext, attention, groupedBias, type KeyValue } from "./attention.js";
import { embed, headLogits, headOf } from "./head.js";
import { mlp } from "./mlp.js";
import type { Parameters } from "./parameters.js";
import { rmsNorm } from "./rms-norm.js";
import { type RotaryTables, rotaryTables } from "./rotary.js";
import type { Visibility } from "./visibility.js";

export interface DecoderInputs {
  /** int32 [batch, time] */
  readonly ids: Value;
  /** int32 [batch, time] */
  readonly positions: Value;
  /** int32 [n], 0, 1, 2, …, where n is more than every position. */
  readonly order: Value;
  readonly visible: Visibility;
  /** Cached keys and values, one a layer. */
  readonly past?: readonly KeyValue[];
  /** Backward computes each layer again instead of keeping what is inside. */
  readonly gradientCheckpointing?: boolean;
}

/** Far below any score, and finite: a row that sees nothing (padding) must not become NaN. */
const HIDDEN_SCORE = -1e9;

/** Hidden rows after the last norm, [batch, time, hidden], and the keys and values of every layer. */
export function decoder(
  g: GraphBuilder,
  config: ModelConfig,
  parameters: Parameters,
  inputs: DecoderInputs,
): { readonly hidden: Value; readonly present: readonly KeyValue[] } {
  const contextOf = layerContexts(g, config, inputs, parameters.dtype);
  const norm = (module: string, x: Value): Value => rmsNorm(g, config, parameters, module, x);
  const present: KeyValue[] = [];
  let x = g.scale(embed(g, config, parameters, inputs.ids), config.embeddingScale);
  config.layers.forEach((layer, i) => {
    const module = `model.layers.${i}`;
    const post = (name: string, y: Value): Value => (config.sandwichNorms ? norm(`${module}.${name}`, y) : y);
    const mlpNorm = config.sandwichNorms ? "pre_feedforward_layernorm" : "post_attention_layernorm";
    const block = (): Value => {
      const attended = g.scope("attn", () => {
        const normed = norm(`${module}.input_layernorm`, x);
        return attention(g, config, parameters, `${module}.self_attn`, normed, contextOf(layer), inputs.past?.[i]);
      });
      present.push(attended.present);
      const between = g.add(x, post("post_attention_layernorm", attended.y));
      return g.scope("mlp", () => {
        const y = mlp(g, config, parameters, `${module}.mlp`, norm(`${module}.${mlpNorm}`, between));
        return g.add(between, post("post_feedforward_layernorm", y));
      });
    };
    x = g.scope(`layers.${i}`, () => (inputs.gradientCheckpointing ? g.segment([x], block) : block()));
  });
  return { hidden: g.scope("norm", () => norm("model.norm", x)), present };
}

/** What each layer's attention is given. Layers of one window share its bias, layers of one rope its tables. */
function layerContexts(
  g: GraphBuilder,
  config: ModelConfig,
  { positions, order, visible }: DecoderInputs,
  dtype: FloatDType,
): (layer: LayerConfig) => AttentionContext {
  const wide = g.cast(positions, "int64");
  const biases = new Map<number | undefined, Value>();
  const tables = new Map<number | undefined, RotaryTables>();
  for (const { window, rope } of config.layers) {
    if (!biases.has(window)) {
      biases.set(window, groupedBias(g, config, g.where(visible(window), g.scalar(0), g.scalar(HIDDEN_SCORE))));
    }
    const ropeConfig = rope === undefined ? undefined : config.ropes[rope];
    if (ropeConfig !== undefined && !tables.has(rope)) {
      const { cos, sin } = rotaryTables(g, ropeConfig, config.headDim, order);
      tables.set(rope, { cos: g.cast(cos, dtype), sin: g.cast(sin, dtype) });
    }
  }
  return ({ window, rope }) => ({ positions: wide, tables: tables.get(rope), bias: biases.get(window) as Value });
}

/** Logits of hidden rows: [.., hidden] -> [.., vocabulary], and new rows after it. */
export function logits(g: GraphBuilder, config: ModelConfig, parameters: Parameters, hidden: Value): Value {
  return headLogits(g, headOf(config, parameters), hidden);
}
