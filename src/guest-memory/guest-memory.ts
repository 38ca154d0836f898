/**
 * Guest RAM and ROM: one WebAssembly.Memory a machine, seen through guest-physical addresses.
 *
 * The first {@link ACCELERATOR_BYTES} of the memory belong to the accelerator (vCPU state, TLBs,
 * code); after them come the ROM area, video memory and RAM. Which guest-physical range lies where is a list of
 * {@link MemorySlot}s, shaped after KVM's: accelerators translate through it, devices never see it.
 * Everybody who is not a vCPU writes through this class, so that dirty pages and translated code
 * stay right.
 */

/** Bytes at the start of the wasm memory that belong to the accelerator. */
export const ACCELERATOR_BYTES = 0x0900_0000;
/** Where the ROM area starts in the wasm memory, and its size. */
export const ROM_OFFSET = ACCELERATOR_BYTES;
export const ROM_BYTES = 0x0100_0000;
/** Where the video adapter's memory starts in the wasm memory, and its size. The host gives it pages once they are touched. */
export const VIDEO_OFFSET = ROM_OFFSET + ROM_BYTES;
export const VIDEO_BYTES = 0x0100_0000;
/** Where RAM starts in the wasm memory: 2 MiB aligned. */
export const RAM_OFFSET = VIDEO_OFFSET + VIDEO_BYTES;
/** The most RAM that fits into a 32-bit wasm memory beside the rest. */
export const MAX_RAM_BYTES = 0x1_0000_0000 - RAM_OFFSET - 0x1_0000;

export const PAGE_SIZE = 4096;

/** A guest-physical range backed by the wasm memory. All fields are multiples of 4096 bytes. */
export interface MemorySlot {
  /** Guest-physical address of its first byte. */
  readonly gpa: number;
  /** Length in bytes. */
  readonly size: number;
  /** Offset of its first byte in the wasm memory. */
  readonly offset: number;
  /** Guest writes go to the bus instead (ROM). */
  readonly readonly: boolean;
}

/** What an accelerator wants to hear about writes from outside its vCPUs. */
export interface MemoryListener {
  /** `size` bytes at wasm offset `offset` are about to change: drop translations made from them. */
  memoryWritten(offset: number, size: number): void;
  /** The slots changed: drop every cached address translation. */
  slotsChanged(): void;
}

/** Memory of a video adapter, which a guest may also reach through a slot. */
export interface VideoMemory {
  readonly bytes: Uint8Array;
  written(offset: number, size: number): void;
}

export type GuestMemoryErrorCode = "GUEST_ADDRESS" | "GUEST_MEMORY_SIZE" | "GUEST_SLOT";

/** A guest-physical range that is not memory, or a memory that cannot be made. */
export class GuestMemoryError extends Error {
  override readonly name = "GuestMemoryError";
  constructor(
    readonly code: GuestMemoryErrorCode,
    message: string,
  ) {
    super(message);
  }
}

export class GuestMemory {
  readonly memory: WebAssembly.Memory;
  /** RAM in bytes, a multiple of 4096. */
  readonly ramSize: number;
  /** The whole wasm memory as bytes. Its offsets are wasm offsets, not guest-physical addresses. */
  readonly bytes: Uint8Array;
  private readonly data: DataView;
  private slotList: MemorySlot[] = [];
  private listeners: MemoryListener[] = [];

