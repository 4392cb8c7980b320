/** @file Clients that cancel or vanish while their call is at any of its stages: the work ends, and others get their turn. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterEach, describe, expect, it } from "vitest";
import { MCP_PATH, startHttpServer } from "../../src/server/http/index.js";
import { NACRE } from "../agents/scripted-student.js";
import { type SmallContext, smallContext } from "../tools/small-context.js";
import { httpDesk, stdioDesk } from "./assistants/desks.js";

/** A place in a call's work at which it is held until the test lets it go on, or its signal ends it. */
class Stage {
  readonly reached: Promise<void>;
  #arrive = (): void => {};
  #go = (): void => {};
  readonly #gone: Promise<void>;

  constructor() {
    this.reached = new Promise((resolve) => {
      this.#arrive = resolve;
    });
    this.#gone = new Promise((resolve) => {
      this.#go = resolve;
    });
  }

  async hold(signal?: AbortSignal): Promise<void> {
    this.#arrive();
    const aborted = new Promise<never>((_, reject) => {
      if (signal?.aborted) reject(signal.reason);
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    await Promise.race([this.#gone, aborted]);
  }

  letGo(): void {
    this.#go();
  }
}

const TRAIN = ["train-iteration", { steps: 3 }] as const;
const PAIR = ["generate-preference-pair", {}] as const;

/** Each holds the context at its stage, and names the call that gets there. */
const STAGES: Readonly<Record<string, (context: SmallContext, stage: Stage) => readonly [string, object]>> = {
  "it waits for its turn": (context, stage) => {
    void context.exclusive(new AbortController().signal, () => stage.hold());
    return TRAIN;
  },
  "the model is opened": (context, stage) => {
    const { student } = context;
    Object.assign(context, { student: () => stage.hold().then(student) });
    return TRAIN;
  },
  "the model is sampled": ({ scripted: { policy } }, stage) => {
    const { generate } = policy;
    policy.generate = (requests, options) => stage.hold(options.signal).then(() => generate(requests, options));
    return PAIR;
  },
  "a step is taken": ({ scripted: { policy } }, stage) => {
    const { trainStep } = policy;
    let steps = 0;
    policy.trainStep = async (batch, options, signal) => {
      if (++steps === 2) await stage.hold(signal);
      return trainStep(batch, options);
    };
    return TRAIN;
  },
  "the checkpoint is saved": ({ scripted: { policy } }, stage) => {
    const { saveCheckpoint } = policy;
    policy.saveCheckpoint = (directory, state) => stage.hold().then(() => saveCheckpoint(directory, state));
    return TRAIN;
  },
};

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Prepared {
  readonly context: SmallContext;
  readonly stage: Stage;
  readonly call: readonly [string, object];
  readonly reached: Promise<unknown>;
  /** Ends when the call's own signal says that it is over. */
  readonly callOver: Promise<unknown>;
}

/** A corpus and pairs, and a call that will be held at its stage. */
async function prepared(name: string): Promise<Prepared> {
  const context = await smallContext();
  closing.push(() => context.stop());
  await writeFile(join(context.home, "nacre.md"), NACRE);
  const desk = await stdioDesk(context, "2025-11-25");
  await desk.call("ingest-corpus", { path: join(context.home, "nacre.md") });
  await desk.call("generate-preference-pair", { count: 2 });
  await desk.close();
  const stage = new Stage();
  const call = STAGES[name]!(context, stage);
  const { exclusive } = context;
  let enter = (): void => {};
  const entered = new Promise<void>((resolve) => {
    enter = resolve;
  });
  const callOver = new Promise((over) => {
    Object.assign(context, {
      exclusive: (signal: AbortSignal, work: () => Promise<unknown>) => {
        signal.addEventListener("abort", over);
        Object.assign(context, { exclusive });
        enter();
        return exclusive(signal, work);
      },
    });
  });
  return { context, stage, call, callOver, reached: Promise.all([entered, stage.reached]) };
}

/** Another client's call, which changes the run as the first one's does, and so has to wait for it. */
async function expectServed(context: SmallContext): Promise<void> {
  const other = await stdioDesk(context, "2025-11-25");
  closing.push(() => other.close());
  const answer = await other.call("ingest-corpus", { path: join(context.home, "nacre.md") });
  expect(answer.isError, answer.text).toBe(false);
}

const LEGS = [
  ["stdio", "2025-11-25", stdioDesk],
  ["http", "2026-07-28", httpDesk],
  ["stdio", "2026-07-28", stdioDesk],
  ["http", "2025-11-25", httpDesk],
] as const;

const CANCELLED = Object.keys(STAGES).flatMap((name) =>
  LEGS.slice(0, name === "a step is taken" ? 4 : 2).map((leg) => [name, ...leg] as const),
);

describe("a call that is cancelled", () => {
  it.each(CANCELLED)("while %s ends, and others get their turn (%s, %s)", async (name, _transport, era, open) => {
    const { context, stage, call, callOver, reached } = await prepared(name);
    const desk = await open(context, era);
    closing.push(() => desk.close());
    const cancel = new AbortController();
    const [tool, args] = call;
    const answer = desk.client.callTool({ name: tool, arguments: { ...args } }, { signal: cancel.signal });
    answer.catch(() => undefined);
    await reached;
    const trained = context.scripted.batches.length;
    cancel.abort();
    await callOver;
    stage.letGo();
    await expect(answer).rejects.toThrow();
    await expectServed(context);
    expect(context.scripted.batches.length).toBe(trained);
    if (name === "a step is taken") expect(context.scripted.saved).toHaveLength(1);
  });
});

describe("a client that vanishes", () => {
  it.each(Object.keys(STAGES))("while %s holds up nobody else", async (name) => {
    const { context, stage, call, callOver, reached } = await prepared(name);
    const { client, vanish } = await mortalClient(context);
    const [tool, args] = call;
    client.callTool({ name: tool, arguments: { ...args } }).catch(() => undefined);
    await reached;
    const trained = context.scripted.batches.length;
    vanish();
    await callOver;
    stage.letGo();
    await expectServed(context);
    expect(context.scripted.batches.length).toBe(trained);
  });
});

/** Its connections can be cut from one moment to the next. */
async function mortalClient(context: SmallContext): Promise<{ client: Client; vanish(): void }> {
  const server = await startHttpServer({ context });
  closing.push(() => server.close({ graceMs: 0 }));
  const life = new AbortController();
  const mortal: typeof fetch = (url, init) => {
    const signals = [life.signal, ...(init?.signal ? [init.signal] : [])];
    return fetch(url, { ...init, signal: AbortSignal.any(signals) });
  };
  const client = new Client({ name: "mortal", version: "1" }, { versionNegotiation: { mode: "auto" } });
  await client.connect(new StreamableHTTPClientTransport(new URL(server.url + MCP_PATH), { fetch: mortal }));
  return { client, vanish: () => life.abort() };
}
