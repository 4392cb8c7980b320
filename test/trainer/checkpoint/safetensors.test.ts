import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  readSafetensorsHeader,
  readTensorBytes,
  readTensorFloat32,
  type TensorToWrite,
  tensorToWrite,
  writeSafetensors,
} from "../../../src/trainer/checkpoint/safetensors.js";
import { tempDir } from "./temp-dir.js";

/** Bytes of a file with this header text and this much data. */
function fileBytes(header: string, dataLength: number, declared = BigInt(Buffer.byteLength(header))): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(declared);
  return Buffer.concat([length, Buffer.from(header), Buffer.alloc(dataLength)]);
}

const t = (shape: string, offsets: string, dtype = "F32"): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;

// What is wrong, header, data bytes, what the refusal says.
const HOSTILE: [string, string, number, RegExp][] = [
  ["not JSON", `{"a":`, 0, /not JSON/],
  ["an array", `[1]`, 0, /starts with "\["/],
  ["leading white space", ` {}`, 0, /starts with " "/],
  ["an entry that is no object", `{"a":3}`, 0, /tensor a: expected an object, found 3/],
  ["a duplicate name", `{"a":${t("[1]", "[0,4]")},"a":${t("[1]", "[0,4]")}}`, 4, /key "a" occurs twice/],
  [
    "a duplicate name spelt with an escape",
    `{"a":${t("[1]", "[0,4]")},"\\u0061":${t("[1]", "[0,4]")}}`,
    4,
    /occurs twice/,
  ],
  [
    "a duplicate field",
    `{"a":{"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,4]}}`,
    4,
    /key "dtype" occurs twice/,
  ],
  ["an unknown field", `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}`, 4, /unknown field "x"/],
  ["an unknown dtype", `{"a":${t("[1]", "[0,4]", "F3")}}`, 4, /dtype "F3" is none of/],
  ["a dtype from the prototype", `{"a":${t("[1]", "[0,4]", "toString")}}`, 4, /dtype "toString" is none of/],
  ["no dtype", `{"a":{"shape":[1],"data_offsets":[0,4]}}`, 4, /dtype nothing is none of/],
  ["a fractional dim", `{"a":${t("[0.5]", "[0,2]")}}`, 2, /shape \[0\.5\] is not a list/],
  ["a dim written as float", `{"a":${t("[1.0]", "[0,4]")}}`, 4, /number 1\.0: expected a non-negative integer/],
  ["a dim with exponent", `{"a":${t("[1e0]", "[0,4]")}}`, 4, /number 1e0/],
  ["a negative dim", `{"a":${t("[-1,-1]", "[0,4]")}}`, 4, /number -1: expected a non-negative integer/],
  ["a dim beyond 2^53", `{"a":${t("[9007199254740993]", "[0,4]")}}`, 4, /is not a list of non-negative integers/],
  ["a product that overflows", `{"a":${t("[4294967296,4294967296]", "[0,4]")}}`, 4, /too large to address/],
  ["a dim that is a string", `{"a":${t('["1"]', "[0,4]")}}`, 4, /shape \["1"\] is not a list/],
  ["a size unlike dtype x shape", `{"a":${t("[2]", "[0,4]")}}`, 4, /needs 8 bytes, data_offsets give 4/],
  ["begin after end", `{"a":${t("[1]", "[4,0]")}}`, 4, /begin is after end/],
  ["three offsets", `{"a":${t("[1]", "[0,4,8]")}}`, 4, /is not \[begin, end\]/],
  [
    "an overlap",
    `{"a":${t("[2]", "[0,8]")},"b":${t("[1]", "[4,8]")}}`,
    8,
    /tensor b begins at 4 and overlaps the one that ends at 8/,
  ],
  ["a tensor inside another", `{"a":${t("[3]", "[0,12]")},"b":${t("[1]", "[4,8]")}}`, 12, / 1 problem.*overlaps/s],
  ["two tensors on the same bytes", `{"a":${t("[1]", "[0,4]")},"b":${t("[1]", "[0,4]")}}`, 4, /overlaps/],
  [
    "a hole",
    `{"a":${t("[1]", "[0,4]")},"b":${t("[1]", "[8,12]")}}`,
    12,
    /tensor b begins at 8 and leaves a hole from 4/,
  ],
  ["a hole at the start", `{"a":${t("[1]", "[4,8]")}}`, 8, /leaves a hole from 0/],
  ["data after the last tensor", `{"a":${t("[1]", "[0,4]")}}`, 5, /1 bytes after the last tensor/],
  ["data and no tensor", `{}`, 5, /5 bytes after the last tensor/],
  ["truncated data", `{"a":${t("[2]", "[0,8]")}}`, 7, /need 8 bytes of data, the file has 7: it is truncated/],
  ["metadata that is a list", `{"__metadata__":[]}`, 0, /__metadata__: expected an object of strings/],
  ["a number in the metadata", `{"__metadata__":{"a":1}}`, 0, /__metadata__\.a: expected a string, found 1/],
];

