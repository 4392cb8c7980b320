/** @file export-adapter: what a run trained, in the form that other programs take. */
import { join } from "node:path";
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { checkpointSteps, EXPORT_FORMATS } from "../trainer/index.js";
import { oneOf, toolArguments, wholeNumber, words, yesOrNo } from "./arguments.js";
import { progressOf } from "./progress.js";
import { runId } from "./run-schemas.js";
import { turnOf } from "./tasks/task-call.js";
import { callSignal, type ToolContext } from "./tool-context.js";
import { guarded, toolResult } from "./tool-result.js";
import { runDetail } from "./views/index.js";

const input = toolArguments({
  run: runId().describe("Id of the run whose result is wanted"),
  format: oneOf(EXPORT_FORMATS)
    .default("adapter")
    .describe(
      "adapter: PEFT, for transformers and vLLM; merged: the whole model as a Hugging Face directory; gguf: the adapter for llama.cpp; " +
        "gguf-model: the merged model for llama.cpp and Ollama",
    ),
  step: wholeNumber(1, 1e9)
    .optional()
    .describe("Take this checkpoint; by default the result, or the newest checkpoint"),
  output: words("a path")
    .optional()
    .describe("A directory, or a file for gguf, that is not there yet; by default one below the home's exports"),
  dtype: oneOf(["f32", "f16", "q8_0", "q4_0"]).default("f32").describe("Of a gguf; an adapter is f32 or f16"),
  dry_run: yesOrNo().default(false).describe("Only say what would be written where"),
});

export const exportAdapterOutput = z.object({
  dryRun: z.boolean(),
  format: z.enum(EXPORT_FORMATS),
  from: z.string().describe("What was exported"),
  output: z.string().describe("Where it is"),
  bytes: z.number().int().optional().describe("Absent in a dry run"),
  next: z.string().describe("What to do with it"),
});

const config = {
  title: "Export an adapter",
  description:
    "Writes what a run trained for other programs: a PEFT adapter, a merged Hugging Face model, or GGUF for llama.cpp and Ollama. Call it " +
    "after evaluate says that the training was worth it. Nothing is overwritten, and nothing half-written stays. Writes below " +
    "the server's home, or into a folder that tools may write to.",
  inputSchema: input,
  outputSchema: exportAdapterOutput,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
};

const NEXT = {
  adapter: "load it with PEFT: PeftModel.from_pretrained(base, <output>)",
  merged: "load it as any Hugging Face model directory",
  gguf: "llama-cli -m <base>.gguf --lora <output>",
  "gguf-model": "llama-cli -m <output>, or FROM <output> in an Ollama Modelfile",
} as const;

export function registerExportAdapter(server: McpServer, context: ToolContext): void {
  server.registerTool("export-adapter", config, ({ run, format, step, output, dtype, dry_run: dryRun }, request) => {
    const signal = callSignal(context, request);
    return guarded(`Call get-run with run: "${run}" to see what it has`, signal, async () => {
      const from = await sourceOf(context, run, step);
      const name = `${run}${step === undefined ? "" : `-step-${step}`}-${format}${format.startsWith("gguf") ? `-${dtype}.gguf` : ""}`;
      const target = await context.paths.write(output ?? join(context.home, "exports", name));
      const said = { format, from, next: NEXT[format].replace("<output>", target) };
      if (dryRun)
        return toolResult(exportAdapterOutput, {
          dryRun,
          ...said,
          output: target,
          next: "call export-adapter with the same arguments without dry_run",
        });
      const report = progressOf(request);
      report(0, 1, `writing ${target}`);
      const wanted = { format, from, output: target, dtype };
      const { bytes, output: written } = await context.exclusive(
        signal,
        () => context.runs.exportTrained(wanted, { signal, report }),
        turnOf(request, "export-adapter"),
      );
      return toolResult(exportAdapterOutput, { dryRun, ...said, output: written, bytes });
    });
  });
}

/** What was trained to the end, or the newest checkpoint of what was not. */
async function sourceOf({ home }: ToolContext, run: string, step: number | undefined): Promise<string> {
  const { directory, adapter } = await runDetail(home, run);
  const steps = await checkpointSteps(directory);
  if (step !== undefined && !steps.includes(step)) {
    const found = steps.length === 0 ? "it has none yet" : `it has ${steps.join(", ")}`;
    throw new Error(
      `${run} has no checkpoint of step ${step}: ${found}; call export-adapter without step for the result`,
    );
  }
  if (step === undefined && adapter !== undefined) return adapter;
  const newest = step ?? steps.at(-1);
  if (newest !== undefined) return join(directory, `checkpoint-${newest}`);
  throw new Error(
    `${run} has trained nothing yet: call get-run with run: "${run}" to see how far it is, or train-iteration for the run of tools`,
  );
}
