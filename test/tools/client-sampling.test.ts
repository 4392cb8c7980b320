/** @file Tools whose teacher is the client's model: what a client that cannot or will not is told, and calls that wait between rounds. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import {
  type CallToolResult,
  type CreateMessageRequestParams,
  InMemoryTransport,
  isInputRequiredResult,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { describe, expect, it } from "vitest";
import { SamplingChatModel } from "../../src/agents/models/sampling-chat-model.js";
import { createServer } from "../../src/server/create-server.js";
import type { AskClient } from "../../src/tools/ask-client.js";
import { parkedCall } from "../../src/tools/parked-calls.js";
import type { ToolContext } from "../../src/tools/tool-context.js";
import { NACRE } from "../agents/scripted-student.js";
import { smallContext } from "./small-context.js";

const textOf = ({ content }: CallToolResult): string =>
  content.map((block) => (block.type === "text" ? block.text : "")).join("");

/** What generate-preference-pair says to a client that answers like this, or that offers no sampling. */
async function told(answer: (() => string) | undefined): Promise<string> {
  const context = await smallContext();
  const folder = await mkdtemp(join(tmpdir(), "preflexor-articles-"));
  await writeFile(join(folder, "nacre.md"), NACRE);
  const taught: ToolContext = {
    ...context,
    teacher: async (client) => {
      if (client === undefined) throw new Error("no client was passed");
      return new SamplingChatModel({ client });
    },
  };
  const client = new Client(
    { name: "desk", version: "1.0" },
    { capabilities: answer === undefined ? {} : { sampling: {} } },
  );
  if (answer !== undefined) {
    client.setRequestHandler("sampling/createMessage", async () => {
      return { model: "big-model", role: "assistant", content: { type: "text", text: answer() } };
    });
  }
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  await createServer(taught).connect(theirs);
  await client.connect(ours);
  await client.callTool({ name: "ingest-corpus", arguments: { path: folder } });
  const made = await client.callTool({ name: "generate-preference-pair", arguments: { topic: "nacre" } });
  expect((made as CallToolResult).isError).toBe(true);
  expect(await (await context.run()).pairs()).toEqual([]);
  await client.close();
  return textOf(made as CallToolResult);
}

describe("a client", () => {
  it("that offers no sampling is told what to set instead", async () => {
    expect(await told(undefined)).toMatch(
      /^the MCP client desk 1\.0 .*does not offer sampling\. Set PREFLEXOR_TEACHER .*: builtin, extractive, self/,
    );
  });

  it("whose model writes prose is told what was expected and found", async () => {
    expect(await told(() => "I would rather not.")).toMatch(
      /expected a call of .*submit-question as JSON.*I would rather not\./,
    );
  });

  it("that refuses is named", async () => {
    const refusing = (): never => {
      throw new Error("the user said no");
    };
    expect(await told(refusing)).toMatch(
      /the MCP client desk 1\.0 gave no reply to a sampling request: .*the user said no/,
    );
  });
});

interface RoundParts {
  readonly state?: string;
  readonly responses?: Record<string, unknown>;
  readonly signal?: AbortSignal;
}

/** A request of 2026-07-28, as far as rounds look at it. */
function round({ state, responses, signal = new AbortController().signal }: RoundParts = {}): ServerContext {
  return { mcpReq: { signal, inputResponses: responses, requestState: () => state } } as unknown as ServerContext;
}

const context = (): ToolContext => ({ signal: new AbortController().signal }) as unknown as ToolContext;
const done = (text: string): CallToolResult => ({ content: [{ type: "text", text }] });
const reply = (text: string) => ({ model: "m", role: "assistant", content: { type: "text", text } });
const question = (text: string): CreateMessageRequestParams => ({
  maxTokens: 8,
  messages: [{ role: "user", content: { type: "text", text } }],
});

describe("a call that waits between rounds", () => {
  const asksTwice = async (ask: AskClient): Promise<CallToolResult> => {
    const sample = (text: string) => ask<"sampling/createMessage">("sampling/createMessage", question(text));
    const [one, two] = await Promise.all([sample("one?"), sample("two?")]);
    const three = await sample("three?");
    return done(JSON.stringify([one, two, three].map(({ content }) => content)));
  };

  it("asks all that is open, takes replies in any order, and ends with the result", async () => {
    const of = context();
    const first = await parkedCall(of, round(), asksTwice);
    if (!isInputRequiredResult(first)) throw new Error("the client was asked nothing");
    const state = first.requestState as string;
    expect(Object.keys(first.inputRequests ?? {})).toEqual(["sample-1", "sample-2"]);
    const half = await parkedCall(of, round({ state, responses: { "sample-2": reply("two") } }), asksTwice);
    expect(Object.keys(isInputRequiredResult(half) ? (half.inputRequests ?? {}) : {})).toEqual(["sample-1"]);
    const third = await parkedCall(of, round({ state, responses: { "sample-1": reply("one") } }), asksTwice);
    expect(Object.keys(isInputRequiredResult(third) ? (third.inputRequests ?? {}) : {})).toEqual(["sample-3"]);
    const last = await parkedCall(of, round({ state, responses: { "sample-3": reply("three") } }), asksTwice);
    expect(textOf(last as CallToolResult)).toBe(
      JSON.stringify(["one", "two", "three"].map((text) => ({ type: "text", text }))),
    );
    await expect(parkedCall(of, round({ state }), asksTwice)).rejects.toThrow("this call is over");
  });

  it("asks nothing where the work needs no model", async () => {
    expect(await parkedCall(context(), round(), async () => done("done"))).toEqual(done("done"));
  });

  it("cannot be reached from another context, or by a state that was never given out", async () => {
    const first = await parkedCall(context(), round(), asksTwice);
    const state = isInputRequiredResult(first) ? (first.requestState as string) : "";
    await expect(parkedCall(context(), round({ state }), asksTwice)).rejects.toThrow("this call is over");
  });

  it("is cancelled with the round that waits for it", async () => {
    const cancel = new AbortController();
    const call = parkedCall(context(), round({ signal: cancel.signal }), (_, signal) => {
      return new Promise((resolve) => {
        signal.addEventListener("abort", () => resolve(done(`stopped: ${(signal.reason as Error).message}`)));
        cancel.abort(new Error("the user cancelled"));
      });
    });
    expect(await call).toEqual(done("stopped: the user cancelled"));
  });
});
