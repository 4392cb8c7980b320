/** @file The cache of replies on the disk: found again, never half a reply, never two questions for one. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openCallCache } from "../../../src/agents/calls/call-cache.js";

const key = "ab".repeat(32);
const reply = { type: "ai", data: { content: "Tablets slide." } };
let folder = "";
const damaged: string[] = [];
const open = () => openCallCache(folder, (_, why) => damaged.push(why));
const file = () => join(folder, "ab", `${key}.json`);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "call-cache-"));
  damaged.length = 0;
});
afterEach(() => rm(folder, { recursive: true }));

test("a reply is asked for once, also by another process later", async () => {
  const ask = vi.fn(async () => reply);
  expect(await open().get(key, ask)).toEqual({ reply, kept: false });
  expect(await open().get(key, ask)).toEqual({ reply, kept: true });
  expect(ask).toHaveBeenCalledTimes(1);
  expect(await readdir(join(folder, "ab"))).toEqual([`${key}.json`]);
});

test("who asks the same at the same time gets the same reply", async () => {
  const cache = open();
  let asked = 0;
  const ask = async () => ({ data: ++asked });
  const replies = await Promise.all([cache.get(key, ask), cache.get(key, ask), cache.get(key, ask)]);
  expect(replies.map(({ reply }) => reply)).toEqual([{ data: 1 }, { data: 1 }, { data: 1 }]);
});

test("what failed is not kept, and who waited for it asks for itself", async () => {
  const cache = open();
  const [first, second] = await Promise.allSettled([
    cache.get(key, () => Promise.reject(new Error("quota exceeded"))),
    cache.get(key, async () => reply),
  ]);
  expect(first).toMatchObject({ status: "rejected", reason: { message: "quota exceeded" } });
  expect(second).toMatchObject({ status: "fulfilled", value: { reply, kept: false } });
});

test.each([
  ["cut short", (text: string) => text.slice(0, -20), /JSON|Unterminated|Expected/],
  ["empty", () => "", /JSON/],
  ["changed in its reply", (text: string) => text.replace("slide", "glide"), /digest/],
  ["of another call", (text: string) => text.replaceAll("abab", "acac"), /expected the key abab/],
  ["of another version", (text: string) => text.replace('"version":1', '"version":2'), /version/],
  ["a list", () => "[1]", /object/],
])("an entry that is %s is told, asked for again and replaced", async (_, damage, why) => {
  await open().get(key, async () => reply);
  await writeFile(file(), damage(await readFile(file(), "utf8")));
  expect(await open().get(key, async () => ({ data: "again" }))).toEqual({ reply: { data: "again" }, kept: false });
  expect(damaged).toHaveLength(1);
  expect(damaged[0]).toMatch(why);
  expect((await open().get(key, () => Promise.reject(new Error("asked")))).reply).toEqual({ data: "again" });
});

test("a folder that cannot be written to is named, with what to do", async () => {
  await writeFile(join(folder, "ab"), "a file where a folder belongs");
  await expect(open().get(key, async () => reply)).rejects.toThrow(/cached reply .* cannot be read: remove it/);
});
