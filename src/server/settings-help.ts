/** @file The settings of the environment as the help shows them: all of them on their page, and those that a command reads below its own. */

export interface Setting {
  readonly name: string;
  readonly help: string;
  /** Never shown, and marked as such where a client asks a person for it. */
  readonly secret?: true;
}

export const SETTINGS_HELP: readonly Setting[] = [
  { name: "PREFLEXOR_HOME", help: "where corpora and runs are kept, an absolute path" },
  { name: "PREFLEXOR_MODEL", help: "a Hugging Face checkpoint directory or owner/name (default: the package's own)" },
  { name: "PREFLEXOR_TEACHER", help: "writes questions and chosen replies: builtin, extractive, self, client, …" },
  { name: "PREFLEXOR_CRITIC", help: "criticizes in recursive reasoning; as the teacher" },
  { name: "PREFLEXOR_JUDGE", help: "says whether an answer is right where nothing can check it; as the teacher" },
  { name: "PREFLEXOR_TEACHER_BASE_URL", help: "of the OpenAI-compatible server behind openai:<model>" },
  { name: "PREFLEXOR_OFFLINE", help: "1: nothing leaves this machine" },
  { name: "PREFLEXOR_EMBEDDING_MODEL", help: "a sentence-transformers directory or owner/name: finds by meaning" },
  { name: "PREFLEXOR_CHROMA_URL", help: "of a Chroma server that runs already (default: one of its own)" },
  { name: "PREFLEXOR_THREADS", help: "threads of ONNX Runtime, 1 to 256" },
  { name: "PREFLEXOR_ROOTS", help: "absolute paths of the folders that tools may read, joined as in PATH" },
  { name: "PREFLEXOR_MAX_CORPUS_MB", help: "the largest corpus that a tool takes, 1 to 16384" },
  { name: "PREFLEXOR_MAX_RUNS", help: "runs that a server works on at once, 1 to 16" },
  { name: "PREFLEXOR_API_KEY", help: "what clients of preflexor api must send", secret: true },
  { name: "PREFLEXOR_TOKEN", help: "what clients of preflexor serve --http must send", secret: true },
];

const MODELS = ["PREFLEXOR_TEACHER", "PREFLEXOR_JUDGE", "PREFLEXOR_TEACHER_BASE_URL", "PREFLEXOR_OFFLINE"];
const RUNS = ["PREFLEXOR_HOME", "PREFLEXOR_MODEL", "PREFLEXOR_THREADS", "PREFLEXOR_OFFLINE"];
const SEARCH = ["PREFLEXOR_EMBEDDING_MODEL", "PREFLEXOR_CHROMA_URL"];
const LIMITS = ["PREFLEXOR_ROOTS", "PREFLEXOR_MAX_CORPUS_MB", "PREFLEXOR_MAX_RUNS"];

/** By command. */
const READ_BY: Readonly<Record<string, readonly string[]>> = {
  demo: [...RUNS, "PREFLEXOR_EMBEDDING_MODEL"],
  teach: [...RUNS, ...MODELS, "PREFLEXOR_EMBEDDING_MODEL"],
  train: ["PREFLEXOR_MODEL", "PREFLEXOR_THREADS", "PREFLEXOR_OFFLINE"],
  score: ["PREFLEXOR_MODEL", "PREFLEXOR_THREADS", "PREFLEXOR_OFFLINE"],
  eval: ["PREFLEXOR_HOME", "PREFLEXOR_MODEL", "PREFLEXOR_THREADS", "PREFLEXOR_JUDGE", "PREFLEXOR_OFFLINE"],
  generate: ["PREFLEXOR_MODEL", "PREFLEXOR_THREADS", "PREFLEXOR_OFFLINE"],
  chat: ["PREFLEXOR_MODEL", "PREFLEXOR_THREADS", "PREFLEXOR_OFFLINE"],
  api: ["PREFLEXOR_MODEL", "PREFLEXOR_THREADS", "PREFLEXOR_EMBEDDING_MODEL", "PREFLEXOR_API_KEY", "PREFLEXOR_OFFLINE"],
  runs: ["PREFLEXOR_HOME"],
  doctor: ["PREFLEXOR_MODEL", "PREFLEXOR_CHROMA_URL", "PREFLEXOR_EMBEDDING_MODEL", "PREFLEXOR_THREADS"],
  serve: [...RUNS, ...MODELS, "PREFLEXOR_CRITIC", ...SEARCH, ...LIMITS, "PREFLEXOR_TOKEN"],
};

/** The lines below a command's help; nothing where it reads no setting. */
export function settingsReadBy(command: string): string {
  const names = new Set(READ_BY[command] ?? []);
  if (names.size === 0) return "";
  return `\nReads from the environment (preflexor help settings): ${[...names].join(", ")}\n`;
}

export function settingsPage(): string {
  const width = Math.max(...SETTINGS_HELP.map(({ name }) => name.length)) + 2;
  return `Settings from the environment; a flag of a command wins over them.

${SETTINGS_HELP.map(({ name, help }) => `  ${name.padEnd(width)}${help}`).join("\n")}

Who teaches, criticizes and judges (PREFLEXOR_TEACHER, _CRITIC, _JUDGE):
  builtin                       for the package's own materials world
  extractive                    sentences of the passages, no model
  self                          the model that is trained
  client                        the assistant's own model, through MCP sampling
  preflexor:<directory or id>   another model on this machine
  <provider>:<model>            of LangChain; the provider's package and its key must be there
  openai:<model>@<base URL>     any OpenAI-compatible server

An unknown PREFLEXOR_ variable is an error that names the nearest one. preflexor doctor shows what came of them.
`;
}
