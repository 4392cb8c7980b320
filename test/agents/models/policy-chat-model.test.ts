/** @file The local policy as a LangChain chat model. */
import { HumanMessage, SystemMessage } from "@langchain/core/messages";
import { expect, test } from "vitest";
import { PolicyChatModel } from "../../../src/agents/models/policy-chat-model.js";
import { scriptedStudent } from "../scripted-student.js";

const fields = { maxNewTokens: 8, temperature: 0, topP: 1, seed: 4 };

test("it renders the template, with the system's words in the first user turn", async () => {
  const student = scriptedStudent((_, seed) => `reply ${seed}`);
  const model = new PolicyChatModel({ ...fields, student });
  const reply = await model.invoke([new SystemMessage("Be brief."), new HumanMessage("Why?")]);
  expect(reply.text).toBe("reply 4");
  expect(student.prompts).toEqual(["[user] Be brief.\n\nWhy?[assistant] "]);
});

test("an aborted signal reaches it", async () => {
  const student = scriptedStudent(() => "never");
  const model = new PolicyChatModel({ ...fields, student });
  await expect(model.invoke("Why?", { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow();
  expect(student.prompts).toEqual([]);
});
