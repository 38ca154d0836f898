/**
 * What a BIOS leaves at 0x400 and in the last KiB below 640 KiB, as far as kernels that are booted without
 * one look there: Xen and Linux find the end of conventional memory by it.
 */
import type { GuestMemory } from "../guest-memory/guest-memory.js";

const FIRST_SERIAL_PORT = 0x400;
const EBDA_SEGMENT = 0x40e;
const CONVENTIONAL_KIB = 0x413;

const COM1 = 0x3f8;

/** @param ebda guest-physical address of the extended BIOS data area, whose first byte is its size in KiB */
export function writeBiosDataArea(memory: GuestMemory, ebda: number): void {
  memory.write16(FIRST_SERIAL_PORT, COM1);
  memory.write16(EBDA_SEGMENT, ebda / 16);
  memory.write16(CONVENTIONAL_KIB, ebda / 1024);
  memory.write8(ebda, 1);
}
