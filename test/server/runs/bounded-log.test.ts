/** @file The log of a run's process stays small, and holds no secret. */
import { execFileSync } from "node:child_process";
import { appendFile, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { cutLog } from "../../../src/server/runs/bounded-log.js";

const file = async (): Promise<string> => join(await mkdtemp(join(tmpdir(), "log-")), "worker.log");

it("a file above its size keeps its newer half, in whole lines", async () => {
  const log = await file();
  await writeFile(log, Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join(""));
  cutLog(log, 400);
  const lines = (await readFile(log, "utf8")).trimEnd().split("\n");
  expect(lines.at(-1)).toBe("line 99");
  expect(lines[0]).toMatch(/^line \d+$/);
  expect((await readFile(log)).byteLength).toBeLessThanOrEqual(200);
  await appendFile(log, "more\n");
  expect(await readFile(log, "utf8")).toMatch(/line 99\nmore\n$/);
});

it("a small file, or none, is left alone", async () => {
  const log = await file();
  cutLog(log);
  await writeFile(log, "line\n");
  cutLog(log);
  expect(await readFile(log, "utf8")).toBe("line\n");
});

it("what a process writes to stderr holds none", async () => {
  const log = await file();
  await writeFile(log, "");
  const url = new URL("../../../dist/server/runs/bounded-log.js", import.meta.url).href;
  const code = `import { boundStderr } from ${JSON.stringify(url)}; boundStderr(${JSON.stringify(log)}, ["letmein-in-peace"]);
    process.stderr.write("key letmein-in-peace\\n"); console.error(Buffer.from("letmein-in-peace").toString());`;
  const stderr = execFileSync("sh", ["-c", `"${process.execPath}" --input-type=module -e '${code}' 2>&1`], {
    encoding: "utf8",
  });
  expect(stderr).toBe("key [redacted]\n[redacted]\n");
});
