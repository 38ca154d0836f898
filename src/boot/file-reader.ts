import { BootFileError } from "./boot-file-error.js";

/** A file to boot from, read completely. */
export interface BootFile {
  /** Its name as the user gave it, for messages. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Little-endian reads from a boot file; what lies outside of it is a {@link BootFileError}. */
export class FileReader {
  readonly name: string;
  readonly bytes: Uint8Array;
  private readonly data: DataView;

  constructor(file: BootFile) {
    this.name = file.name;
    this.bytes = file.bytes;
    this.data = new DataView(file.bytes.buffer, file.bytes.byteOffset, file.bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  /** @throws BootFileError always: `problem` is what is wrong with the file */
  fail(problem: string): never {
    throw new BootFileError(this.name, problem);
  }

  /** Checks that `size` bytes at `offset` are in the file; `what` names them in the message. */
  need(offset: number, size: number, what: string): void {
    if (!(offset >= 0 && size >= 0 && offset + size <= this.bytes.length)) {
      this.fail(
        `${what} (${size} bytes at offset ${offset}) is not inside the file of ${this.bytes.length} bytes: truncated?`,
      );
    }
  }

  u8(offset: number, what: string): number {
    this.need(offset, 1, what);
    return this.data.getUint8(offset);
  }

  u16(offset: number, what: string): number {
    this.need(offset, 2, what);
    return this.data.getUint16(offset, true);
  }

  u32(offset: number, what: string): number {
    this.need(offset, 4, what);
    return this.data.getUint32(offset, true);
  }

  /** A 64-bit value that must be an exact number (below 2^53): addresses, offsets and sizes. */
  u64(offset: number, what: string): number {
    this.need(offset, 8, what);
    const value = this.data.getBigUint64(offset, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) this.fail(`${what} is out of range: 0x${value.toString(16)}`);
    return Number(value);
  }

  /** A 64-bit value of any size: virtual addresses. */
  u64big(offset: number, what: string): bigint {
    this.need(offset, 8, what);
    return this.data.getBigUint64(offset, true);
  }

  slice(offset: number, size: number, what: string): Uint8Array {
    this.need(offset, size, what);
    return this.bytes.subarray(offset, offset + size);
  }
}
