/** @file The compiled programs of one policy: made when first asked for, and put away when another phase begins. */
import type { Graph } from "../graph/index.js";
import type { LossName } from "./policy.js";
import {
  generateProgram,
  type ProgramSource,
  scoreProgram,
  type TrainProgramOptions,
  trainProgram,
} from "./programs.js";
import { openSession, type Program, type SessionOptions } from "./session.js";
import { stepsProgram } from "./steps-program.js";

export type ProgramName = `train-${LossName}` | `steps-${LossName}` | "score" | "generate";

export class ProgramShelf {
  private readonly programs = new Map<ProgramName, Program>();
  /** Time spent on making sessions. */
  sessionMs = 0;

  constructor(
    private readonly source: ProgramSource,
    private readonly training: TrainProgramOptions,
    private readonly session: SessionOptions,
  ) {}

  train = (loss: LossName): Promise<Program> =>
    this.openTraining(loss, `train-${loss}`, () => trainProgram(this.source, loss, this.training));
  /** Several steps in one run. */
  steps = (loss: LossName): Promise<Program> =>
    this.openTraining(loss, `steps-${loss}`, () => stepsProgram(this.source, loss, this.training));
  score = (): Promise<Program> => this.open("score", () => scoreProgram(this.source));
  generate = (): Promise<Program> => this.open("generate", () => generateProgram(this.source));

  async dispose(): Promise<void> {
    for (const program of this.programs.values()) await program.dispose();
    this.programs.clear();
  }

  /**
   * Each session holds weights of its own. The first training by a loss lets go of all others: of another loss's, and of
   * those that made its data. What is opened later, to evaluate or to sample, stays beside it.
   */
  private async openTraining(loss: LossName, name: ProgramName, build: () => Graph): Promise<Program> {
    if (!this.programs.has(`train-${loss}`) && !this.programs.has(`steps-${loss}`)) await this.dispose();
    return this.open(name, build);
  }

  private async open(name: ProgramName, build: () => Graph): Promise<Program> {
    const known = this.programs.get(name);
    if (known !== undefined) return known;
    const started = performance.now();
    const program = await openSession(build(), name, this.session);
    this.sessionMs += performance.now() - started;
    this.programs.set(name, program);
    return program;
  }
}
