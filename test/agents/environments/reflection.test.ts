/** @file Reflection: half of the thinking holds one slip, the reflection puts it right, and the checker marks both apart. */
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { createAnswerWriter } from "../../../src/agents/answer-writer.js";
import { createLexicalEmbedder, ingestDocuments, openInProcessStore } from "../../../src/agents/corpus/index.js";
import { createMaterialsWorld, type EnvironmentQuestion, layOut } from "../../../src/agents/environments/index.js";
import { readStatements } from "../../../src/agents/environments/materials-world/reading.js";
import { createWorldTeacher } from "../../../src/agents/models/world-teacher.js";
import { loadTokenizer } from "../../../src/trainer/index.js";

const world = createMaterialsWorld({ seed: 7, choices: true, comparisonNotes: false });
const everyQuestion = (["train", "unseen-combination", "unseen-material"] as const).flatMap((split) =>
  world.questions(split),
);
const rules = world.documents.filter(({ source }) => source.startsWith("rules/"));
const byNote = new Map(world.documents.map((document) => [document.source, document]));
const sourcesOf = ({ subject, subjects = [subject] }: EnvironmentQuestion) => [
  ...subjects.map((name) => byNote.get(`materials/${name.toLowerCase()}.md`)!),
  ...rules,
];

interface Laid {
  readonly question: EnvironmentQuestion;
  readonly thinking: readonly string[];
  readonly reflection: readonly string[];
  readonly answer: string;
  /** The thinking without reflection: right. */
  readonly right: readonly string[];
}
function layoutOf(question: EnvironmentQuestion, passages = sourcesOf(question)): Laid {
  const plain = layOut(question.text, passages);
  const layout = layOut(question.text, passages, { reflection: true });
  if (plain.kind !== "laid-out" || layout.kind !== "laid-out") throw new Error("internal: expected every step");
  expect(plain.reflection).toBeUndefined();
  expect(layout.answer).toBe(plain.answer);
  const { thinking, reflection, answer } = layout;
  return {
    question,
    thinking: thinking.split("\n"),
    reflection: reflection!.split("\n"),
    answer,
    right: plain.thinking.split("\n"),
  };
}
const replyOf = ({ thinking, reflection, answer }: Pick<Laid, "thinking" | "reflection" | "answer">): string =>
  `<|thinking|>\n${thinking.join("\n")}\n<|/thinking|>\n<|reflect|>\n${reflection.join("\n")}\n<|/reflect|>\n${answer}`;

const laid = everyQuestion.filter((_, i) => i % 3 === 0).map((question) => layoutOf(question));
const slipped = laid.filter(
  ({ question, ...layout }) => world.check(question, replyOf(layout)).thinkingRight === false,
);

describe("what is laid out", () => {
  test("the answer and the reflection are right for every question; the thinking of about half of them is not", () => {
    for (const { question, ...layout } of laid) {
      expect(world.check(question, replyOf(layout))).toMatchObject({ right: true, reflectionRight: true });
    }
    const sd = Math.sqrt(laid.length / 4);
    expect(Math.abs(slipped.length - laid.length / 2)).toBeLessThan(3 * sd);
  });

  test("a slip is one wrong fact, the rule of the documents that it leads to, and of two candidates the wrong class", () => {
    const known = new Set(rules.flatMap(({ text }) => readStatements(text).map(({ sentence }) => sentence)));
    for (const { question, thinking, right, reflection } of slipped) {
      expect(thinking).toHaveLength(right.length);
      const wrong = thinking.filter((sentence, i) => sentence !== right[i]);
      const statements = wrong.flatMap((sentence) => readStatements(sentence));
      const kinds = question.pairId === undefined ? ["fact", "rule"] : ["fact", "rule", "class"];
      expect(statements.map(({ kind }) => kind)).toEqual(kinds);
      expect(known.has(wrong[1]!)).toBe(true);
      const [fact, rule, conclusion] = statements;
      expect(rule!.kind === "rule" && rule!.values.includes(fact!.value)).toBe(true);
      if (conclusion !== undefined) expect(conclusion.value).toBe(rule!.value);
      expect(reflection).toEqual(right.filter((sentence, i) => sentence !== thinking[i]));
    }
  });

  test("where nothing is wrong the thinking is the usual one, and the reflection says its rules once more", () => {
    for (const { thinking, right, reflection } of laid.filter((each) => !slipped.includes(each))) {
      expect(thinking).toEqual(right);
      expect(reflection).toEqual(right.filter((sentence) => sentence.startsWith("A ")));
    }
  });

  test("either fact and either candidate slip equally often, up to three standard deviations", () => {
    const places = (of: readonly Laid[]): number[] =>
      of.map(({ thinking, right }) => thinking.findIndex((sentence, i) => sentence !== right[i]));
    const singles = places(slipped.filter(({ question }) => question.pairId === undefined));
    const couples = places(slipped.filter(({ question }) => question.pairId !== undefined));
    const check = (found: readonly number[], expected: readonly number[]): void => {
      expect([...new Set(found)].sort()).toEqual(expected);
      const share = found.length / expected.length;
      const sd = Math.sqrt(share * (1 - 1 / expected.length));
      for (const place of expected) {
        expect(Math.abs(found.filter((each) => each === place).length - share)).toBeLessThan(3 * sd);
      }
    };
    check(singles, [0, 1]);
    check(couples, [0, 1, 4, 5]);
  });

  test("the same question slips the same way, whatever stands behind it and in which order the passages come", () => {
    for (const { question, thinking, reflection } of laid.slice(0, 40)) {
      const turned = layoutOf(
        { ...question, text: `${question.text} Use <|thinking|>.` },
        [...sourcesOf(question)].reverse(),
      );
      expect([turned.thinking, turned.reflection]).toEqual([thinking, reflection]);
    }
  });

  test("a slip is made of what the passages hold: where they hold one rule, there is none", () => {
    for (const { question, right } of slipped.filter(({ question: { pairId } }) => pairId === undefined)) {
      const [note] = sourcesOf(question);
      const overview = rules.find(({ source }) => source === `rules/${question.type}.md`)!;
      const layout = layOut(question.text, [note!, overview, { text: right[2]! }], { reflection: true });
      expect(layout).toMatchObject({ thinking: right.join("\n"), reflection: right[2] });
    }
  });

  test("every sentence is made of words that models/nano knows", async () => {
    const tokenizer = await loadTokenizer(fileURLToPath(new URL("../../../models/nano/", import.meta.url)));
    for (const { thinking, reflection } of slipped) {
      const text = [...thinking, ...reflection].join("\n");
      expect(tokenizer.encode(text), text).toHaveLength(text.match(/ ?[A-Za-z]+|[?.\n]/g)!.length);
    }
  });
});

