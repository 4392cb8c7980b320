#!/usr/bin/env node
/** @file The command: without arguments the stdio server; loads only what the call needs, so that the server starts fast. */

const [command, ...rest] = process.argv.slice(2);
const asServer = command === undefined || (command === "serve" && rest.length === 0);

if (command === undefined && process.stdin.isTTY) {
  const { terminalGreeting } = await import("./greeting.js");
  process.stderr.write(terminalGreeting());
} else if (asServer) {
  const { serve } = await import("./stdio.js");
  process.exitCode = await serve();
} else {
  const { runCli } = await import("./cli.js");
  // The reader of a pipe may have seen enough ("| head"); there is nobody left to tell.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  process.exitCode = await runCli(process.argv.slice(2));
}

export {};
