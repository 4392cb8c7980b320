/** @file Clients that send what they should not: each message is answered or left aside, and the server goes on for the next. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SmallContext, smallContext } from "../tools/small-context.js";
import { type Message, type RawServer, rawHttp, rawStdio } from "./bad-lines.js";

const VERSION = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
const INITIALIZE = {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "hostile", version: "1" },
};

const call = (id: unknown, method: string, params: object = {}): string =>
  JSON.stringify({ jsonrpc: "2.0", id, method, params });
const modern = (id: unknown, method: string, params: object = {}, version = "2026-07-28"): string =>
  call(id, method, { ...params, _meta: { [VERSION]: version, [CAPABILITIES]: {} } });

/** Deeper than any argument is meant to be. */
const DEEP = `${"[".repeat(5000)}${"]".repeat(5000)}`;

let context: SmallContext;
let server: RawServer;
beforeEach(async () => {
  context = await smallContext();
});
afterEach(async () => {
  await server.close();
  context.stop();
});

/** Whatever came before: the next client is served. */
async function expectAlive(ask: (id: number) => string): Promise<void> {
  const answer = await server.send(ask(99), 99);
  expect(answer).toMatchObject({ id: 99, result: { tools: expect.arrayContaining([expect.anything()]) } });
}

const textOf = (answer: Message | undefined): string =>
  answer?.error?.message ?? answer?.result?.content?.[0]?.text ?? "";

describe.each([
  ["stdio", rawStdio],
  ["http", rawHttp],
] as const)("a client of 2025 over %s", (_transport, open) => {
  beforeEach(async () => {
    server = await open(context);
    await server.send(call(1, "initialize", INITIALIZE), 1);
  });
  afterEach(() => expectAlive((id) => call(id, "tools/list")));

  it.each([
    ["text that is no JSON", "{ this is no JSON"],
    ["half a message", '{"jsonrpc":"2.0","id":2,"method":"tools/li'],
    ["a number", "42"],
    ["an empty batch", "[]"],
    ["a message of JSON-RPC 1", '{"jsonrpc":"1.0","id":2,"method":"tools/list"}'],
    ["an id that is an object", call({}, "tools/list")],
    ["a method that is a number", '{"jsonrpc":"2.0","id":2,"method":7}'],
    ["an answer to a question that was never asked", '{"jsonrpc":"2.0","id":77,"result":{}}'],
    ["a null byte", "\u0000"],
  ])("%s brings no result", async (_name, bytes) => {
    const answer = await server.send(bytes, null);
    expect(answer?.result).toBeUndefined();
  });

  it("is told which methods there are not", async () => {
    expect(await server.send(call(2, "tools/destroy"), 2)).toMatchObject({ id: 2, error: { code: -32601 } });
  });

  it("is told which tools there are not", async () => {
    const answer = await server.send(call(2, "tools/call", { name: "rm-rf", arguments: {} }), 2);
    expect(answer).toMatchObject({ id: 2 });
    expect(textOf(answer)).toContain("rm-rf");
  });

  it("is told what was wrong with its arguments", async () => {
    const answer = await server.send(
      call(2, "tools/call", { name: "train-iteration", arguments: { steps: "many" } }),
      2,
    );
    expect(textOf(answer)).toContain('expected a whole number from 1 to 10000, found "many"');
    const other = await server.send(call(3, "tools/call", { name: "retrieve-context", arguments: { qery: "x" } }), 3);
    expect(textOf(other)).toContain('did you mean "query"?');
  });

  it("gets an answer for each of two requests with one id", async () => {
    const list = call(2, "tools/list");
    const [one, two] = await Promise.all([server.send(list, 2), server.send(list, 2)]);
    expect([one?.result, two?.result]).toEqual([expect.anything(), expect.anything()]);
  });
});

describe.each([
  ["stdio", rawStdio],
  ["http", rawHttp],
] as const)("a client of 2026 over %s", (_transport, open) => {
  beforeEach(async () => {
    server = await open(context);
    await server.send(modern(1, "server/discover"), 1);
  });
  afterEach(() => expectAlive((id) => modern(id, "tools/list")));

  it("is told which versions there are, where it wants another", async () => {
    const answer = await server.send(modern(2, "tools/list", {}, "2031-01-01"), 2);
    expect(answer).toMatchObject({ id: 2, error: { data: expect.anything() } });
    expect(answer?.result).toBeUndefined();
  });

  it("is refused without its capabilities", async () => {
    const answer = await server.send(call(2, "tools/list", { _meta: { [VERSION]: "2026-07-28" } }), 2);
    expect(answer).toMatchObject({ id: 2, error: { code: -32602 } });
  });

  it.each(["initialize", "ping", "logging/setLevel", "tools/destroy"])("finds no method %s", async (method) => {
    expect(await server.send(modern(2, method, INITIALIZE), 2)).toMatchObject({ id: 2, error: { code: -32601 } });
  });

  it("cannot go on with a call by a state that it made up", async () => {
    const params = { name: "generate-preference-pair", arguments: {}, inputResponses: {}, requestState: "v1.made.up" };
    expect(await server.send(modern(2, "tools/call", params), 2)).toMatchObject({ id: 2, error: { code: -32602 } });
  });

  it("is answered one by one where it sends a batch, or refused", async () => {
    const answer = await server.send(`[${modern(2, "tools/list")},${modern(3, "tools/list")}]`, null);
    expect(answer?.result).toBeUndefined();
  });
});

describe("a client that sends more than any message needs", () => {
  it("is refused over HTTP for brackets in brackets", async () => {
    server = await rawHttp(context);
    const answer = await server.send(`{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"a":${DEEP}}}`, null);
    expect(textOf(answer)).toContain("levels deep");
    await expectAlive((id) => call(id, "tools/list"));
  });

  it("is refused over HTTP before it is read, and the next is served", async () => {
    server = await rawHttp(context);
    const answer = await server.send(call(2, "tools/list", { a: "x".repeat(5 * 2 ** 20) }), 2);
    expect(textOf(answer)).toMatch(/larger than \d+ bytes/);
    await expectAlive((id) => call(id, "tools/list"));
  });
});
