/** @file Settings: defaults by platform, and every problem in one message. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { dataFolder, NANO_MODEL, readConfig } from "../../src/server/config.js";

it("keeps data where each platform keeps a user's application data", () => {
  expect(dataFolder({}, "linux", "/home/u")).toBe("/home/u/.local/share/preflexor");
  expect(dataFolder({ XDG_DATA_HOME: "/data" }, "linux", "/home/u")).toBe("/data/preflexor");
  expect(dataFolder({ XDG_DATA_HOME: "relative" }, "linux", "/home/u")).toBe("/home/u/.local/share/preflexor");
  expect(dataFolder({}, "darwin", "/Users/u")).toBe("/Users/u/Library/Application Support/preflexor");
  expect(dataFolder({ LOCALAPPDATA: "/c/local" }, "win32", "/c/u")).toBe(join("/c/local", "preflexor"));
});

it("takes the package's model, and leaves out what is not set or empty", () => {
  expect(readConfig({ PREFLEXOR_THREADS: "" }, "linux", "/home/u")).toEqual({
    home: "/home/u/.local/share/preflexor",
    model: NANO_MODEL,
    hub: {
      cacheDir: "/home/u/.cache/huggingface/hub",
      tokenFile: "/home/u/.cache/huggingface/token",
      localFilesOnly: false,
    },
  });
});

it("reads every setting", () => {
  const env = {
    PREFLEXOR_HOME: "/data",
    PREFLEXOR_MODEL: "/models/m",
    PREFLEXOR_CHROMA_URL: "http://127.0.0.1:8000",
    PREFLEXOR_THREADS: "3",
    PREFLEXOR_TEACHER: "openai:gpt-4.1-mini",
    PREFLEXOR_EMBEDDING_MODEL: "BAAI/bge-small-en-v1.5",
  };
  expect(readConfig(env)).toMatchObject({
    home: "/data",
    model: "/models/m",
    chromaUrl: "http://127.0.0.1:8000",
    threads: 3,
    teacher: "openai:gpt-4.1-mini",
    embeddingModel: "BAAI/bge-small-en-v1.5",
  });
});

it("finds the Hugging Face cache, token and endpoint where the Python libraries do", () => {
  const read = (env: Record<string, string>) => readConfig(env, "linux", "/home/u").hub;
  expect(
    read({ HF_HOME: "~/hf", HF_TOKEN: " hf_a\n", HF_ENDPOINT: "https://mirror.example", HF_HUB_OFFLINE: "YES" }),
  ).toEqual({
    cacheDir: "/home/u/hf/hub",
    tokenFile: "/home/u/hf/token",
    token: "hf_a",
    endpoint: "https://mirror.example",
    localFilesOnly: true,
  });
  expect(read({ XDG_CACHE_HOME: "/c" }).cacheDir).toBe("/c/huggingface/hub");
  expect(read({ HF_HOME: "/h", HF_HUB_CACHE: "/cache", HF_TOKEN_PATH: "/t", HF_HUB_OFFLINE: "0" })).toEqual({
    cacheDir: "/cache",
    tokenFile: "/t",
    localFilesOnly: false,
  });
  expect(() => read({ HF_ENDPOINT: "mirror" })).toThrow('HF_ENDPOINT: expected an http or https URL, found "mirror"');
});

it("takes the model as a path or as the id of a model on the hub", () => {
  const model = (name: string) => readConfig({ PREFLEXOR_MODEL: name }, "linux", "/home/u").model;
  expect(model("HuggingFaceTB/SmolLM2-135M-Instruct@main")).toBe("HuggingFaceTB/SmolLM2-135M-Instruct@main");
  expect(() => model("SmolLM2")).toThrow("expected the absolute path of a model directory, or owner/name");
});

it("lists all problems at once, each with its variable, what was expected and what was found", () => {
  const env = {
    PREFLEXOR_HOME: "data",
    PREFLEXOR_CHROMA_URL: "localhost:8000",
    PREFLEXOR_THREADS: "0",
    PREFLEXOR_TEACHER: "gpt",
    PREFLEXOR_EMBEDDING_MODEL: "bge",
    PREFLEXOR_MODLE: "/x",
  };
  let text = "";
  try {
    readConfig(env);
  } catch (error) {
    text = (error as Error).message;
  }
  expect(text.split("\n")).toEqual([
    "the environment has 6 problem(s):",
    '  PREFLEXOR_HOME: expected an absolute path, found "data"',
    '  PREFLEXOR_CHROMA_URL: expected an http or https URL, found "localhost:8000"',
    '  PREFLEXOR_THREADS: expected a whole number from 1 to 256, found "0"',
    '  PREFLEXOR_EMBEDDING_MODEL: expected the absolute path of a sentence-transformers directory, or owner/name, found "bge"',
    '  PREFLEXOR_TEACHER: expected provider:model, such as openai:gpt-4.1-mini, found "gpt"',
    "  PREFLEXOR_MODLE: no such setting: did you mean PREFLEXOR_MODEL?",
  ]);
});
