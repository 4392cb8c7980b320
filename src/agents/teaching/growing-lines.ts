/** @file Files of lines that others append to: whole lines alone, each read once, whatever is being written behind them. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** Read at a time. */
const CHUNK_BYTES = 1 << 20;
/** No line of a run comes near it; what does is told as one that cannot be read, and never held in memory. */
const MOST_LINE_BYTES = 8 << 20;
/** Of the end of what was read: a file that was cut and written again mostly differs there. */
const FOOT_BYTES = 64;
/** Files that one fold remembers. */
const MOST_FILES = 64;

export interface Line {
  /** From 0. */
  readonly index: number;
  /** Offset of its first byte. */
  readonly start: number;
  /** Without the line's end; undefined where it is too long. Valid during the call only. */
  readonly bytes: Buffer | undefined;
}

/** What is made of the lines of a file, one after the other. The state is mutable and shared: copy what you keep. */
export interface LineFold<T> {
  make(): T;
  line(state: T, line: Line): void;
}

/** Reads no link, and does not wait for a pipe. Undefined where there is no such file. */
export async function openPlainFile(file: string): Promise<FileHandle | undefined> {
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  let handle: FileHandle;
  try {
    handle = await open(file, flags);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (code === "ELOOP") throw new Error(`${file} is a link, which is not followed: put the file itself there`);
    throw error;
  }
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new Error(`${file}: expected a file, found something else`);
}

/** Cuts bytes into lines; what has no end yet is held back. */
class Splitter {
  #held: Buffer[] = [];
  #heldBytes = 0;
  #tooLong = false;

  constructor(
    public index: number,
    /** Where the line under way begins. */
    public start: number,
  ) {}

  push(chunk: Buffer, onLine: (line: Line) => void): void {
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      const rest = chunk.subarray(from, end);
      const length = this.#heldBytes + rest.length;
      const bytes = this.#tooLong || length > MOST_LINE_BYTES ? undefined : this.#joined(rest);
      onLine({ index: this.index, start: this.start, bytes });
      this.index += 1;
      this.start += length + 1;
      this.#clear();
      from = end + 1;
    }
    this.#hold(chunk.subarray(from));
  }

  #joined(rest: Buffer): Buffer {
    return this.#held.length === 0 ? rest : Buffer.concat([...this.#held, rest]);
  }

  #hold(rest: Buffer): void {
    this.#heldBytes += rest.length;
    this.#tooLong ||= this.#heldBytes > MOST_LINE_BYTES;
    if (this.#tooLong) this.#held = [];
    else if (rest.length > 0) this.#held.push(Buffer.from(rest));
  }

  #clear(): void {
    this.#held = [];
    this.#heldBytes = 0;
    this.#tooLong = false;
  }
}

interface Read<T> {
  state: T;
  inode: number;
  /** Lines, and the offset behind the last of them. */
  lines: number;
  end: number;
  /** Bytes before `end`. */
  foot: Buffer;
  /** One reader of a file at a time. */
  busy: Promise<unknown>;
}

const remembered = new WeakMap<object, Map<string, Read<unknown>>>();

/**
 * The fold over all whole lines of a file. A later call reads only what was appended since; a file that was cut or
 * written anew is read from its start. Undefined where there is no such file.
 */
export async function foldLines<T>(file: string, fold: LineFold<T>): Promise<T | undefined> {
  const files = (remembered.get(fold) ?? new Map()) as Map<string, Read<T>>;
  remembered.set(fold, files as Map<string, Read<unknown>>);
  const read = files.get(file) ?? fresh(fold);
  // The file that was asked for last goes last.
  files.delete(file);
  files.set(file, read);
  for (const oldest of [...files.keys()].slice(0, Math.max(0, files.size - MOST_FILES))) files.delete(oldest);
  const turn = read.busy.then(() => readOn(file, fold, read));
  read.busy = turn.catch(() => undefined);
  return turn;
}

const fresh = <T>(fold: LineFold<T>): Read<T> => ({
  state: fold.make(),
  inode: -1,
  lines: 0,
  end: 0,
  foot: Buffer.alloc(0),
  busy: Promise.resolve(),
});

