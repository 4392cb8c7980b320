/** @file A small seeded generator of uniform numbers (SplitMix32), for choices that must be the same in every run. */

/** Numbers in [0, 1); equal parts give equal numbers, and different parts give unrelated ones. */
export function seededRandom(...parts: readonly number[]): () => number {
  let state = 0x9e3779b9;
  for (const part of parts) state = mix((state + 0x9e3779b9) ^ mix(part)) ^ mix(Math.floor(part / 2 ** 32));
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return mix(state) / 2 ** 32;
  };
}

/** `count` distinct whole numbers of [from, to), each set equally likely (Floyd's algorithm). */
export function sampleDistinct(from: number, to: number, count: number, random: () => number): Set<number> {
  const chosen = new Set<number>();
  for (let top = to - count; top < to; top++) {
    const candidate = from + Math.floor(random() * (top - from + 1));
    chosen.add(chosen.has(candidate) ? top : candidate);
  }
  return chosen;
}

function mix(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x21f0aaad);
  value = Math.imul(value ^ (value >>> 15), 0x735a2d97);
  return (value ^ (value >>> 15)) >>> 0;
}
