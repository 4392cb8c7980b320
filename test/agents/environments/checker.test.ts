/** @file The checker, a reply a line. */
import { expect, test } from "vitest";
import { createMaterialsWorld, layOut } from "../../../src/agents/environments/index.js";

const world = createMaterialsWorld({ seed: 7 });
const question = world.questions("train").find(({ type }) => type === "failure-class")!;
const laidOut = layOut(question.text, world.documents);
if (laidOut.kind !== "laid-out") throw new Error("internal: the documents must hold every step");
const { thinking, answer } = laidOut;
const [first, second, rule] = thinking.split("\n") as [string, string, string];
const right = question.candidates.find((candidate) => answer.includes(` ${candidate}.`))!;
const wrong = question.candidates.find((candidate) => candidate !== right)!;
const wrongAnswer = answer.replace(right, wrong);
const elsewhere = world.questions("train").find(({ subject }) => subject !== question.subject)!.subject;
const think = (inside: string, after: string): string => `<|thinking|>\n${inside}\n<|/thinking|>\n${after}`;

const yes = { right: true, markable: true };
const no = { right: false, markable: true };
const unmarkable = { right: false, markable: false };

test.each([
  ["the right sentence", answer, yes],
  ["the right word alone", right, yes],
  ["other case", answer.toUpperCase(), yes],
  ["markdown", `**${right}**!`, yes],
  ["the right candidate twice", `${right}. ${answer}`, yes],
  ["a wrong candidate", wrongAnswer, no],
  ["two candidates", `${right} or ${wrong}`, unmarkable],
  ["a right sentence, then a wrong one", `${answer} ${wrongAnswer}`, unmarkable],
  ["all candidates", question.candidates.join(" "), unmarkable],
  ["a denied candidate", `It is not ${right}.`, unmarkable],
  ["no candidate", "I do not know.", unmarkable],
  ["nothing", "", unmarkable],
  ["the candidate within a longer word", `un${right}ly`, unmarkable],
  ["the right class of another material", answer.replace(question.subject, elsewhere), no],
  ["right thinking, right answer", think(thinking, answer), yes],
  ["wrong thinking, right answer", think(rule.replace(right, wrong), answer), yes],
  ["right thinking, wrong answer", think(thinking, wrongAnswer), no],
  ["the answer inside the thinking only", think(`${thinking}\n${answer}`, ""), unmarkable],
  ["thinking that never ends", `<|thinking|>\n${thinking}\n${answer}`, unmarkable],
  ["a second thinking that never ends", `${think(thinking, answer)}<|thinking|>${answer}`, unmarkable],
  ["a wrong answer before a second section", `${think(thinking, wrongAnswer)}${think("", answer)}`, yes],
  ["the start marker in the prompt", `${thinking}\n<|/thinking|>\n${answer}`, yes],
  ["a wrong word before the section", `${wrong} ${think(thinking, answer)}`, yes],
  ["an answer after the reflection", `${think(thinking, `<|reflect|>${wrong}<|/reflect|>${answer}`)}`, yes],
  ["a reflection that never ends", think(thinking, `<|reflect|>${answer}`), unmarkable],
])("%s", (_, reply, expected) => {
  expect(world.check(question, reply)).toMatchObject(expected);
});

const wrongFact = first.replace(/\w+\.$/, "unobtainium.");
const rules = world.documents.flatMap(({ text }) => text.split(/(?<=\.) /)).filter((text) => text.startsWith("A "));
// "A layered architecture with a water interface …": the facts are words 1 and 5.
const factsOf = (text: string): (string | undefined)[] => [text.split(" ")[1], text.split(" ")[5]];
const [own1, own2] = factsOf(rule);
const ownType = rules.filter((text) => text.endsWith(" failure class."));
const otherFirst = ownType.find((text) => factsOf(text)[0] !== own1 && factsOf(text)[1] === own2)!;
const otherSecond = ownType.find((text) => factsOf(text)[0] === own1 && factsOf(text)[1] !== own2)!;

test.each([
  ["no thinking", answer, undefined],
  ["the three steps", think(thinking, answer), true],
  ["the three steps, whatever the answer", think(thinking, wrongAnswer), true],
  ["the facts the other way round", think(`${second}\n${first}\n${rule}`, answer), true],
  ["in one line, in capitals", think(thinking.replaceAll("\n", " ").toUpperCase(), answer), true],
  ["with words around them", think(`First, ${first}\nAnd ${second}\nSo: ${rule}`, answer), true],
  ["with the true conclusion", think(`${thinking}\n${answer}`, answer), true],
  ["thinking that never ends", `<|thinking|>${thinking}`, true],
  ["with a false conclusion", think(`${thinking}\n${wrongAnswer}`, answer), false],
  ["empty thinking", think("", answer), false],
  ["without the first fact", think(`${second}\n${rule}`, answer), false],
  ["without the second fact", think(`${first}\n${rule}`, answer), false],
  ["without the rule", think(`${first}\n${second}`, answer), false],
  ["with a false fact", think(`${wrongFact}\n${second}\n${rule}`, answer), false],
  ["with a false fact beside the true one", think(`${wrongFact}\n${thinking}`, answer), false],
  ["with a value that goes on", think(`${first.slice(0, -1)} water.\n${second}\n${rule}`, answer), false],
  ["with a false rule", think(`${first}\n${second}\n${rule.replace(right, wrong)}`, answer), false],
  ["with a true rule for another first fact", think(`${thinking}\n${otherFirst}`, answer), false],
  ["with a true rule for another second fact", think(`${thinking}\n${otherSecond}`, answer), false],
  ["about another material", think(thinking.replaceAll(question.subject, elsewhere), answer), false],
])("thinking: %s", (_, reply, expected) => {
  expect(world.check(question, reply).thinkingRight).toBe(expected);
});

test("a candidate alone is right for exactly one of the four, for every question of the world", () => {
  for (const split of ["train", "unseen-combination", "unseen-material"] as const) {
    for (const asked of world.questions(split)) {
      expect(asked.candidates.filter((candidate) => world.check(asked, candidate).right)).toHaveLength(1);
    }
  }
});

test("a question of another world is refused by its text", () => {
  expect(() => world.check({ ...question, text: "Why?" }, answer)).toThrow(/found "Why\?"/);
  expect(() => world.check({ ...question, subject: "Nobody" }, answer)).toThrow(/expected a question of this world/);
});
