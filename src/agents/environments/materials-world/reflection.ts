/** @file Thinking to reflect on: for one half of the questions with a slip in it, which the reflection puts right. */
import { createRng } from "../../rng.js";
import { type Evidence, type FactStep, type PassageText, type RuleStep, statementsOf } from "./evidence.js";
import { choiceQuestion, classQuestion, classSentence, factSentence } from "./language.js";
import type { RuleStatement, WorldQuestion } from "./reading.js";

export interface Reflected {
  readonly thinking: readonly string[];
  /** The corrected fact, the corrected rule and, of two candidates, the corrected class; or the rules once more. */
  readonly reflection: readonly string[];
}

/** One wrong value of one fact, and the rule of the passages that the wrong value leads to. */
interface Slip {
  readonly fact: FactStep;
  readonly value: string;
  readonly rule: RuleStatement;
}

/** `evidence` must settle every step. Whether there is a slip, and which, depends on the question and on what the passages hold. */
export function reflectOn(asked: WorldQuestion, evidence: Evidence, passages: readonly PassageText[]): Reflected {
  const rng = createRng(0, "reflection", questionText(asked));
  const { steps } = evidence;
  const right = steps.map(({ said }) => said!.sentence);
  const stands = { thinking: right, reflection: right.filter((_, i) => steps[i]!.role === "rule") };
  if (rng.int(2) === 0) return stands;
  const kinds = possibleSlips(asked, evidence, passages);
  if (kinds.length === 0) return stands;
  const { fact, value, rule } = rng.pick(rng.pick(kinds));
  const { subject } = fact;
  const thinking = steps.map((step) => {
    if (step.subject !== subject || (step.role === "fact" && step !== fact)) return step.said!.sentence;
    if (step.role === "fact") return factSentence(fact.fact, subject, value);
    return step.role === "rule" ? rule.sentence : classSentence(asked.type, subject, rule.value);
  });
  return { thinking, reflection: right.filter((sentence, i) => sentence !== thinking[i]) };
}

const questionText = ({ type, subjects, value }: WorldQuestion): string =>
  subjects.length === 1 ? classQuestion(type, subjects[0]) : choiceQuestion(type, subjects, value!);

/** By the fact that is wrong; each with the wrong values whose rule the passages hold, and that leads to another class. */
function possibleSlips(
  { type }: WorldQuestion,
  { steps }: Evidence,
  passages: readonly PassageText[],
): readonly (readonly Slip[])[] {
  const rules = statementsOf(passages).filter((s): s is RuleStatement => s.kind === "rule" && s.type === type);
  return steps
    .filter((step): step is FactStep => step.role === "fact")
    .map((fact) => {
      const own = steps.find((step): step is RuleStep => step.role === "rule" && step.subject === fact.subject)!;
      const at = own.facts.indexOf(fact.fact);
      return slipsOf(rules, own, at).map((rule) => ({ fact, value: rule.values[at]!, rule }));
    })
    .filter((slips) => slips.length > 0);
}

/** Each rule once that joins the same two facts, has another value at `at` alone, and gives another class. */
function slipsOf(rules: readonly RuleStatement[], own: RuleStep, at: number): RuleStatement[] {
  const fitting = rules.filter(
    ({ facts, values, value }) =>
      String(facts) === String(own.facts) &&
      values[1 - at] === own.values![1 - at] &&
      values[at] !== own.values![at] &&
      value !== own.said!.value,
  );
  const byValue = new Map(fitting.map((rule) => [rule.values[at]!, rule]));
  return [...byValue.keys()].sort().map((value) => byValue.get(value)!);
}
