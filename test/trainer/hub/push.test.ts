/** @file Uploads to a hub: what is sent, what is not sent again, and what is said when it fails. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type HubFile, type PushOptions, pushToHub } from "../../../src/trainer/hub/index.js";
import { ensureHubRepo } from "../../../src/trainer/hub/push-to-hub.js";
import { sha256 } from "../../support/hub-server.js";
import { HubUploadServer, type ServedCommit, type ServedRepo } from "../../support/hub-upload-server.js";
import { tempDir } from "../checkpoint/temp-dir.js";

const REPO = "lab/tutor";
const TOKEN = "hf_right";
const WEIGHTS = Uint8Array.from({ length: 70_001 }, (_, i) => Math.imul(i, 2654435761) >>> 24);
const FILES: readonly HubFile[] = [
  { path: "adapter_model.safetensors", content: WEIGHTS },
  { path: "adapter_config.json", content: '{"r": 8}' },
  { path: "pairs.jsonl", content: '{"prompt":"ß"}\n' },
];

let hub: HubUploadServer;
beforeAll(async () => {
  hub = await HubUploadServer.start();
});
afterAll(() => hub.close());
beforeEach(() => {
  hub.requests.length = 0;
  hub.faults.clear();
  hub.repos.clear();
  hub.objects.clear();
  hub.partBytes = 0;
});

const options = (more: Partial<PushOptions> = {}): PushOptions => ({
  repo: REPO,
  token: TOKEN,
  endpoint: hub.endpoint,
  files: FILES,
  message: "iteration 1",
  retryPauseMs: 2,
  ...more,
});
const repo = (): ServedRepo => hub.repos.get(REPO) as ServedRepo;
const head = (): ServedCommit => repo().commits.at(-1) as ServedCommit;
const textOf = (path: string): string | undefined => head().files.get(path)?.bytes.toString();

/** Everything that an error shows, wherever it is logged: messages and fields of all its causes, and stacks. */
function shown(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return [error.message, error.stack, JSON.stringify(error), shown(error.cause)].join("\n");
}
async function failure(more: Partial<PushOptions> = {}): Promise<string> {
  const error: unknown = await pushToHub(options(more)).then(
    () => new Error("it worked"),
    (reason) => reason,
  );
  expect(shown(error)).not.toContain(more.token ?? TOKEN);
  expect(shown(error)).not.toContain("s3cr3t");
  return (error as Error).message;
}

