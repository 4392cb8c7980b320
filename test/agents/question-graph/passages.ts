/** @file Passages for the tests of the question graph. */
import type { Passage } from "../../../src/agents/corpus/types.js";

export const passage = (id: string, text: string, source = `${id}.md`): Passage => ({
  id,
  text,
  source,
  start: 0,
  end: text.length,
});

/** Two families that share no content word: materials of chitin, and rivers. */
export const FAMILIES: readonly Passage[] = [
  passage("veltrin", "The block of Veltrin is chitin. The surroundings of Veltrin are dry. The chitin is stiff."),
  passage("morkax", "The block of Morkax is chitin. The surroundings of Morkax are wet. The chitin is soft."),
  passage("chitin-rule", "A chitin block in dry surroundings is stiff. A chitin block in wet surroundings is soft."),
  passage("danube", "The Danube carries gravel. The gravel of the Danube forms banks."),
  passage("rhine", "The Rhine carries gravel. Barges on the Rhine sail past gravel banks."),
];

/** `count` passages, each about its own name. */
export const manyPassages = (count: number): Passage[] =>
  Array.from({ length: count }, (_, i) => passage(`p${i}`, `The class of Name${i} is high. Name${i} has a class.`));
