/** @file The README.md of a repository that a run uploads to: the facts of the run, and no claim beside them. */
import { parseModelId } from "./model-id.js";

export interface ModelCardFacts {
  /** "owner/name" of the repository. */
  readonly repo: string;
  /** As the run names it: a hub id, or the name of a directory. */
  readonly baseModel: string;
  /** Commit of the base model on the hub. */
  readonly revision?: string;
  /** peft: an adapter; transformers: a whole model. */
  readonly library: "peft" | "transformers";
  /** Of this package. */
  readonly version: string;
  /** In the order of training, e.g. [{ loss: "orpo", steps: 60 }]; a loss is named as in TRL. */
  readonly phases: readonly { readonly loss: string; readonly steps: number }[];
  readonly seeds: readonly number[];
  /** Names of the models or rules that wrote the chosen replies. */
  readonly teachers: readonly string[];
  /** Accumulated pairs. */
  readonly pairs?: number;
  /** What was typed to start the run. */
  readonly command?: string;
  /** An identifier of the hub, such as apache-2.0; left out where it is not known. */
  readonly license?: string;
  /** Files of the repository and what is in them. */
  readonly files?: readonly (readonly [path: string, what: string])[];
  /** Markdown on how to load it. */
  readonly usage?: string;
}

/** Markdown with the front matter that the hub reads. The same facts give the same bytes. */
export function modelCard(facts: ModelCardFacts): string {
  const title = facts.repo.split("/").at(-1) as string;
  const what = facts.library === "peft" ? "A LoRA adapter" : "A language model";
  const sections = [
    `${frontMatter(facts)}\n\n# ${title}`,
    `${what}, trained by PRefLexOR for TypeScript (the npm package \`preflexor\`, version ${facts.version}).`,
    factTable(facts),
    ...(facts.command === undefined ? [] : [`The command:\n\n${fenced(facts.command)}`]),
    ...(facts.files === undefined ? [] : [fileList(facts.files)]),
    ...(facts.usage === undefined ? [] : [facts.usage.trim()]),
  ];
  return `${sections.join("\n\n")}\n`;
}

/** A base model that is no hub id stays out: the hub refuses a commit whose metadata names one that cannot be. */
function frontMatter({ baseModel, library, phases, license }: ModelCardFacts): string {
  const tags = [...new Set(["preflexor", ...phases.map(({ loss }) => loss.toLowerCase())])];
  return [
    "---",
    ...(parseModelId(baseModel)?.name === baseModel ? [`base_model: ${JSON.stringify(baseModel)}`] : []),
    `library_name: ${library}`,
    ...(license === undefined ? [] : [`license: ${JSON.stringify(license)}`]),
    "tags:",
    ...tags.map((tag) => `- ${JSON.stringify(tag)}`),
    "---",
  ].join("\n");
}

function factTable({ baseModel, revision, phases, seeds, teachers, pairs }: ModelCardFacts): string {
  const steps = phases.reduce((sum, phase) => sum + phase.steps, 0);
  const rows: readonly (readonly [string, string])[] = [
    ["base model", revision === undefined ? baseModel : `${baseModel}, commit ${revision}`],
    ["optimizer steps", String(steps)],
    ["losses", phases.map((phase) => `${phase.loss} (${phase.steps} steps)`).join(", ") || "none yet"],
    ...(pairs === undefined ? [] : [["preference pairs", String(pairs)] as const]),
    ["teachers", teachers.join(", ") || "none"],
    [seeds.length === 1 ? "seed" : "seeds", seeds.join(", ")],
  ];
  return ["| | |", "|---|---|", ...rows.map(([name, value]) => `| ${name} | ${cell(value)} |`)].join("\n");
}

const cell = (text: string): string => text.replace(/\s+/g, " ").replace(/[\\|`*_<[\]]/g, "\\$&");

/** A fence is longer than any run of backticks within. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}sh\n${text.trim()}\n${fence}`;
}

const fileList = (files: readonly (readonly [string, string])[]): string =>
  files.map(([path, what]) => `- \`${path}\`: ${what}`).join("\n");
