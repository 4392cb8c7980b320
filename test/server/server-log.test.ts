/** @file The log of a server: one JSON object a line, and no secret in any of them. */
import { expect, it } from "vitest";
import { environmentSecrets } from "../../src/server/config.js";
import { redactor } from "../../src/server/redact.js";
import { createServerLog } from "../../src/server/server-log.js";

const TOKEN = 'a "quoted" server-token';

function written(work: (log: ReturnType<typeof createServerLog>) => void, human = false): string {
  let text = "";
  work(
    createServerLog({
      human,
      level: "trace",
      secrets: [TOKEN],
      write: (line) => {
        text += line;
      },
    }),
  );
  return text;
}

it("writes JSON lines with level, time and fields", () => {
  const lines = written((log) => {
    log.info({ tool: "ingest-corpus", durationMs: 3 }, "tools/call");
    log.warn({ err: new Error("broken") }, "request failed");
  }).trimEnd();
  const [call, failure] = lines.split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(call).toMatchObject({
    level: "info",
    time: expect.stringMatching(/^\d{4}-.*Z$/),
    tool: "ingest-corpus",
    msg: "tools/call",
  });
  expect(failure).toMatchObject({ level: "warn", err: { message: "broken" } });
});

it("writes plain lines at a terminal", () => {
  const text = written((log) => log.info({ tool: "ingest-corpus" }, "tools/call"), true);
  expect(text).toMatch(/^\d\d:\d\d:\d\d info tools\/call tool=ingest-corpus\n$/);
});

it.each([false, true])("never writes a secret, wherever it stands (human: %s)", (human) => {
  const secrets = [
    "hunter2hunter2",
    "sk-proj-abcdefgh12345678",
    "hf_abcdefghijkl",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln",
    "p4ssw0rd",
  ];
  const [bearer, key, hub, jwt, password] = secrets;
  const text = written((log) => {
    log.info({ headers: { authorization: `Bearer ${bearer}`, cookie: bearer } }, "request");
    log.info({ apiKey: bearer, access_token: bearer, nested: { clientSecret: bearer } }, `token=${TOKEN}`);
    log.error(
      new Error(`GET /?token=${bearer}&x=1 with ${key} and ${hub} failed`, { cause: new Error(`Bearer ${bearer}`) }),
    );
    log.info(`jwt ${jwt}, proxy http://me:${password}@proxy.example/`);
    log.info({ token: TOKEN, other: [TOKEN] });
  }, human);
  for (const secret of [...secrets, TOKEN, JSON.stringify(TOKEN).slice(1, -1)]) expect(text).not.toContain(secret);
  expect(text).toContain("[redacted]");
  // What is around them stays.
  expect(text).toContain("x=1");
  expect(text).toContain("proxy.example");
});

it("leaves ordinary text alone", () => {
  const line =
    '{"level":"info","tokens":128,"tokenCount":"12","msg":"tools/call","tool":"train-iteration","url":"http://127.0.0.1:1/mcp"}';
  expect(redactor([])(line)).toBe(line);
});

it("knows the secrets of the environment by their names", () => {
  const env = {
    OPENAI_API_KEY: "one",
    HF_TOKEN: "two",
    PREFLEXOR_TOKEN: "three",
    HOME: "/home/me",
    KEYBOARD: "us",
    DB_PASSWORD: "",
  };
  expect(environmentSecrets(env)).toEqual(["one", "two", "three"]);
});
