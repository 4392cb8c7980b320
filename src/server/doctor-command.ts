/** @file `preflexor doctor` on the command line. */
import { Command } from "commander";
import type { DoctorRunOptions } from "./doctor-run.js";

export function doctorCommand(run: (options: DoctorRunOptions) => Promise<void>): Command {
  return new Command("doctor")
    .description("what this machine can do: devices, ONNX Runtime, Chroma, memory, and whether a model can be used")
    .option("--model <model>", "a Hugging Face directory or a hub id that is in the cache")
    .option("--json", "one JSON line on stdout")
    .option("--verbose", "with a failure, also its stack")
    .action(async (options: DoctorRunOptions) =>
      run({ ...options, json: options.json === true, verbose: options.verbose === true }),
    );
}
