/** Which pages the vCPUs of a core and their machine's devices have written. */
import {
  type GuestMemory,
  type MemoryListener,
  PAGE_SIZE,
  RAM_OFFSET,
  ROM_OFFSET,
} from "../../guest-memory/guest-memory.js";
import type { DirtyLog } from "../../vcpu/accelerator.js";
import type { Core } from "./core-module.js";
import { DIRTY_BITMAP } from "./layout.js";

export class CoreDirtyLog implements DirtyLog, MemoryListener {
  /** What was written through GuestMemory since the last call. */
  private readonly host: Uint8Array;

  constructor(
    private readonly core: Core,
    private readonly memory: GuestMemory,
    private readonly stopped: () => void,
  ) {
    const pages = (RAM_OFFSET - ROM_OFFSET + memory.ramSize) / PAGE_SIZE;
    this.host = new Uint8Array(Math.ceil(pages / 8));
    this.clear();
    memory.addListener(this);
  }

  collect(): Uint8Array {
    const pages = this.vcpuBits().slice();
    for (let index = 0; index < pages.length; index++) pages[index]! |= this.host[index]!;
    this.clear();
    return pages;
  }

  stop(): void {
    this.memory.removeListener(this);
    this.stopped();
  }

  memoryWritten(offset: number, size: number): void {
    const first = Math.max(0, Math.floor((offset - ROM_OFFSET) / PAGE_SIZE));
    const last = Math.floor((offset + size - 1 - ROM_OFFSET) / PAGE_SIZE);
    for (let page = first; page <= last; page++) this.host[page >> 3]! |= 1 << (page & 7);
  }

  slotsChanged(): void {}

  private vcpuBits(): Uint8Array {
    return this.memory.bytes.subarray(DIRTY_BITMAP + ROM_OFFSET / PAGE_SIZE / 8).subarray(0, this.host.length);
  }

  /** A page that a TLB entry lets a vCPU write is marked when the entry is made: they go with the marks. */
  private clear(): void {
    this.vcpuBits().fill(0);
    this.host.fill(0);
    this.core.flushTlbs();
  }
}
