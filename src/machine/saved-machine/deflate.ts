/** Raw DEFLATE (RFC 1951) of one section, through the host's streams. */

/** Compresses; never more than a little longer than the input. */
export async function deflate(bytes: Uint8Array): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  await pump(new CompressionStream("deflate-raw"), bytes, (part) => {
    parts.push(part);
    length += part.length;
    return true;
  });
  const result = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/**
 * Decompresses to exactly `length` bytes.
 *
 * @returns null where the data is damaged, or decompresses to another length; no more than `length` bytes are kept
 */
export async function inflate(bytes: Uint8Array, length: number): Promise<Uint8Array | null> {
  const result = new Uint8Array(length);
  let at = 0;
  try {
    await pump(new DecompressionStream("deflate-raw"), bytes, (part) => {
      if (part.length > length - at) return false;
      result.set(part, at);
      at += part.length;
      return true;
    });
  } catch {
    return null;
  }
  return at === length ? result : null;
}

interface ByteTransform {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<BufferSource>;
}

/** @param take false ends it with an error */
async function pump(stream: ByteTransform, bytes: Uint8Array, take: (part: Uint8Array) => boolean): Promise<void> {
  const writer = stream.writable.getWriter();
  // What goes wrong in writing shows in reading too.
  const written = writer
    .write(bytes as Uint8Array<ArrayBuffer>)
    .then(() => writer.close())
    .catch(() => {});
  const reader = stream.readable.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (!take(value)) {
      await reader.cancel().catch(() => {});
      throw new RangeError("more than was expected");
    }
  }
  await written;
}
