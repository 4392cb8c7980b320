/** @file One at a time: the order, the end of a wait, who is told what, and how many may wait. */
import { describe, expect, it } from "vitest";
import { serialQueue } from "../../src/tools/serial.js";

const never = new AbortController().signal;

/** Work that ends when it is told to. */
function held() {
  let release = (): void => {};
  const work = () =>
    new Promise<string>((resolve) => {
      release = () => resolve("done");
    });
  return { work, release: () => release() };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("work that is done one at a time", () => {
  it("begins in order of asking, also after a failure", async () => {
    const exclusive = serialQueue();
    const order: number[] = [];
    const work = (i: number) => async () => {
      order.push(i);
      if (i === 1) throw new Error("no");
      await settled();
      order.push(-i);
    };
    await Promise.allSettled([1, 2, 3].map((i) => exclusive(never, work(i))));
    expect(order).toEqual([1, 2, -2, 3, -3]);
  });

  it("tells who waits for whom, and again when that changes", async () => {
    const exclusive = serialQueue();
    const told: string[] = [];
    const [a, b] = [held(), held()];
    const first = exclusive(never, a.work, { name: "ingest-corpus" });
    const second = exclusive(never, b.work, { name: "train-iteration" });
    const third = exclusive(never, async () => "third", {
      name: "recursive-reason",
      onWait: (words) => told.push(words),
    });
    a.release();
    await first;
    await settled();
    b.release();
    expect(await Promise.all([second, third])).toEqual(["done", "third"]);
    expect(told).toEqual(["ingest-corpus", "train-iteration"].map((name) => `waits for ${name}, which is under way`));
  });

  it("ends a wait with its signal, while the others keep their places", async () => {
    const exclusive = serialQueue();
    const a = held();
    const first = exclusive(never, a.work);
    const stop = new AbortController();
    const second = exclusive(stop.signal, async () => "second");
    const third = exclusive(never, async () => "third");
    stop.abort(new Error("enough"));
    await expect(second).rejects.toThrow("enough");
    await expect(exclusive(stop.signal, async () => "late")).rejects.toThrow("enough");
    a.release();
    expect(await Promise.all([first, third])).toEqual(["done", "third"]);
  });

  it("refuses more than may wait, by name and with what to do, and takes them when one has ended", async () => {
    const exclusive = serialQueue(1);
    const a = held();
    const first = exclusive(never, a.work, { name: "train-iteration" });
    const second = exclusive(never, async () => "second", { name: "evaluate" });
    const third = () => exclusive(never, async () => "third", { name: "ingest-corpus" });
    await expect(third()).rejects.toThrow(
      "1 call waits already (evaluate), for train-iteration, which is under way: nothing was begun. Wait for their results, then call ingest-corpus again",
    );
    // What is no call of a tool, such as the server's own end, is not refused.
    const fourth = exclusive(never, async () => "fourth");
    a.release();
    expect(await Promise.all([first, second, fourth])).toEqual(["done", "second", "fourth"]);
    expect(await third()).toBe("third");
  });
});
