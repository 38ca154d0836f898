/** The compressions that Linux offers for its kernel image, told apart by their magic numbers. */
import { bzip2Decompress } from "./bzip2.js";
import { gzipDecompress } from "./gzip.js";
import { lz4Decompress } from "./lz4.js";
import { lzmaDecompress } from "./lzma.js";
import { lzoDecompress } from "./lzo.js";
import { DecompressError } from "./output.js";
import { xzDecompress } from "./xz.js";
import { zstdDecompress } from "./zstd.js";

type Decompressor = (input: Uint8Array, limit: number) => Uint8Array | Promise<Uint8Array>;

interface Format {
  readonly name: string;
  readonly magic: readonly number[];
  readonly decompress: Decompressor;
}

const FORMATS: readonly Format[] = [
  { name: "gzip", magic: [0x1f, 0x8b, 0x08], decompress: gzipDecompress },
  { name: "bzip2", magic: [0x42, 0x5a, 0x68], decompress: bzip2Decompress },
  { name: "LZMA", magic: [0x5d, 0x00, 0x00], decompress: lzmaDecompress },
  { name: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], decompress: xzDecompress },
  { name: "LZO", magic: [0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a], decompress: lzoDecompress },
  { name: "LZ4", magic: [0x02, 0x21, 0x4c, 0x18], decompress: lz4Decompress },
  { name: "Zstandard", magic: [0x28, 0xb5, 0x2f, 0xfd], decompress: zstdDecompress },
];

/** The name of the compression that `bytes` start with, or null. */
export function compressionOf(bytes: Uint8Array): string | null {
  return formatOf(bytes)?.name ?? null;
}

/**
 * Decompresses data of exactly `size` bytes.
 *
 * @throws DecompressError where the format is unknown, the data is damaged or the size is another one
 */
export async function decompress(bytes: Uint8Array, size: number): Promise<Uint8Array> {
  const format = formatOf(bytes);
  if (!format) throw new DecompressError("is in no compression format that Linux uses");
  const output = await format.decompress(bytes, size);
  if (output.length !== size) {
    throw new DecompressError(`decompresses (${format.name}) to ${output.length} bytes instead of ${size}`);
  }
  return output;
}

function formatOf(bytes: Uint8Array): Format | undefined {
  return FORMATS.find((format) => format.magic.every((byte, index) => bytes[index] === byte));
}
