/** @file LangChain's ChatOpenAI and OpenAIEmbeddings, as an agent would use them, against this server. */
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { expect, it } from "vitest";
import { chatOf, EMBEDDER, says, scripted, serve } from "./scripted-model.js";

const options = (origin: string) => ({ apiKey: "unused", maxRetries: 0, configuration: { baseURL: `${origin}/v1` } });

it("answers ChatOpenAI, in one piece and streamed, with the tokens counted", async () => {
  const fake = scripted(() => ({
    parts: [
      { kind: "content", text: "They " },
      { kind: "content", text: "slide." },
    ],
  }));
  const { origin } = await serve(fake);
  const model = new ChatOpenAI({ model: "small", temperature: 0, maxTokens: 9, ...options(origin) });
  const reply = await model.invoke([
    ["system", "Be short."],
    ["human", "Why is nacre tough?"],
  ]);
  expect(reply.text).toBe("They slide.");
  expect(reply.usage_metadata).toMatchObject({ input_tokens: 7, output_tokens: 2 });
  expect(fake.asked[0]).toMatchObject({
    messages: [{ role: "system" }, { role: "user", content: "Why is nacre tough?" }],
    sampling: { temperature: 0, maxNewTokens: 9 },
  });
  let text = "";
  for await (const chunk of await model.stream("Why?")) text += chunk.text;
  expect(text).toBe("They slide.");
});

it("lets ChatOpenAI bind tools, and reads the result of one", async () => {
  const call = { id: "call_1", name: "look_up", arguments: { word: "nacre" } };
  const fake = scripted((request) =>
    chatOf(request).messages.at(-1)?.role === "tool"
      ? says("It is tough.")
      : { parts: [{ kind: "toolCall", index: 0, call }] },
  );
  const { origin } = await serve(fake);
  const parameters = { type: "object", properties: { word: { type: "string" } } };
  const model = new ChatOpenAI({ model: "small", ...options(origin) }).bindTools([
    { type: "function", function: { name: "look_up", parameters } },
  ]);
  const calling = await model.invoke("What is nacre?");
  expect(calling.tool_calls).toMatchObject([{ id: "call_1", name: "look_up", args: { word: "nacre" } }]);
  const answer = await model.invoke([
    { role: "user", content: "What is nacre?" },
    calling,
    { role: "tool", tool_call_id: "call_1", content: "shell" },
  ]);
  expect(answer.text).toBe("It is tough.");
  expect(chatOf(fake.asked[1]).messages).toMatchObject([
    { role: "user" },
    { role: "assistant", toolCalls: [call] },
    { role: "tool", toolCallId: "call_1", content: "shell" },
  ]);
});

it("embeds for OpenAIEmbeddings", async () => {
  const { origin } = await serve(
    scripted(() => says("x")),
    { embedder: { name: "mini", embedder: EMBEDDER } },
  );
  const embeddings = new OpenAIEmbeddings({ model: "mini", ...options(origin) });
  expect(await embeddings.embedDocuments(["a", "abc"])).toEqual([
    [1, -0.5, Math.fround(1 / 3)],
    [3, -0.5, Math.fround(1 / 3)],
  ]);
  expect(await embeddings.embedQuery("ab")).toEqual([2, -0.5, Math.fround(1 / 3)]);
});
