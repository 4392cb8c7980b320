/** @file The command line: what may be typed, what it means, and what to type instead of a slip. */

import { isAbsolute, resolve } from "node:path";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { apiCommand } from "./api-command.js";
import type { ApiOptions } from "./api-run.js";
import { chatCommand } from "./chat-command.js";
import type { ChatRunOptions } from "./chat-run.js";
import type { DemoOptions } from "./demo-options.js";
import { doctorCommand } from "./doctor-command.js";
import type { DoctorRunOptions } from "./doctor-run.js";
import { evalCommand } from "./eval-command.js";
import type { EvalOptions } from "./eval-plan.js";
import { exportCommand } from "./export-command.js";
import type { ExportRunOptions } from "./export-run.js";
import { generateCommand } from "./generate-command.js";
import type { GenerateRunOptions } from "./generate-run.js";
import { runsCommand } from "./runs-command.js";
import type { RunsRequest } from "./runs-run.js";
import { scoreCommand } from "./score-command.js";
import type { ScoreOptions } from "./score-run.js";
import { serveCommand } from "./serve-command.js";
import type { ServeOptions } from "./serve-options.js";
import { teachCommand } from "./teach-command.js";
import type { TeachRunOptions } from "./teach-prepare.js";
import { trainCommand } from "./train-command.js";
import type { TrainOptions } from "./train-run.js";
import { packageVersion } from "./version.js";

const EXAMPLES = `
Examples:
  $ preflexor demo                            one iteration: corpus, pairs, training, held-out accuracy, one reasoned answer
  $ preflexor demo --seed 7 --json            the same, with one JSON object as the last line of stdout
  $ preflexor demo --corpus ./articles --model ./SmolLM2-135M-Instruct
                                              your own documents and a real model (trains a LoRA adapter)
  $ preflexor demo --resume <run directory>   goes on from the last checkpoint of a run
  $ preflexor teach --corpus ./articles --model ./SmolLM2-135M-Instruct
                                              a whole run: rounds of pairs, training and evaluation, in phases
  $ preflexor train --pairs pairs.jsonl --loss orpo --model ./SmolLM2-135M-Instruct
                                              one training on your own pairs (preflexor train --help lists every setting)
  $ preflexor eval --run <run directory> --against base
                                              held-out accuracy with intervals, and what the training has brought
  $ preflexor chat --adapter out/adapter      a conversation with what was trained
  $ preflexor generate --prompt "Why is nacre tough?"
                                              one reply, streamed to stdout (--json: with ids and log-probabilities)
  $ preflexor api --adapter tutor=out/adapter an OpenAI-compatible server of the model and its adapters
  $ preflexor runs list                       the runs that are kept, and the room they take
  $ preflexor doctor                          what this machine can do
  $ preflexor                                 the MCP server over stdio, as an assistant starts it
  $ preflexor serve --http                    the MCP server over HTTP, and a page for people

Settings (environment): PREFLEXOR_HOME (corpora and runs), PREFLEXOR_MODEL, PREFLEXOR_CHROMA_URL, PREFLEXOR_THREADS,
PREFLEXOR_TEACHER, PREFLEXOR_CRITIC and PREFLEXOR_JUDGE (builtin, extractive, self, client, preflexor:<directory or id>,
<provider>:<model> of LangChain, openai:<model>@<base URL>), PREFLEXOR_TEACHER_BASE_URL (of openai:<model>),
PREFLEXOR_OFFLINE (1: nothing leaves this machine),
PREFLEXOR_EMBEDDING_MODEL (a sentence-transformers directory or id: finds passages by meaning), PREFLEXOR_API_KEY (of preflexor api),
PREFLEXOR_ROOTS (folders that the server's tools may read and write, joined as PATH is), PREFLEXOR_MAX_CORPUS_MB (of one ingest, 256),
PREFLEXOR_MAX_RUNS (whole runs at once, 1),
PREFLEXOR_TOKEN (of preflexor serve --http).
`;

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}.`);
  };
}

const absolute = (path: string): string => (isAbsolute(path) ? path : resolve(path));

function demoCommand(run: (options: DemoOptions) => Promise<number>, finish: (exitCode: number) => void): Command {
  return new Command("demo")
    .description("one self-teaching iteration, end to end: ingest, pairs, training, evaluation, recursive reasoning")
    .option("--json", "the last line of stdout is the result as one JSON object; everything else goes to stderr")
    .option("--seed <number>", "seed of everything that is drawn", wholeNumber(0, 2 ** 31 - 1), 7)
    .option(
      "--model <directory>",
      "a Hugging Face checkpoint directory (default: the small model of the package)",
      absolute,
    )
    .option("--corpus <path>", "a folder of .md or .txt documents (default: the built-in materials world)", absolute)
    .option("--rounds <number>", "rounds of pairs and training", wholeNumber(1, 1000))
    .option("--pairs <number>", "pairs in each round", wholeNumber(1, 100_000))
    .option("--home <directory>", "where corpora and runs are kept (default: PREFLEXOR_HOME)", absolute)
    .option("--threads <number>", "threads of ONNX Runtime", wholeNumber(1, 256))
    .option("--resume <directory>", "go on with this run, from its last checkpoint", absolute)
    .option("--verbose", "with a failure, also its stack")
    .action(async (options: DemoOptions) =>
      finish(await run({ ...options, json: options.json === true, verbose: options.verbose === true })),
    );
}

/** What the commands do, each to its exit code; a test puts its own in their place. */
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

const COMMANDS: Commands = {
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

/** Runs a command; resolves to the exit code. Help, version and mistakes are printed here. */
export async function runCli(
  args: readonly string[],
  demo: (options: DemoOptions) => Promise<number> = async (options) => (await import("./demo.js")).runDemo(options),
  others: Commands = COMMANDS,
): Promise<number> {
  let exitCode = 0;
  const finish = (code: number): void => {
    exitCode = code;
  };
  const program = new Command("preflexor")
    .description(
      "A small language model teaches itself to reason, on ONNX Runtime, steered through MCP.\nWithout a command: the MCP server over stdio.",
    )
    .version(packageVersion(), "-v, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", EXAMPLES)
    .showSuggestionAfterError()
    .showHelpAfterError("(preflexor --help lists commands and examples)");
  const commands = [
    demoCommand(demo, finish),
    teachCommand(async (options) => finish(await others.teach(options))),
    trainCommand(async (options) => finish(await others.train(options))),
    scoreCommand(async (options) => finish(await others.score(options))),
    evalCommand(async (options) => finish(await others.eval(options))),
    exportCommand(async (options) => finish(await others.export(options))),
    generateCommand(async (options) => finish(await others.generate(options))),
    chatCommand(async (options) => finish(await others.chat(options))),
    doctorCommand(async (options) => finish(await others.doctor(options))),
    apiCommand(async (options) => finish(await others.api(options))),
    runsCommand(async (request) => finish(await others.runs(request))),
    serveCommand(async (options) => finish(await others.serve(options))),
  ];
  for (const command of commands) {
    for (const one of [command, ...command.commands]) {
      one
        .exitOverride()
        .showSuggestionAfterError()
        .showHelpAfterError("(preflexor --help lists commands and examples)");
    }
    program.addCommand(command);
  }
  program.addOption(new Option("--verbose").hideHelp()).exitOverride();
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    throw error;
  }
}
