/** @file Slots: how many run, in which order they begin, and that none is lost. */
import { expect, test } from "vitest";
import { createSlots } from "../../../src/agents/calls/slots.js";

/** Work that ends when it is told to. */
function work() {
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { end, ended };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test("no more than the slots run at once, and who waits longest begins first", async () => {
  const slots = createSlots(2);
  const begun: number[] = [];
  const works = Array.from({ length: 4 }, work);
  const all = works.map(({ ended }, i) =>
    slots.use(async () => {
      begun.push(i);
      await ended;
      return i;
    }),
  );
  await settle();
  expect(begun).toEqual([0, 1]);
  works[1]?.end();
  await settle();
  expect(begun).toEqual([0, 1, 2]);
  for (const { end } of works) end();
  expect(await Promise.all(all)).toEqual([0, 1, 2, 3]);
});

test("a slot comes back from work that fails, and a place in the queue from one that was aborted", async () => {
  const slots = createSlots(1);
  await expect(slots.use(() => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  const first = work();
  const running = slots.use(() => first.ended);
  const stop = new AbortController();
  let begun = false;
  const waiting = slots.use(async () => {
    begun = true;
  }, stop.signal);
  const last = slots.use(async () => "last");
  stop.abort(new Error("no longer wanted"));
  await expect(waiting).rejects.toThrow("no longer wanted");
  first.end();
  await running;
  expect(await last).toBe("last");
  expect(begun).toBe(false);
});
