/** @file `preflexor runs`: what is printed, what is asked, and what is never removed. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createRunDirectory, lockRun } from "../../src/agents/index.js";
import { runCli } from "../../src/server/cli.js";
import { type RunsRequest, runRuns, type Terminal } from "../../src/server/runs-run.js";
import { capturedOutput } from "../support/captured-output.js";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));
const NOW = new Date("2026-06-30T00:00:00Z");
const DAY_MS = 86_400_000;

let home: string;
let printed: { out: string; err: string };
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "preflexor-runs-"));
  printed = capturedOutput();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(home, { recursive: true, force: true });
});

/** A run that was last written to `days` before NOW. */
async function run(days: number, pairs = 2): Promise<string> {
  const created = new Date(NOW.getTime() - days * DAY_MS);
  const { path, name } = await createRunDirectory(home, {
    kind: "teach",
    request: { model: "/m/nano", seed: 7 },
    created,
  });
  await writeFile(join(path, "pairs.jsonl"), "{}\n".repeat(pairs));
  await writeFile(join(path, "metrics.jsonl"), '{"step":12,"loss":0.75}\n');
  for (const file of await readdir(path)) await utimes(join(path, file), created, created);
  return name;
}
const noTerminal: Terminal = { interactive: false, ask: () => Promise.reject(new Error("asked without a terminal")) };
function answering(answer: string): Terminal & { questions: string[] } {
  const questions: string[] = [];
  return {
    interactive: true,
    questions,
    ask: async (question) => {
      questions.push(question);
      return answer;
    },
  };
}
const shared = () => ({ home, json: false, verbose: false });
const remove = (request: Partial<Extract<RunsRequest, { action: "remove" }>>, terminal: Terminal = noTerminal) =>
  runRuns({ action: "remove", runs: [], yes: false, ...shared(), ...request }, terminal, NOW);
const left = async (): Promise<string[]> => (await readdir(join(home, "runs"))).sort();

describe("preflexor runs list", () => {
  it("shows a line a run, the newest first, and under it the disk use and how to bound it", async () => {
    const [old, fresh] = [await run(40), await run(3)];
    expect(await runRuns({ action: "list", ...shared() }, noTerminal)).toBe(0);
    const lines = printed.out.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^run +kind +made \(UTC\) +model +reached +pairs +loss +size$/);
    expect(lines[1]).toMatch(new RegExp(`^${fresh} +teach +2026-06-27 00:00 +nano +step 12 +2 +0\\.750 +0\\.\\d KiB$`));
    expect(lines[2]).toMatch(new RegExp(`^${old} `));
    expect(lines.at(-2)).toMatch(/^2 runs, 0\.\d KiB in .*runs$/);
    expect(lines.at(-1)).toMatch(/^to bound it: .* runs remove --keep 5, or --older-than 30/);
  });

  it("says what cannot be read, and who uses what", async () => {
    const release = await lockRun(join(home, "runs", await run(1)));
    await mkdir(join(home, "runs/bad"));
    await writeFile(join(home, "runs/bad/run.json"), '{"format":"preflexor-run","version":7}');
    expect(await runRuns({ action: "list", ...shared() }, noTerminal)).toBe(0);
    expect(printed.out).toContain(`in use (process ${process.pid})`);
    expect(printed.out).toMatch(/not read:\n {2}bad: .*made by a newer version: its format is 7/);
    await release();
  });

  it("gives programs one line with every field", async () => {
    const name = await run(3);
    await runRuns({ action: "list", ...shared(), json: true }, noTerminal);
    expect(printed.out.trimEnd().split("\n")).toHaveLength(1);
    const { command, folder, bytes, runs } = JSON.parse(printed.out);
    expect({ command, folder }).toEqual({ command: "runs list", folder: join(home, "runs") });
    expect(runs).toMatchObject([{ name, kind: "teach", pairs: 2, loss: 0.75, step: 12, bytes }]);
  });

  it("says where it looked where there is nothing", async () => {
    expect(await runRuns({ action: "list", ...shared() }, noTerminal)).toBe(0);
    expect(printed.out).toBe(`no runs in ${join(home, "runs")}\n`);
  });
});

describe("preflexor runs show", () => {
  it("shows one run by name or path, with what it was asked for", async () => {
    const name = await run(3);
    for (const id of [name, join(home, "runs", name)]) {
      expect(await runRuns({ action: "show", run: id, ...shared() }, noTerminal)).toBe(0);
    }
    expect(printed.out).toMatch(/asked for\n {4}model +\/m\/nano\n/);
    expect(printed.out).toMatch(/last loss +0\.7500/);
  });

  it("names the nearest run where there is none of that name", async () => {
    const name = await run(3);
    expect(await runRuns({ action: "show", run: name.replace("teach", "tech"), ...shared() }, noTerminal)).toBe(1);
    expect(printed.err).toContain(`did you mean ${name}?`);
  });
});

