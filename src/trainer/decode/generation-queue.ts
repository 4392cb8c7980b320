/** @file All calls of `generate` that are under way: each set of weights has its lane, and lanes take turns. */
import { setImmediate as yieldToMessages } from "node:timers/promises";
import type { ModelConfig } from "../checkpoint/types.js";
import type { Program } from "../runtime/index.js";
import { GenerationLane, type LaneOptions } from "./generation-lane.js";
import { checkRows, type GenerateHooks, type GenerationRow, generationOf, generationRow } from "./generation-row.js";
import { RopeRows } from "./rope-rows.js";
import type { GenerateRequest, Generation, SamplingOptions } from "./types.js";

interface Call {
  readonly rows: readonly GenerationRow[];
  readonly hooks: GenerateHooks;
  readonly resolve: (generations: Generation[]) => void;
  readonly reject: (error: Error) => void;
  open: number;
}

export class GenerationQueue {
  private readonly lanes = new Map<string, GenerationLane>();
  private readonly calls = new Set<Call>();
  private readonly ropes: RopeRows;
  private lanesMade = 0;
  private driving = false;

  constructor(
    private readonly config: ModelConfig,
    /** Ids that the model knows, new rows included. */
    private readonly vocabulary: number,
    private readonly options: LaneOptions,
  ) {
    this.ropes = new RopeRows(config);
  }

  /** Samples all requests under `theta`, the weights named `weights`, beside whatever else is being sampled. */
  generate(
    program: Program,
    weights: string,
    theta: Float32Array,
    requests: readonly GenerateRequest[],
    options: SamplingOptions,
    hooks: GenerateHooks,
  ): Promise<Generation[]> {
    const rows = requests.map((request, index) => generationRow(request, index, options));
    checkRows(rows, this.config.maxPositionEmbeddings, this.vocabulary);
    if (rows.length === 0) return Promise.resolve([]);
    const lane = this.laneOf(program, weights, theta);
    return new Promise((resolve, reject) => {
      const call: Call = { rows, hooks, resolve, reject, open: rows.length };
      this.calls.add(call);
      const asker = {
        isCancelled: () => !this.calls.has(call) || hooks.isCancelled(),
        onRun: (row: GenerationRow, ids: number, logps: number) => this.afterRun(call, row, ids, logps),
      };
      for (const row of rows) lane.add(row, asker);
      void this.drive();
    });
  }

  private laneOf(program: Program, weights: string, theta: Float32Array): GenerationLane {
    const known = this.lanes.get(weights);
    if (known?.theta === theta && known.program === program) return known;
    this.lanesMade += 1;
    const lane = new GenerationLane(program, this.config, theta, this.options, this.ropes, `lane ${this.lanesMade}`);
    this.lanes.set(weights, lane);
    return lane;
  }

  private afterRun(call: Call, row: GenerationRow, ids: number, logps: number): void {
    if (!this.calls.has(call)) return;
    const { hooks } = call;
    if (row.logps.length > logps) {
      hooks.onTokens?.({
        request: row.index,
        ids: Int32Array.from(row.ids.slice(ids)),
        logps: Float32Array.from(row.logps.slice(logps)),
      });
    }
    if (row.finish === undefined) return;
    this.close(call, 1);
  }

  private close(call: Call, count: number): void {
    call.open -= count;
    call.hooks.onFinished?.(count);
    if (call.open > 0) return;
    this.calls.delete(call);
    call.resolve(call.rows.map(generationOf));
  }

  private async drive(): Promise<void> {
    if (this.driving) return;
    this.driving = true;
    try {
      for (;;) {
        await yieldToMessages();
        this.settle();
        const busy = [...this.lanes].filter(([, lane]) => !lane.isIdle);
        if (busy.length === 0) break;
        for (const [name, lane] of busy) {
          await this.stepOf(name, lane);
          await yieldToMessages();
          this.settle();
        }
      }
    } finally {
      this.driving = false;
    }
  }

  /** A run that fails fails all calls: what they have in common is the runtime. */
  private async stepOf(name: string, lane: GenerationLane): Promise<void> {
    try {
      await lane.step();
    } catch (error) {
      this.lanes.delete(name);
      for (const call of this.calls) call.reject(error as Error);
      this.calls.clear();
    }
  }

  /** Ends cancelled calls, and requests that their caller has ended. */
  private settle(): void {
    for (const call of this.calls) {
      if (call.hooks.isCancelled()) {
        this.calls.delete(call);
        call.reject(new DOMException("the call was cancelled", "AbortError"));
        continue;
      }
      const ended = call.rows.filter((row) => row.finish === undefined && call.hooks.isEnded?.(row.index));
      for (const row of ended) row.finish = "stop";
      if (ended.length > 0) this.close(call, ended.length);
    }
  }
}
