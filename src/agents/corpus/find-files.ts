/** @file The files of a corpus: one file, all readable ones of a folder, or those that a glob names; in a fixed order. */

import { readdir, stat } from "node:fs/promises";
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path";
import { nearest } from "../../trainer/text/nearest.js";

/** Kinds that can be read, by extension. */
export const EXTENSIONS = [".md", ".markdown", ".txt", ".html", ".htm", ".pdf", ".jsonl"] as const;
const WANTED = EXTENSIONS.join(", ");

export interface FoundFiles {
  /** Ordered by source. */
  readonly files: readonly { readonly path: string; readonly source: string }[];
  readonly bytes: ReadonlyMap<string, number>;
}

/** What a path or glob stands for, whatever folder the next process starts in. */
export const rootOf = (path: string): string => resolve(path);

/** Throws where nothing is found, or more than `limit` files. What exists under the very name is no glob. */
export async function findFiles(path: string, limit: number, signal?: AbortSignal): Promise<FoundFiles> {
  const root = rootOf(path);
  const info = await stat(root).catch((cause: NodeJS.ErrnoException) => cause);
  if (info instanceof Error) {
    if (hasGlobCharacters(root)) return sized(await matchingFiles(root, limit, signal));
    const guess = await neighbourOf(root);
    const meant = guess === undefined ? "" : `; did you mean ${guess}?`;
    throw new Error(`nothing to read at ${root}: give an existing file or folder, or a glob (${WANTED})${meant}`, {
      cause: info,
    });
  }
  if (info.isDirectory()) {
    const files: string[] = [];
    await walk(root, files, limit, signal);
    if (files.length === 0) throw new Error(`no readable file in ${root}: expected ${WANTED}. Put documents there.`);
    return sized(named(root, files));
  }
  if (isWanted(root)) return sized([{ path: root, source: basename(root) }]);
  throw new Error(`${root} is not a kind of file that can be read: expected ${WANTED}. Convert it to text first.`);
}

/** What lies in the same folder under nearly the same name. */
async function neighbourOf(path: string): Promise<string | undefined> {
  const names = await readdir(dirname(path)).catch(() => []);
  const guess = nearest(
    basename(path),
    names.filter((name) => !name.startsWith(".")),
  );
  return guess === undefined ? undefined : join(dirname(path), guess);
}

async function walk(folder: string, files: string[], limit: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const full = join(folder, entry.name);
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    if (entry.isDirectory()) await walk(full, files, limit, signal);
    else if (isWanted(full) && (entry.isFile() || (entry.isSymbolicLink() && (await isFile(full))))) files.push(full);
    checkCount(files, limit, folder);
  }
}

/** Sources are relative to the folder where the pattern begins, so a glob and its folder name documents alike. */
async function matchingFiles(root: string, limit: number, signal?: AbortSignal): Promise<FoundFiles["files"]> {
  const { glob } = await import("tinyglobby");
  const { folder, pattern } = await splitGlob(root);
  const matches = await glob(pattern, {
    cwd: folder,
    absolute: true,
    expandDirectories: false,
    followSymbolicLinks: false,
    ignore: ["**/node_modules/**"],
    ...(signal && { signal }),
  });
  signal?.throwIfAborted();
  const files = matches.map((match) => resolve(match)).filter(isWanted);
  if (files.length === 0) {
    throw new Error(`no readable file matches ${root}: expected ${WANTED}. Correct the pattern, or name the folder.`);
  }
  checkCount(files, limit, folder);
  return named(folder, files);
}

/** The longest folder that exists is no pattern, even where its name has the characters of one. */
async function splitGlob(root: string): Promise<{ folder: string; pattern: string }> {
  const parts = root.split(/[\\/]/);
  let length = 1;
  while (length < parts.length && (await isFolder(parts.slice(0, length + 1).join(sep)))) length++;
  return { folder: parts.slice(0, length).join(sep) || sep, pattern: parts.slice(length).join("/") };
}

const hasGlobCharacters = (path: string): boolean => /[*?[\]{}()]/.test(path);

function checkCount(files: readonly string[], limit: number, folder: string): void {
  if (files.length <= limit) return;
  throw new Error(
    `more than ${limit} files below ${folder}: ingest its subfolders one at a time, or merge files into .jsonl`,
  );
}

function named(folder: string, files: readonly string[]): FoundFiles["files"] {
  return files
    .map((path) => ({ path, source: relative(folder, path).split(sep).join("/") }))
    .sort((a, b) => (a.source < b.source ? -1 : 1));
}

async function sized(files: FoundFiles["files"]): Promise<FoundFiles> {
  const bytes = new Map<string, number>();
  for (const { path } of files) bytes.set(path, (await stat(path)).size);
  return { files, bytes };
}

const isFile = async (path: string) => (await stat(path).catch(() => undefined))?.isFile() ?? false;
const isFolder = async (path: string) => (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
const isWanted = (path: string) => (EXTENSIONS as readonly string[]).includes(extname(path).toLowerCase());