describe("a hostile header is refused by name", () => {
  it.each(HOSTILE)("%s", async (_, header, dataLength, message) => {
    const file = join(await tempDir(), "x.safetensors");
    await writeFile(file, fileBytes(header, dataLength));
    await expect(readSafetensorsHeader(file)).rejects.toThrow(message);
    await expect(readSafetensorsHeader(file)).rejects.toThrow(file);
  });

  it.each([
    ["an empty file", Buffer.alloc(0), /it has 0 bytes/],
    ["a header length above the limit", fileBytes("{}", 0, 100_000_001n), /above the limit of 100000000/],
    ["a header length of 2^64 - 1", fileBytes("{}", 0, 2n ** 64n - 1n), /above the limit/],
    ["a header length beyond the file", fileBytes("{}", 0, 3n), /goes beyond the file of 10 bytes/],
    ["a header length of zero", fileBytes("", 0), /starts with ""/],
    ["bytes that are no UTF-8", Buffer.concat([fileBytes("", 0, 2n), Buffer.of(0x7b, 0xff)]), /not UTF-8/],
  ])("%s", async (_, bytes, message) => {
    const file = join(await tempDir(), "x.safetensors");
    await writeFile(file, bytes);
    await expect(readSafetensorsHeader(file)).rejects.toThrow(message);
  });

  it("names all problems at once", async () => {
    const file = join(await tempDir(), "x.safetensors");
    await writeFile(file, fileBytes(`{"a":${t("[2]", "[0,4]")},"b":${t("[1]", "[4,8]", "F3")}}`, 8));
    await expect(readSafetensorsHeader(file)).rejects.toThrow(/2 problem.*tensor a: shape.*tensor b: dtype/s);
  });
});

describe("a sound header is read", () => {
  it("whatever the order of its keys, with empty tensors, scalars and padding", async () => {
    const file = join(await tempDir(), "x.safetensors");
    const header = `{"b":${t("[1]", "[4,8]")},"s":${t("[]", "[0,4]")},"e":${t("[0,3]", "[8,8]")},"__proto__":${t("[1]", "[8,9]", "U8")}}  `;
    await writeFile(file, fileBytes(header, 9));
    const { entries } = await readSafetensorsHeader(file);
    expect(entries.map(({ name }) => name)).toEqual(["s", "b", "e", "__proto__"]);
    expect(entries.map(({ offset }) => offset - 8 - header.length)).toEqual([0, 4, 8, 8]);
  });
});

describe("writing", () => {
  it("gives what was written back, for any names, shapes and bytes", async () => {
    const file = join(await tempDir(), "x.safetensors");
    const width = { F64: 8, I64: 8, F32: 4, I32: 4, F16: 2, BF16: 2, U8: 1, BOOL: 1 } as const;
    const tensor = fc
      .record({
        name: fc.string({ unit: "grapheme" }).filter((name) => name !== "__metadata__"),
        dtype: fc.constantFrom(...(Object.keys(width) as (keyof typeof width)[])),
        shape: fc.array(fc.nat(4), { maxLength: 3 }),
        fill: fc.nat(255),
      })
      .map(({ fill, ...rest }): TensorToWrite => {
        const length = rest.shape.reduce((a, b) => a * b, width[rest.dtype]);
        return { ...rest, data: new Uint8Array(length).map((_, i) => fill + i) };
      });
    const lists = fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 6 });
    const metadata = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 });
    await fc.assert(
      fc.asyncProperty(lists, metadata, async (tensors, meta) => {
        await writeSafetensors(file, tensors, meta);
        const read = await readSafetensorsHeader(file);
        expect({ ...read.metadata }).toEqual({ ...meta });
        expect(read.entries.length).toBe(tensors.length);
        for (const { name, dtype, shape, data } of tensors) {
          const entry = read.entries.find((candidate) => candidate.name === name)!;
          expect({ dtype: entry.dtype, shape: entry.shape }).toEqual({ dtype, shape });
          expect(entry.offset % width[dtype]).toBe(0);
          expect(Buffer.from(await readTensorBytes(entry)).equals(Buffer.from(data))).toBe(true);
        }
      }),
      { seed: 2, numRuns: 100 },
    );
  });

  it("gives the same bytes whatever the order of tensors and metadata", async () => {
    const dir = await tempDir();
    const a = tensorToWrite("a", [2], Float32Array.of(1, 2), "F16");
    const b = tensorToWrite("b", [1], Float32Array.of(3), "F32");
    await writeSafetensors(join(dir, "1"), [a, b], { x: "1", y: "2" });
    await writeSafetensors(join(dir, "2"), [b, a], { y: "2", x: "1" });
    expect(await readFile(join(dir, "1"))).toEqual(await readFile(join(dir, "2")));
    expect((await readFile(join(dir, "1"))).readBigUInt64LE() % 8n).toBe(0n);
  });

  it.each(["F32", "F16", "BF16"] as const)("%s values come back as float32", async (dtype) => {
    const file = join(await tempDir(), "x.safetensors");
    const values = Float32Array.of(1, -0.5, 0, 96);
    await writeSafetensors(file, [tensorToWrite("w", [2, 2], values, dtype)]);
    const { entries } = await readSafetensorsHeader(file);
    expect(await readTensorFloat32(entries[0]!)).toEqual(values);
  });

  it("of a tensor with the wrong length throws and leaves no file", async () => {
    const dir = await tempDir();
    const bad = tensorToWrite("w", [3], Float32Array.of(1), "F32");
    await expect(writeSafetensors(join(dir, "x"), [bad])).rejects.toThrow(/w: \[3\] of F32 needs 12 bytes, given 4/);
    expect(await readdir(dir)).toEqual([]);
  });
});
