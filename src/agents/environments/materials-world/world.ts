/** @file The facts and the tables of one materials world: the key that only documents, questions and the checker may see. */
import { createRng, type Rng } from "../../rng.js";
import { pickBalanced } from "./balance.js";
import { type FactKind, type FactPair, factKinds, type QuestionType, questionTypes } from "./language.js";
import { inventNames } from "./names.js";

/** Words begin with a consonant (one form of article) and no word stands in two lists. */
export const factValues: Record<FactKind, readonly string[]> = {
  block: ["collagen", "chitin", "keratin", "cellulose"],
  interface: ["mineral", "protein", "water", "lipid"],
  architecture: ["layered", "fibrous", "tubular", "helical"],
  surroundings: ["dry", "humid", "marine", "frozen"],
};

export const classValues: Record<QuestionType, readonly string[]> = {
  "mechanism-class": ["sliding", "bridging", "locking", "unfolding"],
  "stiffness-class": ["soft", "pliant", "firm", "rigid"],
  "failure-class": ["splitting", "peeling", "crushing", "tearing"],
};

/**
 * The two facts that decide a class, in the order of use. They form a path (surroundings, block, interface,
 * architecture): no class follows from the other two classes.
 */
export const decidingFacts: Record<QuestionType, FactPair> = {
  "mechanism-class": ["block", "interface"],
  "stiffness-class": ["block", "surroundings"],
  "failure-class": ["architecture", "interface"],
};

export type Facts = Readonly<Record<FactKind, string>>;
export interface Material {
  readonly name: string;
  readonly facts: Facts;
}

/** `table[i][j]` is the class that the i-th value of the first fact and the j-th value of the second give. */
export type Table = readonly (readonly string[])[];

/** A material of which documents state one class outright, and nothing else. No question is asked about it. */
export interface HandbookEntry {
  readonly name: string;
  readonly type: QuestionType;
  readonly value: string;
}

export interface World {
  readonly seed: number;
  readonly materials: readonly Material[];
  readonly handbook: readonly HandbookEntry[];
  readonly tables: Readonly<Record<QuestionType, Table>>;
}

const entriesPerClass = 4;

export function createWorld(seed: number, count: number): World {
  const rng = createRng(seed, "materials-world");
  const tables = Object.fromEntries(
    questionTypes.map((type) => [type, latinSquare(classValues[type], rng.fork("table", type))]),
  ) as Record<QuestionType, Table>;
  const facts = drawFacts(count, tables, rng.fork("facts"));
  const slots = questionTypes.flatMap((type) =>
    Array.from({ length: entriesPerClass }, () => classValues[type].map((value) => ({ type, value }))).flat(),
  );
  const names = inventNames(count + slots.length, rng.fork("names"));
  const materials = facts.map((known, i) => ({ name: names[i]!, facts: known }));
  return { seed, tables, materials, handbook: slots.map((slot, i) => ({ ...slot, name: names[count + i]! })) };
}

export const lookUp = (
  tables: World["tables"],
  type: QuestionType,
  first: string,
  second: string,
): string | undefined => {
  const [a, b] = decidingFacts[type];
  return tables[type][factValues[a].indexOf(first)]?.[factValues[b].indexOf(second)];
};

export function classOf(tables: World["tables"], type: QuestionType, facts: Facts): string {
  const [a, b] = decidingFacts[type];
  return lookUp(tables, type, facts[a], facts[b])!;
}

/** Each row and each column holds every symbol once: neither fact alone says anything about the class. */
function latinSquare(symbols: readonly string[], rng: Rng): Table {
  const order = symbols.map((_, i) => i);
  const [rows, columns, shuffled] = [rng.shuffle(order), rng.shuffle(order), rng.shuffle(symbols)];
  return rows.map((r) => columns.map((c) => shuffled[(r + c) % symbols.length]!));
}

/** Every combination of facts equally often, as far as the count allows; what is left over is drawn balanced. */
function drawFacts(count: number, tables: World["tables"], rng: Rng): Facts[] {
  let all: Facts[] = [{} as Facts];
  for (const kind of factKinds) {
    all = all.flatMap((facts) => factValues[kind].map((value) => ({ ...facts, [kind]: value })));
  }
  const keys = (facts: Facts): string[] => [
    ...Object.values(facts),
    ...questionTypes.map((t) => classOf(tables, t, facts)),
  ];
  const whole = Array.from({ length: Math.floor(count / all.length) }, () => all).flat();
  return rng.shuffle([...whole, ...pickBalanced(all, count % all.length, keys, rng)]);
}
