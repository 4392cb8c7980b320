/** @file What `preflexor serve` refuses before it listens, each by name and without a stack. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { runCli } from "../../src/server/cli.js";
import { capturedOutput } from "../support/captured-output.js";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** Runs a command line in this process; what it wrote. */
async function typed(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const said = capturedOutput();
  vi.stubEnv("PREFLEXOR_HOME", await mkdtemp(join(tmpdir(), "preflexor-serve-")));
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  return { code: await runCli(["serve", ...args]), ...said };
}

const TOKEN = "correct-horse-battery-staple";
const ISSUER = "https://login.example";

it.each<[string, readonly string[], Record<string, string>, RegExp]>([
  ["an open address without a token", ["--http", "--host", "0.0.0.0", "--port", "0"], {}, /set PREFLEXOR_TOKEN/],
  [
    "a token that is too short",
    ["--http", "--port", "0"],
    { PREFLEXOR_TOKEN: "short" },
    /PREFLEXOR_TOKEN: expected 16/,
  ],
  [
    "a token file that is not there",
    ["--http", "--token-file", "/nowhere"],
    {},
    /--token-file \/nowhere: expected a file/,
  ],
  ["an issuer without an address", ["--http", "--oauth-issuer", ISSUER], {}, /--oauth-issuer needs --public-url/],
  [
    "an issuer where nothing may leave this machine",
    ["--http", "--oauth-issuer", ISSUER, "--public-url", "https://trainer.example"],
    { PREFLEXOR_OFFLINE: "1" },
    /PREFLEXOR_OFFLINE forbids it/,
  ],
  ["a port without HTTP", ["--port", "1"], {}, /--port goes with --http/],
  ["a token on the command line", ["--http", "--token", TOKEN], {}, /unknown option '--token'/],
  ["an unknown level", ["--log-level", "loud"], {}, /Allowed choices are/],
  ["a port that is none", ["--http", "--port", "70000"], {}, /expected a whole number from 0 to 65535/],
  ["an issuer that is no URL", ["--http", "--oauth-issuer", "login"], {}, /expected an http or https URL/],
])("refuses %s", async (_, args, env, message) => {
  const { out, err, code } = await typed(args, env);
  expect({ out, code }).toEqual({ out: "", code: 1 });
  expect(err).toMatch(message);
  expect(err).not.toMatch(/\n\s+at /);
});

it("says in its help how others may be let in", async () => {
  const { out } = await typed(["--help"]);
  expect(out).toMatch(/PREFLEXOR_TOKEN=\.\.\. preflexor serve --http --host 0\.0\.0\.0/);
});
