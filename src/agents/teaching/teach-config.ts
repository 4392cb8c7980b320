/** @file Teach settings to a plan: defaults of the paper, rates that scale with the model, and all problems at once. */
import {
  isOfLoss,
  type LossName,
  PROMPT_SUFFIX,
  parseTrainConfig,
  type SettingName,
  stepOptionsOf,
  type TrainableSpec,
  type TrainConfig,
} from "../../trainer/index.js";
import type { EnvironmentQuestion } from "../environments/environment.js";
import { duplicateNames } from "./check-plan.js";
import type { PhasePlan, TeachPlan } from "./teach-plan.js";
import {
  type PhaseSettings,
  type RunSettings,
  readTeachSettings,
  runSchema,
  type TeachSettings,
} from "./teach-settings.js";

/** Of a phase that names none. */
const FIRST_LOSS = "orpo";

export interface TeachConfig {
  readonly run: RunSettings;
  readonly phases: readonly PhaseSettings[];
  readonly trainable: TrainableSpec;
}

/** Reads a config as it stands in a file. Throws one error that names every problem. */
export function parseTeachConfig(input: unknown, source = "teach config"): TeachConfig {
  const { settings, problems } = readTeachSettings(input);
  const { shared } = settings;
  const named = withNames(settings.phases.map((own) => ({ ...inherited(shared, own), ...own })));
  const all = [...problems, ...duplicateNames(named), ...idleEverywhere(settings)];
  const configs = named.map((phase, i) => {
    try {
      return trainConfigOf(settings.run, phase);
    } catch (error) {
      const [, ...lines] = (error as Error).message.split("\n  - ");
      all.push(...lines.map((line) => (isOfRun(line) ? line : `phases[${i}].${line}`)));
      return undefined;
    }
  });
  all.push(...named.flatMap((phase, i) => phaseProblems(phase).map((problem) => `phases[${i}].${problem}`)));
  const unique = [...new Set(all)];
  if (unique.length > 0) {
    const count = unique.length === 1 ? "1 problem" : `${unique.length} problems`;
    throw new Error(`${source}: ${count}${unique.map((problem) => `\n  - ${problem}`).join("")}`);
  }
  return { run: settings.run, phases: named, trainable: (configs[0] as TrainConfig).trainable };
}

const isOfRun = (problem: string): boolean => Object.hasOwn(runSchema.shape, problem.split(":")[0] ?? "");

/** Rejected replies by the teacher have no use for these. */
const OF_STUDENT = ["student_samples", "rejected_rule", "think_for_rejected", "temperature", "top_p"] as const;
/** Settings that mean nothing where the rejected reply is the teacher's. */
export const STUDENT_SETTINGS: readonly string[] = [...OF_STUDENT, "only_include_wrong_answers"];

function phaseProblems(phase: PhaseSettings): string[] {
  if (phase.get_rejected_from_trained_model !== false) return [];
  return OF_STUDENT.filter((key) => phase[key] !== undefined).map(
    (key) => `${key}: has no effect, the rejected reply is the teacher's; leave it out`,
  );
}

const lossOf = (phase: PhaseSettings): LossName => phase.loss_type ?? FIRST_LOSS;

/** What a phase takes from the top level: whatever means something to it. */
function inherited(shared: PhaseSettings, own: PhaseSettings): PhaseSettings {
  const { get_rejected_from_trained_model: fromStudent = true } = { ...shared, ...own };
  const loss = lossOf({ ...shared, ...own });
  return Object.fromEntries(
    Object.entries(shared).filter(
      ([key]) => isOfLoss(key as SettingName, loss) && (fromStudent || !STUDENT_SETTINGS.includes(key)),
    ),
  );
}

/** Settings of losses that no phase has, and a loss where every phase has its own. */
function idleEverywhere({ shared, phases }: TeachSettings): string[] {
  if (phases.length === 0) return [];
  const keys = Object.keys(shared) as SettingName[];
  const idle = keys.filter((key) => phases.every((own) => !isOfLoss(key, lossOf({ ...shared, ...own }))));
  const hidden = shared.loss_type !== undefined && phases.every((own) => own.loss_type !== undefined);
  return [
    ...idle.map((key) => `${key}: has no effect, no phase has a loss with it; leave it out`),
    ...(hidden ? ["loss_type: has no effect, every phase has its own; leave it out, or change phases"] : []),
  ];
}

/** A phase is called by its loss; the second of one loss has a number. */
function withNames(phases: readonly PhaseSettings[]): readonly (PhaseSettings & { readonly name: string })[] {
  const taken = new Set(phases.map(({ name }) => name));
  return phases.map((phase) => {
    const loss = lossOf(phase);
    let name = phase.name ?? loss;
    for (let i = 2; phase.name === undefined && taken.has(name); i++) name = `${loss}-${i}`;
    taken.add(name);
    return { ...phase, name };
  });
}

const PAIR_KEYS = [
  "name",
  "iterations",
  "topics",
  "n_questions_for_each",
  "number_nodes_to_get",
  "retrieval_k",
  "retrieve_for_answers",
  "reflection",
  "get_rejected_from_trained_model",
  "only_include_wrong_answers",
  "student_samples",
  "rejected_rule",
  "think_for_rejected",
  "generate_each_iteration",
  "min_pairs",
  "n_steps",
  "save_steps",
  "prompt_suffix",
  "max_new_tokens",
  "temperature",
  "top_p",
  "replay_share",
  "replay_chosen",
  "replay_weight",
  "roll_back",
  "early_stopping_patience",
] as const satisfies readonly (keyof PhaseSettings)[];

