import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readAdapterDir } from "../../../src/trainer/checkpoint/adapter-dir.js";
import { openCheckpointDir } from "../../../src/trainer/checkpoint/checkpoint-dir.js";
import { type ExportOptions, exportTrained } from "../../../src/trainer/checkpoint/export-trained.js";
import { writeDurably } from "../../../src/trainer/checkpoint/train-state.js";
import { tempDir } from "./temp-dir.js";

const fixture = (path: string): string => fileURLToPath(new URL(`../../fixtures/llama-tiny/${path}`, import.meta.url));
const MODEL = fixture("gqa-untied/model");
const ADAPTER = fixture("gqa-untied/adapter");

/** A checkpoint of a training of `baseModel`, with the adapter's files and some of the training's own. */
async function checkpoint(baseModel: string): Promise<string> {
  const dir = join(await tempDir(), "checkpoint-3");
  const files = async (staging: string): Promise<void> => {
    await cp(ADAPTER, staging, { recursive: true });
    await writeFile(join(staging, "trainer_state.json"), "{}");
    await writeFile(join(staging, "tokenizer.json"), "{}");
  };
  await writeDurably(dir, [files], { baseModel });
  return dir;
}
const export_ = async (options: Partial<ExportOptions>) =>
  exportTrained({ format: "adapter", adapter: ADAPTER, output: join(await tempDir(), "out"), ...options });

describe("an export", () => {
  it("of the format adapter has the checkpoint's matrices and tokenizer, and nothing of the training", async () => {
    const from = await checkpoint(await (await openCheckpointDir(MODEL)).hash());
    const { output, bytes } = await export_({ adapter: from, baseModelName: "me/base" });
    const names = (await readdir(output)).sort();
    expect(names).toEqual(["README.md", "adapter_config.json", "adapter_model.safetensors", "tokenizer.json"]);
    const [before, after] = [await readAdapterDir(ADAPTER), await readAdapterDir(output)];
    expect(after.modules).toEqual(before.modules);
    expect(after.config.baseModelNameOrPath).toBe("me/base");
    expect(bytes).toBeGreaterThan((await readFile(join(output, "adapter_model.safetensors"))).length);
  });
  it.each(["merged", "gguf"] as const)("of the format %s takes a checkpoint of the same base model", async (format) => {
    const from = await checkpoint(await (await openCheckpointDir(MODEL)).hash());
    await expect(export_({ format, adapter: from, model: MODEL })).resolves.toMatchObject({ format });
  });
});

describe("an export is refused", () => {
  it("from a checkpoint of another base model, before anything is written", async () => {
    const from = await checkpoint("0".repeat(64));
    await expect(export_({ format: "merged", adapter: from, model: MODEL })).rejects.toThrow(
      /was trained on another model .*expected SHA-256 0{64}/,
    );
  });
  it("from a damaged checkpoint", async () => {
    const from = await checkpoint("0".repeat(64));
    await writeFile(join(from, "adapter_config.json"), "{}");
    await expect(export_({ adapter: from })).rejects.toThrow(/damaged[\s\S]*adapter_config\.json/);
  });
  it("from full fine-tuning, which has no adapter", async () => {
    await expect(export_({ adapter: MODEL })).rejects.toThrow(/holds a whole model/);
  });
  it("without the base model where it is needed", async () => {
    await expect(export_({ format: "gguf" })).rejects.toThrow(/needs the base model/);
  });
  it("over something that exists", async () => {
    await expect(export_({ output: await tempDir() })).rejects.toThrow(/exists already/);
  });
});
