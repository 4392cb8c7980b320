/** @file Durable checkpoints: a directory with a manifest of sizes and SHA-256, verified before anything in it is used. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { exists, previousPath, syncPath, writeStagedDirectory } from "./staged-directory.js";

export const MANIFEST_NAME = "manifest.json";

const manifestSchema = z.object({
  format: z.literal("preflexor-checkpoint/1"),
  identity: z.record(z.string(), z.unknown()),
  files: z.record(z.string(), z.object({ bytes: z.number().int().nonnegative(), sha256: z.string().length(64) })),
});

type Manifest = z.infer<typeof manifestSchema>;

/** Writes its files into the directory it is given. */
export type FileWriter = (stagingDir: string) => Promise<void>;

/**
 * Writes a checkpoint that readers see whole or not at all: staging directory, files, fsync of each, manifest last,
 * fsync of the directory, rename, fsync of the parent. `identity` is what a resume compares before it loads anything
 * (base model hash, layout, seeds, cursor). If a writer throws, `dir` is as it was.
 */
export async function writeDurably(
  dir: string,
  writers: readonly FileWriter[],
  identity: Readonly<Record<string, unknown>>,
): Promise<void> {
  await writeStagedDirectory(
    dir,
    async (staging) => {
      for (const write of writers) await write(staging);
    },
    async (staging) => {
      const files: Manifest["files"] = {};
      for (const name of await listFiles(staging)) files[name] = await digest(join(staging, name));
      const manifest: Manifest = { format: "preflexor-checkpoint/1", identity, files };
      await writeFile(join(staging, MANIFEST_NAME), `${JSON.stringify(manifest, null, 2)}\n`);
      await syncPath(join(staging, MANIFEST_NAME));
    },
  );
}

/** A checkpoint of which every byte has been checked. */
export interface VerifiedDir {
  /** Where the files are: `dir`, or the version before it where a crash fell between two renames. */
  readonly path: string;
  readonly identity: Readonly<Record<string, unknown>>;
  readonly files: readonly string[];
}

/** Checks manifest, sizes and hashes of a checkpoint. Throws one error that names every file that is not as written. */
export async function readVerified(dir: string): Promise<VerifiedDir> {
  const path = (await exists(dir)) || !(await exists(previousPath(dir))) ? resolve(dir) : previousPath(dir);
  const manifest = await readManifest(path);
  const problems: string[] = [];
  for (const [name, expected] of Object.entries(manifest.files)) {
    const problem = await checkFile(path, name, expected);
    if (problem) problems.push(`${name}: ${problem}`);
  }
  if (problems.length > 0) {
    const list = problems.map((problem) => `\n  - ${problem}`).join("");
    throw new Error(`checkpoint ${path} is damaged:${list}\nResume from an older checkpoint.`);
  }
  return { path, identity: manifest.identity, files: Object.keys(manifest.files) };
}

async function readManifest(path: string): Promise<Manifest> {
  const file = join(path, MANIFEST_NAME);
  const text = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT" && cause.code !== "ENOTDIR") throw cause;
    throw new Error(`${path} is no checkpoint: it has no ${MANIFEST_NAME}; give a checkpoint-<step> directory`, {
      cause,
    });
  });
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(
      `checkpoint ${path} is damaged: ${MANIFEST_NAME} is not readable; resume from an older checkpoint`,
      {
        cause,
      },
    );
  }
}

async function checkFile(dir: string, name: string, expected: Manifest["files"][string]): Promise<string | undefined> {
  if (name.split(/[\\/]/).includes("..")) return "a name that leads out of the directory";
  const file = join(dir, name);
  if (!(await exists(file))) return "missing";
  const { size } = await stat(file);
  if (size !== expected.bytes) return `expected ${expected.bytes} bytes, found ${size}`;
  return (await digest(file)).sha256 === expected.sha256 ? undefined : "its content changed (SHA-256 differs)";
}

async function digest(file: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(file)) {
    bytes += (chunk as Buffer).length;
    hash.update(chunk as Buffer);
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** Paths below `dir`, with forward slashes, sorted. */
async function listFiles(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile());
  const root = dir.length + 1;
  return files.map((entry) => join(entry.parentPath, entry.name).slice(root).replaceAll("\\", "/")).sort();
}
