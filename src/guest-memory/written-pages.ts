/** A bit for each page of a machine's ROM area, video memory and RAM, from ROM_OFFSET on: those that were written. */
import { type GuestMemory, type MemoryListener, PAGE_SIZE, RAM_OFFSET, ROM_OFFSET } from "./guest-memory.js";

/** Notes what is written through {@link GuestMemory} while it is attached; who else writes marks its pages itself. */
export class WrittenPages implements MemoryListener {
  private bits: Uint8Array;

  constructor(private readonly memory: GuestMemory) {
    this.bits = this.blank();
  }

  attach(): void {
    this.memory.addListener(this);
  }

  detach(): void {
    this.memory.removeListener(this);
  }

  /** The pages written since the last call, which count as clean from now on. */
  take(): Uint8Array {
    const bits = this.bits;
    this.bits = this.blank();
    return bits;
  }

  /** Adds the pages of a bitmap whose first bit stands for the page at wasm offset `offset`. */
  merge(offset: number, bitmap: Uint8Array): void {
    const first = (offset - ROM_OFFSET) / PAGE_SIZE;
    for (let index = 0; index < bitmap.length; index++) {
      const byte = bitmap[index]!;
      if (byte === 0) continue;
      for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) this.mark(first + index * 8 + bit);
    }
  }

  memoryWritten(offset: number, size: number): void {
    const last = Math.floor((offset + size - 1 - ROM_OFFSET) / PAGE_SIZE);
    for (let page = Math.max(0, Math.floor((offset - ROM_OFFSET) / PAGE_SIZE)); page <= last; page++) this.mark(page);
  }

  slotsChanged(): void {}

  private mark(page: number): void {
    this.bits[page >> 3]! |= 1 << (page & 7);
  }

  private blank(): Uint8Array {
    return new Uint8Array(Math.ceil((RAM_OFFSET - ROM_OFFSET + this.memory.ramSize) / PAGE_SIZE / 8));
  }
}
