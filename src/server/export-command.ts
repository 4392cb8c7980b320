/** @file `preflexor export` on the command line. */
import { Command, Option } from "commander";
import type { ExportFormat } from "../trainer/index.js";
import type { ExportRunOptions } from "./export-run.js";

const FORMATS: readonly ExportFormat[] = ["adapter", "merged", "gguf", "gguf-model"];

const EXAMPLES = `
Examples:
  $ preflexor export --format merged --from out/adapter --output merged
  $ preflexor export --format gguf --from out/checkpoint-20 --output adapter.gguf --dtype f16
  $ preflexor export --format gguf-model --from out/checkpoint-20 --output model.gguf --dtype q8_0
  $ preflexor export --format adapter --from out/checkpoint-20 --output adapter --base-model-name HuggingFaceTB/SmolLM2-135M-Instruct
`;

export function exportCommand(run: (options: ExportRunOptions) => Promise<void>): Command {
  return new Command("export")
    .description("what was trained, as a PEFT adapter, as a merged model, or as an adapter or a model for llama.cpp")
    .addOption(new Option("--format <format>", "what to write").choices(FORMATS).makeOptionMandatory())
    .requiredOption("--from <directory>", "an adapter, or a checkpoint of a LoRA training; for gguf-model also a model")
    .requiredOption("--output <path>", "a directory, or a file for gguf; it must not exist")
    .option("--model <model>", "the base model (default: what the run was trained on, or what the adapter names)")
    .addOption(
      new Option("--dtype <dtype>", "of a gguf file; an adapter is f32 or f16")
        .choices(["f32", "f16", "q8_0", "q4_0"])
        .default("f32"),
    )
    .option("--base-model-name <name>", "what an exported adapter names as its base")
    .option("--json", "one JSON line on stdout; progress goes to stderr")
    .option("--verbose", "with a failure, also its stack")
    .addHelpText("after", EXAMPLES)
    .action(async (options: ExportRunOptions) =>
      run({ ...options, json: options.json === true, verbose: options.verbose === true }),
    );
}