describe("preflexor runs report", () => {
  it("writes the run as one HTML file, into its folder or where it is told", async () => {
    const name = await run(3);
    const file = join(home, "run.html");
    expect(await runRuns({ action: "report", run: name, ...shared() }, noTerminal)).toBe(0);
    expect(await runRuns({ action: "report", run: join(home, "runs", name), out: file, ...shared() }, noTerminal)).toBe(
      0,
    );
    expect(printed.out).toBe(`${join(home, "runs", name, "report.html")}\n${file}\n`);
    const data = /id="report">(.*?)<\/script/s.exec(await readFile(file, "utf8"))?.[1] ?? "";
    expect(JSON.parse(data)).toMatchObject({ run: { id: name, request: { seed: 7 } }, pairs: { total: 2 } });
  });

  it("names the nearest run where there is none of that name", async () => {
    const name = await run(3);
    expect(await runRuns({ action: "report", run: name.replace("teach", "tech"), ...shared() }, noTerminal)).toBe(1);
    expect(printed.err).toContain(`did you mean ${name}?`);
  });
});

describe("preflexor runs remove", () => {
  it("without a terminal removes nothing, lists what would go, and says what to type", async () => {
    const name = await run(3);
    expect(await remove({ runs: [name] })).toBe(1);
    expect(printed.err).toMatch(new RegExp(`1 run \\(.*\\) would be removed:\\n {2}${name}`));
    expect(printed.err).toMatch(new RegExp(`Type: .* runs remove ${name} --home \\S+ --yes`));
    expect(await left()).toEqual([name]);
  });

  it("asks at a terminal, and takes only yes for yes", async () => {
    const name = await run(3);
    for (const answer of ["", "n", "yess", "no"]) expect(await remove({ runs: [name] }, answering(answer))).toBe(1);
    expect(await left()).toEqual([name]);
    const terminal = answering(" Y ");
    expect(await remove({ runs: [name] }, terminal)).toBe(0);
    expect(terminal.questions).toEqual([
      expect.stringMatching(/^Remove 1 run \(.* KiB\), with everything in them\? \[y\/N\] $/),
    ]);
    expect(await left()).toEqual([]);
  });

  it("with --yes asks nothing, and tells programs what went", async () => {
    const [one, two, three] = [await run(3), await run(2), await run(1)];
    expect(await remove({ runs: [one, join(home, "runs", two), one], yes: true, json: true })).toBe(0);
    const { removed, failed, bytes } = JSON.parse(printed.out);
    expect(removed.map(({ name }: { name: string }) => name)).toEqual([one, two]);
    expect(failed).toEqual([]);
    expect(bytes).toBe(removed[0].bytes + removed[1].bytes);
    expect(await left()).toEqual([three]);
  });

  it("names everything that cannot go before anything does", async () => {
    const [good, used] = [await run(3), await run(2)];
    const release = await lockRun(join(home, "runs", used));
    await mkdir(join(home, "runs/mine"));
    await symlink("/etc", join(home, "runs/link"));
    expect(await remove({ runs: [good, used, "mine", "link", "nothing"], yes: true })).toBe(1);
    expect(printed.err).toMatch(
      /nothing was removed:\n.*is in use by process \d+.*\n.*mine is no run.*\n.*link is a link.*\n.*no run .*nothing/,
    );
    expect(await left()).toEqual(["link", "mine", good, used].sort());
    await release();
  });

  it.each([
    [{ keep: 2 }, [0, 5]],
    [{ keep: 0 }, []],
    [{ olderThanDays: 30 }, [0, 5, 20]],
    [{ olderThanDays: 10, keep: 3 }, [0, 5, 20]],
    [{ olderThanDays: 4, keep: 1 }, [0]],
    [{ keep: 9 }, [0, 5, 20, 40]],
  ])("by the rules %j leaves those that were written %j days ago", async (rules, kept) => {
    const names = new Map<number, string>();
    for (const days of [40, 0, 20, 5]) names.set(days, await run(days));
    expect(await remove({ ...rules, yes: true })).toBe(0);
    expect(await left()).toEqual(kept.map((days) => names.get(days)).sort());
  });

  it("by rule leaves what is in use, and what it cannot read", async () => {
    const used = await run(40);
    const release = await lockRun(join(home, "runs", used));
    const then = new Date(NOW.getTime() - 40 * DAY_MS);
    await utimes(join(home, "runs", used, "run.lock"), then, then);
    await mkdir(join(home, "runs/bad"));
    await writeFile(join(home, "runs/bad/run.json"), "{");
    await run(40);
    expect(await remove({ keep: 0, yes: true })).toBe(0);
    expect(printed.err).toBe(`${used} is in use and stays\n`);
    expect(await left()).toEqual(["bad", used]);
    await release();
  });

  it("wants either names or rules", async () => {
    expect(await remove({})).toBe(1);
    expect(await remove({ runs: [await run(1)], keep: 1, yes: true })).toBe(1);
    expect(printed.err).toMatch(/which runs\?[\s\S]*not both/);
    expect(await left()).toHaveLength(1);
  });

  // As a user who may not write there; root may write anywhere.
  it.skipIf(process.platform === "win32")("changes nothing where a folder is read-only", async () => {
    const name = await run(3);
    const path = join(home, "runs", name);
    await chmod(home, 0o755);
    for (const readOnly of [path, join(home, "runs")]) {
      await chmod(readOnly, 0o555);
      const { status, stderr } = spawnSync(process.execPath, [MAIN, "runs", "remove", name, "--yes", "--home", home], {
        encoding: "utf8",
        env: { PATH: process.env["PATH"], HOME: home },
        ...(process.getuid?.() === 0 && { uid: 65534, gid: 65534 }),
      });
      expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/cannot be removed: EACCES/) });
      expect((await readdir(path)).sort()).toEqual(["metrics.jsonl", "pairs.jsonl", "run.json"]);
      await chmod(readOnly, 0o755);
    }
  });
});

