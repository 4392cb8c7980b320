/** @file The critic as an agent and as one call a job: the same results, and refusals that say what to do. */
import { AIMessage } from "@langchain/core/messages";
import { FakeChatModel, FakeStreamingChatModel } from "@langchain/core/utils/testing";
import { expect, test } from "vitest";
import { createTextCritic } from "../../../src/agents/models/text-critic.js";
import { createCritic } from "../../../src/agents/reasoning/critic.js";
import { NACRE, passage, smallStore } from "../scripted-student.js";

const input = {
  question: "Why is nacre tougher than aragonite?",
  thinking: "Nacre is the inner layer of many mollusc shells. Copper wires conduct current.",
  passages: [passage("n", NACRE)],
};

test("a direct critic says, improves and merges what the agent does", async () => {
  const agent = await createCritic({ model: createTextCritic() });
  const direct = await createCritic({ model: createTextCritic(), direct: true });
  const { feedback } = await direct.giveFeedback(input);
  expect(feedback).toContain("Copper wires conduct current.");
  expect({ feedback }).toEqual(await agent.giveFeedback(input));
  const improve = { ...input, feedback };
  expect(await direct.improveThinking(improve)).toEqual(await agent.improveThinking(improve));
  const merge = { question: "Why?", answers: ["Tablets slide.", "Glue yields."] };
  expect(await direct.integrate(merge)).toBe("Tablets slide. Glue yields.");
  expect(await agent.integrate(merge)).toBe("Tablets slide. Glue yields.");
  expect(direct.modelName).toBe(agent.modelName);
});

test("a direct critic cannot retrieve, and says so where it is given a store", async () => {
  const asked = createCritic({ model: createTextCritic(), direct: true, store: await smallStore() });
  await expect(asked).rejects.toThrow("store: expected none for a direct critic");
});

test("a model without tool calls, and one that does not use them, are refused by name", async () => {
  const without = new FakeChatModel({});
  await expect(createCritic({ model: without, direct: true })).rejects.toThrow("expected a model with tool calls");
  const prose = new FakeStreamingChatModel({ responses: [new AIMessage("All is well.")] });
  const critic = await createCritic({ model: prose, direct: true });
  await expect(critic.giveFeedback(input)).rejects.toThrow(/to call submit-feedback, found a plain reply/);
});

test("a direct critic that is cancelled does not ask its model", async () => {
  const critic = await createCritic({ model: createTextCritic(), direct: true });
  await expect(critic.giveFeedback(input, AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
});
