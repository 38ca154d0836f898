/**
 * lzop files with LZO1X data, as the kernel's build makes them with `lzop -9`.
 * Format: lzop's header, then blocks with both sizes and checksums; LZO1X as Documentation/staging/lzo.rst
 * in the kernel's sources describes it.
 */
import { DecompressError, Output } from "./output.js";

const MAGIC_BYTES = 9;
const MAX_BLOCK = 8 << 20;
/** lzop header flags. */
const ADLER32_DATA = 0x001;
const ADLER32_COMPRESSED = 0x002;
const HAS_EXTRA_FIELD = 0x040;
const CRC32_DATA = 0x100;
const CRC32_COMPRESSED = 0x200;
const HAS_FILTER = 0x800;

/** @throws DecompressError */
export function lzoDecompress(input: Uint8Array, limit: number): Uint8Array {
  const data = new DataView(input.buffer, input.byteOffset, input.byteLength);
  let at = MAGIC_BYTES;
  const need = (count: number) => {
    if (at + count > input.length) throw new DecompressError("the lzop data ends too early");
  };
  const u8 = () => {
    need(1);
    return data.getUint8(at++);
  };
  const u16 = () => {
    need(2);
    at += 2;
    return data.getUint16(at - 2);
  };
  const u32 = () => {
    need(4);
    at += 4;
    return data.getUint32(at - 4);
  };
  const version = u16();
  u16();
  if (version >= 0x940) u16();
  const method = u8();
  if (method < 1 || method > 3) throw new DecompressError(`uses the unknown lzop method ${method}`);
  if (version >= 0x940) u8();
  const flags = u32();
  if (flags & HAS_FILTER) throw new DecompressError("uses an lzop filter");
  u32();
  u32();
  if (version >= 0x940) u32();
  const nameLength = u8();
  need(nameLength);
  at += nameLength;
  u32();
  if (flags & HAS_EXTRA_FIELD) {
    const extra = u32();
    need(extra + 4);
    at += extra + 4;
  }

  const output = new Output(limit, input.length * 4);
  for (;;) {
    const size = u32();
    if (size === 0) break;
    const compressed = u32();
    if (size > MAX_BLOCK || compressed > size) throw new DecompressError("an lzop block's size is out of range");
    const adler = flags & ADLER32_DATA ? u32() : null;
    if (flags & CRC32_DATA) u32();
    // A block that did not shrink is stored, without checksums of its compressed form.
    if (compressed < size) {
      if (flags & ADLER32_COMPRESSED) u32();
      if (flags & CRC32_COMPRESSED) u32();
    }
    need(compressed);
    const start = output.length;
    if (compressed === size) output.append(input.subarray(at, at + size));
    else lzo1x(input.subarray(at, at + compressed), output, start + size);
    if (output.length - start !== size) throw new DecompressError("an lzop block's size is wrong");
    if (adler !== null && adler !== adler32(output.bytes.subarray(start, output.length))) {
      throw new DecompressError("the lzop data is damaged: its Adler-32 is wrong");
    }
    at += compressed;
  }
  if (at !== input.length) throw new DecompressError("has data behind the lzop file");
  return output.result();
}

function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let at = 0; at < bytes.length; ) {
    for (const end = Math.min(at + 4096, bytes.length); at < end; at++) {
      a += bytes[at];
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return b * 65536 + a;
}

/** Decodes one LZO1X block; `end` is where the output must not go beyond. */
function lzo1x(input: Uint8Array, output: Output, end: number): void {
  const start = output.length;
  let at = 0;
  const next = (): number => {
    if (at >= input.length) throw new DecompressError("an LZO block ends too early");
    return input[at++];
  };
  const literals = (count: number): void => {
    if (at + count > input.length || output.length + count > end)
      throw new DecompressError("LZO literals run over their block");
    output.append(input.subarray(at, at + count));
    at += count;
  };
  const match = (distance: number, count: number): void => {
    if (output.length + count > end) throw new DecompressError("an LZO match runs over its block");
    output.copyBack(distance, count, start);
  };
  /** A length whose bits in the instruction are all zero goes on in bytes: each zero adds 255. */
  const longLength = (base: number): number => {
    let total = base;
    for (;;) {
      const byte = next();
      if (byte !== 0) return total + byte;
      total += 255;
      if (total > MAX_BLOCK) throw new DecompressError("an LZO length is out of range");
    }
  };
  const distance16 = (): { distance: number; trailing: number } => {
    const low = next();
    const high = next();
    return { distance: (low >> 2) | (high << 6), trailing: low & 3 };
  };

  /** Literals copied by the last instruction: 0, 1-3, or 4 for more. */
  let state = 0;
  if (input.length > 0 && input[0] > 17) {
    const count = next() - 17;
    literals(count);
    state = Math.min(count, 4);
  }
  for (;;) {
    const code = next();
    let trailing: number;
    if (code < 16 && state === 0) {
      literals(3 + (code === 0 ? longLength(15) : code));
      state = 4;
      continue;
    }
    if (code < 16) {
      const far = state === 4;
      match((code >> 2) + (next() << 2) + (far ? 2049 : 1), far ? 3 : 2);
      trailing = code & 3;
    } else if (code < 32) {
      const length = 2 + ((code & 7) === 0 ? longLength(7) : code & 7);
      const low = distance16();
      const distance = ((code & 8) << 11) + low.distance;
      if (distance === 0) {
        if (at !== input.length || length !== 3) throw new DecompressError("an LZO block ends wrongly");
        return;
      }
      match(distance + 16384, length);
      trailing = low.trailing;
    } else if (code < 64) {
      const length = 2 + ((code & 31) === 0 ? longLength(31) : code & 31);
      const low = distance16();
      match(low.distance + 1, length);
      trailing = low.trailing;
    } else {
      const length = code < 128 ? 3 + ((code >> 5) & 1) : 5 + ((code >> 5) & 3);
      match(((code >> 2) & 7) + (next() << 3) + 1, length);
      trailing = code & 3;
    }
    literals(trailing);
    state = trailing;
  }
}
