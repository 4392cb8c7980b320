/** @file `npm run reproduce`: the experiment on the materials world, or on a real model; writes docs/results.md and its data. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { NANO_MODEL } from "../../dist/server/config.js";
import { packageVersion } from "../../dist/server/version.js";
import { type Condition, fullSeed, quickSeed, type SeedResult } from "./experiment.js";
import type { SPLITS } from "./measure.js";
import { reproduceReal } from "./real.js";
import { type Results, resultsPage } from "./results-page.js";

const USAGE = `npm run reproduce -- [--quick] [--seed N] [--seeds 1,2,3] [--json] [--output DIR]
  without --quick: seeds 1 to 3 and all comparisons, written to docs/results.md (about half an hour on two idle cores)
  --quick: one seed, incipient → ORPO → EXO → recursion, nothing written unless --output says where
npm run reproduce -- --real [--model DIR] [--corpus PATH] [--rounds N] [--pairs N] [--seed N] [--json]
  the same loop on a real model (default: .cache/smollm2-135m-instruct) with the extractive teacher`;

/** Base and questions are those of the package's own model. */
const WORLD_SEED = 7;

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const docs = fileURLToPath(new URL("../../docs/", import.meta.url));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean" },
      real: { type: "boolean" },
      json: { type: "boolean" },
      seed: { type: "string" },
      seeds: { type: "string" },
      output: { type: "string" },
      model: { type: "string" },
      corpus: { type: "string" },
      rounds: { type: "string" },
      pairs: { type: "string" },
      help: { type: "boolean" },
    },
  });
  if (values.help) return say(USAGE);
  if (values.real) {
    const done = await reproduceReal({ ...values, say, docs });
    if (values.json) process.stdout.write(`${JSON.stringify(done)}\n`);
    return;
  }
  const seeds = (values.seeds ?? values.seed ?? (values.quick ? "1" : "1,2,3")).split(",").map(seedOf);
  const started = performance.now();
  const options = (seed: number) => ({ model: values.model ?? NANO_MODEL, worldSeed: WORLD_SEED, seed, say });
  const results: SeedResult[] = [];
  for (const [i, seed] of seeds.entries()) {
    say(`seed ${seed}`);
    results.push(values.quick ? await quickSeed(options(seed)) : await fullSeed(options(seed), i === 0));
  }
  const seconds = (performance.now() - started) / 1000;
  const output = values.output ?? (values.quick ? undefined : docs);
  if (output !== undefined) await write(output, await collected(results, seconds));
  if (values.json) process.stdout.write(`${JSON.stringify(summary(results[0] as SeedResult))}\n`);
  say(`${seconds.toFixed(0)} s`);
}

function seedOf(text: string): number {
  if (/^\d+$/.test(text.trim())) return Number(text);
  throw new Error(`expected a whole number as seed, found "${text}"\n${USAGE}`);
}

async function collected(seeds: readonly SeedResult[], seconds: number): Promise<Results> {
  const manifest = JSON.parse(await readFile(join(NANO_MODEL, "manifest.json"), "utf8")) as { parameters: number };
  const command = `npm run reproduce${process.argv.slice(2).length > 0 ? ` -- ${process.argv.slice(2).join(" ")}` : ""}`;
  const model = { path: "models/nano", parameters: manifest.parameters };
  return { command, version: packageVersion(), model, worldSeed: WORLD_SEED, seconds: Math.round(seconds), seeds };
}

/** The text of docs/results-comment.md is the authors' reading; everything else is made from the data. */
async function write(folder: string, results: Results): Promise<void> {
  await mkdir(join(folder, "results"), { recursive: true });
  const comment = await readFile(join(docs, "results-comment.md"), "utf8").catch(() => "");
  const { markdown, plots } = resultsPage(results, comment);
  await writeFile(join(folder, "results", "raw.json"), `${JSON.stringify(results, null, 1)}\n`);
  for (const [name, svg] of Object.entries(plots)) await writeFile(join(folder, "results", name), svg);
  await writeFile(join(folder, "results.md"), markdown);
  say(`wrote ${join(folder, "results.md")}`);
}

/** One object of numbers: two-fact questions, thinking asked; `recursive` is the retrieval critic's best of four. */
function summary({ seed, conditions, recursion }: SeedResult) {
  const asked = (name: string) => (conditions.find((condition) => condition.name === name) as Condition).asked;
  const recursive = (split: (typeof SPLITS)[number]) =>
    recursion.find((r) => r.checkpoint === "EXO" && r.split === split)!.curves[0]!.depths.at(-1)!.accuracy;
  const by = <T>(split: (typeof SPLITS)[number], pick: (share: { share: number; low: number; high: number }) => T) => ({
    incipient: pick(asked("incipient")[split].accuracy),
    orpo: pick(asked("ORPO")[split].accuracy),
    exo: pick(asked("EXO")[split].accuracy),
    recursive: pick(recursive(split)),
  });
  const { accuracy, chance } = asked("incipient")["unseen-combination"];
  return {
    accuracy: by("unseen-combination", ({ share }) => share),
    unseenMaterials: by("unseen-material", ({ share }) => share),
    ci95: by("unseen-combination", ({ low, high }) => (high - low) / 2),
    n: accuracy.n,
    chance,
    unmarkable: 1 - asked("EXO")["unseen-combination"].markable,
    seed,
  };
}

main().catch((error: Error) => {
  say(error.message);
  process.exitCode = 1;
});
