/** @file Documents that differ in little more than an invented name: the hard case for lexical retrieval. */

import { chunkDocuments, type Passage } from "../../../src/agents/corpus/index.js";
import { createRng } from "../../../src/agents/rng.js";

const SYLLABLES = "bel cor dan fel gar hin jor kal lum mer nov pel quin ros sal tor vel wex yar zin".split(" ");
const ENDINGS = ["ite", "on", "ar", "ex", "um", "in"];
const BLOCKS = ["collagen", "chitin", "keratin", "silk", "cellulose"];
const INTERFACES = ["sliding", "locked", "graded", "brittle"];
const ARCHITECTURES = ["layered", "helical", "tubular", "cellular"];
const PLACES = ["sea water", "dry air", "wet soil"];

/** `count` passages, one a document, each about another name; the same for the same seed. */
export async function templatedPassages(count: number, seed = 7): Promise<{ names: string[]; passages: Passage[] }> {
  const rng = createRng(seed, "templated-world");
  const names = new Set<string>();
  while (names.size < count) {
    const name = rng.pick(SYLLABLES) + rng.pick(SYLLABLES) + rng.pick(ENDINGS);
    names.add(name.charAt(0).toUpperCase() + name.slice(1));
  }
  const documents = [...names].map((name) => ({
    source: `${name}.md`,
    text:
      `${name} is built from ${rng.pick(BLOCKS)}. The interface of ${name} is ${rng.pick(INTERFACES)}. ` +
      `The architecture of ${name} is ${rng.pick(ARCHITECTURES)}. ${name} lives in ${rng.pick(PLACES)}.`,
  }));
  return { names: [...names], passages: await chunkDocuments(documents) };
}
