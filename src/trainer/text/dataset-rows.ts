/** @file Bytes of a dataset file to rows: JSONL by line, Parquet by row. Knows no files, and not what the columns mean. */

/** One row as it was written; `number` is the line of a text file or the row of a Parquet file, from 1. */
export interface DatasetRow {
  readonly number: number;
  readonly value: Readonly<Record<string, unknown>>;
}

export type RowUnit = "line" | "row";

export interface DatasetRows {
  readonly unit: RowUnit;
  readonly rows: readonly DatasetRow[];
  /** Lines that are no rows. */
  readonly problems: readonly RowProblem[];
}

/** What is wrong with one row. */
export interface RowProblem {
  readonly number: number;
  readonly reason: string;
}

const PARQUET_MAGIC = "PAR1";

/** Uncompressed columns above this do not fit beside a model; a hostile file may also claim any size. */
const MAX_UNCOMPRESSED_BYTES = 4 * 2 ** 30;

const MAX_PARQUET_ROWS = 50_000_000;

const SHOWN_PROBLEMS = 20;

/** Rows of JSONL, or of Parquet where the bytes begin as Parquet does. Throws where a Parquet file cannot be read. */
export async function datasetRows(bytes: Uint8Array, source: string): Promise<DatasetRows> {
  if (startsWith(bytes, PARQUET_MAGIC)) return { unit: "row", rows: await parquetRows(bytes, source), problems: [] };
  return { unit: "line", ...jsonLines(bytes) };
}

/** One error for all rows that cannot be used. */
export function rowsError(source: string, unit: RowUnit, problems: readonly RowProblem[], advice: string): Error {
  const shown = problems.slice(0, SHOWN_PROBLEMS).map(({ number, reason }) => `\n  - ${unit} ${number}: ${reason}`);
  const rest = problems.length - shown.length;
  const more = rest > 0 ? `\n  - and ${rest} more` : "";
  return new Error(`${source} holds rows that cannot be used:${shown.join("")}${more}\n${advice}`);
}

function jsonLines(bytes: Uint8Array): Omit<DatasetRows, "unit"> {
  const rows: DatasetRow[] = [];
  const problems: RowProblem[] = [];
  for (const { number, bytes: line } of linesOf(bytes)) {
    const row = parseLine(line);
    if (row === undefined) continue;
    if (typeof row === "string") problems.push({ number, reason: row });
    else rows.push({ number, value: row });
  }
  return { rows, problems };
}

/** Cut before decoding, so that a broken character spoils one line and the file may be larger than a string. */
function* linesOf(bytes: Uint8Array): Generator<{ readonly number: number; readonly bytes: Uint8Array }> {
  let from = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  for (let number = 1; from < bytes.length; number++) {
    const newline = bytes.indexOf(0x0a, from);
    const to = newline < 0 ? bytes.length : newline;
    yield { number, bytes: bytes.subarray(from, to) };
    from = to + 1;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The object of a line, a reason why there is none, or nothing for a blank line. */
function parseLine(bytes: Uint8Array): Record<string, unknown> | string | undefined {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return "not UTF-8";
  }
  if (text.trim() === "") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `not JSON (${(error as Error).message})`;
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  return `expected a JSON object, found ${kindOf(value)}`;
}

async function parquetRows(bytes: Uint8Array, source: string): Promise<DatasetRow[]> {
  const { parquetMetadata, parquetReadObjects } = await import("hyparquet");
  const { brotliDecompressSync, gunzipSync } = await import("node:zlib");
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  try {
    const metadata = parquetMetadata(file);
    checkParquetSize(metadata, file.byteLength);
    const compressors = {
      GZIP: (input: Uint8Array, length: number) => gunzipSync(input, { maxOutputLength: length }),
      BROTLI: (input: Uint8Array, length: number) => brotliDecompressSync(input, { maxOutputLength: length }),
    };
    const rows = await parquetReadObjects({ file, metadata, compressors });
    return rows.map((value, i) => ({ number: i + 1, value }));
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new Error(
      `${source} cannot be read as Parquet: ${reason}\nWrite it again, uncompressed or with snappy, gzip or brotli, or as JSONL.`,
      { cause },
    );
  }
}

interface ParquetSizes {
  readonly num_rows: bigint;
  readonly row_groups: readonly {
    readonly num_rows: bigint;
    readonly columns: readonly { readonly meta_data?: { readonly total_uncompressed_size: bigint } | undefined }[];
  }[];
}

/** Before anything is decompressed: what the file says about itself must be possible. */
function checkParquetSize(metadata: ParquetSizes, fileBytes: number): void {
  const groupRows = metadata.row_groups.reduce((sum, group) => sum + group.num_rows, 0n);
  if (groupRows !== metadata.num_rows) {
    throw new Error(`it says ${metadata.num_rows} rows, and ${groupRows} in its row groups`);
  }
  if (metadata.num_rows < 0n || metadata.num_rows > MAX_PARQUET_ROWS) {
    throw new Error(`it says ${metadata.num_rows} rows; at most ${MAX_PARQUET_ROWS} can be read`);
  }
  const columns = metadata.row_groups.flatMap((group) => group.columns);
  const total = columns.reduce((sum, { meta_data: meta }) => sum + (meta?.total_uncompressed_size ?? 0n), 0n);
  if (total > MAX_UNCOMPRESSED_BYTES) {
    throw new Error(`its ${fileBytes} bytes are ${total} uncompressed; at most ${MAX_UNCOMPRESSED_BYTES} can be read`);
  }
}

function startsWith(bytes: Uint8Array, magic: string): boolean {
  return bytes.length >= magic.length && [...magic].every((char, i) => bytes[i] === char.charCodeAt(0));
}

/** A value's kind in a user's words. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
