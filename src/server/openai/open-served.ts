/** @file Opens what a server is asked to serve, all of it or nothing. */
import { openTextModel, type TextModel } from "../../trainer/generate/index.js";
import { type DeviceChoice, type Embedder, openEmbedder, type RolloutWeights } from "../../trainer/index.js";
import { lazy } from "../lazy.js";
import { packageVersion } from "../version.js";
import { modelNames, type Served } from "./served.js";

export interface ServedOptions {
  /** A directory. */
  readonly model: string;
  /** Directories of PEFT adapters by name. */
  readonly adapters: Readonly<Record<string, string>>;
  readonly embedding?: { readonly name: string; readonly path: string };
  readonly weights?: RolloutWeights;
  readonly device?: DeviceChoice;
  readonly threads?: number;
  readonly signal: AbortSignal;
}

/** What was opened, and how to close it. */
export interface OpenServed {
  readonly served: Served;
  close(): Promise<void>;
}

/** Characters of a hash that tell models apart. */
const HASH_LENGTH = 12;

export async function openServed(options: ServedOptions): Promise<OpenServed> {
  const { model, adapters, embedding, weights, device, threads, signal } = options;
  const text = await openTextModel({
    model,
    adapters,
    ...(weights !== undefined && { rolloutWeights: weights }),
    ...(device !== undefined && { device }),
    ...(threads !== undefined && { threads }),
  });
  let embedder: Embedder | undefined;
  const close = async (): Promise<void> => {
    await Promise.all([text.close(), embedder?.close()]);
  };
  try {
    signal.throwIfAborted();
    if (embedding !== undefined) {
      embedder = await openEmbedder({ model: embedding.path, signal, ...(threads !== undefined && { threads }) });
    }
    const served: Served = {
      text,
      raw: lazy(() => openTextModel({ model, adapters, policy: text.policy, markers: [] })),
      ...(embedding !== undefined && embedder !== undefined && { embedder: { name: embedding.name, embedder } }),
      fingerprint: fingerprintOf(text),
      created: Math.floor(Date.now() / 1000),
    };
    refuseDoubleNames(served);
    return { served, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function fingerprintOf({ policy }: TextModel): string {
  const { modelHash, rolloutWeights } = policy.info;
  return `preflexor_${packageVersion()}_${rolloutWeights}_${modelHash.slice(0, HASH_LENGTH)}`;
}

function refuseDoubleNames(served: Served): void {
  const names = modelNames(served);
  const double = names.find((name, i) => names.indexOf(name) !== i);
  if (double === undefined) return;
  throw new Error(`two models would be called ${double}; give the adapter another name (--adapter name=directory)`);
}
