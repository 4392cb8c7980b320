/** @file A run on the hub: what is uploaded after an iteration, and that a hub out of order never ends the run. */
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type PushRunOptions, pushRun } from "../../../src/agents/teaching/push-run.js";
import { HubUploadServer, type ServedCommit } from "../../support/hub-upload-server.js";
import { tempDir } from "../../trainer/checkpoint/temp-dir.js";

const README = `---
base_model: "lab/tiny"
library_name: peft
---

# LoRA adapter

    PeftModel.from_pretrained(base, "<this directory>")
`;

let hub: HubUploadServer;
let directory: string;
beforeAll(async () => {
  hub = await HubUploadServer.start();
});
afterAll(() => hub.close());
beforeEach(async () => {
  hub.repos.clear();
  hub.objects.clear();
  hub.faults.clear();
  directory = await tempDir();
  await mkdir(join(directory, "adapter/not-a-file"), { recursive: true });
  await mkdir(join(directory, "checkpoint-2"));
  await mkdir(join(directory, "checkpoint-10"));
  await writeFile(join(directory, "adapter/adapter_model.safetensors"), Buffer.from([1, 2, 3]));
  await writeFile(join(directory, "adapter/adapter_config.json"), "{}");
  await writeFile(join(directory, "adapter/README.md"), README);
  await writeFile(join(directory, "pairs.jsonl"), '{"prompt":"a"}\n{"prompt":"b"}\n');
  await writeFile(join(directory, "metrics.jsonl"), '{"loss":1}\n');
  await writeFile(join(directory, "checkpoint-2/trainer_state.json"), '{"global_step":2}');
  await writeFile(join(directory, "checkpoint-10/trainer_state.json"), '{"global_step":10}');
});

const push = (more: Partial<PushRunOptions> = {}) =>
  pushRun({
    directory,
    trained: join(directory, "adapter"),
    repo: "lab/tutor",
    token: "hf_right",
    endpoint: hub.endpoint,
    message: "round 1, step 10",
    retryPauseMs: 2,
    facts: {
      baseModel: "lab/tiny",
      library: "peft",
      version: "1.0.0",
      phases: [{ loss: "orpo", steps: 10 }],
      seeds: [7],
      teachers: ["extractive"],
    },
    ...more,
  });
const head = (): ServedCommit => hub.repos.get("lab/tutor")?.commits.at(-1) as ServedCommit;
const textOf = (path: string): string => String(head().files.get(path)?.bytes);

describe("a push of a run", () => {
  it("brings adapter, pairs, both log histories and a card in one commit", async () => {
    const event = await push();
    expect(event).toEqual({
      kind: "pushed",
      repo: "lab/tutor",
      url: `${hub.endpoint}/lab/tutor`,
      commit: head().oid,
      files: 6,
      bytes: expect.any(Number),
    });
    expect(head().summary).toBe("round 1, step 10");
    expect([...head().wrote].sort()).toEqual([
      "README.md",
      "adapter_config.json",
      "adapter_model.safetensors",
      "metrics.jsonl",
      "pairs.jsonl",
      "trainer_state.json",
    ]);
    expect(head().files.get("adapter_model.safetensors")).toEqual({ bytes: Buffer.from([1, 2, 3]), lfs: true });
    expect(textOf("trainer_state.json")).toBe('{"global_step":10}');
    expect(textOf("pairs.jsonl")).toBe('{"prompt":"a"}\n{"prompt":"b"}\n');
  });

  it("has a card with the run's facts, the count of pairs, and how to load it from this repository", async () => {
    await push();
    const card = textOf("README.md");
    expect(card).toMatch(/^---\nbase_model: "lab\/tiny"\nlibrary_name: peft\n/);
    expect(card).toContain("| preference pairs | 2 |");
    expect(card).toContain("- `pairs.jsonl`: all preference pairs so far");
    expect(card).toContain('## LoRA adapter\n\n    PeftModel.from_pretrained(base, "lab/tutor")');
    expect(card.match(/^---$/gm)).toHaveLength(2);
  });

  it("that fails is an event with its reason, and the next one brings everything", async () => {
    hub.faults.set("batch", Array(5).fill({ status: 503 }));
    expect(await push()).toEqual({
      kind: "push-failed",
      repo: "lab/tutor",
      reason: expect.stringMatching(/lab\/tutor was not updated: .*503.*the next push sends what is missing/),
    });
    await appendFile(join(directory, "pairs.jsonl"), '{"prompt":"c"}\n');
    expect(await push({ message: "round 2, step 20" })).toMatchObject({ kind: "pushed", files: 6 });
    expect(head()).toMatchObject({ summary: "round 2, step 20" });
    expect(textOf("pairs.jsonl").trim().split("\n")).toHaveLength(3);
  });

  it("brings in the next iteration only what has changed", async () => {
    await push();
    await appendFile(join(directory, "metrics.jsonl"), '{"loss":0.5}\n');
    expect(await push({ message: "round 2" })).toMatchObject({ kind: "pushed", files: 1, bytes: 11 + 13 });
    expect(head().wrote).toEqual(["metrics.jsonl"]);
  });

  it("is told as failed where the token is wrong or the adapter is not there", async () => {
    const wrong = await push({ token: "hf_wrong" });
    expect(wrong).toMatchObject({ kind: "push-failed", reason: expect.stringMatching(/does not accept the token/) });
    expect(JSON.stringify(wrong)).not.toContain("hf_wrong");
    expect(await push({ trained: join(directory, "none") })).toMatchObject({ kind: "push-failed" });
  });

  it("goes without journals that there are none of yet", async () => {
    expect(await push({ directory: await tempDir() })).toMatchObject({ kind: "pushed", files: 3 });
    expect(textOf("README.md")).not.toContain("preference pairs");
  });

  it("throws where the run is aborted", async () => {
    const signal = AbortSignal.abort(new Error("stopped"));
    await expect(push({ signal })).rejects.toThrow("stopped");
  });
});
