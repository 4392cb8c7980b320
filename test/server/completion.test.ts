/** @file Shell completion: the scripts, asked as a shell asks them. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));
const script = (shell: string): string =>
  execFileSync(process.execPath, [MAIN, "completion", shell], { encoding: "utf8" });
const installed = (shell: string): boolean => spawnSync(shell, ["-c", "true"]).status === 0;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "preflexor-completion-"));
  await mkdir(join(folder, "home", "runs", "teach-2026-03-01T10-20-30"), { recursive: true });
  await mkdir(join(folder, "home", "runs", "demo-2026-02-01T08-00-00"));
  await mkdir(join(folder, "work", "my articles"), { recursive: true });
  await writeFile(join(folder, "work", "mine.jsonl"), "");
  // The name that is on the path of whoever installed the package.
  await mkdir(join(folder, "bin"));
  await writeFile(join(folder, "bin", "preflexor"), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
  await chmod(join(folder, "bin", "preflexor"), 0o755);
  for (const shell of ["bash", "zsh", "fish"]) await writeFile(join(folder, shell), script(shell));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

/** As readline calls a completion function: the words so far, and the place of the one that is being typed. */
const ASK = `
source "$1"
complete -p preflexor >/dev/null || exit 1
shift
COMP_WORDS=("$@")
COMP_CWORD=$(( $# - 1 ))
_preflexor
printf '%s\\n' "\${COMPREPLY[@]}"
`;

function offered(...words: string[]): string[] {
  const env = { PATH: `${join(folder, "bin")}:${process.env["PATH"]}`, PREFLEXOR_HOME: join(folder, "home") };
  const args = ["--norc", "-c", ASK, "bash", join(folder, "bash"), "preflexor", ...words];
  const { stdout, stderr, status } = spawnSync("bash", args, { cwd: join(folder, "work"), env, encoding: "utf8" });
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  return stdout.split("\n").filter((line) => line !== "");
}

describe.skipIf(!installed("bash"))("bash", () => {
  it("offers the commands, and of a command's flags those that begin so", () => {
    expect(offered("")).toEqual(expect.arrayContaining(["demo", "teach", "serve", "completion", "help"]));
    expect(offered("te")).toEqual(["teach"]);
    expect(offered("train", "--lora-")).toEqual(["--lora-r", "--lora-alpha", "--lora-dropout"]);
    expect(offered("demo", "--lora-")).toEqual([]);
  });

  it("offers what a flag can be, of commander's choices, of a setting's schema, and of a switch", () => {
    expect(offered("export", "--format", "gg")).toEqual(["gguf", "gguf-model"]);
    expect(offered("train", "--loss", "s")).toEqual(["sft", "sigmoid", "sigmoid_norm", "simpo"]);
    expect(offered("teach", "--roll-back", "")).toEqual(["true", "false"]);
    expect(offered("train", "--beta", "")).toEqual([]);
  });

  it("goes down into commands of commands, whatever flags stand between", () => {
    expect(offered("runs", "")).toEqual(["list", "show", "report", "remove"]);
    expect(offered("runs", "remove", "--y")).toEqual(["--yes"]);
    expect(offered("demo", "--seed", "3", "--ro")).toEqual(["--rounds"]);
  });

  it("offers files with blanks in their names, and folders where a folder is meant", () => {
    expect(offered("train", "--pairs", "m").sort()).toEqual(["mine.jsonl", "my articles"]);
    expect(offered("demo", "--home", "m")).toEqual(["my articles"]);
  });

  it("offers the runs of the home where a run is named", () => {
    const runs = ["demo-2026-02-01T08-00-00", "teach-2026-03-01T10-20-30"];
    expect(offered("runs", "show", "")).toEqual(runs);
    expect(offered("teach", "--resume", "te")).toEqual([runs[1]]);
    expect(offered("eval", "--run", "de")).toEqual([runs[0]]);
  });
});

describe.each(["zsh", "fish"])("%s", (shell) => {
  it.skipIf(!installed(shell))("reads its script without complaint", () => {
    const { stderr, status } = spawnSync(shell, ["-n", join(folder, shell)], { encoding: "utf8" });
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  });

  it("has every command and flag in its script", () => {
    const text = script(shell);
    for (const word of ["teach", "completion", "roll-back", "lora-alpha", "gguf-model", "sigmoid_norm"])
      expect(text, word).toContain(word);
  });
});

it("says which shells there are", () => {
  const { stderr, status } = spawnSync(process.execPath, [MAIN, "completion", "tcsh"], { encoding: "utf8" });
  expect(status).toBe(1);
  expect(stderr).toMatch(/Allowed choices are bash, zsh, fish/);
});
