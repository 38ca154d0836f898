/**
 * Zstandard (RFC 8878), by the fzstd package. It does not verify checksums, and it fills the buffer that it
 * is given without saying how far: the size must be known from outside.
 */
import { decompress } from "fzstd";
import { DecompressError } from "./output.js";

/**
 * @param size the exact size of the output, known from outside: `input` may hold one frame only
 * @throws DecompressError
 */
export function zstdDecompress(input: Uint8Array, size: number): Uint8Array {
  let output: Uint8Array;
  try {
    output = decompress(input, new Uint8Array(size));
  } catch (error) {
    throw new DecompressError("the Zstandard data is damaged", { cause: error });
  }
  if (output.length !== size) throw new DecompressError("the Zstandard data is not one frame");
  return output;
}
