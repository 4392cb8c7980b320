/** @file The lock of a run: one process at a time, and none that outlives its process. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile, symlink, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it } from "vitest";
import { LOCK_FILE, lockHolder, lockRun } from "../../../src/agents/teaching/run-lock.js";
import { tempDir } from "../../trainer/checkpoint/temp-dir.js";

const MODULE = fileURLToPath(new URL("../../../dist/agents/teaching/run-lock.js", import.meta.url));
let run: string;
let file: string;
beforeEach(async () => {
  run = await tempDir();
  file = join(run, LOCK_FILE);
});

/** Another process that takes the lock and holds it until it is killed. */
async function holding(directory: string): Promise<ChildProcess> {
  const code = `const { lockRun } = await import(${JSON.stringify(MODULE)}); await lockRun(${JSON.stringify(directory)}); console.log("held"); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout as NodeJS.ReadableStream, "data");
  return child;
}
async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
const write = (holder: Readonly<Record<string, unknown>>) =>
  writeFile(
    file,
    JSON.stringify({ pid: process.pid, host: hostname(), started: null, since: "2026-01-01", ...holder }),
  );
const ageBy = async (minutes: number): Promise<void> => {
  const then = new Date(Date.now() - minutes * 60_000);
  await utimes(file, then, then);
};

describe("the lock of a run", () => {
  it("is a file that names the process, and is gone when it is given back", async () => {
    const release = await lockRun(run);
    expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ pid: process.pid, host: hostname() });
    expect(await lockHolder(run)).toMatchObject({ pid: process.pid });
    await release();
    expect(await readdir(run)).toEqual([]);
    expect(await lockHolder(run)).toBeUndefined();
    await (await lockRun(run))();
  });

  it("is refused to a second taker in the same process, with what to do", async () => {
    const release = await lockRun(run);
    await expect(lockRun(run)).rejects.toThrow(
      new RegExp(`is in use by process ${process.pid}, since .*: wait for it or stop it`),
    );
    await release();
  });

  it("is refused to this process while another one has it, by its number, and is free when that was killed", async () => {
    const other = await holding(run);
    await expect(lockRun(run)).rejects.toThrow(`is in use by process ${other.pid}`);
    expect(await lockHolder(run)).toMatchObject({ pid: other.pid });
    await kill(other);
    expect(existsSync(file)).toBe(true);
    expect(await lockHolder(run)).toBeUndefined();
    const release = await lockRun(run);
    expect(await lockHolder(run)).toMatchObject({ pid: process.pid });
    await release();
    expect(await readdir(run)).toEqual([]);
  });

  it.skipIf(process.platform !== "linux")("of an earlier process with the same number is nobody's", async () => {
    await write({ started: "another-boot/123" });
    expect(await lockHolder(run)).toBeUndefined();
    await (await lockRun(run))();
  });

  it("of a process whose start is not known is somebody's as long as the number is", async () => {
    await write({ started: null });
    await ageBy(60);
    await expect(lockRun(run)).rejects.toThrow(/is in use/);
  });

  it("of another machine is nobody's once it has not been freshened for minutes", async () => {
    await write({ host: "elsewhere", pid: 1 });
    await expect(lockRun(run)).rejects.toThrow("is in use by process 1 on elsewhere");
    await ageBy(10);
    await (await lockRun(run))();
  });

  it("that is damaged counts as being written, and later as nobody's", async () => {
    await writeFile(file, '{"pid": ');
    await expect(lockRun(run)).rejects.toThrow(/is being written; try again/);
    await ageBy(10);
    await (await lockRun(run))();
  });

  it("is not given back by whom it was taken from", async () => {
    const release = await lockRun(run);
    await write({ host: "elsewhere" });
    await release();
    expect(existsSync(file)).toBe(true);
  });

  it("goes to one of many who see the same stale lock", async () => {
    await write({ started: "another-boot/123", pid: 2 ** 22 + 1 });
    const taken = await Promise.allSettled(Array.from({ length: 8 }, () => lockRun(run)));
    expect(taken.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect((await readdir(run)).length).toBe(1);
  });

  it("that leads to nothing is refused instead of waited for", async () => {
    await symlink("/nowhere/at/all", file);
    await expect(lockRun(run)).rejects.toThrow(/cannot be taken/);
  });
});
