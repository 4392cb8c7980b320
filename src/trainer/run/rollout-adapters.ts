/** @file Adapters that are sampled by name, beside the one that is trained: all as a theta of one layout. */
import { type Adapter, type CheckpointDir, expectedTensors, readAdapterDir } from "../checkpoint/index.js";
import {
  LORA_TARGETS,
  type LoraSpec,
  loraScale as loraScaleOf,
  type ThetaEntry,
  type ThetaLayout,
  type TokenRowModule,
  type TrainableSpec,
  thetaLayout,
  tokenRowsName,
} from "../model/index.js";
import { initialTheta } from "./initial-theta.js";

export interface RolloutAdapters {
  readonly layout: ThetaLayout;
  readonly loraScale: number;
  readonly names: readonly string[];
  /** Ids that the model knows, rows for new tokens included. */
  readonly vocabulary: number;
  /** A theta of what is trained in this layout; the same object for the same theta. */
  ofTrained(theta: Float32Array): Float32Array;
  /** Throws for a name that nobody gave, with those that are there. */
  named(name: string): Float32Array;
}

export interface Trained {
  readonly trainable: TrainableSpec;
  readonly layout: ThetaLayout;
  readonly loraScale: number;
}

/** Reads all adapters. Throws one error with everything that does not fit this model. */
export async function openRolloutAdapters(
  checkpoint: CheckpointDir,
  trained: Trained,
  directories: Readonly<Record<string, string>>,
): Promise<RolloutAdapters> {
  const names = Object.keys(directories);
  if (names.length === 0) return onlyTrained(checkpoint, trained);
  const reserved = names.filter((name) => name === "on" || name === "off");
  if (reserved.length > 0)
    throw new Error(`adapters cannot be named ${reserved.join(" or ")}: "on" is what is trained, "off" the bare model`);
  if (trained.trainable.kind === "full") {
    throw new Error(
      "all weights are being trained, so adapters of the checkpoint do not fit them: open the model with nothing trained",
    );
  }
  const adapters = new Map<string, Adapter>();
  for (const name of names) adapters.set(name, await readAdapterDir(directories[name] as string));
  const spec = union(trained.trainable, [...adapters.values()]);
  const layout = thetaLayout(expectedTensors(checkpoint.config), checkpoint.config, spec);
  const bare = await initialTheta(checkpoint, layout, spec, 0);
  for (const { name, offset, size } of layout.entries) {
    if (name.endsWith(".lora_A.weight")) bare.fill(0, offset, offset + size);
  }
  const place = placer(layout, bare, spec.r);
  const problems: string[] = [];
  const thetas = new Map(
    [...adapters].map(([name, adapter]) => [
      name,
      place(partsOf(adapter), (problem) => problems.push(`${name}: ${problem}`)),
    ]),
  );
  if (problems.length > 0)
    throw new Error(`the adapters do not fit the model:\n  - ${problems.slice(0, 12).join("\n  - ")}`);
  const converted = new WeakMap<Float32Array, Float32Array>();
  return {
    ...shared(checkpoint, layout, names),
    loraScale: 1,
    ofTrained(theta) {
      const known = converted.get(theta) ?? place(trainedParts(trained, theta), () => undefined);
      converted.set(theta, known);
      return known;
    },
    named: (name) => thetas.get(name) ?? unknownAdapter(name, names),
  };
}

function onlyTrained(checkpoint: CheckpointDir, { layout, loraScale }: Trained): RolloutAdapters {
  return {
    ...shared(checkpoint, layout, []),
    loraScale,
    ofTrained: (theta) => theta,
    named: (name) => unknownAdapter(name, []),
  };
}

function shared({ config }: CheckpointDir, layout: ThetaLayout, names: readonly string[]) {
  const indices = layout.entries.flatMap(({ tokenIndices = [] }) => tokenIndices);
  return { layout, names, vocabulary: indices.reduce((size, id) => Math.max(size, id + 1), config.vocabSize) };
}

function unknownAdapter(name: string, names: readonly string[]): never {
  const known = ["on", "off", ...names].map((each) => `"${each}"`).join(", ");
  throw new Error(`there is no adapter "${name}"; expected one of ${known}`);
}

