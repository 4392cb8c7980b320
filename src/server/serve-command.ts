/** @file `preflexor serve` on the command line. */
import { Command, InvalidArgumentError, Option } from "commander";
import { DEFAULT_PORT, LOG_LEVELS, type ServeOptions } from "./serve-options.js";
import { wholeFrom } from "./text-flags.js";

const EXAMPLES = `
Examples:
  $ preflexor serve                               over stdin and stdout, as an assistant starts it
  $ preflexor serve --http                        MCP at http://127.0.0.1:8765/mcp, for this machine alone
  $ PREFLEXOR_TOKEN=... preflexor serve --http --host 0.0.0.0 --allowed-host trainer.lan
                                                  for other machines: whoever asks must send the token
  $ preflexor serve --http --host 0.0.0.0 --public-url https://trainer.example --oauth-issuer https://login.example
                                                  for other machines: access tokens of an OAuth issuer
Both eras of the protocol (2026-07-28 and 2025) are served, over stdio and HTTP. A page for people is at the same address;
where a token is needed, open it once with ?token=... behind the address. TLS is the business of a proxy in front.
`;

export function serveCommand(run: (options: ServeOptions) => Promise<void>): Command {
  return new Command("serve")
    .description("the MCP server, over stdio or HTTP; also at a terminal")
    .option("--http", "over HTTP instead of stdio")
    .option(
      "--host <address>",
      "where to listen; other than loopback: a token or an OAuth issuer is needed (default: 127.0.0.1)",
    )
    .option("--port <number>", `0 takes any that is free (default: ${DEFAULT_PORT})`, wholeFrom(0, 65_535))
    .option("--token-file <file>", "clients must send what stands in it (default: PREFLEXOR_TOKEN)")
    .option("--oauth-issuer <url>", "access tokens of this issuer are taken", url)
    .option("--oauth-scope <scope>", "a scope that an access token must have; may be repeated (default: mcp)", more)
    .option("--public-url <url>", "where clients reach this server, without /mcp", url)
    .option("--allowed-host <name>", "another name of this server; may be repeated", more)
    .option("--max-sessions <number>", "sessions of 2025 clients that are kept", wholeFrom(1, 100_000))
    .option("--max-calls <number>", "requests under way at once; what is more gets 503", wholeFrom(1, 100_000))
    .addOption(new Option("--log-level <level>", "what is logged on stderr").choices(LOG_LEVELS).default("info"))
    .option("--json", "with --http: the first line of stdout is {url} as JSON, once the server listens")
    .option("--verbose", "with a failure, also its stack")
    .addHelpText("after", EXAMPLES)
    .action(async ({ port, ...options }: ServeOptions) => run({ ...options, ...(port !== undefined && { port }) }));
}

function url(text: string): URL {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return new URL(text);
  throw new InvalidArgumentError("expected an http or https URL.");
}

const more = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];
