/** @file Runs as processes of their own, through a real client: one at a time, found again, stopped, killed, gone on with. */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createRunDirectory, lockHolder, lockRun, runStanding } from "../../../src/agents/index.js";
import { NANO_MODEL, readConfig } from "../../../src/server/config.js";
import { createRunKeeper } from "../../../src/server/runs/run-keeper.js";
import { createPathGuard } from "../../../src/tools/roots.js";
import { smallContext } from "../../tools/small-context.js";
import { type ToolClient, toolClient } from "../../tools/tool-client.js";

const FAKE = fileURLToPath(new URL("./fake-worker.mjs", import.meta.url));

type What = "work" | "fail" | "die" | "finish";

let home: string;
/** Of the workers that are started from here on. */
let what: What;
const pids: number[] = [];

/** A server over the home, whose workers are scripted. */
async function server(settings: Record<string, string> = {}): Promise<ToolClient & { readonly heard: string[] }> {
  const config = readConfig({ PREFLEXOR_HOME: home, PREFLEXOR_OFFLINE: "1", ...settings });
  const context = await smallContext();
  const paths = createPathGuard([{ path: home }, { path: NANO_MODEL }]);
  const command = (directory: string) => ({ command: process.execPath, args: [FAKE, directory, what] });
  const parts = { config, paths, changes: context.changes, signal: context.signal, command };
  Object.assign(context, { home, paths, runs: createRunKeeper(parts) });
  const heard: string[] = [];
  context.changes.subscribe((uri) => heard.push(uri));
  return { ...(await toolClient(context)), heard };
}

interface Started {
  readonly run: string;
  readonly directory: string;
  readonly status: string;
  readonly outcome?: string;
  readonly next: string;
}

const begin = async (client: ToolClient, args: Record<string, unknown> = {}): Promise<Started> => {
  const started = await client.call<Started>("start-run", args);
  const holder = await lockHolder(started.directory);
  if (holder !== undefined) pids.push(holder.pid);
  return started;
};

