/** @file `preflexor help <topic>`: pages about what no single command explains. */
import { serverCommand } from "./own-command.js";
import { DEFAULT_PORT } from "./serve-options.js";
import { settingsPage } from "./settings-help.js";

/** Each page is made when it is asked for. */
export const HELP_TOPICS: Readonly<Record<string, { readonly summary: string; readonly page: () => string }>> = {
  mcp: { summary: "how to connect an assistant", page: mcpPage },
  settings: { summary: "all settings of the environment", page: settingsPage },
};

function mcpPage(): string {
  const { command, args } = serverCommand();
  const config = JSON.stringify({ mcpServers: { preflexor: { command, args } } }, null, 2).replace(/^/gm, "  ");
  const line = [command, ...args].join(" ");
  return `How to connect an assistant

An assistant starts preflexor itself and talks to it over stdin and stdout (MCP over stdio). Most clients read this JSON:

${config}

Or let the client write it:

  claude mcp add preflexor -- ${line}
  codex mcp add preflexor -- ${line}
  gemini mcp add preflexor ${line}
  code --add-mcp '${JSON.stringify({ name: "preflexor", command, args })}'

Settings go into the same entry, such as "env": {"PREFLEXOR_HOME": "/absolute/path"} (preflexor help settings).
Clients that take an address: start preflexor serve --http, and give them http://127.0.0.1:${DEFAULT_PORT}/mcp. A page for people is
at the same address without /mcp. Off this machine a token is needed: preflexor serve --help.
Files for each client lie in examples/clients of the package.

Then say to the assistant: "Here is my folder /absolute/path/articles. Let the small model teach itself on it."
It calls ingest-corpus, start-run and get-run, then recursive-reason for an answer in rounds; or works step by step with
generate-preference-pair and train-iteration.

It does not start?
  preflexor doctor                            what this machine can do
  npx @modelcontextprotocol/inspector --cli ${line} --method tools/list
                                              what a client sees
Some clients start programs without your shell's PATH: give the absolute path of ${command} as the command.
The first npx downloads some 350 MB; let "npx -y preflexor --version" do it once in a terminal before the client's time-out does.
`;
}
