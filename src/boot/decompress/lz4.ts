/**
 * LZ4's legacy frame, which Linux uses for kernels: the magic 0x184c2102, then blocks of at most 8 MiB
 * of output, each with its compressed size before it. A block cannot refer to the one before.
 * LZ4 block and frame format descriptions 1.6.
 */
import { DecompressError, Output } from "./output.js";

const LEGACY_MAGIC = 0x184c2102;
const BLOCK_OUTPUT = 8 << 20;

/** @throws DecompressError */
export function lz4Decompress(input: Uint8Array, limit: number): Uint8Array {
  const data = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const output = new Output(limit, input.length * 4);
  let position = 0;
  while (position < input.length) {
    if (position + 4 > input.length) throw new DecompressError("ends inside a block's size");
    const size = data.getUint32(position, true);
    position += 4;
    if (size === LEGACY_MAGIC) continue;
    if (position === 4) throw new DecompressError("does not start with LZ4's legacy magic");
    if (size === 0 || position + size > input.length) throw new DecompressError("a block's size is out of range");
    decodeBlock(input, position, position + size, output);
    position += size;
  }
  return output.result();
}

function decodeBlock(input: Uint8Array, from: number, end: number, output: Output): void {
  const start = output.length;
  let position = from;
  const length = (nibble: number): number => {
    let total = nibble;
    if (nibble !== 15) return total;
    for (;;) {
      if (position >= end) throw new DecompressError("ends inside a length");
      const byte = input[position++];
      total += byte;
      if (total > BLOCK_OUTPUT) throw new DecompressError("a length is more than a block can hold");
      if (byte !== 255) return total;
    }
  };
  for (;;) {
    if (position >= end) throw new DecompressError("a block ends before its last literals");
    const token = input[position++];
    const literals = length(token >> 4);
    if (position + literals > end) throw new DecompressError("literals run over the end of their block");
    output.reserve(literals);
    if (literals <= 16) {
      const bytes = output.bytes;
      for (let i = 0; i < literals; i++) bytes[output.length + i] = input[position + i];
    } else {
      output.bytes.set(input.subarray(position, position + literals), output.length);
    }
    output.length += literals;
    position += literals;
    if (position === end) break;
    if (position + 2 > end) throw new DecompressError("ends inside a match");
    const distance = input[position] | (input[position + 1] << 8);
    position += 2;
    const count = length(token & 15) + 4;
    output.copyBack(distance, count, start);
    if (output.length - start > BLOCK_OUTPUT) throw new DecompressError("a block is longer than 8 MiB");
  }
}