describe("a push", () => {
  it("creates a private repository where there is none, and brings all files in one commit", async () => {
    const pushed = await pushToHub(options());
    expect(repo().visibility).toBe("private");
    expect(repo().commits.map(({ summary }) => summary)).toEqual(["initial commit", "iteration 1"]);
    expect([...head().wrote].sort()).toEqual(FILES.map(({ path }) => path).sort());
    expect(textOf("adapter_config.json")).toBe('{"r": 8}');
    expect(textOf("pairs.jsonl")).toBe('{"prompt":"ß"}\n');
    expect(head().files.get("adapter_model.safetensors")).toEqual({ bytes: Buffer.from(WEIGHTS), lfs: true });
    expect(pushed).toEqual({
      repo: REPO,
      url: `${hub.endpoint}/lab/tutor`,
      commit: head().oid,
      uploaded: [
        { path: "adapter_model.safetensors", bytes: 70_001 },
        { path: "adapter_config.json", bytes: 8 },
        { path: "pairs.jsonl", bytes: 16 },
      ],
      unchanged: [],
    });
  });

  it("announces large files by their SHA-256 and size, and storage receives their bytes", async () => {
    await pushToHub(options());
    const [batch] = hub.of("batch");
    expect(JSON.parse(String(batch?.body)).objects).toEqual([{ oid: sha256(WEIGHTS), size: 70_001 }]);
    expect(hub.of("storage").map(({ method, body }) => [method, sha256(body)])).toEqual([["PUT", sha256(WEIGHTS)]]);
  });

  it("shows the token to every route of the hub, and never to its storage", async () => {
    await pushToHub(options());
    const seen = new Map(hub.requests.map(({ route, authorization }) => [route, authorization]));
    expect([...seen.keys()].sort()).toEqual([
      "batch",
      "commit",
      "create",
      "head",
      "paths-info",
      "preupload",
      "storage",
    ]);
    for (const { route, authorization } of hub.requests) {
      expect(authorization).toBe(route === "storage" ? undefined : `Bearer ${TOKEN}`);
    }
  });

  it("takes a token that the library itself would refuse, as other hubs have them", async () => {
    hub.token = "not-of-huggingface";
    try {
      await expect(pushToHub(options({ token: hub.token }))).resolves.toMatchObject({ repo: REPO });
    } finally {
      hub.token = TOKEN;
    }
  });

  it("takes the token of a login where none is given", async () => {
    const tokenFile = join(await tempDir(), "token");
    await writeFile(tokenFile, `${TOKEN}\n`);
    const { token: _, ...rest } = options();
    await expect(pushToHub({ ...rest, tokenFile })).resolves.toMatchObject({ repo: REPO });
  });

  it("reads files on disk by their URL", async () => {
    const file = join(await tempDir(), "weights with space.safetensors");
    await writeFile(file, WEIGHTS);
    await pushToHub(options({ files: [{ path: "a/w.safetensors", content: pathToFileURL(file) }] }));
    expect(hub.objects.get(sha256(WEIGHTS))?.equals(WEIGHTS)).toBe(true);
    expect(head().files.get("a/w.safetensors")?.lfs).toBe(true);
  });

  it("uploads in parts where the hub asks for it", async () => {
    hub.partBytes = 30_000;
    await pushToHub(options());
    expect(hub.of("storage").map(({ method, body }) => (method === "PUT" ? body.length : "complete"))).toEqual([
      30_000,
      30_000,
      10_001,
      "complete",
    ]);
    expect(hub.objects.get(sha256(WEIGHTS))?.equals(WEIGHTS)).toBe(true);
  });

  it("makes a public repository on request, and leaves the visibility of one that is there", async () => {
    await pushToHub(options({ private: false }));
    expect(repo().visibility).toBe("public");
    await pushToHub(options({ private: true, message: "again", files: [{ path: "x", content: "y" }] }));
    expect(repo().visibility).toBe("public");
  });

  it("counts the bytes of changed files up to their sum", async () => {
    const seen: number[] = [];
    let total = 0;
    await pushToHub(
      options({
        onProgress: ({ sentBytes, totalBytes }) => {
          seen.push(sentBytes);
          total = totalBytes;
        },
      }),
    );
    expect(total).toBe(70_001 + 8 + 16);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBeGreaterThanOrEqual(70_001);
  });
});

describe("the next push", () => {
  beforeEach(async () => {
    await pushToHub(options());
    hub.requests.length = 0;
  });

  it("sends only what has changed, in one more commit on top", async () => {
    const before = head().oid;
    const files = [...FILES.slice(0, 2), { path: "pairs.jsonl", content: "more\n" }];
    const pushed = await pushToHub(options({ files, message: "iteration 2" }));
    expect(head()).toMatchObject({ summary: "iteration 2", parent: before, wrote: ["pairs.jsonl"] });
    expect(hub.of("storage")).toEqual([]);
    expect(textOf("adapter_config.json")).toBe('{"r": 8}');
    expect(pushed.unchanged).toEqual(["adapter_model.safetensors", "adapter_config.json"]);
    expect(hub.of("create")).toEqual([]);
  });

  it("makes no commit where nothing has changed", async () => {
    const pushed = await pushToHub(options({ message: "iteration 2" }));
    expect(repo().commits).toHaveLength(2);
    expect(pushed).toMatchObject({ commit: head().oid, uploaded: [] });
  });

  it("does not upload large bytes again that storage has under another name", async () => {
    await pushToHub(options({ files: [{ path: "copy.safetensors", content: WEIGHTS }], message: "copy" }));
    expect(hub.of("storage")).toEqual([]);
    expect(head().files.get("copy.safetensors")?.bytes.equals(WEIGHTS)).toBe(true);
  });
});

