/** @file The limits with a real provider's client in between, against a server of this test. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { initChatModel } from "langchain";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { type AgentCalls, createAgentCalls } from "../../../src/agents/calls/index.js";
import { createStructuredAgent } from "../../../src/agents/structured-agent.js";

const schema = z.object({ answer: z.string().min(1) }).meta({ title: "submit-answer" });
type Respond = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let responses: Respond[];
let requests: number;

beforeEach(async () => {
  responses = [];
  requests = 0;
  server = createServer((request, response) => {
    requests += 1;
    request.resume();
    (responses.shift() ?? fail(500))(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const json = (response: ServerResponse, status: number, body: object, headers = {}): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
};
const fail =
  (status: number, headers = {}): Respond =>
  (_, response) =>
    json(response, status, { error: { message: `status ${status}` } }, headers);

const submits = (answer: string): Respond => {
  const call = { name: "submit-answer", arguments: JSON.stringify({ answer }) };
  const message = { role: "assistant", content: null, tool_calls: [{ id: "c1", type: "function", function: call }] };
  const usage = { prompt_tokens: 40, completion_tokens: 2, total_tokens: 42 };
  return (_, response) => json(response, 200, { choices: [{ index: 0, message, finish_reason: "tool_calls" }], usage });
};

async function agentOf(calls: AgentCalls, apiKey = "test", model = "teacher") {
  const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const opened = await initChatModel(model, { modelProvider: "openai", apiKey, configuration: { baseURL } });
  return createStructuredAgent({ model: opened as unknown as BaseChatModel, system: "s", schema, calls });
}

test("a rate limit is asked again by us alone, after the time that the server names", async () => {
  responses = [fail(429, { "retry-after-ms": "1500" }), submits("yes")];
  const waits: unknown[] = [];
  const calls = createAgentCalls({
    onEvent: (event) => event.kind === "failed-attempt" && waits.push([event.reason, event.retryInMs]),
  });
  const agent = await agentOf(calls);
  expect(agent.modelName).toBe("openai:teacher");
  expect((await agent.run("Is it?")).value).toEqual({ answer: "yes" });
  expect([requests, waits]).toEqual([2, [["rate-limit", 1500]]]);
  expect(calls.stats()).toMatchObject({ calls: 2, retries: 1, inputTokens: 40, outputTokens: 2, estimatedTokens: 0 });
});

test("an error that stays is asked once, and a wrong key is no reason to try again", async () => {
  responses = [fail(401)];
  const agent = await agentOf(createAgentCalls());
  await expect(agent.run("Is it?")).rejects.toMatchObject({ reason: "other", message: expect.stringContaining("401") });
  expect(requests).toBe(1);
});

test("a server error is asked again as often as allowed, no more", async () => {
  responses = [fail(503), fail(503)];
  await expect((await agentOf(createAgentCalls({ retries: 1 }))).run("Is it?")).rejects.toThrow("503");
  expect(requests).toBe(2);
});

test("a call that is given up is also taken back from the server", async () => {
  const gone = new Promise<void>((resolve) => {
    responses = [(_, response) => void response.on("close", resolve)];
  });
  const agent = await agentOf(createAgentCalls({ timeoutMs: 200, retries: 0 }));
  await expect(agent.run("Is it?")).rejects.toMatchObject({ reason: "timeout" });
  await gone;
});

test("a server that is not there is a failure of the network, tried again", async () => {
  const calls = createAgentCalls({ retries: 1 });
  const agent = await agentOf(calls);
  await new Promise((resolve) => server.close(resolve));
  await expect(agent.run("Is it?")).rejects.toMatchObject({ reason: "other" });
  expect(calls.stats()).toMatchObject({ calls: 2, retries: 1 });
  server.listen(0, "127.0.0.1");
});

test("the cache knows the model and its server, not the key", async () => {
  const cacheFolder = await mkdtemp(join(tmpdir(), "openai-cache-"));
  try {
    responses = [submits("yes"), submits("no")];
    const ask = async (key: string, model?: string) =>
      (await (await agentOf(createAgentCalls({ cacheFolder }), key, model)).run("Is it?")).value.answer;
    expect(await ask("first key")).toBe("yes");
    expect(await ask("second key")).toBe("yes");
    expect(await ask("first key", "another")).toBe("no");
    expect(requests).toBe(2);
  } finally {
    await rm(cacheFolder, { recursive: true });
  }
});