/** The smallest LoRA that holds all of them: the largest rank, and every layer and token row that one of them has. */
function union(trainable: TrainableSpec, adapters: readonly Adapter[]): LoraSpec {
  const own = trainable.kind === "lora" ? trainable : undefined;
  const modules = new Set(
    adapters.flatMap(({ modules }) => modules.map(({ path }) => path.split(".").at(-1) as string)),
  );
  const isTarget = (name: string): boolean => modules.has(name) || (own?.targetModules.includes(name) ?? false);
  const tokens = adapters.map(({ config }) => config.trainableTokenIndices);
  const rows = new Set([
    ...(own?.trainableTokenIndices ?? []),
    ...tokens.flatMap((indices) => Object.values(indices ?? {}).flat()),
  ]);
  return {
    kind: "lora",
    r: Math.max(own?.r ?? 1, ...adapters.map(({ config }) => config.r)),
    loraAlpha: 1,
    targetModules: LORA_TARGETS.filter(isTarget),
    ...(rows.size > 0 && { trainableTokenIndices: [...rows].sort((a, b) => a - b) }),
    trainHeadRows: (own?.trainHeadRows ?? false) || tokens.some((indices) => indices?.lm_head !== undefined),
  };
}

/** Matrices and rows by the names of the layout, with the scale of B·A. */
interface Parts {
  readonly r: number;
  readonly scale: number;
  readonly tensors: ReadonlyMap<string, Float32Array>;
  readonly tokenIndices: ReadonlyMap<string, readonly number[]>;
}

function partsOf({ config, modules, tokenRows = [] }: Adapter): Parts {
  const tensors = new Map<string, Float32Array>();
  for (const { path, loraA, loraB } of modules) {
    tensors.set(`${path}.lora_A.weight`, loraA);
    tensors.set(`${path}.lora_B.weight`, loraB);
  }
  const tokenIndices = new Map<string, readonly number[]>();
  for (const { path, values } of tokenRows) {
    const name = tokenRowsName(path as TokenRowModule);
    tensors.set(name, values);
    const indices = config.trainableTokenIndices;
    tokenIndices.set(name, (path === "lm_head" ? indices?.lm_head : indices?.embed_tokens) ?? []);
  }
  const { r, loraAlpha, useRslora = false } = config;
  return { r, scale: loraScaleOf({ kind: "lora", r, loraAlpha, useRslora, targetModules: [] }), tensors, tokenIndices };
}

function trainedParts({ trainable, layout, loraScale }: Trained, theta: Float32Array): Parts {
  const tensors = new Map(
    layout.entries.map(({ name, offset, size }) => [name, theta.subarray(offset, offset + size)]),
  );
  const tokenIndices = new Map(layout.entries.map(({ name, tokenIndices: ids = [] }) => [name, ids]));
  return { r: trainable.kind === "lora" ? trainable.r : 1, scale: loraScale, tensors, tokenIndices };
}

/** Copies parts into a theta of the layout: rank r into rank R, the scale into B. */
function placer(layout: ThetaLayout, bare: Float32Array, rank: number) {
  const entries = new Map(layout.entries.map((entry) => [entry.name, entry]));
  return ({ r, scale, tensors, tokenIndices }: Parts, report: (problem: string) => void): Float32Array => {
    const theta = bare.slice();
    for (const [name, values] of tensors) {
      const entry = entries.get(name);
      if (entry === undefined) {
        report(`${name}: the model has no such layer`);
        continue;
      }
      const own = tokenIndices.get(name);
      const expected = own?.length ? own.length * width(entry) : (entry.size / rank) * r;
      if (values.length !== expected) report(`${name}: expected ${expected} numbers, found ${values.length}`);
      else if (own?.length) placeRows(theta, entry, own, values);
      else if (name.endsWith(".lora_A.weight")) theta.set(values, entry.offset);
      else placeB(theta, entry, values, r, rank, scale);
    }
    return theta;
  };
}

const width = ({ shape }: ThetaEntry): number => shape[1] as number;

function placeRows(theta: Float32Array, entry: ThetaEntry, ids: readonly number[], values: Float32Array): void {
  const size = width(entry);
  ids.forEach((id, i) => {
    const row = entry.tokenIndices?.indexOf(id) as number;
    theta.set(values.subarray(i * size, (i + 1) * size), entry.offset + row * size);
  });
}

/** B [out, r] -> the first r columns of [out, R]. */
function placeB(theta: Float32Array, { offset }: ThetaEntry, b: Float32Array, r: number, rank: number, scale: number) {
  for (let i = 0; i < b.length; i += 1) {
    theta[offset + Math.floor(i / r) * rank + (i % r)] = (b[i] as number) * scale;
  }
}
