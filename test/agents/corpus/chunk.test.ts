import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, test } from "vitest";
import { chunkDocument, chunkingName } from "../../../src/agents/corpus/chunk.js";
import { loadTokenizer } from "../../../src/trainer/index.js";

const words = fc.stringMatching(/^[a-zA-Zäé漢.,?!]{1,9}$/);
const glue = fc.constantFrom(" ", "  ", "\n", "\n\n", "\n## ", ". ", "\r\n", "\n\n---\n\n", "");
const piece = fc.oneof(
  { weight: 12, arbitrary: words },
  { weight: 1, arbitrary: fc.constantFrom("😀😀😀", "ab ab ab ab ab", "x".repeat(90), " \t ") },
);
const text = fc
  .array(fc.tuple(piece, glue), { maxLength: 120 })
  .map((parts) => parts.map(([word, space]) => word + space).join(""));

test("offsets are exact, passages no longer than the size, and nothing but white space is left out", async () => {
  await fc.assert(
    fc.asyncProperty(
      text,
      fc.integer({ min: 20, max: 200 }),
      fc.integer({ min: 0, max: 10 }),
      async (body, size, overlap) => {
        const passages = await chunkDocument({ source: "a.md", text: body }, { size, overlap });
        const covered = new Array<boolean>(body.length).fill(false);
        for (const passage of passages) {
          expect(body.slice(passage.start, passage.end)).toBe(passage.text);
          expect(passage.text.trim()).toBe(passage.text);
          expect(passage.text).not.toBe("");
          // One unit more where a surrogate pair or a sentence's full stop must not be parted.
          expect(passage.text.length).toBeLessThanOrEqual(size + 1);
          expect(passage.text).not.toMatch(/\p{Surrogate}/u);
          covered.fill(true, passage.start, passage.end);
        }
        const lost = [...covered.keys()].filter((i) => !covered[i] && body.charAt(i).trim() !== "");
        expect(lost).toEqual([]);
        expect(new Set(passages.map((p) => p.id)).size).toBe(passages.length);
      },
    ),
    { seed: 11, numRuns: 500 },
  );
});

/** Roughly as a tokenizer counts: words of up to four characters, and each mark. Fewer for the whole than for its parts. */
const countTokens = (body: string): number => body.match(/\p{L}{1,4}|\p{N}|[^\p{L}\p{N}\s]/gu)?.length ?? 0;

test("by tokens, offsets are exact, no passage has more than the size, and nothing but white space is left out", async () => {
  await fc.assert(
    fc.asyncProperty(
      text,
      fc.integer({ min: 8, max: 60 }),
      fc.integer({ min: 0, max: 4 }),
      // Of the second kind a whole has more than its parts together: white space counts only inside.
      fc.constantFrom(countTokens, (body: string) => body.trim().length),
      async (body, size, overlap, countTokens) => {
        const passages = await chunkDocument({ source: "a.md", text: body }, { size, overlap, countTokens });
        const covered = new Array<boolean>(body.length).fill(false);
        for (const passage of passages) {
          expect(body.slice(passage.start, passage.end)).toBe(passage.text);
          expect(passage.text.trim()).toBe(passage.text);
          expect(passage.text).not.toBe("");
          expect(countTokens(passage.text)).toBeLessThanOrEqual(size);
          expect(passage.text).not.toMatch(/\p{Surrogate}/u);
          covered.fill(true, passage.start, passage.end);
        }
        expect([...covered.keys()].filter((i) => !covered[i] && body.charAt(i).trim() !== "")).toEqual([]);
        for (const [i, passage] of passages.entries()) {
          const before = passages[i - 1];
          if (before !== undefined) {
            expect(countTokens(body.slice(passage.start, Math.max(passage.start, before.end)))).toBeLessThanOrEqual(
              overlap,
            );
          }
        }
      },
    ),
    { seed: 12, numRuns: 500 },
  );
});

test("the tokenizer of a model counts: passages of nano's tokens are full, and repeat the last words before them", async () => {
  const tokenizer = await loadTokenizer(fileURLToPath(new URL("../../../models/nano", import.meta.url)));
  const tokensOf = (body: string) => tokenizer.encode(body).length;
  const body = Array.from({ length: 60 }, (_, i) => `The building block of material ${i} is collagen.`).join(" ");
  const passages = await chunkDocument(
    { source: "a.txt", text: body },
    { size: 64, overlap: 8, countTokens: tokensOf },
  );
  const counts = passages.map((passage) => tokensOf(passage.text));
  expect(Math.max(...counts)).toBeLessThanOrEqual(64);
  expect(Math.min(...counts.slice(0, -1))).toBeGreaterThan(32);
  for (const [i, passage] of passages.slice(1).entries()) expect(passage.start).toBeLessThan(passages[i]!.end);
});

