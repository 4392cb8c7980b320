/** @file `preflexor serve` on the command line. */
import { Command } from "commander";

const EXAMPLES = `
Examples:
  $ preflexor serve                           over stdio, also at a terminal; without a command the same for a client
How to connect an assistant: preflexor help mcp
`;

export function serveCommand(run: () => Promise<void>): Command {
  return new Command("serve")
    .description("the MCP server over stdio, also at a terminal")
    .addHelpText("after", EXAMPLES)
    .action(run);
}
