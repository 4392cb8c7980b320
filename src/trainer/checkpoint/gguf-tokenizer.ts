/** @file The tokenizer of a model directory as GGUF's metadata: byte-level BPE, which llama.cpp calls "gpt2". */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { GgufMetadata } from "./gguf-metadata.js";
import type { GgufValue } from "./gguf-writer.js";
import { exists } from "./staged-directory.js";
import type { ModelConfig } from "./types.js";

const tokenizerSchema = z.object({
  model: z.object({
    type: z.string().optional(),
    vocab: z.record(z.string(), z.number().int().nonnegative()),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
    ignore_merges: z.boolean().nullish(),
  }),
  added_tokens: z
    .array(z.object({ id: z.number().int().nonnegative(), content: z.string(), special: z.boolean() }))
    .default([]),
  pre_tokenizer: z.unknown().optional(),
  post_processor: z.unknown().optional(),
});
type Tokenizer = z.infer<typeof tokenizerSchema>;

/** Some are objects with the text in `content`. */
const tokenText = z
  .union([z.string(), z.object({ content: z.string() }).transform(({ content }) => content)])
  .nullish();
const configSchema = z.object({
  bos_token: tokenText,
  pad_token: tokenText,
  chat_template: z.unknown().optional(),
});

const stepSchema = z.object({
  type: z.string(),
  pretokenizers: z.array(z.unknown()).optional(),
  pattern: z.object({ Regex: z.string().optional() }).optional(),
  behavior: z.string().optional(),
  individual_digits: z.boolean().optional(),
  add_prefix_space: z.boolean().optional(),
  use_regex: z.boolean().optional(),
});

const GPT2 = "ByteLevel";
/** Patterns of Split, by llama.cpp's name for how text is cut before it is merged. */
const SPLITS: Readonly<Record<string, string>> = {
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+":
    "llama-bpe",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+":
    "qwen2",
};
/** Of these llama.cpp takes a whole word that is a token without merging. */
const WITHOUT_MERGES: readonly string[] = ["llama-bpe"];

/** llama.cpp's token types. */
const TYPE = { normal: 1, control: 3, userDefined: 4, unused: 5 } as const;

/** Throws for a tokenizer that llama.cpp has no name for: its tokens would not be the model's. */
export async function tokenizerMetadata(dir: string, config: ModelConfig): Promise<GgufMetadata> {
  const file = join(dir, "tokenizer.json");
  if (!(await exists(file))) throw new Error(`${dir} has no tokenizer.json, which a GGUF file holds; download it too`);
  const tokenizer = parsed(tokenizerSchema, JSON.parse(await readFile(file, "utf8")), file);
  const cut = preTokenizerName(tokenizer);
  const problems = cut === undefined ? [`pre_tokenizer: ${JSON.stringify(tokenizer.pre_tokenizer)}`] : [];
  if (tokenizer.model.type !== undefined && tokenizer.model.type !== "BPE")
    problems.push(`model.type: ${tokenizer.model.type}`);
  if (cut !== undefined && WITHOUT_MERGES.includes(cut) !== (tokenizer.model.ignore_merges ?? false)) {
    problems.push(`model.ignore_merges: ${cut} has ${!tokenizer.model.ignore_merges}`);
  }
  const ids = [...Object.values(tokenizer.model.vocab), ...tokenizer.added_tokens.map(({ id }) => id)];
  const last = ids.reduce((a, b) => Math.max(a, b), 0);
  if (last >= config.vocabSize) problems.push(`token ${last}: the embedding has ${config.vocabSize} rows`);
  if (problems.length > 0) throw refusal(file, problems);
  const { tokens, types } = vocabulary(tokenizer, config.vocabSize);
  return {
    "tokenizer.ggml.model": { type: "string", value: "gpt2" },
    "tokenizer.ggml.pre": { type: "string", value: cut as string },
    "tokenizer.ggml.tokens": { type: "strings", value: tokens },
    "tokenizer.ggml.token_type": { type: "int32s", value: types },
    "tokenizer.ggml.merges": { type: "strings", value: tokenizer.model.merges.map(mergeText) },
    ...(await specialTokens(dir, tokenizer, config)),
  };
}

