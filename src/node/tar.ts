/** Reads tar archives (POSIX.1-1988 ustar with GNU's and POSIX.1-2001's long names) as a stream. */

export class TarError extends Error {
  override readonly name = "TarError";
  readonly code = "TAR";
}

export interface TarFile {
  /** Path as it is in the archive. */
  readonly path: string;
  readonly mode: number;
  readonly bytes: Uint8Array;
}

const BLOCK = 512;
/** No name or extended header is longer. */
const MAX_HEADER_DATA = 1 << 20;

/**
 * The regular files of an archive that `wanted` picks, in order.
 *
 * @throws TarError where the archive is damaged or ends early
 */
export async function* readTar(
  stream: AsyncIterable<Uint8Array>,
  wanted: (path: string) => boolean,
): AsyncGenerator<TarFile> {
  const input = new ByteStream(stream);
  let longName: string | null = null;
  for (;;) {
    const header = await input.take(BLOCK);
    if (header === null || header.every((byte) => byte === 0)) return;
    if (octal(header, 148, 8) !== checksum(header)) throw new TarError("the archive has a damaged header");
    const size = octal(header, 124, 12);
    const padded = Math.ceil(size / BLOCK) * BLOCK;
    const type = String.fromCharCode(header[156]);
    if (type === "L" || type === "x") {
      if (size > MAX_HEADER_DATA) throw new TarError("the archive has a header that is too long");
      const text = decode(need(await input.take(padded)).subarray(0, size));
      if (type === "L") longName = text.replace(/\0.*$/s, "");
      else longName = /^\d+ path=(.*)$/m.exec(text)?.[1] ?? longName;
      continue;
    }
    const prefix = string(header, 345, 155);
    const path = longName ?? (prefix ? `${prefix}/` : "") + string(header, 0, 100);
    longName = null;
    if ((type === "0" || type === "\0") && wanted(path)) {
      const bytes = need(await input.take(padded)).subarray(0, size);
      yield { path, mode: octal(header, 100, 8), bytes };
    } else {
      await input.skip(padded);
    }
  }
}

function need(bytes: Uint8Array | null): Uint8Array {
  if (bytes === null) throw new TarError("the archive ends early");
  return bytes;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function string(header: Uint8Array, offset: number, length: number): string {
  return decode(header.subarray(offset, offset + length)).replace(/\0.*$/s, "");
}

function octal(header: Uint8Array, offset: number, length: number): number {
  const text = string(header, offset, length).trim();
  if (!/^[0-7]*$/.test(text)) throw new TarError("the archive has a number that is not octal");
  return Number.parseInt(text || "0", 8);
}

/** Sum of the header's bytes with the checksum field as blanks. */
function checksum(header: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index < BLOCK; index++) sum += index >= 148 && index < 156 ? 0x20 : header[index];
  return sum;
}

class ByteStream {
  private readonly source: AsyncIterator<Uint8Array>;
  private chunks: Uint8Array[] = [];
  private available = 0;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.source = stream[Symbol.asyncIterator]();
  }

  /** Exactly `size` bytes, or null at the end. */
  async take(size: number): Promise<Uint8Array | null> {
    if (!(await this.fill(size))) {
      if (this.available > 0) throw new TarError("the archive ends early");
      return null;
    }
    const result = new Uint8Array(size);
    let at = 0;
    while (at < size) {
      const part = this.chunks[0].subarray(0, size - at);
      result.set(part, at);
      at += part.length;
      this.drop(part.length);
    }
    return result;
  }

  async skip(size: number): Promise<void> {
    let left = size;
    while (left > 0) {
      if (!(await this.fill(1))) throw new TarError("the archive ends early");
      const part = Math.min(left, this.chunks[0].length);
      this.drop(part);
      left -= part;
    }
  }

  private drop(size: number): void {
    const first = this.chunks[0];
    if (size === first.length) this.chunks.shift();
    else this.chunks[0] = first.subarray(size);
    this.available -= size;
  }

  private async fill(size: number): Promise<boolean> {
    while (this.available < size) {
      const { value, done } = await this.source.next();
      if (done) return false;
      if (value.length === 0) continue;
      this.chunks.push(value);
      this.available += value.length;
    }
    return true;
  }
}
