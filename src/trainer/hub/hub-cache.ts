/**
 * @file The Hugging Face cache on disk, shared with the Python libraries: models--owner--name/{blobs,refs,snapshots}. A
 * snapshot is a folder of links into blobs, which are named after their content.
 */
import { randomBytes } from "node:crypto";
import { copyFile, lstat, mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { exists } from "./exists.js";
import { isCommit } from "./model-id.js";
import { missingFiles, SMALL_FILES } from "./needed-files.js";

export interface CachedSnapshot {
  readonly commit: string;
  readonly directory: string;
  /** Required files that are not there; empty where the model can be opened. */
  readonly missing: readonly string[];
}

/** The part of the cache that belongs to one model. */
export class HubCache {
  readonly folder: string;
  private readonly locks: string;

  constructor(cacheDir: string, name: string) {
    const folderName = `models--${name.replaceAll("/", "--")}`;
    this.folder = join(cacheDir, folderName);
    this.locks = join(cacheDir, ".locks", folderName);
  }

  blob(etag: string): string {
    return join(this.folder, "blobs", etag);
  }

  /** Python locks `<etag>.lock` with flock, which Node.js lacks; so this lock has a name of its own. */
  lock(etag: string): string {
    return join(this.locks, `${etag}.preflexor.lock`);
  }

  snapshot(commit: string): string {
    return join(this.folder, "snapshots", commit);
  }

  /** What is here of a branch, tag or commit. */
  async find(revision: string): Promise<CachedSnapshot | undefined> {
    const commit = isCommit(revision) ? revision : await this.commitOf(revision);
    if (commit === undefined) return undefined;
    const directory = this.snapshot(commit);
    if (!(await exists(directory))) return undefined;
    return { commit, directory, missing: await missingFiles(directory) };
  }

  private async commitOf(revision: string): Promise<string | undefined> {
    const text = await readFile(join(this.folder, "refs", revision), "utf8").catch(() => "");
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  /** Whether every optional file of a snapshot is here or known not to exist, so that the hub need not be asked. */
  async knowsAll(commit: string): Promise<boolean> {
    const known = await Promise.all(
      SMALL_FILES.map(
        async (name) => (await exists(join(this.snapshot(commit), name))) || exists(this.absence(commit, name)),
      ),
    );
    return known.every(Boolean);
  }

  async noteAbsence(commit: string, name: string): Promise<void> {
    await mkdir(dirname(this.absence(commit, name)), { recursive: true });
    await writeFile(this.absence(commit, name), "");
  }

  private absence(commit: string, name: string): string {
    return join(this.folder, ".no_exist", commit, name);
  }

  /** Puts the blob under its file name into the snapshot. Where links are not allowed, the blob itself moves there. */
  async link(etag: string, commit: string, name: string): Promise<void> {
    const blob = this.blob(etag);
    const path = join(this.snapshot(commit), name);
    await mkdir(dirname(path), { recursive: true });
    if (await exists(path)) return;
    // A link that leads nowhere is in the way.
    if (await lstat(path).catch(() => undefined)) await rm(path);
    try {
      await symlink(relative(dirname(path), blob), path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EEXIST") return;
      if (code !== "EPERM" && code !== "ENOSYS" && code !== "EOPNOTSUPP") throw error;
      await rename(blob, path).catch(() => copyFile(blob, path));
    }
  }

  /** Notes which commit a branch or tag stands for; readers see the old or the new one, never half of it. */
  async setRef(revision: string, commit: string): Promise<void> {
    if (isCommit(revision) || (await this.commitOf(revision)) === commit) return;
    const path = join(this.folder, "refs", revision);
    await mkdir(dirname(path), { recursive: true });
    const staged = `${path}.${randomBytes(4).toString("hex")}.tmp`;
    await writeFile(staged, commit);
    await rename(staged, path);
  }
}
