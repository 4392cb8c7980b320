/** @file start-run: a whole self-teaching run as a process of its own, or what it would cost. */
import type { CallToolResult, McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { RUN_STATUSES, teachSchemas } from "../agents/index.js";
import { nearest } from "../trainer/text/nearest.js";
import { BUILT_IN_WORLD } from "./active-corpus.js";
import { toolArguments, wholeNumber, words, yesOrNo } from "./arguments.js";
import { type AsksUser, unlessConfirmed } from "./client-elicitation.js";
import { withClient } from "./client-sampling.js";
import { estimateText, isExpensive } from "./estimate-text.js";
import { followRun, runOfTask } from "./follow-run.js";
import { progressOf } from "./progress.js";
import { type Estimate, estimateSchema, type OnCreated, type StartedRun, type TeachRequest } from "./run-keeper.js";
import { nextStep, runText } from "./run-text.js";
import { shownBy } from "./shown-by.js";
import { type TaskCall, taskOf } from "./tasks/task-call.js";
import type { ToolContext } from "./tool-context.js";
import { guarded, toolResult } from "./tool-result.js";

const input = toolArguments({
  corpus: words("a folder, a file, a glob, or materials-world")
    .optional()
    .describe("A folder, file or glob as for ingest-corpus, or materials-world; by default the active corpus"),
  model: words("a model directory or a hub id")
    .optional()
    .describe("A Hugging Face directory or a hub id; by default the server's model"),
  phases: z
    .array(words("the name of a loss"))
    .min(1)
    .optional()
    .describe('Losses of the phases in turn; by default ["orpo", "exo_pair"]: orpo teaches to think, exo_pair refines'),
  iterations: wholeNumber(1, 1000).optional().describe("Rounds of each phase: pairs, training, evaluation"),
  topics: wholeNumber(1, 100_000).optional().describe("Questions of each round, so at most that many pairs"),
  seed: wholeNumber(0, 2 ** 31 - 1)
    .optional()
    .describe("Of everything that is drawn; by default 42"),
  settings: z
    .record(z.string(), z.unknown())
    .default({})
    .describe(
      "Any other setting of `preflexor teach`, by its name in a config file: n_steps, learning_rate, lora_r, " +
        "student_samples, only_include_wrong_answers, held_out_pairs, replay_chosen, roll_back, max_new_tokens, gradient_checkpointing …; `phases` may be a list of objects here. " +
        "A wrong name is refused with the right one",
    ),
  resume: words("the id of a run, as list-runs gives it")
    .optional()
    .describe("Go on with this run instead, from where it stopped; takes no other settings"),
  detach: yesOrNo()
    .default(false)
    .describe(
      "Only for clients with tasks, where this call is a task that lasts as long as the run: answer as soon as it is on disk",
    ),
  dry_run: yesOrNo()
    .default(false)
    .describe("Only check and estimate: pairs, steps, memory, time. Nothing is written or started"),
  confirm: yesOrNo()
    .default(false)
    .describe("True where the user was told what an expensive run costs and agreed; without it the user is asked"),
});
type Asked = z.infer<typeof input>;

export const startRunOutput = z.object({
  run: z.string().optional().describe("Id of the run; absent in a dry run"),
  directory: z.string().optional().describe("Where it is kept"),
  status: z.enum(["dry-run", ...RUN_STATUSES]).describe("working: it has begun; failed: it ended at once, see outcome"),
  outcome: z.string().optional().describe("Why it ended, where it did"),
  estimate: estimateSchema.optional().describe("What it will cost; absent where a run is gone on with"),
  found: z.string().describe("What was found, in words"),
  next: z.string().describe("The call to make next"),
});

const config = {
  title: "Start a self-teaching run",
  description:
    "Starts a whole self-teaching run: rounds of preference pairs made against the model as it is, training on them and held-out " +
    "evaluation, in phases. It works in a process of its own for minutes to hours and goes on when this server ends; the answer " +
    "comes as soon as it is on disk, and as a task when it has ended. Call it with dry_run: true first: it checks every setting and estimates memory and time. " +
    "Then follow it with get-run, end it with stop-run, and use what it made with evaluate, recursive-reason (which takes its id) and export-adapter. A run that was " +
    "cut off goes on with resume. For single steps by hand use generate-preference-pair and train-iteration instead.",
  inputSchema: input,
  outputSchema: startRunOutput,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
};

const NEXT = "Correct the argument that is named, and call start-run with dry_run: true";

export function registerStartRun(server: McpServer, context: ToolContext): void {
  server.registerTool("start-run", { ...config, ...shownBy(context) }, (asked, request) =>
    withClient({ server, context, request }, (client, signal) =>
      guarded(NEXT, signal, async () => {
        progressOf(request)(0, 1, "checking the settings");
        const task = asked.detach || asked.dry_run ? undefined : taskOf(request);
        const call = { context, asked, client, signal, task };
        return asked.resume === undefined ? started(call) : resumed(call);
      }),
    ),
  );
}

interface StartCall {
  readonly context: ToolContext;
  readonly asked: Asked;
  readonly client: AsksUser;
  readonly signal: AbortSignal;
  /** That lasts as long as the run. */
  readonly task: TaskCall | undefined;
}

/** A run that has begun, and what is said of it. */
interface Begun {
  readonly run: StartedRun;
  readonly found: string;
  readonly estimate?: Estimate;
}

async function started({ context, asked, client, signal, task }: StartCall): Promise<CallToolResult> {
  const begin = async (onCreated?: OnCreated): Promise<Begun | CallToolResult> => {
    const request = await requestOf(context, asked);
    if (!asked.dry_run) await context.runs.checkRoom();
    const estimate = await context.runs.estimate(request, signal);
    const found = `${String(request.over["corpus"])}: ${estimateText(estimate)}`;
    if (asked.dry_run) {
      const next = "call start-run with the same arguments without dry_run";
      return toolResult(startRunOutput, { status: "dry-run", estimate, found, next });
    }
    const question = `Start a self-teaching run (${found})?`;
    const consent = { confirm: asked.confirm, question, undone: "nothing was started", tool: "start-run", signal };
    const refusal = isExpensive(estimate) ? await unlessConfirmed(client, consent) : undefined;
    return refusal ?? { run: await context.runs.start(request, signal, onCreated), found, estimate };
  };
  return task === undefined ? toldOrRefused(await begin()) : lasting(context, task, begin);
}

async function resumed({ context, asked, signal, task }: StartCall): Promise<CallToolResult> {
  const id = resumable(asked);
  const begin = async (onCreated?: OnCreated): Promise<Begun> => {
    await onCreated?.(id);
    return { run: await context.runs.resume(id, signal), found: GOES_ON };
  };
  return task === undefined ? told(await begin()) : lasting(context, task, begin);
}

const GOES_ON = "it goes on behind its last finished stage";

/** The result of a run that has ended, or what kept it from beginning. */
async function lasting(
  context: ToolContext,
  task: TaskCall,
  begin: (onCreated: OnCreated) => Promise<Begun | CallToolResult>,
): Promise<CallToolResult> {
  let run = await runOfTask(context, task);
  if (run === undefined) {
    const begun = await begin((id) => task.note({ run: id }));
    if (!("run" in begun)) return begun as CallToolResult;
    run = (begun as Begun).run.id;
  }
  const { id, directory, status, outcome, ...item } = await followRun(context, task, run);
  return toolResult(startRunOutput, {
    run: id,
    directory,
    status,
    ...(outcome && { outcome: outcome.message }),
    found: runText({ id, status, ...item }),
    next: nextStep({ id, status, ...item }),
  });
}

const toldOrRefused = (begun: Begun | CallToolResult): CallToolResult =>
  "run" in begun ? told(begun as Begun) : (begun as CallToolResult);

function told({ run, found, estimate }: Begun): CallToolResult {
  const { id, directory, standing } = run;
  const { status, outcome } = standing;
  return toolResult(startRunOutput, {
    run: id,
    directory,
    status,
    ...(outcome && { outcome: outcome.message }),
    ...(estimate && { estimate }),
    found,
    next:
      status === "failed"
        ? "correct what the outcome names, and call start-run again"
        : `call get-run with run: "${id}" and wait_seconds: 30 until it has ended`,
  });
}

/** Throws where a run is to be gone on with under other settings: what it would write then could not be compared. */
function resumable({ resume = "", ...others }: Asked): string {
  const { settings, dry_run: dryRun, detach: _, confirm: __, ...named } = others;
  const extra = [
    ...Object.keys(named).filter((key) => named[key as keyof typeof named] !== undefined),
    ...Object.keys(settings),
  ];
  if (extra.length > 0)
    throw new Error(`resume takes no other settings, found ${extra.join(", ")}: leave them out, or start a new run`);
  if (dryRun) throw new Error("resume has no dry_run: call get-run to see how far the run is");
  return resume;
}

/** Throws with every setting that there is none of, since a guess at its name helps more than a list of all. */
async function requestOf(context: ToolContext, asked: Asked): Promise<TeachRequest> {
  const { corpus, model, phases, iterations, topics, seed, settings } = asked;
  const own = { corpus, model, phases, iterations, topics, seed };
  const over = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
  const twice = Object.keys(settings).filter((key) => key in over);
  if (twice.length > 0)
    throw new Error(`${twice.join(", ")}: given as an argument and in settings; leave one of them out`);
  const unknown = Object.keys(settings).filter((key) => key !== "phases" && !Object.hasOwn(teachSchemas, key));
  if (unknown.length > 0) throw new Error(unknown.map(refusalOf).join("\n"));
  const active = (await context.activeCorpus())?.path ?? BUILT_IN_WORLD;
  return { settings, over: { ...over, corpus: corpus ?? settings["corpus"] ?? active } };
}

function refusalOf(key: string): string {
  const guess = nearest(key.replaceAll("-", "_"), Object.keys(teachSchemas));
  return `settings: there is none called "${key}"${guess === undefined ? "" : `: did you mean "${guess}"?`}`;
}
