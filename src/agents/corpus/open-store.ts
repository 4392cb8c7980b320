/** @file The passage store that this machine and configuration allow: Chroma started here, Chroma by URL, or memory. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ChromaStartError, probe, type StartOptions } from "./chroma-process.js";
import { acquireChromaServer } from "./chroma-server.js";
import { type ChromaAddress, openChromaStore } from "./chroma-store.js";
import { openInProcessStore } from "./in-process-store.js";
import { fileRecords, type IngestRecords } from "./ingest-records.js";
import { createLexicalEmbedder } from "./lexical-embedder.js";
import type { Embedder, PassageStore } from "./types.js";

export interface OpenStoreOptions {
  /** 3 to 128 of a-z A-Z 0-9 . _ -, first and last a letter or digit. */
  readonly collection: string;
  /** Everything that is kept lies below this folder. */
  readonly dataDir: string;
  /** "auto": a server started here, or memory where its binary cannot load. "off": memory. Else a server's URL. */
  readonly chroma?: "auto" | "off" | (string & {});
  /** Default: the lexical one. A collection keeps the embedder that it was made with. */
  readonly embedder?: Embedder;
  readonly exactLimit?: number;
  readonly start?: StartOptions;
}

const COLLECTION = /^[A-Za-z0-9][A-Za-z0-9._-]{1,126}[A-Za-z0-9]$/;

/** Close the store to stop a server that was started for it. */
export async function openPassageStore(options: OpenStoreOptions): Promise<PassageStore> {
  const { collection, dataDir, chroma = "auto", embedder = createLexicalEmbedder(), exactLimit, start } = options;
  if (!COLLECTION.test(collection)) {
    throw new Error(
      `collection "${collection}": expected 3 to 128 letters, digits, ".", "_" or "-", with a letter or digit at both ends`,
    );
  }
  if (chroma === "off") return openInMemory(options, embedder);
  const shared = { collection, embedder, exactLimit };
  if (chroma !== "auto") {
    return openChromaStore({ ...shared, records: recordsOf(options, chroma), connect: () => reach(chroma) });
  }
  try {
    const connect = async () => ({ ...(await acquireChromaServer(dataDir, start)), ssl: false });
    return await openChromaStore({ ...shared, records: recordsOf(options, "chroma"), connect });
  } catch (error) {
    if (!(error instanceof ChromaStartError)) throw error;
    return openInMemory(
      options,
      embedder,
      `${error.message}. Passages are kept in this process and in a file instead.`,
    );
  }
}

function openInMemory(options: OpenStoreOptions, embedder: Embedder, notice?: string): Promise<PassageStore> {
  const file = join(options.dataDir, "in-process", `${options.collection}.jsonl`);
  const records = recordsOf(options, "in-process");
  const { exactLimit } = options;
  return openInProcessStore({ embedder, version: packageVersion(), file, records, notice, exactLimit });
}

/** Each place that holds passages has records of its own: what one of them holds says nothing about another. */
function recordsOf({ dataDir, collection }: OpenStoreOptions, place: string): IngestRecords {
  const name = place.includes(":") ? createHash("sha256").update(place).digest("hex").slice(0, 16) : place;
  return fileRecords(join(dataDir, "ingested", name, collection));
}

async function reach(address: string): Promise<ChromaAddress> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol) || url.pathname !== "/") {
    throw new Error(`chroma "${address}": expected "auto", "off" or a URL such as http://127.0.0.1:8000`);
  }
  const answer = await probe(url.href);
  if (typeof answer !== "object") {
    throw new Error(
      `no Chroma server answers at ${url.href}: start it, or leave the address out to use the built-in one`,
    );
  }
  const ssl = url.protocol === "https:";
  const port = url.port === "" ? (ssl ? 443 : 80) : Number(url.port);
  return { host: url.hostname, port, ssl, version: answer.version, release: async () => undefined };
}

function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest ? String(manifest.version) : "0";
}
