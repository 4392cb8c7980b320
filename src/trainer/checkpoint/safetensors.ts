/** @file Safetensors files: the header is read at once, tensors when they are asked for; writing is deterministic. */
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "./half.js";
import { DTYPE_BYTES, MAX_HEADER_BYTES, parseSafetensorsHeader } from "./safetensors-header.js";
import type { TensorDtype, TensorEntry } from "./types.js";

export interface SafetensorsFile {
  /** In the order of their data. */
  readonly entries: readonly TensorEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** A tensor to be written; `data` is little-endian and exactly as long as dtype and shape say. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** A tensor whose bytes are made while they are written, so that they need not be in memory together. */
export interface StreamedTensor extends Omit<TensorToWrite, "data"> {
  readonly chunks: () => AsyncIterable<Uint8Array>;
}

/** Reads and checks the header of `file`; throws one error that names the file and all that is wrong with it. */
export async function readSafetensorsHeader(file: string): Promise<SafetensorsFile> {
  const handle = await open(file, "r");
  try {
    return await readHeader(handle, file);
  } catch (cause) {
    throw new Error(
      `${file} is not a usable safetensors file: ${(cause as Error).message}\nDownload or export the file again.`,
      { cause },
    );
  } finally {
    await handle.close();
  }
}

async function readHeader(handle: FileHandle, file: string): Promise<SafetensorsFile> {
  const { size } = await handle.stat();
  if (size < 8) throw new Error(`it has ${size} bytes, at least 8 are needed for the header length`);
  const declared = Buffer.from(await readExactly(handle, 0, 8)).readBigUInt64LE();
  if (declared > MAX_HEADER_BYTES) {
    throw new Error(`the header length ${declared} is above the limit of ${MAX_HEADER_BYTES} bytes`);
  }
  const headerLength = Number(declared);
  const start = 8 + headerLength;
  if (start > size) throw new Error(`the header length ${headerLength} goes beyond the file of ${size} bytes`);
  const header = parseSafetensorsHeader(await readExactly(handle, 8, headerLength), size - start);
  const entries = header.tensors.map(({ name, dtype, shape, begin, end }) => {
    return { name, dtype, shape, file, offset: start + begin, byteLength: end - begin };
  });
  return { entries, metadata: header.metadata };
}

/** The bytes of one tensor, in a buffer of their own. */
export async function readTensorBytes(entry: TensorEntry): Promise<Uint8Array<ArrayBuffer>> {
  const handle = await open(entry.file, "r");
  try {
    return await readExactly(handle, entry.offset, entry.byteLength);
  } finally {
    await handle.close();
  }
}

/** A copy has this much in memory. */
const CHUNK_BYTES = 16 * 2 ** 20;

/** The bytes of one tensor, piece by piece. */
export async function* readTensorChunks({ file, offset, byteLength }: TensorEntry): AsyncGenerator<Uint8Array> {
  const handle = await open(file, "r");
  try {
    for (let at = 0; at < byteLength; at += CHUNK_BYTES) {
      yield await readExactly(handle, offset + at, Math.min(CHUNK_BYTES, byteLength - at));
    }
  } finally {
    await handle.close();
  }
}

/** The values of one tensor as float32. Throws for dtypes that are not floating point. */
export async function readTensorFloat32(entry: TensorEntry): Promise<Float32Array> {
  const { buffer } = await readTensorBytes(entry);
  switch (entry.dtype) {
    case "F32":
      return new Float32Array(buffer);
    case "F64":
      return Float32Array.from(new Float64Array(buffer));
    case "F16":
      return decodeFloat16(new Uint16Array(buffer));
    case "BF16":
      return decodeBfloat16(new Uint16Array(buffer));
    default:
      throw new Error(`tensor ${entry.name} has dtype ${entry.dtype}; F32, F16, BF16 or F64 was expected`);
  }
}

/** A float32 tensor made ready for writing as `dtype`. */
export function tensorToWrite(
  name: string,
  shape: readonly number[],
  values: Float32Array,
  dtype: "F32" | "F16" | "BF16",
): TensorToWrite {
  const typed = dtype === "F32" ? values : dtype === "F16" ? encodeFloat16(values) : encodeBfloat16(values);
  return { name, dtype, shape, data: new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength) };
}

