/** @file The materials world: no shortcuts, no leaks, balanced splits, one world a seed. */
import { describe, expect, test } from "vitest";
import { type BaseRow, createMaterialsWorld, layOut, type Split } from "../../../src/agents/environments/index.js";
import {
  factKinds,
  type QuestionType,
  questionTypes,
} from "../../../src/agents/environments/materials-world/language.js";
import { editDistance, minNameDistance } from "../../../src/agents/environments/materials-world/names.js";
import { readStatements } from "../../../src/agents/environments/materials-world/reading.js";
import {
  classOf,
  classValues,
  createWorld,
  decidingFacts,
  type Facts,
  factValues,
} from "../../../src/agents/environments/materials-world/world.js";

const splits: readonly Split[] = ["train", "unseen-combination", "unseen-material"];
const seed = 7;
const key = createWorld(seed, 240);
const world = createMaterialsWorld({ seed });
const answerOf = (subject: string, type: string): string =>
  classOf(key.tables, type as QuestionType, key.materials.find(({ name }) => name === subject)!.facts);
const textsOf = (row: BaseRow): string[] => (row.kind === "text" ? [row.text] : [row.user, row.assistant]);
const allClasses = Object.values(classValues).flat();
const handbook = key.handbook.map(({ name }) => name);
const names = key.materials.map(({ name }) => name);
const wordsIn = (text: string, words: readonly string[]): string[] => {
  const found = new Set(text.toLowerCase().match(/[a-z]+/g));
  return words.filter((word) => found.has(word.toLowerCase()));
};
const sourcesOf = (subject: string) =>
  world.documents.filter(({ source }) => source.startsWith("rules/") || source.includes(`/${subject.toLowerCase()}.`));
const count = <T>(items: readonly T[]): number[] => {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return [...counts.values()];
};
const allFacts = factKinds.reduce<Partial<Facts>[]>(
  (all, kind) => all.flatMap((facts) => factValues[kind].map((value) => ({ ...facts, [kind]: value }))),
  [{}],
) as Facts[];

describe("tables", () => {
  test.each(questionTypes)("%s: each value of either fact alone leaves every class equally likely", (type) => {
    for (const kind of decidingFacts[type]) {
      for (const value of factValues[kind]) {
        const cells = allFacts.filter((facts) => facts[kind] === value);
        expect(count(cells.map((facts) => classOf(key.tables, type, facts)))).toEqual([16, 16, 16, 16]);
      }
    }
  });

  test.each(questionTypes)("%s: the other two classes of a material say nothing about it", (type) => {
    const others = questionTypes.filter((other) => other !== type);
    const joint = allFacts.map((facts) => [...others, type].map((each) => classOf(key.tables, each, facts)).join());
    expect(count(joint)).toEqual(new Array(4 * 4 * 4).fill(4));
  });

  test("each word stands in one list only, so that a word tells what it is", () => {
    const words = [...Object.values(factValues).flat(), ...allClasses];
    expect(new Set(words).size).toBe(words.length);
  });

  test("other seeds make other tables and other facts", () => {
    const other = createWorld(8, 240);
    expect(other.tables).not.toEqual(key.tables);
    expect(other.materials.map(({ facts }) => facts)).not.toEqual(key.materials.map(({ facts }) => facts));
  });
});

describe("materials", () => {
  test("any two names are three letters apart, at least, and none is a word of the world", () => {
    const near = names.flatMap((a, i) => names.slice(i + 1).filter((b) => editDistance(a, b) < minNameDistance));
    expect(near).toEqual([]);
    expect(editDistance("Veltrin", "Veldrin")).toBe(1);
    expect(editDistance("kitten", "sitting")).toBe(3);
    const others = world.vocabulary().slice(names.length);
    expect(wordsIn(others.join(" "), names)).toEqual([]);
  });

  test("each value of a fact occurs equally often, up to 2 of 60, and no two materials share all four", () => {
    for (const kind of factKinds) {
      for (const n of count(key.materials.map(({ facts }) => facts[kind]))) expect(Math.abs(n - 60)).toBeLessThan(3);
    }
    expect(new Set(key.materials.map(({ facts }) => Object.values(facts).join())).size).toBe(240);
  });

  test("the documents state each fact of each material once, and each rule once, as the key has them", () => {
    const statements = world.documents.flatMap(({ text }) => readStatements(text));
    const facts = statements.filter((s) => s.kind === "fact");
    const rules = statements.filter((s) => s.kind === "rule");
    expect(facts).toHaveLength(4 * 240);
    expect(new Set(facts.map((s) => `${s.subject} ${s.fact}`)).size).toBe(4 * 240);
    const byName = new Map(key.materials.map((material) => [material.name, material.facts]));
    for (const s of facts) expect(s.value).toBe(byName.get(s.subject)![s.fact]);
    expect(new Set(rules.map(({ sentence }) => sentence)).size).toBe(3 * 16);
    expect(rules).toHaveLength(3 * 16);
  });
});

