/** @file An embedder: texts are tokenized and batched here, their vectors are computed in a process of its own. */
import { availableParallelism } from "node:os";
import { setImmediate as breathe } from "node:timers/promises";
import { openSentenceTransformerDir, type SentenceTransformerDir } from "../checkpoint/index.js";
import { type EncoderTokenizer, loadEncoderTokenizer } from "../text/index.js";
import { embedBatches } from "./embed-batches.js";
import { EmbedRemote } from "./embed-remote.js";
import type { Embedder, EmbedderInfo, EmbedderOptions, EmbedOptions } from "./embedder-types.js";

/** Opens a sentence-transformers directory in a process of its own, which ends with `close`, or with this one. */
export async function openEmbedder({ model, threads, signal }: EmbedderOptions): Promise<Embedder> {
  signal?.throwIfAborted();
  const checkpoint = await openSentenceTransformerDir(model);
  const tokenizer = await loadEncoderTokenizer(checkpoint.encoderPath);
  const info = await infoOf(checkpoint, tokenizer);
  const start = (givingUp?: AbortSignal) => startRemote(checkpoint.path, threads ?? defaultThreads(), givingUp);
  return new RemoteEmbedder(await start(signal), start, info, tokenizer, checkpoint.modules);
}

/** A process with the model in it. */
async function startRemote(model: string, threads: number, signal?: AbortSignal): Promise<EmbedRemote> {
  signal?.throwIfAborted();
  const remote = new EmbedRemote();
  const stop = (): void => void remote.close();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    await remote.call({ method: "open", model, threads });
    signal?.throwIfAborted();
    return remote;
  } catch (error) {
    await remote.close();
    throw signal?.aborted ? signal.reason : error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/** As the engine's: half of the logical cores, at least 2. */
const defaultThreads = (): number => Math.max(2, Math.floor(availableParallelism() / 2));

async function infoOf(checkpoint: SentenceTransformerDir, tokenizer: EncoderTokenizer): Promise<EmbedderInfo> {
  const { config, modules, path } = checkpoint;
  const maxTokens = Math.min(modules.maxSeqLength ?? tokenizer.maxTokens ?? Infinity, config.maxPositionEmbeddings);
  const problems: string[] = [];
  if (tokenizer.vocabSize > config.vocabSize) {
    problems.push(`its tokenizer has ${tokenizer.vocabSize} tokens, its embedding ${config.vocabSize} rows`);
  }
  if (maxTokens <= tokenizer.specialTokens) problems.push(`texts of ${maxTokens} tokens have no room for words`);
  if (problems.length > 0) throw new Error(`${path} cannot be used for embeddings: ${problems.join("; ")}`);
  return {
    model: path,
    modelHash: await checkpoint.hash(),
    dimensions: config.hiddenSize,
    maxTokens,
    normalized: modules.normalize,
    prompts: modules.prompts,
  };
}

/** Texts that are sorted by length together: enough to find neighbours, few enough to hold as tokens. */
const WINDOW = 2048;
/** Tokenizing this many takes a few milliseconds; between, this process does other work. */
const TEXTS_AT_ONCE = 32;

class RemoteEmbedder implements Embedder {
  private starting: Promise<EmbedRemote> | undefined;
  private closed = false;

  constructor(
    private remote: EmbedRemote,
    private readonly start: () => Promise<EmbedRemote>,
    readonly info: EmbedderInfo,
    private readonly tokenizer: EncoderTokenizer,
    private readonly modules: SentenceTransformerDir["modules"],
  ) {}

  async embed(texts: readonly string[], { promptName, signal, onProgress }: EmbedOptions = {}) {
    signal?.throwIfAborted();
    const prompt = this.promptOf(promptName ?? this.modules.defaultPromptName);
    const vectors = new Array<Float32Array>(texts.length);
    let finished = 0;
    for (let start = 0; start < texts.length; start += WINDOW) {
      const ids: Int32Array[] = [];
      for (const text of texts.slice(start, start + WINDOW)) {
        ids.push(this.tokenizer.encode(this.prepared(prompt + text), this.info.maxTokens));
        if (ids.length % TEXTS_AT_ONCE === 0) await breathe();
      }
      for (const batch of embedBatches(ids.map(({ length }) => length))) {
        signal?.throwIfAborted();
        const remote = await this.running();
        const results = await remote.call({ method: "embed", texts: batch.map((i) => ids[i] as Int32Array) });
        batch.forEach((index, row) => {
          vectors[start + index] = results[row] as Float32Array;
        });
        finished += batch.length;
        onProgress?.(finished, texts.length);
      }
    }
    signal?.throwIfAborted();
    return vectors;
  }

  countTokens(text: string): number {
    return this.tokenizer.encode(this.prepared(text)).length;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.starting?.catch(() => undefined);
    await this.remote.close();
  }

  /** The process, or another where it has died, e.g. for want of memory. */
  private running(): Promise<EmbedRemote> {
    if (this.closed || !this.remote.ended) return Promise.resolve(this.remote);
    this.starting ??= this.start()
      .then((remote) => {
        this.remote = remote;
        return remote;
      })
      .finally(() => {
        this.starting = undefined;
      });
    return this.starting;
  }

  private prepared(text: string): string {
    return this.modules.lowerCase ? text.toLowerCase() : text;
  }

  private promptOf(name: string | undefined): string {
    if (name === undefined) return "";
    const { prompts } = this.info;
    if (Object.hasOwn(prompts, name)) return prompts[name] as string;
    const known = Object.keys(prompts);
    throw new Error(
      `prompt ${JSON.stringify(name)}: this model has ${known.length > 0 ? known.join(", ") : "no prompts"}; leave it out or name another`,
    );
  }
}
