/** @file The client snippets: each parses in its own language, starts what the package is, or asks where it listens. */

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { DEFAULT_PORT } from "../../src/server/serve-options.js";

const FOLDER = fileURLToPath(new URL("../../examples/clients/", import.meta.url));
const files = readdirSync(FOLDER).sort();
const read = (file: string): string => readFileSync(`${FOLDER}${file}`, "utf8");
const settings = files.filter((file) => /\.(?:json|toml|yaml)$/.test(file));

/** Tables of strings, numbers and lists, whose values are written as in JSON. Anything else is refused. */
function parseToml(text: string): unknown {
  const root: Record<string, unknown> = {};
  let table = root;
  for (const line of text.split("\n").map((raw) => raw.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const [, header] = /^\[([\w.]+)\]$/.exec(line) ?? [];
    const [, key, value] = /^(\w+) = (.+)$/.exec(line) ?? [];
    if (header !== undefined) {
      table = header.split(".").reduce((at, name) => {
        at[name] ??= {};
        return at[name] as Record<string, unknown>;
      }, root);
    } else if (key !== undefined && value !== undefined) table[key] = JSON.parse(value);
    else throw new Error(`line ${line}`);
  }
  return root;
}

const parsed = (file: string): unknown =>
  file.endsWith(".json")
    ? JSON.parse(read(file))
    : file.endsWith(".toml")
      ? parseToml(read(file))
      : parseYaml(read(file));

/** The entry of the server, below whatever the client calls its list. */
function entryOf(file: string): Record<string, unknown> {
  const top = parsed(file) as Record<string, unknown>;
  const list = Object.values(top).find((value) => typeof value === "object" && value !== null) as
    | Record<string, unknown>
    | Record<string, unknown>[];
  const entry = Array.isArray(list) ? list.find(({ name }) => name === "preflexor") : list["preflexor"];
  expect(entry, file).toBeTypeOf("object");
  return entry as Record<string, unknown>;
}

it.each(settings.filter((file) => !file.includes(".http.")))("%s starts the package by its name", (file) => {
  const { command, cmd, args } = entryOf(file);
  expect([command ?? cmd, args]).toEqual(["npx", ["-y", "preflexor"]]);
});

it.each(settings.filter((file) => file.includes(".http.")))("%s asks where the server listens", (file) => {
  const urls = Object.entries(entryOf(file)).filter(([, value]) => String(value).startsWith("http:"));
  expect(urls.map(([, value]) => value)).toEqual([`http://127.0.0.1:${DEFAULT_PORT}/mcp`]);
});

it.each(files.filter((file) => file.endsWith(".py")))("%s is Python, where there is one to ask", (file) => {
  const answer = spawnSync("python3", ["-c", "import ast, sys; ast.parse(sys.stdin.read())"], {
    input: read(file),
    encoding: "utf8",
  });
  if (answer.error !== undefined) return;
  expect(answer.stderr).toBe("");
});

it("every file is in the table of the README, and every file of the table is there", () => {
  const named = [...read("README.md").matchAll(/`([\w.-]+\.(?:json|toml|yaml|mjs|py))`/g)].map(
    ([, name]) => name ?? "",
  );
  const others = files.filter((file) => file !== "README.md");
  expect(others.filter((file) => !named.includes(file))).toEqual([]);
  const theirs = [
    "claude_desktop_config.json",
    "mcp_config.json",
    "cline_mcp_settings.json",
    "settings.json",
    "mcp.json",
  ];
  expect(named.filter((name) => !others.includes(name) && !theirs.includes(name) && !name.startsWith("."))).toEqual([]);
});
