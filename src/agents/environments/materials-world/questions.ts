/** @file The two-fact questions of a materials world, and which of them are held out. */
import { createRng, type Rng } from "../../rng.js";
import type { EnvironmentQuestion, Split } from "../environment.js";
import { pickBalanced } from "./balance.js";
import { classQuestion, type QuestionType, questionTypes } from "./language.js";
import { classOf, classValues, type Material, type World } from "./world.js";

/** Of 240 materials: 70 held out whole, and 70 of the others a type, which is 210 questions for either held-out split. */
const heldOutShare = 7 / 24;

export type SplitOf = (subject: string, type: QuestionType) => Split | undefined;

/** Decides for each (material, type) where it belongs; the answers are balanced within each split. */
export function drawSplits(world: World): SplitOf {
  const rng = createRng(world.seed, "materials-world", "splits");
  const heldOut = Math.ceil(heldOutShare * world.materials.length);
  const answer = (material: Material, type: QuestionType): string => classOf(world.tables, type, material.facts);
  const keys = (material: Material): string[] => questionTypes.map((type) => answer(material, type));
  const unseen = new Set(pickBalanced(world.materials, heldOut, keys, rng.fork("unseen-material")));
  const seen = world.materials.filter((material) => !unseen.has(material));
  const withheld = withhold(seen, heldOut, answer, rng.fork("unseen-combination"));

  const byName = new Map(world.materials.map((material) => [material.name, material]));
  return (subject, type) => {
    const material = byName.get(subject);
    if (material === undefined) return undefined;
    if (unseen.has(material)) return "unseen-material";
    return withheld.get(material)?.has(type) ? "unseen-combination" : "train";
  };
}

/** For each type `count` materials, each class in turn; every material keeps one type for training, at least. */
function withhold(
  materials: readonly Material[],
  count: number,
  answer: (material: Material, type: QuestionType) => string,
  rng: Rng,
): Map<Material, Set<QuestionType>> {
  const withheld = new Map(rng.shuffle(materials).map((material) => [material, new Set<QuestionType>()]));
  for (const type of questionTypes) {
    const classes = rng.shuffle(classValues[type]);
    for (let taken = 0; taken < count; taken++) {
      const free = [...withheld].filter(([, types]) => !types.has(type) && types.size < questionTypes.length - 1);
      const wanted = free.filter(([material]) => answer(material, type) === classes[taken % classes.length]);
      const [next] = (wanted.length > 0 ? wanted : free).sort(([, a], [, b]) => a.size - b.size);
      next?.[1].add(type);
    }
  }
  return withheld;
}

/** All questions about one material, in an order that tells nothing. */
export function questions(world: World, splitOf: SplitOf): EnvironmentQuestion[] {
  const all = world.materials.flatMap(({ name }) =>
    questionTypes.map((type) => ({
      id: `${type}/${name}`,
      type,
      split: splitOf(name, type)!,
      subject: name,
      text: classQuestion(type, name),
      candidates: classValues[type],
    })),
  );
  return createRng(world.seed, "materials-world", "questions").shuffle(all);
}
