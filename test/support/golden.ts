/** @file The PyTorch goldens of test/fixtures/llama-tiny, typed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readSafetensorsHeader, readTensorFloat32 } from "../../src/trainer/checkpoint/index.js";
import type { LabelledTokens, TokenizedPair } from "../../src/trainer/text/types.js";

const ROOT = fileURLToPath(new URL("../fixtures/llama-tiny/", import.meta.url));
export const GOLDEN_NAMES = ["gqa-untied", "tied-llama3"] as const;

interface Sequence {
  readonly ids: number[];
  readonly logits: number[][];
  readonly token_logps: number[];
  readonly nll: number;
}

interface OrpoGolden {
  readonly pairs: readonly {
    prompt: number[];
    chosen: number[];
    rejected: number[];
    chosen_labels?: number[];
    rejected_labels?: number[];
  }[];
  readonly beta: number;
  readonly nll_over: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly grad_norm: number;
}

export interface Golden {
  readonly sequences: readonly Sequence[];
  readonly lora_sequences: readonly Sequence[];
  readonly greedy: { prompt: number[]; tokens: number[] };
  readonly lora_greedy: { prompt: number[]; tokens: number[] };
  readonly orpo: OrpoGolden;
  readonly orpo_masked: OrpoGolden;
  readonly orpo_masked_chosen_only: OrpoGolden;
  readonly trajectory: {
    readonly loss: number[];
    readonly grad_norm: number[];
    readonly loss_after: number;
    readonly max_grad_norm: number;
    readonly learning_rate?: number;
    readonly lr?: number;
  };
}

export interface GoldenFolder {
  readonly model: string;
  readonly adapter: string;
  readonly golden: Golden;
  /** A tensor of golden.safetensors. */
  tensor(name: string): Promise<Float32Array>;
}

export function goldenFolder(name: (typeof GOLDEN_NAMES)[number]): GoldenFolder {
  const folder = join(ROOT, name);
  return {
    model: join(folder, "model"),
    adapter: join(folder, "adapter"),
    golden: JSON.parse(readFileSync(join(folder, "golden.json"), "utf8")) as Golden,
    async tensor(tensorName) {
      const { entries } = await readSafetensorsHeader(join(folder, "golden.safetensors"));
      const entry = entries.find((candidate) => candidate.name === tensorName);
      if (entry === undefined) throw new Error(`no golden tensor ${tensorName}`);
      return readTensorFloat32(entry);
    },
  };
}

const labelled = (ids: readonly number[], labels?: readonly number[]): LabelledTokens => ({
  ids: Int32Array.from(ids),
  labels: labels === undefined ? new Uint8Array(ids.length).fill(1) : Uint8Array.from(labels),
});

export const goldenPairs = (orpo: OrpoGolden): TokenizedPair[] =>
  orpo.pairs.map((pair) => ({
    prompt: Int32Array.from(pair.prompt),
    chosen: labelled(pair.chosen, pair.chosen_labels),
    rejected: labelled(pair.rejected, pair.rejected_labels),
  }));

export const goldenText = (ids: readonly number[]): LabelledTokens => labelled(ids);
