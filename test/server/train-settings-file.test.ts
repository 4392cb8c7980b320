/** @file Flags over the config file over what a run was started with. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { gatherSettings, KEPT_SETTINGS, keepSettings } from "../../src/server/train-settings-file.js";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "preflexor-settings-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const gather = (flags: Record<string, unknown>, config?: string) =>
  gatherSettings({ flags, defaultModel: "/models/nano", ...(config !== undefined && { config }) });

it("lets a flag win over the file, and the file over the default", async () => {
  const file = join(dir, "c.json");
  await writeFile(file, JSON.stringify({ loss_type: "orpo", beta: 0.5, model: "owner/name" }));
  const { settings, source } = await gather({ beta: 0.2 }, file);
  expect(settings).toMatchObject({ loss_type: "orpo", beta: 0.2, model: "owner/name" });
  expect(source).toContain(file);
});

it("names the output directory after model and loss where none is given", async () => {
  expect((await gather({ loss_type: "orpo" })).settings).toMatchObject({ output_dir: resolve("nano-orpo") });
  const hub = await gather({ loss_type: "sft", model: "owner/name@main" });
  expect(basename(String(hub.settings["output_dir"]))).toBe("name-sft");
});

it("resumes with the settings that the run was started with, under any working directory", async () => {
  await keepSettings(
    dir,
    { loss_type: "orpo", pairs: "p.jsonl", resume_from_checkpoint: true, beta: 0.3 },
    "/models/m",
  );
  const kept = JSON.parse(await readFile(join(dir, KEPT_SETTINGS), "utf8"));
  expect(kept).toEqual({ loss_type: "orpo", pairs: resolve("p.jsonl"), beta: 0.3, model: "/models/m" });
  const { settings } = await gather({ resume_from_checkpoint: join(dir, "checkpoint-4"), beta: 0.4 });
  expect(settings).toMatchObject({ ...kept, beta: 0.4, output_dir: dir });
  const newest = await gather({ resume_from_checkpoint: true, output_dir: dir });
  expect(newest.settings).toMatchObject(kept);
});

it("reads no kept settings for a training that is no resume, or where a config file is given", async () => {
  await keepSettings(dir, { loss_type: "orpo" }, "/models/m");
  expect((await gather({ output_dir: dir })).settings).not.toHaveProperty("loss_type");
  const file = join(dir, "c.json");
  await writeFile(file, "{}");
  expect((await gather({ output_dir: dir, resume_from_checkpoint: true }, file)).settings).not.toHaveProperty(
    "loss_type",
  );
});

it.each([
  ["{", /is not JSON/],
  ["[]", /expected a JSON object of settings/],
])("refuses the config file %s", async (text, message) => {
  const file = join(dir, "c.json");
  await writeFile(file, text);
  await expect(gather({}, file)).rejects.toThrow(message);
});

it("refuses a config file that is not there", async () => {
  await expect(gather({}, join(dir, "absent.json"))).rejects.toThrow(/there is no config file/);
});
