/** gzip (RFC 1952), through the host's DecompressionStream. */
import { DecompressError, Output } from "./output.js";

/** @throws DecompressError */
export async function gzipDecompress(input: Uint8Array, limit: number): Promise<Uint8Array> {
  const output = new Output(limit, input.length * 4);
  const stream = new DecompressionStream("gzip");
  const writer = stream.writable.getWriter();
  // What goes wrong in writing shows in reading too.
  const written = writer
    .write(input as Uint8Array<ArrayBuffer>)
    .then(() => writer.close())
    .catch(() => {});
  const reader = stream.readable.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      output.append(value);
    }
  } catch (error) {
    await reader.cancel().catch(() => {});
    if (error instanceof DecompressError) throw error;
    throw new DecompressError("the gzip data is damaged", { cause: error });
  }
  await written;
  return output.result();
}
