/** Which pages the vCPUs of a core and their machine's devices have written. */
import { type GuestMemory, PAGE_SIZE, RAM_OFFSET, ROM_OFFSET } from "../../guest-memory/guest-memory.js";
import { WrittenPages } from "../../guest-memory/written-pages.js";
import type { DirtyLog } from "../../vcpu/accelerator.js";
import type { Core } from "./core-module.js";
import { DIRTY_BITMAP } from "./layout.js";

export class CoreDirtyLog implements DirtyLog {
  private readonly pages: WrittenPages;
  /** What the core marks. */
  private readonly marks: Uint8Array;

  constructor(
    private readonly core: Core,
    memory: GuestMemory,
    private readonly stopped: () => void,
  ) {
    const bytes = Math.ceil((RAM_OFFSET - ROM_OFFSET + memory.ramSize) / PAGE_SIZE / 8);
    this.marks = memory.bytes.subarray(DIRTY_BITMAP + ROM_OFFSET / PAGE_SIZE / 8).subarray(0, bytes);
    this.pages = new WrittenPages(memory);
    this.clear();
    this.pages.attach();
  }

  collect(): Uint8Array {
    this.pages.merge(ROM_OFFSET, this.marks);
    this.clear();
    return this.pages.take();
  }

  stop(): void {
    this.pages.detach();
    this.stopped();
  }

  /** A page that a TLB entry lets a vCPU write is marked when the entry is made: they go with the marks. */
  private clear(): void {
    this.marks.fill(0);
    this.core.flushTlbs();
  }
}
