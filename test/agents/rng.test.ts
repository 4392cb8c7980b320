/** @file The seeded generator: repeatable, labelled, even. */
import { expect, test } from "vitest";
import { createRng, type Rng } from "../../src/agents/rng.js";

const draw = (rng: Rng, n = 5): number[] => Array.from({ length: n }, () => rng.int(1_000_000));

test("one seed and label give one stream, on every machine", () => {
  expect(draw(createRng(7, "a"))).toEqual(draw(createRng(7, "a")));
  expect(draw(createRng(7, "golden"))).toEqual([801792, 462941, 282937, 476577, 487101]);
});

test("seed, label, the order of labels and the type of a label each make another stream", () => {
  const streams = [
    createRng(7),
    createRng(8),
    createRng(-7),
    createRng(7, "a", "b"),
    createRng(7, "b", "a"),
    createRng(7, "ab"),
    createRng(7, 1),
    createRng(7, "1"),
  ].map((rng) => draw(rng).join());
  expect(new Set(streams).size).toBe(streams.length);
});

test("a fork does not depend on how much its parent has drawn, and does not move it", () => {
  const [fresh, used] = [createRng(3, "x"), createRng(3, "x")];
  draw(used);
  expect(draw(used.fork("y"))).toEqual(draw(fresh.fork("y")));
  expect(draw(fresh.fork("y"))).toEqual(draw(createRng(3, "x", "y")));
});

test("int is even over its range: chi-square of 16 cells over 64,000 draws stays below its 99.9 % point", () => {
  const rng = createRng(11);
  const cells = new Array<number>(16).fill(0);
  for (let i = 0; i < 64_000; i++) cells[rng.int(16)]! += 1;
  const chiSquare = cells.reduce((sum, n) => sum + (n - 4000) ** 2 / 4000, 0);
  expect(chiSquare).toBeLessThan(37.7);
});

test("uniform stays in [0, 1) with mean 1/2 and variance 1/12", () => {
  const rng = createRng(12);
  const xs = Array.from({ length: 50_000 }, () => rng.uniform());
  const mean = xs.reduce((a, b) => a + b) / xs.length;
  expect(xs.every((x) => x >= 0 && x < 1)).toBe(true);
  expect(mean).toBeCloseTo(0.5, 2);
  expect(xs.reduce((sum, x) => sum + (x - mean) ** 2, 0) / xs.length).toBeCloseTo(1 / 12, 2);
});

test("a shuffle keeps every item, leaves its argument, and puts the first item everywhere equally often", () => {
  const items = Object.freeze([0, 1, 2, 3]);
  const places = [0, 0, 0, 0];
  for (let i = 0; i < 8000; i++) places[createRng(i, "shuffle").shuffle(items).indexOf(0)]! += 1;
  expect(createRng(1).shuffle(items).sort()).toEqual([0, 1, 2, 3]);
  for (const n of places) expect(Math.abs(n - 2000)).toBeLessThan(150);
});

test("a seed that is no number is refused with what to give", () => {
  expect(() => createRng(Number.NaN)).toThrow(/expected a finite number, found NaN; give an integer/);
});
