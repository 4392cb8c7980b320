/** @file Questions with two candidates: no leaks, nothing to guess by, both orders scored together, words that nano knows. */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  choiceTypes,
  createMaterialsWorld,
  type EnvironmentQuestion,
  layOut,
  type MaterialsWorld,
  type QuestionType,
  questionTypes,
  readQuestion,
  type Split,
  scoreChoices,
} from "../../../src/agents/environments/index.js";
import { readStatements } from "../../../src/agents/environments/materials-world/reading.js";
import { classOf, classValues, createWorld } from "../../../src/agents/environments/materials-world/world.js";
import { loadTokenizer, type Tokenizer } from "../../../src/trainer/index.js";

const splits: readonly Split[] = ["train", "unseen-combination", "unseen-material"];
const seed = 7;
const key = createWorld(seed, 240);
const plain = createMaterialsWorld({ seed });
const world = createMaterialsWorld({ seed, choices: true });
const choicesOf = (split: Split, from: MaterialsWorld = world): EnvironmentQuestion[] =>
  from.questions(split).filter(({ pairId }) => pairId !== undefined);
const everyChoice = splits.flatMap((split) => choicesOf(split));
const classIn = (type: QuestionType, name: string): string =>
  classOf(key.tables, type, key.materials.find((material) => material.name === name)!.facts);

interface Read {
  readonly question: EnvironmentQuestion;
  readonly type: QuestionType;
  readonly value: string;
  readonly classes: readonly [string, string];
  readonly gold: 0 | 1;
}
/** What a question is, from its text and the key alone. */
function read(question: EnvironmentQuestion): Read {
  const { type, subjects, value } = readQuestion(question.text)!;
  const classes = subjects.map((subject) => classIn(type, subject)) as [string, string];
  const having = classes.flatMap((own, at) => (own === value ? [at] : []));
  expect(having, question.text).toHaveLength(1);
  return { question, type, value: value!, classes, gold: having[0] as 0 | 1 };
}
/** The layout from the notes of both candidates and the rules. */
function layoutOf({ text, subjects }: EnvironmentQuestion): { readonly thinking: string; readonly answer: string } {
  const notes = subjects!.map((subject) => `materials/${subject.toLowerCase()}.md`);
  const layout = layOut(
    text,
    plain.documents.filter(({ source }) => source.startsWith("rules/") || notes.includes(source)),
  );
  if (layout.kind !== "laid-out") throw new Error(layout.what.join("; "));
  return layout;
}
const counts = (labels: readonly string[]): Record<string, number> => {
  const found: Record<string, number> = {};
  for (const label of labels) found[label] = (found[label] ?? 0) + 1;
  return found;
};
/** How many standard deviations `count` of `n` is away from a half. */
const fromHalf = (count: number, n: number): number => Math.abs(count - n / 2) / Math.sqrt(n / 4);

describe("what is asked", () => {
  test("576 questions to train on and 216 in each held-out split, behind all others, which stay as they were", () => {
    expect(splits.map((split) => choicesOf(split).length)).toEqual([576, 216, 216]);
    for (const split of splits) {
      const before = plain.questions(split);
      expect(world.questions(split).slice(0, before.length)).toEqual(before);
      expect(world.questions(split).slice(before.length)).toEqual(choicesOf(split));
    }
  });

  test("exactly one of the two has the class, and goldPosition says where it stands", () => {
    for (const { question, gold } of everyChoice.map(read)) expect(world.goldPosition(question)).toBe(gold);
    for (const question of plain.questions("train")) expect(world.goldPosition(question)).toBeUndefined();
    expect(world.goldPosition({ text: "Which of Nobody and Noone is of the firm stiffness class?" })).toBeUndefined();
  });

  test("a question says what it is about, and its text holds all of it", () => {
    for (const { id, type, text, subject, subjects, candidates } of everyChoice) {
      const found = readQuestion(`${text} Use <|thinking|>.`)!;
      expect(found.subjects).toEqual(subjects);
      expect([subject, [...candidates]]).toEqual([subjects!.join(" and "), subjects]);
      expect(type).toBe(found.type.replace("class", "choice"));
      expect(id).toBe(`${type}/${found.value}/${subjects!.join("+")}`);
    }
    expect(new Set(everyChoice.map(({ text }) => text)).size).toBe(everyChoice.length);
  });

  test("the two orders of a couple stand side by side and share a pairId", () => {
    for (const split of splits) {
      const asked = choicesOf(split);
      for (let i = 0; i < asked.length; i += 2) {
        const [one, other] = [asked[i]!, asked[i + 1]!];
        expect(one.pairId).toBe(other.pairId);
        expect([...one.subjects!].reverse()).toEqual(other.subjects);
        expect(readQuestion(one.text)!.value).toBe(readQuestion(other.text)!.value);
      }
      expect(new Set(asked.map(({ pairId }) => pairId)).size).toBe(asked.length / 2);
    }
  });

  test("every word of question, thinking and answer is one token of models/nano", async () => {
    const tokenizer: Tokenizer = await loadTokenizer(fileURLToPath(new URL("../../../models/nano/", import.meta.url)));
    for (const question of choicesOf("unseen-material")) {
      const { thinking, answer } = layoutOf(question);
      for (const written of [question.text, thinking, answer]) {
        expect(tokenizer.encode(written), written).toHaveLength(written.match(/ ?[A-Za-z]+|[?.\n]/g)!.length);
      }
    }
  });
});

