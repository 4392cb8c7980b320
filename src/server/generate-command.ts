/** @file `preflexor generate` on the command line. */
import { Command, Option } from "commander";
import type { GenerateRunOptions } from "./generate-run.js";
import { addTextFlags, readTextFlags, wholeFrom } from "./text-flags.js";

const EXAMPLES = `
Examples:
  $ preflexor generate --prompt "Which material is tough? Use <|thinking|>." --adapter out/adapter
  $ preflexor generate --model ./SmolLM2-135M-Instruct --system "Answer in one sentence." --prompt "Why is nacre tough?"
  $ cat notes.txt | preflexor generate --raw --max-new-tokens 64 --stop "\\n\\n"      continues a text as it stands
  $ preflexor generate --prompt "Name a stone." --n 4 --seed 7 --json                 samples with ids, log-probabilities, timing
The reply goes to stdout as it is made; with --n above 1, each sample when all are done.
`;

export function generateCommand(run: (options: GenerateRunOptions) => Promise<void>): Command {
  const command = new Command("generate")
    .description("a model's reply to one prompt, streamed to stdout")
    .option("--prompt <text>", "what to reply to or to continue (default: --file, else stdin)")
    .option("--file <path>", "the prompt is the content of this file")
    .option("--system <text>", "the system message in front of it")
    .option("--prefill <text>", "what the reply begins with, such as a whole thinking section")
    .addOption(new Option("--chat", "the prompt is a user's turn (default where the model has a chat template)"))
    .addOption(new Option("--raw", "the prompt is continued as it stands").conflicts(["chat", "system", "prefill"]))
    .option("--n <number>", "samples; with --seed they have this seed and the following ones", wholeFrom(1, 4096), 1)
    .option("--json", "one JSON line on stdout: samples with ids and log-probabilities, usage, timing")
    .addHelpText("after", EXAMPLES);
  return addTextFlags(command).action(async (parsed: Readonly<Record<string, unknown>>) => {
    const { prompt, file, prefill, chat, raw, n, json } = parsed;
    await run({
      ...readTextFlags(parsed),
      ...(typeof prompt === "string" && { prompt }),
      ...(typeof file === "string" && { file }),
      ...(typeof prefill === "string" && { prefill }),
      ...(raw === true ? { form: "raw" as const } : chat === true && { form: "chat" as const }),
      n: n as number,
      json: json === true,
    });
  });
}
