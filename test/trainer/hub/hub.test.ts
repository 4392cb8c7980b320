/** @file Models from a hub: what is asked, what is kept, and what is said when it fails. */
import { lstat, mkdir, readdir, readFile, readlink, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { hubFetch } from "../../../src/trainer/hub/hub-fetch.js";
import { type DownloadProgress, type HubOptions, resolveModel } from "../../../src/trainer/hub/index.js";
import { etagOf, type HubFile, HubServer } from "../../support/hub-server.js";
import { tempDir } from "../checkpoint/temp-dir.js";

const ID = "lab/Tiny-1";
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const noise = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i + 1, 2654435761) >>> (seed + 8)) & 255);
const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const small = (path: string, value: unknown): HubFile => ({ path, bytes: json(value), lfs: false });
const WEIGHTS = [1, 2].map(
  (n): HubFile => ({ path: `model-0000${n}-of-00002.safetensors`, bytes: noise(300_000, n), lfs: true }),
);
const [FIRST, SECOND] = WEIGHTS.map(({ path }) => path) as [string, string];
const INDEX = { weight_map: { a: FIRST, b: SECOND, c: FIRST } };
const FILES: readonly HubFile[] = [
  small("README.md", "not needed"),
  small("config.json", { model_type: "llama" }),
  small("generation_config.json", {}),
  { path: "tokenizer.json", bytes: noise(5000, 3), lfs: true },
  small("tokenizer_config.json", { bos_token: null }),
  small("model.safetensors.index.json", INDEX),
  { path: "consolidated.safetensors", bytes: noise(50, 4), lfs: true },
  ...WEIGHTS,
];
const NEEDED = FILES.map(({ path }) => path).filter(
  (path) => path !== "README.md" && path !== "consolidated.safetensors",
);

let hub: HubServer;
beforeAll(async () => {
  hub = await HubServer.start();
});
afterAll(() => hub.close());
beforeEach(() => {
  hub.requests.length = 0;
  hub.faults.clear();
  hub.tokens.clear();
  hub.gated.clear();
  hub.repos.clear();
  hub.repos.set(ID, { commit: COMMIT, files: FILES });
  hub.apiStatus = undefined;
});

async function options(more: Partial<HubOptions> = {}): Promise<HubOptions> {
  return { cacheDir: await tempDir(), endpoint: hub.endpoint, retryPauseMs: 2, ...more };
}
const partOf = ({ cacheDir }: HubOptions): string =>
  join(cacheDir, "models--lab--Tiny-1/blobs", `${etagOf(WEIGHTS[0] as HubFile)}.incomplete`);
const failure = (id: string, given: HubOptions): Promise<string> =>
  resolveModel(id, given).then(
    () => "it worked",
    (error: Error) => error.message,
  );

