/** @file Constructs the real tool context; the only place where stores, engines, models and teachers are made. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { lockRun, type PassageStore, type ReleaseRun, type Student } from "../agents/index.js";
import {
  type ActiveCorpus,
  EMPTY_CORPUS,
  openRunFolder,
  readActiveCorpus,
  serialQueue,
  type ToolContext,
  watchedChanges,
  writeActiveCorpus,
} from "../tools/index.js";
import { runReport } from "../tools/views/index.js";
import { type Config, corpusLimitsOf } from "./config.js";
import { currentRun } from "./current-run.js";
import { embeddingOf, type OpenEmbedding } from "./embedding.js";
import { type Lazy, lazy } from "./lazy.js";
import { judgeOf, openStudent, recipeNameOf } from "./models.js";
import { appPage, reportHtml } from "./page/index.js";
import { pathGuardOf, type RootOptions } from "./roots.js";
import { runStudents } from "./run-student.js";
import { lazyRunKeeper } from "./runs/lazy-run-keeper.js";
import { teachingModels } from "./teaching-models.js";

/** How long a stopping server waits for work under way; a part of what it has for its whole end. */
const SAVE_GRACE_MS = 2000;

export interface ServerContext extends ToolContext {
  readonly config: Config;
  /** Stops the engine and the store's server; whatever is under way is aborted. */
  close(): Promise<void>;
}

/** Nothing is opened here. `onNotice` hears what the user should know, each thing once. */
export function createContext(
  config: Config,
  onNotice: (text: string) => void = () => undefined,
  rootOptions: RootOptions = {},
): ServerContext {
  const { home } = config;
  const controller = new AbortController();
  const notices = noticeBoard(onNotice);
  const embedding = embeddingOf(config, controller.signal, notices.add);
  const stores = storeShelf(config, embedding.open, notices.add);
  const world = lazy(async () => {
    const [{ createMaterialsWorld }, { NANO_PLAN }] = await Promise.all([
      import("../agents/environments/index.js"),
      import("../agents/base-model.js"),
    ]);
    // The world whose facts the package's model has learned.
    return createMaterialsWorld({ seed: NANO_PLAN.seed });
  });
  const claim = async (): Promise<void> => {
    await held();
  };
  const run = lazy(async () => openRunFolder((await currentRun(home, config.model)).path, { claim }));
  const held = lazy(async () => holdRun((await run()).directory));
  const student = lazy(async () => openStudent(config, await run()));
  const livingStudent = async (): Promise<Student> => {
    const opened = await student();
    if (await isAlive(opened)) return opened;
    // E.g. killed for want of memory: another one goes on from the last checkpoint.
    await student.closeWith(({ policy }) => policy.close());
    return student();
  };
  const ofRuns = runStudents(config);
  const { signal } = controller;
  const models = teachingModels(config, { world, student: livingStudent, signal, onNotice: notices.add });
  const activeCorpus = () => readActiveCorpus(home);
  const requireCorpus = async (): Promise<ActiveCorpus> => {
    const corpus = await activeCorpus();
    if (corpus === undefined) throw new Error(EMPTY_CORPUS);
    return corpus;
  };
  const store = async () => stores.open(await requireCorpus());
  const exclusive = serialQueue();
  const changes = watchedChanges(home, signal);
  const paths = pathGuardOf(config, rootOptions);
  return {
    config,
    home,
    signal,
    notices: notices.all,
    activeCorpus,
    openCorpus: stores.open,
    activate: async (corpus) => {
      await mkdir(home, { recursive: true });
      await writeActiveCorpus(home, corpus);
    },
    store,
    world,
    environment: async () => ((await activeCorpus())?.kind === "world" ? world() : undefined),
    teacher: async (client) => models.open("teacher", await requireCorpus(), client),
    judge: async (client) => {
      const corpus = await requireCorpus();
      return judgeOf(corpus, await store(), await models.open("critic", corpus, client));
    },
    student: livingStudent,
    runStudent: ofRuns.open,
    recipe: recipeNameOf(config.model),
    run,
    paths,
    corpusLimits: corpusLimitsOf(config),
    runs: lazyRunKeeper({ config, paths, changes, signal }),
    changes,
    report: async (id) => reportHtml(await runReport(home, id)),
    appPage,
    exclusive,
    close: async () => {
      controller.abort(new Error("the server stops"));
      // A training that is under way saves the steps that it took.
      await Promise.race([
        exclusive(new AbortController().signal, async () => undefined),
        sleep(SAVE_GRACE_MS, undefined, { ref: false }),
      ]);
      await Promise.allSettled([
        student.closeWith(({ policy }) => policy.close()),
        ofRuns.close(),
        stores.close(),
        models.close(),
        held.closeWith((release) => release()),
      ]);
      await embedding.close();
    },
  };
}

/** The run of this server's tools: two servers that write to one would mix up their pairs and checkpoints. */
async function holdRun(directory: string): Promise<ReleaseRun> {
  try {
    return await lockRun(directory);
  } catch (cause) {
    const advice =
      "another server's tools write to it. Use that one, end it, or ask the user to give this one a PREFLEXOR_HOME of its own";
    throw new Error(`${(cause as Error).message}; ${advice}`, { cause });
  }
}

const isAlive = ({ policy }: Student): Promise<boolean> =>
  policy.stepCount().then(
    () => true,
    () => false,
  );

function noticeBoard(onNotice: (text: string) => void): { add: (text: string) => void; all: () => readonly string[] } {
  const seen = new Set<string>();
  return {
    add: (text) => {
      if (seen.has(text)) return;
      seen.add(text);
      onNotice(text);
    },
    all: () => [...seen],
  };
}

/** One store for the built-in world and one for all documents of the user; each opened once. */
function storeShelf(config: Config, embedder: OpenEmbedding, onNotice: (text: string) => void) {
  const shelf = new Map<string, Lazy<PassageStore>>();
  const open = (corpus: ActiveCorpus): Promise<PassageStore> => {
    const name = corpus.collection ?? (corpus.kind === "world" ? "materials-world" : "documents");
    let opened = shelf.get(name);
    if (opened === undefined) {
      opened = lazy(() => openNamed(config, name, embedder, onNotice));
      shelf.set(name, opened);
    }
    return opened();
  };
  const close = async (): Promise<void> => {
    await Promise.allSettled([...shelf.values()].map((opened) => opened.closeWith((store) => store.close())));
    shelf.clear();
  };
  return { open, close };
}

async function openNamed(
  config: Config,
  name: string,
  openEmbedding: OpenEmbedding,
  onNotice: (text: string) => void,
): Promise<PassageStore> {
  const [{ openPassageStore }, embedder] = await Promise.all([import("../agents/corpus/index.js"), openEmbedding()]);
  const store = await openPassageStore({
    dataDir: join(config.home, "corpora"),
    // Vectors of two models cannot be compared: each has collections of its own, beside those of the lexical embedder.
    collection: embedder === undefined ? name : `${name}-${embedder.name}`,
    ...(embedder !== undefined && { embedder }),
    ...(config.chromaUrl !== undefined && { chroma: config.chromaUrl }),
  });
  if (store.description.notice !== undefined) onNotice(store.description.notice);
  if (embedder !== undefined && (await store.count()) === 0) onNotice(notEmbedded(config.embeddingModel));
  return store;
}

const notEmbedded = (model = ""): string =>
  `PREFLEXOR_EMBEDDING_MODEL (${model}) keeps passages in collections of its own, and this one is new: call ingest-corpus once, ` +
  "also for documents that were ingested before";
