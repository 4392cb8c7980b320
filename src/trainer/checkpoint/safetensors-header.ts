/** @file The header of a safetensors file, checked: a hostile one is refused with every problem by name. Knows no files. */
import type { TensorDtype } from "./types.js";

/** Limit of the reference implementation; a longer header is an attack on memory, not a model. */
export const MAX_HEADER_BYTES = 100_000_000;

/** Bytes of one element. */
export const DTYPE_BYTES: Readonly<Record<TensorDtype, number>> = {
  F64: 8,
  I64: 8,
  F32: 4,
  I32: 4,
  F16: 2,
  BF16: 2,
  U8: 1,
  BOOL: 1,
};

const MAX_PROBLEMS = 20;
const FIELDS = ["dtype", "shape", "data_offsets"];

/** A tensor as the header has it; `begin` and `end` count from the first data byte. */
export interface HeaderTensor {
  readonly name: string;
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface ParsedHeader {
  /** In the order of their data. */
  readonly tensors: readonly HeaderTensor[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Checks `bytes` (the JSON part of the header) against `dataLength` bytes of data. Throws with all problems at once. */
export function parseSafetensorsHeader(bytes: Uint8Array, dataLength: number): ParsedHeader {
  const text = decodeUtf8(bytes);
  const json = parseObject(text);
  const problems: string[] = scanTokens(text);
  const tensors: HeaderTensor[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(json)) {
    if (name === "__metadata__") metadata = checkMetadata(value, problems);
    else {
      const tensor = checkTensor(name, value, problems);
      if (tensor) tensors.push(tensor);
    }
  }
  // A broken entry leaves a hole of its own making: coverage says something only where all entries are sound.
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  if (problems.length === 0) problems.push(...coverageProblems(tensors, dataLength));
  if (problems.length > 0) throw new Error(listProblems(problems));
  return { tensors, metadata };
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new Error("the header is not UTF-8", { cause });
  }
}

function parseObject(text: string): Record<string, unknown> {
  if (!text.startsWith("{"))
    throw new Error(`the header starts with ${JSON.stringify(text.slice(0, 1))}, expected "{"`);
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new Error(`the header is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** What JSON.parse hides: keys that occur twice, and numbers that are not written as plain non-negative integers. */
function scanTokens(json: string): string[] {
  const problems: string[] = [];
  const open: (Set<string> | undefined)[] = [];
  let text: string | undefined;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[{}[\]:,]/g)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(undefined);
    else if (token === "}" || token === "]") open.pop();
    else if (token === ":") {
      const key = JSON.parse(text ?? '""') as string;
      const keys = open.at(-1);
      if (keys?.has(key)) problems.push(`key ${JSON.stringify(key)} occurs twice`);
      keys?.add(key);
    } else if (token.startsWith('"')) text = token;
    else if (token !== "," && !/^(?:0|[1-9]\d*)$/.test(token)) {
      problems.push(`number ${token}: expected a non-negative integer`);
    }
  }
  return problems;
}

function checkMetadata(value: unknown, problems: string[]): Record<string, string> {
  if (!isObject(value)) {
    problems.push("__metadata__: expected an object of strings");
    return {};
  }
  for (const [key, entry] of Object.entries(value)) {
    if (typeof entry !== "string") problems.push(`__metadata__.${key}: expected a string, found ${describe(entry)}`);
  }
  return value as Record<string, string>;
}

function checkTensor(name: string, value: unknown, problems: string[]): HeaderTensor | undefined {
  const found: string[] = [];
  if (!isObject(value)) {
    problems.push(`tensor ${name}: expected an object, found ${describe(value)}`);
    return undefined;
  }
  for (const key of Object.keys(value)) if (!FIELDS.includes(key)) found.push(`unknown field ${JSON.stringify(key)}`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) found.push(`dtype ${describe(dtype)} is none of ${Object.keys(DTYPE_BYTES).join(", ")}`);
  if (!isSizes(shape)) found.push(`shape ${describe(shape)} is not a list of non-negative integers`);
  if (!isSizes(offsets) || offsets.length !== 2) found.push(`data_offsets ${describe(offsets)} is not [begin, end]`);
  else if (offsets[0]! > offsets[1]!) found.push(`data_offsets [${offsets}]: begin is after end`);
  if (found.length === 0 && isDtype(dtype) && isSizes(shape) && isSizes(offsets)) {
    const [begin = 0, end = 0] = offsets;
    const need = shape.reduce((product, dim) => product * dim, DTYPE_BYTES[dtype]);
    if (!Number.isSafeInteger(need)) found.push(`shape [${shape}] of ${dtype} is too large to address`);
    else if (need !== end - begin) {
      found.push(`shape [${shape}] of ${dtype} needs ${need} bytes, data_offsets give ${end - begin}`);
    } else return { name, dtype, shape, begin, end };
  }
  problems.push(...found.map((problem) => `tensor ${name}: ${problem}`));
  return undefined;
}

/** Data must be covered from the first to the last byte, each byte by one tensor. */
function coverageProblems(tensors: readonly HeaderTensor[], dataLength: number): string[] {
  const problems: string[] = [];
  let at = 0;
  for (const { name, begin, end } of tensors) {
    if (begin < at) problems.push(`tensor ${name} begins at ${begin} and overlaps the one that ends at ${at}`);
    if (begin > at) problems.push(`tensor ${name} begins at ${begin} and leaves a hole from ${at}`);
    at = Math.max(at, end);
  }
  if (at > dataLength)
    problems.push(`the tensors need ${at} bytes of data, the file has ${dataLength}: it is truncated`);
  if (at < dataLength) problems.push(`${dataLength - at} bytes after the last tensor belong to none`);
  return problems;
}

function listProblems(problems: readonly string[]): string {
  const shown = problems.slice(0, MAX_PROBLEMS).map((problem) => `\n  - ${problem}`);
  const more = problems.length - shown.length;
  return `${problems.length} problem(s) in the header:${shown.join("")}${more > 0 ? `\n  - and ${more} more` : ""}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isDtype(value: unknown): value is TensorDtype {
  return typeof value === "string" && Object.hasOwn(DTYPE_BYTES, value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((entry) => Number.isSafeInteger(entry) && entry >= 0);
}

function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