  /**
   * @param ramSize RAM in bytes: a multiple of 4096, at most {@link MAX_RAM_BYTES}
   * @throws GuestMemoryError GUEST_MEMORY_SIZE
   */
  constructor(ramSize: number, options: { shared?: boolean } = {}) {
    if (!Number.isInteger(ramSize) || ramSize <= 0 || ramSize % PAGE_SIZE !== 0) {
      throw new GuestMemoryError("GUEST_MEMORY_SIZE", `RAM of ${ramSize} bytes is not a positive multiple of 4096`);
    }
    if (ramSize > MAX_RAM_BYTES) {
      throw new GuestMemoryError(
        "GUEST_MEMORY_SIZE",
        `RAM of ${ramSize} bytes is more than the ${MAX_RAM_BYTES} that a machine can have`,
      );
    }
    const pages = Math.ceil((RAM_OFFSET + ramSize) / 0x1_0000);
    try {
      this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: options.shared ?? false });
    } catch (error) {
      throw new GuestMemoryError("GUEST_MEMORY_SIZE", `the host cannot give ${ramSize} bytes of RAM: ${error}`);
    }
    this.ramSize = ramSize;
    this.bytes = new Uint8Array(this.memory.buffer);
    this.data = new DataView(this.memory.buffer);
  }

  get slots(): readonly MemorySlot[] {
    return this.slotList;
  }

  /** Replaces the slots. They must be page-aligned, inside the memory and must not overlap. */
  setSlots(slots: readonly MemorySlot[]): void {
    const sorted = [...slots].sort((a, b) => a.gpa - b.gpa);
    let end = 0;
    for (const slot of sorted) {
      const aligned = [slot.gpa, slot.size, slot.offset].every((value) => value >= 0 && value % PAGE_SIZE === 0);
      if (!aligned || slot.size === 0 || slot.offset < ROM_OFFSET || slot.offset + slot.size > this.bytes.length) {
        throw new GuestMemoryError(
          "GUEST_SLOT",
          `slot at ${hex(slot.gpa)} is not page-aligned or not inside the memory`,
        );
      }
      if (slot.gpa < end) throw new GuestMemoryError("GUEST_SLOT", `slot at ${hex(slot.gpa)} overlaps the one before`);
      end = slot.gpa + slot.size;
    }
    this.slotList = sorted;
    for (const listener of this.listeners) listener.slotsChanged();
  }

  addListener(listener: MemoryListener): void {
    this.listeners.push(listener);
  }

  removeListener(listener: MemoryListener): void {
    this.listeners = this.listeners.filter((other) => other !== listener);
  }

  /** The wasm offset of `size` bytes at `gpa`, or -1 where they are not all in one slot. */
  offsetOf(gpa: number, size: number): number {
    for (const slot of this.slotList) {
      if (gpa >= slot.gpa && gpa + size <= slot.gpa + slot.size) return slot.offset + (gpa - slot.gpa);
    }
    return -1;
  }

  /** Whether all of the range is backed by RAM or ROM. */
  contains(gpa: number, size: number): boolean {
    return this.offsetOf(gpa, size) >= 0;
  }

  /** A view to read `size` bytes at `gpa` from; never write through it. Throws GUEST_ADDRESS. */
  view(gpa: number, size: number): Uint8Array {
    const offset = this.require(gpa, size);
    return this.bytes.subarray(offset, offset + size);
  }

  /** A view to write to: translations are dropped before it is handed out. Throws GUEST_ADDRESS. */
  writableView(gpa: number, size: number): Uint8Array {
    const offset = this.require(gpa, size);
    this.notify(offset, size);
    return this.bytes.subarray(offset, offset + size);
  }

  /** Copies bytes into guest memory, ROM included. Throws GUEST_ADDRESS, and then has written nothing. */
  write(gpa: number, bytes: Uint8Array): void {
    this.writableView(gpa, bytes.length).set(bytes);
  }

  fill(gpa: number, size: number, value: number): void {
    this.writableView(gpa, size).fill(value);
  }

  read8(gpa: number): number {
    return this.data.getUint8(this.require(gpa, 1));
  }

  read16(gpa: number): number {
    return this.data.getUint16(this.require(gpa, 2), true);
  }

  read32(gpa: number): number {
    return this.data.getUint32(this.require(gpa, 4), true);
  }

  read64(gpa: number): bigint {
    return this.data.getBigUint64(this.require(gpa, 8), true);
  }

  write8(gpa: number, value: number): void {
    const offset = this.require(gpa, 1);
    this.notify(offset, 1);
    this.data.setUint8(offset, value);
  }

  write16(gpa: number, value: number): void {
    const offset = this.require(gpa, 2);
    this.notify(offset, 2);
    this.data.setUint16(offset, value, true);
  }

  write32(gpa: number, value: number): void {
    const offset = this.require(gpa, 4);
    this.notify(offset, 4);
    this.data.setUint32(offset, value, true);
  }

  write64(gpa: number, value: bigint): void {
    const offset = this.require(gpa, 8);
    this.notify(offset, 8);
    this.data.setBigUint64(offset, value, true);
  }

  /**
   * Writes to RAM or the ROM area by wasm offset, whether a slot shows it or not: for what restores a machine.
   * Throws GUEST_ADDRESS.
   */
  writeAt(offset: number, bytes: Uint8Array): void {
    if (!(offset >= ROM_OFFSET && offset + bytes.length <= this.bytes.length)) {
      throw new GuestMemoryError("GUEST_ADDRESS", `${bytes.length} bytes at wasm offset ${hex(offset)} are not memory`);
    }
    this.notify(offset, bytes.length);
    this.bytes.set(bytes, offset);
  }

  /**
   * The video adapter's memory, for the adapter: it tells `written` what it has changed, and so translations and
   * dirty pages stay right.
   */
  get video(): VideoMemory {
    return {
      bytes: this.bytes.subarray(VIDEO_OFFSET, VIDEO_OFFSET + VIDEO_BYTES),
      written: (offset, size) => this.notify(VIDEO_OFFSET + offset, size),
    };
  }

  /** Makes pages of the wasm memory zero, those that are not yet. Both arguments are multiples of 4096. */
  clearAt(offset: number, size: number): void {
    for (let at = offset; at < offset + size; at += PAGE_SIZE) {
      const words = new Int32Array(this.memory.buffer, at, PAGE_SIZE / 4);
      // A page that nobody has touched costs the host nothing, until it is written to.
      if (words.every((word) => word === 0)) continue;
      this.notify(at, PAGE_SIZE);
      words.fill(0);
    }
  }

  private require(gpa: number, size: number): number {
    const offset = this.offsetOf(gpa, size);
    if (offset < 0) {
      throw new GuestMemoryError("GUEST_ADDRESS", `${size} bytes at guest-physical ${hex(gpa)} are not memory`);
    }
    return offset;
  }

  private notify(offset: number, size: number): void {
    for (const listener of this.listeners) listener.memoryWritten(offset, size);
  }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
