import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32c } from "./crc32c.js";
import { SavedMachineError } from "./saved-machine-error.js";
import { MAX_SECTION, readSections, SectionWriter } from "./sections.js";
import { MemoryFile } from "./testing/memory-file.js";

const text = (value: string) => new TextEncoder().encode(value);

async function write(sections: [string, Uint8Array][], compress = true): Promise<MemoryFile> {
  const file = new MemoryFile();
  const writer = new SectionWriter(file, compress);
  await writer.begin();
  for (const [kind, payload] of sections) await writer.write(kind, payload);
  await writer.end();
  return file;
}

async function read(file: MemoryFile): Promise<[string, Uint8Array][]> {
  const found: [string, Uint8Array][] = [];
  for await (const { kind, payload } of readSections(file)) found.push([kind, payload]);
  return found;
}

const refused = (code: string) => (error: unknown) => error instanceof SavedMachineError && error.code === code;

test("CRC-32C: the check value of the polynomial, and parts in a row", () => {
  assert.equal(crc32c(text("123456789")), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa, "RFC 3720 B.4: 32 bytes of zero");
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43, "RFC 3720 B.4: 32 bytes of ones");
  assert.equal(crc32c(text("56789"), crc32c(text("1234"))), 0xe3069283);
});

test("sections come back as they were written, compressed or not", async () => {
  const sections: [string, Uint8Array][] = [
    ["AAAA", new Uint8Array(0)],
    ["BBBB", Uint8Array.from({ length: 100_000 }, (_, index) => index >> 8)],
    ["CCCC", Uint8Array.from({ length: 3000 }, (_, index) => Math.imul(index, 0x9e3779b1) >>> 24)],
    ["DDDD", new Uint8Array(MAX_SECTION).fill(7)],
  ];
  for (const compress of [true, false]) {
    const file = await write(sections, compress);
    assert.deepEqual(await read(file), sections);
    assert.equal(file.size < 120_000, compress);
  }
});

test("a file that ends early says so, wherever it ends", async () => {
  const { bytes } = await write([
    ["AAAA", text("some")],
    ["BBBB", new Uint8Array(2000)],
  ]);
  for (let length = 0; length < bytes.length; length++) {
    await assert.rejects(
      read(new MemoryFile(bytes.slice(0, length))),
      refused(length === 0 ? "SAVED_FORMAT" : "SAVED_TRUNCATED"),
    );
  }
  await assert.rejects(read(new MemoryFile(Uint8Array.of(...bytes, 0))), refused("SAVED_CONTENT"));
});

test("each flipped bit is found", async () => {
  const { bytes } = await write([
    ["AAAA", text("some")],
    ["BBBB", new Uint8Array(2000)],
  ]);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const copy = bytes.slice();
    copy[bit >> 3] ^= 1 << (bit & 7);
    await assert.rejects(read(new MemoryFile(copy)), SavedMachineError, `bit ${bit}`);
  }
});

test("what is no saved machine, or a later version's, is told apart from damage", async () => {
  await assert.rejects(read(new MemoryFile(text("#!/bin/sh\nexit 1\n"))), refused("SAVED_FORMAT"));
  const { bytes } = await write([]);
  bytes[8] = 2;
  await assert.rejects(read(new MemoryFile(bytes)), refused("SAVED_VERSION"));
});

test("a length that no writer makes is neither read nor allocated", async () => {
  const file = await write([["AAAA", text("some")]]);
  const view = new DataView(file.bytes.buffer);
  for (const field of [20, 24]) {
    const old = view.getUint32(field, true);
    view.setUint32(field, 0xffff_fff0, true);
    await assert.rejects(read(file), refused("SAVED_CHECKSUM"));
    view.setUint32(field, old, true);
  }
  assert.ok(file.largestRead <= MAX_SECTION);
});

test("compressed data that makes more or fewer bytes than it says is refused", async () => {
  for (const claimed of [1, 99_999, 100_001, MAX_SECTION]) {
    const { bytes } = await write([["AAAA", new Uint8Array(100_000)]]);
    const view = new DataView(bytes.buffer);
    view.setUint32(24, claimed, true);
    const stored = view.getUint32(20, true);
    view.setUint32(32, crc32c(bytes.subarray(36, 36 + stored), crc32c(bytes.subarray(16, 32))), true);
    await assert.rejects(read(new MemoryFile(bytes)), refused("SAVED_CONTENT"));
  }
});