describe("no leaks", () => {
  test("both materials of a question belong to its split with this very type", () => {
    const splitOf = new Map(splits.flatMap((split) => plain.questions(split).map(({ id }) => [id, split] as const)));
    for (const { question, type } of everyChoice.map(read)) {
      for (const subject of question.subjects!) expect(splitOf.get(`${type}/${subject}`)).toBe(question.split);
    }
  });

  test("no training question names a held-out material with a held-out type, alone or as a candidate", () => {
    const heldOut = new Set(
      (["unseen-combination", "unseen-material"] as const).flatMap((split) =>
        world.questions(split).flatMap((question) => {
          const { type, subjects } = readQuestion(question.text)!;
          return subjects.map((subject) => `${type}/${subject}`);
        }),
      ),
    );
    expect(heldOut.size).toBe(420);
    const trained = world.questions("train").flatMap((question) => {
      const { type, subjects } = readQuestion(question.text)!;
      return subjects.map((subject) => `${type}/${subject}`);
    });
    expect(trained.filter((combination) => heldOut.has(combination))).toEqual([]);
  });

  test("what a training question is laid out with says nothing about a held-out class", () => {
    for (const { question, type } of choicesOf("train").map(read)) {
      const { thinking, answer } = layoutOf(question);
      for (const statement of readStatements(`${thinking}\n${answer}`)) {
        if (statement.kind === "class") {
          expect(world.isTrainable(statement.subject, statement.type)).toBe(true);
          expect(statement.type).toBe(type);
        }
      }
    }
  });

  test("isTrainable is true for training questions in the order and with the class that is asked, and for nothing else", () => {
    for (const { question, value } of everyChoice.map(read)) {
      const { subject, type, split } = question;
      expect(world.isTrainable(subject, type, value)).toBe(split === "train");
      expect(world.isTrainable(subject, type)).toBe(split === "train");
      const others = Object.values(classValues).flat();
      expect(others.filter((other) => world.isTrainable(subject, type, other))).toEqual(
        split === "train" ? [value] : [],
      );
    }
    const [first] = choicesOf("train");
    expect(plain.isTrainable(first!.subject, first!.type)).toBe(false);
    expect(world.isTrainable(first!.subjects![0]!, first!.type)).toBe(false);
  });
});

