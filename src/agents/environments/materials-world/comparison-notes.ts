/** @file Notes that state the facts of two materials in turn, and nothing that follows from them: no class, no rule. */
import { createRng, type Rng } from "../../rng.js";
import type { BaseRow, EnvironmentDocument } from "../environment.js";
import { factKinds, factSentence, introSentence } from "./language.js";
import type { Material, World } from "./world.js";

/** How often each note is read by the base, each time in another order; the first two in one line. */
const variants = 4;

export function comparisonDocuments(world: World): EnvironmentDocument[] {
  const rng = createRng(world.seed, "materials-world", "comparisons", "documents");
  return pairs(world).map(([first, second]) => ({
    source: `comparisons/${first.name.toLowerCase()}-${second.name.toLowerCase()}.md`,
    text: sentences(first, second, rng.fork(first.name, second.name)).join(" "),
  }));
}

/** The subject of a row is the first of its two materials. */
export function comparisonRows(world: World): BaseRow[] {
  const rng = createRng(world.seed, "materials-world", "comparisons", "base-rows");
  return pairs(world).flatMap(([first, second]) =>
    Array.from({ length: variants }, (_, variant) => ({
      kind: "text" as const,
      text: sentences(first, second, rng.fork(first.name, second.name, variant)).join(variant < 2 ? " " : "\n"),
      subject: first.name,
    })),
  );
}

/** Materials in a ring: each stands in two notes, once first and once second. */
function pairs(world: World): (readonly [Material, Material])[] {
  const ring = createRng(world.seed, "materials-world", "comparisons").shuffle(world.materials);
  return ring.map((material, i) => [material, ring[(i + 1) % ring.length]!] as const);
}

/** The facts of both, each in an order of its own, one or two sentences a turn. */
function sentences(first: Material, second: Material, rng: Rng): string[] {
  const [one, other] = [first, second].map(({ name, facts }) =>
    rng.shuffle(factKinds).map((kind) => factSentence(kind, name, facts[kind])),
  );
  const turn = 1 + rng.int(2);
  const turns = Array.from({ length: factKinds.length / turn }, (_, i) => [i * turn, (i + 1) * turn] as const);
  return [
    introSentence(first.name, second.name),
    ...turns.flatMap(([from, to]) => [...one!.slice(from, to), ...other!.slice(from, to)]),
  ];
}
