/** @file What the demo shows while it works: bars at a terminal, few lines elsewhere, nothing after the last word. */
import { describe, expect, it } from "vitest";
import { createDisplay, lineDisplay, reasoningText, textTable } from "../../src/server/demo-display.js";

const ESCAPE = String.fromCharCode(27);

/** A terminal that remembers what was written to it. */
function terminal(columns: number) {
  const written: string[] = [];
  const stream = {
    isTTY: true,
    columns,
    write: (text: string) => {
      written.push(text);
      return true;
    },
    // What a bar asks of a terminal beside writing.
    on: () => stream,
    removeListener: () => stream,
  };
  const display = createDisplay(stream as unknown as NodeJS.WriteStream);
  const text = () =>
    written
      .join("")
      .replaceAll(new RegExp(`${ESCAPE}(?:[78]|\\[[?\\d;]*[A-Za-z])`, "g"), "")
      .split("\n");
  return { display, text, raw: () => written.join("") };
}

describe("at a terminal", () => {
  it("shows a phase of one step as a line, not as a bar that stays at nothing", () => {
    const { display, text } = terminal(120);
    display.phase("open the model", 1);
    display.phase("train", 2);
    display.step("loss 1");
    display.step("loss 2");
    display.end();
    expect(text()[0]).toBe("open the model …");
    expect(text().at(-2)).toMatch(/train +━+ 100 % {2}loss 2/);
  });

  it("goes on with a bar of the same phase after a line in its midst", () => {
    const { display, text } = terminal(120);
    display.phase("evaluate", 4);
    display.progress(4, 4, "first");
    display.line("first: done");
    display.progress(2, 4, "second");
    display.end();
    expect(text().join("\n")).toMatch(/evaluate +━+ 100 % {2}first\s*\nfirst: done\n.*evaluate +━+·+ +50 % {2}second/s);
  });

  it("keeps its bar where a part of a phase is of one step", () => {
    const { display, text } = terminal(120);
    display.phase("pairs", 8);
    display.progress(1, 1, "one more");
    display.end();
    expect(text().join("\n")).toMatch(/pairs +━+ 100 % {2}one more/);
    expect(text()).not.toContain("  one more");
  });

  it("has shorter bars where the terminal is narrow", () => {
    const cells = (columns: number) => {
      const { display, text } = terminal(columns);
      display.phase("train", 2);
      display.end();
      return /·+/.exec(text().join(""))?.[0].length ?? 0;
    };
    expect(cells(80)).toBeLessThan(cells(120));
  });

  it("shows the cursor again and nothing more after the last word", () => {
    const { display, text, raw } = terminal(120);
    display.phase("train", 4);
    display.close("stopping …");
    const cursorShown = `${ESCAPE}[?25h`;
    expect(raw().lastIndexOf(cursorShown)).toBeGreaterThan(raw().lastIndexOf(`${ESCAPE}[?25l`));
    const length = raw().length;
    display.step("late");
    display.progress(3, 4, "late");
    display.phase("late", 4);
    display.line("late");
    display.end();
    expect(raw()).toHaveLength(length);
    expect(text()).toContain("stopping …");
  });
});

describe("elsewhere", () => {
  it("writes a line at each quarter, none where a part of the phase starts over, and nothing after the last word", () => {
    const lines: string[] = [];
    const display = lineDisplay((line) => lines.push(line));
    display.phase("pairs", 8);
    for (const part of ["a", "b"]) for (const done of [1, 4, 5, 8]) display.progress(done, 8, part);
    display.close("stopping …");
    display.line("late");
    display.phase("late", 8);
    expect(lines).toEqual([
      "pairs",
      "  pairs: 4 of 8 (a)",
      "  pairs: 8 of 8 (a)",
      "  pairs: 4 of 8 (b)",
      "  pairs: 8 of 8 (b)",
      "stopping …",
    ]);
  });
});

it("aligns the second column of the table", () => {
  expect(
    textTable([
      ["a", "1"],
      ["long", "2"],
    ]),
  ).toBe("  a     1\n  long  2");
});

it("shows the rounds of a recursion, long texts cut with a word on where the rest is", () => {
  const thinking = Array.from({ length: 30 }, (_, i) => `line ${i + 1}`).join("\n");
  const rounds = [
    { thinking, answer: "", score: 0.25 },
    { thinking: "short", answer: "two\nlines", score: 1 },
  ];
  const text = reasoningText({ question: "why?", answer: "because", rounds });
  expect(text).toMatch(/round 1, score 0\.25\n {4}line 1\n[\s\S]* {4}line 8\n {4}… 22 more lines, in the report\n/);
  expect(text).toMatch(/→ \(no answer\)\n {2}round 2, score 1\.00\n {4}short\n {4}→ two\n {4}lines\n/);
  expect(text).toMatch(/ {2}answer\n {4}because$/);
});
