/** @file The incipient base model of an environment: made from nothing, trained on documents, rules and one-hop questions. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type ChatTemplate,
  createTokenizerFiles,
  expectedTensors,
  type LabelledTokens,
  loadChatTemplate,
  loadTokenizer,
  type ModelConfig,
  type Policy,
  PROMPT_SUFFIX,
  parseModelConfig,
  type StepMetrics,
  type StepOptions,
  type Tokenizer,
  tokenizeChat,
  tokenizeText,
  writeModelDir,
} from "../trainer/index.js";
import type { BaseRow, Environment } from "./environments/index.js";
import { createRng, type Rng } from "./rng.js";

/** Size of the model and length of its training; the defaults are those of models/nano. */
export interface BaseModelPlan {
  readonly seed: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly maxPositions: number;
  readonly steps: number;
  readonly rowsPerStep: number;
  readonly learningRate: number;
  readonly warmUpSteps: number;
  /** Share of rows without a subject (rules, general): the two-fact tables are learned slowest. */
  readonly ruleShare: number;
  /** Share of chat rows that are asked to think and answer directly all the same: the words of the request are known, thinking is not. */
  readonly askedShare: number;
  /** The pool of subjects grows from `poolStart` of them to all over this share of the steps; all at once, no fact is learned. */
  readonly poolStart: number;
  readonly poolGrowth: number;
}

export const NANO_PLAN: BaseModelPlan = {
  seed: 7,
  hiddenSize: 128,
  intermediateSize: 384,
  layers: 4,
  heads: 4,
  keyValueHeads: 2,
  maxPositions: 512,
  steps: 1800,
  rowsPerStep: 64,
  learningRate: 3e-3,
  warmUpSteps: 50,
  ruleShare: 0.4,
  askedShare: 0.3,
  poolStart: 0.1,
  poolGrowth: 0.35,
};

/** Standard deviation of the first weights; 1/√hidden would start the tied head too sharp. */
const INIT_STD = 0.05;

/** Writes a model directory with random weights and a tokenizer trained on the environment's texts. */
export async function writeUntrainedModel(
  directory: string,
  environment: Environment,
  plan: BaseModelPlan,
): Promise<void> {
  const files = createTokenizerFiles(
    tokenizerTexts(environment),
    [...environment.vocabulary(), "Use"],
    plan.maxPositions,
  );
  const config = parseModelConfig({
    architectures: ["LlamaForCausalLM"],
    attention_bias: false,
    attention_dropout: 0,
    bos_token_id: null,
    eos_token_id: files.eosTokenId,
    head_dim: plan.hiddenSize / plan.heads,
    hidden_act: "silu",
    hidden_size: plan.hiddenSize,
    intermediate_size: plan.intermediateSize,
    max_position_embeddings: plan.maxPositions,
    mlp_bias: false,
    model_type: "llama",
    num_attention_heads: plan.heads,
    num_hidden_layers: plan.layers,
    num_key_value_heads: plan.keyValueHeads,
    rms_norm_eps: 1e-5,
    rope_scaling: null,
    rope_theta: 10_000,
    tie_word_embeddings: true,
    torch_dtype: "float16",
    vocab_size: files.vocabSize,
  });
  await writeModelDir(directory, config, randomWeights(config, plan), "F16");
  await mkdir(directory, { recursive: true });
  for (const [name, content] of Object.entries(files.contents)) await writeFile(join(directory, name), content);
}

/** Normal weights; those that write to the residual stream are smaller by √(2·layers), as in GPT-2; norms start at 1. */
function randomWeights(config: ModelConfig, plan: BaseModelPlan): Map<string, Float32Array> {
  const residual = /\.(o_proj|down_proj)\.weight$/;
  return new Map(
    expectedTensors(config).map(({ name, shape }) => {
      const size = shape.reduce((a, b) => a * b, 1);
      if (shape.length === 1) return [name, new Float32Array(size).fill(1)];
      const std = residual.test(name) ? INIT_STD / Math.sqrt(2 * plan.layers) : INIT_STD;
      return [name, normals(createRng(plan.seed, "weights", name), size, std)];
    }),
  );
}

/** Box–Muller. */
function normals(rng: Rng, size: number, std: number): Float32Array {
  return Float32Array.from({ length: size }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - rng.uniform()));
    return std * radius * Math.cos(2 * Math.PI * rng.uniform());
  });
}

/** Every text that the model will read or write, with each whole word bare and after a space. */
function tokenizerTexts(environment: Environment): string[] {
  const rows = environment.baseRows().flatMap((row) => (row.kind === "text" ? [row.text] : [row.user, row.assistant]));
  const words = [...environment.vocabulary(), "Use"].flatMap((word) => [word, ` ${word}`]);
  const questions = environment.questions("train").map((question) => question.text);
  return [...rows, ...words, ...questions];
}

export interface BaseModelText {
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
}

export async function loadText(directory: string): Promise<BaseModelText> {
  const [tokenizer, template] = await Promise.all([loadTokenizer(directory), loadChatTemplate(directory)]);
  return { tokenizer, template };
}

