/** @file A collection without its index for a moment is read again, and nothing else is. */
import { expect, it } from "vitest";
import { settled } from "../../../src/agents/corpus/chroma-settled.js";

const UNSETTLED = "Error executing plan: Internal error: Error creating hnsw segment reader: Nothing found on disk";

function failing(times: number, message: string) {
  let calls = 0;
  const read = async (): Promise<string> => {
    calls += 1;
    if (calls <= times) throw new Error(message);
    return "passages";
  };
  return { read, calls: () => calls };
}

it("reads again until the index is there", async () => {
  const { read, calls } = failing(3, UNSETTLED);
  expect(await settled(read, [1, 1, 1, 1])).toBe("passages");
  expect(calls()).toBe(4);
});

it("gives up after the last wait, with Chroma's own words", async () => {
  const { read, calls } = failing(9, UNSETTLED);
  await expect(settled(read, [1, 1])).rejects.toThrow("Nothing found on disk");
  expect(calls()).toBe(3);
});

it("throws any other failure at once", async () => {
  const { read, calls } = failing(1, "no such collection");
  await expect(settled(read, [1, 1])).rejects.toThrow("no such collection");
  expect(calls()).toBe(1);
});
