/** @file Settings: defaults by platform, and every problem in one message. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { dataFolder, NANO_MODEL, readConfig, readConfigWith } from "../../src/server/config.js";

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
    offline: false,
  });
});

it("reads every setting", () => {
  const env = {
    PREFLEXOR_HOME: "/data",
    PREFLEXOR_MODEL: "/models/m",
    PREFLEXOR_CHROMA_URL: "http://127.0.0.1:8000",
    PREFLEXOR_THREADS: "3",
    PREFLEXOR_TEACHER: "openai:gpt-4.1-mini",
    PREFLEXOR_CRITIC: "self",
    PREFLEXOR_JUDGE: "openai:judge@http://127.0.0.1:9000/v1",
    PREFLEXOR_TEACHER_BASE_URL: "http://127.0.0.1:8080/v1",
    PREFLEXOR_OFFLINE: "yes",
    PREFLEXOR_EMBEDDING_MODEL: "BAAI/bge-small-en-v1.5",
  };
  expect(readConfig(env)).toMatchObject({
    home: "/data",
    model: "/models/m",
    chromaUrl: "http://127.0.0.1:8000",
    threads: 3,
    teacher: "openai:gpt-4.1-mini",
    critic: "self",
    judge: "openai:judge@http://127.0.0.1:9000/v1",
    teacherBaseUrl: "http://127.0.0.1:8080/v1",
    offline: true,
    hub: { localFilesOnly: true },
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
    "  PREFLEXOR_TEACHER: expected one of builtin, extractive, self, client, preflexor:<directory or hub id>, " +
      'openai:<model>@<base URL>, <provider>:<model>; found "gpt"',
    "  PREFLEXOR_MODLE: no such setting: did you mean PREFLEXOR_MODEL?",
  ]);
});

/** The problems of an environment, without their indent. */
function problemsOf(env: Record<string, string>): string[] {
  try {
    readConfig(env, "linux", "/home/u");
    return [];
  } catch (error) {
    return (error as Error).message
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }
}

it("names what offline forbids by the setting that asks for it, and lets this machine's servers be", () => {
  const env = {
    PREFLEXOR_OFFLINE: "1",
    PREFLEXOR_TEACHER: "client",
    PREFLEXOR_CRITIC: "openai:gpt-4.1-mini",
    PREFLEXOR_CHROMA_URL: "https://chroma.example",
    LANGSMITH_TRACING: "true",
  };
  const problems = problemsOf(env);
  expect(problems.map((problem) => problem.split(":")[0])).toEqual([
    "PREFLEXOR_TEACHER",
    "PREFLEXOR_CRITIC",
    "LANGSMITH_TRACING",
    "PREFLEXOR_CHROMA_URL",
  ]);
  expect(problems[1]).toContain("go to api.openai.com. PREFLEXOR_OFFLINE forbids it");
  expect(problemsOf({ ...env, PREFLEXOR_OFFLINE: "0" })).toEqual([]);
  const local = {
    PREFLEXOR_OFFLINE: "1",
    PREFLEXOR_TEACHER: "openai:m",
    PREFLEXOR_CHROMA_URL: "http://127.0.0.1:8000",
  };
  expect(problemsOf({ ...local, PREFLEXOR_TEACHER_BASE_URL: "http://localhost:8080/v1" })).toEqual([]);
  expect(problemsOf(local)).toHaveLength(1);
});

it("takes OpenAI's own variable for the base URL where ours is not set, and says where ours has no use", () => {
  const read = (env: Record<string, string>) => readConfig(env, "linux", "/home/u").teacherBaseUrl;
  const theirs = { OPENAI_BASE_URL: "http://127.0.0.1:1/v1" };
  expect(read(theirs)).toBe("http://127.0.0.1:1/v1");
  const ours = { PREFLEXOR_TEACHER_BASE_URL: "http://127.0.0.1:2/v1" };
  expect(read({ ...theirs, ...ours })).toBe("http://127.0.0.1:2/v1");
  expect(problemsOf({ ...ours, PREFLEXOR_TEACHER: "anthropic:m" })).toEqual([
    "PREFLEXOR_TEACHER_BASE_URL: goes with openai:<model>, which nothing here names: unset it",
  ]);
  expect(problemsOf({ ...theirs, PREFLEXOR_TEACHER: "anthropic:m" })).toEqual([]);
});

it("refuses an offline switch that is neither on nor off, and a critic that was misspelt", () => {
  expect(problemsOf({ PREFLEXOR_OFFLINE: "maybe", PREFLEXOR_CRITIC: "slef", PREFLEXOR_JUGDE: "self" })).toEqual([
    'PREFLEXOR_OFFLINE: expected 1 or 0, found "maybe"',
    expect.stringMatching(/^PREFLEXOR_CRITIC: expected one of .*found "slef": did you mean self\?$/),
    "PREFLEXOR_JUGDE: no such setting: did you mean PREFLEXOR_JUDGE?",
  ]);
});

it("lets flags win over the environment, by the same rules", () => {
  const env = { PREFLEXOR_TEACHER: "self", PREFLEXOR_CRITIC: "extractive" };
  expect(readConfigWith({ teacher: "openai:m@http://127.0.0.1:1/v1", offline: true }, env)).toMatchObject({
    teacher: "openai:m@http://127.0.0.1:1/v1",
    critic: "extractive",
    offline: true,
  });
  expect(readConfigWith({ offline: false }, { ...env, PREFLEXOR_OFFLINE: "1" }).offline).toBe(true);
  expect(() => readConfigWith({ teacher: "openai:m", offline: true }, env)).toThrow(
    "PREFLEXOR_TEACHER: For the teacher",
  );
});

it("reads roots and limits, and refuses what would open a whole file system or nothing", () => {
  const read = (env: Record<string, string>) => readConfig(env, "linux", "/home/me");
  expect(
    read({ PREFLEXOR_ROOTS: "/data:/srv/texts/", PREFLEXOR_MAX_CORPUS_MB: "2", PREFLEXOR_MAX_RUNS: "3" }),
  ).toMatchObject({
    roots: ["/data", "/srv/texts"],
    maxCorpusBytes: 2 * 2 ** 20,
    maxRuns: 3,
  });
  expect(read({ PREFLEXOR_ROOTS: "" })).not.toHaveProperty("roots");
  for (const bad of ["docs", "/data:docs", "/", "/data:/", ":", "/.."])
    expect(() => read({ PREFLEXOR_ROOTS: bad }), bad).toThrow(/PREFLEXOR_ROOTS: expected absolute paths of folders/);
  for (const bad of ["0", "-1", "1.5", "many", "16385"])
    expect(() => read({ PREFLEXOR_MAX_CORPUS_MB: bad }), bad).toThrow(
      /PREFLEXOR_MAX_CORPUS_MB: expected a whole number from 1 to 16384/,
    );
  for (const bad of ["0", "17", "all"])
    expect(() => read({ PREFLEXOR_MAX_RUNS: bad }), bad).toThrow(
      /PREFLEXOR_MAX_RUNS: expected a whole number from 1 to 16/,
    );
  expect(() => read({ PREFLEXOR_ROOT: "/data" })).toThrow(
    /PREFLEXOR_ROOT: no such setting: did you mean PREFLEXOR_ROOTS\?/,
  );
});