test("a text without any space is cut without being counted character by character", async () => {
  let calls = 0;
  const counted = (body: string) => {
    calls++;
    return Math.ceil(body.length / 3);
  };
  const body = "x".repeat(100_000);
  const passages = await chunkDocument(
    { source: "a.txt", text: body },
    { size: 100, overlap: 10, countTokens: counted },
  );
  expect(passages.map((passage) => passage.text).join("")).toBe(body);
  expect(calls).toBeLessThan(10_000);
});

test("what cuts alike has one name: sizes, and which tokenizer counts", () => {
  expect(chunkingName({})).toBe(chunkingName({ size: 1200, overlap: 100 }));
  const names = [{}, { size: 600 }, { countTokens }, { countTokens, tokenizer: "nano" }].map(chunkingName);
  expect(new Set(names).size).toBe(4);
});

test("a short document stays one passage, whatever its lines", async () => {
  const [passage, ...more] = await chunkDocument({
    source: "a.md",
    text: "\n# Nacre\n\nBrick and mortar.\n\n## Water\n\nSoft.\n",
  });
  expect(more).toEqual([]);
  expect(passage).toMatchObject({ text: "# Nacre\n\nBrick and mortar.\n\n## Water\n\nSoft.", start: 1 });
});

test("a document without text has no passages", async () => {
  expect(await chunkDocument({ source: "a.md", text: " \n\t" })).toEqual([]);
});

test("the id is the start of the sha-256 of source and text; a repeated passage has its own", async () => {
  const paragraph = "Silk is strong.";
  const passages = await chunkDocument(
    { source: "s.txt", text: Array(3).fill(paragraph).join("\n\n") },
    { size: 16, overlap: 0 },
  );
  const digest = (tail: string) => createHash("sha256").update(`s.txt\0${paragraph}${tail}`).digest("hex").slice(0, 16);
  expect(passages.map((p) => p.text)).toEqual([paragraph, paragraph, paragraph]);
  expect(passages.map((p) => p.id)).toEqual([digest(""), digest("\0" + "1"), digest("\0" + "2")]);
});

test("long paragraphs are cut after a sentence, and the next passage repeats whole words", async () => {
  const body = Array.from({ length: 12 }, (_, i) => `Sentence number ${i} is about bone.`).join(" ");
  const passages = await chunkDocument({ source: "a.txt", text: body }, { size: 150, overlap: 20 });
  expect(passages.length).toBeGreaterThan(2);
  for (const { text: t } of passages) expect(t).toMatch(/bone\.$/);
  const apart = await chunkDocument({ source: "a.txt", text: body }, { size: 150, overlap: 0 });
  for (const { text: t } of apart) expect(t).toMatch(/^Sentence.*bone\.$/);
  for (const { start } of passages.slice(1)) expect(body.charAt(start - 1)).toBe(" ");
  expect(passages[1]!.start).toBeLessThan(passages[0]!.end);
});

test("Markdown is cut at its headings first", async () => {
  const section = (name: string) => `## ${name}\n\n${`About ${name}, at length.\n`.repeat(5)}`;
  const passages = await chunkDocument(
    { source: "a.md", text: ["Bone", "Silk", "Nacre"].map(section).join("\n") },
    { size: 160, overlap: 0 },
  );
  expect(passages.map((p) => p.text.split("\n")[0])).toEqual(["## Bone", "## Silk", "## Nacre"]);
});

test("a character of two units is never parted", async () => {
  const passages = await chunkDocument({ source: "a.txt", text: "😀".repeat(99) }, { size: 21, overlap: 0 });
  expect(passages.map((p) => p.text).join("")).toBe("😀".repeat(99));
  for (const { text: t } of passages) expect(t).toMatch(/^(?:😀)+$/u);
});

test("a size that the overlap would fill is refused", async () => {
  await expect(chunkDocument({ source: "a", text: "b" }, { size: 100, overlap: 60 })).rejects.toThrow(
    /size 100 with overlap 60/,
  );
});
