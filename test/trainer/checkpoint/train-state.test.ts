import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type FileWriter, readVerified, writeDurably } from "../../../src/trainer/checkpoint/train-state.js";
import { tempDir } from "./temp-dir.js";

const file =
  (name: string, content: string): FileWriter =>
  async (dir) => {
    await mkdir(join(dir, name, ".."), { recursive: true });
    await writeFile(join(dir, name), content);
  };

const broken: FileWriter = async (dir) => {
  await writeFile(join(dir, "half.bin"), "half");
  throw new Error("disk full");
};

async function checkpoint(content = "one"): Promise<string> {
  const dir = join(await tempDir(), "checkpoint-1");
  await writeDurably(dir, [file("theta.bin", content), file("sub/notes.json", "{}")], { model: "abc", seed: 7 });
  return dir;
}

describe("writeDurably", () => {
  it("gives identity and files back when verified", async () => {
    const dir = await checkpoint();
    expect(await readVerified(dir)).toEqual({
      path: dir,
      identity: { model: "abc", seed: 7 },
      files: ["sub/notes.json", "theta.bin"],
    });
  });
  it("writes the size and SHA-256 of every file into the manifest", async () => {
    const manifest = JSON.parse(await readFile(join(await checkpoint("abc"), "manifest.json"), "utf8"));
    // SHA-256 of "abc": FIPS 180-2, appendix B.1.
    const sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    expect(manifest.files["theta.bin"]).toEqual({ bytes: 3, sha256 });
  });
  it("leaves nothing half-written when a writer throws", async () => {
    const parent = await tempDir();
    const writing = writeDurably(join(parent, "checkpoint-1"), [file("a", "a"), broken], {});
    await expect(writing).rejects.toThrow("disk full");
    expect(await readdir(parent)).toEqual([]);
  });
  it("leaves the old directory as it was when a writer throws", async () => {
    const dir = await checkpoint("old");
    await expect(writeDurably(dir, [broken], {})).rejects.toThrow("disk full");
    expect((await readVerified(dir)).identity).toEqual({ model: "abc", seed: 7 });
    expect(await readFile(join(dir, "theta.bin"), "utf8")).toBe("old");
    expect(await readdir(join(dir, ".."))).toEqual(["checkpoint-1"]);
  });
  it("replaces an old directory whole", async () => {
    const dir = await checkpoint("old");
    await writeDurably(dir, [file("new.bin", "new")], { seed: 8 });
    expect(await readVerified(dir)).toMatchObject({ identity: { seed: 8 }, files: ["new.bin"] });
    expect((await readdir(dir)).sort()).toEqual(["manifest.json", "new.bin"]);
    expect(await readdir(join(dir, ".."))).toEqual(["checkpoint-1"]);
  });
  it("calls the first writer while the old directory still stands", async () => {
    const dir = await checkpoint("old");
    const look: FileWriter = async () => expect(await readFile(join(dir, "theta.bin"), "utf8")).toBe("old");
    await writeDurably(dir, [look, file("theta.bin", "new")], {});
    expect(await readFile(join(dir, "theta.bin"), "utf8")).toBe("new");
  });
});

describe("readVerified", () => {
  it.each<[string, (dir: string) => Promise<unknown>, RegExp]>([
    ["a changed byte", (dir) => writeFile(join(dir, "theta.bin"), "onf"), /theta\.bin: its content changed/],
    ["a truncated file", (dir) => writeFile(join(dir, "theta.bin"), "on"), /theta\.bin: expected 3 bytes, found 2/],
    ["a missing file", (dir) => rm(join(dir, "sub/notes.json")), /sub\/notes\.json: missing/],
    ["a missing manifest", (dir) => rm(join(dir, "manifest.json")), /is no checkpoint: it has no manifest\.json/],
    ["a truncated manifest", (dir) => writeFile(join(dir, "manifest.json"), "{"), /manifest\.json is not readable/],
    ["a directory that is gone", (dir) => rm(dir, { recursive: true }), /is no checkpoint/],
  ])("names %s", async (_, damage, message) => {
    const dir = await checkpoint();
    await damage(dir);
    await expect(readVerified(dir)).rejects.toThrow(message);
  });
  it("finds the version before, where a crash fell between the two renames", async () => {
    const dir = await checkpoint();
    await rename(dir, `${dir}.previous`);
    expect((await readVerified(dir)).path).toBe(`${dir}.previous`);
  });
});