describe("a model of the hub", () => {
  it("lies in the cache as the Python libraries lay it out: blobs by content, links in the snapshot, the ref", async () => {
    const given = await options();
    const model = await resolveModel(ID, given);
    const folder = join(given.cacheDir, "models--lab--Tiny-1");
    expect(model).toEqual({ path: join(folder, "snapshots", COMMIT), hubId: ID, commit: COMMIT });
    expect((await readdir(model.path)).sort()).toEqual([...NEEDED].sort());
    expect(await readFile(join(folder, "refs/main"), "utf8")).toBe(COMMIT);
    for (const file of FILES.filter(({ path }) => NEEDED.includes(path))) {
      expect(await readlink(join(model.path, file.path))).toBe(`../../blobs/${etagOf(file)}`);
      expect((await readFile(join(model.path, file.path))).equals(file.bytes)).toBe(true);
    }
    expect((await readdir(join(folder, "blobs"))).length).toBe(
      new Set(FILES.filter(({ path }) => NEEDED.includes(path)).map(etagOf)).size,
    );
  });

  it("is downloaded once: the second time only its revision is asked for, and with a commit nothing at all", async () => {
    const given = await options();
    const { path } = await resolveModel(ID, given);
    hub.requests.length = 0;
    expect((await resolveModel(ID, given)).path).toBe(path);
    expect(hub.downloads()).toEqual([]);
    hub.requests.length = 0;
    expect((await resolveModel(`${ID}@${COMMIT}`, given)).path).toBe(path);
    expect(hub.requests).toEqual([]);
  });

  it("asks the hub for what a folder that Python filled in part may lack", async () => {
    const given = await options();
    const folder = join(given.cacheDir, "models--lab--Tiny-1", "snapshots", COMMIT);
    await mkdir(folder, { recursive: true });
    for (const { path, bytes } of FILES.filter(
      ({ path }) => NEEDED.includes(path) && path !== "generation_config.json",
    )) {
      await writeFile(join(folder, path), bytes);
    }
    await resolveModel(`${ID}@${COMMIT}`, given);
    expect(hub.downloads().map(({ url }) => url.split("/").at(-1))).toEqual(["generation_config.json"]);
  });

  it("brings the modules of a sentence-transformers repository, with the folder of its pooling", async () => {
    const modules = [
      small("modules.json", []),
      small("sentence_bert_config.json", {}),
      small("config_sentence_transformers.json", {}),
      small("1_Pooling/config.json", { pooling_mode_mean_tokens: true }),
      small("1_Pooling/notes.json", "not needed"),
      small("onnx/config.json", "not needed"),
    ];
    hub.repos.set(ID, { commit: COMMIT, files: [...FILES, ...modules] });
    const { path } = await resolveModel(ID, await options());
    const found = (await readdir(path, { recursive: true })).filter((name) => !NEEDED.includes(name));
    expect(found.sort()).toEqual([
      "1_Pooling",
      "1_Pooling/config.json",
      "config_sentence_transformers.json",
      "modules.json",
      "sentence_bert_config.json",
    ]);
  });

  it("tells of every byte once, up to the total", async () => {
    const seen: DownloadProgress[] = [];
    hub.faults.set(FIRST, [{ cutAfter: 100_000 }]);
    await resolveModel(ID, await options({ onProgress: (progress) => seen.push(progress) }));
    const total = FILES.filter(({ path }) => NEEDED.includes(path)).reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(seen.at(-1)).toEqual({ file: SECOND, receivedBytes: total, totalBytes: total });
    expect(seen.every(({ receivedBytes }, i) => i === 0 || receivedBytes > (seen[i - 1]?.receivedBytes ?? 0))).toBe(
      true,
    );
  });

  it("can be refused when all but its weights is there", async () => {
    const given = await options({
      beforeWeights: async (directory) => {
        expect((await readdir(directory)).sort()).toEqual(NEEDED.filter((name) => !name.startsWith("model-")).sort());
        throw new Error("no such architecture");
      },
    });
    expect(await failure(ID, given)).toBe("no such architecture");
    expect(hub.downloads(FIRST)).toEqual([]);
  });

  it("is taken by tag and by commit; a directory of the same spelling comes first", async () => {
    const given = await options();
    expect((await resolveModel(`${ID}@v1.0`, given)).commit).toBe(COMMIT);
    expect((await resolveModel(`${ID}@${COMMIT}`, await options())).commit).toBe(COMMIT);
    expect(await resolveModel("models/nano", given)).toEqual({ path: join(process.cwd(), "models/nano") });
  });
});

