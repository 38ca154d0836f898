/**
 * The q35 memory map: where RAM, ROM and the board's fixed register windows are.
 *
 * RAM of less than 0xb0000000 bytes is all below the PCI hole; of more, 2 GiB are there and the rest
 * starts at 4 GiB.
 */
import { E820_RAM, E820_RESERVED, type E820Entry } from "../boot/e820.js";
import type { ShadowSegment } from "../devices/pci/host-bridge.js";
import {
  GuestMemoryError,
  MAX_RAM_BYTES,
  type MemorySlot,
  PAGE_SIZE,
  RAM_OFFSET,
  ROM_BYTES,
  ROM_OFFSET,
  VIDEO_BYTES,
  VIDEO_OFFSET,
} from "../guest-memory/guest-memory.js";

export const MIB = 1 << 20;
export const FOUR_GIB = 0x1_0000_0000;

/** Frame buffer and text memory of a VGA: never RAM. */
export const VGA_HOLE = 0xa0000;
export const VGA_HOLE_END = 0xc0000;
/** Firmware's shadow below 1 MiB: ACPI tables, or the end of the ROM. */
export const SYSTEM_ROM = 0xe0000;
export const SYSTEM_ROM_END = 0x100000;
/** Extended BIOS data area: the last KiB of conventional memory. */
export const EBDA = 0x9fc00;

export const ECAM = 0xb0000000;
export const ECAM_BYTES = 0x10000000;
/** Window for the BARs of PCI devices that need 32-bit addresses. */
export const PCI_MMIO = ECAM + ECAM_BYTES;
export const PCI_MMIO_END = 0xfec00000;
export const IOAPIC_BASE = 0xfec00000;
export const HPET_BASE = 0xfed00000;
export const LAPIC_BASE = 0xfee00000;
/** Top of the 16 MiB below 4 GiB where ROMs end. */
export const ROM_END = FOUR_GIB;

/** RAM of more than this is split around the PCI hole. */
const MAX_UNSPLIT_RAM = 0xb0000000;
const SPLIT_LOW_RAM = 0x80000000;
const MIN_RAM = 2 * MIB;

export interface MemoryMap {
  readonly ramSize: number;
  /** End of RAM below the PCI hole. */
  readonly lowRamEnd: number;
  /** End of RAM above 4 GiB; 4 GiB where there is none. */
  readonly highRamEnd: number;
  /** Window for 64-bit BARs. */
  readonly pciMmio64: { readonly base: number; readonly size: number };
  readonly slots: readonly MemorySlot[];
  readonly e820: readonly E820Entry[];
}

/**
 * @param ramSize bytes, a multiple of 4096
 * @param romSize bytes of the ROM that ends at 4 GiB, or 0; its last 128 KiB show below 1 MiB too
 * @throws GuestMemoryError GUEST_MEMORY_SIZE
 */
export function layOutMemory(ramSize: number, romSize: number): MemoryMap {
  if (!Number.isInteger(ramSize) || ramSize % PAGE_SIZE !== 0 || ramSize < MIN_RAM || ramSize > MAX_RAM_BYTES) {
    const limits = `between ${MIN_RAM / MIB} and ${Math.floor(MAX_RAM_BYTES / MIB)} MiB`;
    throw new GuestMemoryError(
      "GUEST_MEMORY_SIZE",
      `memory must be ${limits}, a multiple of 4 KiB; it is ${ramSize} bytes`,
    );
  }
  if (romSize % PAGE_SIZE !== 0 || romSize > ROM_BYTES) {
    throw new GuestMemoryError("GUEST_MEMORY_SIZE", `a ROM of ${romSize} bytes does not fit the machine`);
  }
  const lowRamEnd = ramSize < MAX_UNSPLIT_RAM ? ramSize : SPLIT_LOW_RAM;
  const highRamEnd = FOUR_GIB + (ramSize - lowRamEnd);
  const shadow = Math.min(romSize, SYSTEM_ROM_END - SYSTEM_ROM);
  const ram = (gpa: number, end: number, offset = RAM_OFFSET + gpa): MemorySlot => ({
    gpa,
    size: end - gpa,
    offset,
    readonly: false,
  });
  const slots = [ram(0, VGA_HOLE)];
  if (shadow > 0) {
    slots.push(ram(VGA_HOLE_END, SYSTEM_ROM_END - shadow), ram(SYSTEM_ROM_END, lowRamEnd));
    const offset = ROM_OFFSET + romSize - shadow;
    slots.push({ gpa: SYSTEM_ROM_END - shadow, size: shadow, offset, readonly: true });
    slots.push({ gpa: ROM_END - romSize, size: romSize, offset: ROM_OFFSET, readonly: true });
  } else {
    slots.push(ram(VGA_HOLE_END, lowRamEnd));
  }
  if (highRamEnd > FOUR_GIB) slots.push(ram(FOUR_GIB, highRamEnd, RAM_OFFSET + lowRamEnd));

  const e820: E820Entry[] = [
    { base: 0, size: EBDA, type: E820_RAM },
    { base: EBDA, size: VGA_HOLE - EBDA, type: E820_RESERVED },
    { base: SYSTEM_ROM, size: SYSTEM_ROM_END - SYSTEM_ROM, type: E820_RESERVED },
    { base: SYSTEM_ROM_END, size: lowRamEnd - SYSTEM_ROM_END, type: E820_RAM },
    { base: ECAM, size: ECAM_BYTES, type: E820_RESERVED },
  ];
  if (romSize > 0) e820.push({ base: ROM_END - romSize, size: romSize, type: E820_RESERVED });
  if (highRamEnd > FOUR_GIB) e820.push({ base: FOUR_GIB, size: highRamEnd - FOUR_GIB, type: E820_RAM });

  const base64 = Math.ceil(highRamEnd / 2 ** 30) * 2 ** 30;
  return { ramSize, lowRamEnd, highRamEnd, pciMmio64: { base: base64, size: 32 * 2 ** 30 }, slots, e820 };
}

