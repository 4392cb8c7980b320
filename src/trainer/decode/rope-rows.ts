/** @file Rotary angles by position, computed here: the runtime's Cos and Sin round a number by its place in the tensor. */
import type { ModelConfig } from "../checkpoint/types.js";
import { inverseFrequencies } from "../model/index.js";
import type { Feed, Feeds } from "../runtime/index.js";

/** Names of the tables of one of `config.ropes`, [positions, head dim / 2] each. */
export const ropeNames = (rope: number) => ({ cos: `rope_cos_${rope}`, sin: `rope_sin_${rope}` });

/** Rows of the tables, made when a position is first asked for. */
export class RopeRows {
  private readonly tables: { readonly frequencies: Float32Array; cos: Float32Array; sin: Float32Array }[];
  private known = 0;

  constructor({ ropes, headDim }: ModelConfig) {
    this.tables = ropes.map((rope) => ({
      frequencies: Float32Array.from(inverseFrequencies(rope, headDim)),
      cos: new Float32Array(0),
      sin: new Float32Array(0),
    }));
  }

  /** Tables of `count` positions from `first` on. */
  feeds(first: number, count: number): Feeds {
    this.grow(first + count);
    const feeds: Record<string, Feed> = {};
    this.tables.forEach(({ frequencies: { length }, cos, sin }, rope) => {
      const names = ropeNames(rope);
      const rows = (table: Float32Array): Feed => ({
        data: table.subarray(first * length, (first + count) * length),
        dims: [count, length],
      });
      feeds[names.cos] = rows(cos);
      feeds[names.sin] = rows(sin);
    });
    return feeds;
  }

  private grow(positions: number): void {
    if (positions <= this.known) return;
    const next = Math.max(positions, 2 * this.known, 256);
    for (const table of this.tables) {
      const { frequencies } = table;
      const width = frequencies.length;
      const [cos, sin] = [new Float32Array(next * width), new Float32Array(next * width)];
      cos.set(table.cos);
      sin.set(table.sin);
      for (let i = this.known * width; i < next * width; i += 1) {
        // A float32 product, as the trainer's graph and transformers have it.
        const angle = Math.fround(Math.floor(i / width) * (frequencies[i % width] as number));
        cos[i] = Math.cos(angle);
        sin[i] = Math.sin(angle);
      }
      Object.assign(table, { cos, sin });
    }
    this.known = next;
  }
}
