/** @file The checker on questions with two candidates, a reply a line. */
import { expect, test } from "vitest";
import { createMaterialsWorld, layOut } from "../../../src/agents/environments/index.js";

const world = createMaterialsWorld({ seed: 7, choices: true, comparisonNotes: false });
const question = world
  .questions("train")
  .find(({ type, pairId }) => type === "failure-choice" && pairId !== undefined)!;
const laidOut = layOut(question.text, world.documents);
if (laidOut.kind !== "laid-out") throw new Error("internal: the documents must hold every step");
const { thinking, answer } = laidOut;
const gold = question.subjects![world.goldPosition(question)!]!;
const other = question.subjects!.find((subject) => subject !== gold)!;
const elsewhere = world.questions("unseen-material")[0]!.subject;
const asked = / the (\w+) failure class/.exec(question.text)![1]!;
const lines = thinking.split("\n");
const blockOf = (name: string): string[] => (lines[0]!.includes(name) ? lines.slice(0, 4) : lines.slice(4));
const [goldBlock, otherBlock] = [blockOf(gold), blockOf(other)];
const otherClass = otherBlock[3]!.match(/(\w+)\.$/)![1]!;
const think = (inside: string | readonly string[], after: string): string =>
  `<|thinking|>\n${typeof inside === "string" ? inside : inside.join("\n")}\n<|/thinking|>\n${after}`;

const yes = { right: true, markable: true };
const no = { right: false, markable: true };
const unmarkable = { right: false, markable: false };

test.each([
  ["the class sentence of the right one", answer, yes],
  ["the right name alone", gold, yes],
  ["other case", answer.toUpperCase(), yes],
  ["markdown", `**${gold}**!`, yes],
  ["a question's form", `${gold} is of the ${asked} failure class.`, yes],
  ["the other name", other, no],
  ["the true class sentence of the other one", otherBlock[3]!, no],
  ["the other one with the class that was asked for", answer.replace(gold, other), no],
  ["the right name with another class", answer.replace(asked, otherClass), no],
  ["the right name, denied the class", `${gold} is not of the ${asked} failure class.`, no],
  ["the right name with the class and another", `${gold}: ${asked} or ${otherClass}.`, no],
  ["the right name with a class of another type", `${answer} ${gold} is rigid.`, no],
  ["a denied name", `It is not ${other}.`, unmarkable],
  ["both names", `${gold} and ${other}`, unmarkable],
  ["both names in the order of the question", question.subject, unmarkable],
  ["both class sentences", `${answer} ${otherBlock[3]}`, unmarkable],
  ["neither name", `The failure class is ${asked}.`, unmarkable],
  ["nothing", "", unmarkable],
  ["a stranger", answer.replace(gold, elsewhere), unmarkable],
  ["the right name beside a stranger", `${gold} or ${elsewhere}`, no],
  ["the name within a longer word", `un${gold}ly`, unmarkable],
  ["right thinking, right answer", think(thinking, answer), yes],
  ["right thinking, wrong answer", think(thinking, otherBlock[3]!), no],
  ["the answer inside the thinking only", think(`${thinking}\n${answer}`, ""), unmarkable],
  ["thinking that never ends", `<|thinking|>\n${thinking}\n${answer}`, unmarkable],
])("%s", (_, reply, expected) => {
  expect(world.check(question, reply)).toMatchObject(expected);
});

const [first, second, rule, conclusion] = goldBlock as [string, string, string, string];
const wrongFact = first.replace(/\w+\.$/, "unobtainium.");

test.each([
  ["both candidates in full", thinking, true],
  ["the candidates the other way round", [...lines.slice(4), ...lines.slice(0, 4)], true],
  ["in turns", lines.slice(0, 4).flatMap((line, i) => [line, lines[4 + i]!]), true],
  ["without the class sentences", lines.filter((line) => line.startsWith("A ") || !line.includes("class")), true],
  ["the right candidate only", goldBlock, false],
  ["the other candidate only", otherBlock, false],
  ["the right candidate twice", [...goldBlock, ...goldBlock], false],
  ["one in full, the class of the other", [...goldBlock, otherBlock[3]!], false],
  ["one in full, the facts of the other", [...goldBlock, ...otherBlock.slice(0, 2)], false],
  ["one in full, the rule of the other", [...goldBlock, otherBlock[2]!], false],
  ["without a fact", [second, rule, conclusion, ...otherBlock], false],
  ["without a rule", [first, second, conclusion, ...otherBlock], false],
  ["a false fact", [wrongFact, second, rule, conclusion, ...otherBlock], false],
  ["a false fact beside the true one", [wrongFact, ...goldBlock, ...otherBlock], false],
  ["a false rule", [first, second, rule.replace(asked, otherClass), ...otherBlock], false],
  ["a false class", [first, second, rule, conclusion.replace(asked, otherClass), ...otherBlock], false],
  ["facts with the names swapped", [...goldBlock, ...otherBlock.map((line) => line.replace(other, gold))], false],
  ["a stranger's facts for one", [...goldBlock, ...otherBlock.map((line) => line.replace(other, elsewhere))], false],
  ["a stranger beside both", `${thinking}\n${first.replace(gold, elsewhere)}`, false],
  ["nothing", "", false],
])("thinking: %s", (_, inside, expected) => {
  expect(world.check(question, think(inside, answer)).thinkingRight).toBe(expected);
});

test("one of two names alone is right, for every question, and the order of the names changes nothing", () => {
  for (const split of ["train", "unseen-combination", "unseen-material"] as const) {
    const right = new Map<string, Set<string>>();
    for (const choice of world.questions(split)) {
      if (choice.pairId === undefined) continue;
      const names = choice.candidates.filter((candidate) => world.check(choice, candidate).right);
      expect(names).toEqual([choice.subjects![world.goldPosition(choice)!]]);
      right.set(choice.pairId, new Set([...(right.get(choice.pairId) ?? []), ...names]));
    }
    for (const names of right.values()) expect(names.size).toBe(1);
  }
});

test("a question whose subject is not what its text says is refused", () => {
  expect(() => world.check({ ...question, subject: `${other} and ${gold} and ${elsewhere}` }, gold)).toThrow(
    /expected a question of this world/,
  );
  const stranger = question.text.replace(gold, "Nobody");
  expect(() => world.check({ ...question, text: stranger }, gold)).toThrow(/Nobody/);
});
