/** @file Pages of prompts that were read before, found again by everything that stands before their end. */
import { createHash } from "node:crypto";
import type { Page } from "./kv-cache.js";

/** Memory for pages that may be wanted again. */
const DEFAULT_BYTES = 256 * 2 ** 20;

/** Name of a page: its own tokens and all before them. */
export type PageKey = string;

export const pageKey = (before: PageKey, ids: Int32Array): PageKey =>
  createHash("sha256")
    .update(before)
    .update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength))
    .digest("base64");

/** Keeps the pages that were used last. Names must tell sets of weights apart. */
export class PrefixCache {
  private readonly pages = new Map<PageKey, Page>();
  private bytes = 0;

  constructor(private readonly limit = DEFAULT_BYTES) {}

  has(key: PageKey): boolean {
    return this.pages.has(key);
  }

  get(key: PageKey): Page | undefined {
    const page = this.pages.get(key);
    if (page === undefined) return undefined;
    this.pages.delete(key);
    this.pages.set(key, page); // a Map keeps the order in which keys were set: the oldest comes first
    return page;
  }

  put(key: PageKey, page: Page): void {
    if (this.pages.has(key) || sizeOf(page) > this.limit) return;
    this.pages.set(key, page);
    this.bytes += sizeOf(page);
    for (const [oldest, old] of this.pages) {
      if (this.bytes <= this.limit) break;
      this.pages.delete(oldest);
      this.bytes -= sizeOf(old);
    }
  }
}

const sizeOf = ({ tensors }: Page): number => tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
