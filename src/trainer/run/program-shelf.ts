/** @file The compiled programs of one policy: made when first asked for, and put away when another phase begins. */

import { decodeProgram } from "../decode/index.js";
import type { Graph } from "../graph/index.js";
import type { ProgramSource } from "../model/index.js";
import { openSession, type Program, type SessionOptions } from "../runtime/index.js";
import type { LossName } from "./policy.js";
import { scoreProgram, type TrainProgramOptions, trainProgram } from "./programs.js";
import { stepsProgram } from "./steps-program.js";

export type ProgramName = `train-${LossName}` | `steps-${LossName}` | "score" | "generate";

/** A transposition that is made part of a product keeps a single column from its fast kernel. */
const SAMPLING_SESSION = { optimization: "all", without: ["MatmulTransposeFusion"] } as const;

export interface SamplingSource {
  readonly source: ProgramSource;
  /** Holds the weight files. */
  readonly folder: string;
}

export class ProgramShelf {
  private readonly programs = new Map<ProgramName, Program>();
  private generating: Promise<Program> | undefined;
  private sampling = async (): Promise<SamplingSource> => ({ source: this.source, folder: this.session.weightsFolder });
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

  /** Where {@link generate} finds its weights; they may have to be made first. */
  sampleWith(open: () => Promise<SamplingSource>): void {
    this.sampling = open;
  }

  /** The same program for calls that ask while it is being made. */
  generate(): Promise<Program> {
    this.generating ??= this.openGenerate().catch((error: unknown) => {
      this.generating = undefined;
      throw error;
    });
    return this.generating;
  }

  private async openGenerate(): Promise<Program> {
    const { source, folder } = await this.sampling();
    const session = { ...this.session, weightsFolder: folder, ...SAMPLING_SESSION };
    return this.open("generate", () => decodeProgram(source), session);
  }

  async dispose(): Promise<void> {
    for (const program of this.programs.values()) await program.dispose();
    this.programs.clear();
    this.generating = undefined;
  }

  /**
   * Each session holds weights of its own. The first training by a loss lets go of all others: of another loss's, and of
   * those that made its data. What is opened later, to evaluate or to sample, stays beside it.
   */
  private async openTraining(loss: LossName, name: ProgramName, build: () => Graph): Promise<Program> {
    if (!this.programs.has(`train-${loss}`) && !this.programs.has(`steps-${loss}`)) await this.dispose();
    return this.open(name, build);
  }

  private async open(name: ProgramName, build: () => Graph, session = this.session): Promise<Program> {
    const known = this.programs.get(name);
    if (known !== undefined) return known;
    const started = performance.now();
    const program = await openSession(build(), name, session);
    this.sessionMs += performance.now() - started;
    this.programs.set(name, program);
    return program;
  }
}
