/** @file Which tensors a decoder has, which of them are trained, and where each lies in the flat vector theta. */
import { basename } from "node:path";
import type { QuantizedMatrices, QuantizedMatrix } from "../checkpoint/quantized-matrix.js";
import type { CheckpointDir, ModelConfig, TensorEntry } from "../checkpoint/types.js";
import type { DType, FloatDType, GraphBuilder, Value } from "../graph/index.js";
import { type Dropout, loraDropout } from "./dropout.js";
import type { LoraSpec, TrainableSpec } from "./trainable.js";

/** A trained tensor: `offset` and `size` count float32 elements of theta. */
export interface ThetaEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly size: number;
  /** Weight decay leaves vectors (norm weights, biases) alone, as Hugging Face's Trainer does. */
  readonly decay: boolean;
  /** Rows of an embedding or a head: the token id of each. */
  readonly tokenIndices?: readonly number[];
}

export interface ThetaLayout {
  readonly entries: readonly ThetaEntry[];
  readonly length: number;
}

/** LoRA of one linear layer: A [r, in], B [out, r], the factor of B·A·x, and what is left out of x in a training step. */
export interface LoraMatrices {
  readonly a: Value;
  readonly b: Value;
  readonly scale: number;
  /** See {@link ParameterOptions.rowByRow}. */
  readonly rowByRow?: boolean;
  readonly dropout?: Dropout;
}

/** Trained rows [indices, hidden] that stand in for the same rows of a frozen matrix, or follow its last row. */
export interface TokenRows {
  readonly indices: readonly number[];
  /** Float32, as theta is. */
  readonly weight: Value;
}

/** A frozen linear layer of few bits, or several stacked row by row: y = x Wᵀ (+ bias), for MatMulNBits. */
export interface QuantizedLinear extends Pick<QuantizedMatrix, "inner" | "rows" | "bits" | "blockSize" | "parts"> {
  /** uint8 [rows, blocks, 32 · bits / 8] */
  readonly packed: Value;
  /** [rows, blocks], in the dtype of the layers. */
  readonly scales: Value;
  /** [rows], in the dtype of the layers. */
  readonly bias?: Value;
}

/** The tensors of a model inside a graph, by the names that the checkpoint gives them. */
export interface Parameters {
  /** What the layers compute in, and the dtype of weights, rows and LoRA matrices. */
  readonly dtype: FloatDType;
  /** See {@link ParameterOptions.rowByRow}. */
  readonly rowByRow?: boolean;
  /** A tensor, trained or frozen. */
  weight(name: string): Value;
  /** E.g. "model.layers.0.self_attn.qkv_proj" or "lm_head", see {@link QuantizedMatrices}; undefined where it is not quantized. */
  quantized(module: string): QuantizedLinear | undefined;
  /** Rows of a matrix, read from theta or from the stored dtype, so that no other copy of it is held for them. `g` may be a loop's body. */
  rows(g: GraphBuilder, name: string, ids: Value): Value;
  /** E.g. "model.layers.0.self_attn.q_proj"; undefined where the layer has no adapter. */
  lora(module: string): LoraMatrices | undefined;
  /** LoRA of layers that are stacked into one: A below A, and B in blocks along the diagonal, zero where a layer has none. */
  stackedLora(parts: readonly StackedPart[]): LoraMatrices | undefined;
  /** Of "model.embed_tokens" or "lm_head". */
  tokenRows(module: TokenRowModule): TokenRows | undefined;
}

/** Linear layers of one block, by their module path below "model.layers.N.", as [out, in] of the config. */
const BLOCK_LINEARS: Readonly<Record<string, (c: ModelConfig) => readonly [number, number]>> = {
  "self_attn.q_proj": (c) => [c.numAttentionHeads * c.headDim, c.hiddenSize],
  "self_attn.k_proj": (c) => [c.numKeyValueHeads * c.headDim, c.hiddenSize],
  "self_attn.v_proj": (c) => [c.numKeyValueHeads * c.headDim, c.hiddenSize],
  "self_attn.o_proj": (c) => [c.hiddenSize, c.numAttentionHeads * c.headDim],
  "mlp.gate_proj": (c) => [c.intermediateSize, c.hiddenSize],
  "mlp.up_proj": (c) => [c.intermediateSize, c.hiddenSize],
  "mlp.down_proj": (c) => [c.hiddenSize, c.intermediateSize],
};

/** Names that `target_modules` may hold. */
export const LORA_TARGETS: readonly string[] = Object.keys(BLOCK_LINEARS).map((path) => path.split(".")[1] as string);

/**
 * Lays out everything that is trained. LoRA entries come layer by layer, A before B, then rows of tokens; full entries
 * in checkpoint order.
 */
export function thetaLayout(
  tensors: readonly { name: string; shape: readonly number[] }[],
  config: ModelConfig,
  trainable: TrainableSpec,
): ThetaLayout {
  if (trainable.kind === "full") return layOut(tensors);
  if (trainable.kind === "none") return layOut([]);
  return layOut([...loraTensors(config, trainable), ...tokenRowTensors(config, trainable)]);
}

