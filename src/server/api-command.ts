/** @file `preflexor api` on the command line. */
import { Command, InvalidArgumentError, Option } from "commander";
import type { DeviceChoice, RolloutWeights } from "../trainer/index.js";
import type { ApiOptions } from "./api-run.js";
import { wholeFrom } from "./text-flags.js";

const WEIGHTS: readonly RolloutWeights[] = ["float32", "float16", "int8", "int4"];
const DEVICES: readonly DeviceChoice[] = ["auto", "cpu", "cuda", "webgpu"];

const EXAMPLES = `
Examples:
  $ preflexor api --model ./SmolLM2-135M-Instruct --adapter tutor=out/adapter
  $ preflexor api --weights int8 --embedding-model sentence-transformers/all-MiniLM-L6-v2 --port 9000
  $ curl http://127.0.0.1:8080/v1/chat/completions -H 'content-type: application/json' \\
      -d '{"model": "tutor", "messages": [{"role": "user", "content": "Why is nacre tough?"}]}'
The key may also stand in PREFLEXOR_API_KEY, where other users of the machine do not see it.
`;

/** Words that a request's adapter may not be called: they have a meaning of their own. */
const RESERVED = ["on", "off"];

export function apiCommand(run: (options: ApiOptions) => Promise<void>): Command {
  return new Command("api")
    .description("an OpenAI-compatible server: chat, completions, embeddings; adapters are models of their own")
    .option("--model <model>", "a Hugging Face directory or a hub id (default: PREFLEXOR_MODEL, or the package's own)")
    .option("--adapter <name=directory>", "a PEFT adapter and the name to ask for it by; may be repeated", addAdapter)
    .addOption(new Option("--weights <format>", "what the model computes with").choices(WEIGHTS))
    .addOption(new Option("--device <device>", "where it runs (default: auto)").choices(DEVICES))
    .option("--embedding-model <model>", "a sentence-transformers directory or a hub id, for /v1/embeddings")
    .option("--host <address>", "where to listen; other than loopback: give a key", "127.0.0.1")
    .option("--port <number>", "0 takes any that is free", wholeFrom(0, 65_535), 8080)
    .option("--api-key <key>", "clients must send it (default: PREFLEXOR_API_KEY)")
    .option("--max-queue <number>", "sequences under way at once; what is more gets 429", wholeFrom(1, 100_000), 256)
    .option("--threads <number>", "threads of ONNX Runtime", wholeFrom(1, 256))
    .option("--json", "the first line of stdout is {url, models} as JSON, once the server listens")
    .option("--verbose", "with a failure, also its stack")
    .addHelpText("after", EXAMPLES)
    .action(async (options: ApiOptions) =>
      run({
        ...options,
        adapter: options.adapter ?? {},
        json: options.json === true,
        verbose: options.verbose === true,
      }),
    );
}

function addAdapter(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const { name, directory } = /^(?<name>[\w.:+-]+(?:\/[\w.:+-]+)?)=(?<directory>.+)$/s.exec(text)?.groups ?? {};
  if (name === undefined || directory === undefined) throw new InvalidArgumentError("expected name=directory.");
  if (RESERVED.includes(name)) throw new InvalidArgumentError(`${name} has a meaning of its own; take another name.`);
  if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`there are two adapters of the name ${name}.`);
  return { ...before, [name]: directory };
}
