/** @file `preflexor api`: opens the models, listens, and ends in order when it is told to. */
import { basename, resolve } from "node:path";
import { type DeviceChoice, parseModelId, type RolloutWeights } from "../trainer/index.js";
import { type CommandFrame, runInFrame } from "./command-frame.js";
import { type Config, readConfig } from "./config.js";
import { openDirectory } from "./hub-progress.js";
import { createLog } from "./log.js";
import { isLoopback } from "./openai/guard.js";
import { createApiServer, modelNames, type OpenServed, openServed, type Served } from "./openai/index.js";

export interface ApiOptions {
  readonly model?: string;
  /** Directories of PEFT adapters by the names that requests ask for. */
  readonly adapter: Readonly<Record<string, string>>;
  readonly weights?: RolloutWeights;
  readonly device?: DeviceChoice;
  readonly embeddingModel?: string;
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly apiKey?: string;
  readonly maxQueue: number;
  readonly threads?: number;
  readonly json: boolean;
  readonly verbose: boolean;
}

/** How long requests that run at the first Ctrl-C may go on. */
const GRACE_MS = 5000;

/** Serves until a signal comes; resolves to the exit code. */
export async function runApi(options: ApiOptions): Promise<number> {
  const stopping = "stopping: requests under way may end (Ctrl-C again: at once) …";
  return runInFrame({ verbose: options.verbose, stopping }, async (frame) => {
    const config = readConfig();
    const apiKey = options.apiKey ?? config.apiKey;
    checkKeyText(apiKey);
    const open = await openModels(options, config, frame);
    frame.onEnd(() => open.close());
    await serveUntilStopped(open.served, options, apiKey, frame);
    return 0;
  });
}

async function openModels(options: ApiOptions, config: Config, { display, signal }: CommandFrame): Promise<OpenServed> {
  const model = await openDirectory(options.model ?? config.model, config.hub, display, signal);
  const asked = options.embeddingModel ?? config.embeddingModel;
  const embedding = asked === undefined ? undefined : await openDirectory(asked, config.hub, display, signal);
  const threads = options.threads ?? config.threads;
  display.phase(`open ${[model, embedding].flatMap((each) => each?.name ?? []).join(" and ")}`, 1);
  const open = await openServed({
    model: model.path,
    adapters: Object.fromEntries(Object.entries(options.adapter).map(([name, path]) => [name, resolve(path)])),
    ...(embedding !== undefined && { embedding: { name: servedName(embedding.name), path: embedding.path } }),
    ...(options.weights !== undefined && { weights: options.weights }),
    ...(options.device !== undefined && { device: options.device }),
    ...(threads !== undefined && { threads }),
    signal,
  });
  display.end();
  return open;
}

/** A hub id without its commit, or the name of the directory. */
function servedName(name: string): string {
  return parseModelId(name) === undefined ? basename(name) : name.replace(/@.*$/, "");
}

async function serveUntilStopped(
  served: Served,
  options: ApiOptions,
  apiKey: string | undefined,
  { display, signal }: CommandFrame,
): Promise<void> {
  const { host, port, maxQueue } = options;
  const log = createLog(options.verbose);
  const server = createApiServer({
    served,
    maxQueue,
    host,
    ...(apiKey !== undefined && { apiKey }),
    onError: (error) => log.error(error),
  });
  const url = `${await server.listen(port)}/v1`;
  const models = modelNames(served);
  display.line(`${url} serves ${models.join(", ")}`);
  if (apiKey === undefined && !isLoopback(host)) {
    display.line("without a key whoever reaches this address may use it: set PREFLEXOR_API_KEY or --api-key");
  }
  if (options.json) process.stdout.write(`${JSON.stringify({ url, models })}\n`);
  await new Promise<void>((stopped) => {
    if (signal.aborted) stopped();
    else signal.addEventListener("abort", () => stopped(), { once: true });
  });
  await server.close(GRACE_MS);
}

/** Throws where no HTTP header could carry the key; the message does not show it. */
function checkKeyText(key: string | undefined): void {
  if (key === undefined || /^[\x21-\x7e]+$/.test(key)) return;
  throw new Error("the API key: expected printable ASCII characters without spaces");
}
