/** @file What a sentence-transformers directory says about its modules: which they are, how tokens are pooled, how long texts may be. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

/** One vector of many: that of the first token, or their mean. */
export type Pooling = "cls" | "mean";

export interface SentenceTransformerModules {
  /** Folder of the encoder below the directory; "" where it is the directory itself. */
  readonly encoder: string;
  /** Files besides those of the encoder that decide about a vector, below the directory. */
  readonly files: readonly string[];
  readonly pooling: Pooling;
  readonly normalize: boolean;
  /** Of one text, where the directory says so. */
  readonly maxSeqLength: number | undefined;
  /** Texts are lowered before the tokenizer sees them. */
  readonly lowerCase: boolean;
  readonly prompts: Readonly<Record<string, string>>;
  readonly defaultPromptName: string | undefined;
}

const modulesSchema = z.array(z.object({ path: z.string(), type: z.string() }));
const poolingSchema = z.record(z.string(), z.unknown());
const encoderSchema = z.object({
  max_seq_length: z.number().int().positive().nullish(),
  do_lower_case: z.boolean().nullish(),
});
const promptsSchema = z.object({
  prompts: z.record(z.string(), z.string()).nullish(),
  default_prompt_name: z.string().nullish(),
});

const ORDER = ["Transformer", "Pooling", "Normalize"];

/** Throws one error that names every module or setting that is not known here. */
export async function readModules(dir: string): Promise<SentenceTransformerModules> {
  const listed = await readOptional(dir, "modules.json", modulesSchema);
  if (listed === undefined) {
    throw new Error(
      `${dir} lacks modules.json, which says how tokens become one vector: expected a sentence-transformers directory. Download ` +
        "the whole repository, with 1_Pooling/config.json",
    );
  }
  const kinds = listed.map(({ type }) => type.split(".").at(-1) as string);
  const problems = moduleProblems(kinds, listed);
  const pathOf = (kind: string): string => listed[kinds.indexOf(kind)]?.path ?? "";
  const poolingFile = join(pathOf("Pooling"), "config.json");
  const encoderFile = join(pathOf("Transformer"), "sentence_bert_config.json");
  const [pooling = {}, encoder, prompts] = await Promise.all([
    problems.length > 0 ? undefined : readRequired(dir, poolingFile, poolingSchema),
    readOptional(dir, encoderFile, encoderSchema),
    readOptional(dir, PROMPTS_FILE, promptsSchema),
  ]);
  const modes = problems.length > 0 ? [] : poolingModes(pooling);
  const known = modes.length === 1 && (modes[0] === "cls" || modes[0] === "mean") ? modes[0] : undefined;
  if (problems.length === 0 && known === undefined) {
    problems.push(`${poolingFile}: pooling ${modes.join(" + ") || "of no kind"}: expected cls or mean`);
  }
  const wanted = Object.fromEntries(Object.entries(prompts?.prompts ?? {}).filter(([, text]) => text !== ""));
  if (pooling["include_prompt"] === false && Object.keys(wanted).length > 0) {
    problems.push(`${poolingFile}: include_prompt false: expected prompts that are pooled with their text`);
  }
  if (problems.length > 0 || known === undefined) {
    throw new Error(`${dir} cannot be used for embeddings:${problems.map((line) => `\n  - ${line}`).join("")}`);
  }
  return {
    encoder: pathOf("Transformer"),
    files: ["modules.json", poolingFile, encoderFile, PROMPTS_FILE],
    pooling: known,
    normalize: kinds.includes("Normalize"),
    maxSeqLength: encoder?.max_seq_length ?? undefined,
    lowerCase: encoder?.do_lower_case ?? false,
    prompts: wanted,
    defaultPromptName: prompts?.default_prompt_name ?? undefined,
  };
}

const PROMPTS_FILE = "config_sentence_transformers.json";

function moduleProblems(kinds: readonly string[], listed: readonly { readonly path: string }[]): string[] {
  const problems: string[] = [];
  const strange = kinds.filter((kind) => !ORDER.includes(kind));
  if (strange.length > 0) problems.push(`modules.json: ${strange.join(", ")}: expected ${ORDER.join(", ")} alone`);
  else if (kinds.join() !== ORDER.slice(0, kinds.length).join() || kinds.length < 2) {
    problems.push(
      `modules.json: ${kinds.join(", ") || "no modules"}: expected Transformer, Pooling and perhaps Normalize`,
    );
  }
  const outside = listed.filter(({ path }) => !/^(?:[\w-][\w.-]*)?$/.test(path));
  if (outside.length > 0) {
    const paths = outside.map(({ path }) => JSON.stringify(path)).join(", ");
    problems.push(`modules.json: path ${paths}: expected names of folders inside the directory`);
  }
  return problems;
}

const MODES: Readonly<Record<string, string>> = {
  pooling_mode_cls_token: "cls",
  pooling_mode_mean_tokens: "mean",
  pooling_mode_max_tokens: "max",
  pooling_mode_mean_sqrt_len_tokens: "mean_sqrt_len",
  pooling_mode_weightedmean_tokens: "weightedmean",
  pooling_mode_lasttoken: "lasttoken",
};

/** The modes that are on; several would be put one behind the other. Newer files name them in one key. */
function poolingModes(config: Readonly<Record<string, unknown>>): string[] {
  const named = config["pooling_mode"];
  if (typeof named === "string") return [named];
  if (Array.isArray(named)) return named.map(String);
  return Object.keys(MODES).flatMap((key) => (config[key] === true ? [MODES[key] as string] : []));
}

/** One JSON file of a directory. Throws where it is absent or is not what was expected. */
export async function readRequired<T>(dir: string, file: string, schema: z.ZodType<T>): Promise<T> {
  const value = await readOptional(dir, file, schema);
  if (value === undefined) throw new Error(`${dir} lacks ${file}; download the whole repository`);
  return value;
}

async function readOptional<T>(dir: string, file: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const path = join(dir, file);
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return undefined;
    throw cause;
  });
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path} is not JSON: ${(cause as Error).message}; download it again`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new Error(`${path} cannot be read:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