describe("a broken download", () => {
  it("goes on where the connection was cut", async () => {
    hub.faults.set(FIRST, [{ cutAfter: 100_000 }, { cutAfter: 50_000 }]);
    const { path } = await resolveModel(ID, await options());
    expect((await readFile(join(path, FIRST))).equals(WEIGHTS[0]?.bytes as Uint8Array)).toBe(true);
    const ranges = hub.requests
      .filter(({ server, url }) => server === "storage" && url.endsWith(FIRST))
      .map(({ headers }) => headers.range);
    // How much of the last data before a cut arrives is up to the network.
    const [first, ...later] = ranges.map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? "bytes=0-")?.[1]));
    expect(first).toBe(0);
    expect(later).toHaveLength(2);
    expect(later[0]).toBeGreaterThan(0);
    expect(later[0]).toBeLessThanOrEqual(100_000);
    expect(later[1]).toBeGreaterThan(later[0] as number);
  });

  it("keeps what came, and the next run asks for the rest only", async () => {
    const given = await options();
    hub.faults.set(FIRST, [{ cutAfter: 200_000 }, ...Array<{ cutAfter: number }>(5).fill({ cutAfter: 0 })]);
    expect(await failure(ID, given)).toContain(`the connection breaks while ${FIRST} is downloaded`);
    const { size } = await stat(partOf(given));
    expect(size).toBeGreaterThan(0);
    hub.requests.length = 0;
    await resolveModel(ID, given);
    expect(hub.downloads(FIRST).map(({ headers }) => headers.range)).toEqual([`bytes=${size}-`, `bytes=${size}-`]);
    expect(hub.downloads("config.json")).toEqual([]);
  });

  it("starts the file again where the server ignores the range", async () => {
    hub.faults.set(FIRST, [{ cutAfter: 100_000 }, { wholeFile: true }]);
    const { path } = await resolveModel(ID, await options());
    expect((await readFile(join(path, FIRST))).equals(WEIGHTS[0]?.bytes as Uint8Array)).toBe(true);
  });

  it("does not keep a file whose hash is wrong, however it arrived", async () => {
    const given = await options();
    hub.faults.set(FIRST, [{ flip: true }, { flip: true }]);
    const text = await failure(ID, given);
    expect(text).toContain(
      `${FIRST} arrived with the wrong content twice: expected hash ${etagOf(WEIGHTS[0] as HubFile)}`,
    );
    expect(await readdir(join(given.cacheDir, "models--lab--Tiny-1/blobs"))).not.toContain(
      etagOf(WEIGHTS[0] as HubFile),
    );
    hub.faults.set("config.json", [{ flip: true }, { flip: true }]);
    expect(await failure(ID, await options())).toContain("config.json arrived with the wrong content");
    hub.faults.set(FIRST, [{ flip: true }]);
    await resolveModel(ID, given);
  });

  it("is not trusted where the rest of an earlier download is spoiled", async () => {
    const given = await options();
    hub.faults.set(FIRST, [{ cutAfter: 200_000 }, ...Array<{ cutAfter: number }>(5).fill({ cutAfter: 0 })]);
    await failure(ID, given);
    const part = partOf(given);
    await truncate(part, 0);
    await writeFile(part, new Uint8Array(1000));
    const { path } = await resolveModel(ID, given);
    expect((await readFile(join(path, FIRST))).equals(WEIGHTS[0]?.bytes as Uint8Array)).toBe(true);
  });

  it("is tried again after 429 and 5xx, as late as the server says", async () => {
    hub.faults.set(FIRST, [{ status: 503 }, { status: 429, headers: { "Retry-After": "0" } }, { status: 502 }]);
    await resolveModel(ID, await options());
    expect(hub.requests.filter(({ server, url }) => server === "storage" && url.endsWith(FIRST))).toHaveLength(4);
  });

  it("asks the hub for a new link where storage calls the old one expired", async () => {
    hub.faults.set(FIRST, [{ status: 403 }]);
    await resolveModel(ID, await options());
    expect(hub.requests.filter(({ server, url }) => server === "hub" && url.endsWith(FIRST))).toHaveLength(2);
  });

  it("leaves the ref of the complete version alone", async () => {
    const given = await options();
    await resolveModel(ID, given);
    const next = "f".repeat(40);
    hub.repos.set(ID, {
      commit: next,
      files: FILES.map((file) => (file.path === FIRST ? { ...file, bytes: noise(300_000, 7) } : file)),
    });
    hub.faults.set(FIRST, Array<{ cutAfter: number }>(6).fill({ cutAfter: 0 }));
    expect(await failure(ID, given)).toContain("breaks");
    expect((await resolveModel(ID, { ...given, localFilesOnly: true })).commit).toBe(COMMIT);
    expect((await resolveModel(ID, given)).commit).toBe(next);
    expect((await lstat(join(given.cacheDir, "models--lab--Tiny-1/snapshots", next, SECOND))).isSymbolicLink()).toBe(
      true,
    );
  });
});

describe("two at once", () => {
  it("download each file once", async () => {
    const given = await options();
    const [a, b] = await Promise.all([resolveModel(ID, given), resolveModel(ID, given)]);
    expect(a).toEqual(b);
    for (const name of NEEDED)
      expect(hub.requests.filter(({ server, url }) => server === "hub" && url.endsWith(`/${name}`))).toHaveLength(1);
  });

  it("do not wait for a process that is gone", async () => {
    const given = await options();
    const locks = join(given.cacheDir, ".locks/models--lab--Tiny-1");
    await mkdir(locks, { recursive: true });
    const { hostname } = await import("node:os");
    const dead = JSON.stringify({ pid: 2 ** 30, host: hostname(), token: "x" });
    for (const file of FILES) await writeFile(join(locks, `${etagOf(file)}.preflexor.lock`), dead);
    await resolveModel(ID, given);
    const needed = FILES.filter(({ path }) => NEEDED.includes(path)).map((file) => `${etagOf(file)}.preflexor.lock`);
    expect((await readdir(locks)).filter((name) => needed.includes(name))).toEqual([]);
  });

  it("wait as long as the other is alive, until they are stopped", async () => {
    const given = await options();
    const locks = join(given.cacheDir, ".locks/models--lab--Tiny-1");
    await mkdir(locks, { recursive: true });
    const { hostname } = await import("node:os");
    const config = FILES.find(({ path }) => path === "config.json") as HubFile;
    await writeFile(
      join(locks, `${etagOf(config)}.preflexor.lock`),
      JSON.stringify({ pid: process.pid, host: hostname() }),
    );
    const stop = AbortSignal.timeout(300);
    await expect(resolveModel(ID, { ...given, signal: stop })).rejects.toThrow(/abort|timeout/i);
    expect(hub.downloads("config.json")).toEqual([]);
  });
});