describe("splits", () => {
  test("each material and type is asked once, in one split, and the sizes are 300, 210 and 210", () => {
    const ids = splits.flatMap((split) => world.questions(split).map(({ id }) => id));
    expect(new Set(ids).size).toBe(3 * 240);
    expect(splits.map((split) => world.questions(split).length)).toEqual([300, 210, 210]);
    for (const split of splits) expect(world.questions(split).every((question) => question.split === split)).toBe(true);
  });

  test("an unseen material has no training question; an unseen combination has one of another type", () => {
    const trained = new Set(world.questions("train").map(({ subject }) => subject));
    expect(world.questions("unseen-material").filter(({ subject }) => trained.has(subject))).toEqual([]);
    expect(world.questions("unseen-combination").filter(({ subject }) => !trained.has(subject))).toEqual([]);
  });

  test("isTrainable is true for training questions and for nothing else", () => {
    for (const split of splits) {
      for (const { subject, type } of world.questions(split)) {
        expect(world.isTrainable(subject, type)).toBe(split === "train");
      }
    }
    expect(world.isTrainable("Nobody", "stiffness-class")).toBe(false);
    expect(world.isTrainable(world.questions("train")[0]!.subject, "colour")).toBe(false);
  });

  test.each(splits.flatMap((split) => questionTypes.map((type) => [split, type] as const)))(
    "%s, %s: the four answers are equally frequent, up to 2",
    (split, type) => {
      const asked = world.questions(split).filter((question) => question.type === type);
      const counts = count(asked.map(({ subject }) => answerOf(subject, type)));
      expect(asked.length).toBeGreaterThanOrEqual(70);
      expect(counts).toHaveLength(4);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
      expect(world.chance(type)).toBe(0.25);
    },
  );

  test.each(questionTypes)("%s: every rule that a held-out question needs occurs in training", (type) => {
    const cell = (subject: string): string => {
      const facts = key.materials.find(({ name }) => name === subject)!.facts;
      return decidingFacts[type].map((kind) => facts[kind]).join();
    };
    const cells = (split: Split): string[] =>
      world.questions(split).flatMap((question) => (question.type === type ? [cell(question.subject)] : []));
    expect(new Set(cells("train")).size).toBe(16);
  });
});

describe("nothing held out leaks", () => {
  test("no document and no base row holds a material's name together with a class", () => {
    const texts = [
      ...world.documents.map(({ text }) => text),
      ...world.baseRows().map((row) => textsOf(row).join(" ")),
    ];
    const both = texts.filter((text) => wordsIn(text, names).length > 0 && wordsIn(text, allClasses).length > 0);
    expect(both).toEqual([]);
  });

  test("no base row asks a two-fact question, thinks, or lays two facts and their rule out", () => {
    const texts = world.baseRows().flatMap(textsOf);
    const asked = splits.flatMap((split) => world.questions(split).map(({ text }) => text));
    const known = new Set(asked);
    expect(texts.filter((text) => known.has(text) || text.includes("<|"))).toEqual([]);
    for (const text of texts) {
      const statements = readStatements(text);
      expect(new Set(statements.map(({ kind }) => kind)).size).toBeLessThanOrEqual(1);
      // Classes are stated outright of handbook materials only, of which nothing else is said.
      const named = statements.flatMap((statement) => (statement.kind === "class" ? [statement.subject] : []));
      expect(named.filter((subject) => !handbook.includes(subject))).toEqual([]);
    }
  });

  test("a handbook material has a class of one type, no facts and no question", () => {
    const texts = world.documents.map(({ text }) => text);
    expect(handbook).toHaveLength(48);
    for (const name of handbook) {
      const rows = world.baseRows().filter((row) => textsOf(row).some((text) => text.includes(name)));
      expect(rows.map((row) => row.kind)).toEqual(["text", "chat"]);
      expect(texts.some((text) => text.includes(name))).toBe(false);
    }
    expect(
      splits.flatMap((split) => world.questions(split)).filter(({ subject }) => handbook.includes(subject)),
    ).toEqual([]);
  });

  test("a training layout names its own subject and classes of its own type only", () => {
    for (const { text, subject, candidates } of world.questions("train")) {
      const layout = layOut(text, sourcesOf(subject));
      const whole = layout.kind === "laid-out" ? `${text} ${layout.thinking} ${layout.answer}` : "";
      expect(wordsIn(whole, names)).toEqual([subject]);
      expect(wordsIn(whole, allClasses).every((word) => candidates.includes(word))).toBe(true);
    }
  });
});

