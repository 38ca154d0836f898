/** Compressed data that is damaged, or more than its bound. The loaders turn it into a BootFileError. */
export class DecompressError extends Error {
  override readonly name = "DecompressError";
  readonly code = "DECOMPRESS";
}

/** A byte buffer that grows as data arrives, never beyond `limit`: what a header claims costs nothing yet. */
export class Output {
  bytes: Uint8Array;
  length = 0;

  /**
   * @param limit the most bytes that may be written
   * @param expected a guess of the final size
   */
  constructor(
    readonly limit: number,
    expected: number,
  ) {
    this.bytes = new Uint8Array(Math.min(limit, Math.max(expected, 4096)));
  }

  /** Makes room for `count` more bytes in `bytes`. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    if (needed > this.limit) throw new DecompressError(`decompresses to more than ${this.limit} bytes`);
    const grown = new Uint8Array(Math.min(this.limit, Math.max(needed, this.bytes.length * 2)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  append(chunk: Uint8Array): void {
    this.reserve(chunk.length);
    this.bytes.set(chunk, this.length);
    this.length += chunk.length;
  }

  /** Copies `count` bytes from `distance` bytes back, one after the other as LZ77 wants. `start`: how far back it may go. */
  copyBack(distance: number, count: number, start: number): void {
    if (distance <= 0 || distance > this.length - start) throw new DecompressError("a match points before the data");
    this.reserve(count);
    const bytes = this.bytes;
    let to = this.length;
    // Most matches are short: a call of copyWithin would take longer than the copy.
    if (distance >= count && count >= 32) {
      bytes.copyWithin(to, to - distance, to - distance + count);
    } else {
      for (const end = to + count; to < end; to++) bytes[to] = bytes[to - distance];
    }
    this.length += count;
  }

  result(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}
