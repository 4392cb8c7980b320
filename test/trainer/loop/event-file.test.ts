/** @file TensorBoard's files: checksums by published vectors, records by their bytes. */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { crc32c, maskedCrc32c } from "../../../src/trainer/loop/crc32c.js";
import { openEventFile, record } from "../../../src/trainer/loop/event-file.js";
import { inTempDir } from "./loop-support.js";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("crc32c", () => {
  // RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
  it.each<[string, Uint8Array, number]>([
    ["32 zeros", new Uint8Array(32), 0x8a9136aa],
    ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ["ascending bytes", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ["descending bytes", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    ["123456789", ascii("123456789"), 0xe3069283],
  ])("of %s is the published one", (_name, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  it("is masked by a rotation and a constant", () => {
    // 0xe3069283 rotated right by 15 is 0x2507c60d.
    expect(maskedCrc32c(ascii("123456789"))).toBe((0x2507c60d + 0xa282ead8) >>> 0);
  });
});

describe("an event file", () => {
  it("holds records that their own checksums confirm", async () => {
    await inTempDir(async (directory) => {
      const file = await openEventFile(directory, 3, () => 1_700_000_000_000);
      await file.scalars(4, { "train/loss": 0.5, "train/epoch": 1 });
      expect(file.path).toMatch(/events\.out\.tfevents\.1700000000\./);
      const bytes = new Uint8Array(await readFile(file.path));
      const texts: string[] = [];
      let at = 0;
      while (at < bytes.length) {
        const view = new DataView(bytes.buffer, bytes.byteOffset + at);
        const length = Number(view.getBigUint64(0, true));
        const data = bytes.slice(at + 12, at + 12 + length);
        expect(view.getUint32(8, true)).toBe(maskedCrc32c(bytes.slice(at, at + 8)));
        expect(view.getUint32(12 + length, true)).toBe(maskedCrc32c(data));
        expect(record(data)).toEqual(bytes.slice(at, at + 16 + length));
        texts.push(String.fromCharCode(...data));
        at += 16 + length;
      }
      expect(texts).toHaveLength(3);
      expect(texts[0]).toContain("brain.Event:2");
      expect(texts[2]).toContain("train/loss");
    });
  });
});
