/** @file A BERT encoder (Devlin et al. 2018, arXiv 1810.04805): token ids to hidden rows. Inference alone, in float32. */
import type { BertActivation, BertConfig } from "../checkpoint/bert-config.js";
import type { Dim, GraphBuilder, Value } from "../graph/index.js";
import { linear } from "./linear.js";
import type { Parameters } from "./parameters.js";

export interface BertInputs {
  /** int32 [batch, time]; what stands in padding does not matter. */
  readonly ids: Value;
  /** int32 [time]: 0, 1, 2, … */
  readonly positions: Value;
  /** bool [batch, time]: true where there is a token. */
  readonly visible: Value;
}

/** Far below any score: its exponential is exactly 0. */
const HIDDEN_SCORE = -1e9;

/** Hidden rows [batch, time, hidden] after the last layer. */
export function bert(g: GraphBuilder, config: BertConfig, parameters: Parameters, inputs: BertInputs): Value {
  const [batch, time] = inputs.ids.shape as readonly [Dim, Dim];
  const bias = g.reshape(g.where(inputs.visible, g.scalar(0), g.scalar(HIDDEN_SCORE)), [batch, 1, 1, time]);
  const norm = (module: string, x: Value): Value =>
    g.layerNorm(x, parameters.weight(`${module}.weight`), parameters.weight(`${module}.bias`), config.layerNormEps);
  let x = g.scope("embeddings", () => {
    const words = parameters.rows(g, "embeddings.word_embeddings.weight", inputs.ids);
    const places = parameters.rows(g, "embeddings.position_embeddings.weight", inputs.positions); // [T, hidden]
    const type = parameters.rows(g, "embeddings.token_type_embeddings.weight", g.int32Scalar(0)); // [hidden]
    return norm("embeddings.LayerNorm", g.add(g.add(words, type), places));
  });
  for (let i = 0; i < config.numHiddenLayers; i += 1) {
    const module = `encoder.layer.${i}`;
    const dense = (path: string, input: Value): Value => linear(g, parameters, `${module}.${path}`, input, true);
    x = g.scope(`layers.${i}`, () => {
      const mixed = g.scope("attention", () => dense("attention.output.dense", attend(g, config, dense, x, bias)));
      const between = norm(`${module}.attention.output.LayerNorm`, g.add(mixed, x));
      const inner = activate(g, config.hiddenAct, dense("intermediate.dense", between));
      return norm(`${module}.output.LayerNorm`, g.add(dense("output.dense", inner), between));
    });
  }
  return x;
}

/** x [batch, time, hidden] -> what its tokens take from each other, in the same shape; bias [batch, 1, 1, time]. */
function attend(
  g: GraphBuilder,
  { numAttentionHeads: heads, hiddenSize }: BertConfig,
  dense: (path: string, input: Value) => Value,
  x: Value,
  bias: Value,
): Value {
  const [batch, time] = x.shape as readonly [Dim, Dim];
  const headDim = hiddenSize / heads;
  const split = (name: string): Value =>
    g.transpose(g.reshape(dense(`attention.self.${name}`, x), [batch, time, heads, headDim]), [0, 2, 1, 3]);
  const [query, key, value] = [split("query"), split("key"), split("value")]; // [B, heads, T, D]
  const scores = g.fusedMatMul(query, key, { transB: true, alpha: 1 / Math.sqrt(headDim) }); // [B, heads, T, T]
  const mixed = g.matmul(g.softmax(g.add(scores, bias)), value);
  return g.reshape(g.transpose(mixed, [0, 2, 1, 3]), [batch, time, hiddenSize]);
}

/** GELU: Hendrycks and Gimpel 2016, arXiv 1606.08415. */
function activate(g: GraphBuilder, name: BertActivation, x: Value): Value {
  switch (name) {
    case "relu":
      return g.max(x, g.scalar(0));
    case "gelu": // x/2 · (1 + erf(x/√2))
      return g.mul(g.scale(x, 0.5), g.add(g.erf(g.scale(x, Math.SQRT1_2)), g.scalar(1)));
    case "gelu_tanh": {
      // x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))
      const cubic = g.add(x, g.scale(g.mul(x, g.mul(x, x)), 0.044715));
      return g.mul(g.scale(x, 0.5), g.add(g.tanh(g.scale(cubic, Math.sqrt(2 / Math.PI))), g.scalar(1)));
    }
  }
}
