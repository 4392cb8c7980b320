import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type Adapter, readAdapterDir } from "../../../src/trainer/checkpoint/adapter-dir.js";
import { openCheckpointDir } from "../../../src/trainer/checkpoint/checkpoint-dir.js";
import { writeGgufAdapter } from "../../../src/trainer/checkpoint/gguf-adapter.js";
import { permuteRows } from "../../../src/trainer/checkpoint/gguf-names.js";
import { writeGguf } from "../../../src/trainer/checkpoint/gguf-writer.js";
import { tempDir } from "./temp-dir.js";

const fixture = (path: string): string => fileURLToPath(new URL(`../../fixtures/${path}`, import.meta.url));
const adapter = await readAdapterDir(fixture("llama-tiny/gqa-untied/adapter"));
const { config } = await openCheckpointDir(fixture("llama-tiny/gqa-untied/model"));
const temp = tempDir;

const write = async (
  changed: Adapter,
  options: Partial<Parameters<typeof writeGgufAdapter>[2]> = {},
): Promise<Buffer> => {
  const path = join(await temp(), "adapter.gguf");
  await writeGgufAdapter(path, changed, { config, dtype: "F32", ...options });
  return readFile(path);
};
const renamed = (path: string): Adapter => ({ ...adapter, modules: [{ ...adapter.modules[0]!, path }] });

describe("a LoRA adapter as GGUF", () => {
  it.each(["F32", "F16"] as const)("is byte for byte what the gguf package writes, in %s", async (dtype) => {
    const expected = await readFile(fixture(`gguf/gqa-untied.${dtype.toLowerCase()}.gguf`));
    expect((await write(adapter, { dtype })).equals(expected)).toBe(true);
  });
  it.each([
    ["mistral", "llama"],
    ["smollm3", "smollm3"],
    ["qwen2", "qwen2"],
    ["qwen3", "qwen3"],
    ["gemma3_text", "gemma3"],
  ] as const)("of %s names llama.cpp's architecture %s", async (modelType, architecture) => {
    const bytes = await write(adapter, { config: { ...config, modelType } });
    const at = bytes.indexOf("general.architecture") + "general.architecture".length + 4;
    expect(bytes.subarray(at + 8, at + 8 + Number(bytes.readBigUInt64LE(at))).toString()).toBe(architecture);
  });
  it("of rsLoRA has the alpha that makes llama.cpp's alpha / r its scale", async () => {
    const bytes = await write({ ...adapter, config: { ...adapter.config, useRslora: true } });
    const at = bytes.indexOf("adapter.lora.alpha") + "adapter.lora.alpha".length + 4;
    expect(bytes.readFloatLE(at) / adapter.config.r).toBeCloseTo(
      adapter.config.loraAlpha / Math.sqrt(adapter.config.r),
      6,
    );
  });
  it("keeps the rows of qwen, whose rotation llama.cpp has as the checkpoint has it", async () => {
    const query = adapter.modules.find(({ path }) => path.endsWith("layers.0.self_attn.q_proj"))!;
    const rows = Buffer.from(query.loraB.buffer, query.loraB.byteOffset, query.loraB.byteLength);
    expect((await write(adapter, { config: { ...config, modelType: "qwen2" } })).includes(rows)).toBe(true);
    expect((await write(adapter)).includes(rows)).toBe(false);
  });
  it.each([
    ["an unknown layer", renamed("model.layers.0.mlp.router"), /model\.layers\.0\.mlp\.router: llama\.cpp has no name/],
    ["the embedding", renamed("model.embed_tokens"), /model\.embed_tokens: llama\.cpp has no name/],
    ["rows of another model", renamed("model.layers.0.self_attn.k_proj"), /k_proj: expected 16 rows in this model/],
  ])("is refused with %s, and what to do instead", async (_, changed, message) => {
    const misfit = changed.modules[0]!.path.endsWith("k_proj")
      ? { ...changed, modules: [{ ...changed.modules[0]!, outFeatures: 20 }] }
      : changed;
    await expect(write(misfit)).rejects.toThrow(message);
    await expect(write(misfit)).rejects.toThrow(/--format merged/);
  });
  it("is refused with a head that is tied to the embedding", async () => {
    await expect(write(renamed("lm_head"), { config: { ...config, tieWordEmbeddings: true } })).rejects.toThrow(/tied/);
    await expect(write(renamed("lm_head"))).resolves.toBeDefined();
  });
  it("puts the halves of each head side by side", () => {
    const rows = Float32Array.of(0, 1, 2, 3, 10, 11, 12, 13);
    expect([...permuteRows(rows, 2, 4)]).toEqual([0, 2, 1, 3, 10, 12, 11, 13]);
  });
});

describe("the GGUF writer", () => {
  it("refuses tensors whose bytes do not fit their shape, names twice, and names that llama.cpp would cut", async () => {
    const path = join(await temp(), "x.gguf");
    const tensor = { name: "a", dtype: "F32", shape: [2, 2], data: new Uint8Array(16) } as const;
    await expect(writeGguf(path, {}, [{ ...tensor, shape: [3] }])).rejects.toThrow(
      /\[3\] of F32 needs 12 bytes, given 16/,
    );
    await expect(writeGguf(path, {}, [tensor, tensor])).rejects.toThrow(/name is taken/);
    await expect(writeGguf(path, {}, [{ ...tensor, name: "b".repeat(64) }])).rejects.toThrow(/longer than 63/);
  });
});
