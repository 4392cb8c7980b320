/** @file Failures have one of a few reasons, whichever client threw them and whatever was put around them. */
import { MiddlewareError } from "langchain";
import { describe, expect, test } from "vitest";
import { AgentFailure, failureReason, toAgentFailure } from "../../../src/agents/calls/index.js";
import { isTransient, retryAfterMs } from "../../../src/agents/calls/transient.js";

const withFields = (fields: object, message = "failed"): Error => Object.assign(new Error(message), fields);

describe("reasons", () => {
  test.each([
    [withFields({ status: 429 }), "rate-limit"],
    [withFields({ response: { status: 429 } }), "rate-limit"],
    [withFields({ statusCode: 408 }), "timeout"],
    [withFields({ code: "ETIMEDOUT" }), "timeout"],
    [withFields({ name: "TimeoutError" }), "timeout"],
    [withFields({ status: 400, error: { code: "content_filter" } }), "refusal"],
    [withFields({ name: "GraphRecursionError" }), "loop"],
    [new Error("the corpus is empty: call ingest-corpus first"), "empty-retrieval"],
    [withFields({ status: 500 }), "other"],
    ["not even an error", "other"],
  ])("%s is of reason %s", (error, reason) => {
    expect(failureReason(error)).toBe(reason);
    expect(failureReason(new Error("around it", { cause: error }))).toBe(reason);
  });

  test("a failure keeps its own text and reason through what LangChain puts around it", () => {
    const failure = new AgentFailure("loop", "the same call 3 times");
    const wrapped = MiddlewareError.wrap(failure, "some-middleware");
    expect(wrapped).not.toBe(failure);
    expect(toAgentFailure(wrapped)).toBe(failure);
    const plain = toAgentFailure(MiddlewareError.wrap(withFields({ status: 429 }, "slow down"), "some-middleware"));
    expect([plain.reason, plain.message, plain.cause]).toEqual(["rate-limit", "slow down", undefined]);
  });

  test("an error that is its own cause is read once", () => {
    const error = new Error("round");
    error.cause = error;
    expect(toAgentFailure(error)).toMatchObject({ reason: "other", message: "round" });
  });
});

describe("what passes by itself", () => {
  test.each([
    withFields({ status: 408 }),
    withFields({ status: 409 }),
    withFields({ status: 429 }),
    withFields({ status: 503 }),
    withFields({ code: "ECONNRESET" }),
    new TypeError("fetch failed"),
    new Error("connection error", { cause: withFields({ code: "UND_ERR_SOCKET" }) }),
    new AgentFailure("timeout", "late"),
  ])("is %s", (error) => expect(isTransient(error)).toBe(true));

  test.each([
    withFields({ status: 400 }),
    withFields({ status: 401 }),
    withFields({ status: 404 }),
    withFields({ status: 429, error: { code: "insufficient_quota" } }),
    withFields({ status: 429 }, "You exceeded your current quota, please check your plan and billing details."),
    new Error("no sentence of the passages makes a question"),
    new AgentFailure("refusal", "no"),
    new TypeError("x is not a function"),
  ])("is not %s", (error) => expect(isTransient(error)).toBe(false));

  test("Retry-After is read in seconds, in milliseconds and as a date, from headers of every kind", () => {
    expect(retryAfterMs(withFields({ headers: new Headers({ "retry-after": "7" }) }))).toBe(7000);
    expect(retryAfterMs(withFields({ headers: { "Retry-After": "0.5" } }))).toBe(500);
    expect(retryAfterMs(withFields({ response: { headers: { "retry-after-ms": "250" } } }))).toBe(250);
    expect(retryAfterMs(new Error("outer", { cause: withFields({ headers: { "retry-after": "2" } }) }))).toBe(2000);
    expect(retryAfterMs(withFields({ headers: { "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT" } }))).toBe(0);
    expect(retryAfterMs(withFields({ headers: { "retry-after": "soon" } }))).toBeUndefined();
    expect(retryAfterMs("nothing")).toBeUndefined();
  });
});
