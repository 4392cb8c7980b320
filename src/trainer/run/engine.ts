/** @file The async face of the engine process: a Policy whose work happens elsewhere, so that the caller stays responsive. */
import { type Attributes, type Span, SpanKind } from "@opentelemetry/api";
import { CallProcess, toldError } from "../runtime/index.js";
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
import { withSpan } from "./with-span.js";

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
    await inEngineSpan("open", {}, () => engine.call({ method: "open", options }));
    return new RemotePolicy(engine);
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** A call that takes a while. Steps have no span each: they are events of whoever trains. */
const inEngineSpan = <T>(method: EngineCall["method"], counts: Attributes, work: (span: Span) => Promise<T>) =>
  withSpan(`engine ${method}`, { kind: SpanKind.CLIENT, attributes: { "rpc.method": method, ...counts } }, work);

const WORDS = {
  name: "the engine process",
  advice: ". Continue from the last checkpoint.",
  closed: "the policy was closed",
};

class Engine {
  /** As the engine's last answer had it. */
  info: PolicyInfo | undefined;
  private readonly process = new CallProcess<ToEngine, FromEngine, Pending>(
    new URL("./engine-process.js", import.meta.url),
    WORDS,
    (message, pending) => this.hear(message, pending),
  );

  call(call: EngineCall, signal?: AbortSignal, listeners: Listeners = {}): Promise<unknown> {
    if (this.process.gone !== undefined) return Promise.reject(this.process.gone);
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          signal?.removeEventListener("abort", cancel);
          then(value);
        };
      const id = this.process.enter({
        resolve: settle(resolve),
        reject: settle((error: Error) => reject(signal?.aborted ? (signal.reason as Error) : error)),
        ...listeners,
      });
      const cancel = (): void => this.send({ kind: "cancel", id });
      signal?.addEventListener("abort", cancel, { once: true });
      this.send({ kind: "call", id, call });
    });
  }

  send(message: ToEngine): void {
    this.process.send(message);
  }

  close(): Promise<void> {
    return this.process.close();
  }

  private hear(message: FromEngine, { resolve, reject, onProgress, onTokens }: Pending): boolean {
    switch (message.kind) {
      case "progress":
        onProgress?.(message.finished, message.total);
        return false;
      case "tokens":
        onTokens?.(message.chunk, message.id);
        return false;
      case "error":
        reject(toldError(message));
        return true;
      case "result":
        this.info = message.info;
        resolve(message.value);
        return true;
    }
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
    const call = { method: "scorePairs", pairs, weights } as const;
    return inEngineSpan("scorePairs", { "preflexor.pairs": pairs.length, "preflexor.weights": weights }, () =>
      this.engine.call(call, signal, { onProgress }),
    ) as Promise<PairScore[]>;
  }

  scoreTexts(
    texts: readonly LabelledTokens[],
    { weights = "current", signal, onProgress }: ScoreOptions = {},
  ): Promise<Float32Array[]> {
    const call = { method: "scoreTexts", texts, weights } as const;
    return inEngineSpan("scoreTexts", { "preflexor.texts": texts.length, "preflexor.weights": weights }, () =>
      this.engine.call(call, signal, { onProgress }),
    ) as Promise<Float32Array[]>;
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
    const counts = {
      "gen_ai.operation.name": "text_completion",
      "gen_ai.provider.name": "preflexor",
      "preflexor.requests": requests.length,
    };
    const generations = await inEngineSpan("generate", counts, async (span) => {
      const answer = this.engine.call(call, signal, { onProgress, onTokens: listener?.hear }) as Promise<Generation[]>;
      const made = await answer.catch((error: unknown) => {
        throw listener?.failure?.error ?? error;
      });
      span.setAttribute(
        "gen_ai.usage.output_tokens",
        made.reduce((sum, { ids }) => sum + ids.length, 0),
      );
      return made;
    });
    return listener === undefined ? generations : generations.map(listener.cut);
  }

  saveCheckpoint(directory: string, state: Readonly<Record<string, unknown>>): Promise<string> {
    return inEngineSpan("saveCheckpoint", {}, () =>
      this.engine.call({ method: "saveCheckpoint", directory, state }),
    ) as Promise<string>;
  }

  loadCheckpoint(directory: string): Promise<Readonly<Record<string, unknown>>> {
    return inEngineSpan("loadCheckpoint", {}, () =>
      this.engine.call({ method: "loadCheckpoint", directory }),
    ) as Promise<Readonly<Record<string, unknown>>>;
  }

  async saveAdapter(directory: string): Promise<void> {
    await inEngineSpan("saveAdapter", {}, () => this.engine.call({ method: "saveAdapter", directory }));
  }

  async loadAdapter(directory: string): Promise<void> {
    await inEngineSpan("loadAdapter", {}, () => this.engine.call({ method: "loadAdapter", directory }));
  }

  async resetOptimizer(): Promise<void> {
    await this.engine.call({ method: "resetOptimizer" });
  }

  stepCount(): Promise<number> {
    return this.engine.call({ method: "stepCount" }) as Promise<number>;
  }

  close(): Promise<void> {
    return this.engine.close();
  }
}
