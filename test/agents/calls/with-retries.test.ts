/** @file Back-off: how long, how often, and what ends it. Time is faked. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { AgentFailure } from "../../../src/agents/calls/index.js";
import { withRetries } from "../../../src/agents/calls/with-retries.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const unavailable = () => Object.assign(new Error("unavailable"), { status: 503 });

async function waitsOf(seed: number, label: string, retries = 4): Promise<(number | undefined)[]> {
  const waits: (number | undefined)[] = [];
  const failing = withRetries(() => Promise.reject(unavailable()), {
    retries,
    seed,
    label,
    onFailedAttempt: (_, retryInMs) => waits.push(retryInMs),
  });
  const failed = expect(failing).rejects.toThrow("unavailable");
  await vi.runAllTimersAsync();
  await failed;
  return waits;
}

test("waits double from half a second, and at most half of each is left out by the jitter", async () => {
  const waits = await waitsOf(1, "a");
  expect(waits).toHaveLength(5);
  expect(waits.at(-1)).toBeUndefined();
  for (const [i, full] of [500, 1000, 2000, 4000].entries()) {
    expect(waits[i]).toBeGreaterThanOrEqual(full / 2);
    expect(waits[i]).toBeLessThanOrEqual(full);
  }
});

test("the jitter is the same for the same seed and call, and another for another call or seed", async () => {
  const waits = await waitsOf(1, "a");
  expect(await waitsOf(1, "a")).toEqual(waits);
  expect(await waitsOf(1, "b")).not.toEqual(waits);
  expect(await waitsOf(2, "a")).not.toEqual(waits);
});

test("a wait that the server asks for is kept to the millisecond", async () => {
  const limited = Object.assign(new Error("slow down"), { status: 429, headers: { "retry-after": "20" } });
  const attempt = vi.fn<() => Promise<string>>().mockRejectedValueOnce(limited).mockResolvedValueOnce("reply");
  const done = withRetries(attempt, { retries: 1, seed: 1, label: "a" });
  await vi.advanceTimersByTimeAsync(19_999);
  expect(attempt).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(await done).toBe("reply");
});

test("an hour is not waited for, and the failure says so", async () => {
  const limited = Object.assign(new Error("slow down"), { status: 429, headers: { "retry-after": "3600" } });
  const attempt = vi.fn(() => Promise.reject(limited));
  await expect(withRetries(attempt, { retries: 3, seed: 1, label: "a" })).rejects.toMatchObject({
    reason: "rate-limit",
    message: "the server asks to wait 3600 s: run again later",
  });
  expect(attempt).toHaveBeenCalledTimes(1);
});

test.each([
  ["a refusal", new AgentFailure("refusal", "no")],
  ["a bad request", Object.assign(new Error("bad"), { status: 400 })],
])("%s is not asked again", async (_, error) => {
  const attempt = vi.fn(() => Promise.reject(error));
  await expect(withRetries(attempt, { retries: 3, seed: 1, label: "a" })).rejects.toBe(error);
  expect(attempt).toHaveBeenCalledTimes(1);
});

test("an abort ends the waiting with its own reason, and no attempt follows", async () => {
  const stop = new AbortController();
  const attempt = vi.fn(() => Promise.reject(unavailable()));
  const failed = expect(withRetries(attempt, { retries: 9, seed: 1, label: "a", signal: stop.signal })).rejects.toThrow(
    "stopped by the user",
  );
  await vi.advanceTimersByTimeAsync(100);
  stop.abort(new Error("stopped by the user"));
  await failed;
  await vi.runAllTimersAsync();
  expect(attempt).toHaveBeenCalledTimes(1);
});
