/** @file What somebody sees who starts the stdio server by hand, at a terminal. */
import { ownCommand, serverCommand } from "./own-command.js";
import { packageVersion } from "./version.js";

export function terminalGreeting(command = ownCommand(), server = serverCommand()): string {
  const config = JSON.stringify({ mcpServers: { preflexor: server } }, null, 1).replace(/\n\s*/g, " ");
  return `preflexor ${packageVersion()}: a small language model teaches itself to reason,
on ONNX Runtime, steered through MCP.

Without arguments this is an MCP server, which an assistant starts and talks to
over stdin and stdout. A terminal is no such client. Type instead

  ${command} demo
      one self-teaching iteration in a few minutes, on this machine alone
  ${command} --help
      all commands, with examples

or let an MCP client start the server, with this in its configuration

  ${config}

${command} serve starts the server here all the same; Ctrl-C ends it.
`;
}
