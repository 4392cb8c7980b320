/** @file Lines of files that grow, shrink and are damaged while they are read. */
import { appendFile, mkdir, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { countLines, foldLines, type LineFold, readLines } from "../../../src/agents/teaching/growing-lines.js";
import { tempDir } from "../../trainer/checkpoint/temp-dir.js";

let file: string;
beforeEach(async () => {
  file = join(await tempDir(), "x.jsonl");
});

const texts = async (after: number, limit: number, mostBytes?: number) =>
  (await readLines(file, { after, limit, ...(mostBytes !== undefined && { mostBytes }) })).lines.map(
    ({ text }) => text,
  );

describe("lines of a growing file", () => {
  it("are whole ones: a line without its end is not there yet", async () => {
    await writeFile(file, "one\ntwo\nthr");
    expect(await texts(0, 10)).toEqual(["one", "two"]);
    expect(await countLines(file)).toBe(2);
    await appendFile(file, "ee\n");
    expect(await texts(0, 10)).toEqual(["one", "two", "three"]);
  });

  it("are read once: a fold sees each line a single time, however often it is asked", async () => {
    const seen: string[] = [];
    const fold: LineFold<string[]> = { make: () => seen, line: (all, { bytes }) => all.push(String(bytes)) };
    await writeFile(file, "a\nb\n");
    await Promise.all([foldLines(file, fold), foldLines(file, fold)]);
    await appendFile(file, "c\nd");
    await Promise.all([foldLines(file, fold), foldLines(file, fold)]);
    expect(seen).toEqual(["a", "b", "c"]);
  });

  it("begin anew where the file was cut, or written again to the same length", async () => {
    await writeFile(file, "one\ntwo\n");
    expect(await countLines(file)).toBe(2);
    await truncate(file, 4);
    expect(await texts(0, 9)).toEqual(["one"]);
    await writeFile(file, "x\ny\nz\nlonger than before\n");
    expect(await texts(0, 9)).toEqual(["x", "y", "z", "longer than before"]);
  });

  it("keep their characters across the pieces in which a file is read", async () => {
    const line = "ä€😀".repeat(120_000);
    await writeFile(file, `${line}\n${line}\nend\n`);
    expect(await texts(0, 9, 1 << 24)).toEqual([line, line, "end"]);
  });

  it("of a size that nobody writes are named, not held: those beside them are read", async () => {
    await writeFile(file, `a\n${"x".repeat((8 << 20) + 1)}\nb\n`);
    expect(await readLines(file, { after: 0, limit: 9 })).toEqual({
      lines: [
        { index: 0, text: "a" },
        { index: 1, text: undefined },
        { index: 2, text: "b" },
      ],
      total: 3,
    });
  });

  it("of a page end with its bytes, but a page has at least one", async () => {
    await writeFile(file, "aaaa\nbbbb\ncccc\n");
    expect(await texts(0, 9, 8)).toEqual(["aaaa", "bbbb"]);
    expect(await texts(2, 9, 1)).toEqual(["cccc"]);
    expect(await texts(3, 9)).toEqual([]);
  });

  it("of a missing file are none; a link and a folder are refused", async () => {
    expect(await readLines(file, { after: 0, limit: 3 })).toEqual({ lines: [], total: 0 });
    await writeFile(`${file}.target`, "secret\n");
    await symlink(`${file}.target`, file);
    await expect(countLines(file)).rejects.toThrow(/link, which is not followed/);
    await mkdir(`${file}.folder`);
    await expect(countLines(`${file}.folder`)).rejects.toThrow(/expected a file/);
  });

  it("are found at any place of a large file, as they were written", async () => {
    const total = 300_000;
    await writeFile(file, Array.from({ length: total }, (_, i) => `line ${i}\n`).join(""));
    for (const after of [0, 1, 15, 16, 17, 123_457, total - 1])
      expect(await texts(after, 1)).toEqual([`line ${after}`]);
    expect(await texts(total - 2, 9)).toEqual([`line ${total - 2}`, `line ${total - 1}`]);
  });
});
