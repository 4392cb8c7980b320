/** @file The compiled programs of one policy: made when first asked for, and put away when another phase begins. */
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
    this.open(`train-${loss}`, () => trainProgram(this.source, loss, this.training));
  /** Several steps in one run. */
  steps = (loss: LossName): Promise<Program> =>
    this.open(`steps-${loss}`, () => stepsProgram(this.source, loss, this.training));
  score = (): Promise<Program> => this.open("score", () => scoreProgram(this.source));
  generate = (): Promise<Program> => this.open("generate", () => generateProgram(this.source));

  async dispose(): Promise<void> {
    for (const program of this.programs.values()) await program.dispose();
    this.programs.clear();
  }

  private async open(name: ProgramName, build: () => Parameters<typeof openSession>[0]): Promise<Program> {
    const known = this.programs.get(name);
    if (known !== undefined) return known;
    const started = performance.now();
    const program = await openSession(build(), name, this.session);
    this.sessionMs += performance.now() - started;
    this.programs.set(name, program);
    return program;
  }
}
