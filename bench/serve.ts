/** @file The serving bench: many clients that stream chats from one server, some of which go away in the middle. */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { call, isSameReply, type PlannedCall, percentile, plannedCall, type Reply } from "./serve-calls.js";
import { type RunningServer, startServer } from "./serve-process.js";

interface ServeOptions {
  readonly model: string;
  readonly weights: string | undefined;
  readonly clients: number;
  readonly seconds: number;
  /** Replies that are asked for again, alone. */
  readonly samples: number;
  readonly seed: number;
  readonly threads: number;
  readonly json: boolean;
}

const USAGE = `npm run bench -- serve [--json] [--model DIR] [--weights NAME] [--clients N] [--seconds N] [--samples N] [--seed N] [--threads N]`;

const NANO = fileURLToPath(new URL("../models/nano", import.meta.url));
const CALL_TIMEOUT_MS = 60_000;
const REST_LIMIT_MS = 10_000;
const SHOWN_ERRORS = 5;

interface Done {
  readonly plan: PlannedCall;
  readonly reply: Reply;
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const rounded = (value: number, digits = 1): number => Number(value.toFixed(digits));

export async function serveBench(args: readonly string[]): Promise<void> {
  const options = parseServeOptions(args);
  const { model, weights, clients, threads } = options;
  // Calls that hang up without giving their place back would fill these within seconds, and the rest be refused.
  const places = 2 * clients;
  const flags = ["--model", model, "--max-queue", String(places), "--threads", String(threads)];
  const server = await startServer(weights === undefined ? flags : [...flags, "--weights", weights]);
  try {
    await call(server.url, server.model, { ...plannedCall(0, 0), seed: 0 }, CALL_TIMEOUT_MS);
    const load = await runLoad(server, options);
    const restMs = await server.rest(REST_LIMIT_MS);
    const full = await answersAtOnce(server, places, options.seed);
    const different = await differentAlone(server, load.done, options.samples);
    const problems = [
      ...load.errors,
      ...full,
      ...different.problems,
      ...(restMs === undefined ? [`the server still worked ${REST_LIMIT_MS / 1000} s after the last call`] : []),
    ];
    for (const problem of problems.slice(0, SHOWN_ERRORS)) say(problem);
    const result = { ...loadFigures(load), errors: problems.length };
    const checks = {
      samples: different.asked,
      different: different.problems.length,
      restMs: restMs && rounded(restMs),
    };
    const output = {
      ...result,
      ...checks,
      places,
      clients,
      seconds: rounded(load.seconds),
      threads,
      model: server.model,
    };
    process.stdout.write(options.json ? `${JSON.stringify(output)}\n` : `${JSON.stringify(output, null, 2)}\n`);
  } finally {
    await server.stop();
  }
}

interface Load {
  readonly done: readonly Done[];
  readonly errors: readonly string[];
  /** From the first call to the end of the last. */
  readonly seconds: number;
}

async function runLoad(server: RunningServer, { clients, seconds, seed }: ServeOptions): Promise<Load> {
  const done: Done[] = [];
  const errors: string[] = [];
  const started = performance.now();
  let next = 0;
  const client = async (): Promise<void> => {
    while (performance.now() - started < seconds * 1000) {
      const plan = plannedCall(seed, next++);
      try {
        done.push({ plan, reply: await call(server.url, server.model, plan, CALL_TIMEOUT_MS) });
      } catch (error) {
        errors.push(`call ${plan.seed}: ${reason(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return { done, errors, seconds: (performance.now() - started) / 1000 };
}

const reason = (error: unknown): string => {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message} (${cause.message})` : message;
};

/** Every place that the server has is asked for at once: none may have been lost. Gives what went wrong. */
async function answersAtOnce(server: RunningServer, places: number, seed: number): Promise<string[]> {
  const outcomes = await Promise.allSettled(
    Array.from({ length: places }, (_, i) =>
      call(
        server.url,
        server.model,
        { ...plannedCall(seed, i), maxTokens: 8, hangUpAfter: undefined },
        CALL_TIMEOUT_MS,
      ),
    ),
  );
  return outcomes.flatMap((outcome) =>
    outcome.status === "rejected" ? [`after the load, ${places} at once: ${reason(outcome.reason)}`] : [],
  );
}

/** The same requests one after the other, evenly from the whole load, calls that hung up among them. */
async function differentAlone(server: RunningServer, done: readonly Done[], samples: number) {
  const asked = Math.min(samples, done.length);
  const problems: string[] = [];
  for (let i = 0; i < asked; i += 1) {
    const { plan, reply } = done[Math.floor((i * done.length) / asked)] as Done;
    try {
      const alone = await call(server.url, server.model, { ...plan, hangUpAfter: undefined }, CALL_TIMEOUT_MS);
      if (isSameReply(reply, alone)) continue;
      problems.push(`call ${plan.seed}: in company ${JSON.stringify(reply.text)}, alone ${JSON.stringify(alone.text)}`);
    } catch (error) {
      problems.push(`call ${plan.seed}, alone: ${reason(error)}`);
    }
  }
  return { asked, problems };
}

function loadFigures({ done, errors, seconds }: Load) {
  const whole = done.map(({ reply }) => reply).filter(({ finish }) => finish !== undefined);
  const times = whole.map(({ ms }) => ms);
  const firsts = whole.map(({ firstTokenMs }) => firstTokenMs).filter((ms) => !Number.isNaN(ms));
  return {
    p50Ms: rounded(percentile(times, 0.5)),
    p99Ms: rounded(percentile(times, 0.99)),
    calls: done.length + errors.length,
    cancelled: done.length - whole.length,
    /** Of calls that were not cancelled. */
    tokensPerSecond: rounded(whole.reduce((sum, { tokens }) => sum + tokens, 0) / seconds),
    firstTokenP50Ms: rounded(percentile(firsts, 0.5)),
  };
}

function parseServeOptions(args: readonly string[]): ServeOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: "string", default: NANO },
      weights: { type: "string" },
      clients: { type: "string", default: "32" },
      seconds: { type: "string", default: "60" },
      samples: { type: "string", default: "48" },
      seed: { type: "string", default: "7" },
      threads: { type: "string", default: String(Math.max(1, Math.min(2, availableParallelism()))) },
      json: { type: "boolean", default: false },
    },
  });
  const problems: string[] = [];
  const count = (name: "clients" | "seconds" | "samples" | "seed" | "threads", least: number): number => {
    const number = Number(values[name]);
    if (!Number.isInteger(number) || number < least) {
      problems.push(`--${name}: expected a whole number from ${least}, found "${values[name]}"`);
    }
    return number;
  };
  const options: ServeOptions = {
    model: values.model,
    weights: values.weights,
    clients: count("clients", 1),
    seconds: count("seconds", 1),
    samples: count("samples", 0),
    seed: count("seed", 0),
    threads: count("threads", 1),
    json: values.json,
  };
  if (problems.length > 0) throw new Error(`${problems.join("\n")}\n${USAGE}`);
  return options;
}