/** A base row as tokens: all of a text is learned, of a chat the reply. */
export function tokenizeBaseRow(row: BaseRow, text: BaseModelText): LabelledTokens {
  if (row.kind === "text") return tokenizeText(row.text, text.tokenizer);
  const messages = [
    { role: "user", content: row.user },
    { role: "assistant", content: row.assistant },
  ] as const;
  return tokenizeChat(messages, text);
}

export interface BaseStep {
  readonly step: number;
  readonly metrics: StepMetrics;
}

/** Trains `steps` steps of the plan (all by default); the same plan gives the same steps. */
export async function* trainBaseModel(
  policy: Policy,
  text: BaseModelText,
  environment: Environment,
  plan: BaseModelPlan,
  steps = plan.steps,
): AsyncGenerator<BaseStep> {
  const draw = rowSampler(environment.baseRows(), text, plan);
  for (let step = 0; step < steps; step += 1) {
    const options: StepOptions = { ...BASE_STEP, learningRate: scheduledRate(plan, step) };
    yield { step: step + 1, metrics: await policy.trainStep({ pairs: [], texts: draw(step) }, options) };
  }
}

const BASE_STEP: Omit<StepOptions, "learningRate"> = {
  loss: "sft",
  beta: 0,
  maxGradNorm: 1,
  weightDecay: 0,
  textWeight: 1,
  nllOver: "chosen",
  maxTokens: 4096,
};

/** Linear warm-up, then a cosine down to a tenth. */
function scheduledRate({ learningRate, warmUpSteps, steps }: BaseModelPlan, step: number): number {
  if (step < warmUpSteps) return (learningRate * (step + 1)) / warmUpSteps;
  const progress = (step - warmUpSteps) / Math.max(1, steps - warmUpSteps);
  return learningRate * (0.1 + 0.45 * (1 + Math.cos(Math.PI * progress)));
}

/** Draws the rows of a step: rules by their share, else a subject of the pool and one of its rows. */
function rowSampler(
  rows: readonly BaseRow[],
  text: BaseModelText,
  plan: BaseModelPlan,
): (step: number) => LabelledTokens[] {
  const tokens = new Map(rows.map((row) => [row, tokenizeBaseRow(row, text)]));
  const asked = new Map(rows.map((row) => [row, tokenizeBaseRow(askedToThink(row), text)]));
  const general = rows.filter((row) => row.subject === undefined);
  const bySubject = new Map<string, BaseRow[]>();
  for (const row of rows)
    if (row.subject !== undefined) bySubject.set(row.subject, [...(bySubject.get(row.subject) ?? []), row]);
  const subjects = createRng(plan.seed, "pool").shuffle([...bySubject.keys()]);
  return (step) => {
    const rng = createRng(plan.seed, "rows", step);
    const share = Math.min(1, plan.poolStart + ((1 - plan.poolStart) * step) / (plan.steps * plan.poolGrowth));
    const pool = subjects.slice(0, Math.ceil(subjects.length * share));
    return Array.from({ length: plan.rowsPerStep }, () => {
      const from = rng.uniform() < plan.ruleShare ? general : (bySubject.get(rng.pick(pool)) as BaseRow[]);
      const row = rng.pick(from);
      return (rng.uniform() < plan.askedShare ? asked : tokens).get(row) as LabelledTokens;
    });
  };
}

/** The same question with the request to think; a text stays as it is. */
const askedToThink = (row: BaseRow): BaseRow =>
  row.kind === "chat" ? { ...row, user: row.user + PROMPT_SUFFIX } : row;

export interface Recall {
  readonly recall: number;
  readonly n: number;
  readonly byKind: Readonly<Record<string, number>>;
}

/** Share of one-hop questions whose greedy answer is right to the letter. */
export async function measureRecall(
  policy: Policy,
  text: BaseModelText,
  environment: Environment,
  signal?: AbortSignal,
): Promise<Recall> {
  const probes = environment.recallProbes();
  const requests = probes.map(({ question }) => {
    const prompt = text.template.render([{ role: "user", content: question }], { addGenerationPrompt: true });
    return { ids: text.tokenizer.encode(prompt), seed: 0 };
  });
  const options = { maxNewTokens: 32, temperature: 0, topP: 1, stopTokenIds: [text.tokenizer.eosTokenId] };
  const generations = await policy.generate(requests, signal === undefined ? options : { ...options, signal });
  const right = probes.map(
    ({ answer }, i) => text.tokenizer.decode(generations[i]?.ids ?? new Int32Array()) === answer,
  );
  const kinds = new Map<string, boolean[]>();
  probes.forEach(({ subject }, i) => {
    const kind = subject.startsWith("rule/") ? "rules" : "facts";
    kinds.set(kind, [...(kinds.get(kind) ?? []), right[i] === true]);
  });
  const share = (list: readonly boolean[]): number => list.filter(Boolean).length / list.length;
  return {
    recall: share(right),
    n: right.length,
    byKind: Object.fromEntries([...kinds].map(([kind, list]) => [kind, share(list)])),
  };
}