describe("the checker", () => {
  const single = slipped.find(({ question }) => question.pairId === undefined)!;
  const couple = slipped.find(({ question }) => question.pairId !== undefined)!;
  const marked = ({ question, answer }: Laid, thinking: readonly string[], reflection: readonly string[]) => {
    const { thinkingRight, reflectionRight } = world.check(question, replyOf({ thinking, reflection, answer }));
    return [thinkingRight, reflectionRight];
  };
  const rulesOf = ({ right }: Laid): string[] => right.filter((sentence) => sentence.startsWith("A "));
  const slipRule = ({ thinking, right }: Laid): string =>
    thinking.find((s, i) => s.startsWith("A ") && s !== right[i])!;

  test.each([
    ["slip, put right", () => marked(single, single.thinking, single.reflection), [false, true]],
    ["slip, the rule put right alone", () => marked(single, single.thinking, rulesOf(single)), [false, true]],
    [
      "slip, only the fact put right",
      () => marked(single, single.thinking, single.reflection.slice(0, 1)),
      [false, false],
    ],
    ["slip, said to stand", () => marked(single, single.thinking, [slipRule(single)]), [false, false]],
    ["slip, nothing stated", () => marked(single, single.thinking, ["Hello!"]), [false, false]],
    ["no slip, the rule once more", () => marked(single, single.right, rulesOf(single)), [true, true]],
    ["no slip, a slip in the reflection", () => marked(single, single.right, [slipRule(single)]), [true, false]],
    ["no slip, nothing stated", () => marked(single, single.right, []), [true, false]],
    ["two candidates, put right", () => marked(couple, couple.thinking, couple.reflection), [false, true]],
    ["two candidates, both rules", () => marked(couple, couple.thinking, rulesOf(couple)), [false, true]],
    [
      "two candidates, the wrong one restated",
      () => marked(couple, couple.thinking, [rulesOf(couple).find((rule) => !couple.reflection.includes(rule))!]),
      [false, false],
    ],
    [
      "two candidates, no slip, one rule",
      () => marked(couple, couple.right, rulesOf(couple).slice(0, 1)),
      [true, true],
    ],
    [
      "two candidates, one treated, the other's rule in the reflection",
      () => marked(couple, couple.right.slice(0, 4), rulesOf(couple).slice(1)),
      [false, true],
    ],
  ] as const)("%s", (_, mark, expected) => {
    expect(mark()).toEqual(expected);
  });

  test("without a reflection section there is no verdict on one, and what the answer says is marked as ever", () => {
    const { question, right, answer } = single;
    const verdict = world.check(question, `<|thinking|>\n${right.join("\n")}\n<|/thinking|>\n${answer}`);
    expect(verdict).toEqual({ right: true, markable: true, thinkingRight: true });
    expect("reflectionRight" in verdict).toBe(false);
  });

  test("an answer that follows the slip is wrong", () => {
    const { question, thinking, reflection, right } = single;
    const [wrong] = readStatements(slipRule(single));
    const [true_] = readStatements(rulesOf(single)[0]!);
    const answer = single.answer.replace(true_!.value, wrong!.value);
    expect(right).not.toEqual(thinking);
    expect(world.check(question, replyOf({ thinking, reflection, answer }))).toMatchObject({
      right: false,
      markable: true,
    });
  });
});

test("the agents hand in a reflection where one is asked for, and none where not", async () => {
  const store = await openInProcessStore({ embedder: createLexicalEmbedder(), version: "test" });
  await ingestDocuments(world.documents, store);
  const model = createWorldTeacher({ allowed: world.isTrainable });
  const writer = await createAnswerWriter({ model, store, reflection: true });
  const verdicts = new Set<string>();
  for (const question of [...everyQuestion.slice(0, 8), ...everyQuestion.filter(({ pairId }) => pairId).slice(0, 8)]) {
    const { thinking, reflection, answer } = await writer.write({ question: question.text, passages: [] });
    const verdict = world.check(question, replyOf({ thinking: [thinking], reflection: [reflection!], answer }));
    expect(verdict).toMatchObject({ right: true, reflectionRight: true });
    verdicts.add(String(verdict.thinkingRight));
  }
  expect([...verdicts].sort()).toEqual(["false", "true"]);
  const without = await createAnswerWriter({ model, store });
  const written = await without.write({ question: everyQuestion[0]!.text, passages: [] });
  expect(written.reflection).toBeUndefined();
});
