/** @file Counter-based noise: a number depends on its key and counter alone, so batches and resumption change nothing. */

const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const;
const WEYL = [0x9e3779b9, 0xbb67ae85] as const;
const ROUNDS = 10;

/** High and low 32 bits of a · b, by 16-bit halves: a product of two of them is exact in a double. */
function multiplyWide(a: number, b: number): readonly [number, number] {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const low = aLow * bLow;
  const middle = aHigh * bLow + (low >>> 16);
  const carry = aLow * bHigh + (middle % 0x10000);
  const high = aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000);
  return [high >>> 0, Math.imul(a, b) >>> 0];
}

/** Philox 4×32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): four 32-bit words. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): readonly number[] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round += 1) {
    const [high0, low0] = multiplyWide(MULTIPLIERS[0], c0);
    const [high1, low1] = multiplyWide(MULTIPLIERS[1], c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + WEYL[0]) >>> 0;
    k1 = (k1 + WEYL[1]) >>> 0;
  }
  return [c0, c1, c2, c3];
}

const keyOf = (seed: number): readonly [number, number] => [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];

/** A number in [0, 1) with 32 random bits, for draw `index` of stream `stream` under `seed`. */
export function uniform(seed: number, stream: number, index: number): number {
  const words = philox([index >>> 0, stream >>> 0, 0, 0], keyOf(seed));
  return (words[0] as number) / 2 ** 32;
}

/** `count` numbers in [0, 1) of a stream of their own (the fourth counter word keeps it apart from {@link uniform}). */
export function uniforms(seed: number, stream: number, count: number): Float64Array {
  const key = keyOf(seed);
  const out = new Float64Array(count);
  for (let i = 0; i < count; i += 4) {
    const words = philox([i / 4, stream >>> 0, 0, 1], key);
    for (let j = 0; j < 4 && i + j < count; j += 1) out[i + j] = (words[j] as number) / 2 ** 32;
  }
  return out;
}

/** Whole numbers from 0 to 2³¹ - 1 for micro-batch `micro` of step `step`, apart from every other stream. */
export function stepNoise(seed: number, step: number, micro: number, count: number): Int32Array {
  const key = keyOf(seed);
  const out = new Int32Array(count);
  for (let i = 0; i < count; i += 4) {
    const words = philox([i / 4, step >>> 0, micro >>> 0, 2], key);
    for (let j = 0; j < 4 && i + j < count; j += 1) out[i + j] = (words[j] as number) >>> 1;
  }
  return out;
}
