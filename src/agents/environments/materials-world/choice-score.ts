/** @file The score of questions with two candidates: both orders together, and apart by where the right one stands. */
import type { EnvironmentQuestion } from "../environment.js";

export interface Share {
  readonly right: number;
  readonly n: number;
}

export interface ChoiceScore {
  /** Single questions. */
  readonly questions: Share;
  /** A couple is right where both orders are: whoever always takes the same position has none, whoever guesses a quarter. */
  readonly couples: Share;
  /** By the position of the right candidate: first, then second. */
  readonly byGoldPosition: readonly [Share, Share];
  /** Couples by question type. */
  readonly byType: Readonly<Record<string, Share>>;
}

/** `verdicts` holds one 0/1 a question, in question order, as an evaluation returns them. Every couple must be whole. */
export function scoreChoices(
  goldPosition: (question: EnvironmentQuestion) => 0 | 1 | undefined,
  questions: readonly EnvironmentQuestion[],
  verdicts: readonly number[],
): ChoiceScore {
  if (questions.length !== verdicts.length) {
    throw new Error(`expected a verdict for each of ${questions.length} questions, found ${verdicts.length}`);
  }
  const scored = questions.map((question, i) => ({
    question,
    right: verdicts[i] === 1,
    position: goldPosition(question),
  }));
  const couples = groupBy(scored, ({ question }) => question.pairId ?? question.id);
  const broken = [...couples.values()].filter(
    (couple) => String(couple.map(({ position }) => position).sort()) !== "0,1",
  );
  if (broken.length > 0) {
    const names = broken.slice(0, 3).map(([first]) => first!.question.id);
    throw new Error(
      `expected questions with two candidates, each in both orders, found ${broken.length} without: ${names.join(", ")}`,
    );
  }
  const whole = [...couples.values()].map((couple) => ({
    type: couple[0]!.question.type,
    right: couple.every(({ right }) => right),
  }));
  const byType = groupBy(whole, ({ type }) => type);
  return {
    questions: share(scored),
    couples: share(whole),
    byGoldPosition: [0, 1].map((at) => share(scored.filter(({ position }) => position === at))) as [Share, Share],
    byType: Object.fromEntries([...byType].sort(([a], [b]) => (a < b ? -1 : 1)).map(([type, of]) => [type, share(of)])),
  };
}

const share = (of: readonly { readonly right: boolean }[]): Share => ({
  right: of.filter(({ right }) => right).length,
  n: of.length,
});

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
