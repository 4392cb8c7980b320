/** @file Tells when runs change on disk, whoever writes them: the system's own notice where it works, and a slow look around. */
import { type FSWatcher, watch } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { runsFolder } from "../../agents/index.js";
import { lockHolder } from "../../agents/teaching/run-lock.js";
import type { Changes } from "../changes.js";
import { idProblem } from "./run-place.js";
import { RUNS_URI, type RunPart, runUri } from "./uris.js";

export interface WatchOptions {
  /** Between two looks at one run: no resource is told of more often. */
  readonly quietMs?: number;
  /** Between two looks around, for what the system gives no notice of. */
  readonly pollMs?: number;
}

export interface RunsWatch {
  /** Resolves when all is known that was there before: what changes from now on is told. */
  readonly ready: Promise<void>;
  stop(): void;
}

/** Systems limit how many folders a process may watch; of the others a change is seen later. */
const MOST_WATCHED = 128;

/** Publishes `preflexor://runs` where a run comes, goes, starts or ends, and a run's own resources where its files change. */
export function watchRuns(
  home: string,
  changes: Pick<Changes, "publish">,
  { quietMs = 500, pollMs = 5000 }: WatchOptions = {},
): RunsWatch {
  const watching = new Watching(home, changes, quietMs);
  const ready = watching.lookAround(true);
  const timer = setInterval(() => void watching.lookAround(false), pollMs).unref();
  return {
    ready,
    stop: () => {
      clearInterval(timer);
      watching.stop();
    },
  };
}

/** Size and time of each file that tells of something; see `partsOf`. */
type Versions = ReadonlyMap<string, string>;

interface WatchedRun {
  versions: Versions;
  /** Of the folder itself: it changes where a file comes or goes. */
  folder: string;
  watcher: FSWatcher | undefined;
  timer: NodeJS.Timeout | undefined;
  lookedAt: number;
  looking: boolean;
}