function loraTensors(config: ModelConfig, { r, targetModules }: LoraSpec) {
  const unknown = targetModules.filter((target) => !LORA_TARGETS.includes(target));
  if (unknown.length > 0) {
    throw new Error(`unknown target_modules: ${unknown.join(", ")}. Known: ${LORA_TARGETS.join(", ")}`);
  }
  return Array.from({ length: config.numHiddenLayers }, (_, layer) =>
    Object.entries(BLOCK_LINEARS)
      .filter(([path]) => targetModules.includes(path.split(".")[1] as string))
      .flatMap(([path, dims]) => {
        const [out, into] = dims(config);
        const module = `model.layers.${layer}.${path}`;
        return [
          { name: `${module}.lora_A.weight`, shape: [r, into] },
          { name: `${module}.lora_B.weight`, shape: [out, r] },
        ];
      }),
  ).flat();
}

export type TokenRowModule = "model.embed_tokens" | "lm_head";

/** PEFT calls them a delta; they are the rows themselves. */
export const tokenRowsName = (module: TokenRowModule): string => `${module}.token_adapter.trainable_tokens_delta`;

function tokenRowTensors(config: ModelConfig, trainable: LoraSpec): TrainedTensor[] {
  const indices = trainable.trainableTokenIndices ?? [];
  if (indices.length === 0) return [];
  const problems = tokenIndexProblems(indices, config, trainable);
  if (problems.length > 0) throw new Error(`trainable_token_indices cannot be used:\n  - ${problems.join("\n  - ")}`);
  const shape = [indices.length, config.hiddenSize];
  const modules: TokenRowModule[] = ["model.embed_tokens"];
  if (trainable.trainHeadRows && !config.tieWordEmbeddings) modules.push("lm_head");
  return modules.map((module) => ({ name: tokenRowsName(module), shape, tokenIndices: indices }));
}

function tokenIndexProblems(indices: readonly number[], { vocabSize, ...config }: ModelConfig, trainable: LoraSpec) {
  const problems: string[] = [];
  const unfit = indices.filter((id) => !Number.isInteger(id) || id < 0);
  if (unfit.length > 0) problems.push(`expected whole numbers from 0, found ${unfit.join(", ")}`);
  if (new Set(indices).size < indices.length) problems.push("an id stands there twice");
  const added = indices.filter((id) => id >= vocabSize).toSorted((a, b) => a - b);
  if (added.some((id, i) => id !== vocabSize + i)) {
    problems.push(`new ids must follow the vocabulary without a gap, from ${vocabSize}; found ${added.join(", ")}`);
  }
  if (added.length > 0 && !config.tieWordEmbeddings && !trainable.trainHeadRows) {
    problems.push("the head of this model is not tied: new ids need rows of its own (trainHeadRows)");
  }
  return problems;
}

interface TrainedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly tokenIndices?: readonly number[];
}

function layOut(tensors: readonly TrainedTensor[]): ThetaLayout {
  let length = 0;
  const entries = tensors.map(({ name, shape, tokenIndices }) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const entry = { name, shape, offset: length, size, decay: shape.length > 1 };
    length += size;
    return tokenIndices === undefined ? entry : { ...entry, tokenIndices };
  });
  return { entries, length };
}

export interface ParameterOptions {
  /** Random numbers of this training step, int32 [batch, time], 0 to 2³¹ - 1. Without them nothing is dropped. */
  readonly noise?: Value;
  /** Share of a LoRA layer's inputs that is dropped, 0 to 1. */
  readonly dropout?: number;
  /** Default float32. */
  readonly dtype?: FloatDType;
  /** Where frozen weights are opened, if `g` is the body of a loop. */
  readonly outside?: GraphBuilder;
  /** Of the same file as the checkpoint's tensors. */
  readonly quantized?: QuantizedMatrices;
  /**
   * Each row of the batch is multiplied with LoRA's matrices on its own. ONNX Runtime takes another kernel for a single row
   * than for many, unless the matrix is a constant: so a row's bits do not depend on how many stand beside it.
   */
  readonly rowByRow?: boolean;
}

/** A layer of a stacked matrix, and how many of its rows are its own. */
export interface StackedPart {
  readonly module: string;
  readonly rows: number;
}

