/** @file What somebody sees who starts the stdio server by hand, at a terminal. */
import { packageVersion } from "./version.js";

export function terminalGreeting(): string {
  return `preflexor ${packageVersion()}: a small language model teaches itself to reason, on ONNX Runtime, steered through MCP.

Without arguments this is an MCP server that an assistant starts and talks to over stdin and stdout; a terminal is no such client.

Type instead
  preflexor demo             one self-teaching iteration in a few minutes, with nothing but this machine
  preflexor --help           all commands, with examples

or let an MCP client start it, with this in its configuration
  { "mcpServers": { "preflexor": { "command": "npx", "args": ["-y", "preflexor"] } } }

preflexor serve starts the server here all the same; Ctrl-C ends it.
`;
}
