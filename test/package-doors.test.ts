/** @file The package's doors as others see them: found by its name, from a folder outside, with types; and cheap where that was promised. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);

/** What a user's program imports, by door; types are taken with `typeof`, so a missing one does not compile. */
const DOORS = {
  preflexor: [
    "ingest",
    "openPassageStore",
    "teach",
    "recursiveReason",
    "createContext",
    "createServer",
    "openChatModel",
  ],
  "preflexor/trainer": ["openPolicy", "loadTokenizer", "train", "preferencePairSchema"],
  "preflexor/langchain": [
    "langChainTools",
    "EngineChatModel",
    "EngineEmbeddings",
    "PassageRetriever",
    "orchestrate",
    "createPlanner",
  ],
} as const;

let outside: string;

beforeAll(async () => {
  outside = await mkdtemp(join(tmpdir(), "preflexor-doors-"));
  await mkdir(join(outside, "node_modules"));
  await symlink(ROOT, join(outside, "node_modules", "preflexor"), "junction");
});

it("have what they promise at run time, each by itself", async () => {
  for (const [door, names] of Object.entries(DOORS)) {
    const program = `const door = await import(${JSON.stringify(door)});
      console.log(JSON.stringify(${JSON.stringify(names)}.filter((name) => door[name] === undefined)));`;
    const file = join(outside, "door.mjs");
    await writeFile(file, program);
    const { stdout } = await run(process.execPath, [file], { cwd: outside });
    expect(JSON.parse(stdout), door).toEqual([]);
  }
});

it("have types that a strict project compiles against, and that refuse a name that is not there", async () => {
  const uses = Object.entries(DOORS).map(([door, names], i) => {
    const types = names.map((name) => `typeof door${i}.${name}`).join(", ");
    return `import type * as door${i} from "${door}";\nexport type Door${i} = [${types}];`;
  });
  const wrong =
    'import type { langChainToolz } from "preflexor/langchain";\nexport type Wrong = typeof langChainToolz;';
  await writeFile(join(outside, "right.ts"), uses.join("\n"));
  await writeFile(join(outside, "wrong.ts"), wrong);
  const options = [
    "--noEmit",
    "--strict",
    "--skipLibCheck",
    "--module",
    "nodenext",
    "--target",
    "es2023",
    "--types",
    "",
  ];
  const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  const compile = (file: string) =>
    run(process.execPath, [tsc, ...options, file], { cwd: outside }).catch(({ stdout }: { stdout: string }) => ({
      stdout,
    }));
  expect((await compile("right.ts")).stdout).toBe("");
  expect((await compile("wrong.ts")).stdout).toMatch(/wrong\.ts.*has no exported member .*langChainToolz/);
});

it("closes what is not a door", async () => {
  const file = join(outside, "inside.mjs");
  await writeFile(file, 'await import("preflexor/dist/tools/index.js");');
  await expect(run(process.execPath, [file], { cwd: outside })).rejects.toThrow(/ERR_PACKAGE_PATH_NOT_EXPORTED/);
});

/** Packages that a file of dist/ loads when it is imported, by walking its static imports. */
function loadedBy(entry: string): Set<string> {
  const packages = new Set<string>();
  const seen = new Set<string>();
  const walk = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = readFileSync(file, "utf8");
    for (const [, from = ""] of text.matchAll(/^(?:import|export)\s(?:[^"';]*?\sfrom\s)?"([^"]+)"/gm)) {
      if (from.startsWith(".")) walk(join(dirname(file), from));
      else if (!from.startsWith("node:")) packages.add(from);
    }
  };
  walk(join(ROOT, entry));
  return packages;
}

it("load LangChain's core and nothing heavier where the LangChain door is imported", () => {
  const packages = [...loadedBy("dist/tools/langchain.js")];
  expect(packages).toContain("@langchain/core/tools");
  // OpenTelemetry's API package is types and a registry of what a user installs.
  const light = ["zod", "@opentelemetry/api"];
  expect(packages.filter((name) => !light.includes(name) && !name.startsWith("@langchain/core/"))).toEqual([]);
});
