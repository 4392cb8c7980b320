/** @file Small operations on token ids. */
import type { Tokenizer } from "./tokenizer.js";

/** All parts, one after the other. */
export function concatIds(...parts: readonly ArrayLike<number>[]): Int32Array {
  const out = new Int32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** BOS in front where the model has one and the template did not write it. */
export function withBos(ids: Int32Array, tokenizer: Tokenizer): Int32Array {
  const { bosTokenId } = tokenizer;
  return bosTokenId === undefined || ids[0] === bosTokenId ? ids : concatIds([bosTokenId], ids);
}
