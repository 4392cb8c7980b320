/** @file Dataset files of the trainer: preference pairs and supervised texts, every row that is left out with its number and reason. */
import { readFile } from "node:fs/promises";
import {
  type DatasetRow,
  type DatasetRows,
  datasetRows,
  type RowProblem,
  type RowUnit,
  rowsError,
} from "./dataset-rows.js";
import { type PreferenceText, preferenceRow } from "./preference-row.js";
import { type SupervisedText, supervisedRow } from "./supervised-row.js";

/** Rows that can be trained on, and those that cannot, by number and reason. */
export interface Dataset<T> {
  readonly rows: readonly T[];
  readonly refused: readonly RowProblem[];
  /** What the numbers count. */
  readonly unit: RowUnit;
}

/** Preference pairs of a JSONL or Parquet file: see {@link parsePreferences}. */
export async function readPreferences(file: string): Promise<Dataset<PreferenceText>> {
  return parsePreferences(await bytesOf(file), file);
}

/** Texts of a JSONL or Parquet file, or a .txt file as one text: see {@link parseSupervised}. */
export async function readSupervised(file: string): Promise<Dataset<SupervisedText>> {
  return parseSupervised(await bytesOf(file), file);
}

/**
 * Pairs of `prompt`, `chosen` and `rejected`, as strings or as lists of messages; other columns are passed over. Throws
 * where lines are no JSON or columns are missing, with every such line. `source` names the file in errors.
 */
export async function parsePreferences(bytes: Uint8Array, source: string): Promise<Dataset<PreferenceText>> {
  const data = await datasetRows(bytes, source);
  const advice =
    "Each line is a JSON object in UTF-8. A pair has the columns prompt, chosen and rejected: strings, or lists of {role, content}.";
  return sortRows(data, { source, advice }, (row) => {
    const outcome = preferenceRow(row);
    return outcome.kind === "pair" ? { kind: "kept", value: outcome.pair } : outcome;
  });
}

/** As {@link parsePreferences}, for the columns `text`, `messages`, or `prompt` with `completion`. */
export async function parseSupervised(bytes: Uint8Array, source: string): Promise<Dataset<SupervisedText>> {
  if (/\.(txt|md)$/i.test(source)) return rawText(bytes, source);
  const data = await datasetRows(bytes, source);
  const advice = "Each line is a JSON object in UTF-8. A row has a column text, messages, or prompt with completion.";
  return sortRows(data, { source, advice }, (row) => {
    const outcome = supervisedRow(row);
    return outcome.kind === "row" ? { kind: "kept", value: outcome.row } : outcome;
  });
}

type Sorted<T> =
  | { readonly kind: "kept"; readonly value: T }
  | { readonly kind: "malformed" | "refused"; readonly reason: string };

interface SortOptions {
  readonly source: string;
  readonly advice: string;
}

function sortRows<T>(
  { rows, unit, problems }: DatasetRows,
  { source, advice }: SortOptions,
  read: (row: DatasetRow) => Sorted<T>,
): Dataset<T> {
  const kept: T[] = [];
  const refused: RowProblem[] = [];
  const malformed: RowProblem[] = [...problems];
  for (const row of rows) {
    const outcome = read(row);
    if (outcome.kind === "kept") kept.push(outcome.value);
    else (outcome.kind === "refused" ? refused : malformed).push({ number: row.number, reason: outcome.reason });
  }
  if (malformed.length > 0) {
    const ordered = malformed.sort((a, b) => a.number - b.number);
    throw rowsError(source, unit, ordered, advice);
  }
  if (kept.length === 0 && refused.length > 0) throw rowsError(source, unit, refused, "No other rows are left.");
  if (kept.length === 0) throw new Error(`${source} holds no rows. ${advice}`);
  return { rows: kept, refused, unit };
}

function rawText(bytes: Uint8Array, source: string): Dataset<SupervisedText> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Error(`${source} is not UTF-8 text; convert it first`, { cause });
  }
  if (text.trim() === "") throw new Error(`${source} is empty; a text file holds the text to train on`);
  return { rows: [{ kind: "text", number: 1, text }], refused: [], unit: "line" };
}

async function bytesOf(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "EISDIR") throw new Error(`${file} is a directory; give a .jsonl, .parquet or .txt file`, { cause });
    if (code !== "ENOENT") throw cause;
    throw new Error(`there is no file ${file}; give a .jsonl, .parquet or .txt file`, { cause });
  }
}
