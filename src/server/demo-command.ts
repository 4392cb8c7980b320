/** @file `preflexor demo` on the command line. */
import { isAbsolute, resolve } from "node:path";
import { Command } from "commander";
import type { DemoOptions } from "./demo-options.js";
import { wholeFrom } from "./text-flags.js";

const absolute = (path: string): string => (isAbsolute(path) ? path : resolve(path));

const EXAMPLES = `
Examples:
  $ preflexor demo                            about a minute: corpus, pairs, training, held-out accuracy, one reasoned answer
  $ preflexor demo --seed 7 --json            the same, with one JSON object as the last line of stdout
  $ preflexor demo --corpus ./articles --model ./SmolLM2-135M-Instruct
                                              your own documents and a real model (trains a LoRA adapter)
  $ preflexor demo --resume <run directory>   goes on from the last checkpoint of a run
`;

export function demoCommand(run: (options: DemoOptions) => Promise<void>): Command {
  return new Command("demo")
    .description("one self-teaching iteration, end to end: ingest, pairs, training, evaluation, recursive reasoning")
    .option("--json", "the last line of stdout is the result as one JSON object; everything else goes to stderr")
    .option("--seed <number>", "seed of everything that is drawn", wholeFrom(0, 2 ** 31 - 1), 7)
    .option(
      "--model <directory>",
      "a Hugging Face checkpoint directory (default: the small model of the package)",
      absolute,
    )
    .option("--corpus <path>", "a folder of .md or .txt documents (default: the built-in materials world)", absolute)
    .option("--rounds <number>", "rounds of pairs and training", wholeFrom(1, 1000))
    .option("--pairs <number>", "pairs in each round", wholeFrom(1, 100_000))
    .option("--home <directory>", "where corpora and runs are kept (default: PREFLEXOR_HOME)", absolute)
    .option("--threads <number>", "threads of ONNX Runtime", wholeFrom(1, 256))
    .option("--resume <directory>", "go on with this run, from its last checkpoint", absolute)
    .option("--verbose", "with a failure, also its stack")
    .addHelpText("after", EXAMPLES)
    .action(async (options: DemoOptions) =>
      run({ ...options, json: options.json === true, verbose: options.verbose === true }),
    );
}
