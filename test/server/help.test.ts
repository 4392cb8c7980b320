/** @file The help: groups, examples, the settings that a command reads, and pages of their own. */
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { runCli } from "../../src/server/cli.js";
import { readConfig } from "../../src/server/config.js";
import { SETTINGS_HELP } from "../../src/server/settings-help.js";
import { capturedOutput } from "../support/captured-output.js";

let printed: { out: string; err: string };
beforeEach(() => {
  printed = capturedOutput();
});
afterEach(() => vi.restoreAllMocks());

const COMMANDS = ["demo", "teach", "train", "eval", "score", "chat", "generate", "export", "serve", "api", "runs"];

it("groups the commands by what one wants to do", async () => {
  expect(await runCli(["--help"])).toBe(0);
  const groups = printed.out.match(/^[A-Z][\w ]+:$/gm);
  expect(groups).toEqual(["Options:", "Teach:", "Measure:", "Use:", "Serve:", "This machine:", "Examples:"]);
});

it.each(COMMANDS)("%s has examples of its own, which begin with its name", async (command) => {
  expect(await runCli([command, "--help"])).toBe(0);
  expect(printed.out).toMatch(new RegExp(`^  \\$ (?:.* \\| )?preflexor ${command}`, "m"));
});

it("every setting is on the page, and every one on the page is a setting", async () => {
  expect(await runCli(["help", "settings"])).toBe(0);
  const unknown = Object.fromEntries(SETTINGS_HELP.map(({ name }) => [name, ""]));
  expect(() => readConfig(unknown, "linux", "/home/x")).not.toThrow();
  // The message about an unknown one lists those that there are.
  const [, known = ""] =
    /known: ([^)]+)/.exec(
      caught(() => readConfig({ PREFLEXOR_ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ: "1" }, "linux", "/home/x")),
    ) ?? [];
  expect(SETTINGS_HELP.map(({ name }) => name).sort()).toEqual(known.split(", ").sort());
  for (const name of known.split(", ")) expect(printed.out).toContain(`  ${name} `);
});

function caught(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

it("names below a command the settings that it reads", async () => {
  await runCli(["api", "--help"]);
  expect(printed.out).toMatch(/Reads from the environment .*PREFLEXOR_API_KEY/);
  expect(printed.out).not.toContain("PREFLEXOR_JUDGE");
});

it("help mcp holds an entry that a client can read, and names each client's own command", async () => {
  expect(await runCli(["help", "mcp"])).toBe(0);
  const [entry = ""] = /^ {2}\{[\s\S]*?^ {2}\}/m.exec(printed.out) ?? [];
  const { mcpServers } = JSON.parse(entry);
  expect(mcpServers.preflexor).toMatchObject({ command: expect.any(String), args: expect.any(Array) });
  for (const client of ["claude mcp add", "codex mcp add", "gemini mcp add", "code --add-mcp"])
    expect(printed.out).toContain(client);
});

it("help <command> is the command's own help, also of a command in a command", async () => {
  expect(await runCli(["help", "runs", "remove"])).toBe(0);
  expect(printed.out).toMatch(/^Usage: preflexor runs remove/);
});

it("help for what is not there names the nearest page", async () => {
  expect(await runCli(["help", "setings"])).toBe(1);
  expect(printed.err).toContain("did you mean settings?");
});

it("no file of the help names an address of a registry or of this machine", () => {
  const text = ["help-topics", "settings-help", "program"].map((name) =>
    readFileSync(new URL(`../../src/server/${name}.ts`, import.meta.url), "utf8"),
  );
  expect(text.join("\n")).not.toMatch(/registry\.npmjs|\/work\//);
});
