/** @file Paths of tools: what lies in a root may be read, and nothing else, whatever links, dots and devices try. */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readDocuments } from "../../src/agents/corpus/index.js";
import { createPathGuard, defaultRoots, type PathGuard } from "../../src/tools/roots.js";
import { type SmallContext, smallContext } from "./small-context.js";
import { toolClient } from "./tool-client.js";

let base: string;
let root: string;
let guard: PathGuard;
const OUTSIDE = /lies outside the folders that tools may read .*PREFLEXOR_ROOTS/;

beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "roots-")));
  root = join(base, "open");
  for (const folder of ["open/docs", "open/.ssh", "closed", "open-beside"])
    await mkdir(join(base, folder), { recursive: true });
  for (const file of ["open/docs/a.md", "open/.ssh/key.txt", "closed/secret.md", "open-beside/b.md", "open/docs/.env"])
    await writeFile(join(base, file), "Nacre is tough.");
  await symlink(join(base, "closed"), join(root, "to-folder"));
  await symlink(join(base, "closed", "secret.md"), join(root, "to-file.md"));
  await symlink(join(base, "closed", "nothing-there"), join(root, "to-nothing"));
  await symlink(join(root, "docs"), join(root, "within"));
  execFileSync("mkfifo", [join(root, "pipe.md")]);
  guard = createPathGuard([{ path: root }]);
});
afterAll(() => rm(base, { recursive: true, force: true }));

describe("a path in a root", () => {
  it("is made absolute", async () => {
    expect(await guard.read(`${root}/docs/`)).toBe(join(root, "docs"));
    expect(await guard.read(join(root, "docs", "a.md"))).toBe(join(root, "docs", "a.md"));
  });

  it("may lead over a link that stays inside", async () => {
    expect(await guard.read(join(root, "within", "a.md"))).toBe(join(root, "within", "a.md"));
  });

  it("may be a glob, or not be there", async () => {
    expect(await guard.read(`${root}/docs/**/*.md`)).toBe(`${root}/docs/**/*.md`);
    expect(await guard.read(join(root, "none.md"))).toBe(join(root, "none.md"));
  });

  it("is found where the root itself is a link", async () => {
    const linked = join(base, "linked");
    await symlink(root, linked);
    expect(await createPathGuard([{ path: linked }]).read(join(linked, "docs"))).toBe(join(linked, "docs"));
    expect(await createPathGuard([{ path: linked }]).read(join(root, "docs"))).toBe(join(root, "docs"));
  });
});

describe("refused by name", () => {
  const outside: readonly (readonly [what: string, path: () => string])[] = [
    ["a file elsewhere", () => "/etc/passwd"],
    ["what is not there, elsewhere", () => "/etc/no-such-file"],
    ["a folder whose name begins as the root's", () => join(base, "open-beside", "b.md")],
    ["the folder above", () => base],
    ["a linked folder", () => join(root, "to-folder")],
    ["a file in a linked folder", () => join(root, "to-folder", "secret.md")],
    ["what is not there in a linked folder", () => join(root, "to-folder", "none.md")],
    ["a linked file", () => join(root, "to-file.md")],
    ["a link to nothing", () => join(root, "to-nothing")],
    ["a glob in a linked folder", () => join(root, "to-folder", "*.md")],
    ["a hidden folder", () => join(root, ".ssh", "key.txt")],
    ["a hidden file", () => join(root, "docs", ".env")],
  ];
  for (const [what, path] of outside) {
    it(what, async () => {
      await expect(guard.read(path())).rejects.toThrow(OUTSIDE);
      await expect(guard.write(path())).rejects.toThrow(/may write/);
    });
  }

  it("in the same words whether it exists or not", async () => {
    const words = (path: string): Promise<string> =>
      guard.read(path).then(
        () => "read",
        (error: Error) => error.message.replace(path, "<path>"),
      );
    for (const [there, missing] of [
      ["/etc/passwd", "/etc/no-such-file"],
      [join(root, "to-folder", "secret.md"), join(root, "to-folder", "none.md")],
      [join(root, "to-folder"), join(root, "to-nothing")],
    ] as const) {
      expect(await words(there)).toBe(await words(missing));
    }
  });

  it("what leads up, also in a glob", async () => {
    for (const path of [
      `${root}/docs/../../closed/secret.md`,
      `${root}/{docs,../closed}/*.md`,
      "..",
      `${root}/docs/..`,
    ])
      await expect(guard.read(path)).rejects.toThrow(/leads up with "\.\."/);
  });

  it("NUL bytes, network and device paths", async () => {
    await expect(guard.read(`${root}/docs\0.md`)).rejects.toThrow(/NUL byte/);
    for (const path of ["\\\\server\\share\\a.md", "//server/share", "\\\\?\\C:\\a", "\\\\.\\pipe\\x"])
      await expect(guard.read(path)).rejects.toThrow(/network or device path/);
  });

  it("a FIFO, which would be read for ever", async () => {
    await expect(guard.read(join(root, "pipe.md"))).rejects.toThrow(/FIFO/);
  });

  it("a folder that holds a link out of it, where all of it would be read", async () => {
    await expect(guard.readFolder(root)).rejects.toThrow(/leads out of the folders that tools may read/);
    expect(await guard.readFolder(join(root, "docs"))).toBe(join(root, "docs"));
  });
});

