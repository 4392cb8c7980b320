/** @file Marks a reply: the answer by the candidates it names, the thinking by the statements it makes. */
import type { EnvironmentQuestion, Verdict } from "../environment.js";
import { joined, type QuestionType } from "./language.js";
import { readQuestion, readStatements, type Statement, sameWord, type WorldQuestion } from "./reading.js";
import { splitReply } from "./reply.js";
import { classOf, classValues, decidingFacts, lookUp, type Material, type World } from "./world.js";

/** A question with the materials that it is about. */
interface Asked extends WorldQuestion {
  readonly materials: readonly Material[];
}

/**
 * Blind to format: only words count. An answer that speaks of other materials and not of the subject is not right, and
 * one of two candidates must be named alone, with no other class than the one that was asked for.
 */
export function createChecker(world: World): (question: EnvironmentQuestion, reply: string) => Verdict {
  const byName = new Map(world.materials.map((material) => [material.name.toLowerCase(), material]));
  return (question, reply) => {
    const asked = resolve(question, byName);
    const { thinking, reflection, answer } = splitReply(reply);
    const named = answer === undefined ? [] : namedCandidates(answer, question.candidates);
    const markable = named.length === 1;
    return {
      right: markable && isRight(named[0]!, answer!, asked, world, byName),
      markable,
      thinkingRight: thinking === undefined ? undefined : isRightThinking(thinking, asked, world.tables),
      ...(reflection !== undefined && {
        reflectionRight: isRightReflection(reflection, thinking, asked, world.tables),
      }),
    };
  };
}

function resolve(question: EnvironmentQuestion, byName: ReadonlyMap<string, Material>): Asked {
  const asked = readQuestion(question.text);
  const materials = asked?.subjects.flatMap((subject) => byName.get(subject.toLowerCase()) ?? []) ?? [];
  const whole = asked !== undefined && materials.length === asked.subjects.length;
  if (!whole || !sameWord(question.subject, joined(asked.subjects))) {
    throw new Error(`question ${question.id}: expected a question of this world, found "${question.text}"`);
  }
  return { ...asked, materials };
}

/** Different candidates in the text. One that is denied ("not firm") makes the list useless, so all are returned. */
function namedCandidates(answer: string, candidates: readonly string[]): readonly string[] {
  const has = (before: string, candidate: string): boolean =>
    new RegExp(`${before}\\b${candidate}\\b`, "i").test(answer);
  if (candidates.some((candidate) => has("\\b(?:not|never|isn't)\\s+(?:of\\s+)?(?:the\\s+|an?\\s+)?", candidate)))
    return candidates;
  return candidates.filter((candidate) => has("", candidate));
}

function isRight(
  named: string,
  answer: string,
  { type, materials, value }: Asked,
  { tables }: World,
  byName: ReadonlyMap<string, Material>,
): boolean {
  const others = namedMaterials(answer, byName);
  if (value === undefined) {
    const [subject] = materials;
    return named === classOf(tables, type, subject!.facts) && (others.length === 0 || others.includes(subject!));
  }
  const gold = materials.find(({ facts }) => classOf(tables, type, facts) === value);
  const classes = namedCandidates(answer, Object.values(classValues).flat());
  return named === gold?.name && others.every((other) => other === gold) && classes.every((each) => each === value);
}

const namedMaterials = (text: string, byName: ReadonlyMap<string, Material>): Material[] =>
  text
    .toLowerCase()
    .match(/[a-z]+/g)
    ?.flatMap((word) => byName.get(word) ?? []) ?? [];

/** Every statement true and about a subject, and of every subject all three steps: both facts and the rule that joins them. */
function isRightThinking(thinking: string, { type, materials }: Asked, tables: World["tables"]): boolean {
  const statements = readStatements(thinking);
  const [first, second] = decidingFacts[type];
  const states = (step: (statement: Statement) => boolean): boolean => statements.some(step);
  return (
    areTrue(statements, materials, tables) &&
    materials.every(
      ({ name, facts }) =>
        states((s) => s.kind === "fact" && s.fact === first && sameWord(s.subject, name)) &&
        states((s) => s.kind === "fact" && s.fact === second && sameWord(s.subject, name)) &&
        states((s) => s.kind === "rule" && s.type === type && isOwnRule(type, s.values, facts)),
    )
  );
}

/** States a rule at least, and leaves no subject without its right one. */
function isRightReflection(
  reflection: string,
  thinking: string | undefined,
  { type, materials }: Asked,
  tables: World["tables"],
): boolean {
  const stated = readStatements(reflection);
  const isRule = (statement: Statement): boolean => statement.kind === "rule" && statement.type === type;
  const rules = [...stated, ...readStatements(thinking ?? "")].filter(isRule);
  return (
    areTrue(stated, materials, tables) &&
    stated.some(isRule) &&
    materials.every((material) => rules.some((rule) => isTrueOf(rule, material, tables)))
  );
}

const areTrue = (statements: readonly Statement[], materials: readonly Material[], tables: World["tables"]): boolean =>
  statements.every((statement) => materials.some((material) => isTrueOf(statement, material, tables)));

/** A rule is about a material whose two facts it joins. */
function isTrueOf(statement: Statement, { name, facts }: Material, tables: World["tables"]): boolean {
  switch (statement.kind) {
    case "fact":
      return sameWord(statement.subject, name) && statement.value === facts[statement.fact];
    case "class":
      return sameWord(statement.subject, name) && statement.value === classOf(tables, statement.type, facts);
    case "rule":
      return (
        String(statement.facts) === String(decidingFacts[statement.type]) &&
        isOwnRule(statement.type, statement.values, facts) &&
        statement.value === lookUp(tables, statement.type, ...statement.values)
      );
  }
}

function isOwnRule(type: QuestionType, values: readonly [string, string], facts: Material["facts"]): boolean {
  const [first, second] = decidingFacts[type];
  return values[0] === facts[first] && values[1] === facts[second];
}