describe("base rows", () => {
  test("every sentence that a layout thinks in occurs in them, as text", () => {
    const texts = world.baseRows().flatMap((row) => (row.kind === "text" ? [row.text] : []));
    const sentences = new Set(texts.flatMap((text) => text.split(/(?<=\.)\s/)));
    for (const { text, subject } of world.questions("unseen-material")) {
      const layout = layOut(text, sourcesOf(subject));
      const thinking = layout.kind === "laid-out" ? layout.thinking.split("\n") : [];
      expect(thinking).toHaveLength(3);
      expect(thinking.filter((sentence) => !sentences.has(sentence))).toEqual([]);
    }
  });

  test("a row's subject is the only material it names; a row without subject names none", () => {
    for (const row of world.baseRows()) {
      expect(wordsIn(textsOf(row).join(" "), [...names, ...handbook])).toEqual(
        row.subject === undefined ? [] : [row.subject],
      );
    }
  });

  test("the recall probes are all one-hop questions of the rows: 960 facts and 48 rules", () => {
    const rows = new Map(world.baseRows().flatMap((row) => (row.kind === "chat" ? [[row.user, row.assistant]] : [])));
    const probes = world.recallProbes();
    expect(probes).toHaveLength(960 + 48);
    expect(probes.filter(({ question, answer }) => rows.get(question) !== answer)).toEqual([]);
    for (const { question, answer } of probes) expect(readStatements(answer), question).toHaveLength(1);
  });

  test("the vocabulary holds every word of documents, rows, questions and layouts, each once", () => {
    const vocabulary = world.vocabulary();
    const known = new Set(vocabulary);
    const layouts = world.questions("train").flatMap(({ text, subject }) => {
      const layout = layOut(text, sourcesOf(subject));
      return layout.kind === "laid-out" ? [text, layout.thinking, layout.answer] : [];
    });
    const texts = [...world.documents.map(({ text }) => text), ...world.baseRows().flatMap(textsOf), ...layouts];
    expect(texts.flatMap((text) => text.match(/[A-Za-z]+/g)!).filter((word) => !known.has(word))).toEqual([]);
    expect(known.size).toBe(vocabulary.length);
    expect(vocabulary.slice(0, 240)).toEqual(names);
  });
});

describe("one world a seed", () => {
  const all = (options: { seed: number; materials?: number }): string => {
    const made = createMaterialsWorld(options);
    const asked = splits.map((split) => made.questions(split));
    return JSON.stringify([made.documents, asked, made.baseRows(), made.recallProbes(), made.vocabulary()]);
  };

  test("the same seed makes the same world, another seed another", () => {
    expect(all({ seed: 3, materials: 48 })).toBe(all({ seed: 3, materials: 48 }));
    expect(all({ seed: 3, materials: 48 })).not.toBe(all({ seed: 4, materials: 48 }));
  });

  test.each([24, 48, 256, 300])(
    "a world of %i materials keeps every split and one trained type a seen material",
    (n) => {
      const made = createMaterialsWorld({ seed: 5, materials: n });
      const heldOut = 3 * Math.ceil((7 * n) / 24);
      expect(splits.map((split) => made.questions(split).length)).toEqual([3 * n - 2 * heldOut, heldOut, heldOut]);
      const trained = new Set(made.questions("train").map(({ subject }) => subject));
      expect(trained.size).toBe(n - heldOut / 3);
    },
  );

  test("options that make no world are all named at once", () => {
    expect(() => createMaterialsWorld({ seed: 1.5, materials: 3 })).toThrow(/seed: .*1\.5; materials: .*24.*found 3/);
    expect(() => world.chance("colour")).toThrow(/expected one of mechanism-class/);
  });
});
