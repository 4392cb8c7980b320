/** @file Tokens to text as they come: never half a character, and in the end what decoding all of them at once gives. */
import type { TokenPieces } from "./token-pieces.js";
import type { Tokenizer } from "./tokenizer.js";

export interface TokenStream {
  /** The text that is certain now, beyond what was returned before. */
  push(ids: ArrayLike<number>): string;
  /** The rest: characters whose bytes never came are U+FFFD. The stream may not be used afterwards. */
  finish(): string;
}

/** All pieces joined are `tokenizer.decode` of all ids. The work grows with the number of ids, not with its square. */
export function createTokenStream(tokenizer: Pick<Tokenizer, "decode" | "pieces">): TokenStream {
  const { pieces } = tokenizer;
  return pieces === undefined ? windowStream(tokenizer) : pieceStream(pieces);
}

function pieceStream(pieces: TokenPieces): TokenStream {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let held = new Uint8Array(0);
  let runStarts = true;
  const decode = (bytes: Uint8Array): string => {
    if (bytes.length === 0) return "";
    const text = decoder.decode(bytes);
    const drop = runStarts && pieces.dropsByteOrderMark && text.startsWith("\uFEFF");
    runStarts = false;
    return drop ? text.slice(1) : text;
  };
  const endRun = (): string => {
    const text = decode(held);
    held = new Uint8Array(0);
    runStarts = true;
    return text;
  };
  const pushOne = (id: number): string => {
    const piece = pieces.of(id);
    if (piece.kind === "text") return endRun() + piece.text;
    const bytes = Uint8Array.from([...held, ...piece.bytes]);
    const end = bytes.length - unfinishedBytes(bytes);
    held = bytes.slice(end);
    return decode(bytes.subarray(0, end));
  };
  return { push: (ids) => Array.from(ids, pushOne).join(""), finish: endRun };
}

/**
 * Length of a character's beginning at the end of `bytes` that further bytes may complete (Unicode 15, table 3-7): what a
 * decoder would replace by one U+FFFD if nothing followed.
 */
export function unfinishedBytes(bytes: Uint8Array): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const lead = bytes[bytes.length - length] as number;
    if ((lead & 0xc0) === 0x80) continue;
    const expected =
      lead >= 0xf0 && lead <= 0xf4 ? 4 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xc2 && lead < 0xe0 ? 2 : 1;
    if (expected <= length) return 0;
    return length === 1 || secondFits(lead, bytes[bytes.length - length + 1] as number) ? length : 0;
  }
  return 0;
}

/** Overlong forms, surrogates and what lies beyond U+10FFFF are excluded by the second byte. */
function secondFits(lead: number, second: number): boolean {
  if (lead === 0xe0) return second >= 0xa0;
  if (lead === 0xed) return second < 0xa0;
  if (lead === 0xf0) return second >= 0x90;
  if (lead === 0xf4) return second < 0x90;
  return true;
}

/** For decoders that treat the first token in a way of its own: each token is decoded behind the one before it. */
function windowStream({ decode }: Pick<Tokenizer, "decode">): TokenStream {
  let last: number | undefined;
  const pushOne = (id: number): string => {
    const before = last;
    last = id;
    return before === undefined ? decode([id]) : decode([before, id]).slice(decode([before]).length);
  };
  return { push: (ids) => Array.from(ids, pushOne).join(""), finish: () => "" };
}
