/** @file What may be asked and what may be learned from, by rules; each rule beside what it must not catch. */
import { describe, expect, test } from "vitest";
import { questionProblems, repeatedWords, replyProblems } from "../../src/agents/question-checks.js";

const kinds = (...args: Parameters<typeof questionProblems>) => questionProblems(...args).map(({ kind }) => kind);

describe("a question", () => {
  test.each([
    "Why is nacre tougher than aragonite?",
    "How does a small microfibril angle in the context of wood cells lead to high stiffness?",
    "Why is paper stronger along the direction in which its fibres lie?",
    "How does the passage of a crack through layers of protein cost energy?",
    "Which figure of merit decides the choice of a light, stiff beam?",
    "What limits the given strain rate at which bone still yields?",
    "In the study of fracture, why does a blunt crack need more energy?",
    "Explain why the periodic table of elements groups brittle metals.",
    "Which of Veltrin and Morkax has the firm stiffness class?",
  ])("may be: %s", (question) => expect(questionProblems(question)).toEqual([]));

  test.each([
    "According to the context, why is nacre tough?",
    "What does the passage say about the tablets of nacre?",
    "Why, in the given text, do tablets slide?",
    "What do the authors conclude about nacre tablets?",
    "Which effect does this study find in nacre?",
    "How is toughness measured in this paper on nacre?",
    "What does Table 2 say about the toughness of nacre?",
    "What trend is seen in Fig. 3 for nacre tablets?",
    "How do Barthelat et al. explain the toughness of nacre?",
    "Why are the tablets described above so tough?",
  ])("may not point at a source: %s", (question) => {
    expect(questionProblems(question)).toEqual([
      { kind: "quotes-source", text: expect.stringMatching(/^it points at a source: ".+"$/) },
    ]);
  });

  test("must be one question of a fair length", () => {
    expect(kinds(" \n")).toEqual(["empty"]);
    expect(kinds("Nacre is tougher than aragonite.")).toEqual(["no-question"]);
    expect(kinds("Why is nacre tough? And how does bone compare to it?")).toEqual(["several-questions"]);
    expect(kinds("Why nacre?")).toEqual(["too-short"]);
    expect(kinds(`Why is ${"very ".repeat(78)}tough nacre so?`)).toEqual(["too-long"]);
    expect(kinds("Why is nacre tough??")).toEqual([]);
  });

  test("about nothing that the passages name is off-topic", () => {
    const passages = [{ text: "Wood cells are wound by microfibrils." }];
    expect(kinds("Why is nacre tougher than aragonite?", { passages })).toEqual(["off-topic"]);
    expect(kinds("Why are microfibrils wound in a helix?", { passages })).toEqual([]);
  });

  test("with several problems tells them all", () => {
    expect(kinds("The context?")).toEqual(["too-short", "quotes-source"]);
  });
});

describe("a leak", () => {
  const veltrin = "The stiffness class of Veltrin is firm.";

  test.each([
    ["How do sliding tablets let nacre slide and so resist a crack?", "Tablets slide."],
    ["What makes nacre tough, given that its tablets slide over each other?", "Because the tablets of nacre slide."],
    ["Does nacre resist cracks by sliding tablets?", "Yes, nacre resists cracks by sliding tablets."],
    ["What is the stiffness class of the firm material Veltrin?", veltrin],
  ])("is an answer that can be read off the question: %s", (question, answer) => {
    expect(questionProblems(question, { answer })).toEqual([
      { kind: "leaks-answer", text: expect.stringMatching(/content words stand in it$/) },
    ]);
  });

  test.each([
    ["What is the stiffness class of Veltrin?", veltrin],
    [
      "What is the hardness class of the alloy Veltrin at a high temperature in air?",
      "The hardness class of the alloy Veltrin at a high temperature in air is firm.",
    ],
    ["Why is nacre tougher than aragonite?", "Nacre is tougher than aragonite because its tablets slide."],
    ["Which of Veltrin and Morkax has the firm stiffness class?", veltrin],
    ["Is nacre or aragonite the tougher material?", "Nacre is the tougher material."],
    ["What is known about wood?", "Yes."],
  ])("is not an answer that adds a word, or a choice that is named on purpose: %s", (question, answer) => {
    expect(questionProblems(question, { answer })).toEqual([]);
  });

  test("is excused by two candidates that the question names, not by one", () => {
    const question = "Between Veltrin and Morkax, what has the firm stiffness class?";
    expect(kinds(question, { answer: veltrin })).toEqual(["leaks-answer"]);
    expect(kinds(question, { answer: veltrin, candidates: ["Veltrin", "Morkax"] })).toEqual([]);
    expect(kinds(question, { answer: veltrin, candidates: ["Veltrin", "Ostrel"] })).toEqual(["leaks-answer"]);
  });
});

describe("a chosen reply", () => {
  const good = {
    thinking: "**Reasoning Steps**\n- Tablets slide.\n- So damage spreads.",
    answer: "Its tablets slide, so no crack grows.",
  };
  const problems = (change: object) =>
    replyProblems({ ...good, ...change }).map(({ kind, text }) => `${kind}: ${text}`);

  test("may have thinking, reflection and answer", () => {
    expect(replyProblems({ ...good, reflection: "It stands." })).toEqual([]);
  });

  test.each([
    [{ thinking: " " }, "empty-thinking: the thinking is empty"],
    [{ reflection: "—" }, "empty-reflection: the reflection is empty"],
    [{ answer: "" }, "empty-answer: the answer is empty"],
    [{ answer: "The context says that tablets slide." }, 'quotes-source: the answer points at a source: "The context"'],
    [
      { thinking: "The passage states that tablets slide." },
      'quotes-source: the thinking points at a source: "The passage"',
    ],
    [{ thinking: "So. <|/thinking|>" }, "marker: <|/thinking|> stands within the thinking"],
    [{ answer: "<think>Hm.</think> It slides." }, "marker: <think> stands within the answer"],
    [{ answer: "I'm sorry, but I can't help with that." }, "refusal: the answer is a refusal"],
    [{ answer: `It is ${"tough and ".repeat(8)}stiff.` }, 'repetition: the answer repeats "tough and"'],
  ])("may not be %j", (change, problem) => expect(problems(change)).toEqual([problem]));
});

describe("repetition", () => {
  test("is words in a circle, four times and at least twelve words", () => {
    expect(repeatedWords("a b c ".repeat(4))).toBe("a b c");
    expect(repeatedWords("a b c ".repeat(3))).toBeUndefined();
    expect(repeatedWords("very ".repeat(11))).toBeUndefined();
    expect(repeatedWords("very ".repeat(12))).toBe("very");
    expect(repeatedWords(`It begins well. ${"And then it goes on.\n".repeat(4)}`)).toBe("and then it goes on.");
  });

  test("is not a list whose lines begin alike", () => {
    const list = ["firm", "soft", "stiff", "loose", "dense"].map((c, i) => `- The class of material ${i} is ${c}.`);
    expect(repeatedWords(list.join("\n"))).toBeUndefined();
  });
});