describe("a folder that is walked", () => {
  it("is refused for a linked file that leads out, by its name", async () => {
    const { problemOf } = guard;
    await expect(readDocuments(root, { problemOf })).rejects.toThrow(/to-file\.md: leads out/);
    // A glob passes links over.
    await expect(readDocuments(`${root}/*.md`, { problemOf })).rejects.toThrow(/no readable file matches/);
    const inside = await readDocuments(join(root, "docs"), { problemOf });
    expect(inside.map(({ source }) => source)).toEqual(["a.md"]);
  });
});

describe("the default roots", () => {
  const places = { userHome: "/home/me", temporary: "/tmp", platform: "linux" as const };
  const paths = (cwd: string) => defaultRoots({ ...places, cwd }).map(({ path }) => path);

  it("are the server's folder, the user's home and the temporary one", () => {
    expect(paths("/srv/work")).toEqual(["/srv/work", "/home/me", "/tmp"]);
  });

  it("leave out a server's folder that nobody chose, or that is above the home", () => {
    expect(paths("/")).toEqual(["/home/me", "/tmp"]);
    expect(paths("/home")).toEqual(["/home/me", "/tmp"]);
    expect(paths("/home/me")).toEqual(["/home/me", "/tmp"]);
  });

  it("hold nothing of what programs keep in a home", async () => {
    const home = join(base, "mac");
    await mkdir(join(home, "Library"), { recursive: true });
    const mac = createPathGuard(defaultRoots({ cwd: "/", userHome: home, temporary: "/nowhere", platform: "darwin" }));
    await expect(mac.read(join(home, "Library", "keys.txt"))).rejects.toThrow(OUTSIDE);
    expect(await mac.read(join(home, "notes"))).toBe(join(home, "notes"));
  });
});

describe("through ingest-corpus", () => {
  let context: SmallContext;
  beforeAll(async () => {
    context = await smallContext();
    Object.assign(context, { paths: guard });
  });

  it("a path outside is refused before anything is read, and what was ingested stays", async () => {
    const { call, refusal } = await toolClient(context);
    await call("ingest-corpus", { path: join(root, "docs") });
    expect(await refusal("ingest-corpus", { path: "/etc" })).toMatch(OUTSIDE);
    expect(await refusal("ingest-corpus", { path: root })).toMatch(/to-file\.md: leads out/);
    expect(await refusal("ingest-corpus", { path: join(root, "pipe.md") })).toMatch(/FIFO/);
    expect(await context.activeCorpus()).toMatchObject({ path: join(root, "docs") });
  });

  it("a corpus above the limit is refused with what to do", async () => {
    Object.assign(context, { corpusLimits: { totalBytes: 4 } });
    const { refusal } = await toolClient(context);
    expect(await refusal("ingest-corpus", { path: join(root, "docs") })).toMatch(/at most 4 are read at once/);
  });
});
