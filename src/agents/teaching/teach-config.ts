/** @file Teach settings to a plan: defaults of the paper, rates that scale with the model, and all problems at once. */
import {
  PROMPT_SUFFIX,
  parseTrainConfig,
  stepOptionsOf,
  type TrainableSpec,
  type TrainConfig,
} from "../../trainer/index.js";
import type { EnvironmentQuestion } from "../environments/environment.js";
import type { PhasePlan, TeachPlan } from "./teach-plan.js";
import { type PhaseSettings, type RunSettings, readTeachSettings, type TeachSettings } from "./teach-settings.js";

export interface TeachConfig {
  readonly run: RunSettings;
  readonly phases: readonly PhaseSettings[];
  readonly trainable: TrainableSpec;
}

/** Reads a config as it stands in a file. Throws one error that names every problem. */
export function parseTeachConfig(input: unknown, source = "teach config"): TeachConfig {
  const { settings, problems } = readTeachSettings(input);
  const all = [...problems];
  const named = withNames(settings.phases);
  const configs = named.map((phase, i) => {
    try {
      return trainConfigOf(settings.run, phase);
    } catch (error) {
      const [, ...lines] = (error as Error).message.split("\n  - ");
      all.push(...lines.map((line) => `phases[${i}].${line}`));
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

/** Rejected replies by the teacher have no use for settings of the student's samples. */
function phaseProblems(phase: PhaseSettings): string[] {
  if (phase.get_rejected_from_trained_model !== false) return [];
  // What stands at the top level for other phases, such as the temperature, may stand here too.
  const idle = ["student_samples", "rejected_rule"] as const;
  return idle
    .filter((key) => phase[key] !== undefined)
    .map((key) => `${key}: has no effect, the rejected reply is the teacher's; leave it out`);
}

/** A phase is called by its loss; the second of one loss has a number. */
function withNames(phases: TeachSettings["phases"]): readonly PhaseSettings[] {
  const used = new Map<string, number>();
  return phases.map((phase) => {
    if (phase.name !== undefined) return phase;
    const loss = phase.loss_type ?? "orpo";
    const count = (used.get(loss) ?? 0) + 1;
    used.set(loss, count);
    return { ...phase, name: count === 1 ? loss : `${loss}-${count}` };
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
    loss_type: "orpo",
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
