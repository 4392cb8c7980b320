/** @file Questions with two candidates, of which exactly one has the class that is named; each is asked in both orders. */
import { createRng } from "../../rng.js";
import type { EnvironmentQuestion, Split } from "../environment.js";
import { choiceQuestion, joined, type QuestionType, questionTypes, typeForms } from "./language.js";
import type { SplitOf } from "./questions.js";
import { readQuestion } from "./reading.js";
import { classOf, classValues, type Material, type World } from "./world.js";

/** Couples a type, in the training split and in either held-out one. A couple is one question in both orders. */
export interface CoupleCounts {
  readonly train: number;
  readonly heldOut: number;
}

/** Every class beside every other one: couples come in multiples of this, so that both are balanced exactly. */
export const classPairs = 4 * 3;

/** Of 240 materials: 576 questions to train on, and 216 in either held-out split. */
export const defaultCouples = (materials: number): CoupleCounts => ({
  train: classPairs * Math.max(1, Math.floor(materials / 30)),
  heldOut: classPairs * Math.max(1, Math.floor(materials / 80)),
});

interface Couple {
  readonly type: QuestionType;
  readonly split: Split;
  readonly value: string;
  /** The one that has the class, then the other. */
  readonly materials: readonly [Material, Material];
}

/** All questions with two candidates: the two orders of a couple side by side, in an order that tells nothing. */
export function choices(world: World, splitOf: SplitOf, counts: CoupleCounts): EnvironmentQuestion[] {
  const rng = createRng(world.seed, "materials-world", "choices");
  const couples = questionTypes.flatMap((type) =>
    (["train", "unseen-combination", "unseen-material"] as const).flatMap((split) =>
      drawCouples(world, splitOf, type, split, split === "train" ? counts.train : counts.heldOut),
    ),
  );
  return rng.shuffle(couples).flatMap((couple) => rng.shuffle(bothOrders(couple)));
}

function bothOrders({ type, split, value, materials }: Couple): EnvironmentQuestion[] {
  const [one, other] = materials.map(({ name }) => name).sort() as [string, string];
  const { choice } = typeForms[type];
  const orders: readonly (readonly [string, string])[] = [
    [one, other],
    [other, one],
  ];
  return orders.map((subjects) => ({
    id: `${choice}/${value}/${subjects.join("+")}`,
    type: choice,
    split,
    subject: joined(subjects),
    subjects,
    pairId: `${choice}/${value}/${one}+${other}`,
    text: choiceQuestion(type, subjects, value),
    candidates: subjects,
  }));
}

/**
 * Both materials of a couple belong to the split with this very type. No two couples of a type join the same two, and a
 * material of the training split is right about as often as it is not: its name tells nothing.
 */
function drawCouples(world: World, splitOf: SplitOf, type: QuestionType, split: Split, count: number): Couple[] {
  const rng = createRng(world.seed, "materials-world", "choices", type, split);
  const pool = world.materials.filter(({ name }) => splitOf(name, type) === split);
  const having = (value: string): Material[] =>
    rng.shuffle(pool.filter(({ facts }) => classOf(world.tables, type, facts) === value));
  const draw = balancedDraw();
  return rng.shuffle(classCells(type, count)).map(([value, beside]) => {
    const materials = draw(having(value), having(beside));
    if (materials === undefined) {
      throw new Error(
        `materials world: too few ${split} materials for ${count} couples of ${typeForms[type].choice}: ask for fewer with choicesPerType, or for more materials`,
      );
    }
    return { type, split, value, materials };
  });
}

/** Every pair of different classes, `count / classPairs` times. */
function classCells(type: QuestionType, count: number): (readonly [string, string])[] {
  const values = classValues[type];
  const cells = values.flatMap((value) =>
    values.filter((beside) => beside !== value).map((beside) => [value, beside] as const),
  );
  return Array.from({ length: count / cells.length }, () => cells).flat();
}

/** Joins one of each list, those that had this role least so far, then those that were drawn least at all. */
function balancedDraw() {
  const [asRight, asOther] = [new Map<Material, number>(), new Map<Material, number>()];
  const drawnBefore = new Set<string>();
  const times = (of: Map<Material, number>, material: Material): number => of.get(material) ?? 0;
  const count = (of: Map<Material, number>, material: Material) => of.set(material, times(of, material) + 1);
  const keyOf = (a: Material, b: Material): string => [a.name, b.name].sort().join();
  return (rights: readonly Material[], others: readonly Material[]): readonly [Material, Material] | undefined => {
    const options = rights
      .flatMap((right) => others.map((other) => ({ right, other })))
      .filter(({ right, other }) => !drawnBefore.has(keyOf(right, other)))
      .map(({ right, other }) => ({
        right,
        other,
        inRole: times(asRight, right) + times(asOther, other),
        elsewhere: times(asOther, right) + times(asRight, other),
      }))
      .sort((a, b) => a.inRole - b.inRole || a.elsewhere - b.elsewhere);
    if (options[0] === undefined) return undefined;
    const { right, other } = options[0];
    count(asRight, right);
    count(asOther, other);
    drawnBefore.add(keyOf(right, other));
    return [right, other];
  };
}

/** Where the candidate stands that has the class; undefined where the question has no candidates in it. */
export function createGoldPosition(world: World): (question: Pick<EnvironmentQuestion, "text">) => 0 | 1 | undefined {
  const byName = new Map(world.materials.map((material) => [material.name, material]));
  return ({ text }) => {
    const { type, subjects = [], value } = readQuestion(text) ?? {};
    const at = subjects.findIndex((subject) => {
      const material = byName.get(subject);
      return type !== undefined && material !== undefined && classOf(world.tables, type, material.facts) === value;
    });
    return at < 0 ? undefined : (at as 0 | 1);
  };
}