describe("a hub that is out of order", () => {
  it.each(["head", "create", "paths-info", "preupload", "batch", "storage", "commit"] as const)(
    "answers %s with 500 once, cuts it, says 429: the push still arrives as one commit",
    async (route) => {
      hub.faults.set(route, [{ status: 500 }, "cut", { status: 429, headers: { "Retry-After": "0" } }]);
      await pushToHub(options());
      expect(hub.faults.get(route)).toEqual([]);
      expect(repo().commits.map(({ summary }) => summary)).toEqual(["initial commit", "iteration 1"]);
      expect(head().wrote).toHaveLength(3);
      expect(hub.objects.get(sha256(WEIGHTS))?.equals(WEIGHTS)).toBe(true);
    },
  );

  it("loses the answer to a commit: it is found, and not made twice", async () => {
    hub.faults.set("commit", ["lose-answer"]);
    const pushed = await pushToHub(options());
    expect(repo().commits.map(({ summary }) => summary)).toEqual(["initial commit", "iteration 1"]);
    expect(pushed.commit).toBe(head().oid);
    expect(pushed.uploaded).toHaveLength(3);
  });

  it("loses the answer to the creation: the repository is taken as it is", async () => {
    hub.faults.set("create", ["lose-answer"]);
    await pushToHub(options());
    expect(head().wrote).toHaveLength(3);
  });

  it("has a commit of somebody else in between: the push looks again and goes on top of it", async () => {
    const { commits } = hub.add(REPO);
    hub.beforeCommit = () => {
      hub.beforeCommit = undefined;
      const files = new Map([["notes.md", { bytes: Buffer.from("mine"), lfs: false }]]);
      commits.push({ ...head(), oid: "f".repeat(40), summary: "theirs", wrote: ["notes.md"], files });
    };
    const [{ oid: seen }] = commits as [ServedCommit];
    await pushToHub(options());
    const parents = hub
      .of("commit")
      .map(({ body }) => JSON.parse(String(body).split("\n")[0] ?? "").value.parentCommit);
    expect(parents).toEqual([seen, "f".repeat(40)]);
    expect(commits.map(({ summary }) => summary)).toEqual(["initial commit", "theirs", "iteration 1"]);
    expect(textOf("notes.md")).toBe("mine");
  });

  it("is given up after five attempts, with the reason and without a trace", async () => {
    hub.faults.set("commit", Array(9).fill({ status: 409, body: { error: "in use" } }));
    expect(await failure()).toBe(
      "lab/tutor was not updated: others commit to it at the same time (it says: in use): give each run a repository of its own",
    );
    expect(hub.of("commit")).toHaveLength(5);
    hub.faults.clear();
    await pushToHub(options({ message: "iteration 2" }));
    expect([...head().wrote].sort()).toEqual(FILES.map(({ path }) => path).sort());
  });

  it("does not make commits: it is asked five times in all", async () => {
    hub.faults.set("commit", Array(9).fill({ status: 500 }));
    expect(await failure()).toMatch(/status 500: the hub has a problem/);
    expect(hub.of("commit")).toHaveLength(5);
  });

  it("is down: the message says what the next push does", async () => {
    hub.faults.set("batch", Array(5).fill({ status: 503 }));
    expect(await failure()).toMatch(
      /answered with status 503: the hub has a problem; the next push sends what is missing$/,
    );
    const gone = await HubUploadServer.start();
    const { endpoint } = gone;
    await gone.close();
    expect(await failure({ endpoint })).toMatch(/cannot reach .*ECONNREFUSED.*Check the network/);
  });

  it("has storage that refuses: the message names storage, not the token", async () => {
    hub.faults.set("storage", [{ status: 403, body: { error: "expired" } }]);
    const message = await failure();
    expect(message).toContain(`${hub.storageOrigin} answered with status 403, which keeps the hub's large files`);
    expect(message).not.toMatch(/token/);
  });
});

