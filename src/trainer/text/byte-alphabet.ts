/** @file The characters that byte-level BPE writes bytes with: those that print stand for themselves, the others are counted from U+0100 on. */

/** GPT-2's alphabet: the character of each byte. */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters();
const BYTES: ReadonlyMap<string, number> = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]));

function byteCharacters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const prints = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(prints ? byte : next++);
  });
}

/** The bytes of a token as the vocabulary spells it; a character outside the alphabet is 0, as the decoder has it. */
export function bytesOfToken(token: string): Uint8Array {
  return Uint8Array.from(token, (character) => BYTES.get(character) ?? 0);
}
