import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { extractSection, prefilledThinking, REFLECT, THINKING } from "../../../src/trainer/text/thinking-markers.js";

const M = { start: "[", end: "]" };

describe("extractSection", () => {
  it.each([
    ["a[b]c", "found", "a", "b", "c"],
    ["[b]", "found", "", "b", ""],
    ["[]", "found", "", "", ""],
    ["[a]x[b]c", "found", "[a]x", "b", "c"],
    ["[a]b]c", "found", "", "a]b", "c"],
    ["[a]b[c", "found", "", "a", "b[c"],
    ["a[b", "unterminated", "a", "b", ""],
    ["]a[b", "unterminated", "]a", "b", ""],
    ["[", "unterminated", "", "", ""],
    ["abc", "missing", "", "", "abc"],
    ["a]c", "missing", "", "", "a]c"],
    ["", "missing", "", "", ""],
  ])("of %j is %s", (text, kind, before, inside, after) => {
    expect(extractSection(text, M)).toEqual({ kind, before, text: inside, after });
  });
  it("never throws and loses nothing", () => {
    const pieces = fc.array(fc.constantFrom(THINKING.start, THINKING.end, REFLECT.start, "a", "<|", ""), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(pieces, (parts) => {
        const text = parts.join("");
        const section = extractSection(text, THINKING);
        const start = section.kind === "missing" ? "" : THINKING.start;
        const end = section.kind === "found" ? THINKING.end : "";
        expect(section.before + start + section.text + end + section.after).toBe(text);
        expect(section.kind === "missing").toBe(section.kind !== "found" && !text.includes(THINKING.start));
      }),
      { seed: 5, numRuns: 500 },
    );
  });
  it("finds what prefilledThinking wrote, between its line breaks", () => {
    expect(prefilledThinking("why")).toBe("<|thinking|>\nwhy\n<|/thinking|>");
    expect(extractSection(`${prefilledThinking("why")}\nso`, THINKING)).toMatchObject({
      text: "\nwhy\n",
      after: "\nso",
    });
  });
});
