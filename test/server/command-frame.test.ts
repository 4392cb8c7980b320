/** @file The frame of a command: what was opened is closed, and the exit code tells how it ended. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { runInFrame } from "../../src/server/command-frame.js";
import { INTERRUPTED } from "../../src/server/interrupt.js";

let printed = "";
beforeEach(() => {
  printed = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    printed += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

const listeners = (): number => process.listenerCount("SIGINT");

it("closes what was opened last first, after success and after failure, and leaves no listener", async () => {
  const before = listeners();
  const closed: string[] = [];
  const opens = (fails: boolean) =>
    runInFrame({ verbose: false }, async ({ onEnd }) => {
      onEnd(() => closed.push("engine"));
      onEnd(async () => closed.push("store"));
      expect(listeners()).toBe(before + 1);
      if (fails) throw new Error("the work failed");
      return 3;
    });
  expect(await opens(false)).toBe(3);
  expect(await opens(true)).toBe(1);
  expect(closed).toEqual(["store", "engine", "store", "engine"]);
  expect(printed).toBe("error: the work failed\n");
  expect(listeners()).toBe(before);
});

it("says a failure in the words that it was given for it", async () => {
  const explain = (error: unknown): unknown => new Error(`--prompt: ${(error as Error).message}`);
  await runInFrame({ verbose: false, explain }, async () => Promise.reject(new Error("empty")));
  expect(printed).toBe("error: --prompt: empty\n");
});

it("a first Ctrl-C aborts the work, and its failure is not reported as one", async () => {
  const code = await runInFrame({ verbose: false, stopping: "stopping now" }, async ({ signal }) => {
    process.emit("SIGINT");
    signal.throwIfAborted();
    return 0;
  });
  expect(code).toBe(INTERRUPTED);
  expect(printed).toContain("stopping now");
  expect(printed).not.toContain("error:");
});
