/** @file What one token adds to a text, for decoders whose text is that of their tokens one after the other. */
import { bytesOfToken } from "./byte-alphabet.js";

/** Bytes join those of the tokens beside them before they become characters; text stands for itself. */
export type TokenPiece =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "text"; readonly text: string };

export interface TokenPieces {
  of(id: number): TokenPiece;
  /** A byte order mark at the start of a run of bytes is left out. */
  readonly dropsByteOrderMark: boolean;
}

export interface PieceSource {
  /** As the vocabulary spells it, or what stands for ids outside it. */
  readonly token: (id: number) => string | undefined;
  /** Text of one token by itself. */
  readonly decode: (id: number) => string;
  /** `decoder` of tokenizer.json. */
  readonly decoder: unknown;
  readonly addedTokens: ReadonlySet<string>;
}

const NO_BYTES: TokenPiece = { kind: "bytes", bytes: new Uint8Array(0) };

/** Undefined for a decoder that is not known to work token by token. */
export function tokenPieces({ token, decode, decoder, addedTokens }: PieceSource): TokenPieces | undefined {
  const types = decoderTypes(decoder);
  if (types.join() === "ByteLevel") {
    const of = (id: number): TokenPiece => {
      const spelt = token(id);
      if (spelt === undefined) return NO_BYTES;
      return addedTokens.has(spelt) ? { kind: "text", text: spelt } : { kind: "bytes", bytes: bytesOfToken(spelt) };
    };
    return { of, dropsByteOrderMark: false };
  }
  if (types.includes("ByteFallback") && types.every((type) => ["Replace", "ByteFallback", "Fuse"].includes(type))) {
    const of = (id: number): TokenPiece => {
      const hex = /^<0x([0-9A-Fa-f]{2})>$/.exec(token(id) ?? "")?.[1];
      if (hex !== undefined) return { kind: "bytes", bytes: Uint8Array.of(Number.parseInt(hex, 16)) };
      return { kind: "text", text: decode(id) };
    };
    return { of, dropsByteOrderMark: true };
  }
  return undefined;
}

interface DecoderJson {
  readonly type?: unknown;
  readonly decoders?: unknown;
}

/** Types of the decoders in a sequence, nested ones included. */
function decoderTypes(decoder: unknown): string[] {
  if (typeof decoder !== "object" || decoder === null) return [];
  const { type, decoders } = decoder as DecoderJson;
  if (type === "Sequence" && Array.isArray(decoders)) return decoders.flatMap(decoderTypes);
  return typeof type === "string" ? [type] : [];
}