/** Opens the parameters of a model in `g`: trained ones are cut out of `theta`, frozen ones point into the checkpoint's files. */
export function openParameters(
  g: GraphBuilder,
  checkpoint: Pick<CheckpointDir, "tensors">,
  layout: ThetaLayout,
  theta: Value,
  loraScale: number,
  options: ParameterOptions = {},
): Parameters {
  const { dtype = "float32", outside = g, rowByRow = false } = options;
  const sizes = layout.entries.map((entry) => entry.size);
  const parts = sizes.length === 0 ? [] : g.split(theta, 0, sizes);
  const trained = new Map(layout.entries.map((entry, i) => [entry.name, g.reshape(parts[i] as Value, entry.shape)]));
  const frozen = new Map<string, { readonly stored: Value; readonly value: Value }>();
  const openFrozen = (name: string) => {
    const known = frozen.get(name);
    if (known !== undefined) return known;
    const entry = checkpoint.tensors.get(name);
    if (entry === undefined) throw new Error(`internal: the checkpoint has no tensor ${name}`);
    const stored = storedWeight(outside, entry);
    const weight = { stored, value: outside.cast(stored, dtype) }; // folded once, when the session is made
    frozen.set(name, weight);
    return weight;
  };
  const narrow = new Map<string, Value>();
  /** A trained tensor in the dtype of the layers: one cast, however many read it. */
  const openTrained = (name: string): Value | undefined => {
    const known = narrow.get(name) ?? trained.get(name);
    if (known === undefined || known.dtype === dtype) return known;
    const value = g.cast(known, dtype);
    narrow.set(name, value);
    return value;
  };
  const openQuantized = quantizedLinears(outside, dtype, options.quantized, trained);
  const dropout = loraDropout(g, options.noise, options.dropout ?? 0);
  const index = new Map(layout.entries.map((entry, i) => [entry.name, i]));
  const matricesOf = (module: string): { readonly a: Value; readonly b: Value } | undefined => {
    const a = openTrained(`${module}.lora_A.weight`);
    const b = openTrained(`${module}.lora_B.weight`);
    if (a === undefined || b === undefined) return undefined;
    return { a, b: rowByRow ? g.scale(b, loraScale) : b };
  };
  return {
    dtype,
    rowByRow,
    weight: (name) => openTrained(name) ?? openFrozen(name).value,
    quantized: openQuantized,
    rows(at, name, ids) {
      const known = trained.get(name);
      return at.cast(at.gather(known ?? openFrozen(name).stored, ids), dtype);
    },
    lora(module) {
      const found = matricesOf(module);
      if (found === undefined) return undefined;
      const matrices = { ...found, scale: rowByRow ? 1 : loraScale, rowByRow };
      return dropout === undefined
        ? matrices
        : { ...matrices, dropout: dropout(index.get(`${module}.lora_A.weight`) as number) };
    },
    stackedLora(stack) {
      const found = stack.map(({ module }) => matricesOf(module));
      const present = found.filter((matrices) => matrices !== undefined);
      if (present.length === 0) return undefined;
      const zeros = (rows: number, like: Value): Value =>
        g.cast(g.reshape(g.filled(rows * (like.shape[1] as number), 0), [rows, like.shape[1] as number]), dtype);
      const blocks = stack.map(({ rows }, i) =>
        g.concat(
          present.map((matrices) => (matrices === found[i] ? matrices.b : zeros(rows, matrices.b))),
          1,
        ),
      );
      const a = g.concat(
        present.map((matrices) => matrices.a),
        0,
      );
      return { a, b: g.concat(blocks, 0), scale: rowByRow ? 1 : loraScale, rowByRow };
    },
    tokenRows(module) {
      const name = tokenRowsName(module);
      const weight = trained.get(name);
      const indices = layout.entries[index.get(name) ?? -1]?.tokenIndices;
      return weight === undefined || indices === undefined ? undefined : { indices, weight };
    },
  };
}

/** Opens quantized layers, each once. Throws where weights that they stand for are trained. */
function quantizedLinears(
  g: GraphBuilder,
  dtype: FloatDType,
  matrices: QuantizedMatrices = new Map(),
  trained: ReadonlyMap<string, Value>,
): Parameters["quantized"] {
  const parts = [...matrices.values()].flatMap(({ parts }) => parts);
  const stale = parts.find(({ module }) => trained.has(`${module}.weight`));
  if (stale !== undefined) throw new Error(`internal: ${stale.module} is trained, its quantized weights would be old`);
  const opened = new Map<string, QuantizedLinear>();
  return (module) => {
    const known = opened.get(module);
    const matrix = matrices.get(module);
    if (known !== undefined || matrix === undefined) return known;
    const { packed, scales, bias, ...sizes } = matrix;
    const linear = {
      ...sizes,
      packed: fileConstant(g, "uint8", packed),
      scales: g.cast(storedWeight(g, scales), dtype),
      ...(bias !== undefined && { bias: g.cast(storedWeight(g, bias), dtype) }),
    };
    opened.set(module, linear);
    return linear;
  };
}

const FLOAT_DTYPES = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const;

function storedWeight(g: GraphBuilder, entry: TensorEntry): Value {
  const { name, dtype } = entry;
  if (dtype !== "F32" && dtype !== "F16" && dtype !== "BF16") {
    throw new Error(`tensor ${name} has dtype ${dtype}; expected F32, F16 or BF16`);
  }
  return fileConstant(g, FLOAT_DTYPES[dtype], entry);
}

const fileConstant = (g: GraphBuilder, dtype: DType, { name, shape, file, offset, byteLength }: TensorEntry): Value =>
  g.constant(name, dtype, shape, { kind: "file", file: basename(file), offset, byteLength });
