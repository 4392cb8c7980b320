/** @file Stop strings and thinking sections in text that comes in pieces: the cuts change nothing. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createStopSearch } from "../../../src/trainer/text/stop-strings.js";
import { extractSection, REFLECT, THINKING } from "../../../src/trainer/text/thinking-markers.js";
import { createThinkingSplit, type SectionText } from "../../../src/trainer/text/thinking-split.js";

const cutUp = (text: string, cuts: readonly number[]): string[] => {
  const at = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
  return at.slice(1).map((end, i) => text.slice(at[i], end));
};
const cuts = fc.array(fc.nat(200), { maxLength: 10 });

describe("a stop string", () => {
  const run = (stops: readonly string[], pieces: readonly string[]) => {
    const search = createStopSearch(stops);
    const out = pieces.map((piece) => search.push(piece));
    return { out: [...out, search.finish()], found: search.found };
  };
  it("is found across pieces, and neither it nor what follows is shown", () => {
    expect(run(["\nUser:"], ["Nacre.\n", "Us", "er", ": and"])).toEqual({
      out: ["Nacre.", "", "", "", ""],
      found: "\nUser:",
    });
  });
  it("is held back only as long as it may still come", () => {
    expect(run(["END"], ["the E", "N", "D"]).out).toEqual(["the ", "", "", ""]);
    expect(run(["END"], ["the E", "n"]).out).toEqual(["the ", "En", ""]);
    expect(run(["END"], ["the EN"]).out).toEqual(["the ", "EN"]);
  });
  it("that ends first wins, the longer of two that end together", () => {
    expect(run(["abc", "b"], ["abc"])).toMatchObject({ found: "b", out: ["a", ""] });
    expect(run(["abc", "bc"], ["xabc"])).toMatchObject({ found: "abc", out: ["x", ""] });
  });
  it("is found at the same place however the text is cut", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 30 });
    const stops = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 5 }), {
      maxLength: 3,
    });
    fc.assert(
      fc.property(letters, stops, cuts, (text, needles, at) => {
        // The definition: the shortest beginning of the text that ends with a stop string.
        let expected = { text, found: undefined as string | undefined };
        for (let end = 1; end <= text.length && expected.found === undefined; end++) {
          const ended = needles.filter((needle) => text.slice(0, end).endsWith(needle));
          const found = ended.sort((a, b) => b.length - a.length)[0];
          if (found !== undefined) expected = { text: text.slice(0, end - found.length), found };
        }
        const { out, found } = run(needles, cutUp(text, at));
        expect({ text: out.join(""), found }).toEqual(expected);
      }),
      { seed: 5, numRuns: 1000 },
    );
  });
});

describe("the thinking split", () => {
  const split = (pieces: readonly string[], inside = false, markers = [THINKING]): SectionText[] => {
    const each = createThinkingSplit(markers, inside ? markers[0] : undefined);
    return [...pieces.flatMap((piece) => each.push(piece)), ...each.finish()];
  };
  const joined = (parts: readonly SectionText[]) => ({
    reasoning: parts
      .filter(({ kind }) => kind === "reasoning")
      .map(({ text }) => text)
      .join(""),
    content: parts
      .filter(({ kind }) => kind === "content")
      .map(({ text }) => text)
      .join(""),
  });
  it("parts a reply, and leaves out the markers and the white space beside them", () => {
    expect(joined(split(["<|thinking|>\nlayers slide\n<|/thinking|>\n\nnacre\n"]))).toEqual({
      reasoning: "layers slide",
      content: "nacre\n",
    });
  });
  it("agrees with the section that the trainer cuts out", () => {
    const reply = `${THINKING.start}\na < b |> c\n${THINKING.end}\nthe answer`;
    const section = extractSection(reply, THINKING);
    expect(joined(split([reply]))).toEqual({ reasoning: section.text.trim(), content: section.after.trim() });
  });
  it("holds a partial marker back, and lets it go when it turns out to be text", () => {
    const each = createThinkingSplit([THINKING]);
    expect(each.push("so <|thin")).toEqual([{ kind: "content", text: "so" }]);
    expect(each.push("g")).toEqual([{ kind: "content", text: " <|thing" }]);
    expect(each.push(" <|thinking|")).toEqual([]);
    expect(each.finish()).toEqual([{ kind: "content", text: " <|thinking|" }]);
  });
  it("begins in the section where the pre-fill has opened it", () => {
    expect(joined(split(["slide<|/thinking|>nacre"], true))).toEqual({ reasoning: "slide", content: "nacre" });
  });
  it("keeps thinking that never ends as thinking, and an end without a beginning as text", () => {
    expect(joined(split(["<|thinking|>slide"]))).toEqual({ reasoning: "slide", content: "" });
    expect(joined(split(["a<|/thinking|>b"]))).toEqual({ reasoning: "", content: "a<|/thinking|>b" });
  });
  it("knows several kinds of sections, each closed by its own marker", () => {
    const reply = "<|thinking|>a<|/reflect|>b<|/thinking|><|reflect|>c<|/reflect|>d";
    expect(joined(split([reply], false, [THINKING, REFLECT]))).toEqual({ reasoning: "a<|/reflect|>bc", content: "d" });
  });
  it("does not depend on the cuts", () => {
    const unit = fc.constantFrom("<|thinking|>", "<|/thinking|>", " ", "\n", "a", "<", "<|", "thinking|>", "b");
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 14 }), cuts, fc.boolean(), (text, at, inside) => {
        expect(joined(split(cutUp(text, at), inside))).toEqual(joined(split([text], inside)));
      }),
      { seed: 6, numRuns: 1000 },
    );
  });
});
