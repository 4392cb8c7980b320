/** @file What the commands do, each loaded when it is called. */
import type { ApiOptions } from "./api-run.js";
import type { ChatRunOptions } from "./chat-run.js";
import type { DoctorRunOptions } from "./doctor-run.js";
import type { EvalOptions } from "./eval-plan.js";
import type { ExportRunOptions } from "./export-run.js";
import type { GenerateRunOptions } from "./generate-run.js";
import type { RunsRequest } from "./runs-run.js";
import type { ScoreOptions } from "./score-run.js";
import type { ServeOptions } from "./serve-options.js";
import type { TeachRunOptions } from "./teach-prepare.js";
import type { TrainOptions } from "./train-run.js";

/** Each to its exit code; a test puts its own in their place. */
export interface Commands {
  teach(options: TeachRunOptions): Promise<number>;
  train(options: TrainOptions): Promise<number>;
  score(options: ScoreOptions): Promise<number>;
  eval(options: EvalOptions): Promise<number>;
  export(options: ExportRunOptions): Promise<number>;
  generate(options: GenerateRunOptions): Promise<number>;
  chat(options: ChatRunOptions): Promise<number>;
  doctor(options: DoctorRunOptions): Promise<number>;
  api(options: ApiOptions): Promise<number>;
  runs(request: RunsRequest): Promise<number>;
  serve(options: ServeOptions): Promise<number>;
}

export const COMMANDS: Commands = {
  teach: async (options) => (await import("./teach-run.js")).runTeach(options),
  train: async (options) => (await import("./train-run.js")).runTrain(options),
  score: async (options) => (await import("./score-run.js")).runScore(options),
  eval: async (options) => (await import("./eval-run.js")).runEval(options),
  export: async (options) => (await import("./export-run.js")).runExport(options),
  generate: async (options) => (await import("./generate-run.js")).runGenerate(options),
  chat: async (options) => (await import("./chat-run.js")).runChat(options),
  doctor: async (options) => (await import("./doctor-run.js")).runDoctor(options),
  api: async (options) => (await import("./api-run.js")).runApi(options),
  runs: async (request) => (await import("./runs-run.js")).runRuns(request),
  serve: async (options) => (await import("./serve-run.js")).runServe(options),
};
