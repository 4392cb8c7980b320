/** @file config.json of a BERT encoder: what it computes, and by name what this one does not. */
import { z } from "zod";
import type { ExpectedTensor } from "./checkpoint-dir.js";

/** Function inside the feed-forward layer: exact GELU, its tanh form, or ReLU. */
export type BertActivation = "gelu" | "gelu_tanh" | "relu";

/** Names follow Hugging Face's config.json in camelCase. */
export interface BertConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly maxPositionEmbeddings: number;
  readonly typeVocabSize: number;
  readonly layerNormEps: number;
  readonly hiddenAct: BertActivation;
}

const ACTIVATIONS: Readonly<Record<string, BertActivation>> = {
  gelu: "gelu",
  gelu_python: "gelu",
  gelu_new: "gelu_tanh",
  gelu_fast: "gelu_tanh",
  gelu_pytorch_tanh: "gelu_tanh",
  relu: "relu",
};

const size = z.number().int().positive();

/** Keys that are not listed do not change what an encoder computes. */
const schema = z.object({
  model_type: z.string(),
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  max_position_embeddings: size,
  type_vocab_size: size.default(2),
  layer_norm_eps: z.number().positive().default(1e-12),
  hidden_act: z.string().default("gelu"),
  position_embedding_type: z.string().nullish(),
  is_decoder: z.boolean().nullish(),
  add_cross_attention: z.boolean().nullish(),
  quantization_config: z.unknown().optional(),
});

/** Throws one error that lists everything that is not a BERT encoder of this kind. */
export function parseBertConfig(json: unknown, source: string): BertConfig {
  const type = (json as { readonly model_type?: unknown } | null)?.model_type;
  if (type !== "bert") {
    throw new Error(
      `${source}: model_type ${JSON.stringify(type)}: expected "bert". Choose a sentence-transformers model on BERT, such as ` +
        "sentence-transformers/all-MiniLM-L6-v2, BAAI/bge-small-en-v1.5 or intfloat/e5-small-v2",
    );
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new Error(`${source} cannot be read:\n${z.prettifyError(parsed.error)}`);
  const raw = parsed.data;
  const problems = problemsOf(raw);
  if (problems.length > 0)
    throw new Error(`${source} cannot be used:${problems.map((line) => `\n  - ${line}`).join("")}`);
  return {
    vocabSize: raw.vocab_size,
    hiddenSize: raw.hidden_size,
    intermediateSize: raw.intermediate_size,
    numHiddenLayers: raw.num_hidden_layers,
    numAttentionHeads: raw.num_attention_heads,
    maxPositionEmbeddings: raw.max_position_embeddings,
    typeVocabSize: raw.type_vocab_size,
    layerNormEps: raw.layer_norm_eps,
    hiddenAct: ACTIVATIONS[raw.hidden_act] as BertActivation,
  };
}

function problemsOf(raw: z.infer<typeof schema>): string[] {
  const problems: string[] = [];
  if ((raw.position_embedding_type ?? "absolute") !== "absolute") {
    problems.push(`position_embedding_type "${raw.position_embedding_type}": expected "absolute"`);
  }
  if (!Object.hasOwn(ACTIVATIONS, raw.hidden_act)) {
    problems.push(`hidden_act "${raw.hidden_act}": expected one of ${Object.keys(ACTIVATIONS).join(", ")}`);
  }
  if (raw.is_decoder || raw.add_cross_attention) problems.push("it is a decoder: expected an encoder");
  if (raw.quantization_config !== undefined) {
    problems.push("quantization_config: expected plain weights, take the unquantized repository");
  }
  if (raw.hidden_size % raw.num_attention_heads !== 0) {
    problems.push(`hidden_size ${raw.hidden_size} is not a multiple of num_attention_heads ${raw.num_attention_heads}`);
  }
  return problems;
}

/** Every parameter that the encoder reads, in the order of the forward pass, without the prefix that some files have. */
export function bertTensors(config: BertConfig): ExpectedTensor[] {
  const { hiddenSize: hidden, intermediateSize: inner } = config;
  const norm = (module: string): ExpectedTensor[] =>
    ["weight", "bias"].map((part) => ({ name: `${module}.${part}`, shape: [hidden] }));
  const linear = (module: string, out: number, into: number): ExpectedTensor[] => [
    { name: `${module}.weight`, shape: [out, into] },
    { name: `${module}.bias`, shape: [out] },
  ];
  const layer = (_: unknown, i: number): ExpectedTensor[] => {
    const at = `encoder.layer.${i}`;
    return [
      ...["query", "key", "value"].flatMap((name) => linear(`${at}.attention.self.${name}`, hidden, hidden)),
      ...linear(`${at}.attention.output.dense`, hidden, hidden),
      ...norm(`${at}.attention.output.LayerNorm`),
      ...linear(`${at}.intermediate.dense`, inner, hidden),
      ...linear(`${at}.output.dense`, hidden, inner),
      ...norm(`${at}.output.LayerNorm`),
    ];
  };
  return [
    { name: "embeddings.word_embeddings.weight", shape: [config.vocabSize, hidden] },
    { name: "embeddings.position_embeddings.weight", shape: [config.maxPositionEmbeddings, hidden] },
    { name: "embeddings.token_type_embeddings.weight", shape: [config.typeVocabSize, hidden] },
    ...norm("embeddings.LayerNorm"),
    ...Array.from({ length: config.numHiddenLayers }, layer).flat(),
  ];
}
