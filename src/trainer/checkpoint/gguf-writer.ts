/** @file GGUF version 3, written: metadata and tensors as llama.cpp reads them. Knows no models. */
import { open, rename, rm } from "node:fs/promises";

/** A metadata value, by GGUF's name of its type. */
export type GgufValue =
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "uint32"; readonly value: number }
  | { readonly type: "float32"; readonly value: number };

/** A tensor; `shape` is outermost first, as in safetensors (GGUF stores it the other way round). */
export interface GgufTensor {
  readonly name: string;
  readonly dtype: "F32" | "F16";
  readonly shape: readonly number[];
  /** Little-endian, row-major. */
  readonly data: Uint8Array;
}

const MAGIC = "GGUF";
const VERSION = 3;
/** Of every tensor's data; what readers assume where the file names no other. */
const ALIGNMENT = 32;

/** Numbers of the format's own enumerations. */
const VALUE_TYPE = { uint32: 4, float32: 6, string: 8 } as const;
const TENSOR_TYPE = { F32: 0, F16: 1 } as const;
const TENSOR_BYTES = { F32: 4, F16: 2 } as const;

/** llama.cpp keeps names in buffers of 64 bytes. */
const MAX_NAME_BYTES = 63;

/** Writes the file; it appears under its name when it is complete and on disk. */
export async function writeGguf(
  path: string,
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): Promise<void> {
  checkTensors(tensors);
  const partial = `${path}.partial`;
  const handle = await open(partial, "w");
  try {
    await handle.writeFile(encodeHeader(metadata, tensors));
    for (const { data } of tensors) {
      await handle.writeFile(data);
      await handle.writeFile(new Uint8Array(paddingOf(data.length)));
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

/** Everything before the tensors' data, padded to where it begins. */
export function encodeHeader(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly Omit<GgufTensor, "data">[],
): Buffer {
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

function checkTensors(tensors: readonly GgufTensor[]): void {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const { name, dtype, shape, data } of tensors) {
    const need = byteLength(dtype, shape);
    if (data.length !== need)
      problems.push(`${name}: [${shape}] of ${dtype} needs ${need} bytes, given ${data.length}`);
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) problems.push(`${name}: longer than ${MAX_NAME_BYTES} bytes`);
    if (seen.has(name)) problems.push(`${name}: the name is taken`);
    seen.add(name);
  }
  if (problems.length > 0) throw new Error(`internal: tensors cannot be written: ${problems.join("; ")}`);
}

function encodeValue({ type, value }: GgufValue): Buffer {
  if (type === "string") return text(value);
  if (type === "uint32") return u32(value);
  const out = Buffer.alloc(4);
  out.writeFloatLE(value);
  return out;
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

function byteLength(dtype: GgufTensor["dtype"], shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, TENSOR_BYTES[dtype]);
}

function paddingOf(length: number): number {
  return (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;
}
