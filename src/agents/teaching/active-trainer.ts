/** @file The loop in the caller's own hands: train, sample, save and make the pairs anew, as PRefLexOR's active trainers do. */
import type { PreferencePair } from "../../trainer/index.js";
import { createRng } from "../rng.js";
import { replies } from "../student.js";
import { checkPlan } from "./check-plan.js";
import type { EvaluationResult, PromptSample, TeachEvent } from "./events.js";
import { beginPhase } from "./keep-best.js";
import { heldOutPairs, makePairsOfRound } from "./make-pairs.js";
import { evaluateRound } from "./measure-round.js";
import { beginRun, endRun, type Run, type TeachContext } from "./run.js";
import { parseTeachConfig, teachPlan } from "./teach-config.js";
import { newTokens, type PhasePlan, type TeachPlan } from "./teach-plan.js";
import { runSchema } from "./teach-settings.js";
import { tokenizeRound } from "./tokenize-round.js";
import { trainRound } from "./train-round.js";

/** One row of the reward log: TRL's names, with step, epoch and round. */
export type LogRow = Readonly<Record<string, number>>;

export interface ActiveTrainerCallbacks {
  /** After every optimizer step. */
  readonly onLog?: (row: LogRow) => void;
  readonly onPair?: (pair: PreferencePair) => void;
  /** A question or a pair that came to nothing, with the reason. */
  readonly onFailure?: (failure: { readonly topic: string; readonly reason: string }) => void;
  readonly onEvaluate?: (result: EvaluationResult) => void;
  readonly onSave?: (directory: string) => void;
  /** Everything that happens. */
  readonly onEvent?: (event: TeachEvent) => void;
}

export interface ActiveTrainerOptions extends Omit<TeachContext, "directory" | "publish"> {
  /** Settings of one phase and of the run under the names of a teach config, e.g. {loss_type, topics, n_steps}. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Held-out questions of the environment, for `evaluate`. */
  readonly evaluationQuestions?: TeachPlan["evaluationQuestions"];
  readonly callbacks?: readonly ActiveTrainerCallbacks[];
}

export interface ActiveTrainer {
  /** Pairs that `train` works on: those of the last `updateDataset`. */
  readonly dataset: readonly PreferencePair[];
  /** Every pair made so far. */
  readonly accumulated: readonly PreferencePair[];
  readonly logHistory: readonly LogRow[];
  readonly phase: PhasePlan;
  /** Optimizer steps (n_steps, or passes) on the data set, which is made first where there is none; returns their log. */
  train(): Promise<readonly LogRow[]>;
  /** New pairs, asked of and sampled from the model as it is now. */
  updateDataset(): Promise<readonly PreferencePair[]>;
  /** Greedy replies of the model as it is now, asked to think. */
  sample(prompts: readonly string[], maxNewTokens?: number): Promise<readonly PromptSample[]>;
  /** Marks the held-out questions, a result for each split. */
  evaluate(): Promise<readonly EvaluationResult[]>;
  /** A PEFT adapter directory (LoRA) or a model directory. */
  saveModel(directory: string): Promise<void>;
  /** Removes what it kept for itself; the policy stays open, it is the caller's. */
  close(): Promise<void>;
}

/** Throws where the settings are impossible. The phase begins with fresh moments and, where the loss has one, its own reference. */
export async function createActiveTrainer(options: ActiveTrainerOptions): Promise<ActiveTrainer> {
  const { settings, evaluationQuestions, callbacks = [], ...context } = options;
  refuseIdle(settings);
  const config = parseTeachConfig({ ...settings, iterations: Number.MAX_SAFE_INTEGER, phases: [{}] }, "active trainer");
  const plan = teachPlan(config, {
    parameters: context.policy.info.parameters,
    ...(evaluationQuestions && { evaluationQuestions }),
  });
  checkPlan(context, plan);
  const run = await beginRun(context, plan);
  const trainer = new Trainer(run, callbacks);
  try {
    await trainer.begin();
    return trainer;
  } catch (error) {
    await trainer.close();
    throw error;
  }
}

/** Settings of a run that mean something here; the others are the context's, or the caller's own loop decides. */
const OF_RUN = ["seed", "concurrency", "held_out_pairs", "evaluation_questions", "demo_tokens"];
/** Settings of a phase that its loop would follow. */
const OF_LOOP = ["name", "iterations", "generate_each_iteration", "save_steps", "roll_back", "early_stopping_patience"];

