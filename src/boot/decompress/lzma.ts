/** The .lzma container ("LZMA alone"): properties, dictionary size, uncompressed size, one LZMA stream. */
import { LzmaDecoder } from "./lzma-decoder.js";
import { DecompressError, Output } from "./output.js";

const HEADER_BYTES = 13;

/** @throws DecompressError */
export function lzmaDecompress(input: Uint8Array, limit: number): Uint8Array {
  if (input.length < HEADER_BYTES) throw new DecompressError("ends inside the LZMA header");
  const size = new DataView(input.buffer, input.byteOffset).getBigUint64(5, true);
  const known = size !== 0xffffffffffffffffn;
  if (known && size > BigInt(limit)) throw new DecompressError(`decompresses to more than ${limit} bytes`);
  const output = new Output(limit, Math.min(known ? Number(size) : limit, input.length * 8));
  const decoder = new LzmaDecoder(output);
  decoder.setProperties(input[0]);
  decoder.resetState();
  decoder.start(input, HEADER_BYTES, input.length);
  // Without a size, one byte more than the limit is asked for, so that the end marker must come first.
  const ended = decoder.decode(known ? Number(size) : limit + 1, !known);
  if (!known && !ended) throw new DecompressError("the LZMA data has no end");
  return output.result();
}
