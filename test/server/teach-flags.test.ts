/** @file Self-teaching on the command line: a flag and a line of help for every setting, values of the right kind, slips refused. */
import { describe, expect, it } from "vitest";
import { teachSchemas } from "../../src/agents/index.js";
import { runCli } from "../../src/server/cli.js";
import { teachCommand } from "../../src/server/teach-command.js";
import { teachFlags } from "../../src/server/teach-flags.js";
import type { TeachRunOptions } from "../../src/server/teach-prepare.js";

async function parsed(...args: string[]): Promise<TeachRunOptions> {
  const seen: TeachRunOptions[] = [];
  const command = teachCommand(async (options) => void seen.push(options)).exitOverride();
  command.configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  await command.parseAsync(args, { from: "user" });
  return seen[0] as TeachRunOptions;
}

const NAMES = Object.keys(teachSchemas);

describe("a flag", () => {
  it.each(NAMES)("is there for %s, shown under its long or its short name with help of its own", (name) => {
    const { options } = teachFlags();
    const long = `--${name.replaceAll("_", "-")}`;
    expect(options.map((option) => option.long)).toContain(long);
    const own = options.filter((option) => option.long === long || option.long === `--${SHORT[name]}`);
    const shown = own.filter(({ hidden }) => !hidden);
    expect(shown).toHaveLength(1);
    expect(shown[0]?.description.length).toBeGreaterThan(3);
  });

  it("is in the help, each setting once, in groups", () => {
    const help = teachCommand(async () => {}).helpInformation();
    for (const name of NAMES) expect(help).toContain(`--${SHORT[name] ?? name.replaceAll("_", "-")} `);
    expect(help).toMatch(/The run:[\s\S]*How pairs are made:[\s\S]*The student's samples:/);
  });

  it.each([
    [["--topics", "12"], { topics: 12 }],
    [["--topics", "nacre, wood"], { topics: ["nacre", "wood"] }],
    [["--topics", "nacre"], { topics: ["nacre"] }],
    [["--phases", "sft, orpo"], { phases: ["sft", "orpo"] }],
    [["--loss", "orpo"], { loss_type: "orpo" }],
    [["--output", "out"], { output_dir: "out" }],
    [["--only-include-wrong-answers"], { only_include_wrong_answers: true }],
    [["--roll-back", "false"], { roll_back: false }],
    [["--demo-prompts", "What is nacre?,What is wood?"], { demo_prompts: ["What is nacre?", "What is wood?"] }],
    [["--prompt-suffix", ""], { prompt_suffix: "" }],
    [["--temperature", "0", "--top-p", "0.5"], { temperature: 0, top_p: 0.5 }],
    [["--early-stopping-patience", "0"], { early_stopping_patience: 0 }],
    [["--target-modules", "q_proj,v_proj"], { target_modules: ["q_proj", "v_proj"] }],
    [[], {}],
  ])("%j says %j", async (args, flags) => {
    expect((await parsed(...args)).flags).toEqual(flags);
  });

  it.each([
    [["--topics", "0"], /expected a whole number from 1, found 0/],
    [["--roll-back", "yes"], /expected true or false, found "yes"/],
    [["--rejected-rule", "best"], /expected one of first, wrong-first/],
    [["--top-p", "1.5"], /above 0, at most 1, found 1\.5/],
    [["--iteration", "1"], /unknown option '--iteration'/],
    [["corpus"], /too many arguments/],
  ])("%j is refused with what was expected", async (args, message) => {
    await expect(parsed(...args)).rejects.toThrow(message);
  });
});

const SHORT: Readonly<Record<string, string>> = { loss_type: "loss", output_dir: "output" };

it("what is no setting is handed over beside them", async () => {
  const options = await parsed("--config", "c.json", "--home", "h", "--json", "--seed", "4");
  expect(options).toEqual({ flags: { seed: 4 }, config: "c.json", home: "h", json: true, verbose: false });
  expect(await parsed("--resume", "r", "--verbose")).toEqual({ flags: {}, resume: "r", json: false, verbose: true });
});

it("preflexor teach hands over what was typed and ends with its exit code", async () => {
  const never = (): Promise<number> => Promise.reject(new Error("another command was started"));
  const others = {
    train: never,
    score: never,
    eval: never,
    export: never,
    generate: never,
    chat: never,
    doctor: never,
    api: never,
    runs: never,
    serve: never,
  };
  const seen: unknown[] = [];
  const teach = async (options: TeachRunOptions): Promise<number> => {
    seen.push(options);
    return 3;
  };
  expect(await runCli(["teach", "--seed", "2"], never, { ...others, teach })).toBe(3);
  expect(seen).toEqual([{ flags: { seed: 2 }, json: false, verbose: false }]);
});
