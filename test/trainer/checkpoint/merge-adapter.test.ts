import { chmod, cp, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type Adapter, readAdapterDir, writeAdapterDir } from "../../../src/trainer/checkpoint/adapter-dir.js";
import { openCheckpointDir } from "../../../src/trainer/checkpoint/checkpoint-dir.js";
import { writeGgufAdapter } from "../../../src/trainer/checkpoint/gguf-adapter.js";
import { toBfloat16Bits } from "../../../src/trainer/checkpoint/half.js";
import { mergeAdapter } from "../../../src/trainer/checkpoint/merge-adapter.js";
import { mergedWeight } from "../../../src/trainer/checkpoint/merged-tensor.js";
import {
  readSafetensorsHeader,
  readTensorFloat32,
  tensorToWrite,
  writeSafetensors,
} from "../../../src/trainer/checkpoint/safetensors.js";
import { tempDir } from "./temp-dir.js";

const fixture = (path: string): string => fileURLToPath(new URL(`../../fixtures/llama-tiny/${path}`, import.meta.url));
const MODEL = fixture("gqa-untied/model");
const ADAPTER = fixture("gqa-untied/adapter");
const temp = tempDir;

const merged = async (model = MODEL, adapter = ADAPTER): Promise<string> => {
  const output = join(await temp(), "merged");
  await mergeAdapter({ model, adapter, output });
  return output;
};

