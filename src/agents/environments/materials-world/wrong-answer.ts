/** @file The programmatic teacher's wrong answers, from passages: another class that they name, or the other candidate. */
import { type PassageText, statementsOf } from "./evidence.js";
import { classSentence, type QuestionType } from "./language.js";
import { readClassList, readQuestion, readStatements, sameWord } from "./reading.js";

/**
 * The sentence of the right answer with another class, or with the candidate that does not have it. Undefined where the
 * passages name no other class, or question and answer are none of this world. `pick(n)` chooses 0 … n − 1.
 */
export function writeWrongAnswer(
  question: string,
  right: string,
  passages: readonly PassageText[],
  pick: (below: number) => number,
): string | undefined {
  const asked = readQuestion(question);
  const said = readStatements(right).find((statement) => statement.kind === "class");
  if (asked === undefined || said === undefined) return undefined;
  const { type, subjects, value } = asked;
  if (value !== undefined) {
    const other = subjects.find((subject) => !sameWord(subject, said.subject));
    return other === undefined ? undefined : classSentence(type, other, value);
  }
  const others = classesIn(type, passages).filter((each) => each !== said.value);
  return others.length === 0 ? undefined : classSentence(type, subjects[0], others[pick(others.length)] as string);
}

/** The classes that a list or a rule of the passages names, sorted. */
function classesIn(type: QuestionType, passages: readonly PassageText[]): string[] {
  const listed = passages.flatMap(({ text }) => readClassList(type, text));
  const given = statementsOf(passages).flatMap((statement) =>
    statement.kind === "rule" && statement.type === type ? [statement.value] : [],
  );
  return [...new Set([...listed, ...given])].sort();
}