/**
 * Writes `tensors` to `path`: equal input gives equal bytes. Wide dtypes come first, names are sorted within one, and the
 * header is padded to 8 bytes, so that every tensor is aligned to its own width. The file appears under its name when complete.
 * In the order "given" tensors stay as they come, and whoever gives them sees to their alignment.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite | StreamedTensor>,
  metadata: Readonly<Record<string, string>> = {},
  { order = "sorted" }: { readonly order?: "sorted" | "given" } = {},
): Promise<void> {
  const ordered = [...tensors];
  if (order === "sorted") {
    ordered.sort((a, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype] || compare(a.name, b.name));
  }
  const header = encodeHeader(ordered, metadata);
  const partial = `${path}.partial`;
  const handle = await open(partial, "w");
  try {
    await handle.writeFile(header);
    for (const tensor of ordered) await writeData(handle, tensor);
    await handle.sync();
    await handle.close();
    await rename(partial, path);
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(partial, { force: true });
    throw error;
  }
}

async function writeData(handle: FileHandle, tensor: TensorToWrite | StreamedTensor): Promise<void> {
  if ("data" in tensor) {
    if (tensor.data.length > 0) await handle.writeFile(tensor.data);
    return;
  }
  let written = 0;
  for await (const chunk of tensor.chunks()) {
    await handle.writeFile(chunk);
    written += chunk.length;
  }
  const need = bytesOf(tensor);
  if (written !== need) throw new Error(`internal: ${tensor.name} needs ${need} bytes, given ${written}`);
}

function bytesOf({ dtype, shape }: Pick<TensorToWrite, "dtype" | "shape">): number {
  return shape.reduce((product, dim) => product * dim, DTYPE_BYTES[dtype]);
}

function encodeHeader(
  tensors: readonly (TensorToWrite | StreamedTensor)[],
  metadata: Readonly<Record<string, string>>,
): Buffer {
  const fields: [string, unknown][] = [];
  const keys = Object.keys(metadata).sort(compare);
  if (keys.length > 0) fields.push(["__metadata__", Object.fromEntries(keys.map((key) => [key, metadata[key]]))]);
  const problems: string[] = [];
  const seen = new Set(["__metadata__"]);
  let at = 0;
  for (const tensor of tensors) {
    const { name, dtype, shape } = tensor;
    const need = bytesOf(tensor);
    if ("data" in tensor && need !== tensor.data.length)
      problems.push(`${name}: [${shape}] of ${dtype} needs ${need} bytes, given ${tensor.data.length}`);
    if (seen.has(name)) problems.push(`${name}: the name is taken`);
    seen.add(name);
    fields.push([name, { dtype, shape, data_offsets: [at, at + need] }]);
    at += need;
  }
  if (problems.length > 0) throw new Error(`internal: tensors cannot be written: ${problems.join("; ")}`);
  // Written key by key: an object literal would move names that look like numbers to the front.
  const json = `{${fields.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`;
  const body = Buffer.from(json, "utf8");
  const padded = Math.ceil(body.length / 8) * 8;
  const out = Buffer.alloc(8 + padded, " ");
  out.writeBigUInt64LE(BigInt(padded));
  body.copy(out, 8);
  return out;
}

async function readExactly(handle: FileHandle, position: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const out = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(out, done, Math.min(length - done, 1 << 30), position + done);
    if (bytesRead === 0) throw new Error(`the file ends at byte ${position + done}, expected ${position + length}`);
    done += bytesRead;
  }
  return out;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
