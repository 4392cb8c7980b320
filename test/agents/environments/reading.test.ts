/** @file The sentences of the materials world, read: what is of a known form, and what only looks like it. */
import { expect, test } from "vitest";
import { readClassList, readLinks, readStatements } from "../../../src/agents/environments/materials-world/reading.js";

test.each([
  ["The building block of Veltrin is chitin.", { kind: "fact", fact: "block", subject: "Veltrin", value: "chitin" }],
  ["the surroundings of veltrin are DRY", { kind: "fact", fact: "surroundings", subject: "veltrin", value: "dry" }],
  [
    "A chitin block\nin dry surroundings gives the firm stiffness class.",
    {
      kind: "rule",
      type: "stiffness-class",
      facts: ["block", "surroundings"],
      values: ["chitin", "dry"],
      value: "firm",
    },
  ],
  [
    "A layered architecture with a chitin block gives the odd failure class.",
    {
      kind: "rule",
      type: "failure-class",
      facts: ["architecture", "block"],
      values: ["layered", "chitin"],
      value: "odd",
    },
  ],
  [
    "The failure class of Veltrin is peeling.",
    { kind: "class", type: "failure-class", subject: "Veltrin", value: "peeling" },
  ],
])("%j is one statement", (text, expected) => {
  const found = readStatements(`Hello. ${text}`);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({ ...expected, at: 7, complete: text.endsWith(".") });
});

test.each([
  "The surroundings of Veltrin is dry.",
  "The building block of Veltrin are chitin.",
  "A chitin block with a dry surroundings gives the firm stiffness class.",
  "A chitin block in mineral interface gives the sliding mechanism class.",
  "A chitin block in dry surroundings gives the firm class.",
  "The building block of Veltrin is chitin collagen.",
  "The stiffness class of the sample is firm.",
  "The stiffness class follows from the building block and the surroundings.",
])("%j is none", (text) => {
  expect(readStatements(text)).toEqual([]);
});

test("a link names the two facts in the order of use; one that is cut off is marked", () => {
  const text =
    "The failure class follows from the architecture and the interface. The stiffness class\nfollows from the building block and the surroundings";
  expect(readLinks(text).map(({ type, facts, complete }) => [type, facts, complete])).toEqual([
    ["failure-class", ["architecture", "interface"], true],
    ["stiffness-class", ["block", "surroundings"], false],
  ]);
  expect(readLinks("The failure class follows from the colour and the interface.")).toEqual([]);
});

test("a list of classes is read for its own type and only where it ends", () => {
  const text = "The stiffness classes are soft, Pliant, firm and rigid. The failure classes are splitting, peel";
  expect(readClassList("stiffness-class", text)).toEqual(["soft", "pliant", "firm", "rigid"]);
  expect(readClassList("failure-class", text)).toEqual([]);
  expect(readClassList("mechanism-class", text)).toEqual([]);
});
