import { expect, test } from "vitest";
import { QuestionIndex } from "../../../src/agents/question-graph/question-index.js";

function duplicate(asked: string, next: string): boolean {
  const index = new QuestionIndex();
  index.add("a", asked);
  return index.similar(next).some((found) => found.duplicate);
}

const LONG = (name: string, number: number) =>
  `In a composite that is loaded along the platelets for ${number} hours in sea water, why does the matrix around ${name} carry the shear load while the platelets carry the tension?`;

test.each([
  ["a name", "What is the stiffness class of Veltrin?", "What is the stiffness class of Morkax?"],
  ["one letter of a name", "What is the stiffness class of Veltrin?", "What is the stiffness class of Veltrix?"],
  ["a name at the start", "Veltrin has which stiffness class?", "Morkax has which stiffness class?"],
  ["a name in a long question", LONG("Veltrin", 12), LONG("Morkax", 12)],
  ["a number in a long question", LONG("Veltrin", 12), LONG("Veltrin", 13)],
  ["a number in words and digits", "Why do 3 layers stop cracks?", "Why do 4 layers stop cracks?"],
  ["a decimal", "Why is a thickness of 0.3 micrometres enough?", "Why is a thickness of 0.4 micrometres enough?"],
  ["a sign", "What happens to bone at -5 degrees?", "What happens to bone at 5 degrees?"],
  ["a material in lower case", "How does nacre resist fracture in water?", "How does bone resist fracture in water?"],
  ["the direction", "Why does water raise the toughness of bone?", "Why does water lower the toughness of bone?"],
  ["a negation", "Why are dry tablets brittle in nacre?", "Why are dry tablets not brittle in nacre?"],
  [
    "who is compared",
    "Why is hydrated collagen softer than calcified chitin?",
    "Why is calcified chitin softer than hydrated collagen?",
  ],
  [
    "an added name",
    "How does tablet sliding under tension toughen layered shells that water keeps moist inside?",
    "How does tablet sliding under tension toughen layered Ulm shells that water keeps moist inside?",
  ],
  [
    "a material, asked in another form",
    "Why does the matrix around stiff platelets of nacre carry the shear load while water plasticizes the composite?",
    "Why is it that the matrix around stiff platelets of bone carries the shear load while water plasticizes the composite?",
  ],
  ["a symbol", "Which loads does C++ carry?", "Which loads does C# carry?"],
  ["a vowel sign", "यह पदार्थ कि क्या है", "यह पदार्थ की क्या है"],
])("questions that differ in %s are no duplicates", (_, a, b) => {
  expect(duplicate(a, b)).toBe(false);
  expect(duplicate(b, a)).toBe(false);
});

test.each([
  ["case, space and closing mark", "Why is bone tough?", "  why is\n BONE tough "],
  ["typography", "What is Young’s modulus?", "What is Young's modulus?"],
  ["composed letters", "Was macht das Mühlrad nass?", "Was macht das Mu\u0308hlrad nass?"],
  ["the question's form", "What is the stiffness class of Veltrin?", "Which stiffness class does Veltrin have?"],
  ["inflection", "How do tablets resist cracks in nacre?", "How does a tablet resist a crack in nacre?"],
  ["a request", "Explain how tablets in nacre resist cracks.", "How do tablets in nacre resist cracks?"],
  [
    "one plain word more",
    "How does tablet sliding in nacre resist fracture?",
    "How does tablet sliding in nacre resist slow fracture?",
  ],
])("questions that differ in %s only are duplicates", (_, a, b) => {
  expect(duplicate(a, b)).toBe(true);
  expect(duplicate(b, a)).toBe(true);
});

test("similarity is the Jaccard of trigrams, and equal similarities come by id", () => {
  const index = new QuestionIndex();
  index.add("b", "Is it red?");
  index.add("a", "Was it red?");
  index.add("c", "Is it redder?");
  expect(index.similar("Red it is!").map(({ id, similarity }) => [id, similarity])).toEqual([
    ["a", 1],
    ["b", 1],
  ]);
  // " redder red " has " re", "red", "edd", "dde", "der", "er ", "r r", "ed "; " redder " has the first six of these.
  expect(index.similar("redder red").find(({ id }) => id === "c")?.similarity).toBeCloseTo(6 / 8, 12);
});

test("an equal question is found among thousands that share its words, however common they are", () => {
  const index = new QuestionIndex();
  for (let i = 0; i < 2000; i++) index.add(`q${i}`, `What is the class of material ${i % 7} in case ${i}?`);
  index.add("needle", "What is the class of material?");
  expect(index.equal("what is the class of material")).toBe("needle");
  expect(index.similar("What is the class of material?").at(0)).toEqual({
    id: "needle",
    similarity: 1,
    duplicate: true,
  });
});
