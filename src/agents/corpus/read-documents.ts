/** @file Documents from a file or a folder, in an order that does not depend on the file system. */

import { isUtf8 } from "node:buffer";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, extname, join, relative, resolve, sep } from "node:path";

export interface CorpusDocument {
  /** Path relative to the folder that was read, with "/" on every platform; lines of a .jsonl file add "#<line>". */
  readonly source: string;
  readonly text: string;
}

export interface ReadProgress {
  readonly done: number;
  readonly total: number;
  readonly source: string;
}

export interface ReadOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ReadProgress) => void;
  /** Defaults below; smaller ones serve tests. */
  readonly limits?: Partial<ReadLimits>;
}

export interface ReadLimits {
  readonly fileBytes: number;
  readonly files: number;
  readonly totalBytes: number;
}

/** A longer "document" is a dump or a mistake; a book has about 1 MB. */
const MAX_FILE_BYTES = 16 * 2 ** 20;
/** About what exact ranking covers (50,000 passages) when a file gives a few passages. */
const MAX_FILES = 20_000;
/** Documents, passages and vectors are held in memory together. */
const MAX_TOTAL_BYTES = 256 * 2 ** 20;
/** Enough problems to see what is wrong, few enough to read. */
const PROBLEMS_SHOWN = 10;

const EXTENSIONS = [".md", ".markdown", ".txt", ".jsonl"];
const WANTED = EXTENSIONS.join(", ");

/**
 * Reads .md, .markdown, .txt (one document a file) and .jsonl (one document a line, field "text") below `path`.
 * Hidden entries, node_modules and linked folders are left out. Documents without text are left out.
 * Throws one error that names every problem found.
 */
export async function readDocuments(path: string, options: ReadOptions = {}): Promise<CorpusDocument[]> {
  const { signal, onProgress } = options;
  const limits = { fileBytes: MAX_FILE_BYTES, files: MAX_FILES, totalBytes: MAX_TOTAL_BYTES, ...options.limits };
  const root = resolve(path);
  const files = await findFiles(root, limits.files, signal);
  const problems = await checkSizes(root, files, limits);
  refuse(path, problems);

  const load = await textLoader(root);
  const documents: CorpusDocument[] = [];
  for (const [i, file] of files.entries()) {
    signal?.throwIfAborted();
    const source = sourceOf(root, file);
    try {
      documents.push(...(await readFileDocuments(file, source, load)));
    } catch (error) {
      problems.push(`${source}: ${error instanceof Error ? error.message : String(error)}`);
    }
    onProgress?.({ done: i + 1, total: files.length, source });
  }
  refuse(path, problems);
  if (documents.length === 0) {
    throw new Error(
      `the corpus at ${path} is empty: no text in ${files.length} file(s). Add text and ingest it again.`,
    );
  }
  return documents;
}

async function findFiles(root: string, limit: number, signal?: AbortSignal): Promise<string[]> {
  const info = await stat(root).catch((cause: unknown) => {
    throw new Error(`nothing to read at ${root}: give an existing file or folder (${WANTED})`, { cause });
  });
  if (!info.isDirectory()) {
    if (isWanted(root)) return [root];
    throw new Error(`${root} is not a kind of file that can be read: expected ${WANTED}. Convert it to text first.`);
  }
  const files: string[] = [];
  await walk(root, files, limit, signal);
  if (files.length === 0) throw new Error(`no readable file in ${root}: expected ${WANTED}. Put documents there.`);
  const key = new Map(files.map((file) => [file, sourceOf(root, file)]));
  return files.sort((a, b) => compare(key.get(a) ?? a, key.get(b) ?? b));
}

async function walk(folder: string, files: string[], limit: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const full = join(folder, entry.name);
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    if (entry.isDirectory()) await walk(full, files, limit, signal);
    else if (isWanted(full) && (entry.isFile() || (entry.isSymbolicLink() && (await isFile(full))))) files.push(full);
    if (files.length > limit) {
      throw new Error(
        `more than ${limit} files below ${folder}: ingest its subfolders one at a time, or merge files into .jsonl`,
      );
    }
  }
}

