/** @file Documents from files, a folder or a glob, in an order that does not depend on the file system. */

import { isUtf8 } from "node:buffer";
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { createExtractor, type Extractor, type ExtractorLimits } from "./extractor.js";
import { type FoundFiles, findFiles } from "./find-files.js";

export { rootOf } from "./find-files.js";

export interface CorpusDocument {
  /**
   * Path relative to the folder that was read, or where a glob begins, with "/" on every platform; lines of a .jsonl file add
   * "#<line>".
   */
  readonly source: string;
  /** Offsets of passages count in this text: for HTML and PDF it is what was taken out of the file, not the file itself. */
  readonly text: string;
}

export interface ReadProgress {
  readonly done: number;
  readonly total: number;
  readonly source: string;
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ReadProgress) => void) | undefined;
  /** Defaults below; smaller ones serve tests. */
  readonly limits?: Partial<ReadLimits> | undefined;
  /** Why a file that was found may not be read, such as a link that leads elsewhere; undefined where it may. */
  readonly problemOf?: ((file: string) => Promise<string | undefined>) | undefined;
}

export interface ReadLimits extends ExtractorLimits {
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

/**
 * Reads .md, .markdown, .txt, .html, .htm, .pdf (one document a file) and .jsonl (one document a line, field "text").
 * `path` is a file, a folder with all that is below it, or a glob such as `docs/*.md`. Hidden entries, node_modules
 * and linked folders are left out, as are documents without text. Throws one error that names every problem found.
 */
export async function readDocuments(path: string, options: ReadOptions = {}): Promise<CorpusDocument[]> {
  const { signal } = options;
  const limits = { fileBytes: MAX_FILE_BYTES, files: MAX_FILES, totalBytes: MAX_TOTAL_BYTES, ...options.limits };
  const found = await findFiles(path, limits.files, signal);
  refuse(path, [...sizeProblems(found, limits), ...(await forbidden(found, options))]);
  const extractor = createExtractor(limits);
  try {
    const documents = await readAll(path, found, extractor, options);
    if (documents.length > 0) return documents;
  } finally {
    await extractor.close();
  }
  throw new Error(
    `the corpus at ${path} is empty: no text in ${found.files.length} file(s). Add text and ingest it again.`,
  );
}

async function forbidden({ files }: FoundFiles, { problemOf }: ReadOptions): Promise<string[]> {
  const problems: string[] = [];
  if (problemOf === undefined) return problems;
  for (const { path } of files) {
    const problem = await problemOf(path);
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
}

async function readAll(
  path: string,
  { files }: FoundFiles,
  extractor: Extractor,
  { signal, onProgress }: ReadOptions,
): Promise<CorpusDocument[]> {
  const documents: CorpusDocument[] = [];
  const problems: string[] = [];
  for (const [i, { path: file, source }] of files.entries()) {
    signal?.throwIfAborted();
    try {
      documents.push(...(await readFileDocuments(file, source, extractor, signal)));
    } catch (error) {
      signal?.throwIfAborted();
      problems.push(`${source}: ${error instanceof Error ? error.message : String(error)}`);
    }
    onProgress?.({ done: i + 1, total: files.length, source });
  }
  refuse(path, problems);
  return documents;
}

function sizeProblems({ files, bytes }: FoundFiles, limits: ReadLimits): string[] {
  const problems: string[] = [];
  let total = 0;
  for (const { path, source } of files) {
    const size = bytes.get(path) ?? 0;
    total += size;
    if (size > limits.fileBytes) {
      problems.push(`${source}: ${size} bytes, at most ${limits.fileBytes} are read. Split the file.`);
    }
  }
  if (total > limits.totalBytes) {
    problems.push(
      `${total} bytes together, at most ${limits.totalBytes} are read at once. Ingest the subfolders one at a time.`,
    );
  }
  return problems;
}

async function readFileDocuments(
  file: string,
  source: string,
  extractor: Extractor,
  signal?: AbortSignal,
): Promise<CorpusDocument[]> {
  const bytes = await readFile(file);
  const kind = extname(file).toLowerCase();
  if (kind === ".pdf") return [{ source, text: await extractor.pdf(bytes, signal) }];
  const text = decoded(bytes);
  if (kind === ".jsonl") return parseJsonLines(text, source);
  const isHtml = kind === ".html" || kind === ".htm";
  const plain = isHtml && text.trim() !== "" ? await extractor.html(text, signal) : text;
  return plain.trim() === "" ? [] : [{ source, text: plain }];
}

function decoded(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new Error("is not UTF-8 text. Save it as UTF-8 (e.g. iconv -f LATIN1 -t UTF-8).");
  const text = bytes.toString("utf8");
  if (text.includes("\0")) throw new Error("holds NUL bytes, so it is not text. Remove it or convert it.");
  return text.startsWith("\uFEFF") ? text.slice(1) : text;
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

function refuse(path: string, problems: readonly string[]): void {
  if (problems.length === 0) return;
  const more = problems.length > PROBLEMS_SHOWN ? `\n- and ${problems.length - PROBLEMS_SHOWN} more` : "";
  const shown = problems.slice(0, PROBLEMS_SHOWN).map((problem) => `\n- ${problem}`);
  throw new Error(`cannot read the corpus at ${path}; nothing was ingested:${shown.join("")}${more}`);
}
