/** @file GGUF version 3, written: metadata and tensors as llama.cpp reads them. Knows no models. */
import { type FileHandle, open, rename, rm } from "node:fs/promises";

/** A metadata value, by GGUF's name of its type. */
export type GgufValue =
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "uint32"; readonly value: number }
  | { readonly type: "float32"; readonly value: number }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "strings"; readonly value: readonly string[] }
  | { readonly type: "int32s"; readonly value: readonly number[] };

/** Q8_0 and Q4_0 hold blocks of 32 with one scale. */
export type GgufDtype = "F32" | "F16" | "Q8_0" | "Q4_0";

interface Described {
  readonly name: string;
  readonly dtype: GgufDtype;
  /** Outermost first, as in safetensors (GGUF stores it the other way round). */
  readonly shape: readonly number[];
}

export interface GgufTensor extends Described {
  /** Little-endian, row-major. */
  readonly data: Uint8Array;
}

/** A tensor whose bytes are made while they are written, so that they need not be in memory together. */
export interface StreamedGgufTensor extends Described {
  readonly chunks: () => AsyncIterable<Uint8Array>;
}

const MAGIC = "GGUF";
const VERSION = 3;
/** Of every tensor's data; what readers assume where the file names no other. */
const ALIGNMENT = 32;

/** Numbers of the format's own enumerations. */
const VALUE_TYPE = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, strings: 9, int32s: 9 } as const;
const TENSOR_TYPE: Readonly<Record<GgufDtype, number>> = { F32: 0, F16: 1, Q4_0: 2, Q8_0: 8 };
/** Bytes of so many numbers. */
const BLOCKS: Readonly<Record<GgufDtype, readonly [number, number]>> = {
  F32: [4, 1],
  F16: [2, 1],
  Q8_0: [34, 32],
  Q4_0: [18, 32],
};

/** llama.cpp keeps names in buffers of 64 bytes. */
const MAX_NAME_BYTES = 63;

/** Writes the file; it appears under its name when it is complete and on disk. */
export async function writeGguf(
  path: string,
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly (GgufTensor | StreamedGgufTensor)[],
): Promise<void> {
  checkTensors(tensors);
  const partial = `${path}.partial`;
  const handle = await open(partial, "w");
  try {
    await handle.writeFile(encodeHeader(metadata, tensors));
    for (const tensor of tensors) {
      const length = await writeData(handle, tensor);
      await handle.writeFile(new Uint8Array(paddingOf(length)));
    }
    await handle.sync();
    await handle.close();
    await rename(partial, path);
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(partial, { force: true });
    throw error;
  }
}

async function writeData(handle: FileHandle, tensor: GgufTensor | StreamedGgufTensor): Promise<number> {
  const need = byteLength(tensor.dtype, tensor.shape);
  if ("data" in tensor) {
    await handle.writeFile(tensor.data);
    return need;
  }
  let written = 0;
  for await (const chunk of tensor.chunks()) {
    await handle.writeFile(chunk);
    written += chunk.length;
  }
  if (written !== need) throw new Error(`internal: ${tensor.name} needs ${need} bytes, given ${written}`);
  return need;
}

/** Everything before the tensors' data, padded to where it begins. */
export function encodeHeader(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly Described[]): Buffer {
  const entries = Object.entries(metadata);
  const parts = [Buffer.from(MAGIC), u32(VERSION), u64(tensors.length), u64(entries.length)];
  for (const [key, value] of entries) parts.push(text(key), u32(VALUE_TYPE[value.type]), encodeValue(value));
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    parts.push(text(name), u32(shape.length), ...shape.toReversed().map(u64), u32(TENSOR_TYPE[dtype]), u64(offset));
    const bytes = byteLength(dtype, shape);
    offset += bytes + paddingOf(bytes);
  }
  const header = Buffer.concat(parts);
  return Buffer.concat([header, Buffer.alloc(paddingOf(header.length))]);
}

function checkTensors(tensors: readonly (GgufTensor | StreamedGgufTensor)[]): void {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const tensor of tensors) {
    const { name, dtype, shape } = tensor;
    const need = byteLength(dtype, shape);
    if ("data" in tensor && tensor.data.length !== need)
      problems.push(`${name}: [${shape}] of ${dtype} needs ${need} bytes, given ${tensor.data.length}`);
    const [, block] = BLOCKS[dtype];
    if ((shape.at(-1) ?? 1) % block !== 0) problems.push(`${name}: rows of ${shape.at(-1)} are no blocks of ${block}`);
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) problems.push(`${name}: longer than ${MAX_NAME_BYTES} bytes`);
    if (seen.has(name)) problems.push(`${name}: the name is taken`);
    seen.add(name);
  }
  if (problems.length > 0) throw new Error(`internal: tensors cannot be written: ${problems.join("; ")}`);
}

function encodeValue({ type, value }: GgufValue): Buffer {
  switch (type) {
    case "string":
      return text(value);
    case "uint32":
      return u32(value);
    case "bool":
      return Buffer.of(value ? 1 : 0);
    case "float32":
      return Buffer.from(new Float32Array([value]).buffer);
    case "strings":
      return Buffer.concat([u32(VALUE_TYPE.string), u64(value.length), ...value.map(text)]);
    case "int32s":
      return Buffer.concat([u32(VALUE_TYPE.int32), u64(value.length), Buffer.from(Int32Array.from(value).buffer)]);
  }
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([u64(bytes.length), bytes]);
}

function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value);
  return out;
}

function u64(value: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt(value));
  return out;
}

function byteLength(dtype: GgufDtype, shape: readonly number[]): number {
  const [bytes, numbers] = BLOCKS[dtype];
  return (shape.reduce((product, dim) => product * dim, 1) / numbers) * bytes;
}

function paddingOf(length: number): number {
  return (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;
}