describe("without the hub", () => {
  it("the cache serves by name, tag and commit, and says so where the hub was to be asked", async () => {
    const given = await options();
    const { path } = await resolveModel(ID, given);
    hub.requests.length = 0;
    expect((await resolveModel(ID, { ...given, localFilesOnly: true })).path).toBe(path);
    expect(hub.requests).toEqual([]);
    hub.apiStatus = 503;
    const offline = await resolveModel(ID, given);
    expect(offline).toMatchObject({
      path,
      notice: expect.stringContaining("status 503: lab/Tiny-1 is taken from the cache"),
    });
    const gone = await resolveModel(ID, { ...given, endpoint: "http://127.0.0.1:9" });
    expect(gone.notice).toContain("cannot reach http://127.0.0.1:9");
  });

  it("what is not cached is an error that says how to get it", async () => {
    const given = await options();
    expect(await failure(ID, { ...given, localFilesOnly: true })).toMatch(
      /has nothing of revision main.*HF_HUB_OFFLINE/,
    );
    hub.faults.set(SECOND, Array<{ cutAfter: number }>(6).fill({ cutAfter: 0 }));
    await failure(ID, given);
    expect(await failure(`${ID}@${COMMIT}`, { ...given, localFilesOnly: true })).toContain(`it lacks ${SECOND}`);
    expect(await failure(ID, await options({ endpoint: "http://127.0.0.1:9" }))).toMatch(
      /cannot reach http:\/\/127.0.0.1:9 \(.+\)\. Check the network and proxy, or set HF_ENDPOINT/,
    );
  });
});

describe("a refusal", () => {
  it("of an unknown model names models near it, and asks for a token where none was sent", async () => {
    const text = await failure("lab/Tiny-2", await options());
    expect(text).toMatch(/has no model lab\/Tiny-2 .*Found near it: lab\/Tiny-1.*no token was sent: set HF_TOKEN/);
    expect(await failure("lab/Tiny-2", await options({ token: "hf_x" }))).toContain("gives no access");
  });

  it("of an unknown revision names those that exist", async () => {
    expect(await failure(`${ID}@v9`, await options())).toBe(
      'lab/Tiny-1 has no revision "v9". Found near it: main, v1.0',
    );
  });

  it("of a gated model says where to accept its terms", async () => {
    hub.gated.add(ID);
    expect(await failure(ID, await options({ token: "hf_x" }))).toContain(`accept its terms at ${hub.endpoint}/${ID}`);
  });

  it("comes at once where the repository has no usable files, with all that is missing", async () => {
    hub.repos.set(ID, { commit: COMMIT, files: [small("pytorch_model.bin", 1), small("tokenizer.json", 1)] });
    const text = await failure(ID, await options());
    expect(text).toContain("it has no config.json");
    expect(text).toContain(
      "neither model.safetensors nor model.safetensors.index.json; its weights are in pytorch_model.bin",
    );
    expect(hub.downloads()).toEqual([]);
  });

  it("comes before the download where the disk is too small for it", async () => {
    hub.repos.set(ID, {
      commit: COMMIT,
      files: [
        small("config.json", 1),
        small("tokenizer.json", 1),
        { path: "model.safetensors", bytes: noise(10, 1), lfs: true },
      ],
    });
    hub.pretendSize.set("model.safetensors", 1e18);
    expect(await failure(ID, await options())).toMatch(
      /needs 1,000,000,000,\d+ MB more in the model cache .* the disk has .* left/,
    );
    expect(hub.downloads()).toEqual([]);
    hub.pretendSize.clear();
  });

  it("covers names that lead out of the cache, and text that is no id", async () => {
    const evil = { weight_map: { a: "../../evil.safetensors" } };
    hub.repos.set(ID, {
      commit: COMMIT,
      files: [small("config.json", 1), small("tokenizer.json", 1), small("model.safetensors.index.json", evil)],
    });
    expect(await failure(ID, await options())).toContain("names files that cannot be used");
    for (const id of ["../x/y", "lab/..", "lab/a@../../x", "gpt2", "/no/such/folder", "./lab/a", "lab/a@"]) {
      expect(await failure(id, await options()), id).toContain("it is no hub id");
    }
    expect(hub.requests.filter(({ url }) => url.includes("evil"))).toEqual([]);
  });
});

it("adds the token to requests to the hub's own origin only", async () => {
  hub.requests.length = 0;
  const ask = hubFetch({ endpoint: "http://127.0.0.1:9", token: "hf_secret", pauseMs: 1, attempts: 1 });
  await ask(`${hub.endpoint}/api/models`);
  expect(hub.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
});

it("sends the token to the hub and never to the storage behind it", async () => {
  hub.tokens.set(ID, "hf_secret");
  await resolveModel(ID, await options({ token: "hf_secret" }));
  const storage = hub.requests.filter(({ server }) => server === "storage");
  expect(storage.length).toBeGreaterThan(2);
  expect(storage.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
  const given = await options();
  await writeFile(join(given.cacheDir, "token"), "hf_secret\n");
  await resolveModel(ID, { ...given, tokenFile: join(given.cacheDir, "token") });
});
