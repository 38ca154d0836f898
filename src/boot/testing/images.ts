/** Small images of every kind that the loaders take, for their tests. */
import { GuestMemory } from "../../guest-memory/guest-memory.js";
import type { BootTarget } from "../boot-image.js";
import { E820_RAM } from "../e820.js";
import type { BootFile } from "../file-reader.js";

export interface ElfSegmentSource {
  physical: number;
  bytes: Uint8Array;
  memorySize?: number;
}

export interface ElfNoteSource {
  name: string;
  type: number;
  description: Uint8Array;
}

/** An executable with the given segments and notes. */
export function makeElf(
  bits: 32 | 64,
  entry: number,
  segments: ElfSegmentSource[],
  notes: ElfNoteSource[] = [],
): Uint8Array {
  const headerSize = bits === 64 ? 64 : 52;
  const entrySize = bits === 64 ? 56 : 32;
  const noteBytes = concat(notes.map(encodeNote));
  const count = segments.length + (notes.length > 0 ? 1 : 0);
  let offset = headerSize + entrySize * count;
  const out = new Uint8Array(offset + segments.reduce((sum, s) => sum + s.bytes.length, 0) + noteBytes.length);
  const data = new DataView(out.buffer);
  out.set([0x7f, 0x45, 0x4c, 0x46, bits === 64 ? 2 : 1, 1, 1]);
  data.setUint16(16, 2, true);
  data.setUint16(18, bits === 64 ? 62 : 3, true);
  data.setUint32(20, 1, true);
  if (bits === 64) {
    data.setBigUint64(24, BigInt(entry), true);
    data.setBigUint64(32, 64n, true);
  } else {
    data.setUint32(24, entry, true);
    data.setUint32(28, headerSize, true);
  }
  const sizes = bits === 64 ? 52 : 40;
  data.setUint16(sizes, headerSize, true);
  data.setUint16(sizes + 2, entrySize, true);
  data.setUint16(sizes + 4, count, true);
  const all = [
    ...segments.map((s) => ({ type: 1, ...s })),
    ...(notes.length > 0 ? [{ type: 4, physical: 0, bytes: noteBytes, memorySize: undefined }] : []),
  ];
  all.forEach((segment, index) => {
    const at = headerSize + index * entrySize;
    const memorySize = segment.memorySize ?? segment.bytes.length;
    data.setUint32(at, segment.type, true);
    if (bits === 64) {
      data.setBigUint64(at + 8, BigInt(offset), true);
      data.setBigUint64(at + 16, BigInt(segment.physical) + 0xffffffff80000000n, true);
      data.setBigUint64(at + 24, BigInt(segment.physical), true);
      data.setBigUint64(at + 32, BigInt(segment.bytes.length), true);
      data.setBigUint64(at + 40, BigInt(memorySize), true);
    } else {
      data.setUint32(at + 4, offset, true);
      data.setUint32(at + 8, segment.physical, true);
      data.setUint32(at + 12, segment.physical, true);
      data.setUint32(at + 16, segment.bytes.length, true);
      data.setUint32(at + 20, memorySize, true);
    }
    out.set(segment.bytes, offset);
    offset += segment.bytes.length;
  });
  return out;
}

function encodeNote(note: ElfNoteSource): Uint8Array {
  const name = new TextEncoder().encode(`${note.name}\0`);
  const padded = (length: number) => Math.ceil(length / 4) * 4;
  const out = new Uint8Array(12 + padded(name.length) + padded(note.description.length));
  const data = new DataView(out.buffer);
  data.setUint32(0, name.length, true);
  data.setUint32(4, note.description.length, true);
  data.setUint32(8, note.type, true);
  out.set(name, 12);
  out.set(note.description, 12 + padded(name.length));
  return out;
}

/** A bzImage around a compressed payload; `is64` says which entry it declares. */
export function makeBzImage(payload: Uint8Array, options: { is64?: boolean; initSize?: number } = {}): Uint8Array {
  const setupSectors = 2;
  const protectedOffset = (setupSectors + 1) * 512;
  const payloadOffset = 0x400;
  const protectedSize = Math.ceil((payloadOffset + payload.length) / 16) * 16;
  const out = new Uint8Array(protectedOffset + protectedSize);
  const data = new DataView(out.buffer);
  out[0x1f1] = setupSectors;
  data.setUint32(0x1f4, protectedSize / 16, true);
  data.setUint16(0x1fe, 0xaa55, true);
  out.set([0xeb, 0x6a], 0x200);
  out.set(new TextEncoder().encode("HdrS"), 0x202);
  data.setUint16(0x206, 0x020f, true);
  data.setUint16(0x20e, 0x0100, true);
  out.set(new TextEncoder().encode("6.1.0-test (x@y)\0"), 0x300);
  out[0x211] = 1;
  data.setUint32(0x22c, 0x7fffffff, true);
  data.setUint32(0x230, 0x200000, true);
  out[0x234] = 1;
  data.setUint16(0x236, (options.is64 ?? true) ? 1 : 0, true);
  data.setUint32(0x238, 2047, true);
  data.setUint32(0x248, payloadOffset, true);
  data.setUint32(0x24c, payload.length, true);
  data.setBigUint64(0x258, 0x1000000n, true);
  data.setUint32(0x260, options.initSize ?? 0x100000, true);
  out.set(payload, protectedOffset + payloadOffset);
  return out;
}

/** An LZ4 legacy frame of literals only, with the size behind it as the kernel's build appends it. */
export function lz4Payload(bytes: Uint8Array): Uint8Array {
  const lengths: number[] = [];
  let rest = bytes.length - 15;
  while (rest >= 255) {
    lengths.push(255);
    rest -= 255;
  }
  lengths.push(rest);
  const size = new Uint8Array(4);
  new DataView(size.buffer).setUint32(0, bytes.length, true);
  const blockSize = new Uint8Array(4);
  new DataView(blockSize.buffer).setUint32(0, 1 + lengths.length + bytes.length, true);
  return concat([new Uint8Array([0x02, 0x21, 0x4c, 0x18]), blockSize, new Uint8Array([0xf0, ...lengths]), bytes, size]);
}

export function concat(parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function file(name: string, bytes: Uint8Array): BootFile {
  return { name, bytes };
}

/** A machine's memory, without the hole below 1 MiB, as loaders see it. */
export function makeTarget(ramSize: number): BootTarget {
  const memory = new GuestMemory(ramSize);
  memory.setSlots([{ gpa: 0, size: ramSize, offset: memory.bytes.length - ramSize, readonly: false }]);
  const e820 = [
    { base: 0, size: 0x9fc00, type: E820_RAM },
    { base: 0x100000, size: ramSize - 0x100000, type: E820_RAM },
  ];
  return { memory, e820, rsdp: 0xe0000 };
}

/** Deterministic numbers for fuzzing: xorshift32. */
export function random(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
