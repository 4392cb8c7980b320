/** @file Seeded choices: in proportion to weights, and of what was asked about least. */
import type { Rng } from "../rng.js";

/** One item with probability weight / Σ weights; uniformly where all weights are 0. Items must not be empty. */
export function pickWeighted<T>(rng: Rng, items: readonly T[], weights: readonly number[]): T {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (!(total > 0)) return rng.pick(items);
  let left = rng.uniform() * total;
  let last = 0;
  for (const [i, weight] of weights.entries()) {
    if (weight <= 0) continue;
    last = i;
    left -= weight;
    if (left < 0) break;
  }
  return items[last]!;
}

/** What can be drawn, with how often it was asked about. */
export class AskedCounts<T extends string> {
  private readonly counts: Map<T, number>;
  private unasked = 0;
  private level = 0;
  /** Items of that level, in a seeded order. Made again only when it is used up, so that a draw is cheap. */
  private queue: T[] = [];

  constructor(
    readonly all: readonly T[],
    timesAsked: (item: T) => number,
    private readonly rng: Rng,
  ) {
    this.counts = new Map(all.map((item) => [item, timesAsked(item)]));
    for (const count of this.counts.values()) if (count === 0) this.unasked += 1;
  }

  has(item: T): boolean {
    return this.counts.has(item);
  }

  of(item: T): number {
    return this.counts.get(item) ?? 0;
  }

  get anyUnasked(): boolean {
    return this.unasked > 0;
  }

  /** Counts a draw; what cannot be drawn is passed over. */
  add(item: T): void {
    const count = this.counts.get(item);
    if (count === undefined) return;
    this.counts.set(item, count + 1);
    if (count === 0) this.unasked -= 1;
  }

  /** One of those that were asked about least, each alike. */
  least(): T {
    for (;;) {
      const next = this.queue.pop();
      if (next === undefined) this.refill();
      else if (this.counts.get(next) === this.level) return next;
    }
  }

  private refill(): void {
    this.level = Array.from(this.counts.values()).reduce((least, n) => Math.min(least, n), Number.POSITIVE_INFINITY);
    this.queue = this.rng.shuffle(this.all.filter((item) => this.counts.get(item) === this.level));
    if (this.queue.length === 0) throw new Error("internal: nothing to draw from");
  }

  /** One of those of `items` that can be drawn and were asked about least, each alike; undefined where none can. */
  leastOf(items: readonly T[], rng: Rng): T | undefined {
    const drawable = items.filter((item) => this.counts.has(item));
    const fewest = drawable.reduce((least, item) => Math.min(least, this.of(item)), Number.POSITIVE_INFINITY);
    const choice = drawable.filter((item) => this.of(item) === fewest);
    return choice.length === 0 ? undefined : rng.pick(choice);
  }
}
