/** @file The critics behind the agents: what is supported stays, what is not is replaced, and the answer is not written. */
import { expect, test } from "vitest";
import { createTextCritic } from "../../../src/agents/models/text-critic.js";
import { createWorldCritic } from "../../../src/agents/models/world-critic.js";
import type { CritiqueInput } from "../../../src/agents/prompts.js";
import { type Critic, createCritic, nearestEvidence, supportScore } from "../../../src/agents/reasoning/critic.js";
import { sentences } from "../../../src/agents/support.js";
import { NACRE, passage, smallStore } from "../scripted-student.js";

/** Feedback, and the thinking improved by it. */
async function improvedBy(critic: Critic, input: CritiqueInput) {
  const { feedback } = await critic.giveFeedback(input);
  return { feedback, ...(await critic.improveThinking({ ...input, feedback })) };
}

const passages = [passage("n", NACRE)];
const question = "Why is nacre tougher than aragonite?";
const thinking = [
  "**Relevant Materials or Concepts**",
  "- Nacre is the inner layer of mollusc shells.",
  "**Material Properties**",
  "- Titanium alloys melt at great heat.",
  "**Reasoning Steps**",
  "- Copper wires conduct current.",
].join("\n");

test("the lexical critic replaces the first unsupported sentence by a retrieved one and drops the rest with its title", async () => {
  const critic = await createCritic({ model: createTextCritic() });
  const improved = await improvedBy(critic, { question, thinking, passages });
  expect(improved.thinking.split("\n")).toEqual([
    "**Relevant Materials or Concepts**",
    "- Nacre is the inner layer of mollusc shells.",
    "**Material Properties**",
    "- Nacre is much tougher than pure aragonite because its tablets slide over each other before they break.",
  ]);
  expect(improved.feedback).toContain("Titanium alloys");
  expect(supportScore({ question, thinking, passages })).toBeCloseTo(1 / 3);
  expect(supportScore({ question, thinking: improved.thinking, passages })).toBe(1);
});

test("the lexical critic leaves supported thinking alone", async () => {
  const critic = await createCritic({ model: createTextCritic() });
  const supported = "Nacre contains about 95 percent aragonite.";
  expect((await improvedBy(critic, { question, thinking: supported, passages })).thinking).toBe(supported);
});

test("merged answers keep every sentence once", async () => {
  const critic = await createCritic({ model: createTextCritic() });
  expect(
    await critic.integrate({ question, answers: ["Tablets slide. Glue yields.", "Glue yields. Cracks stop."] }),
  ).toBe("Tablets slide. Glue yields. Cracks stop.");
});

test("no thinking, no support", () => {
  expect(supportScore({ question, thinking: "", passages })).toBe(0);
  expect(supportScore({ question, thinking: "**Hypothesis**", passages })).toBe(0);
});

test("evidence is looked up for the question and for each sentence of the thinking", async () => {
  const store = await smallStore();
  const evidence = await nearestEvidence(
    store,
    1,
  )({ question: "What is nacre?", thinking: "Wood has cellulose microfibrils." });
  expect(evidence.map((found) => found.source).sort()).toEqual(["nacre.md", "wood.md"]);
});

const facts =
  "The architecture of Veltrin is layered. The interface of Veltrin is protein. The surroundings of Veltrin are wet.";
const rule = "A layered architecture with a protein interface gives the peeling failure class.";
const worldQuestion = "What is the failure class of Veltrin?";
const link = "The failure class follows from the architecture and the interface.";
const worldPassages = [passage("f", facts), passage("r", `${link} ${rule}`)];

test("the world's critic begins the rule but leaves its end to the model, unless it is the assisted one", async () => {
  const input = {
    question: worldQuestion,
    thinking: "The architecture of Veltrin is layered.\nThe interface of Veltrin is protein.",
    passages: worldPassages,
  };
  const improved = await improvedBy(await createCritic({ model: createWorldCritic() }), input);
  expect(improved.thinking).toBe(`${input.thinking}\nA layered architecture with a protein interface gives the`);
  expect(improved.complete).toBe(false);
  const assisted = await createCritic({ model: createWorldCritic({ assisted: true }) });
  expect(assisted.modelName).toBe("world-critic-assisted");
  expect((await improvedBy(assisted, input)).thinking).toContain(rule);
});

test("sentences leave titles, list marks and abbreviations in peace", () => {
  expect(sentences("# Title\n**Steps**\n1. One is e.g. this. Two follows.\n- Three, at 2.5 GPa, ends!")).toEqual([
    "One is e.g. this.",
    "Two follows.",
    "Three, at 2.5 GPa, ends!",
  ]);
});
