/** @file The async face of the engine process: a Policy whose work happens elsewhere, so that the caller stays responsive. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { LabelledTokens, TokenizedPair } from "../text/types.js";
import type { EngineCall, FromEngine, ToEngine } from "./engine-protocol.js";
import type {
  GenerateOptions,
  GenerateRequest,
  Generation,
  PairScore,
  PlannedStep,
  Policy,
  PolicyInfo,
  PolicyOptions,
  ScoreOptions,
  StepMetrics,
  StepOptions,
  TokenChunk,
  TrainBatch,
} from "./policy.js";

const ENTRY = fileURLToPath(new URL("./engine-process.js", import.meta.url));
/** A session lets go of its memory in well under this; after it the process is killed. */
const CLOSE_GRACE_MS = 2000;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress?: ((finished: number, total: number) => void) | undefined;
  readonly onTokens?: ((chunk: TokenChunk, id: number) => void) | undefined;
}

/** What a caller hears of while its call is under way. */
type Listeners = Pick<Pending, "onProgress" | "onTokens">;

/** Starts an engine process and opens a model in it. The process ends with `close`, or with this one. */
export async function openPolicy(options: PolicyOptions): Promise<Policy> {
  const engine = new Engine();
  try {
    await engine.call({ method: "open", options });
    return new RemotePolicy(engine);
  } catch (error) {
    await engine.close();
    throw error;
  }
}

class Engine {
  private readonly child: ChildProcess;
  private readonly pending = new Map<number, Pending>();
  private readonly exited: Promise<void>;
  private nextId = 1;
  private gone: Error | undefined;
  /** As the engine's last answer had it. */
  info: PolicyInfo | undefined;

  constructor() {
    // The engine's stdout joins stderr: stdout of this process may carry a protocol.
    this.child = fork(ENTRY, { serialization: "advanced", stdio: ["ignore", 2, 2, "ipc"], execArgv: [] });
    this.child.on("message", (message) => this.receive(message as FromEngine));
    this.exited = new Promise((resolve) => {
      this.child.once("exit", (code, signal) => {
        this.gone ??= new Error(
          `the engine process ended (${signal ?? `exit code ${code}`}). Continue from the last checkpoint.`,
        );
        for (const { reject } of this.pending.values()) reject(this.gone);
        this.pending.clear();
        resolve();
      });
    });
    this.child.once("error", (cause) => {
      this.gone = new Error(`the engine process could not be started: ${cause.message}`, { cause });
    });
  }

  call(call: EngineCall, signal?: AbortSignal, listeners: Listeners = {}): Promise<unknown> {
    if (this.gone !== undefined) return Promise.reject(this.gone);
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const id = this.nextId;
    this.nextId += 1;
    return new Promise((resolve, reject) => {
      const cancel = (): void => this.send({ kind: "cancel", id });
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          signal?.removeEventListener("abort", cancel);
          then(value);
        };
      signal?.addEventListener("abort", cancel, { once: true });
      this.pending.set(id, {
        resolve: settle(resolve),
        reject: settle((error: Error) => reject(signal?.aborted ? (signal.reason as Error) : error)),
        ...listeners,
      });
      this.send({ kind: "call", id, call });
    });
  }

  send(message: ToEngine): void {
    if (this.child.connected) this.child.send(message);
  }

  private receive(message: FromEngine): void {
    const pending = this.pending.get(message.id);
    if (pending === undefined) return;
    if (message.kind === "progress") {
      pending.onProgress?.(message.finished, message.total);
      return;
    }
    if (message.kind === "tokens") {
      pending.onTokens?.(message.chunk, message.id);
      return;
    }
    this.pending.delete(message.id);
    if (message.kind === "error") {
      pending.reject(Object.assign(new Error(message.message), { name: message.name }));
      return;
    }
    this.info = message.info;
    pending.resolve(message.value);
  }

  /** Ends the process: by closing its channel, by force after a grace time. */
  async close(): Promise<void> {
    this.gone ??= new Error("the policy was closed");
    if (this.child.connected) this.child.disconnect();
    const timer = setTimeout(() => this.child.kill("SIGKILL"), CLOSE_GRACE_MS);
    await this.exited;
    clearTimeout(timer);
  }
}

