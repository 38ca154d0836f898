import type { GuestMemory } from "../guest-memory/guest-memory.js";
import { BootFileError } from "./boot-file-error.js";
import { BOOT_GDT, BOOT_GDT_END, BOOT_INFO, BOOT_INFO_END } from "./boot-state.js";
import type { ElfFile } from "./elf.js";

/** Hands out room in the area for information structures and fills it. */
export class InfoArea {
  private end = BOOT_INFO;

  /** @param file whose boot protocol needs the room, for messages */
  constructor(
    private readonly memory: GuestMemory,
    private readonly file: string,
  ) {}

  /** Address of `size` zeroed bytes, 8-byte aligned. @throws BootFileError where the area is full */
  allocate(size: number): number {
    const at = Math.ceil(this.end / 8) * 8;
    if (at + size > BOOT_INFO_END) throw new BootFileError(this.file, "has command lines or modules that are too much");
    this.memory.fill(at, size, 0);
    this.end = at + size;
    return at;
  }

  /** Address of a zero-terminated string. */
  string(text: string): number {
    const bytes = new TextEncoder().encode(`${text}\0`);
    const at = this.allocate(bytes.length);
    this.memory.write(at, bytes);
    return at;
  }
}

/** @throws BootFileError where a segment lies over what the loader leaves in low memory */
export function keepClearOfBootArea(elf: ElfFile): void {
  for (const { physical, memorySize } of elf.segments) {
    const over = (start: number, end: number) => physical < end && physical + memorySize > start;
    if (over(BOOT_GDT, BOOT_GDT_END) || over(BOOT_INFO, BOOT_INFO_END)) {
      const range = `0x${physical.toString(16)}-0x${(physical + memorySize - 1).toString(16)}`;
      throw new BootFileError(elf.name, `loads at ${range}, over the loader's own tables`);
    }
  }
}