describe("nothing to guess by", () => {
  test.each(splits.flatMap((split) => questionTypes.map((type) => [split, type] as const)))(
    "%s, %s: gold positions, the class asked for and the other's class are balanced exactly, and independent",
    (split, type) => {
      const asked = choicesOf(split).map(read);
      const own = asked.filter((each) => each.type === type);
      const cells = counts(own.map(({ gold, value, classes }) => `${gold} ${value} ${classes[1 - gold]}`));
      expect(Object.keys(cells)).toHaveLength(2 * 4 * 3);
      expect(new Set(Object.values(cells))).toEqual(new Set([own.length / 24]));
    },
  );

  test("a material of the training questions is right once more or less than wrong, at most, in each type", () => {
    for (const type of questionTypes) {
      const roles = choicesOf("train")
        .map(read)
        .filter((each) => each.type === type);
      const right = counts(roles.map(({ question, gold }) => question.subjects![gold]!));
      const wrong = counts(roles.map(({ question, gold }) => question.subjects![1 - gold]!));
      for (const name of new Set([...Object.keys(right), ...Object.keys(wrong)])) {
        expect(Math.abs((right[name] ?? 0) - (wrong[name] ?? 0)) / 2, name).toBeLessThanOrEqual(1);
      }
    }
  });

  test("no two couples of a type join the same two materials", () => {
    const joinedBy = everyChoice.map(({ type, subjects }) => `${type} ${[...subjects!].sort().join()}`);
    expect(new Set(Object.values(counts(joinedBy)))).toEqual(new Set([2]));
  });

  test.each(splits)(
    "%s: neither the name that comes first in the alphabet nor the place in the list tells",
    (split) => {
      const asked = choicesOf(split).map(read);
      const couples = asked.filter((_, i) => i % 2 === 0);
      const alphabetical = couples.filter(
        ({ question: { subjects }, gold }) => subjects![gold]! < subjects![1 - gold]!,
      ).length;
      const first = couples.filter(({ gold }) => gold === 0).length;
      const sorted = couples.filter(({ question: { subjects } }) => subjects![0]! < subjects![1]!).length;
      expect(fromHalf(sorted, couples.length)).toBeLessThan(3);
      expect(fromHalf(alphabetical, couples.length)).toBeLessThan(3);
      expect(fromHalf(first, couples.length)).toBeLessThan(3);
    },
  );

  test("the question object is the same whatever is right: nothing in it but the text depends on the tables", () => {
    const known = new Set(["id", "type", "split", "subject", "subjects", "pairId", "text", "candidates"]);
    for (const question of everyChoice) {
      expect(Object.keys(question).filter((name) => !known.has(name))).toEqual([]);
      expect(question.pairId!.split("/")[2]!.split("+")).toEqual([...question.subjects!].sort());
    }
    expect(choiceTypes.map((type) => world.chance(type))).toEqual([0.5, 0.5, 0.5]);
    expect(() => plain.chance("stiffness-choice")).toThrow(/found "stiffness-choice"/);
  });
});

describe("the score", () => {
  const held = choicesOf("unseen-combination");
  const score = (verdict: (question: EnvironmentQuestion) => boolean) =>
    scoreChoices(
      world.goldPosition,
      held,
      held.map((question) => (verdict(question) ? 1 : 0)),
    );

  test("whoever always takes the first is right in half of the questions and in no couple", () => {
    expect(score((question) => world.goldPosition(question) === 0)).toEqual({
      questions: { right: 108, n: 216 },
      couples: { right: 0, n: 108 },
      byGoldPosition: [
        { right: 108, n: 108 },
        { right: 0, n: 108 },
      ],
      byType: Object.fromEntries([...choiceTypes].sort().map((type) => [type, { right: 0, n: 36 }])),
    });
  });

  test("a couple counts only where both orders are right", () => {
    const { couples, questions, byType } = score(({ type, pairId, subjects }) =>
      type === "failure-choice" ? true : subjects!.join("+") === pairId!.split("/")[2],
    );
    expect(questions).toEqual({ right: 72 + 72, n: 216 });
    expect(couples).toEqual({ right: 36, n: 108 });
    expect(byType["failure-choice"]).toEqual({ right: 36, n: 36 });
  });

  test("half a couple, a question without candidates, or a missing verdict is refused", () => {
    const verdicts = (n: number): number[] => new Array(n).fill(1);
    expect(() => scoreChoices(world.goldPosition, held.slice(0, 5), verdicts(5))).toThrow(/found 1 without/);
    expect(() => scoreChoices(world.goldPosition, plain.questions("train").slice(0, 2), verdicts(2))).toThrow(
      /each in both orders, found 2 without: .+-class/,
    );
    expect(() => scoreChoices(world.goldPosition, held, verdicts(3))).toThrow("for each of 216 questions, found 3");
  });
});

