/** @file Text out of HTML and PDF, in a thread of its own that is ended where a file takes too long or too much memory. */

import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import type { ExtractReply, ExtractRequest } from "./extract-worker.js";

export interface ExtractorLimits {
  /** For one file. */
  readonly extractMs?: number;
}

export interface Extractor {
  /** Throws where it is no PDF, is encrypted, holds no text, or where the package that reads it is not installed. */
  pdf(bytes: Uint8Array, signal?: AbortSignal): Promise<string>;
  /** What a browser would show, without scripts, styles and drawings. */
  html(text: string, signal?: AbortSignal): Promise<string>;
  close(): Promise<void>;
}

/** A book of 16 MB takes seconds; what takes minutes was made to. */
const EXTRACT_MS = 120_000;
const HEAP_MB = 1024;
const PDF_MAGIC = "%PDF-";
/** Readers look for the mark in the first kilobyte, since some files have other bytes before it. */
const MAGIC_WITHIN = 1024;

export const isPdfParseInstalled = (): boolean => {
  try {
    createRequire(import.meta.url).resolve("pdf-parse");
    return true;
  } catch {
    return false;
  }
};

/** The thread is started by the first file that needs it. One file at a time. */
export function createExtractor(
  { extractMs = EXTRACT_MS }: ExtractorLimits = {},
  isInstalled: () => boolean = isPdfParseInstalled,
): Extractor {
  let worker: Worker | undefined;
  const end = async () => {
    await worker?.terminate();
    worker = undefined;
  };
  const ask = async (request: ExtractRequest, signal?: AbortSignal): Promise<string> => {
    signal?.throwIfAborted();
    worker ??= startWorker();
    let reply: ExtractReply;
    try {
      reply = await answerOf(worker, request, extractMs, signal);
    } catch (error) {
      // It may still be busy with this file, or be gone.
      await end();
      throw error;
    }
    if ("problem" in reply) throw new Error(reply.problem);
    return reply.text;
  };
  return {
    pdf: async (bytes, signal) => {
      const head = Buffer.from(bytes.subarray(0, MAGIC_WITHIN)).toString("latin1");
      if (!head.includes(PDF_MAGIC)) throw new Error("is not a PDF, whatever its name says. Rename or remove it.");
      if (!isInstalled()) {
        throw new Error("PDF needs the package pdf-parse, which is not installed: npm install pdf-parse");
      }
      return ask({ kind: "pdf", bytes }, signal);
    },
    html: (text, signal) => ask({ kind: "html", text }, signal),
    close: end,
  };
}

function startWorker(): Worker {
  const worker = new Worker(new URL("./extract-worker.js", import.meta.url), {
    execArgv: [],
    // The PDF reader prints warnings, and stdout of this process may carry a protocol.
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  worker.stdout.resume();
  worker.stderr.resume();
  worker.unref();
  return worker;
}

function answerOf(
  worker: Worker,
  request: ExtractRequest,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<ExtractReply> {
  const done = new AbortController();
  return new Promise<ExtractReply>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`gave no text within ${timeoutMs / 1000} s: it is damaged or made to stop readers. Remove it.`));
    }, timeoutMs);
    const failed = (error: Error) => reject(readable(error));
    const aborted = () => reject(signal?.reason);
    worker.once("message", resolve).once("error", failed);
    signal?.addEventListener("abort", aborted);
    done.signal.addEventListener("abort", () => {
      clearTimeout(timer);
      worker.off("message", resolve).off("error", failed);
      signal?.removeEventListener("abort", aborted);
    });
    worker.postMessage(request);
  }).finally(() => done.abort());
}

function readable(error: Error): Error {
  const isMemory = (error as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY";
  const why = isMemory ? `needs more than ${HEAP_MB} MB of memory to read` : `cannot be read (${error.message})`;
  return new Error(`${why}. Remove it or convert it to text.`, { cause: error });
}
