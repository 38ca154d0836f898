/** The firmware's memory map as the BIOS call INT 15h E820h reports it (ACPI specification 6.5, 15.1). */

/** AddressRangeMemory, AddressRangeReserved, AddressRangeACPI, AddressRangeNVS. */
export const E820_RAM = 1;
export const E820_RESERVED = 2;
export const E820_ACPI = 3;
export const E820_NVS = 4;

export interface E820Entry {
  /** Guest-physical address of the first byte. */
  readonly base: number;
  /** Length in bytes. */
  readonly size: number;
  readonly type: number;
}

/** End of the usable range that contains `address`, or `address` itself where that is not usable RAM. */
export function usableEnd(map: readonly E820Entry[], address: number): number {
  for (const entry of map) {
    if (entry.type === E820_RAM && address >= entry.base && address < entry.base + entry.size) {
      return entry.base + entry.size;
    }
  }
  return address;
}
