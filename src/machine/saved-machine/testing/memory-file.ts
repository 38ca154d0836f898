import type { SavedMachineSink, SavedMachineSource } from "../sections.js";

/** A file in memory, for tests. */
export class MemoryFile implements SavedMachineSink, SavedMachineSource {
  bytes: Uint8Array;
  /** The most bytes that were asked for at once. */
  largestRead = 0;

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.bytes = bytes;
  }

  get size(): number {
    return this.bytes.length;
  }

  async write(bytes: Uint8Array): Promise<void> {
    const joined = new Uint8Array(this.bytes.length + bytes.length);
    joined.set(this.bytes);
    joined.set(bytes, this.bytes.length);
    this.bytes = joined;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    this.largestRead = Math.max(this.largestRead, length);
    return this.bytes.slice(offset, offset + length);
  }
}
