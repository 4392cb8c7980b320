/** @file The house as a test: who may import whom, which outside packages live where, and that docs/architecture.md says the same. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const SRC = join(ROOT, "src");

interface Room {
  readonly floor: number;
  /** Outside packages, by prefix; "node:" built-ins are free from floor 1 up. */
  readonly packages: readonly string[];
}

/** Longest prefix wins. Floors: a file imports from its own room and from rooms on lower floors. */
const ROOMS: Readonly<Record<string, Room>> = {
  "trainer/graph": { floor: 0, packages: [] },
  "trainer/autodiff": { floor: 1, packages: [] },
  "trainer/onnx": { floor: 1, packages: [] },
  "trainer/checkpoint": { floor: 1, packages: ["zod"] },
  "trainer/hub": { floor: 1, packages: ["@huggingface/hub", "zod"] },
  "trainer/text": { floor: 1, packages: ["@huggingface/tokenizers", "@huggingface/jinja", "hyparquet", "zod"] },
  "trainer/model": { floor: 2, packages: [] },
  "trainer/losses": { floor: 2, packages: [] },
  "trainer/optim": { floor: 2, packages: [] },
  "trainer/runtime": { floor: 2.5, packages: ["onnxruntime-node"] },
  "trainer/decode": { floor: 2.8, packages: [] },
  "trainer/embed": { floor: 2.8, packages: [] },
  "trainer/run": { floor: 3, packages: ["@opentelemetry/api"] },
  "trainer/loop": { floor: 3.2, packages: ["@opentelemetry/api", "zod"] },
  "trainer/generate": { floor: 3.2, packages: [] },
  "trainer/index.ts": { floor: 3.5, packages: [] },
  agents: {
    floor: 4,
    packages: ["langchain", "@langchain/", "chromadb", "graphology", "tinyglobby", "@opentelemetry/api", "zod"],
  },
  tools: { floor: 5, packages: ["@modelcontextprotocol/", "@opentelemetry/api", "@langchain/core", "zod"] },
  // In the browser: of the rooms below it knows shapes alone, and the server carries it as files.
  page: { floor: 5.5, packages: ["preact", "uplot", "cytoscape", "diff", "@modelcontextprotocol/ext-apps"] },
  server: {
    floor: 6,
    packages: [
      "@modelcontextprotocol/",
      "@opentelemetry/api",
      "@langchain/core",
      "langchain",
      "zod",
      "commander",
      "cli-progress",
      "jose",
      "pino",
    ],
  },
  "index.ts": { floor: 7, packages: [] },
};

/** The user asked for these; each must do real work. */
const REQUIRED_PACKAGES = [
  "@modelcontextprotocol/sdk",
  "langchain",
  "@langchain/community",
  "onnxruntime-node",
  "chromadb",
  "zod",
];

const files = (readdirSync(SRC, { recursive: true }) as string[])
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => /\.tsx?$/.test(path))
  .sort();

function roomOf(file: string): readonly [string, Room] {
  const name = Object.keys(ROOMS)
    .filter((room) => file === room || file.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
  if (name === undefined)
    throw new Error(`${file} lies in no room: give it one in test/layering.test.ts and docs/architecture.md`);
  return [name, ROOMS[name] as Room];
}

interface Import {
  readonly file: string;
  /** A path below src, or a package. */
  readonly target: string;
  readonly local: boolean;
  readonly typeOnly: boolean;
}

const STATEMENT =
  /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"|\bimport\("([^"]+)"\)|require\.resolve\("([^"]+)"\)/g;

/** The source that a compiled name stands for. */
const sourceOf = (path: string): string =>
  [path.replace(/\.js$/, ".ts"), path.replace(/\.js$/, ".tsx")].find((name) => files.includes(name)) ??
  path.replace(/\.js$/, ".ts");

const imports: readonly Import[] = files.flatMap((file) =>
  [...readFileSync(join(SRC, file), "utf8").matchAll(STATEMENT)].map((match): Import => {
    const specifier = (match[2] ?? match[3] ?? match[4]) as string;
    const local = specifier.startsWith(".");
    const target = local ? sourceOf(normalize(join(dirname(file), specifier)).replaceAll("\\", "/")) : specifier;
    return { file, target, local, typeOnly: match[1] !== undefined };
  }),
);

const inPage = (path: string): boolean => path.startsWith("page/");

describe("the layering", () => {
  it("gives every file a room", () => {
    expect(files.length).toBeGreaterThan(50);
    for (const file of files) expect(() => roomOf(file)).not.toThrow();
  });

  it("lets a file import only its own room and lower floors", () => {
    const bad = imports.filter(({ file, target, local }) => {
      if (!local) return false;
      const [from, room] = roomOf(file);
      const [to, other] = roomOf(target);
      return from !== to && other.floor >= room.floor;
    });
    expect(bad.map(({ file, target }) => `${file} -> ${target}`)).toEqual([]);
  });

  it("keeps every outside package in its rooms", () => {
    const bad = imports.filter(({ file, target, local }) => {
      if (local) return false;
      const [, room] = roomOf(file);
      if (target.startsWith("node:")) return room.floor === 0;
      return !room.packages.some(
        (prefix) => target === prefix || target.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`),
      );
    });
    expect(bad.map(({ file, target }) => `${file} -> ${target}`)).toEqual([]);
  });

  it("lets the browser's room know shapes alone, and nobody the browser's room", () => {
    const fromPage = imports.filter(({ file, target, local }) => local && inPage(file) && !inPage(target));
    expect(fromPage.length).toBeGreaterThan(5);
    expect(fromPage.filter(({ target, typeOnly }) => target !== "tools/views/types.ts" || !typeOnly)).toEqual([]);
    expect(imports.filter(({ file, target }) => !inPage(file) && inPage(target))).toEqual([]);
  });

  it("imports every package that the user required", () => {
    const used = imports.filter(({ local, typeOnly }) => !local && !typeOnly).map(({ target }) => target);
    for (const name of REQUIRED_PACKAGES) {
      expect(
        used.some((target) => target === name || target.startsWith(`${name}/`)),
        name,
      ).toBe(true);
    }
  });

  it("reads process.env in one file", () => {
    const readers = files.filter((file) => /\bprocess\.env\b/.test(readFileSync(join(SRC, file), "utf8")));
    expect(readers).toEqual(["server/config.ts"]);
  });

  it("has no cycle of runtime imports", () => {
    const next = new Map<string, string[]>();
    for (const { file, target, local, typeOnly } of imports) {
      if (local && !typeOnly) next.set(file, [...(next.get(file) ?? []), target]);
    }
    const done = new Set<string>();
    const walk = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) throw new Error(`cycle: ${[...path.slice(path.indexOf(file)), file].join(" -> ")}`);
      if (done.has(file)) return;
      for (const target of next.get(file) ?? []) walk(target, [...path, file]);
      done.add(file);
    };
    for (const file of files) walk(file, []);
  });

  it("is what docs/architecture.md describes: each file has its line, each line its file, and the floors agree", () => {
    const page = readFileSync(join(ROOT, "docs/architecture.md"), "utf8");
    const listed = [...page.matchAll(/^src\/(\S+\.tsx?)\s+\S/gm)].map((match) => match[1] as string);
    expect(listed.toSorted()).toEqual(files);
    for (const [name, { floor }] of Object.entries(ROOMS)) {
      if (name.endsWith(".ts")) continue;
      expect(page, `floor of ${name}`).toMatch(new RegExp(`^\\| ${floor} \\|[^\\n]*\`${name}\``, "m"));
    }
  });
});
