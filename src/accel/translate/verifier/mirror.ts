/** A second memory that has what the first has, but for what vCPUs write: that is compared. */
import { GuestMemory, type MemoryListener, PAGE_SIZE, ROM_OFFSET } from "../../../guest-memory/guest-memory.js";

interface Range {
  offset: number;
  size: number;
}

export class MemoryMirror implements MemoryListener {
  readonly copy: GuestMemory;
  /** Written from outside the vCPUs, and not yet in the copy. */
  private pending: Range[] = [];
  private slots = false;

  constructor(private readonly original: GuestMemory) {
    this.copy = new GuestMemory(original.ramSize);
    this.copy.setSlots(original.slots);
    original.addListener(this);
    const words = new Int32Array(original.memory.buffer);
    for (let offset = ROM_OFFSET; offset < original.bytes.length; offset += PAGE_SIZE) {
      const page = words.subarray(offset / 4, (offset + PAGE_SIZE) / 4);
      if (page.some((word) => word !== 0)) this.pending.push({ offset, size: PAGE_SIZE });
    }
  }

  memoryWritten(offset: number, size: number): void {
    if (offset >= ROM_OFFSET && size > 0) this.pending.push({ offset, size });
  }

  slotsChanged(): void {
    this.slots = true;
  }

  /** What brings the copy up to date: taken now, to be applied now or later. Null where it is. */
  take(): (() => void) | null {
    if (this.pending.length === 0 && !this.slots) return null;
    const slots = this.slots ? this.original.slots : null;
    const ranges = this.pending.map(({ offset, size }) => ({
      offset,
      bytes: this.original.bytes.slice(offset, offset + size),
    }));
    this.pending = [];
    this.slots = false;
    return () => {
      if (slots !== null) this.copy.setSlots(slots);
      for (const { offset, bytes } of ranges) this.copy.writeAt(offset, bytes);
    };
  }

  /** Wasm offset of the first byte that differs on a page, or -1. `page` counts from ROM_OFFSET. */
  difference(page: number): number {
    const offset = ROM_OFFSET + page * PAGE_SIZE;
    const [a, b] = [this.original, this.copy].map(
      ({ memory }) => new Int32Array(memory.buffer, offset, PAGE_SIZE / 4),
    ) as [Int32Array, Int32Array];
    for (let index = 0; index < a.length; index++) {
      if (a[index] === b[index]) continue;
      let at = offset + index * 4;
      while (this.original.bytes[at] === this.copy.bytes[at]) at++;
      return at;
    }
    return -1;
  }

  close(): void {
    this.original.removeListener(this);
  }
}
