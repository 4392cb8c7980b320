/** @file Run directories: what is taken for a run, and what is removed and what never is. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import {
  createRunDirectory,
  openRunDirectory,
  removalProblem,
  removeRun,
  runNames,
  runPath,
} from "../../../src/agents/teaching/run-directory.js";
import { lockRun } from "../../../src/agents/teaching/run-lock.js";
import { tempDir } from "../../trainer/checkpoint/temp-dir.js";

const CREATED = new Date("2026-03-01T10:20:30.500Z");
const DEMO = { seed: 7, model: "/m/nano", corpus: null, rounds: 3, pairs: 8 };
const V1 = { format: "preflexor-run", version: 1, kind: "teach", created: CREATED.toISOString(), request: { seed: 7 } };
let home: string;
let runs: string;
beforeEach(async () => {
  home = await tempDir();
  runs = join(home, "runs");
});

async function folder(path: string, runFile?: unknown): Promise<string> {
  await mkdir(path, { recursive: true });
  const text = typeof runFile === "string" ? runFile : JSON.stringify(runFile);
  if (runFile !== undefined) await writeFile(join(path, "run.json"), text);
  return path;
}
const teach = () => createRunDirectory(home, { kind: "teach", request: { seed: 7 }, created: CREATED });
const reason = (path: string): Promise<unknown> =>
  openRunDirectory(path).then(
    () => "it opened",
    (error) => `${error.reason}: ${error.message}`,
  );

describe("a new run directory", () => {
  it("is named by kind and time, and its run.json says format, version, kind, time and request", async () => {
    const run = await teach();
    expect(run.path).toBe(join(runs, "teach-2026-03-01T10-20-30"));
    expect(JSON.parse(await readFile(join(run.path, "run.json"), "utf8"))).toEqual(V1);
    expect(await readdir(run.path)).toEqual(["run.json"]);
    expect(await openRunDirectory(run.path)).toEqual(run);
  });

  it("never takes a directory that is there, also where many are made at once", async () => {
    const made = await Promise.all(Array.from({ length: 6 }, teach));
    expect(new Set(made.map(({ name }) => name)).size).toBe(6);
    expect(made.map(({ name }) => name).sort()[1]).toBe("teach-2026-03-01T10-20-30-2");
  });

  it("is refused with the way out where the home cannot be written", async () => {
    const file = join(home, "file");
    await writeFile(file, "");
    const made = createRunDirectory(join(file, "below"), { kind: "demo", request: {} });
    await expect(made).rejects.toThrow(/runs cannot be kept in .*--home or PREFLEXOR_HOME/);
  });
});

describe("a run directory", () => {
  it("of a newer version is refused by name, whatever else it says", async () => {
    const path = await folder(join(runs, "x"), { format: "preflexor-run", version: 2, steps: "new" });
    expect(await reason(path)).toMatch(
      /^newer: .*x was made by a newer version: its format is 2, this one knows up to 1/,
    );
  });

  it("of the demo from before there was a format is version 0, and its name says when it was made", async () => {
    const path = await folder(join(runs, "2026-03-01T10-20-30-seed7"), DEMO);
    expect(await openRunDirectory(path)).toMatchObject({
      version: 0,
      kind: "demo",
      created: "2026-03-01T10:20:30.000Z",
      request: DEMO,
    });
  });

  it("of the tools from before there was a format is known by its name", async () => {
    const path = await folder(join(runs, "tools-2026-03-01T10-20-30"));
    expect(await openRunDirectory(path)).toMatchObject({ version: 0, kind: "tools", request: {} });
    expect(await reason(await folder(join(runs, "tools-of-mine")))).toMatch(/^not-a-run: .*has no run\.json/);
  });

  it("that was cut off before it had a run.json can be removed in the folder of runs", async () => {
    const path = await folder(join(runs, "teach-2026-03-01T10-20-30"));
    await writeFile(join(path, "run.json.tmp"), "{");
    expect(await reason(path)).toMatch(/^damaged: .*the run was cut off while it was made/);
    await removeRun(path, { home });
    expect(await runNames(home)).toEqual([]);
  });

  it.each([
    ["half a file", '{"format": "preflexor-run", "ver', /^damaged: .*run\.json is damaged: /],
    ["an unknown kind", { ...V1, kind: "dream" }, /^damaged: .*kind/],
    ["no time", { ...V1, created: "yesterday" }, /^damaged: .*created/],
    ["version 0 with a format", { ...V1, version: 0 }, /^damaged: .*version/],
    ["a run.json of something else", { name: "npm" }, /^not-a-run: .*expected "format": "preflexor-run"/],
    ["a list", [], /^not-a-run: /],
  ])("with %s is refused with the reason", async (_, content, expected) => {
    expect(await reason(await folder(join(runs, "x"), content))).toMatch(expected);
  });

  it("that is not there, or a file, is missing; a folder as run.json is damaged", async () => {
    await folder(runs);
    await writeFile(join(runs, "file"), "");
    expect(await reason(join(runs, "none"))).toMatch(/^missing: there is no run .*preflexor runs list/);
    expect(await reason(join(runs, "file"))).toMatch(/^missing: /);
    await mkdir(join(runs, "x/run.json"), { recursive: true });
    expect(await reason(join(runs, "x"))).toMatch(/^damaged: /);
  });

  it("is named by the last part of its path below the home, or by a path", () => {
    expect(runPath(home, "teach-1")).toBe(join(runs, "teach-1"));
    expect(runPath(home, "./teach-1")).toBe(join(process.cwd(), "teach-1"));
    expect(runPath(home, "/elsewhere/run")).toBe("/elsewhere/run");
    expect(runPath(home, "..")).toBe(join(process.cwd(), ".."));
  });

  it("is listed beside others in the order of names; files are not", async () => {
    expect(await runNames(home)).toEqual([]);
    await folder(join(runs, "b"));
    await folder(join(runs, "a"));
    await writeFile(join(runs, "c"), "");
    await symlink("/nowhere", join(runs, "d"));
    expect(await runNames(home)).toEqual(["a", "b", "d"]);
  });
});

describe("removing a run", () => {
  it("removes its folder with all that is in it, and nothing beside it", async () => {
    const run = await teach();
    const other = await teach();
    await mkdir(join(run.path, "checkpoint-4/deep"), { recursive: true });
    await writeFile(join(run.path, "checkpoint-4/deep/x"), "x");
    await removeRun(run.path, { home });
    expect(await readdir(runs)).toEqual([other.name]);
  });

  it("removes links inside, and leaves what they lead to", async () => {
    const run = await teach();
    const outside = await folder(join(home, "precious"));
    await writeFile(join(outside, "file"), "kept");
    await symlink(outside, join(run.path, "adapter"));
    await symlink(join(outside, "file"), join(run.path, "pairs.jsonl"));
    await removeRun(run.path, { home });
    expect(existsSync(run.path)).toBe(false);
    expect(await readFile(join(outside, "file"), "utf8")).toBe("kept");
  });

  it("refuses a link to a run, in the folder of runs or elsewhere", async () => {
    const run = await teach();
    const link = join(runs, "link");
    await symlink(run.path, link);
    await expect(removeRun(link, { home })).rejects.toThrow(/is a link, which is not followed/);
    await expect(removeRun(`${link}/`, { home })).rejects.toThrow(/is a link/);
    expect(existsSync(join(run.path, "run.json"))).toBe(true);
  });

  it("removes in the folder of runs also what is damaged or newer, but nothing that never was a run", async () => {
    const damaged = await folder(join(runs, "damaged"), "{");
    const newer = await folder(join(runs, "newer"), { ...V1, version: 9 });
    const mine = await folder(join(runs, "mine"));
    await removeRun(damaged, { home });
    await removeRun(newer, { home });
    await expect(removeRun(mine, { home })).rejects.toThrow(/is no run/);
    expect(await runNames(home)).toEqual(["mine"]);
  });

  it("goes also where the folder of runs is itself a link to a larger disk", async () => {
    const disk = await folder(join(home, "disk"));
    await symlink(disk, runs);
    const run = await teach();
    await removeRun(run.path, { home });
    expect(await readdir(disk)).toEqual([]);
  });

  it("elsewhere needs a run.json that can be read", async () => {
    const elsewhere = await tempDir();
    const good = await folder(join(elsewhere, "good"), DEMO);
    const damaged = await folder(join(elsewhere, "damaged"), "{");
    const tools = await folder(join(elsewhere, "tools-2026-03-01T10-20-30"));
    const inner = await folder(join(runs, "x/checkpoint-3"));
    await removeRun(good, { home });
    await expect(removeRun(damaged, { home })).rejects.toThrow(/is damaged/);
    await expect(removeRun(tools, { home })).rejects.toThrow(/has no run\.json and does not lie in/);
    await expect(removeRun(inner, { home })).rejects.toThrow(/is no run/);
    await expect(removeRun(elsewhere, { home })).rejects.toThrow(/is no run/);
    await expect(removeRun(join(runs, "none"), { home })).rejects.toThrow(/there is no run/);
    expect((await readdir(elsewhere)).sort()).toEqual(["damaged", "tools-2026-03-01T10-20-30"]);
  });

  it("never removes a folder that the home lies in, even if it has a run.json", async () => {
    const outer = await folder(join(await tempDir(), "outer"), V1);
    const within = await folder(join(outer, "home"));
    await expect(removeRun(outer, { home: within })).rejects.toThrow(/is not removed: .*home lies in it/);
    expect(existsSync(within)).toBe(true);
  });

  it("is refused while the run is in use, by the process's number, and changes nothing", async () => {
    const run = await teach();
    await writeFile(join(run.path, "pairs.jsonl"), "{}\n");
    const release = await lockRun(run.path);
    await expect(removeRun(run.path, { home })).rejects.toThrow(`is in use by process ${process.pid}`);
    expect(await removalProblem(run.path, { home })).toMatch(/is in use by process/);
    expect((await readdir(run.path)).sort()).toEqual(["pairs.jsonl", "run.json", "run.lock"]);
    await release();
    expect(await removalProblem(run.path, { home })).toBeUndefined();
    await removeRun(run.path, { home });
    expect(existsSync(run.path)).toBe(false);
  });
});