/** The fixture in two shards of bfloat16, as big checkpoints come. */
async function shardedModel(): Promise<string> {
  const dir = join(await temp(), "model");
  await mkdir(dir);
  const { tensors } = await openCheckpointDir(MODEL);
  const weightMap: Record<string, string> = {};
  const shards: Parameters<typeof tensorToWrite>[][] = [[], []];
  for (const [i, entry] of [...tensors.values()].entries()) {
    const name = `model-0000${(i % 2) + 1}-of-00002.safetensors`;
    weightMap[entry.name] = name;
    shards[i % 2]!.push([entry.name, entry.shape, await readTensorFloat32(entry), "BF16"]);
  }
  for (const [i, shard] of shards.entries()) {
    const path = join(dir, `model-0000${i + 1}-of-00002.safetensors`);
    await writeSafetensors(
      path,
      shard.map((tensor) => tensorToWrite(...tensor)),
    );
    await chmod(path, 0o444); // as files of the hub's cache are
  }
  await writeFile(join(dir, "model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map: weightMap }));
  await cp(join(MODEL, "config.json"), join(dir, "config.json"));
  await writeFile(join(dir, "tokenizer.json"), "{}");
  await writeFile(join(dir, "optimizer.bin"), "not of the model");
  return dir;
}

describe("a merged model", () => {
  it("has W + alpha / r · B·A where the adapter has a layer, and the base's bytes elsewhere", async () => {
    const base = await openCheckpointDir(MODEL);
    const result = await openCheckpointDir(await merged());
    const { modules, config } = await readAdapterDir(ADAPTER);
    expect(config.loraAlpha / config.r).toBe(2);
    for (const name of base.tensors.keys()) {
      const [before, after] = [await base.readFloat32(name), await result.readFloat32(name)];
      const module = modules.find(({ path }) => `${path}.weight` === name);
      if (module === undefined) expect(after, name).toEqual(before);
      else {
        const { inFeatures: n, loraA, loraB } = module;
        const at = (o: number, i: number): number =>
          before[o * n + i]! +
          2 * (loraB[o * 3]! * loraA[i]! + loraB[o * 3 + 1]! * loraA[n + i]! + loraB[o * 3 + 2]! * loraA[2 * n + i]!);
        for (const [o, i] of [
          [0, 0],
          [5, 7],
          [module.outFeatures - 1, n - 1],
        ] as const) {
          expect(after[o * n + i], `${name}[${o},${i}]`).toBeCloseTo(at(o, i), 6);
        }
        expect(after).not.toEqual(before);
      }
    }
  });
  it("keeps shards, index, dtype and tokenizer files, and takes nothing else along", async () => {
    const model = await shardedModel();
    const output = await merged(model);
    const files = ["config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    expect((await readdir(output)).sort()).toEqual([...files, "model.safetensors.index.json", "tokenizer.json"]);
    expect(await readFile(join(output, "config.json"))).toEqual(await readFile(join(model, "config.json")));
    const { entries } = await readSafetensorsHeader(join(output, files[1]!));
    expect(new Set(entries.map(({ dtype }) => dtype))).toEqual(new Set(["BF16"]));
  });
  it("is rounded once, to the nearest number of the checkpoint's dtype", async () => {
    const model = await shardedModel();
    const [base, result] = [await openCheckpointDir(model), await openCheckpointDir(await merged(model))];
    const module = (await readAdapterDir(ADAPTER)).modules[0]!;
    const name = `${module.path}.weight`;
    const exact = mergedWeight(await base.readFloat32(name), module, { scale: 2, largest: 1e30 });
    const after = await result.readFloat32(name);
    expect(Array.from(after, toBfloat16Bits)).toEqual(Array.from(exact, toBfloat16Bits));
  });
  it("can be written to, though the base's files cannot", async () => {
    const output = await merged(await shardedModel());
    expect((await stat(join(output, "model-00001-of-00002.safetensors"))).mode & 0o200).toBe(0o200);
  });
  it("has the names of the shards where the base's files are links of the hub's cache", async () => {
    const model = await shardedModel();
    const links = join(await temp(), "links");
    const blobs = join(await temp(), "blobs");
    await mkdir(links);
    await mkdir(blobs);
    for (const [i, name] of (await readdir(model)).entries()) {
      await cp(join(model, name), join(blobs, `blob${i}`));
      await symlink(join(blobs, `blob${i}`), join(links, name));
    }
    expect(await readdir(await merged(links))).toContain("model-00001-of-00002.safetensors");
  });
  it("leaves a stored copy of a tied head out, which would be another one than the embedding", async () => {
    const model = join(await temp(), "tied");
    await mkdir(model);
    const { tensors } = await openCheckpointDir(MODEL);
    const all = await Promise.all(
      [...tensors.values()].map(async (entry) => [entry, await readTensorFloat32(entry)] as const),
    );
    await writeSafetensors(
      join(model, "model.safetensors"),
      all.map(([{ name, shape }, values]) => tensorToWrite(name, shape, values, "F32")),
    );
    const config = JSON.parse(await readFile(join(MODEL, "config.json"), "utf8"));
    await writeFile(join(model, "config.json"), JSON.stringify({ ...config, tie_word_embeddings: true }));
    const output = await merged(model);
    const names = (await readSafetensorsHeader(join(output, "model.safetensors"))).entries.map(({ name }) => name);
    expect(names).not.toContain("lm_head.weight");
    expect(names).toHaveLength(tensors.size - 1);
  });
  it("uses alpha / √r for an adapter of rsLoRA", async () => {
    const dir = join(await temp(), "adapter");
    const adapter = await readAdapterDir(ADAPTER);
    await writeAdapterDir(dir, { ...adapter, config: { ...adapter.config, useRslora: true } });
    const module = adapter.modules[0]!;
    const name = `${module.path}.weight`;
    const base = await (await openCheckpointDir(MODEL)).readFloat32(name);
    const expected = mergedWeight(base, module, { scale: 6 / Math.sqrt(3), largest: 1e30 });
    expect(await (await openCheckpointDir(await merged(MODEL, dir))).readFloat32(name)).toEqual(expected);
  });
  it("leaves the base model as it was", async () => {
    const before = await (await openCheckpointDir(MODEL)).hash();
    await merged();
    expect(await (await openCheckpointDir(MODEL)).hash()).toBe(before);
  });
});

describe("trained rows of tokens", () => {
  const rowsOf = (...ids: number[]) =>
    Float32Array.from({ length: 48 * ids.length }, (_, i) => ids[Math.floor(i / 48)]! + i / 1000);
  const withRows = async (embedding: number[], head?: number[]): Promise<string> => {
    const dir = join(await temp(), "adapter");
    const adapter = await readAdapterDir(ADAPTER);
    const tokenRows = [{ path: "model.embed_tokens", hidden: 48, values: rowsOf(...embedding) }];
    if (head) tokenRows.push({ path: "lm_head", hidden: 48, values: rowsOf(...head) });
    const trainableTokenIndices = { embed_tokens: embedding, ...(head && { lm_head: head }) };
    await writeAdapterDir(dir, { ...adapter, config: { ...adapter.config, trainableTokenIndices }, tokenRows });
    await writeFile(join(dir, "tokenizer.json"), '{"of": "the adapter"}');
    return dir;
  };

  it("stand in the embedding, and the other rows as before", async () => {
    const [base, result] = [
      await openCheckpointDir(MODEL),
      await openCheckpointDir(await merged(MODEL, await withRows([5, 2]))),
    ];
    const [before, after] = [
      await base.readFloat32("model.embed_tokens.weight"),
      await result.readFloat32("model.embed_tokens.weight"),
    ];
    expect(after.length).toBe(before.length);
    for (let id = 0; id < 97; id++) {
      const expected =
        id === 5 ? rowsOf(5, 2).slice(0, 48) : id === 2 ? rowsOf(5, 2).slice(48) : before.slice(id * 48, id * 48 + 48);
      expect(after.slice(id * 48, id * 48 + 48), `row ${id}`).toEqual(expected);
    }
    expect(await result.readFloat32("lm_head.weight")).toEqual(await base.readFloat32("lm_head.weight"));
  });
  it("of new tokens make embedding, head and vocabulary larger, and bring their tokenizer", async () => {
    const output = await merged(MODEL, await withRows([98, 97, 1], [97, 98, 1]));
    const result = await openCheckpointDir(output);
    expect(result.config.vocabSize).toBe(99);
    const embedding = await result.readFloat32("model.embed_tokens.weight");
    const head = await result.readFloat32("lm_head.weight");
    expect([embedding.length, head.length]).toEqual([99 * 48, 99 * 48]);
    expect([97, 98, 1].map((id) => embedding[id * 48])).toEqual([97 + 0.048, 98, 1 + 0.096].map(Math.fround));
    expect([97, 98, 1].map((id) => head[id * 48])).toEqual([97, 98 + 0.048, 1 + 0.096].map(Math.fround));
    expect(await readFile(join(output, "tokenizer.json"), "utf8")).toContain("of the adapter".slice(3));
  });
  it("of new tokens are refused with a gap behind the vocabulary, or without rows for an untied head", async () => {
    await expect(merged(MODEL, await withRows([98], [98]))).rejects.toThrow(
      /must follow the vocabulary \(97\), found 98/,
    );
    await expect(merged(MODEL, await withRows([97]))).rejects.toThrow(/need rows of lm_head too/);
  });
  it("are refused as GGUF, with the merged export as the way out", async () => {
    const adapter = await readAdapterDir(await withRows([5]));
    const { config } = await openCheckpointDir(MODEL);
    const attempt = writeGgufAdapter(join(await temp(), "x.gguf"), adapter, { config, dtype: "F32" });
    await expect(attempt).rejects.toThrow(
      /trainable_token_indices: llama\.cpp has no adapter format[\s\S]*--format merged/,
    );
  });
});

describe("merging is refused", () => {
  const changed = async (change: (adapter: Adapter) => Adapter): Promise<string> => {
    const dir = join(await temp(), "adapter");
    await writeAdapterDir(dir, change(await readAdapterDir(ADAPTER)));
    return dir;
  };
  it("where the output exists, which stays as it is", async () => {
    const output = await temp();
    await writeFile(join(output, "mine"), "precious");
    await expect(mergeAdapter({ model: MODEL, adapter: ADAPTER, output })).rejects.toThrow(/exists already/);
    expect(await readFile(join(output, "mine"), "utf8")).toBe("precious");
  });
  it("with every layer that the model has otherwise or not at all", async () => {
    const other = await changed((adapter) => ({
      ...adapter,
      modules: adapter.modules
        .slice(0, 2)
        .map((module, i) =>
          i === 0
            ? { ...module, path: "model.layers.9.mlp.up_proj" }
            : { ...module, inFeatures: module.inFeatures + 1, loraA: new Float32Array(3 * (module.inFeatures + 1)) },
        ),
    }));
    await expect(merged(MODEL, other)).rejects.toThrow(/layers\.9\.mlp\.up_proj: the model has no such layer/);
    await expect(merged(MODEL, other)).rejects.toThrow(/expected \[\d+,\d+\], found \[\d+,\d+\]/);
  });
  it("where a weight would not be finite, and nothing is left behind", async () => {
    const huge = await changed((adapter) => ({
      ...adapter,
      modules: adapter.modules.map((module) => ({ ...module, loraB: module.loraB.map(() => Number.NaN) })),
    }));
    const parent = await temp();
    const attempt = mergeAdapter({ model: MODEL, adapter: huge, output: join(parent, "merged") });
    await expect(attempt).rejects.toThrow(/would be NaN.*the adapter is damaged/);
    expect(await readdir(parent)).toEqual([]);
  });
  it("after an interruption, and nothing is left behind", async () => {
    const parent = await temp();
    const signal = AbortSignal.abort(new Error("stopped"));
    const options = { model: MODEL, adapter: ADAPTER, output: join(parent, "merged"), signal };
    await expect(mergeAdapter(options)).rejects.toThrow("stopped");
    expect(await readdir(parent)).toEqual([]);
  });
});
