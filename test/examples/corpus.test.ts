/** @file The example corpus keeps its shape: enough articles, of like length, one title each, nothing said twice. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const FOLDER = new URL("../../examples/corpus/", import.meta.url);
const MIN_WORDS = 300;
const MAX_WORDS = 600;

const articles = readdirSync(fileURLToPath(FOLDER))
  .filter((name) => name.endsWith(".md"))
  .map((name) => ({ name, text: readFileSync(new URL(name, FOLDER), "utf8") }));

function sentencesOf(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"))
    .flatMap((line) => line.split(/(?<=[.!?])\s+/))
    .map((sentence) => sentence.trim().toLowerCase())
    .filter((sentence) => sentence !== "");
}

describe("the example corpus", () => {
  test("holds at least 30 articles", () => {
    expect(articles.length).toBeGreaterThanOrEqual(30);
  });

  test("keeps each article between 300 and 600 words", () => {
    const outside = articles
      .map(({ name, text }) => ({ name, words: text.split(/\s+/).filter(Boolean).length }))
      .filter(({ words }) => words < MIN_WORDS || words > MAX_WORDS);
    expect(outside).toEqual([]);
  });

  test("gives each article exactly one title, on its first line, unlike any other", () => {
    const titles = articles.map(({ name, text }) => {
      const found = text.split("\n").filter((line) => /^# \S/.test(line));
      expect(found, name).toHaveLength(1);
      expect(text.split("\n")[0], name).toBe(found[0]);
      return found[0];
    });
    expect(new Set(titles).size).toBe(articles.length);
  });

  test("names each file in kebab case", () => {
    const odd = articles.map(({ name }) => name).filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*\.md$/.test(name));
    expect(odd).toEqual([]);
  });

  test("says no sentence twice", () => {
    const firstSeen = new Map<string, string>();
    const repeated: string[] = [];
    for (const { name, text } of articles) {
      for (const sentence of sentencesOf(text)) {
        const earlier = firstSeen.get(sentence);
        if (earlier !== undefined) repeated.push(`${earlier} and ${name}: ${sentence}`);
        else firstSeen.set(sentence, name);
      }
    }
    expect(repeated).toEqual([]);
  });
});
