/** @file `npm run make:nano`: trains models/nano from nothing; with --check, retrains 20 steps and compares. */
import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadText, measureRecall, NANO_PLAN, trainBaseModel, writeUntrainedModel } from "../agents/base-model.js";
import { createMaterialsWorld, type Environment } from "../agents/environments/index.js";
import { openPolicy } from "../trainer/index.js";

const TARGET = fileURLToPath(new URL("../../models/nano/", import.meta.url));
const TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"];
const CHECK_STEPS = 20;
/** Sums run in another order on another processor; after 20 steps the losses still agree to this. */
const CHECK_TOLERANCE = 2e-3;
/** Below this the base lacks the facts, and reasoning over them would prove nothing. */
const RECALL_GATE = 0.98;
const LOG_EVERY = 20;

interface Manifest {
  readonly world: { readonly name: string; readonly seed: number };
  readonly plan: typeof NANO_PLAN;
  readonly corpusSha256: string;
  readonly parameters: number;
  readonly recall: { readonly recall: number; readonly n: number; readonly byKind: Readonly<Record<string, number>> };
  /** Loss of steps 1 … 20, then of every 20th. */
  readonly firstLosses: readonly number[];
  readonly lossCurve: readonly (readonly [step: number, loss: number])[];
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

const corpusHash = (environment: Environment): string =>
  createHash("sha256").update(JSON.stringify(environment.baseRows())).digest("hex");

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      check: { type: "boolean" },
      steps: { type: "string" },
      out: { type: "string" },
      threads: { type: "string" },
    },
  });
  const world = createMaterialsWorld({ seed: NANO_PLAN.seed });
  const plan = values.steps === undefined ? NANO_PLAN : { ...NANO_PLAN, steps: Number(values.steps) };
  const scratch = await mkdtemp(join(tmpdir(), "make-nano-"));
  try {
    await writeUntrainedModel(scratch, world, plan);
    const text = await loadText(scratch);
    const threads = values.threads === undefined ? {} : { threads: Number(values.threads) };
    const policy = await openPolicy({ model: scratch, trainable: { kind: "full" }, seed: plan.seed, ...threads });
    try {
      if (values.check) return await check(trainBaseModel(policy, text, world, plan, CHECK_STEPS), corpusHash(world));
      const losses: number[] = [];
      const started = performance.now();
      for await (const { step, metrics } of trainBaseModel(policy, text, world, plan)) {
        losses.push(metrics["loss"] as number);
        if (step % LOG_EVERY === 0)
          say(
            `step ${step}/${plan.steps}  loss ${losses.at(-1)?.toFixed(4)}  ${((performance.now() - started) / 1000).toFixed(0)} s`,
          );
        if (step % 500 === 0) say(`recall ${JSON.stringify(await measureRecall(policy, text, world))}`);
      }
      const trained = join(scratch, "trained");
      await policy.saveAdapter(trained);
      const { parameters } = policy.info;
      const recall = await recallOf(trained, text, world);
      say(`recall of the saved model: ${JSON.stringify(recall)}`);
      if (recall.recall < RECALL_GATE)
        throw new Error(
          `one-hop recall is ${recall.recall.toFixed(4)}, at least ${RECALL_GATE} is needed; models/nano was left as it was`,
        );
      const manifest: Manifest = {
        world: { name: world.name, seed: world.seed },
        plan,
        corpusSha256: corpusHash(world),
        parameters,
        recall,
        firstLosses: losses.slice(0, CHECK_STEPS),
        lossCurve: losses.flatMap((loss, i) => ((i + 1) % LOG_EVERY === 0 ? [[i + 1, loss] as const] : [])),
      };
      await install(trained, scratch, values.out ?? TARGET, manifest);
    } finally {
      await policy.close();
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Recall of what was written, in the precision in which it was written. */
async function recallOf(directory: string, text: Awaited<ReturnType<typeof loadText>>, world: Environment) {
  const policy = await openPolicy({ model: directory, trainable: { kind: "full" }, seed: 0 });
  try {
    return await measureRecall(policy, text, world);
  } finally {
    await policy.close();
  }
}

async function install(trained: string, scratch: string, target: string, manifest: Manifest): Promise<void> {
  await mkdir(target, { recursive: true });
  for (const file of ["config.json", "generation_config.json", "model.safetensors"])
    await copyFile(join(trained, file), join(target, file));
  for (const file of TOKENIZER_FILES) await copyFile(join(scratch, file), join(target, file));
  await writeFile(join(target, "manifest.json"), `${JSON.stringify(manifest, null, 1)}\n`);
  say(`wrote ${target}`);
}

async function check(steps: ReturnType<typeof trainBaseModel>, corpus: string): Promise<void> {
  const manifest = JSON.parse(await readFile(join(TARGET, "manifest.json"), "utf8")) as Manifest;
  const problems: string[] = [];
  if (manifest.corpusSha256 !== corpus)
    problems.push(`the corpus changed: expected ${manifest.corpusSha256}, found ${corpus}`);
  let worst = 0;
  for await (const { step, metrics } of steps) {
    const expected = manifest.firstLosses[step - 1] as number;
    const difference = Math.abs((metrics["loss"] as number) - expected);
    worst = Math.max(worst, difference);
    if (!(difference <= CHECK_TOLERANCE))
      problems.push(`step ${step}: expected loss ${expected}, found ${metrics["loss"]}`);
  }
  if (problems.length > 0)
    throw new Error(
      `models/nano was not made by this code:\n  - ${problems.join("\n  - ")}\nRun npm run make:nano to make it anew.`,
    );
  say(`${CHECK_STEPS} steps retrained; the largest difference of a loss is ${worst.toExponential(1)}`);
}

main().catch((error: Error) => {
  say(error.message);
  process.exitCode = 1;
});
