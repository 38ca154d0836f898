/** Which pages of a VM the guest and its devices have written: KVM's dirty log and what GuestMemory tells. */
import {
  type GuestMemory,
  type MemoryListener,
  type MemorySlot,
  PAGE_SIZE,
  RAM_OFFSET,
  ROM_OFFSET,
} from "../../guest-memory/guest-memory.js";
import type { DirtyLog } from "../../vcpu/accelerator.js";

/** What the log needs of a VM. */
export interface LoggedVm {
  /** KVM_GET_DIRTY_LOG of each slot: a bit a page, and the page counts as clean from now on. */
  readDirtySlots(visit: (slot: MemorySlot, bits: Uint8Array) => void): void;
  dirtyLogStopped(): void;
}

export class KvmDirtyLog implements DirtyLog, MemoryListener {
  private pages: Uint8Array;

  constructor(
    private readonly vm: LoggedVm,
    private readonly memory: GuestMemory,
  ) {
    this.pages = this.blank();
    memory.addListener(this);
  }

  collect(): Uint8Array {
    this.vm.readDirtySlots((slot, bits) => this.merge(slot, bits));
    const pages = this.pages;
    this.pages = this.blank();
    return pages;
  }

  stop(): void {
    this.memory.removeListener(this);
    this.vm.dirtyLogStopped();
  }

  /** Takes a slot's bits in before the slot goes. */
  merge(slot: MemorySlot, bits: Uint8Array): void {
    const first = (slot.offset - ROM_OFFSET) / PAGE_SIZE;
    for (let index = 0; index < bits.length; index++) {
      const byte = bits[index]!;
      if (byte === 0) continue;
      for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) this.mark(first + index * 8 + bit);
    }
  }

  memoryWritten(offset: number, size: number): void {
    const last = Math.floor((offset + size - 1 - ROM_OFFSET) / PAGE_SIZE);
    for (let page = Math.floor((offset - ROM_OFFSET) / PAGE_SIZE); page <= last; page++) this.mark(page);
  }

  slotsChanged(): void {}

  private mark(page: number): void {
    this.pages[page >> 3]! |= 1 << (page & 7);
  }

  private blank(): Uint8Array {
    return new Uint8Array(Math.ceil((RAM_OFFSET - ROM_OFFSET + this.memory.ramSize) / PAGE_SIZE / 8));
  }
}
