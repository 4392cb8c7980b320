/** @file LangChain's messages and tools as the text layer takes them. */
import { AIMessage, ChatMessage, HumanMessage, SystemMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { expect, test } from "vitest";
import { z } from "zod";
import { textMessages, toolDefinitions } from "../../../src/agents/models/engine-messages.js";
import { createChatTemplate } from "../../../src/trainer/text/chat-template.js";
import { PLAIN_TEMPLATE, TOOL_TEMPLATE } from "./scripted-text-model.js";

const full = createChatTemplate(TOOL_TEMPLATE, {}, "full");
const plain = createChatTemplate(PLAIN_TEMPLATE, {}, "plain");

test("an assistant's thinking goes back to the template, from either place that LangChain keeps it", () => {
  const told = new AIMessage({ content: "Nacre.", additional_kwargs: { reasoning_content: "Layers." } });
  const inBlocks = new AIMessage({
    content: [
      { type: "reasoning", reasoning: "Layers." },
      { type: "text", text: "Nacre." },
    ],
  });
  const expected = { role: "assistant", content: "Nacre.", reasoning: "Layers." };
  expect(textMessages([told, inBlocks], full)).toEqual([expected, expected]);
});

test("roles are read from messages of any kind", () => {
  const messages = [new ChatMessage("Be brief.", "developer"), new ChatMessage("Why?", "user"), new AIMessage("So.")];
  expect(textMessages(messages, full).map(({ role }) => role)).toEqual(["system", "user", "assistant"]);
});

test("system messages open the first user turn where the template refuses or drops them", () => {
  const messages = [new SystemMessage("One."), new SystemMessage(""), new HumanMessage("Why?"), new AIMessage("So.")];
  const joined = [
    { role: "user", content: "One.\n\nWhy?" },
    { role: "assistant", content: "So." },
  ];
  const silent = createChatTemplate(
    "{% for m in messages %}{% if m.role != 'system' %}{{ m.content }}{% endif %}{% endfor %}",
    {},
    "",
  );
  expect(textMessages(messages, plain)).toEqual(joined);
  expect(textMessages(messages, silent)).toEqual(joined);
  expect(textMessages(messages, full)).toHaveLength(4);
  expect(textMessages([new SystemMessage("Alone.")], plain)).toEqual([{ role: "user", content: "Alone." }]);
});

test("what is no text is refused, all of it at once", () => {
  const image = new HumanMessage({ content: [{ type: "image_url", image_url: { url: "data:image/png;base64," } }] });
  const odd = new ChatMessage("?", "narrator");
  expect(() => textMessages([image, new HumanMessage("Why?"), odd], full)).toThrow(
    /messages\[0\]: expected text, found image_url.*\nmessages\[2\]: expected a system, human, ai or tool message, found narrator/,
  );
});

test("tools are understood as LangChain's, OpenAI's and Anthropic's", () => {
  const parameters = { type: "object", properties: { mineral: { type: "string" } }, required: ["mineral"] };
  const schema = z.object({ mineral: z.string() });
  const definitions = toolDefinitions([
    tool(() => "", { name: "hardness", description: "Mohs.", schema }),
    { type: "function", function: { name: "hardness", description: "Mohs.", parameters } },
    { name: "hardness", description: "Mohs.", input_schema: parameters },
  ]);
  expect(definitions).toHaveLength(3);
  for (const definition of definitions) {
    expect(definition).toMatchObject({ name: "hardness", description: "Mohs.", parameters });
  }
});
