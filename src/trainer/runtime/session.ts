/** @file The one place that touches onnxruntime-node: compile a graph, run it, let it go. */
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { Graph } from "../graph/index.js";
import { encodeModel } from "../onnx/index.js";
import { type Device, executionProviders, explainDeviceError } from "./device.js";

export interface SessionOptions {
  /** Folder that holds the weight files the graph points into. */
  readonly weightsFolder: string;
  readonly threads: number;
  /** Default: the CPU. */
  readonly device?: Device;
  /** Default "basic", see {@link openSession}; "all" also joins nodes that have a kernel together. */
  readonly optimization?: "basic" | "all";
  /** Names of ONNX Runtime's optimizers that are left out. */
  readonly without?: readonly string[];
}

export type FeedData = Float32Array | Int32Array;
export interface Feed {
  readonly data: FeedData;
  readonly dims: readonly number[];
}
export type Feeds = Readonly<Record<string, Feed>>;

/** A compiled graph. Runs block this thread. */
export interface Program {
  /** Runs with feeds by input name; gives the named outputs. */
  run(feeds: Feeds, outputs: readonly string[]): Promise<Readonly<Record<string, Feed>>>;
  dispose(): Promise<void>;
}

/**
 * Compiles a graph. "basic" folds constants (casts of weights) and leaves the nodes in their order; the arena spares the
 * system calls and page faults of fresh memory, which take longer than the arithmetic where the machine is busy.
 */
export async function openSession(
  graph: Graph,
  name: string,
  { weightsFolder, threads, device = "cpu", optimization = "basic", without = [] }: SessionOptions,
): Promise<Program> {
  const model = encodeModel(graph, name);
  const created = InferenceSession.create(model, {
    executionProviders: executionProviders(device, graph),
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    enableCpuMemArena: true,
    enableMemPattern: false,
    graphOptimizationLevel: optimization,
    logSeverityLevel: 3,
    extra: {
      session: {
        model_external_initializers_file_folder_path: weightsFolder,
        ...(without.length > 0 && { "optimization.disable_specified_optimizers": without.join(";") }),
      },
    },
  });
  const session = await explained(created, device);
  const wanted = new Map(graph.inputs.map((input) => [input.name, input]));
  return {
    async run(feeds, outputs) {
      const tensors: Record<string, Tensor> = {};
      for (const [input, { dtype }] of wanted) {
        const feed = feeds[input];
        if (feed === undefined) throw new Error(`internal: ${name} was run without ${input}`);
        tensors[input] = new Tensor(dtype as "float32" | "int32", feed.data as Float32Array, feed.dims);
      }
      const results = await explained(session.run(tensors, [...outputs]), device);
      return Object.fromEntries(
        outputs.map((output) => {
          const tensor = results[output] as Tensor;
          return [output, { data: tensor.data as FeedData, dims: tensor.dims }];
        }),
      );
    },
    dispose: () => session.release(),
  };
}

/** An error of a device's libraries, in words that say what to do. */
async function explained<T>(work: Promise<T>, device: Device): Promise<T> {
  if (device === "cpu") return work;
  try {
    return await work;
  } catch (cause) {
    throw new Error(`${device}: ${explainDeviceError((cause as Error).message)}`, { cause });
  }
}
