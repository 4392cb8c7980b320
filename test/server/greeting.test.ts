/** @file Advice that can be copied: the greeting at a terminal and the program's own name. */
import { expect, it } from "vitest";
import { terminalGreeting } from "../../src/server/greeting.js";
import { ownCommand, serverCommand, shellWord } from "../../src/server/own-command.js";

const CLONE = "/home/u/my clone/dist/server/main.js";

it("names the command as it was started: installed, by a package manager, or from a clone", () => {
  expect(ownCommand("/usr/local/bin/preflexor", "/")).toBe("preflexor");
  expect(ownCommand("/home/u/p/node_modules/.bin/preflexor", "/home/u/p")).toBe("npx preflexor");
  expect(ownCommand(CLONE, "/home/u/my clone")).toBe("node dist/server/main.js");
  expect(ownCommand(CLONE, "/tmp")).toBe(`node "${CLONE}"`);
});

it("tells an MCP client a command that works from any directory", () => {
  expect(serverCommand(CLONE)).toEqual({ command: "node", args: [CLONE] });
  expect(serverCommand("/usr/local/bin/preflexor")).toEqual({ command: "npx", args: ["-y", "preflexor"] });
});

it("quotes what a shell would cut in pieces", () => {
  expect([shellWord("/a/b-1.x"), shellWord("/a b")]).toEqual(["/a/b-1.x", '"/a b"']);
});

it("says what it is and what to type, in lines that fit a terminal, with a configuration that is JSON", () => {
  const text = terminalGreeting("preflexor", { command: "npx", args: ["-y", "preflexor"] });
  expect(text).toMatch(/MCP server/);
  expect(text).toMatch(/^ {2}preflexor demo$/m);
  expect(text).toMatch(/^ {2}preflexor --help$/m);
  const config = text.split("\n").find((line) => line.includes("mcpServers")) ?? "";
  expect(JSON.parse(config)).toEqual({ mcpServers: { preflexor: { command: "npx", args: ["-y", "preflexor"] } } });
  const others = text.split("\n").filter((line) => line !== config);
  expect(Math.max(...others.map((line) => line.length))).toBeLessThanOrEqual(80);
});
