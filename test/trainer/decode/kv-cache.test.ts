/** @file The cache against a plain map of what was put into it, under every way in which its memory is moved. */
import { describe, expect, it } from "vitest";
import { type Fresh, KeyValueCache, type Page, TAIL_SLOTS } from "../../../src/trainer/decode/kv-cache.js";
import { PrefixCache, pageKey } from "../../../src/trainer/decode/prefix-cache.js";

const SHAPE = { tensors: 2, heads: 3, headDim: 4 };

/** A number that says where it belongs. */
const mark = (row: number, tensor: number, head: number, position: number, dim: number): number =>
  row * 1e5 + tensor * 1e4 + head * 1e3 + position + dim / 10;

/** What a run gives for rows of `ids` at these positions: one trip of all tokens, or one trip a token. */
function fresh(ids: readonly number[], start: number, tokens: number, inOneTrip: boolean): Fresh {
  const { tensors, heads, headDim } = SHAPE;
  const [trips, time] = inOneTrip ? [1, tokens] : [tokens, 1];
  const values = (tensor: number): number[] => {
    const out: number[] = [];
    for (let trip = 0; trip < trips; trip += 1)
      for (const id of ids)
        for (let head = 0; head < heads; head += 1)
          for (let t = 0; t < time; t += 1)
            for (let dim = 0; dim < headDim; dim += 1) out.push(mark(id, tensor, head, start + trip + t, dim));
    return out;
  };
  return {
    tensors: Array.from({ length: tensors }, (_, tensor) => Float32Array.from(values(tensor))),
    trips,
    batch: ids.length,
    time,
  };
}

function expectRow(cache: KeyValueCache, row: number, id: number, length: number): void {
  const { tensors, heads, headDim } = SHAPE;
  for (let tensor = 0; tensor < tensors; tensor += 1)
    for (let head = 0; head < heads; head += 1)
      for (let position = 0; position < length; position += 1)
        for (let dim = 0; dim < headDim; dim += 1) {
          const at = ((row * heads + head) * cache.room + position) * headDim + dim;
          expect(cache.past(tensor)[at]).toBeCloseTo(mark(id, tensor, head, position, dim), 1);
        }
}

describe("the cache of keys and values", () => {
  it.each([true, false])("puts tokens of one trip (%s) or of many trips to the positions of their row", (inOneTrip) => {
    const cache = new KeyValueCache(SHAPE);
    cache.reserve(10);
    for (const _ of [7, 8]) cache.addRow();
    const run = fresh([7, 8], 0, 5, inOneTrip);
    [7, 8].forEach((_, i) => {
      cache.append(i, run, i, 5, 0, 0);
    });
    expectRow(cache, 0, 7, 5);
    expectRow(cache, 1, 8, 5);
    const slot = cache.tail(1).subarray(TAIL_SLOTS * SHAPE.headDim * 3 + 2 * SHAPE.headDim); // row 1, head 0, slot 2
    expect(slot[0]).toBeCloseTo(mark(8, 1, 0, 2, 0), 1);
  });

  it("keeps rows while it grows in rows and in room", () => {
    const cache = new KeyValueCache(SHAPE);
    for (const id of [1, 2, 3, 4, 5]) {
      const row = cache.addRow();
      cache.reserve(100 * id);
      cache.append(row, fresh([id], 0, 100 * id, true), 0, 100 * id, 0);
    }
    [1, 2, 3, 4, 5].forEach((id, row) => {
      expectRow(cache, row, id, 100);
    });
    expectRow(cache, 4, 5, 500);
    expect(cache.room % 128).toBe(0);
  });

  it("moves the last row into the place of one that leaves, tail and all", () => {
    const cache = new KeyValueCache(SHAPE);
    cache.reserve(8);
    for (const id of [1, 2, 3]) cache.append(cache.addRow(), fresh([id], 0, 4, true), 0, 4, 0, 0);
    cache.removeRow(0);
    expect(cache.rows).toBe(2);
    expectRow(cache, 0, 3, 4);
    expectRow(cache, 1, 2, 4);
    expect(cache.tail(0)[0]).toBeCloseTo(mark(3, 0, 0, 0, 0), 1);
    cache.removeRow(1);
    expectRow(cache, 0, 3, 4);
  });

  it("copies a row from another cache, and pages out of one into another", () => {
    const from = new KeyValueCache(SHAPE, 0);
    from.reserve(200);
    from.append(from.addRow(), fresh([6], 0, 200, true), 0, 200, 0);
    const to = new KeyValueCache(SHAPE);
    to.addRow();
    expectRow(to, to.addRowOf(from, 0, 200), 6, 200);
    const third = new KeyValueCache(SHAPE, 0);
    third.addRow();
    third.putPage(0, 0, from.page(0, 0, 64));
    third.putPage(0, 64, from.page(0, 64, 64));
    expectRow(third, 0, 6, 128);
  });
});

describe("the cache of prompt pages", () => {
  const page = (bytes: number): Page => ({ tokens: 64, tensors: [new Float32Array(bytes / 4)] });

  it("forgets the page that was used longest ago", () => {
    const cache = new PrefixCache(3000);
    for (const key of ["a", "b", "c"]) cache.put(key, page(1000));
    expect(cache.get("a")).toBeDefined();
    cache.put("d", page(1000));
    expect(["a", "b", "c", "d"].map((key) => cache.has(key))).toEqual([true, false, true, true]);
    cache.put("large", page(4000));
    expect(cache.has("large")).toBe(false);
    expect(cache.has("a")).toBe(true);
  });

  it("names a page by its tokens and by all before it", () => {
    const ids = Int32Array.from([1, 2, 3]);
    expect(pageKey("", ids)).toBe(pageKey("", Int32Array.from([0, 1, 2, 3]).subarray(1)));
    expect(pageKey(pageKey("", ids), ids)).not.toBe(pageKey("", ids));
    expect(pageKey("", ids)).not.toBe(pageKey("", Int32Array.from([1, 2, 4])));
  });
});