describe("the command line of runs", () => {
  const seen = async (...args: string[]): Promise<{ code: number; requests: RunsRequest[] }> => {
    const requests: RunsRequest[] = [];
    const never = (): Promise<number> => Promise.reject(new Error("another command was started"));
    const others = {
      teach: never,
      train: never,
      score: never,
      eval: never,
      export: never,
      generate: never,
      chat: never,
      doctor: never,
      api: never,
      serve: never,
    };
    const runs = async (request: RunsRequest): Promise<number> => {
      requests.push(request);
      return 7;
    };
    return { code: await runCli(["runs", ...args], never, { ...others, runs }), requests };
  };

  it("hands over what was typed", async () => {
    expect(await seen("list", "--json", "--home", "h")).toEqual({
      code: 7,
      requests: [{ action: "list", json: true, verbose: false, home: join(process.cwd(), "h") }],
    });
    expect((await seen("show", "a")).requests).toEqual([{ action: "show", run: "a", json: false, verbose: false }]);
    expect((await seen("remove", "a", "b", "--yes")).requests).toMatchObject([{ runs: ["a", "b"], yes: true }]);
    expect((await seen("remove", "--older-than", "1.5", "--keep", "0")).requests).toMatchObject([
      { runs: [], olderThanDays: 1.5, keep: 0, yes: false },
    ]);
  });

  it.each([
    [["remove", "--keep", "-1"], /whole number/],
    [["remove", "--keep", "1.5"], /whole number/],
    [["remove", "--older-than", "a month"], /number of days/],
    [["show"], /missing required argument 'run'/],
    [["lst"], /Did you mean list\?/],
    [["list", "--jso"], /Did you mean --json\?/],
  ])("refuses %j with exit code 1", async (args, message) => {
    expect(await seen(...args)).toEqual({ code: 1, requests: [] });
    expect(printed.err).toMatch(message);
  });
});

it("the real binary lists, refuses to remove unasked, and removes with --yes", async () => {
  const name = await run(3);
  const start = (...args: string[]) =>
    spawnSync(process.execPath, [MAIN, "runs", ...args], {
      encoding: "utf8",
      env: { PATH: process.env["PATH"], HOME: home, PREFLEXOR_HOME: home },
    });
  expect(JSON.parse(start("list", "--json").stdout).runs).toMatchObject([{ name, pairs: 2 }]);
  expect(start("remove", name)).toMatchObject({ status: 1, stdout: "" });
  expect(JSON.parse(await readFile(join(home, "runs", name, "run.json"), "utf8"))).toMatchObject({ kind: "teach" });
  expect(start("remove", name, "--yes").stdout).toMatch(/^removed 1 run, /);
  expect(existsSync(join(home, "runs", name))).toBe(false);
});
