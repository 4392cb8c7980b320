/** @file Tensors of a merged model, made while they are written: a matrix plus its LoRA, or rows that tokens were trained on. */
import type { AdapterModule } from "./adapter-dir.js";
import { readTensorChunks, readTensorFloat32, type StreamedTensor, tensorToWrite } from "./safetensors.js";
import type { TensorEntry } from "./types.js";

/** Numbers from here on would be infinite. */
const LARGEST = { F32: 2 ** 128 * (1 - 2 ** -25), F16: 65520, BF16: 2 ** 128 * (1 - 2 ** -9) } as const;

type FloatDtype = keyof typeof LARGEST;

/** W + scale · B·A, in the dtype of W. */
export function mergedTensor(entry: TensorEntry, module: AdapterModule, scale: number): StreamedTensor {
  const { name, shape } = entry;
  const dtype = entry.dtype as FloatDtype;
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    const weight = await readTensorFloat32(entry);
    const merged = mergedWeight(weight, module, { scale, largest: LARGEST[dtype] });
    yield tensorToWrite(name, shape, merged, dtype).data;
  };
  return { name, dtype, shape, chunks };
}

/** W + scale · B·A, in place. Sums are kept in double precision, so the only rounding is that of the result. */
export function mergedWeight(
  weight: Float32Array,
  module: AdapterModule,
  { scale, largest }: { readonly scale: number; readonly largest: number },
): Float32Array {
  const { path, inFeatures, outFeatures, loraA, loraB } = module;
  const r = loraA.length / inFeatures;
  const row = new Float64Array(inFeatures);
  for (let o = 0; o < outFeatures; o++) {
    row.fill(0);
    for (let k = 0; k < r; k++) {
      const b = scale * loraB[o * r + k]!;
      for (let i = 0, a = k * inFeatures; i < inFeatures; i++, a++) row[i]! += b * loraA[a]!;
    }
    for (let i = 0, w = o * inFeatures; i < inFeatures; i++, w++) {
      const value = weight[w]! + row[i]!;
      if (!(Math.abs(value) < largest)) throw notHeld(path, value);
      weight[w] = value;
    }
  }
  return weight;
}

/** Rows needed for the ids: the vocabulary, or more where new ids follow it. */
export function vocabSizeOf(vocabSize: number, indices: readonly number[]): number {
  return indices.reduce((size, id) => Math.max(size, id + 1), vocabSize);
}

/** A matrix of rows a token, [vocabulary, hidden], with `rows[i]` for token `indices[i]`; it grows where ids follow its last. */
export function rowsReplaced(entry: TensorEntry, indices: readonly number[], rows: Float32Array): StreamedTensor {
  const [vocabulary, hidden] = entry.shape as [number, number];
  const dtype = entry.dtype as FloatDtype;
  const wrong = rows.find((value) => !(Math.abs(value) < LARGEST[dtype]));
  if (wrong !== undefined) throw notHeld(entry.name, wrong);
  const encoded = tensorToWrite(entry.name, [indices.length, hidden], rows, dtype).data;
  const rowBytes = encoded.length / indices.length;
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    let start = 0;
    for await (const chunk of readTensorChunks(entry)) {
      for (const [i, id] of indices.entries()) {
        putRow(chunk, id * rowBytes - start, encoded.subarray(i * rowBytes, (i + 1) * rowBytes));
      }
      start += chunk.length;
      yield chunk;
    }
    const added = indices.map((id, i) => ({ id, i })).filter(({ id }) => id >= vocabulary);
    for (const { i } of added.sort((a, b) => a.id - b.id)) yield encoded.subarray(i * rowBytes, (i + 1) * rowBytes);
  };
  return { name: entry.name, dtype, shape: [vocabSizeOf(vocabulary, indices), hidden], chunks };
}

/** Writes as much of `row` as lies inside `chunk`, which begins `-at` bytes before it. */
function putRow(chunk: Uint8Array, at: number, row: Uint8Array): void {
  const from = Math.max(0, -at);
  const to = Math.min(row.length, chunk.length - at);
  if (from < to) chunk.set(row.subarray(from, to), at + from);
}

function notHeld(name: string, value: number): Error {
  return new Error(
    `${name}: a merged weight would be ${value}, which the model's dtype cannot hold; the adapter is damaged`,
  );
}
