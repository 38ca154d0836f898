/** Which pages of a VM the guest and its devices have written: KVM's dirty log and what GuestMemory tells. */
import type { GuestMemory, MemorySlot } from "../../guest-memory/guest-memory.js";
import { WrittenPages } from "../../guest-memory/written-pages.js";
import type { DirtyLog } from "../../vcpu/accelerator.js";

/** What the log needs of a VM. */
export interface LoggedVm {
  /** KVM_GET_DIRTY_LOG of each slot: a bit a page, and the page counts as clean from now on. */
  readDirtySlots(visit: (slot: MemorySlot, bits: Uint8Array) => void): void;
  dirtyLogStopped(): void;
}

export class KvmDirtyLog implements DirtyLog {
  private readonly pages: WrittenPages;

  constructor(
    private readonly vm: LoggedVm,
    memory: GuestMemory,
  ) {
    this.pages = new WrittenPages(memory);
    this.pages.attach();
  }

  collect(): Uint8Array {
    this.vm.readDirtySlots((slot, bits) => this.merge(slot, bits));
    return this.pages.take();
  }

  stop(): void {
    this.pages.detach();
    this.vm.dirtyLogStopped();
  }

  /** Takes a slot's bits in before the slot goes. */
  merge(slot: MemorySlot, bits: Uint8Array): void {
    this.pages.merge(slot.offset, bits);
  }
}