class Watching {
  readonly #runs = new Map<string, WatchedRun>();
  readonly #folder: string;
  #folderWatcher: FSWatcher | undefined;
  #around: Promise<void> = Promise.resolve();
  #stopped = false;
  /** The system has no more notices to give, or never had. */
  #isBlind = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    home: string,
    private readonly changes: Pick<Changes, "publish">,
    private readonly quietMs: number,
  ) {
    this.#folder = runsFolder(home);
  }

  /** One look around at a time; in the first nothing is news. */
  lookAround(isFirst: boolean): Promise<void> {
    this.#around = this.#around.then(() => this.#look(isFirst)).catch(() => undefined);
    return this.#around;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#folderWatcher?.close();
    for (const id of [...this.#runs.keys()]) this.#forget(id);
  }

  async #look(isFirst: boolean): Promise<void> {
    if (this.#stopped) return;
    this.#folderWatcher ??= this.#watch(
      this.#folder,
      () => this.#soon(),
      () => {
        this.#folderWatcher = undefined;
      },
    );
    const entries = await readdir(this.#folder, { withFileTypes: true }).catch(() => []);
    const ids = entries.filter((entry) => entry.isDirectory() && idProblem(entry.name) === undefined);
    const there = new Set(ids.map(({ name }) => name));
    const gone = [...this.#runs.keys()].filter((id) => !there.has(id));
    const fresh = [...there].filter((id) => !this.#runs.has(id));
    for (const id of gone) this.#forget(id);
    for (const id of there) await this.#compare(id, isFirst);
    if (this.#stopped) return this.stop();
    if (!isFirst && gone.length + fresh.length > 0) this.changes.publish(RUNS_URI);
    if (!isFirst) for (const id of gone) this.changes.publish(runUri(id));
  }

  /** A run that is not in use is read only where its folder has changed, as long as the system gives notice. */
  async #compare(id: string, isFirst: boolean): Promise<void> {
    const path = join(this.#folder, id);
    const known = this.#runs.get(id);
    const folder = await versionOf(path);
    if (this.#stopped || folder === undefined) return;
    if (known === undefined) {
      const run = { versions: new Map(), folder, watcher: undefined, timer: undefined, lookedAt: 0, looking: false };
      this.#runs.set(id, run);
      this.#watchRun(id, run);
      await this.#read(id, run, isFirst ? "silent" : "all");
      return;
    }
    const isLive = known.versions.has("run.lock") || this.#isBlind;
    if (known.folder === folder && !isLive) return;
    known.folder = folder;
    this.#watchRun(id, known);
    await this.#read(id, known, "changed");
  }

  #watchRun(id: string, run: WatchedRun): void {
    const watched = [...this.#runs.values()].filter(({ watcher }) => watcher !== undefined);
    if (run.watcher !== undefined || (watched.length >= MOST_WATCHED && !this.#makeRoom(id))) return;
    run.watcher = this.#watch(
      join(this.#folder, id),
      () => this.#readSoon(id),
      () => {
        run.watcher = undefined;
      },
    );
  }

  /** Gives up the notice of the run that was looked at longest ago, but of none that is in use. */
  #makeRoom(forId: string): boolean {
    const idle = [...this.#runs].filter(
      ([id, { watcher, versions }]) => id !== forId && watcher !== undefined && !versions.has("run.lock"),
    );
    const [oldest] = idle.sort(([, a], [, b]) => a.lookedAt - b.lookedAt);
    if (oldest === undefined) return false;
    oldest[1].watcher?.close();
    oldest[1].watcher = undefined;
    return true;
  }

  /** Undefined where the system cannot: it is looked at now and then all the same. */
  #watch(path: string, onChange: () => void, onEnd: () => void): FSWatcher | undefined {
    try {
      const watcher = watch(path, { persistent: false }, onChange);
      watcher.on("error", () => {
        watcher.close();
        onEnd();
      });
      return watcher;
    } catch (error) {
      this.#isBlind ||= (error as NodeJS.ErrnoException).code !== "ENOENT";
      return undefined;
    }
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.lookAround(false);
    }, this.quietMs / 5).unref();
  }

  #readSoon(id: string): void {
    const run = this.#runs.get(id);
    if (this.#stopped || run === undefined || run.timer !== undefined) return;
    const wait = Math.max(this.quietMs / 5, run.lookedAt + this.quietMs - performance.now());
    run.timer = setTimeout(() => {
      run.timer = undefined;
      void this.#read(id, run, "changed").catch(() => undefined);
    }, wait).unref();
  }

  async #read(id: string, run: WatchedRun, tell: "silent" | "changed" | "all"): Promise<void> {
    if (run.looking) return this.#readSoon(id);
    run.looking = true;
    run.lookedAt = performance.now();
    try {
      const versions = await versionsOf(join(this.#folder, id));
      const before = run.versions;
      run.versions = versions;
      if (this.#stopped || this.#runs.get(id) !== run || tell === "silent") return;
      const names = [...new Set([...before.keys(), ...versions.keys()])];
      const changed = names.filter((name) => before.get(name) !== versions.get(name));
      const parts = new Set(changed.flatMap(partsOf));
      if (changed.length > 0) this.changes.publish(runUri(id));
      for (const part of parts) this.changes.publish(runUri(id, part));
      if (tell === "changed" && changed.some((name) => STANDING.test(name))) this.changes.publish(RUNS_URI);
    } finally {
      run.looking = false;
    }
  }

  #forget(id: string): void {
    const run = this.#runs.get(id);
    clearTimeout(run?.timer);
    run?.watcher?.close();
    this.#runs.delete(id);
  }
}

/** A run starts and ends with these. */
const STANDING = /^(?:run\.json|run\.lock|outcome\.json|summary\.json)$/;

/** What else of a run a file is shown in. */
function partsOf(name: string): readonly RunPart[] {
  if (name === "metrics.jsonl") return ["metrics", "report"];
  if (name === "pairs.jsonl") return ["pairs", "report"];
  if (name.startsWith("question-graph-")) return ["graph", "report"];
  if (name === "reasoning.jsonl" || name === "summary.json") return ["reasoning", "report"];
  return name === "adapter" || name === "model" ? ["adapter"] : [];
}

const TELLING =
  /^(?:(?:run|state|progress|activity|outcome|summary)\.json|run\.lock|(?:pairs|metrics|failures|reasoning)\.jsonl|question-graph-\d+\.json|checkpoint-\d+|adapter|model)$/;

async function versionsOf(path: string): Promise<Versions> {
  const names = (await readdir(path).catch(() => [])).filter((name) => TELLING.test(name));
  const found = await Promise.all(names.map(async (name) => [name, await versionOf(join(path, name))] as const));
  const versions = new Map(found.flatMap(([name, version]) => (version === undefined ? [] : [[name, version]])));
  // A lock is freshened now and then, which says nothing new; that its process is gone is written nowhere.
  if (versions.has("run.lock")) {
    const holder = await lockHolder(path).catch(() => undefined);
    versions.set("run.lock", holder === undefined ? "nobody" : holder.since);
  }
  return versions as Versions;
}

async function versionOf(path: string): Promise<string | undefined> {
  const info = await lstat(path, { bigint: true }).catch(() => undefined);
  return info && `${info.ino}.${info.size}.${info.mtimeNs}`;
}
