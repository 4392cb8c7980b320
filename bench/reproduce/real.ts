/** @file The same loop on a real model and real text: held-out preference accuracy and margins by round, with samples. */
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { createLexicalEmbedder, ingest, openInProcessStore } from "../../dist/agents/corpus/index.js";
import {
  loadExtractiveTeacher,
  type PromptSample,
  parseTeachConfig,
  teach,
  teachPlan,
} from "../../dist/agents/index.js";
import { openModel } from "../../dist/server/models.js";
import { recipeOf } from "../../dist/tools/run-settings.js";
import type { Settings } from "./recipes.js";

export interface RealOptions {
  readonly model?: string | undefined;
  readonly corpus?: string | undefined;
  readonly rounds?: string | undefined;
  readonly pairs?: string | undefined;
  readonly seed?: string | undefined;
  readonly say: (line: string) => void;
  /** Where results-real.md and its data go. */
  readonly docs: string;
}

interface RealRound {
  readonly round: number;
  readonly phase: string;
  readonly preferenceAccuracy?: number;
  readonly n?: number;
  /** Mean difference of the mean log-probabilities of chosen and rejected, in nats a token. */
  readonly margin?: number;
  readonly heldOutLoss?: number;
  readonly kept?: boolean;
  readonly samples?: readonly PromptSample[];
}

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Questions that the corpus answers; nobody writes pairs to exactly these. */
const DEMO_PROMPTS = [
  "Why is nacre tougher than pure aragonite?",
  "How does spider silk combine strength and toughness?",
];

export async function reproduceReal(options: RealOptions): Promise<unknown> {
  const { say } = options;
  const model = resolve(options.model ?? join(root, ".cache", "smollm2-135m-instruct"));
  const corpus = options.corpus ?? join(root, "examples", "corpus");
  if (!existsSync(join(model, "config.json")))
    throw new Error(
      `expected a checkpoint directory at ${model}, found none: scripts/README.md says how to get SmolLM2, or name one with --model`,
    );
  const seed = Number(options.seed ?? 7);
  const store = await openInProcessStore({ embedder: createLexicalEmbedder(), version: "reproduce" });
  const { passages } = await ingest(corpus, store);
  const student = await openModel({ model, hub: {} as never }, seed);
  const started = performance.now();
  try {
    const rounds = Number(options.rounds ?? 2);
    const plan = teachPlan(parseTeachConfig(settingsOf(seed, rounds, Number(options.pairs ?? 16)), "reproduce"), {
      parameters: student.policy.info.parameters,
    });
    const teacher = await loadExtractiveTeacher();
    const found = new Map<number, RealRound>();
    let steps = 0;
    let pairs = 0;
    for await (const event of teach({ ...student, store, teacher }, plan)) {
      if (event.kind === "pair") pairs += 1;
      if (event.kind === "step") steps += 1;
      if (event.kind === "step") say(`  step ${event.step}: loss ${event.metrics["loss"]?.toFixed(4)}`);
      note(
        found,
        event,
        plan.phases.flatMap(({ name, iterations }) => Array.from({ length: iterations }, () => name)),
      );
    }
    const seconds = Math.round((performance.now() - started) / 1000);
    const result = {
      model: "SmolLM2-135M-Instruct",
      parameters: student.policy.info.parameters,
      seed,
      passages,
      topics: Number(options.pairs ?? 16),
      pairs,
      steps,
      seconds,
      rounds: [...found.values()],
    };
    await write(options.docs, result);
    return result;
  } finally {
    await student.policy.close();
    await store.close();
  }
}

function settingsOf(seed: number, rounds: number, pairs: number): Settings {
  const { phases, ...shared } = recipeOf("pretrained").settings as { phases: readonly Settings[] };
  const [orpo, exo] = phases as readonly [Settings, Settings];
  return {
    ...shared,
    seed,
    topics: pairs,
    demo_prompts: DEMO_PROMPTS,
    demo_tokens: 160,
    evaluate_every: 1,
    phases: [
      { ...orpo, iterations: rounds, num_train_epochs: 2 },
      { ...exo, iterations: 1, num_train_epochs: 1 },
    ],
  };
}

function note(
  found: Map<number, RealRound>,
  event: { readonly kind: string } & Readonly<Record<string, unknown>>,
  names: readonly string[],
): void {
  const { round } = event as { round?: number };
  if (round === undefined) return;
  const add = (more: Partial<RealRound>): void => {
    const phase = round === 0 ? "before training" : (names[round - 1] as string);
    found.set(round, { ...(found.get(round) ?? { round, phase }), ...more });
  };
  if (event.kind === "preference-accuracy")
    add({
      preferenceAccuracy: event["accuracy"] as number,
      n: event["n"] as number,
      margin: event["margin"] as number,
    });
  if (event.kind === "held-out")
    add({
      heldOutLoss: (event["metrics"] as Record<string, number>)["eval_loss"] as number,
      kept: event["kept"] as boolean,
    });
  if (event.kind === "samples") add({ samples: event["samples"] as readonly PromptSample[] });
}

interface RealResult {
  readonly model: string;
  readonly parameters: number;
  readonly seed: number;
  readonly passages: number;
  /** Pairs asked for in a round. */
  readonly topics: number;
  readonly pairs: number;
  readonly steps: number;
  readonly seconds: number;
  readonly rounds: readonly RealRound[];
}

async function write(docs: string, result: RealResult): Promise<void> {
  await mkdir(join(docs, "results"), { recursive: true });
  await writeFile(join(docs, "results", "real.json"), `${JSON.stringify(result, null, 1)}\n`);
  const number = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? "–";
  const rows = result.rounds.map(
    ({ round, phase, preferenceAccuracy, n, margin, heldOutLoss, kept }) =>
      `| ${round} | ${phase} | ${preferenceAccuracy === undefined ? "–" : `${Math.round(preferenceAccuracy * (n ?? 0))} of ${n}`} | ${number(margin, 3)} | ${number(heldOutLoss, 4)}${kept === false ? " (taken back)" : ""} |`,
  );
  const samples = result.rounds.flatMap(({ round, samples: of = [] }) =>
    of.map(({ prompt, reply }) => `**After round ${round}: ${prompt}**\n\n\`\`\`\n${reply.trim()}\n\`\`\``),
  );
  const page = [
    "# Results: a real model",
    "",
    `Made by \`npm run reproduce -- --real --rounds ${result.rounds.length - 2} --pairs ${result.topics}\` in ${Math.round(result.seconds / 60)} minutes on two shared cores: ${result.model} (${(result.parameters / 1e6).toFixed(0)} M parameters, LoRA), ` +
      `\`examples/corpus\` (${result.passages} passages), the extractive teacher, seed ${result.seed}: ${result.pairs} pairs, ${result.steps} steps. Raw data: [results/real.json](results/real.json).`,
    "",
    "Held-out pairs were made before the first round and never trained on. Their chosen replies share the teacher's form, so this shows that the form is preferred, not that the model reasons better.",
    "",
    "| round | phase | held-out pairs ranked right | mean margin, nats a token | held-out loss |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    "",
    ...samples,
  ];
  await writeFile(join(docs, "results-real.md"), `${page.join("\n")}\n`);
}