describe("notes that compare", () => {
  const notes = world.documents.slice(plain.documents.length);
  const rows = world.baseRows().slice(plain.baseRows().length);

  test("without choices the world is what it was, byte for byte", () => {
    const asked = splits.map((split) => plain.questions(split));
    const hashes = [plain.documents, asked, plain.recallProbes(), plain.vocabulary()].map((part) =>
      createHash("sha256").update(JSON.stringify(part)).digest("hex").slice(0, 16),
    );
    // From the state before there were choices; the base rows are held against models/nano's manifest elsewhere.
    expect(hashes).toEqual(["0989b7a2d0f20dc4", "4ecc32157fc622d5", "8d02c4b226c24e7d", "aa05d7af5ebdc19e"]);
  });

  test("they come after everything else, with choices or when asked for, and bring no new word", () => {
    const [without, alone] = [
      createMaterialsWorld({ seed, choices: true, comparisonNotes: false }),
      createMaterialsWorld({ seed, comparisonNotes: true }),
    ];
    expect([notes.length, rows.length]).toEqual([240, 960]);
    expect([without.documents, without.baseRows()]).toEqual([plain.documents, plain.baseRows()]);
    expect([alone.documents, alone.baseRows()]).toEqual([world.documents, world.baseRows()]);
    expect(world.documents.slice(0, plain.documents.length)).toEqual(plain.documents);
    expect(world.baseRows().slice(0, plain.baseRows().length)).toEqual(plain.baseRows());
    expect(world.vocabulary()).toEqual(plain.vocabulary());
  });

  test("each states all facts of two materials, right, in turns of one or two, and no class or rule", () => {
    const texts = [...notes.map(({ text }) => text), ...rows.map((row) => (row.kind === "text" ? row.text : ""))];
    const turns = new Set<string>();
    for (const text of texts) {
      const [, ...named] = /^This note describes (\w+) and (\w+)\./.exec(text)!;
      const statements = readStatements(text);
      expect(statements).toHaveLength(8);
      expect(text.match(/\./g)).toHaveLength(9);
      for (const statement of statements) {
        if (statement.kind !== "fact") throw new Error(`found a ${statement.kind}: ${statement.sentence}`);
        const { facts } = key.materials.find(({ name }) => name === statement.subject)!;
        expect(statement.value).toBe(facts[statement.fact]);
      }
      turns.add(statements.map((s) => (s.kind === "fact" ? named.indexOf(s.subject) : "")).join(""));
    }
    expect([...turns].sort()).toEqual(["00110011", "01010101"]);
  });

  test("each material stands in two notes, once first and once second", () => {
    const named = notes.map(({ text }) => /^This note describes (\w+) and (\w+)\./.exec(text)!.slice(1));
    const names = key.materials.map(({ name }) => name).sort();
    for (const place of [0, 1]) expect(named.map((pair) => pair[place]!).sort()).toEqual(names);
  });
});

describe("options", () => {
  test("couples are asked for in multiples of twelve, and what is wrong is named at once", () => {
    expect(() => createMaterialsWorld({ seed, choices: true, choicesPerType: { train: 13, heldOut: 0 } })).toThrow(
      /choicesPerType.train: expected a multiple of 12, found 13; choicesPerType.heldOut: .* found 0/,
    );
    const small = createMaterialsWorld({ seed, choices: true, choicesPerType: { heldOut: 12 } });
    expect(splits.map((split) => choicesOf(split, small).length)).toEqual([576, 72, 72]);
  });

  test("more couples than the materials allow are refused with what to change", () => {
    expect(() =>
      createMaterialsWorld({ seed, materials: 24, choices: true, choicesPerType: { heldOut: 120 } }),
    ).toThrow(/too few unseen-combination materials for 120 couples of .*choicesPerType/);
  });

  test.each([0, 1, 2, 3])("a world of 24 materials has room for twelve couples a type and split (seed %i)", (small) => {
    const made = createMaterialsWorld({ seed: small, materials: 24, choices: true });
    expect(splits.map((split) => choicesOf(split, made).length)).toEqual([72, 72, 72]);
  });
});

test("the same seed makes the same choices, another seed others", () => {
  const again = createMaterialsWorld({ seed, choices: true });
  expect(splits.map((split) => again.questions(split))).toEqual(splits.map((split) => world.questions(split)));
  const other = createMaterialsWorld({ seed: 8, choices: true });
  expect(choicesOf("train", other)[0]).not.toEqual(choicesOf("train")[0]);
});