/** The trainer checks what is its own, and fills in the paper's defaults. */
function trainConfigOf(run: RunSettings, phase: PhaseSettings): TrainConfig {
  const own = without(phase, PAIR_KEYS);
  const { seed, full_finetuning, lora_r, lora_alpha, lora_dropout, target_modules, use_rslora } = run;
  const model = { seed, full_finetuning, lora_r, lora_alpha, lora_dropout, target_modules, use_rslora };
  const input = {
    loss_type: FIRST_LOSS,
    ...own,
    ...without(model, []),
    model: "unused",
    output_dir: "unused",
    pairs: "unused",
  };
  return parseTrainConfig(input, "phase");
}

function without<T extends object>(settings: T, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).filter(([key, value]) => value !== undefined && !keys.includes(key)),
  );
}

/** Parameters of the model that the paper trained (Llama-3.2-3B). */
const PUBLISHED_PARAMETERS = 3.2e9;

/**
 * A published learning rate on a model of another size: rate · √(3.2e9 / parameters). A rule of thumb; it gives 2.4e-4
 * (ORPO) and 2.4e-6 (EXO) for 135 M parameters, 2.8e-3 and 2.8e-5 for one million.
 */
export const scaledRate = (published: number, parameters: number): number =>
  Number((published * Math.sqrt(PUBLISHED_PARAMETERS / parameters)).toPrecision(2));

export interface PlanFacts {
  /** Of the model. */
  readonly parameters: number;
  /** Held-out questions to evaluate on; cut to evaluation_questions a split. */
  readonly evaluationQuestions?: readonly EnvironmentQuestion[];
}

/** The plan of a config for one model and one environment. */
export function teachPlan(config: TeachConfig, { parameters, evaluationQuestions = [] }: PlanFacts): TeachPlan {
  const { run } = config;
  const phases = config.phases.map((phase) => phasePlan(run, phase, parameters));
  const most = run.evaluation_questions ?? Number.POSITIVE_INFINITY;
  const splits = [...new Set(evaluationQuestions.map(({ split }) => split))];
  const watched = phases.some(({ rollBack, patience }) => rollBack || patience > 0);
  return {
    seed: run.seed ?? 42,
    phases,
    heldOutPairs: run.held_out_pairs ?? (watched ? 16 : 0),
    demoPrompts: run.demo_prompts ?? [],
    demoTokens: run.demo_tokens ?? 256,
    evaluateEvery: run.evaluate_every ?? 1,
    evaluationQuestions: splits.flatMap((split) => evaluationQuestions.filter((q) => q.split === split).slice(0, most)),
    evaluationMaxNewTokens: Math.max(...phases.map(({ sampling }) => sampling.maxNewTokens)),
    saveTotalLimit: run.save_total_limit ?? 3,
    concurrency: run.concurrency ?? 8,
  };
}

function phasePlan(run: RunSettings, s: PhaseSettings, parameters: number): PhasePlan {
  const config = trainConfigOf(run, s);
  const { loss, maxPromptLength, maxLength, mask, includeThinkingTokenInLabels, markers, reference } = config;
  const step = stepOptionsOf(config);
  const isFirstKind = loss === "sft" || loss === "orpo";
  return {
    name: s.name ?? loss,
    loss,
    iterations: s.iterations ?? 1,
    topics: s.topics ?? 50,
    questionsForEach: s.n_questions_for_each ?? 1,
    contextPassages: s.number_nodes_to_get ?? 3,
    k: s.retrieval_k ?? 3,
    retrieve: s.retrieve_for_answers ?? true,
    reflection: s.reflection ?? false,
    sampling: {
      maxNewTokens: s.max_new_tokens ?? (isFirstKind ? 512 : 1500),
      temperature: s.temperature ?? 1,
      topP: s.top_p ?? 1,
    },
    samples: s.student_samples ?? 1,
    rejectedRule: s.rejected_rule ?? "first",
    rejectedFromStudent: s.get_rejected_from_trained_model ?? true,
    // As published: the first phase samples without the request to think, the second with it.
    askToThink: s.think_for_rejected ?? !isFirstKind,
    onlyWrong: s.only_include_wrong_answers ?? false,
    onTheFly: s.generate_each_iteration ?? true,
    minPairs: s.min_pairs ?? 1,
    epochs: config.numTrainEpochs,
    ...(s.n_steps !== undefined && { steps: s.n_steps }),
    batchPairs: config.perDeviceTrainBatchSize * config.gradientAccumulationSteps,
    step: {
      ...step,
      learningRate: s.learning_rate ?? scaledRate(config.learningRate, parameters),
      textWeight: s.replay_weight ?? 1,
    },
    warmupSteps: config.warmupSteps,
    replayShare: s.replay_share ?? 0,
    replayChosen: s.replay_chosen ?? false,
    reference,
    saveSteps: s.save_steps ?? 0,
    maxPromptLength,
    maxLength,
    mask,
    includeThinkingTokenInLabels,
    markers,
    promptSuffix: s.prompt_suffix ?? PROMPT_SUFFIX.replaceAll("<|thinking|>", markers.start),
    rollBack: s.roll_back ?? false,
    patience: s.early_stopping_patience ?? 0,
  };
}
