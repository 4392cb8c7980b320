/** @file Float16 and bfloat16 to and from float32; narrowing rounds to nearest, ties to even. */

const word = new Uint32Array(1);
const real = new Float32Array(word.buffer);

/** Bit pattern of the float16 nearest to `x`; overflow becomes infinity, NaN stays a quiet NaN. */
export function toFloat16Bits(x: number): number {
  real[0] = x;
  const bits = word[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and above round to infinity
  if (magnitude < 0x33000001) return sign; // up to half of the smallest subnormal, a tie that goes to even zero
  if (magnitude < 0x38800000) {
    // Subnormal: the implicit bit becomes explicit, then the mantissa moves right.
    const shift = 126 - (magnitude >>> 23);
    return sign | roundShift((magnitude & 0x7fffff) | 0x800000, shift);
  }
  return sign | roundShift(magnitude - 0x38000000, 13); // rebias 127 -> 15; a carry walks into the exponent
}

/** Value of a float16 bit pattern. */
export function fromFloat16Bits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** Bit pattern of the bfloat16 nearest to `x`. */
export function toBfloat16Bits(x: number): number {
  real[0] = x;
  const bits = word[0]!;
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x0040;
  return roundShift(bits, 16) & 0xffff;
}

/** Value of a bfloat16 bit pattern. */
export function fromBfloat16Bits(bits: number): number {
  word[0] = (bits << 16) >>> 0;
  return real[0]!;
}

/** Float16 bit patterns of every value. */
export function encodeFloat16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const bits = words[i]!;
    const magnitude = bits & 0x7fffffff;
    // The usual case in place: a normal number of float16. Half of the last place less one, plus the bit that decides ties.
    if (magnitude >= 0x38800000 && magnitude < 0x477ff000) {
      const rebiased = magnitude - 0x38000000;
      out[i] = ((bits >>> 16) & 0x8000) | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
    } else out[i] = toFloat16Bits(values[i]!);
  }
  return out;
}

/** Bfloat16 bit patterns of every value. */
export function encodeBfloat16(values: Float32Array): Uint16Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) out[i] = toBfloat16Bits(values[i]!);
  return out;
}

let float16Table: Float32Array | undefined;

/** Values of float16 bit patterns. */
export function decodeFloat16(bits: Uint16Array): Float32Array {
  float16Table ??= Float32Array.from({ length: 65536 }, (_, i) => fromFloat16Bits(i));
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = float16Table[bits[i]!]!;
  return out;
}

/** Values of bfloat16 bit patterns. */
export function decodeBfloat16(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = bits[i]! << 16;
  return new Float32Array(out.buffer);
}

/** `value / 2^shift`, to nearest, ties to even. */
function roundShift(value: number, shift: number): number {
  const kept = Math.floor(value / 2 ** shift);
  const rest = value - kept * 2 ** shift;
  const half = 2 ** (shift - 1);
  return rest > half || (rest === half && kept % 2 === 1) ? kept + 1 : kept;
}
