/** @file A seeded generator of random numbers: the same seed and labels give the same stream on every machine. */

/** One stream. Streams of different seeds or labels are independent for every practical purpose. */
export interface Rng {
  /** In [0, 1), 53 bits. */
  uniform(): number;
  /** In 0 … below − 1. */
  int(below: number): number;
  pick<T>(items: readonly T[]): T;
  /** A shuffled copy. */
  shuffle<T>(items: readonly T[]): T[];
  /** A stream of its own. It depends on this stream's seed and labels, not on how much was drawn from it. */
  fork(...labels: readonly (string | number)[]): Rng;
}

/** E.g. `createRng(7, "iteration", 3)`. */
export function createRng(seed: number, ...labels: readonly (string | number)[]): Rng {
  if (!Number.isFinite(seed))
    throw new Error(`seed: expected a finite number, found ${seed}; give an integer such as 7`);
  const next = stream(JSON.stringify([seed, ...labels]));
  const uniform = (): number => ((next() >>> 6) * 2 ** 27 + (next() >>> 5)) / 2 ** 53;
  const int = (below: number): number => {
    if (!Number.isInteger(below) || below < 1) throw new Error(`internal: int(${below}) needs a positive integer`);
    return Math.floor(uniform() * below);
  };
  return {
    uniform,
    int,
    pick: (items) => items[int(items.length)]!,
    shuffle: (items) => {
      const shuffled = [...items];
      for (let i = shuffled.length - 1; i > 0; i--) {
        const j = int(i + 1);
        [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
      }
      return shuffled;
    },
    fork: (...more) => createRng(seed, ...labels, ...more),
  };
}

/** Doty-Humphrey's small fast counting generator (sfc32), keyed by a hash of the text. Yields unsigned 32-bit words. */
function stream(key: string): () => number {
  let [a, b, c] = [0x9e3779b9, 0x85ebca6b, 0xc2b2ae35].map((start) => hash(key, start)) as [number, number, number];
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i++) next(); // spreads the key over the state
  return next;
}

/** FNV-1a over UTF-16 units, ended by murmur's avalanche. */
function hash(text: string, start: number): number {
  let h = start | 0;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