/** Ends as soon as the run stands so. */
async function until(directory: string, status: string): Promise<void> {
  await expect.poll(async () => (await runStanding(directory)).status, { timeout: 10_000 }).toBe(status);
}

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "keeper-"));
  what = "work";
});
afterEach(async () => {
  for (const pid of pids.splice(0)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
  await rm(home, { recursive: true, force: true, maxRetries: 3 });
});

describe("start-run", () => {
  it("answers with a run that is on disk, held by its process, and heard of", async () => {
    const client = await server();
    const started = await begin(client, { topics: 8, iterations: 1, settings: { n_steps: 2 } });
    expect(started).toMatchObject({ status: "working", directory: join(home, "runs", started.run) });
    expect(started.next).toContain(`get-run with run: "${started.run}"`);
    const run = JSON.parse(await readFile(join(started.directory, "run.json"), "utf8")) as {
      kind: string;
      request: object;
    };
    expect(run).toMatchObject({
      kind: "teach",
      request: { topics: 8, n_steps: 2, corpus: "materials-world", model: NANO_MODEL },
    });
    expect((await lockHolder(started.directory))?.pid).not.toBe(process.pid);
    expect(client.heard).toContain(`preflexor://runs/${started.run}`);
    const found = () => client.call("get-run", { run: started.run });
    await expect.poll(found).toMatchObject({ activity: { stage: "train", round: 1, done: 1, total: 4 } });
  });

  it("refuses a second run by the name of the first, from this server and from another", async () => {
    const [client, other] = [await server(), await server()];
    const { run } = await begin(client);
    for (const each of [client, other]) {
      const refusal = await each.refusal("start-run");
      expect(refusal).toContain(`${run} works already, and at most 1 may at once`);
      expect(refusal).toMatch(/call get-run with run/);
    }
    expect(await readdir(join(home, "runs"))).toEqual([run]);
  });

  it("starts one where two servers are asked at the same moment", async () => {
    const clients = [await server(), await server()];
    const results = await Promise.allSettled(clients.map((client) => begin(client)));
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  it("lets as many work as PREFLEXOR_MAX_RUNS says", async () => {
    const client = await server({ PREFLEXOR_MAX_RUNS: "2" });
    const [first, second] = [await begin(client), await begin(client)];
    expect(first.run).not.toBe(second.run);
    expect(await client.refusal("start-run")).toMatch(/at most 2 may at once/);
  });

  it("counts a run that a user's own command works on", async () => {
    const { path, name } = await createRunDirectory(home, { kind: "teach", request: {} });
    const release = await lockRun(path);
    expect(await (await server()).refusal("start-run")).toContain(`${name} works already`);
    await release();
  });

  it("tells of a run that fails at once why it did", async () => {
    what = "fail";
    const client = await server();
    const { directory, run } = await begin(client);
    await until(directory, "failed");
    expect(await client.call("get-run", { run, wait_seconds: 5 })).toMatchObject({
      status: "failed",
      outcome: { message: "the model cannot be opened: it is none" },
    });
  });

  it("tells of a process that dies before it says anything what it wrote last", async () => {
    what = "die";
    const started = await begin(await server());
    expect(started).toMatchObject({ status: "failed", outcome: "its process ended with exit code 3: no such model" });
    expect(started.next).toMatch(/call start-run again/);
  });
});

describe("refused before anything is made", () => {
  const cases: readonly (readonly [says: RegExp, args: Record<string, unknown>])[] = [
    [/there is none called "lora_rr": did you mean "lora_r"\?/, { settings: { lora_rr: 3 } }],
    [/temperature: expected a number from 0, found -1/, { settings: { temperature: -1 } }],
    [/topics: given as an argument and in settings/, { topics: 3, settings: { topics: 4 } }],
    [/expected a whole number from 1/, { topics: 0 }],
    [/lies outside the folders/, { corpus: "/etc" }],
    [/lies outside the folders/, { model: "/etc" }],
    [/lies outside the folders/, { settings: { adapter: "/etc" } }],
    [/lies outside the folders/, { settings: { teacher: "preflexor:/etc" } }],
    [/lies outside the folders/, { settings: { corpus: "/etc" } }],
    [/push_to_hub: publishing is the user's own affair/, { settings: { push_to_hub: "me/mine" } }],
    [/output_dir: runs of this server lie below/, { settings: { output_dir: "/tmp/elsewhere" } }],
    [
      /teacher openai:gpt@http:\/\/10\.0\.0\.1: text of the corpus would be sent there/,
      { settings: { teacher: "openai:gpt@http://10.0.0.1" } },
    ],
    [
      /teacher client: a run goes on without its client.*call generate-preference-pair/,
      { settings: { teacher: "client" } },
    ],
    [/judge openai:gpt: text of the corpus/, { settings: { judge: "openai:gpt" } }],
    [/teacher_base_url: text of the corpus/, { settings: { teacher_base_url: "http://10.0.0.1/v1" } }],
    [/nothing to read at/, { corpus: "<home>/none" }],
    [/the model cannot be opened/, { model: "<home>" }],
    [/unknown argument "topic": did you mean "topics"\?/, { topic: 3 }],
    [/there is no run "gone"/, { resume: "gone" }],
    [/there is no run|is no run id/, { resume: "../../etc" }],
    [/resume takes no other settings, found topics/, { resume: "gone", topics: 3 }],
  ];
  for (const [says, args] of cases) {
    it(`${JSON.stringify(args)}`, async () => {
      const given = JSON.parse(JSON.stringify(args).replaceAll("<home>", home)) as Record<string, unknown>;
      expect(await (await server()).refusal("start-run", given)).toMatch(says);
      expect(existsSync(join(home, "runs")) ? await readdir(join(home, "runs")) : []).toEqual([]);
    });
  }

  it("a run whose settings reach outside the roots, when it is gone on with", async () => {
    const request = { corpus: "/etc", model: NANO_MODEL };
    const { name } = await createRunDirectory(home, { kind: "teach", request });
    expect(await (await server()).refusal("start-run", { resume: name })).toMatch(/\/etc lies outside the folders/);
  });
});

describe("a dry run", () => {
  it("estimates, and writes nothing", async () => {
    const before = await readdir(home);
    const found = await (await server()).call<{ estimate: Record<string, unknown> }>("start-run", {
      dry_run: true,
      phases: ["orpo"],
      iterations: 2,
      topics: 10,
      settings: { n_steps: 7 },
    });
    expect(found).toMatchObject({
      status: "dry-run",
      estimate: {
        rounds: 2,
        pairs: 20,
        steps: 14,
        memoryBytes: expect.any(Number),
        seconds: { low: expect.any(Number) },
      },
    });
    expect(found.estimate["basis"]).toMatch(/^a rough model, since no earlier run/);
    expect(await readdir(home)).toEqual(before);
  });

  it("that costs much is what the user is asked about, or confirm has to say", async () => {
    const client = await server();
    const long = { iterations: 1000, topics: 1000 };
    expect(await client.refusal("start-run", long)).toMatch(
      /nothing was started: this needs the user's consent.*call start-run again with the same arguments and confirm: true/,
    );
    expect(await begin(client, { ...long, confirm: true })).toMatchObject({ status: "working" });
  });
});

describe("stop-run", () => {
  it("ends the run that is named, which then can be gone on with", async () => {
    const client = await server();
    const { run, directory } = await begin(client);
    expect(await client.call("stop-run", { run })).toMatchObject({
      run,
      status: "cancelled",
      next: expect.stringContaining(`resume: "${run}"`),
    });
    expect(await lockHolder(directory)).toBeUndefined();
    const again = await begin(client, { resume: run });
    expect(again).toMatchObject({ run, status: "working" });
    // Going on takes the outcome of the part before away.
    expect((await runStanding(directory)).outcome).toBeUndefined();
  });

  it("refuses another run than the one that works, by the name of that", async () => {
    const client = await server();
    const { name } = await createRunDirectory(home, { kind: "teach", request: {} });
    const { run, directory } = await begin(client);
    expect(await client.refusal("stop-run", { run: name })).toContain(
      `what works is ${run}: call stop-run with that id`,
    );
    expect(await client.refusal("stop-run")).toMatch(/expected the id of a run/);
    expect((await runStanding(directory)).status).toBe("working");
  });

  it("never signals the run of single tool calls, whose process is a server", async () => {
    const { path, name } = await createRunDirectory(home, { kind: "tools", request: {} });
    const release = await lockRun(path);
    expect(await (await server()).refusal("stop-run", { run: name })).toMatch(/no process of its own/);
    await release();
  });

  it("never signals a process that only has the number of one that is gone", async () => {
    const client = await server();
    const { run, directory } = await begin(client);
    const { pid } = (await lockHolder(directory)) as { pid: number };
    process.kill(pid, "SIGKILL");
    await until(directory, "interrupted");
    // Its lock still lies there, with a number that another process may get.
    expect(existsSync(join(directory, "run.lock"))).toBe(true);
    expect(await client.refusal("stop-run", { run })).toMatch(/does not work \(it is interrupted\)/);
  });
});

describe("a run whose process is killed", () => {
  it("is interrupted, is found by another server, and goes on there", async () => {
    const { run, directory } = await begin(await server());
    process.kill(((await lockHolder(directory)) as { pid: number }).pid, "SIGKILL");
    await until(directory, "interrupted");
    const later = await server();
    expect(await later.call("list-runs")).toMatchObject({
      runs: [{ id: run, status: "interrupted" }],
      next: expect.stringContaining(`resume: "${run}"`),
    });
    expect(await begin(later, { resume: run })).toMatchObject({ run, status: "working" });
    expect(await later.refusal("start-run", { resume: run })).toMatch(/works already: call get-run/);
  });
});

describe("get-run", () => {
  it("waits for the end of a run, and no longer", async () => {
    what = "finish";
    const client = await server();
    const { run, directory } = await begin(client);
    await until(directory, "completed");
    const begun = Date.now();
    expect(await client.call("get-run", { run, wait_seconds: 30 })).toMatchObject({
      status: "completed",
      next: expect.stringContaining("evaluate"),
    });
    expect(Date.now() - begun).toBeLessThan(5000);
    expect(await client.refusal("start-run", { resume: run })).toMatch(/has come to its end: call evaluate/);
  });

  it("waits at most as long as it is told to", async () => {
    const client = await server();
    const { run } = await begin(client);
    const found = () => client.call("get-run", { run });
    await expect.poll(found).toHaveProperty("activity.round");
    const begun = Date.now();
    expect(await client.call("get-run", { run, wait_seconds: 1 })).toMatchObject({ status: "working" });
    expect(Date.now() - begun).toBeGreaterThanOrEqual(1000);
    expect(await client.refusal("get-run", { run, wait_seconds: 31 })).toMatch(/from 0 to 30/);
  });

  it("names no path, no link, and no run that is not there", async () => {
    const client = await server();
    const { run } = await begin(client);
    await symlink("/etc", join(home, "runs", "link"));
    for (const bad of ["../x", "/etc", "link", "a\0b", `${run}x`]) {
      for (const tool of ["get-run", "stop-run", "explain-metrics", "export-adapter", "evaluate"])
        expect(await client.refusal(tool, { run: bad }), tool).toMatch(/list-runs/i);
    }
    expect(await client.refusal("get-run", { run: `${run}x` })).toContain(`did you mean ${run}?`);
  });
});

describe("what is evaluated and exported", () => {
  it("is confined as everything else is", async () => {
    const client = await server();
    const { name } = await createRunDirectory(home, { kind: "teach", request: { corpus: "materials-world" } });
    const outside: readonly (readonly [tool: string, args: Record<string, unknown>])[] = [
      ["evaluate", { pairs: "/etc/passwd" }],
      ["evaluate", { questions: "/etc/passwd" }],
      ["evaluate", { adapter: "/etc" }],
      ["evaluate", { model: "/etc" }],
      ["evaluate", { against: "/etc/x" }],
    ];
    for (const [tool, args] of outside)
      expect(await client.refusal(tool, { ...args, dry_run: true }), JSON.stringify(args)).toMatch(/lies outside/);
    expect(
      await client.refusal("evaluate", { judge: "openai:gpt", questions: join(home, "q.jsonl"), dry_run: true }),
    ).toMatch(/judge openai:gpt/);
    expect(await client.refusal("export-adapter", { run: name })).toMatch(/has trained nothing yet/);
    expect(await client.call("evaluate", { run: name, dry_run: true })).toMatchObject({
      dryRun: true,
      plan: expect.stringContaining("held-out questions of materials-world"),
    });
  });
});
