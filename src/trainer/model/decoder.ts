/** @file A pre-norm decoder of any family that ModelConfig describes: token ids to hidden rows. */
import type { LayerConfig, ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder, Value } from "../graph/index.js";
import { type AttentionContext, attention, groupedBias, type LayerCache, type NewKeyValue } from "./attention.js";
import { embed } from "./head.js";
import { mlp } from "./mlp.js";
import type { Parameters } from "./parameters.js";
import { rmsNorm } from "./rms-norm.js";
import type { RotaryAngles } from "./rotary.js";
import type { Visibility } from "./visibility.js";

export interface DecoderInputs {
  /** int32 [batch, time] */
  readonly ids: Value;
  readonly angles: RotaryAngles;
  readonly visible: Visibility;
  /** Keys and values of earlier tokens, one a layer. */
  readonly cache?: readonly LayerCache[];
  /** Backward computes each layer again instead of keeping what is inside. */
  readonly gradientCheckpointing?: boolean;
}

/** Far below any score, and finite: a row that sees nothing (padding) must not become NaN. */
const HIDDEN_SCORE = -1e9;

/** Hidden rows after the last norm, [batch, time, hidden], and the new keys and values of every layer. */
export function decoder(
  g: GraphBuilder,
  config: ModelConfig,
  parameters: Parameters,
  inputs: DecoderInputs,
): { readonly hidden: Value; readonly present: readonly NewKeyValue[] } {
  const contextOf = layerContexts(g, config, inputs);
  const norm = (module: string, x: Value): Value => rmsNorm(g, config, parameters, module, x);
  const present: NewKeyValue[] = [];
  let x = g.scale(embed(g, config, parameters, inputs.ids), config.embeddingScale);
  config.layers.forEach((layer, i) => {
    const module = `model.layers.${i}`;
    const post = (name: string, y: Value): Value => (config.sandwichNorms ? norm(`${module}.${name}`, y) : y);
    const mlpNorm = config.sandwichNorms ? "pre_feedforward_layernorm" : "post_attention_layernorm";
    const block = (): Value => {
      const attended = g.scope("attn", () => {
        const normed = norm(`${module}.input_layernorm`, x);
        return attention(g, config, parameters, `${module}.self_attn`, normed, contextOf(layer), inputs.cache?.[i]);
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

/** What each layer's attention is given. Layers of one window share its bias. */
function layerContexts(
  g: GraphBuilder,
  config: ModelConfig,
  { angles, visible }: DecoderInputs,
): (layer: LayerConfig) => AttentionContext {
  const biases = new Map<number | undefined, Value>();
  for (const { window } of config.layers) {
    if (biases.has(window)) continue;
    biases.set(window, groupedBias(g, config, g.where(visible(window), g.scalar(0), g.scalar(HIDDEN_SCORE))));
  }
  return ({ window, rope }) => ({
    positions: angles.positions,
    tables: rope === undefined ? undefined : angles.tables[rope],
    bias: biases.get(window) as Value,
  });
}
