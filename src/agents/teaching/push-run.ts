/** @file A run on the hub after an iteration: what was trained, its journals and a card. A push that fails is told, not thrown. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  checkpointSteps,
  type HubFile,
  type HubTarget,
  type ModelCardFacts,
  modelCard,
  pushToHub,
  type UploadProgress,
} from "../../trainer/index.js";
import { METRICS_FILE, PAIRS_FILE } from "./run-journal.js";

export interface PushRunOptions extends HubTarget {
  /** Run directory. */
  readonly directory: string;
  /** Adapter or model directory. It must not be written to before the push has ended. */
  readonly trained: string;
  /** Title of the commit, such as "round 2, step 40". */
  readonly message: string;
  /** The card says these, and what is counted here. */
  readonly facts: Omit<ModelCardFacts, "repo" | "pairs" | "files" | "usage">;
  readonly onProgress?: (progress: UploadProgress) => void;
}

export type PushEvent =
  | {
      readonly kind: "pushed";
      readonly repo: string;
      readonly url: string;
      /** Holds everything, also where nothing had changed. */
      readonly commit: string;
      readonly files: number;
      readonly bytes: number;
    }
  | { readonly kind: "push-failed"; readonly repo: string; readonly reason: string };

const STATE_FILE = "trainer_state.json";
const CARD = "README.md";

const CONTENTS: Readonly<Record<string, string>> = {
  "adapter_model.safetensors": "the adapter, as PEFT loads it, with `adapter_config.json`",
  "model.safetensors": "the model, with `config.json`",
  "tokenizer.json": "the tokenizer that it was trained with",
  [PAIRS_FILE]: "all preference pairs so far, one JSON object a line, with their provenance",
  [METRICS_FILE]: "the log history, one JSON object a line",
  [STATE_FILE]: "the log history, as transformers writes it",
};

/** Uploads the state of the run; the next call sends whatever this one did not. Only an abort throws. */
export async function pushRun(options: PushRunOptions): Promise<PushEvent> {
  const { directory: _directory, trained: _trained, facts: _facts, message, ...target } = options;
  const { repo } = target;
  try {
    const { url, commit, uploaded } = await pushToHub({ ...target, message, files: await filesOf(options) });
    const bytes = uploaded.reduce((sum, file) => sum + file.bytes, 0);
    return { kind: "pushed", repo, url, commit, files: uploaded.length, bytes };
  } catch (error) {
    options.signal?.throwIfAborted();
    return { kind: "push-failed", repo, reason: (error as Error).message };
  }
}

/** Journals are read here and now: the run may append to them while they are sent. */
async function filesOf({ directory, trained, facts, repo }: PushRunOptions): Promise<HubFile[]> {
  const entries = await readdir(trained, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  const pairs = await textOf(join(directory, PAIRS_FILE));
  const journals: readonly (readonly [string, string | undefined])[] = [
    [PAIRS_FILE, pairs],
    [METRICS_FILE, await textOf(join(directory, METRICS_FILE))],
    [STATE_FILE, await newestState(directory)],
  ];
  const files: HubFile[] = names
    .filter((name) => name !== CARD)
    .sort()
    .map((name) => ({ path: name, content: pathToFileURL(join(trained, name)) }));
  for (const [path, content] of journals) if (content !== undefined) files.push({ path, content });
  const described = files.flatMap(({ path }) =>
    CONTENTS[path] === undefined ? [] : [[path, CONTENTS[path]] as const],
  );
  const usage = names.includes(CARD) ? usageOf(await readFile(join(trained, CARD), "utf8"), repo) : undefined;
  const card = modelCard({
    ...facts,
    repo,
    ...(pairs !== undefined && { pairs: pairs.split("\n").filter((line) => line !== "").length }),
    files: described,
    ...(usage !== undefined && { usage }),
  });
  return [{ path: CARD, content: card }, ...files];
}

/** The run's own, or that of its last checkpoint. */
async function newestState(directory: string): Promise<string | undefined> {
  const step = (await checkpointSteps(directory)).at(-1);
  const own = await textOf(join(directory, STATE_FILE));
  return own ?? (step === undefined ? undefined : textOf(join(directory, `checkpoint-${step}`, STATE_FILE)));
}

async function textOf(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

/** The README that the adapter was written with, as a section that loads it from the repository. */
const usageOf = (readme: string, repo: string): string =>
  readme
    .replace(/^---\n[\s\S]*?\n---\n/, "")
    .replace(/^# /m, "## ")
    .replaceAll('"<this directory>"', JSON.stringify(repo));