async function readOn<T>(file: string, fold: LineFold<T>, read: Read<T>): Promise<T | undefined> {
  const handle = await openPlainFile(file);
  if (handle === undefined) {
    Object.assign(read, { ...fresh(fold), busy: read.busy });
    return undefined;
  }
  try {
    const { ino, size } = await handle.stat();
    if (!(await isContinued(handle, read, ino, size)))
      Object.assign(read, { ...fresh(fold), inode: ino, busy: read.busy });
    const splitter = new Splitter(read.lines, read.end);
    await eachChunk(handle, read.end, size, (chunk) => {
      splitter.push(chunk, (line) => fold.line(read.state, line));
      return true;
    });
    read.lines = splitter.index;
    if (splitter.start !== read.end) {
      read.end = splitter.start;
      read.foot = await bytesOf(handle, Math.max(0, read.end - FOOT_BYTES), read.end);
    }
    return read.state;
  } finally {
    await handle.close();
  }
}

async function isContinued(handle: FileHandle, read: Read<unknown>, inode: number, size: number): Promise<boolean> {
  if (read.inode !== inode || size < read.end) return false;
  return read.foot.equals(await bytesOf(handle, read.end - read.foot.length, read.end));
}

/** What a writer appends meanwhile is left to the next call, so that this one ends. */
async function eachChunk(
  handle: FileHandle,
  from: number,
  to: number,
  /** Whether to go on. */
  onChunk: (chunk: Buffer) => boolean,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(1, to - from)));
  for (let at = from; at < to; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, to - at), at);
    if (bytesRead === 0 || !onChunk(buffer.subarray(0, bytesRead))) return;
    at += bytesRead;
  }
}

async function bytesOf(handle: FileHandle, from: number, to: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(to - from), 0, to - from, from);
  return buffer.subarray(0, bytesRead);
}

/** Where lines begin: every `stride`-th of them, so that any page is found by reading a little, and the list stays short. */
export interface LineIndex {
  stride: number;
  starts: number[];
  total: number;
}

const MOST_STARTS = 1 << 14;

const INDEX: LineFold<LineIndex> = {
  make: () => ({ stride: 16, starts: [], total: 0 }),
  line(state, { index, start }) {
    if (index % state.stride === 0) state.starts.push(start);
    if (state.starts.length > MOST_STARTS) {
      state.starts = state.starts.filter((_, i) => i % 2 === 0);
      state.stride *= 2;
    }
    state.total = index + 1;
  },
};

/** Whole lines of a file; 0 where there is no such file. */
export async function countLines(file: string): Promise<number> {
  return (await foldLines(file, INDEX))?.total ?? 0;
}

export interface LinesPage {
  readonly lines: readonly { readonly index: number; readonly text: string | undefined }[];
  readonly total: number;
}

export interface PageOptions {
  /** Lines to pass over. */
  readonly after: number;
  readonly limit: number;
  /** Ends the page early, but not before its first line. */
  readonly mostBytes?: number;
}

/** Some lines in turn. Reads at most a few lines before the first, not the file. `text` is undefined where a line is too long. */
export async function readLines(file: string, { after, limit, mostBytes = 4 << 20 }: PageOptions): Promise<LinesPage> {
  const index = await foldLines(file, INDEX);
  const total = index?.total ?? 0;
  const handle = after < total && limit > 0 ? await openPlainFile(file) : undefined;
  if (index === undefined || handle === undefined) return { lines: [], total };
  const lines: { index: number; text: string | undefined }[] = [];
  const slot = Math.floor(after / index.stride);
  const last = Math.min(total, after + limit);
  const splitter = new Splitter(slot * index.stride, index.starts[slot] ?? 0);
  let bytes = 0;
  let isFull = false;
  try {
    await eachChunk(handle, splitter.start, (await handle.stat()).size, (chunk) => {
      splitter.push(chunk, (line) => {
        if (line.index < after || line.index >= last || isFull) return;
        const length = line.bytes?.length ?? 0;
        isFull = lines.length > 0 && bytes + length > mostBytes;
        if (isFull) return;
        bytes += length;
        lines.push({ index: line.index, text: line.bytes?.toString() });
      });
      return !isFull && splitter.index < last;
    });
  } finally {
    await handle.close();
  }
  return { lines, total };
}
