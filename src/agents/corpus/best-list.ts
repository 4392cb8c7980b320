/** @file The best few of many, by falling score and then by id, without sorting all of them. */

export interface Ranked {
  readonly id: string;
  readonly score: number;
}

export class BestList {
  private readonly limit: number;
  private readonly best: Ranked[] = [];

  constructor(limit: number) {
    this.limit = limit;
  }

  offer(id: string, score: number): void {
    const last = this.best[this.limit - 1];
    if (last !== undefined && !isBefore(score, id, last)) return;
    this.best.splice(this.place(score, id), 0, { id, score });
    if (this.best.length > this.limit) this.best.pop();
  }

  /** Best first. */
  list(): readonly Ranked[] {
    return this.best;
  }

  private place(score: number, id: string): number {
    let [low, high] = [0, this.best.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(score, id, this.best[middle] as Ranked)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

export function isBefore(score: number, id: string, other: Ranked): boolean {
  return score > other.score || (score === other.score && id < other.id);
}
