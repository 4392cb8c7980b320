import { expect, test, vi } from "vitest";
import { type CandidateSource, rankPassages } from "../../../src/agents/corpus/exact-ranking.js";
import { PassageTable } from "../../../src/agents/corpus/passage-table.js";
import { createRng } from "../../../src/agents/rng.js";

const passage = (id: string, text = id) => ({ id, text, source: "s", start: 0, end: text.length });
const query = (vector: number[], text = "") => ({ text, vector: Float32Array.from(vector) });

function tableOf(rows: Record<string, number[]>): PassageTable {
  const table = new PassageTable(2);
  for (const [id, vector] of Object.entries(rows)) table.add(passage(id), vector);
  return table;
}

test("passages come by falling similarity, equal ones by id, whatever the order of adding", async () => {
  const rows: [string, number[]][] = [
    ["d", [1, 0]],
    ["b", [0.6, 0.8]],
    ["a", [1, 0]],
    ["c", [1, 0]],
    ["e", [0, 1]],
  ];
  for (const order of [rows, [...rows].reverse()]) {
    const ranked = await rankPassages(tableOf(Object.fromEntries(order)), query([1, 0]), 4, { sources: [] });
    expect(ranked.map((p) => p.id)).toEqual(["a", "c", "d", "b"]);
    expect(ranked.map((p) => p.score)).toEqual([1, 1, 1, expect.closeTo(0.6, 6)]);
  }
});

test("the k nearest are those of a full sort", async () => {
  const rng = createRng(5, "ranking");
  const table = new PassageTable(8);
  const all = Array.from({ length: 300 }, (_, i) => {
    const vector = Float32Array.from({ length: 8 }, () => rng.int(3) - 1);
    return { id: `p${i}`, vector };
  });
  for (const { id, vector } of all) table.add(passage(id), vector);
  const q = Float32Array.from([1, -1, 0, 1, 0, 0, 1, -1]);
  const dot = (v: Float32Array) => v.reduce((sum, x, i) => sum + x * q[i]!, 0);
  const sorted = [...all].sort((a, b) => dot(b.vector) - dot(a.vector) || (a.id < b.id ? -1 : 1));
  expect(table.rank(q, 40).map((p) => p.id)).toEqual(sorted.slice(0, 40).map((p) => p.id));
});

test("up to the limit no candidate source is asked", async () => {
  const source = vi.fn<CandidateSource>(async () => ["a"]);
  const table = tableOf({ a: [0, 1], b: [1, 0] });
  const ranked = await rankPassages(table, query([1, 0]), 1, { sources: [source], exactLimit: 2 });
  expect(ranked.map((p) => p.id)).toEqual(["b"]);
  expect(source).not.toHaveBeenCalled();
});

test("above the limit the union of all sources is ranked exactly", async () => {
  const table = tableOf({ a: [0.6, 0.8], b: [1, 0], c: [0.8, 0.6], d: [0, 1] });
  const sources: CandidateSource[] = [async () => ["a", "d"], async () => ["c", "a", "unknown"]];
  const ranked = await rankPassages(table, query([1, 0]), 3, { sources, exactLimit: 3 });
  expect(ranked.map((p) => p.id)).toEqual(["c", "a", "d"]);
});

test("above the limit the passage of a rare word is a candidate without any source, also one added later", async () => {
  const table = new PassageTable(2);
  for (let i = 0; i < 20; i++) table.add(passage(`p${i}`, `The interface is common ${i}`), [0.6, 0.8]);
  const ask = () => rankPassages(table, query([0, 1], "the interface of VELTRIN"), 1, { exactLimit: 5 });
  expect((await ask())[0]?.id).toBe("p0");
  table.add(passage("late", "Veltrin is rare"), [0, 1]);
  expect((await ask())[0]?.id).toBe("late");
});

test("a passage that was removed is ranked no more, and the others keep their vectors, whichever row it had", () => {
  const rows = { a: [1, 0], b: [0.6, 0.8], c: [0, 1] };
  for (const gone of Object.keys(rows)) {
    const table = tableOf(rows);
    expect([table.remove(gone), table.remove(gone)]).toEqual([true, false]);
    const kept = Object.entries(rows).filter(([id]) => id !== gone);
    expect(table.list().map(({ id }) => id)).toEqual(kept.map(([id]) => id));
    for (const [id, vector] of kept) expect([...(table.vectorOf(id) ?? [])]).toEqual([...Float32Array.from(vector)]);
    expect(table.rank(Float32Array.of(1, 0), 3).map(({ id }) => id)).toEqual(kept.map(([id]) => id));
    expect(table.vectorOf(gone)).toBeUndefined();
  }
});

test("an empty store says what to call, a bad k what is expected", async () => {
  await expect(rankPassages(tableOf({}), query([1, 0]), 3, { sources: [] })).rejects.toThrow(
    "call ingest-corpus first",
  );
  for (const k of [0, 1.5, Number.NaN]) {
    await expect(rankPassages(tableOf({ a: [1, 0] }), query([1, 0]), k, { sources: [] })).rejects.toThrow(
      /k is .*at least 1/,
    );
  }
});

test("a vector of another length is refused before it is kept", () => {
  const table = tableOf({ a: [1, 0] });
  expect(() => table.add(passage("b"), [1, 0, 0])).toThrow(/3 dimensions, expected 2/);
  expect(table.size).toBe(1);
});
