/** @file The client's model behind the agents: with tools where the client has them, else by JSON in plain text. */
import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from "@langchain/core/messages";
import { describe, expect, test } from "vitest";
import { SamplingChatModel, type SamplingClient } from "../../../src/agents/models/sampling-chat-model.js";
import {
  type SamplingReply,
  type SamplingRequest,
  samplingMessages,
} from "../../../src/agents/models/sampling-messages.js";
import { createTaskGenerator } from "../../../src/agents/task-generator.js";
import { makePreferencePair } from "../../../src/agents/teaching/answer-pair.js";
import { countingStore, NACRE, passage, scriptedStudent, smallStore } from "../scripted-student.js";

const sampling = { maxNewTokens: 64, temperature: 1, topP: 1 };

function scriptedClient(replies: readonly SamplingReply["content"][], takesTools: boolean) {
  const requests: SamplingRequest[] = [];
  const client: SamplingClient = {
    name: "desk 1.0",
    takesTools,
    sample: async (request) => {
      requests.push(request);
      const content = replies[requests.length - 1];
      if (content === undefined) throw new Error("the script has run out");
      return { model: "big-model", content, stopReason: "endTurn" };
    },
  };
  return { client, requests };
}

const says = (value: unknown) => ({ type: "text", text: typeof value === "string" ? value : JSON.stringify(value) });
const uses = (name: string, input: object) => [{ type: "tool_use", id: `id-${name}`, name, input }];

const question = "Why is nacre tougher than aragonite?";
const submitted = { thinking: "Tablets slide.", answer: "Because its tablets slide." };
const calls = [
  ["submit-question", { question }],
  ["retrieve-context", { query: "nacre tablets", k: 1 }],
  ["submit-answer", submitted],
] as const;

describe.each([
  ["with tools", true, calls.map(([name, args]) => uses(name, args))],
  ["without tools", false, calls.map(([name, args]) => says({ tool: name, arguments: args }))],
] as const)("a client %s", (_, takesTools, replies) => {
  test("teaches a pair, and what it retrieves reaches the store", async () => {
    const { client, requests } = scriptedClient(replies, takesTools);
    const store = countingStore(await smallStore());
    const model = new SamplingChatModel({ client });
    const student = scriptedStudent(() => "I do not know.");
    const pair = await makePreferencePair({ ...student, store, model }, { topic: "nacre", seed: 5 }, sampling);
    expect(pair).toMatchObject({
      chosen: "<|thinking|>\nTablets slide.\n<|/thinking|>\nBecause its tablets slide.",
      provenance: { teacher: "mcp-sampling:desk 1.0", question },
    });
    expect(store.queries).toEqual(["nacre", "nacre tablets"]);
    expect(requests).toHaveLength(3);
    for (const { tools, systemPrompt, maxTokens } of requests) {
      expect(tools === undefined).toBe(!takesTools);
      expect(systemPrompt).toMatch(/^Job: write-/);
      expect(maxTokens).toBeGreaterThan(0);
    }
    expect(JSON.stringify(requests[2]?.messages)).toContain("tablets slide over each other");
  });
});

test("tools are told in the request: by name, with the schema of their arguments, and as something to be called", async () => {
  const ask = async (takesTools: boolean) => {
    const { client, requests } = scriptedClient(
      [takesTools ? uses(...calls[0]) : says({ tool: calls[0][0], arguments: calls[0][1] })],
      takesTools,
    );
    const generator = await createTaskGenerator({
      model: new SamplingChatModel({ client }),
      store: await smallStore(),
    });
    await generator.generate({ passages: [passage("n", NACRE)], variation: 0 });
    return requests[0] as SamplingRequest;
  };
  const offered = await ask(true);
  expect(offered.tools?.map(({ name }) => name)).toEqual(["retrieve-context", "submit-question"]);
  expect(offered.tools?.[1]?.inputSchema).toMatchObject({ type: "object", required: ["question"] });
  expect(offered.toolChoice).toEqual({ mode: "required" });
  const told = JSON.stringify((await ask(false)).messages);
  for (const part of ["retrieve-context", "submit-question", "Finds the passages", "self-contained"])
    expect(told).toContain(part);
});

test("a reply that is no call is asked for once more with what was wrong, and then the draft fails with what was said", async () => {
  const ask = async (replies: readonly SamplingReply["content"][]) => {
    const { client, requests } = scriptedClient(replies, false);
    const generator = await createTaskGenerator({
      model: new SamplingChatModel({ client }),
      store: await smallStore(),
    });
    const made = generator.generate({ passages: [passage("n", NACRE)], variation: 0 }).then(
      (task) => task.question,
      (error: Error) => error.message,
    );
    return { made: await made, again: JSON.stringify(requests[1]?.messages.at(-1)?.content) };
  };
  const good = says(`\`\`\`json\n${JSON.stringify({ tool: "submit-question", arguments: { question } })}\n\`\`\``);
  expect(await ask([says(question), good])).toMatchObject({
    made: question,
    again: expect.stringContaining("no JSON"),
  });
  expect((await ask([says({ tool: "submit", arguments: {} }), good])).again).toContain(
    "expected retrieve-context or submit-question, found",
  );
  expect((await ask([says({ tool: "submit-question", arguments: { text: 1 } }), good])).again).toContain("arguments: ");
  expect((await ask([says("No."), says("Still no.")])).made).toMatch(
    /expected a call of .*submit-question as JSON.*Still no\./,
  );
});

test("a refusal of the client is told with its name, and an image is no reply", async () => {
  const { client } = scriptedClient([{ type: "image" }], false);
  const model = new SamplingChatModel({ client });
  await expect(model.invoke("Why?")).rejects.toThrow("expected text from the client's model big-model, found image");
  await expect(model.invoke("Why?")).rejects.toThrow(
    "the MCP client desk 1.0 gave no reply to a sampling request: the script has run out",
  );
});

test("the signal reaches the client and ends the call with its own reason", async () => {
  const stop = new AbortController();
  const model = new SamplingChatModel({
    client: {
      name: "desk",
      takesTools: false,
      sample: (_, signal) =>
        new Promise((_, reject) => {
          signal?.addEventListener("abort", () => reject(new Error("cancelled by the protocol")));
          stop.abort(new Error("stopped by the user"));
        }),
    },
  });
  await expect(model.invoke("Why?", { signal: stop.signal })).rejects.toThrow("stopped by the user");
});

test("messages of one role are joined, and results of tools stand alone, as the protocol wants them", () => {
  const call = (id: string) => ({ id, name: "look", args: { at: id }, type: "tool_call" }) as const;
  const { systemPrompt, messages } = samplingMessages([
    new SystemMessage("Be short."),
    new HumanMessage("One."),
    new HumanMessage("Two."),
    new AIMessage({ content: "", tool_calls: [call("a"), call("b")] }),
    new ToolMessage({ content: "A", tool_call_id: "a" }),
    new ToolMessage({ content: "B", tool_call_id: "b" }),
    new HumanMessage("Go on."),
  ]);
  expect(systemPrompt).toBe("Be short.");
  expect(messages.map(({ role, content }) => [role, content.map(({ type }) => type)])).toEqual([
    ["user", ["text", "text"]],
    ["assistant", ["tool_use", "tool_use"]],
    ["user", ["tool_result", "tool_result"]],
    ["user", ["text"]],
  ]);
});
