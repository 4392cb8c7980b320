/** @file Where the settings of a self-teaching run come from: defaults, a file over them, flags over all. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseTeachConfig, teachPlan } from "../../src/agents/index.js";
import { gatherTeachSettings } from "../../src/server/teach-sources.js";
import { recipeOf } from "../../src/tools/run-settings.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "teach-sources-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const DEFAULTS = {
  topics: 24,
  temperature: 0.8,
  lora_r: 16,
  lora_alpha: 32,
  phases: [
    { loss_type: "orpo", learning_rate: 1e-3, iterations: 2 },
    { loss_type: "exo_pair", learning_rate: 1e-5 },
  ],
};

async function gathered(flags: object, file?: unknown, environment = { model: "/env" }) {
  const path = join(folder, "teach.json");
  if (file !== undefined) await writeFile(path, typeof file === "string" ? file : JSON.stringify(file));
  return gatherTeachSettings({
    flags: flags as Record<string, unknown>,
    ...(file !== undefined && { file: path }),
    defaults: () => DEFAULTS,
    environment,
  });
}
const settings = async (...args: Parameters<typeof gathered>) => (await gathered(...args)).settings;

describe("settings", () => {
  it("are those that suit the model where nothing is said, and name it", async () => {
    expect(await settings({})).toEqual({ ...DEFAULTS, model: "/env" });
  });

  it("of a file go over the defaults, and flags over both", async () => {
    expect(await settings({ topics: 3 }, { topics: 7, seed: 5, temperature: 1 })).toMatchObject({
      topics: 3,
      seed: 5,
      temperature: 1,
    });
  });

  it("take the model of a flag before the file's, the file's before the environment's, and its defaults with it", async () => {
    const asked: string[] = [];
    const defaults = (model: string) => {
      asked.push(model);
      return DEFAULTS;
    };
    const of = async (flags: object, file?: string) =>
      (
        await gatherTeachSettings({
          flags: { ...flags },
          ...(file && { file }),
          defaults,
          environment: { model: "/env" },
        })
      ).settings["model"];
    const file = join(folder, "model.json");
    await writeFile(file, '{"model":"/file"}');
    expect([await of({}), await of({}, file), await of({ model: "/flag" }, file)]).toEqual(["/env", "/file", "/flag"]);
    expect(asked).toEqual(["/env", "/file", "/flag"]);
  });

  it("take threads from the environment, unless they are given", async () => {
    const environment = { model: "/env", threads: 3 };
    expect((await settings({}, undefined, environment))["threads"]).toBe(3);
    expect((await settings({ threads: 1 }, undefined, environment))["threads"]).toBe(1);
  });
});

describe("a phase", () => {
  it("takes what suits its loss from the defaults, unless it says otherwise", async () => {
    const { phases } = await settings({}, { phases: [{ loss_type: "orpo", iterations: 9 }, "exo_pair", "sft"] });
    expect(phases).toEqual([
      { loss_type: "orpo", learning_rate: 1e-3, iterations: 9 },
      { loss_type: "exo_pair", learning_rate: 1e-5 },
      { loss_type: "sft" },
    ]);
  });

  it("gives way to a flag, whether its setting is the file's or a default", async () => {
    const { phases, learning_rate: rate } = await settings(
      { learning_rate: 2e-4 },
      { phases: [{ loss_type: "orpo", learning_rate: 9, topics: 2 }, "exo_pair"] },
    );
    expect(rate).toBe(2e-4);
    expect(phases).toEqual([{ loss_type: "orpo", iterations: 2, topics: 2 }, { loss_type: "exo_pair" }]);
  });

  it("of the defaults gives way to the top level of a file", async () => {
    const { phases } = await settings({}, { iterations: 4 });
    expect(phases).toEqual([
      { loss_type: "orpo", learning_rate: 1e-3 },
      { loss_type: "exo_pair", learning_rate: 1e-5 },
    ]);
  });

  it("of the command line stands in place of the file's", async () => {
    const { phases } = await settings({ phases: ["sft", "orpo"] }, { phases: ["exo_pair"] });
    expect(phases).toEqual([{ loss_type: "sft" }, { loss_type: "orpo", learning_rate: 1e-3, iterations: 2 }]);
  });

  it("is the only one where a loss is all that is given", async () => {
    const given = await settings({ loss_type: "exo_pair" });
    expect(given).toMatchObject({ phases: [{ loss_type: "exo_pair", learning_rate: 1e-5 }] });
    expect(given).not.toHaveProperty("loss_type");
  });
});

it("full fine-tuning takes no LoRA from the defaults", async () => {
  const given = await settings({ full_finetuning: true });
  expect(given).not.toHaveProperty("lora_r");
  expect(parseTeachConfig(given).trainable).toEqual({ kind: "full" });
});

it.each(["nano", "pretrained"] as const)(
  "defaults of the %s recipe can be read, with every flag of a loss",
  async (name) => {
    const of = (flags: Readonly<Record<string, unknown>>) =>
      gatherTeachSettings({ flags, defaults: () => recipeOf(name).settings, environment: { model: "m" } });
    const read = async (flags: Readonly<Record<string, unknown>>) =>
      teachPlan(parseTeachConfig((await of(flags)).settings), { parameters: 1e6 });
    expect((await read({})).phases.map(({ loss }) => loss)).toEqual(["orpo", "exo_pair"]);
    expect((await read({ label_smoothing: 0.01 })).phases.map(({ step }) => step.labelSmoothing)).toEqual([0, 0.01]);
    const off = { get_rejected_from_trained_model: false };
    expect((await read(off)).phases.map(({ rejectedFromStudent }) => rejectedFromStudent)).toEqual([false, false]);
    expect((await read({ full_finetuning: true })).phases).toHaveLength(2);
  },
);

describe("a run that is gone on with", () => {
  const kept = { seed: 3, model: "/kept", phases: [{ loss_type: "orpo", learning_rate: 1 }] };
  const resumed = (flags: Readonly<Record<string, unknown>>, file?: string) =>
    gatherTeachSettings({
      flags,
      kept,
      ...(file !== undefined && { file }),
      defaults: () => DEFAULTS,
      environment: { model: "/env", threads: 9 },
    });

  it("has the settings that it was started with, flags over them, and no defaults of now", async () => {
    expect((await resumed({})).settings).toEqual(kept);
    expect((await resumed({ save_steps: 5, learning_rate: 2 })).settings).toEqual({
      ...kept,
      phases: [{ loss_type: "orpo" }],
      save_steps: 5,
      learning_rate: 2,
    });
  });

  it("takes no config file", async () => {
    await expect(resumed({}, "teach.json")).rejects.toThrow("--config and --resume exclude each other");
  });
});

describe("a config file", () => {
  it.each([
    ["{", /teach\.json is no JSON: /],
    ["[1]", /teach\.json: expected an object of settings, found \[1\]/],
    ["null", /expected an object of settings, found null/],
  ])("that holds %j is refused", async (text, message) => {
    await expect(gathered({}, text)).rejects.toThrow(message);
  });

  it("that is not there is named, with what to give", async () => {
    const run = gatherTeachSettings({
      flags: {},
      file: "/no/such.json",
      defaults: () => DEFAULTS,
      environment: { model: "m" },
    });
    await expect(run).rejects.toThrow("there is no config file /no/such.json; give a JSON file of settings");
  });

  it("is named in what is said of its settings, together with the command line", async () => {
    const { source } = await gathered({}, {});
    expect(source).toBe(`${join(folder, "teach.json")} with the command line`);
    expect((await gathered({})).source).toBe("teach");
  });

  it("whose phases are no list is left to the reader of settings", async () => {
    const given = await settings({}, { phases: "orpo" });
    expect(() => parseTeachConfig(given)).toThrow('phases: expected a list of losses or of phases, found "orpo"');
  });
});