function refuseIdle(settings: ActiveTrainerOptions["settings"]): void {
  const ofRun = Object.keys(runSchema.shape).filter((key) => !OF_RUN.includes(key));
  const idle = Object.keys(settings).filter((key) => ["phases", ...ofRun, ...OF_LOOP].includes(key));
  if (idle.length > 0)
    throw new Error(
      `active trainer: ${idle.join(", ")} would have no effect: your own loop decides, or what you hand in; leave it out`,
    );
}

class Trainer implements ActiveTrainer {
  readonly logHistory: LogRow[] = [];
  readonly accumulated: PreferencePair[] = [];
  dataset: readonly PreferencePair[] = [];
  private trained = 0;

  constructor(
    private readonly run: Run,
    private readonly callbacks: readonly ActiveTrainerCallbacks[],
  ) {}

  get phase(): PhasePlan {
    return this.run.plan.phases[0] as PhasePlan;
  }

  private get place() {
    return { phase: this.phase, index: 0, iteration: 1 };
  }

  async begin(): Promise<void> {
    const { run } = this;
    await run.context.policy.resetOptimizer();
    run.heldOut = await this.heard(heldOutPairs(run));
    run.questions.holdOut(run.heldOut);
    await this.heard(beginPhase(run, this.place));
  }

  async updateDataset(): Promise<readonly PreferencePair[]> {
    const { run } = this;
    const { state } = run;
    run.made.clear();
    run.state = { ...state, round: state.round + 1 };
    try {
      await this.heard(makePairsOfRound(run, this.place));
    } catch (error) {
      run.state = state;
      throw error;
    }
    this.dataset = run.made.get(run.state.round) ?? [];
    this.accumulated.push(...this.dataset);
    return this.dataset;
  }

  async train(): Promise<readonly LogRow[]> {
    if (this.dataset.length === 0) await this.updateDataset();
    const { run } = this;
    const { round } = run.state;
    const { tokens } = await tokenizeRound(run, this.phase, this.dataset);
    const seed = createRng(run.plan.seed, "train", round, this.trained++).int(2 ** 31);
    const rows: LogRow[] = [];
    for await (const { metrics } of trainRound(run.context, tokens, { ...this.phase, seed })) {
      const row = { step: this.logHistory.length + 1, round, ...metrics };
      rows.push(row);
      this.logHistory.push(row);
      for (const { onLog } of this.callbacks) onLog?.(row);
    }
    run.state = { ...run.state, step: this.logHistory.length };
    return rows;
  }

  async sample(prompts: readonly string[], wanted = this.run.plan.demoTokens): Promise<readonly PromptSample[]> {
    const { context, plan } = this.run;
    const maxNewTokens = newTokens(context, this.phase, wanted);
    const turns = prompts.map((prompt) => ({ prompt: prompt + this.phase.promptSuffix, seed: plan.seed }));
    const { signal } = context;
    const found = await replies(context, turns, { maxNewTokens, temperature: 0, topP: 1, ...(signal && { signal }) });
    return found.map(({ text: reply }, i) => ({ prompt: prompts[i] as string, reply }));
  }

  async evaluate(): Promise<readonly EvaluationResult[]> {
    const results: EvaluationResult[] = [];
    const { run } = this;
    await this.heard(evaluateRound(run, run.state.round, this.phase), (event) => {
      if (event.kind === "evaluation") results.push(event.result);
    });
    return results;
  }

  async saveModel(directory: string): Promise<void> {
    await this.run.context.policy.saveAdapter(directory);
    for (const { onSave } of this.callbacks) onSave?.(directory);
  }

  async close(): Promise<void> {
    await endRun(this.run);
  }

  /** Passes events to the callbacks, and returns what the work returns. */
  private async heard<T>(events: AsyncGenerator<TeachEvent, T>, also?: (event: TeachEvent) => void): Promise<T> {
    for (;;) {
      const next = await events.next();
      if (next.done === true) return next.value;
      also?.(next.value);
      for (const callback of this.callbacks) tell(callback, next.value);
    }
  }
}

function tell(callback: ActiveTrainerCallbacks, event: TeachEvent): void {
  callback.onEvent?.(event);
  if (event.kind === "pair") callback.onPair?.(event.pair);
  if (event.kind === "failure") callback.onFailure?.(event);
  if (event.kind === "evaluation") callback.onEvaluate?.(event.result);
}