async function checkSizes(root: string, files: readonly string[], limits: ReadLimits): Promise<string[]> {
  const problems: string[] = [];
  let total = 0;
  for (const file of files) {
    const { size } = await stat(file);
    total += size;
    if (size > limits.fileBytes) {
      problems.push(`${sourceOf(root, file)}: ${size} bytes, at most ${limits.fileBytes} are read. Split the file.`);
    }
  }
  if (total > limits.totalBytes) {
    problems.push(
      `${total} bytes together, at most ${limits.totalBytes} are read at once. Ingest the subfolders one at a time.`,
    );
  }
  return problems;
}

async function readFileDocuments(file: string, source: string, load: LoadText): Promise<CorpusDocument[]> {
  const loaded = await load(file);
  // The loader puts U+FFFD where bytes are not UTF-8; only then is a second look at the bytes needed.
  if (loaded.includes("\uFFFD") && !isUtf8(await readFile(file))) {
    throw new Error("is not UTF-8 text. Save it as UTF-8 (e.g. iconv -f LATIN1 -t UTF-8).");
  }
  if (loaded.includes("\0")) throw new Error("holds NUL bytes, so it is not text. Remove it or convert it.");
  const text = loaded.startsWith("\uFEFF") ? loaded.slice(1) : loaded;
  if (extname(file).toLowerCase() === ".jsonl") return parseJsonLines(text, source);
  return text.trim() === "" ? [] : [{ source, text }];
}

function parseJsonLines(content: string, source: string): CorpusDocument[] {
  const documents: CorpusDocument[] = [];
  const bad: number[] = [];
  for (const [i, line] of content.split("\n").entries()) {
    if (line.trim() === "") continue;
    const text = textField(line);
    if (text === undefined) bad.push(i + 1);
    else if (text.trim() !== "") documents.push({ source: `${source}#${i + 1}`, text });
  }
  if (bad.length > 0) {
    const lines = bad.slice(0, PROBLEMS_SHOWN).join(", ") + (bad.length > PROBLEMS_SHOWN ? ", …" : "");
    throw new Error(
      `line ${lines}: expected a JSON object with a string "text" on each line. Correct or remove these lines.`,
    );
  }
  return documents;
}

function textField(line: string): string | undefined {
  try {
    const row: unknown = JSON.parse(line);
    if (typeof row !== "object" || row === null || !("text" in row)) return undefined;
    return typeof row.text === "string" ? row.text : undefined;
  } catch {
    return undefined;
  }
}

type LoadText = (file: string) => Promise<string>;

/**
 * LangChain's loader for Markdown folders, asked for its per-file loader, which suits any text file. It is not given
 * the folder: its own walk follows the file system's order and has no limit and no cancelling. `collectMetadata: false`
 * leaves front matter in the text, so that offsets count characters of the file.
 */
async function textLoader(root: string): Promise<LoadText> {
  const { ObsidianLoader } = await import("@langchain/community/document_loaders/fs/obsidian");
  const fileLoader = new ObsidianLoader(root, { collectMetadata: false }).loaders[".md"];
  if (fileLoader === undefined) throw new Error("internal: the Markdown loader has no loader for .md");
  return async (file) => (await fileLoader(file).load()).map((document) => document.pageContent).join("");
}

function refuse(path: string, problems: readonly string[]): void {
  if (problems.length === 0) return;
  const more = problems.length > PROBLEMS_SHOWN ? `\n- and ${problems.length - PROBLEMS_SHOWN} more` : "";
  const shown = problems.slice(0, PROBLEMS_SHOWN).map((problem) => `\n- ${problem}`);
  throw new Error(`cannot read the corpus at ${path}; nothing was ingested:${shown.join("")}${more}`);
}

const isFile = async (path: string) => (await stat(path).catch(() => undefined))?.isFile() ?? false;
const isWanted = (path: string) => EXTENSIONS.includes(extname(path).toLowerCase());
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function sourceOf(root: string, file: string): string {
  if (file === root) return basename(file);
  return relative(root, file).split(sep).join("/");
}