function parsed<T>(schema: z.ZodType<T>, json: unknown, file: string): T {
  const { data, error } = schema.safeParse(json);
  if (error === undefined) return data as T;
  throw refusal(
    file,
    error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`),
  );
}

function refusal(file: string, problems: readonly string[]): Error {
  const list = problems.map((problem) => `\n  - ${problem}`).join("");
  return new Error(
    `${file} cannot be written into a GGUF file, which holds byte-level BPE as llama.cpp knows it:${list}\nUse llama.cpp's own conversion for this model.`,
  );
}

/** In older files they are one text already; a token never has a space. */
const mergeText = (merge: string | readonly [string, string]): string =>
  typeof merge === "string" ? merge : merge.join(" ");

function vocabulary({ model, added_tokens }: Tokenizer, size: number): { tokens: string[]; types: number[] } {
  const tokens = Array.from({ length: size }, (_, id) => `[PAD${id}]`);
  const types = Array<number>(size).fill(TYPE.unused);
  for (const [text, id] of Object.entries(model.vocab)) {
    tokens[id] = text;
    types[id] = TYPE.normal;
  }
  for (const { id, content, special } of added_tokens) {
    tokens[id] = content;
    types[id] = special ? TYPE.control : TYPE.userDefined;
  }
  return { tokens, types };
}

/** llama.cpp's name for the steps before merging; undefined: it has none. */
function preTokenizerName({ pre_tokenizer }: Tokenizer): string | undefined {
  const steps = flatSteps(pre_tokenizer);
  const bytes = steps?.at(-1);
  if (steps === undefined || bytes?.type !== GPT2 || bytes.add_prefix_space === true) return undefined;
  const before = steps.slice(0, -1);
  const [first] = before;
  if (bytes.use_regex !== false) {
    if (before.length === 0) return "gpt-2";
    return before.length === 1 && first?.type === "Digits" && first.individual_digits === true ? "smollm" : undefined;
  }
  if (before.length !== 1 || first?.type !== "Split" || first.behavior !== "Isolated") return undefined;
  return SPLITS[first.pattern?.Regex ?? ""];
}

function flatSteps(step: unknown): z.infer<typeof stepSchema>[] | undefined {
  const parsed = stepSchema.safeParse(step);
  if (!parsed.success) return undefined;
  if (parsed.data.type !== "Sequence") return [parsed.data];
  const inner = (parsed.data.pretokenizers ?? []).map(flatSteps);
  return inner.some((steps) => steps === undefined) ? undefined : inner.flatMap((steps) => steps ?? []);
}

async function specialTokens(dir: string, tokenizer: Tokenizer, config: ModelConfig): Promise<GgufMetadata> {
  const path = join(dir, "tokenizer_config.json");
  const json: unknown = (await exists(path)) ? JSON.parse(await readFile(path, "utf8")) : {};
  const settings = parsed(configSchema, json, path);
  const idOf = (text: string | null | undefined): number | undefined =>
    tokenizer.added_tokens.find(({ content }) => content === text)?.id ?? tokenizer.model.vocab[text ?? ""];
  const bos = config.bosTokenId ?? idOf(settings.bos_token);
  const bosText = tokenizer.added_tokens.find(({ id }) => id === bos)?.content;
  // The post-processor of tokenizer.json is what puts it there.
  const first = `{"SpecialToken":{"id":${JSON.stringify(bosText)}`;
  const addBos = bosText !== undefined && JSON.stringify(tokenizer.post_processor ?? null).includes(first);
  const template = await chatTemplate(dir, settings.chat_template);
  const ids = { bos, eos: config.eosTokenIds[0], padding: idOf(settings.pad_token) };
  const numbers = Object.entries(ids).flatMap(([name, value]): [string, GgufValue][] =>
    value === undefined ? [] : [[`tokenizer.ggml.${name}_token_id`, { type: "uint32", value }]],
  );
  return {
    ...Object.fromEntries(numbers),
    "tokenizer.ggml.add_bos_token": { type: "bool", value: addBos },
    ...(template !== undefined && { "tokenizer.chat_template": { type: "string", value: template } }),
  };
}

async function chatTemplate(dir: string, configured: unknown): Promise<string | undefined> {
  const file = join(dir, "chat_template.jinja");
  if (await exists(file)) return readFile(file, "utf8");
  return typeof configured === "string" ? configured : undefined;
}
