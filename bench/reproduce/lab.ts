/** @file The bench of one experiment: a world, its store, a model, and what is done with them again and again. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createLexicalEmbedder,
  ingestDocuments,
  openInProcessStore,
  type PassageStore,
} from "../../dist/agents/corpus/index.js";
import {
  createMaterialsWorld,
  type EnvironmentQuestion,
  type MaterialsWorld,
} from "../../dist/agents/environments/index.js";
import {
  createPairMakers,
  loadWorldTeacher,
  type PairMakers,
  type PairSource,
  parseTeachConfig,
  type Student,
  type TeachEvent,
  teach,
  teachPlan,
} from "../../dist/agents/index.js";
import { createRng } from "../../dist/agents/rng.js";
import type { PairMakerOptions } from "../../dist/agents/teaching/answer-pair.js";
import { makeRoundPairs } from "../../dist/agents/teaching/round-pairs.js";
import { openModel } from "../../dist/server/models.js";
import { replayOf } from "../../dist/tools/replay.js";
import type { PreferencePair } from "../../dist/trainer/index.js";

export interface LabOptions {
  readonly model: string;
  readonly worldSeed: number;
  readonly seed: number;
  readonly choices: boolean;
  readonly say: (line: string) => void;
}

export interface Taught {
  readonly pairs: readonly PreferencePair[];
  readonly steps: readonly Readonly<Record<string, number>>[];
  readonly heldOut: readonly { readonly loss: number; readonly kept: boolean }[];
  readonly failures: Readonly<Record<string, number>>;
  readonly seconds: number;
}

type Settings = Readonly<Record<string, unknown>>;

export class Lab {
  private readonly drafts: Drafts = new Map();

  private constructor(
    readonly options: LabOptions,
    readonly world: MaterialsWorld,
    /** The world without the questions that are kept for choosing between recipes. */
    readonly training: MaterialsWorld,
    readonly validation: readonly EnvironmentQuestion[],
    readonly store: PassageStore,
    readonly student: Student,
    private readonly folder: string,
  ) {}

  static async open(options: LabOptions): Promise<Lab> {
    const { model, worldSeed, seed, choices } = options;
    const world = createMaterialsWorld({ seed: worldSeed, choices, comparisonNotes: false });
    const validation = reserve(world, worldSeed);
    const kept = new Set(validation.map(({ id }) => id));
    const training: MaterialsWorld = {
      ...world,
      questions: (split) => world.questions(split).filter(({ id }) => !kept.has(id)),
    };
    const store = await openInProcessStore({ embedder: createLexicalEmbedder(), version: "reproduce" });
    await ingestDocuments(world.documents, store);
    const student = await openModel({ model, hub: {} as never }, seed);
    const folder = await mkdtemp(join(tmpdir(), "reproduce-"));
    return new Lab(options, world, training, validation, store, student, folder);
  }

  /** Trains the model on by the phases of these settings, with fresh moments. `afterRound` sees the model after each round. */
  async teach(name: string, settings: Settings, afterRound?: (round: number) => Promise<void>): Promise<Taught> {
    const { student, store, training, options } = this;
    const config = parseTeachConfig({ seed: options.seed, evaluate_every: 0, ...settings }, name);
    const plan = teachPlan(config, { parameters: student.policy.info.parameters });
    const teacher = await loadWorldTeacher({ allowed: training.isTrainable });
    const replay = replayOf(student, training);
    const started = performance.now();
    await student.policy.resetOptimizer();
    const pairSource = remembering(this.drafts, { model: teacher, store });
    const context = { ...student, store, teacher, environment: training, pairSource, ...(replay && { replay }) };
    const taught = {
      pairs: [] as PreferencePair[],
      steps: [] as Record<string, number>[],
      heldOut: [] as Taught["heldOut"][number][],
    };
    const events = teach(context, plan);
    for (;;) {
      const next = await events.next();
      if (next.done === true) {
        const seconds = (performance.now() - started) / 1000;
        options.say(`  ${name}: ${taught.pairs.length} pairs, ${taught.steps.length} steps, ${seconds.toFixed(0)} s`);
        return { ...taught, failures: next.value.failures, seconds };
      }
      note(taught, next.value);
      if (next.value.kind === "checkpoint") await afterRound?.(next.value.round);
    }
  }

  async save(name: string): Promise<void> {
    await this.student.policy.saveCheckpoint(join(this.folder, name), {});
  }

  async load(name: string): Promise<void> {
    await this.student.policy.loadCheckpoint(join(this.folder, name));
  }

  async close(): Promise<void> {
    await this.student.policy.close();
    await this.store.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The teacher is a program: to the same topic or question it says the same. Each is asked once in all conditions. */
type Drafts = Map<string, Promise<unknown>>;

function remembering(drafts: Drafts, options: PairMakerOptions): PairSource {
  const once = <T>(key: readonly unknown[], make: () => Promise<T>): Promise<T> => {
    const name = JSON.stringify(key);
    const made = (drafts.get(name) as Promise<T> | undefined) ?? make();
    drafts.set(name, made);
    return made;
  };
  return async function* (context, plan, taken) {
    const { k, contextPassages, retrieve, reflection } = plan;
    const makers = await once(["makers", k, contextPassages, retrieve, reflection], () =>
      createPairMakers({ ...options, k, contextPassages, retrieve, reflection }),
    );
    const { generator, writer } = makers;
    const own: PairMakers = {
      ...makers,
      generator: {
        ...generator,
        generate: (input, signal) => once(["question", input.topic], () => generator.generate(input, signal)),
      },
      writer: {
        ...writer,
        write: (input, signal) =>
          once(["answer", retrieve, reflection, input.question], () => writer.write(input, signal)),
      },
    };
    return yield* makeRoundPairs({ ...context, makers: own }, plan, taken);
  };
}

function note(
  taught: { pairs: PreferencePair[]; steps: Record<string, number>[]; heldOut: Taught["heldOut"][number][] },
  event: TeachEvent,
): void {
  if (event.kind === "pair") taught.pairs.push(event.pair);
  if (event.kind === "step") taught.steps.push({ round: event.round, ...event.metrics });
  if (event.kind === "held-out") taught.heldOut.push({ loss: event.metrics["eval_loss"] as number, kept: event.kept });
}

/** Questions of a type that are never trained on and never reported: recipes are chosen by them. */
const VALIDATION_QUESTIONS = 24;

function reserve(world: MaterialsWorld, seed: number): EnvironmentQuestion[] {
  const questions = world.questions("train");
  const types = [...new Set(questions.map(({ type }) => type))].sort();
  return types.flatMap((type) => {
    const own = questions.filter((question) => question.type === type);
    const groups = [...new Set(own.map(({ pairId, id }) => pairId ?? id))];
    const picked = new Set(createRng(seed, "validation", type).shuffle(groups).slice(0, VALIDATION_QUESTIONS));
    return own.filter(({ pairId, id }) => picked.has(pairId ?? id));
  });
}
