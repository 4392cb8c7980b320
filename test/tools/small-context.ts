/** @file A ToolContext without engine and server: a scripted student, an in-process store, a small world. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLexicalEmbedder, openInProcessStore, type PassageStore } from "../../src/agents/corpus/index.js";
import { createMaterialsWorld } from "../../src/agents/environments/index.js";
import { createCritic, loadExtractiveTeacher, loadTextCritic, loadWorldTeacher } from "../../src/agents/index.js";
import {
  type ActiveCorpus,
  createChanges,
  EMPTY_CORPUS,
  openRunFolder,
  readActiveCorpus,
  serialQueue,
  type ToolContext,
  writeActiveCorpus,
} from "../../src/tools/index.js";
import { createPathGuard } from "../../src/tools/roots.js";
import type { RunKeeper } from "../../src/tools/run-keeper.js";
import { runPlace } from "../../src/tools/views/index.js";
import { type ScriptedStudent, scriptedStudent } from "../agents/scripted-student.js";

export const WORLD = createMaterialsWorld({ seed: 3, materials: 24 });

/** Thinks without end about the question, and then answers. */
export const thinkingStudent = (): ScriptedStudent =>
  scriptedStudent(
    () => "<|thinking|>\nNacre contains about 95 percent aragonite by weight.\n<|/thinking|>\nAragonite.",
  );

export interface SmallContext extends ToolContext {
  readonly scripted: ScriptedStudent;
  stop(): void;
}

/** Whole runs need a process each: tests of them put a keeper of their own here. */
const noRuns = new Proxy({} as RunKeeper, {
  get: (_, name) => async () => {
    throw new Error(`this test has no keeper of runs, and asked it to ${String(name)}`);
  },
});

export async function smallContext(scripted = thinkingStudent(), at?: string): Promise<SmallContext> {
  const home = at ?? (await mkdtemp(join(tmpdir(), "preflexor-tools-")));
  const controller = new AbortController();
  const stores = new Map<string, Promise<PassageStore>>();
  const activeCorpus = () => readActiveCorpus(home);
  const openCorpus = (corpus: ActiveCorpus): Promise<PassageStore> => {
    const opened =
      stores.get(corpus.kind) ?? openInProcessStore({ embedder: createLexicalEmbedder(), version: "test" });
    stores.set(corpus.kind, opened);
    return opened;
  };
  const store = async (): Promise<PassageStore> => {
    const corpus = await activeCorpus();
    if (corpus === undefined) throw new Error(EMPTY_CORPUS);
    return openCorpus(corpus);
  };
  return {
    scripted,
    home,
    signal: controller.signal,
    notices: () => ["a notice"],
    activeCorpus,
    openCorpus,
    activate: (corpus) => writeActiveCorpus(home, corpus),
    store,
    world: async () => WORLD,
    environment: async () => ((await activeCorpus())?.kind === "world" ? WORLD : undefined),
    teacher: async () =>
      (await activeCorpus())?.kind === "world"
        ? loadWorldTeacher({ allowed: WORLD.isTrainable })
        : loadExtractiveTeacher(),
    judge: async () => ({ critic: async () => createCritic({ model: await loadTextCritic() }) }),
    student: async () => scripted,
    runStudent: async (id) => ({
      student: scripted,
      directory: await runPlace(home, id),
      recipe: "pretrained",
      trained: "adapter",
    }),
    recipe: "pretrained",
    run: () => openRunFolder(join(home, "runs", "test")),
    paths: createPathGuard([{ path: tmpdir() }]),
    corpusLimits: {},
    runs: noRuns,
    changes: createChanges(),
    exclusive: serialQueue(),
    stop: () => controller.abort(new Error("the server stops")),
  };
}
