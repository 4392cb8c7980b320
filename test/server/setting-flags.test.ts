/** @file Settings as flags: every setting has one, texts become values of the right kind, slips are refused. */
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { settingFlags, settingOf } from "../../src/server/setting-flags.js";
import { SETTING_NAMES } from "../../src/trainer/loop/train-settings.js";

function parse(...args: string[]): Record<string, unknown> {
  const flags = settingFlags(SETTING_NAMES);
  const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  for (const option of flags.options) command.addOption(option);
  return flags.read(command.parse(args, { from: "user" }).opts());
}

describe("a flag", () => {
  it("is there for every setting, under its own name with hyphens", () => {
    const words = settingFlags(SETTING_NAMES).options.map(({ long }) => long);
    for (const name of SETTING_NAMES) expect(words).toContain(`--${name.replaceAll("_", "-")}`);
  });
  it.each([
    [["--loss", "orpo", "--output", "out"], { loss_type: "orpo", output_dir: "out" }],
    [["--loss-type", "orpo", "--output-dir", "out"], { loss_type: "orpo", output_dir: "out" }],
    [["--resume"], { resume_from_checkpoint: true }],
    [["--resume", "out/checkpoint-3"], { resume_from_checkpoint: "out/checkpoint-3" }],
    [["--learning-rate", "5e-5", "--save-steps", "4"], { learning_rate: 5e-5, save_steps: 4 }],
    [["--packing"], { packing: true }],
    [["--packing", "false"], { packing: false }],
    [["--target-modules", "q_proj, v_proj"], { target_modules: ["q_proj", "v_proj"] }],
    [["--target-modules", "all-linear"], { target_modules: "all-linear" }],
    [["--trainable-token-indices", "5"], { trainable_token_indices: [5] }],
    [["--trainable-token-indices", "5,6"], { trainable_token_indices: [5, 6] }],
    [["--model", "7"], { model: "7" }],
    [["--max-steps", "-1"], { max_steps: -1 }],
    [[], {}],
  ])("%j says %j", (args, settings) => {
    expect(parse(...args)).toEqual(settings);
  });
  it.each([
    ["learning_rate", "fast", /expected a number above 0, found "fast"/],
    ["lora_r", "1.5", /expected a whole number from 1, found 1.5/],
    ["packing", "yes", /expected true or false, found "yes"/],
    ["loss_type", "orp", /did you mean "orpo"\?/],
    ["trainable_token_indices", "a,b", /expected a list of token ids/],
  ] as const)("--%s %s is refused with what was expected", (name, text, message) => {
    expect(() => settingOf(name, text)).toThrow(message);
  });
});
