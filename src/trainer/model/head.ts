/** @file Both ends of a decoder, embedding and output head, with trained rows of single tokens in place of frozen ones. */
import type { ModelConfig } from "../checkpoint/types.js";
import type { Dim, GraphBuilder, Value } from "../graph/index.js";
import { quantizedProduct } from "./linear.js";
import type { Parameters, TokenRowModule, TokenRows } from "./parameters.js";

/** The matrix of the head [vocabulary, hidden], and the rows of single tokens that replace some of its own or follow them. */
export interface HeadWeights {
  readonly weight: Value;
  /** Rows of `weight` by token id; `g` may be a loop's body. */
  readonly gather: (g: GraphBuilder, ids: Value) => Value;
  readonly rows?: TokenRows;
}

/** Rows of the embedding: ids int32 [batch, time] -> [batch, time, hidden]. Ids past the vocabulary need trained rows. */
export function embed(g: GraphBuilder, config: ModelConfig, parameters: Parameters, ids: Value): Value {
  const lookUp = (tokens: Value): Value => parameters.rows(g, "model.embed_tokens.weight", tokens);
  const rows = parameters.tokenRows("model.embed_tokens");
  if (rows === undefined) return lookUp(ids);
  return g.scope("embed_tokens", () => {
    const indices = g.constant("token_rows/ids", "int32", [rows.indices.length], {
      kind: "inline",
      bytes: new Uint8Array(Int32Array.from(rows.indices).buffer),
    });
    // [batch, time, rows]: 1 where the token is the row's. A product with it has a plain gradient, no scatter.
    const hit = g.cast(g.equal(g.reshape(ids, [...(ids.shape as Dim[]), 1]), indices), "float32");
    const isTrained = g.equal(g.reduceMax(hit, [-1], true), g.scalar(1));
    const known = g.min(ids, g.int32Scalar(config.vocabSize - 1)); // a new id must not index the frozen matrix
    return g.where(isTrained, g.cast(g.matmul(hit, rows.weight), parameters.dtype), lookUp(known));
  });
}

/** Name of the head's matrix; tied models use the embedding. */
function headName({ tieWordEmbeddings }: Pick<ModelConfig, "tieWordEmbeddings">): string {
  return tieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight";
}

const headModule = ({ tieWordEmbeddings }: Pick<ModelConfig, "tieWordEmbeddings">): TokenRowModule =>
  tieWordEmbeddings ? "model.embed_tokens" : "lm_head";

/** The head; tied models use the embedding and its trained rows. */
export function headOf(config: ModelConfig, parameters: Parameters): HeadWeights {
  const name = headName(config);
  const rows = parameters.tokenRows(headModule(config));
  return {
    weight: parameters.weight(name),
    gather: (g, ids) => parameters.rows(g, name, ids),
    ...(rows !== undefined && { rows }),
  };
}

/** Float32 logits of hidden rows: [.., hidden] -> [.., vocabulary + new rows]. */
export function headLogits(g: GraphBuilder, config: ModelConfig, parameters: Parameters, hidden: Value): Value {
  const quantized = parameters.quantized("lm_head");
  const rows = parameters.tokenRows(headModule(config));
  return g.scope("lm_head", () => {
    const logits =
      quantized === undefined
        ? product(g, hidden, parameters.weight(headName(config)))
        : g.wide(quantizedProduct(g, quantized, hidden));
    return rows === undefined ? logits : withRows(g, logits, hidden, rows);
  });
}

const product = (g: GraphBuilder, hidden: Value, matrix: Value): Value =>
  g.wide(g.fusedMatMul(hidden, g.cast(matrix, hidden.dtype), { transB: true }));

/** The same bits for a row whatever stands beside it, see ParameterOptions.rowByRow. */
function rowProduct(g: GraphBuilder, hidden: Value, matrix: Value): Value {
  if (hidden.shape.length !== 2) return product(g, hidden, matrix);
  const [count, width] = hidden.shape as readonly [Dim, number];
  const narrow = g.cast(matrix, hidden.dtype);
  const columns = g.fusedMatMul(narrow, g.reshape(hidden, [count, 1, width]), { transB: true }); // [rows, tokens, 1]
  return g.wide(g.reshape(columns, [count, matrix.shape[0] as number]));
}

/** Logits of a frozen head, with those of trained rows in the places of their tokens. */
function withRows(g: GraphBuilder, logits: Value, hidden: Value, rows: TokenRows): Value {
  const both = g.concat([logits, rowProduct(g, hidden, rows.weight)], -1);
  const vocabulary = logits.shape.at(-1) as number;
  const columns = Array.from({ length: Math.max(vocabulary, 1 + Math.max(...rows.indices)) }, (_, id) => id);
  rows.indices.forEach((id, row) => {
    columns[id] = vocabulary + row;
  });
  return columns.every((column, id) => column === id) ? both : g.gather(both, columnIndices(g, columns), -1);
}

function columnIndices(g: GraphBuilder, columns: readonly number[]): Value {
  return g.constant("lm_head/columns", "int32", [columns.length], {
    kind: "inline",
    bytes: new Uint8Array(Int32Array.from(columns).buffer),
  });
}