/** Passes chunks on until their request was ended by the listener; what the engine made after that is not the caller's. */
class TokenListener {
  private readonly heard: { ids: number; logps: number; isOver: boolean }[];
  /** What the listener threw: the call is cancelled and throws it too. */
  failure: { readonly error: unknown } | undefined;

  constructor(
    private readonly engine: Engine,
    requests: number,
    private readonly listen: NonNullable<GenerateOptions["onTokens"]>,
  ) {
    this.heard = Array.from({ length: requests }, () => ({ ids: 0, logps: 0, isOver: false }));
  }

  readonly hear = (chunk: TokenChunk, id: number): void => {
    const heard = this.heard[chunk.request];
    if (heard === undefined || heard.isOver) return;
    heard.ids += chunk.ids.length;
    heard.logps += chunk.logps.length;
    let isOver: boolean;
    try {
      isOver = this.listen(chunk) === true;
    } catch (error) {
      this.failure = { error };
      this.engine.send({ kind: "cancel", id });
      return;
    }
    if (!isOver) return;
    heard.isOver = true;
    this.engine.send({ kind: "end", id, request: chunk.request });
  };

  readonly cut = (generation: Generation, request: number): Generation => {
    const { ids, logps, isOver } = this.heard[request] as { ids: number; logps: number; isOver: boolean };
    if (!isOver) return generation;
    return { ids: generation.ids.slice(0, ids), logps: generation.logps.slice(0, logps), finish: "stop" };
  };
}

class RemotePolicy implements Policy {
  constructor(private readonly engine: Engine) {}

  get info(): PolicyInfo {
    return this.engine.info as PolicyInfo;
  }

  trainStep(batch: TrainBatch, options: StepOptions, signal?: AbortSignal): Promise<StepMetrics> {
    return this.engine.call({ method: "trainStep", batch, options }, signal) as Promise<StepMetrics>;
  }

  trainSteps(steps: readonly PlannedStep[], signal?: AbortSignal): Promise<StepMetrics[]> {
    return this.engine.call({ method: "trainSteps", steps }, signal) as Promise<StepMetrics[]>;
  }

  scorePairs(
    pairs: readonly TokenizedPair[],
    { weights = "current", signal, onProgress }: ScoreOptions = {},
  ): Promise<PairScore[]> {
    return this.engine.call({ method: "scorePairs", pairs, weights }, signal, { onProgress }) as Promise<PairScore[]>;
  }

  scoreTexts(
    texts: readonly LabelledTokens[],
    { weights = "current", signal, onProgress }: ScoreOptions = {},
  ): Promise<Float32Array[]> {
    return this.engine.call({ method: "scoreTexts", texts, weights }, signal, { onProgress }) as Promise<
      Float32Array[]
    >;
  }

  async markReference(): Promise<void> {
    await this.engine.call({ method: "markReference" });
  }

  async generate(
    requests: readonly GenerateRequest[],
    { signal, onProgress, onTokens, ...options }: GenerateOptions,
  ): Promise<Generation[]> {
    const listener = onTokens === undefined ? undefined : new TokenListener(this.engine, requests.length, onTokens);
    const call = { method: "generate", requests, options, streams: listener !== undefined } as const;
    const answer = this.engine.call(call, signal, { onProgress, onTokens: listener?.hear }) as Promise<Generation[]>;
    const generations = await answer.catch((error: unknown) => {
      throw listener?.failure?.error ?? error;
    });
    return listener === undefined ? generations : generations.map(listener.cut);
  }

  saveCheckpoint(directory: string, state: Readonly<Record<string, unknown>>): Promise<string> {
    return this.engine.call({ method: "saveCheckpoint", directory, state }) as Promise<string>;
  }

  loadCheckpoint(directory: string): Promise<Readonly<Record<string, unknown>>> {
    return this.engine.call({ method: "loadCheckpoint", directory }) as Promise<Readonly<Record<string, unknown>>>;
  }

  async saveAdapter(directory: string): Promise<void> {
    await this.engine.call({ method: "saveAdapter", directory });
  }

  async loadAdapter(directory: string): Promise<void> {
    await this.engine.call({ method: "loadAdapter", directory });
  }

  stepCount(): Promise<number> {
    return this.engine.call({ method: "stepCount" }) as Promise<number>;
  }

  close(): Promise<void> {
    return this.engine.close();
  }
}
