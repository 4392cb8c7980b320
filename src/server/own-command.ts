/** @file What to type to start this program again, so that advice can be copied whether it is installed or only cloned. */
import { basename, isAbsolute, relative } from "node:path";

/** A name that a shell takes as one word. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(text) ? text : JSON.stringify(text);
}

/** `preflexor` where it was started by that name, else Node with the script. */
export function ownCommand(script = process.argv[1] ?? "preflexor", directory = process.cwd()): string {
  // A package manager's link in a project: not on the user's path.
  if (/node_modules[\\/]\.bin[\\/]/.test(script)) return "npx preflexor";
  if (!/\.js$/.test(script) || basename(script) === "preflexor.js") return "preflexor";
  const near = relative(directory, script);
  return `node ${shellWord(near.startsWith("..") || isAbsolute(near) ? script : near)}`;
}

/** How an MCP client starts this program, from any directory. */
export function serverCommand(script = process.argv[1] ?? ""): { command: string; args: readonly string[] } {
  return ownCommand(script).startsWith("node ")
    ? { command: "node", args: [script] }
    : { command: "npx", args: ["-y", "preflexor"] };
}