describe("a refusal", () => {
  it("401 says that the token is not accepted, is not tried again, and creates nothing", async () => {
    expect(await failure({ token: "hf_wrong" })).toMatch(
      /does not accept the token \(it says: Invalid username or password\.\): set HF_TOKEN .*\/settings\/tokens$/,
    );
    expect(hub.requests.map(({ route }) => route)).toEqual(["head"]);
  });

  it("403 says that the token may not write there", async () => {
    hub.faults.set("create", [{ status: 403, body: { error: "You don't have the rights to create a model" } }]);
    expect(await failure()).toMatch(/may not write there \(it says: You don't have the rights to create a model\)/);
    hub.faults.set("commit", [{ status: 403 }]);
    expect(await failure()).toMatch(/the token may not write there: give it write access/);
    expect(hub.of("commit")).toHaveLength(1);
  });

  it("400 repeats what the hub says of the files, without the token that it echoes", async () => {
    const echo = { error: `invalid metadata; you sent Authorization: Bearer ${TOKEN}` };
    hub.faults.set("commit", [{ status: 400, body: echo }]);
    expect(await failure()).toMatch(/status 400 \(it says: invalid metadata; you sent Authorization: Bearer …\)$/);
  });

  it("of what was asked for names all problems at once, before anything is sent", async () => {
    const files = ["../up", "/root", "a\\b", ".git/config", "", "a", "a"].map((path) => ({ path, content: "" }));
    const { token: _, ...rest } = options({ repo: "tutor", files, message: " ", localFilesOnly: true });
    const error: Error = await pushToHub(rest).catch((reason) => reason);
    expect(error.message).toBe(
      'cannot push to the hub: expected the name of a model repository, owner/name, found "tutor"; the message of the commit is empty; ' +
        'paths of a repository are relative, with forward slashes: found "../up", "/root", "a\\\\b", ".git/config", ""; files are given twice: "a"; ' +
        "HF_HUB_OFFLINE forbids it: unset it; there is no access token: set HF_TOKEN to one with write access",
    );
    expect(hub.requests).toEqual([]);
  });

  it("meets a token that cannot be one without showing it", async () => {
    expect(await failure({ token: "hf_two words" })).toMatch(/^HF_TOKEN: expected an access token/);
  });

  it("meets a file that holds the token: nothing is sent", async () => {
    const files = [...FILES, { path: "run.json", content: JSON.stringify({ env: TOKEN }) }];
    expect(await failure({ files })).toMatch(/^run\.json holds the access token/);
    expect(hub.requests).toEqual([]);
  });
});

describe("an abort", () => {
  it("ends a push in the pause between attempts, with the reason of the abort", async () => {
    const controller = new AbortController();
    hub.faults.set("commit", Array(9).fill({ status: 500 }));
    const push = pushToHub(options({ signal: controller.signal, retryPauseMs: 60_000 }));
    const waiting = setInterval(() => {
      if (hub.of("commit").length > 0) controller.abort(new Error("enough"));
    }, 5);
    await expect(push).rejects.toThrow("enough");
    clearInterval(waiting);
    expect(repo().commits).toHaveLength(1);
  });
});

describe("a repository that is made sure of before a run", () => {
  it("is created once, and a wrong token is refused", async () => {
    const { files: _, message: __, ...target } = options();
    expect(await ensureHubRepo(target)).toEqual({ url: `${hub.endpoint}/lab/tutor`, created: true });
    expect(await ensureHubRepo(target)).toEqual({ url: `${hub.endpoint}/lab/tutor`, created: false });
    await expect(ensureHubRepo({ ...target, token: "hf_wrong" })).rejects.toThrow(/does not accept the token/);
    await expect(ensureHubRepo({ ...target, repo: "a/b/c" })).rejects.toThrow(/owner\/name, found "a\/b\/c"/);
  });
});
