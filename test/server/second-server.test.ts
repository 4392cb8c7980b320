/** @file Two servers on one home: the run of the tools is one server's to write to, and everybody's to read. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openRunDirectory, runStanding } from "../../src/agents/index.js";
import { readConfig } from "../../src/server/config.js";
import { createContext, type ServerContext } from "../../src/server/create-context.js";

const PAIR = {
  prompt: "Why is nacre tough?",
  chosen: "<|thinking|>Plates slide.<|/thinking|>Its plates slide.",
  rejected: "It is hard.",
  provenance: { teacher: "t", student: "s", seed: 0, passages: [] },
};

let home: string;
let servers: ServerContext[];

function open(): ServerContext {
  const context = createContext(readConfig({ PREFLEXOR_HOME: home, PREFLEXOR_OFFLINE: "1" }));
  servers.push(context);
  return context;
}

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "two-servers-"));
  servers = [];
});
afterEach(() => Promise.all(servers.map((server) => server.close())));

const append = async (context: ServerContext): Promise<void> => (await context.run()).appendPair(PAIR as never);

it("the run of the tools says what it is, and is nobody's until something is written", async () => {
  const { directory } = await open().run();
  expect(await openRunDirectory(directory)).toMatchObject({
    kind: "tools",
    version: 1,
    request: { model: expect.stringMatching(/nano$/) },
  });
  expect(existsSync(join(directory, "run.lock"))).toBe(false);
});

it("a second server may read it, and is refused to write by the name of the first, with what to do", async () => {
  const [first, second] = [open(), open()];
  await append(first);
  const run = await second.run();
  expect(run.directory).toBe((await first.run()).directory);
  expect(await readFile(run.pairsFile, "utf8")).toContain("nacre");
  const refusal = new RegExp(`in use by process ${process.pid}.*another server's tools write to it.*PREFLEXOR_HOME`);
  await expect(append(second)).rejects.toThrow(refusal);
  await expect(run.appendMetrics({ kind: "step" })).rejects.toThrow(refusal);
  await expect(run.claim()).rejects.toThrow(refusal);
  await append(first);
});

it("goes over to the second server when the first one ends", async () => {
  const [first, second] = [open(), open()];
  await append(first);
  await expect(append(second)).rejects.toThrow(/in use/);
  await first.close();
  await append(second);
  expect((await readFile((await second.run()).pairsFile, "utf8")).trim().split("\n")).toHaveLength(2);
});

it("a run that is gone is not gone on with", async () => {
  const first = open();
  const { directory } = await first.run();
  await first.close();
  await rm(directory, { recursive: true });
  const again = await open().run();
  expect((await runStanding(again.directory)).status).toBe("open");
});