/** What the guest changes of the memory map while it runs. */
export interface MemoryLayout {
  /** As the chipset's PAM registers say; null: as at power-on. */
  readonly shadow: readonly ShadowSegment[] | null;
  /** The A20 gate is open. */
  readonly a20: boolean;
  /** Where the video adapter's memory lies, or null where it is not to be seen. */
  readonly video: number | null;
}

export const POWER_ON_LAYOUT: MemoryLayout = { shadow: null, a20: true, video: null };

/** The slots of `map` under a layout. */
export function slotsOf(map: MemoryMap, layout: MemoryLayout): MemorySlot[] {
  let slots = layout.shadow === null ? [...map.slots] : shadowedSlots(map, layout.shadow);
  if (!layout.a20) slots = closeA20(slots);
  const { video } = layout;
  if (video !== null && isPciMemory(map, video, VIDEO_BYTES)) {
    slots.push({ gpa: video, size: VIDEO_BYTES, offset: VIDEO_OFFSET, readonly: false });
  }
  return slots;
}

/** Whether the host bridge hands accesses of a range on to the PCI bus, where BARs answer. */
export function isPciMemory(map: MemoryMap, base: number, size: number): boolean {
  const inside = (start: number, end: number) => base >= start && base + size <= end;
  return inside(PCI_MMIO, PCI_MMIO_END) || inside(map.pciMmio64.base, map.pciMmio64.base + map.pciMmio64.size);
}

/**
 * With address line 20 held low the second MiB shows the first. The gate is there for real mode, which reaches 64 KiB
 * beyond 1 MiB; higher odd MiBs stay where they are: as slots they would be more than accelerators take.
 */
function closeA20(slots: readonly MemorySlot[]): MemorySlot[] {
  const result: MemorySlot[] = [];
  for (const slot of slots) {
    const end = slot.gpa + slot.size;
    if (slot.gpa < MIB) {
      const low = part(slot, slot.gpa, Math.min(end, MIB));
      result.push(low, { ...low, gpa: low.gpa + MIB });
    }
    if (end > 2 * MIB) result.push(part(slot, Math.max(slot.gpa, 2 * MIB), end));
  }
  return result.sort((a, b) => a.gpa - b.gpa);
}

/**
 * The slots of `map` with segments led as the chipset's PAM registers say. Reads from ROM with writes to RAM, by which
 * old firmware copies itself, are not offered: such a segment stays ROM.
 */
function shadowedSlots(map: MemoryMap, segments: readonly ShadowSegment[]): MemorySlot[] {
  const slots: MemorySlot[] = [];
  for (const slot of map.slots) {
    const inShadow = (gpa: number) => gpa >= VGA_HOLE_END && gpa < SYSTEM_ROM_END;
    if (!inShadow(slot.gpa)) {
      slots.push(slot);
      continue;
    }
    // RAM that goes on behind 1 MiB.
    const end = slot.gpa + slot.size;
    if (end > SYSTEM_ROM_END) slots.push(part(slot, SYSTEM_ROM_END, end));
  }
  for (const { base, size, readRam, writeRam } of segments) {
    if (readRam) {
      slots.push({ gpa: base, size, offset: RAM_OFFSET + base, readonly: !writeRam });
      continue;
    }
    for (const slot of map.slots) {
      const from = Math.max(base, slot.gpa);
      const to = Math.min(base + size, slot.gpa + slot.size);
      if (slot.readonly && from < to) slots.push(part(slot, from, to));
    }
  }
  return merge(slots.sort((a, b) => a.gpa - b.gpa));
}

function part(slot: MemorySlot, from: number, to: number): MemorySlot {
  return { gpa: from, size: to - from, offset: slot.offset + (from - slot.gpa), readonly: slot.readonly };
}

/** Accelerators have room for few slots: neighbours become one. */
function merge(slots: readonly MemorySlot[]): MemorySlot[] {
  const merged: MemorySlot[] = [];
  for (const slot of slots) {
    const last = merged[merged.length - 1];
    const follows =
      last !== undefined &&
      last.readonly === slot.readonly &&
      last.gpa + last.size === slot.gpa &&
      last.offset + last.size === slot.offset;
    if (follows) merged[merged.length - 1] = { ...last, size: last.size + slot.size };
    else merged.push(slot);
  }
  return merged;
}
