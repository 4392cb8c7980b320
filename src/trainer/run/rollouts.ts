/** @file Sampling inside the engine process: which weights, under which adapter, and the rows that are under way. */
import type { CheckpointDir } from "../checkpoint/index.js";
import type { GenerateHooks } from "../decode/index.js";
import { GenerationQueue, PrefixCache } from "../decode/index.js";
import type { ThetaLayout } from "../model/index.js";
import type {
  GenerateRequest,
  Generation,
  PolicyOptions,
  Precision,
  RolloutWeights,
  SamplingOptions,
} from "./policy.js";
import type { ProgramShelf } from "./program-shelf.js";
import { openRolloutAdapters, type RolloutAdapters } from "./rollout-adapters.js";
import { rolloutCheckpoint } from "./rollout-weights.js";

/** What sampling computes with where nobody says: what the layers compute in. */
export function chooseRolloutWeights(
  { rolloutWeights, trainable }: PolicyOptions,
  precision: Precision,
): RolloutWeights {
  const chosen = rolloutWeights ?? (precision === "float32" ? "float32" : "float16");
  if (trainable.kind === "full" && (chosen === "int8" || chosen === "int4")) {
    throw new Error(
      `rolloutWeights "${chosen}" are made from the checkpoint, and all weights are being trained: sample in float32, or train a LoRA`,
    );
  }
  return chosen;
}

export interface RolloutOptions {
  readonly policy: PolicyOptions;
  readonly checkpoint: CheckpointDir;
  readonly layout: ThetaLayout;
  readonly loraScale: number;
  readonly weights: RolloutWeights;
  readonly precision: Precision;
}

export class Rollouts {
  private readonly queue: GenerationQueue;

  private constructor(
    private readonly programs: ProgramShelf,
    private readonly adapters: RolloutAdapters,
    { policy, checkpoint: { config } }: RolloutOptions,
  ) {
    const { maxChunk, prefixCache } = policy.generation ?? {};
    const minRows = policy.trainable.kind === "full" ? 2 : 1;
    this.queue = new GenerationQueue(config, adapters.vocabulary, {
      maxChunk,
      minRows,
      prefixes: prefixCache === false ? undefined : new PrefixCache(),
    });
  }

  /** Reads the adapters; weights and program are opened when something is sampled. */
  static async open(programs: ProgramShelf, options: RolloutOptions): Promise<Rollouts> {
    const { policy, checkpoint, layout, loraScale, weights, precision } = options;
    const trained = { trainable: policy.trainable, layout, loraScale };
    const adapters = await openRolloutAdapters(checkpoint, trained, policy.adapters ?? {});
    programs.sampleWith(async () => {
      const {
        checkpoint: opened,
        quantized,
        folder,
      } = await rolloutCheckpoint(checkpoint, weights, policy.cacheFolder);
      const source = {
        checkpoint: opened,
        layout: adapters.layout,
        loraScale: adapters.loraScale,
        computeDtype: precision,
      };
      return { source: quantized === undefined ? source : { ...source, quantized }, folder };
    });
    return new Rollouts(programs, adapters, options);
  }

  get adapterNames(): readonly string[] {
    return this.adapters.names;
  }

  /** @param trained theta as trained so far, and before anything was trained */
  async generate(
    trained: { readonly current: Float32Array; readonly base: Float32Array },
    requests: readonly GenerateRequest[],
    options: SamplingOptions,
    hooks: GenerateHooks,
  ): Promise<Generation[]> {
    const adapter = options.adapter ?? "on";
    const theta =
      adapter === "on" || adapter === "off"
        ? this.adapters.ofTrained(adapter === "on" ? trained.current : trained.base)
        : this.adapters.named(adapter);
    const program = await this.programs.generate();
    return this.queue.generate(program, adapter, theta, requests, options, hooks);
  }
}
