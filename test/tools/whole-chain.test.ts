/** @file The whole chain on the real binary with the package's model: contract, files, a silent stdout, no child left. */
import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { afterEach, expect, it } from "vitest";
import { commandOf, descendants, survivors } from "./support/processes.js";
import { RecordingTransport } from "./support/recording-transport.js";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));
const CHECKPOINT = ["adapter_config.json", "adapter_model.safetensors"];

type Structured = Record<string, unknown>;

interface Session {
  readonly home: string;
  readonly transport: RecordingTransport;
  readonly client: Client;
  call(name: string, args?: Structured): Promise<Structured>;
}

let open: Client | undefined;
afterEach(() => open?.close());

async function start(home?: string): Promise<Session> {
  const folder = home ?? (await mkdtemp(join(tmpdir(), "preflexor-chain-")));
  const transport = new RecordingTransport([MAIN], { PREFLEXOR_HOME: folder });
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
  await client.connect(transport);
  open = client;
  const call = async (name: string, args: Structured = {}): Promise<Structured> => {
    const result = await client.callTool({ name, arguments: args });
    if (result.isError === true) throw new Error(`${name}: ${JSON.stringify(result.content)}`);
    return result.structuredContent as Structured;
  };
  return { home: folder, transport, client, call };
}

it("ingests, retrieves, makes pairs, trains and reasons as the contract says, and leaves files but no process", async () => {
  const { home, transport, client, call } = await start();
  expect(await call("ingest-corpus", { path: "materials-world" })).toMatchObject({ passages: expect.any(Number) });
  const { passages } = await call("retrieve-context", { query: "What gives the soft stiffness class?", k: 4 });
  expect(passages).toHaveLength(4);
  const [text, number] = [expect.any(String), expect.any(Number)];
  const found = expect.objectContaining({ mode: "hybrid", fused: number });
  const passage = { id: text, text, source: text, start: number, end: number, score: number, found };
  for (const one of passages as Structured[]) expect(one).toEqual({ ...passage, score: expect.any(Number) });

  for (let i = 0; i < 4; i++) {
    const { pair } = await call("generate-preference-pair");
    expect(pair).toMatchObject({
      prompt: expect.stringMatching(/^What is .* Use <\|thinking\|>\.$/),
      chosen: expect.stringMatching(/^<\|thinking\|>[\s\S]+<\|\/thinking\|>[\s\S]+/),
      rejected: expect.any(String),
      provenance: { teacher: "world-teacher", passages: expect.arrayContaining([expect.any(String)]) },
    });
  }

  const trained = (await call("train-iteration", { steps: 2 })) as {
    steps: number;
    loss: { first: number; last: number };
    checkpoint: string;
  };
  expect(trained.steps).toBe(2);
  expect(trained.loss.last).toBeLessThan(trained.loss.first);
  expect(relative(home, trained.checkpoint)).toMatch(/^runs/);
  expect(await readdir(trained.checkpoint)).toEqual(expect.arrayContaining(CHECKPOINT));
  const config: unknown = JSON.parse(await readFile(join(trained.checkpoint, "adapter_config.json"), "utf8"));
  expect(config).toMatchObject({ peft_type: "LORA" });

  const reasoned = await call("recursive-reason", { question: "What is the stiffness class of Bimdith?", rounds: 2 });
  expect(reasoned["answer"]).toEqual(expect.any(String));
  const round = { thinking: expect.any(String), answer: expect.any(String), score: expect.any(Number) };
  for (const made of reasoned["rounds"] as Structured[]) expect(made).toMatchObject(round);

  const started = await descendants(transport.child.pid ?? 0, home);
  if (process.platform === "linux") expect(started.length).toBeGreaterThan(0);
  await client.close();
  expect(await transport.exitCode()).toBe(0);
  expect(await survivors(started)).toEqual([]);
  expect(transport.lines.length).toBeGreaterThan(8);
  for (const line of transport.lines) expect(JSON.parse(line)).toMatchObject({ jsonrpc: "2.0" });
});

it("saves the steps of a training that is cut off when the client leaves, and goes on from them", async () => {
  const first = await start();
  await first.call("ingest-corpus", { path: "materials-world" });
  const { pairsFile } = (await first.call("generate-preference-pair")) as { pairsFile: string };
  const run = join(pairsFile, "..");
  const asked = { name: "train-iteration", arguments: { steps: 5000 } };
  const stepped = new Promise<void>((resolve) => {
    const onprogress = ({ progress }: { readonly progress: number }): void => {
      if (progress >= 2) resolve();
    };
    first.client.callTool(asked, { onprogress }).catch(() => undefined);
  });
  await stepped;
  const started = await descendants(first.transport.child.pid ?? 0, first.home);
  await first.client.close();
  expect(await survivors(started)).toEqual([]);
  const checkpoints = (await readdir(run)).filter((name) => name.startsWith("checkpoint-"));
  expect(checkpoints).toEqual([expect.stringMatching(/^checkpoint-\d+$/)]);
  const taken = Number(checkpoints[0]?.split("-")[1]);
  expect(taken).toBeGreaterThanOrEqual(2);
  expect((await readFile(join(run, "metrics.jsonl"), "utf8")).trim().split("\n")).toHaveLength(taken);

  const second = await start(first.home);
  expect(await second.call("train-iteration", { steps: 1 })).toMatchObject({ steps: 1, totalSteps: taken + 1 });
});

it.runIf(process.platform === "linux")("goes on from the last checkpoint after its engine was killed", async () => {
  const { home, transport, call } = await start();
  await call("ingest-corpus", { path: "materials-world" });
  await call("generate-preference-pair");
  await call("train-iteration", { steps: 1 });
  for (const pid of await descendants(transport.child.pid ?? 0, home)) {
    if ((await commandOf(pid)).includes("engine-process")) process.kill(pid, "SIGKILL");
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(await call("train-iteration", { steps: 1 })).toMatchObject({ totalSteps: 2 });
});
