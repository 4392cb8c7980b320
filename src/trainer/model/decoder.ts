/** @file A Llama-architecture decoder: token ids to hidden rows, hidden rows to logits. */
import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder, Value } from "../graph/index.js";
import { attention, groupedBias, type KeyValue } from "./attention.js";
import { mlp } from "./mlp.js";
import type { Parameters } from "./parameters.js";
import { rotaryTables } from "./rotary.js";

export interface DecoderInputs {
  /** int32 [batch, time] */
  readonly ids: Value;
  /** int32 [batch, time] */
  readonly positions: Value;
  /** bool [batch, 1, time, keys]: which key each token may see. */
  readonly visible: Value;
  /** Cached keys and values, one a layer. */
  readonly past?: readonly KeyValue[];
}

/** Far below any score, and finite: a row that sees nothing (padding) must not become NaN. */
const HIDDEN_SCORE = -1e9;

/** Hidden rows after the last norm, [batch, time, hidden], and the keys and values of every layer. */
export function decoder(
  g: GraphBuilder,
  config: ModelConfig,
  parameters: Parameters,
  { ids, positions, visible, past }: DecoderInputs,
): { readonly hidden: Value; readonly present: readonly KeyValue[] } {
  const bias = groupedBias(g, config, g.where(visible, g.scalar(0), g.scalar(HIDDEN_SCORE)));
  const context = { positions: g.cast(positions, "int64"), tables: rotaryTables(g, config), bias };
  const norm = (name: string, x: Value): Value =>
    g.rmsNorm(x, parameters.weight(`${name}.weight`), config.rmsNormEps)[0];
  const present: KeyValue[] = [];
  let x = g.gather(parameters.weight("model.embed_tokens.weight"), ids);
  for (let layer = 0; layer < config.numHiddenLayers; layer += 1) {
    g.scope(`layers.${layer}`, () => {
      const module = `model.layers.${layer}`;
      const attended = g.scope("attn", () =>
        attention(
          g,
          config,
          parameters,
          `${module}.self_attn`,
          norm(`${module}.input_layernorm`, x),
          context,
          past?.[layer],
        ),
      );
      present.push(attended.present);
      x = g.add(x, attended.y);
      x = g.scope("mlp", () =>
        g.add(x, mlp(g, config, parameters, `${module}.mlp`, norm(`${module}.post_attention_layernorm`, x))),
      );
    });
  }
  return { hidden: g.scope("norm", () => norm("model.norm", x)), present };
}

/** The output head [vocabulary, hidden]; tied models use the embedding. */
export function headWeight(config: ModelConfig, parameters: Parameters): Value {
  return parameters.weight(config.tieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight");
}

/** Logits of hidden rows: [.., hidden] -> [.., vocabulary]. */
export function logits(g: GraphBuilder, config: ModelConfig, parameters: Parameters, hidden: Value): Value {
  return g.scope("lm_head", () => g.fusedMatMul(hidden, headWeight(config, parameters), { transB: true }));
}
