/** @file What a sentence-transformers directory may be, and what is said about one that cannot be used. */
import { cp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openSentenceTransformerDir, parseBertConfig } from "../../../src/trainer/checkpoint/index.js";
import { tinyBert } from "../../support/embedding-golden.js";
import { tempDir } from "./temp-dir.js";

/** A copy of the tiny model in which files are changed: JSON fields are laid over, undefined removes the file. */
async function changed(files: Readonly<Record<string, unknown>>): Promise<string> {
  const dir = join(await tempDir(), "model");
  await cp(tinyBert("cls"), dir, { recursive: true });
  for (const [file, change] of Object.entries(files)) {
    const path = join(dir, file);
    if (change === undefined) await rm(path);
    else if (Array.isArray(change)) await writeFile(path, JSON.stringify(change));
    else await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, "utf8")), ...(change as object) }));
  }
  return dir;
}
const refusal = (files: Readonly<Record<string, unknown>>): Promise<string> =>
  changed(files)
    .then(openSentenceTransformerDir)
    .then(
      () => "it was opened",
      (error: Error) => error.message,
    );
const modules = (...kinds: string[]) =>
  kinds.map((kind, i) => ({ path: i === 0 ? "" : `1_${kind}`, type: `sentence_transformers.models.${kind}` }));

it("opens tensors with and without the prefix, at the top or in a folder", async () => {
  const [cls, mean] = await Promise.all([tinyBert("cls"), tinyBert("mean")].map(openSentenceTransformerDir));
  expect([...(cls?.tensors.keys() ?? [])]).toContain("encoder.layer.1.output.dense.bias");
  expect([...(mean?.tensors.keys() ?? [])].every((name) => !name.startsWith("bert."))).toBe(true);
  expect(cls?.modules).toMatchObject({ pooling: "cls", normalize: true, maxSeqLength: 32, encoder: "" });
  expect(mean?.modules).toMatchObject({ pooling: "mean", normalize: false, encoder: "0_Transformer" });
  expect(cls?.config.hiddenAct).toBe("gelu_tanh");
});

it("refuses other models and settings by name, all at once", async () => {
  expect(await refusal({ "config.json": { model_type: "distilbert" } })).toMatch(
    /model_type "distilbert": expected "bert"/,
  );
  const message = await refusal({
    "config.json": {
      position_embedding_type: "relative_key",
      hidden_act: "silu",
      is_decoder: true,
      num_attention_heads: 5,
    },
  });
  expect(message).toContain('position_embedding_type "relative_key": expected "absolute"');
  expect(message).toContain('hidden_act "silu": expected one of gelu,');
  expect(message).toContain("it is a decoder");
  expect(message).toContain("hidden_size 12 is not a multiple of num_attention_heads 5");
});

it("refuses modules and poolings that it does not have", async () => {
  expect(await refusal({ "modules.json": modules("Transformer", "Pooling", "Dense") })).toContain(
    "modules.json: Dense: expected Transformer, Pooling, Normalize alone",
  );
  expect(await refusal({ "modules.json": modules("Transformer", "Normalize", "Pooling") })).toContain(
    "modules.json: Transformer, Normalize, Pooling: expected",
  );
  expect(
    await refusal({ "modules.json": [{ path: "../up", type: "a.Transformer" }, modules("", "Pooling")[1]] }),
  ).toContain('path "../up": expected names of folders inside the directory');
  expect(await refusal({ "1_Pooling/config.json": { pooling_mode_max_tokens: true } })).toContain(
    "1_Pooling/config.json: pooling cls + max: expected cls or mean",
  );
  expect(await refusal({ "1_Pooling/config.json": { include_prompt: false } })).toContain("include_prompt false");
  expect(await refusal({ "1_Pooling/config.json": { pooling_mode: "lasttoken" } })).toContain("pooling lasttoken");
});

it("says which files are missing", async () => {
  expect(await refusal({ "modules.json": undefined })).toContain(
    "lacks modules.json, which says how tokens become one vector",
  );
  expect(await refusal({ "tokenizer.json": undefined, "model.safetensors": undefined })).toContain(
    "lacks tokenizer.json, model.safetensors. Download them into it.",
  );
  expect(await refusal({ "1_Pooling/config.json": undefined })).toContain("lacks 1_Pooling/config.json");
  const dir = await changed({});
  await writeFile(join(dir, "config.json"), "{");
  await expect(openSentenceTransformerDir(dir)).rejects.toThrow(/config\.json is not JSON.*download it again/);
  await rename(join(dir, "model.safetensors"), join(dir, "pytorch_model.bin"));
  await expect(openSentenceTransformerDir(dir)).rejects.toThrow("convert it to safetensors first");
  await expect(openSentenceTransformerDir(join(dir, "nowhere"))).rejects.toThrow("there is no directory");
});

it("lists tensors that are missing, of another shape, or not its own", async () => {
  const message = await refusal({ "config.json": { num_hidden_layers: 1, vocab_size: 5 } });
  expect(message).toMatch(/embeddings\.word_embeddings\.weight: expected \[5,12\], found \[\d+,12\]/);
  expect(message).toContain("encoder.layer.1.output.dense.bias: not part of this architecture");
  expect(await refusal({ "config.json": { num_hidden_layers: 3 } })).toContain(
    "encoder.layer.2.attention.self.query.weight: missing, expected [12,12]",
  );
});

it("knows the names that activations have, and fills in what older files leave out", () => {
  const base = {
    model_type: "bert",
    vocab_size: 9,
    hidden_size: 4,
    intermediate_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    max_position_embeddings: 16,
  };
  expect(parseBertConfig(base, "here")).toMatchObject({ hiddenAct: "gelu", layerNormEps: 1e-12, typeVocabSize: 2 });
  expect(parseBertConfig({ ...base, hidden_act: "relu" }, "here").hiddenAct).toBe("relu");
  expect(parseBertConfig({ ...base, hidden_act: "gelu_pytorch_tanh" }, "here").hiddenAct).toBe("gelu_tanh");
  expect(() => parseBertConfig({ ...base, hidden_size: 0 }, "here")).toThrow("here cannot be read");
});
