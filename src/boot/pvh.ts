/**
 * PVH: an ELF kernel entered in 32-bit protected mode, by the address in a Xen note.
 * Xen's docs/misc/pvh.pandoc and xen/include/public/arch-x86/hvm/start_info.h.
 */
import { BootFileError } from "./boot-file-error.js";
import type { BootImage, BootTarget, EntryState } from "./boot-image.js";
import { enterProtectedMode } from "./boot-state.js";
import { usableEnd } from "./e820.js";
import { type ElfFile, elfEnd, loadElf, parseElf } from "./elf.js";
import type { BootFile } from "./file-reader.js";
import { InfoArea, keepClearOfBootArea } from "./info-area.js";

const XEN_NOTE = "Xen";
const XEN_ELFNOTE_PHYS32_ENTRY = 18;
const START_MAGIC = 0x336ec578;
const START_INFO_BYTES = 56;
const MODULE_BYTES = 32;
const MEMORY_MAP_BYTES = 24;

interface Module {
  readonly file: BootFile;
  readonly commandLine: string;
}

/** The entry point that a PVH note gives, or null where the file has none. @throws BootFileError */
export function pvhEntry(elf: ElfFile): number | null {
  const note = elf.notes.find(({ name, type }) => name === XEN_NOTE && type === XEN_ELFNOTE_PHYS32_ENTRY);
  if (note === undefined) return null;
  const { description } = note;
  if (description.length !== 4 && description.length !== 8) {
    throw new BootFileError(elf.name, `has a PVH entry note of ${description.length} bytes`);
  }
  const data = new DataView(description.buffer, description.byteOffset, description.length);
  const entry = description.length === 8 ? data.getBigUint64(0, true) : BigInt(data.getUint32(0, true));
  const inside = elf.segments.some(({ physical, memorySize }) => entry >= physical && entry < physical + memorySize);
  if (!inside || entry > 0xffffffffn) {
    throw new BootFileError(elf.name, `has a PVH entry point 0x${entry.toString(16)} that is in no segment`);
  }
  return Number(entry);
}

/** @throws BootFileError */
export function preparePvh(
  kernel: BootFile,
  options: { initrd?: BootFile; modules?: readonly Module[]; commandLine?: string } = {},
): BootImage {
  const elf = parseElf(kernel);
  const entry = pvhEntry(elf);
  if (entry === null) {
    throw new BootFileError(kernel.name, "is an ELF file without a PVH entry note and without a multiboot header");
  }
  keepClearOfBootArea(elf);
  const modules = [...(options.modules ?? [])];
  if (options.initrd) modules.unshift({ file: options.initrd, commandLine: "" });
  return {
    kind: "pvh",
    description: `PVH kernel, ${elf.bits} bits`,
    rom: null,
    load: (target) => load(target, elf, entry, modules, options.commandLine ?? ""),
  };
}

function load(
  target: BootTarget,
  elf: ElfFile,
  entry: number,
  modules: readonly Module[],
  commandLine: string,
): EntryState {
  const { memory, e820 } = target;
  loadElf(elf, memory);
  const area = new InfoArea(memory, elf.name);
  const info = area.allocate(START_INFO_BYTES);
  const list = area.allocate(modules.length * MODULE_BYTES);
  let end = usableEnd(e820, 0x100000);
  modules.forEach(({ file, commandLine: moduleLine }, index) => {
    const base = Math.floor((end - file.bytes.length) / 4096) * 4096;
    if (base < elfEnd(elf)) {
      throw new BootFileError(file.name, `does not fit into RAM behind the kernel: ${file.bytes.length} bytes`);
    }
    memory.write(base, file.bytes);
    end = base;
    const at = list + index * MODULE_BYTES;
    memory.write64(at, BigInt(base));
    memory.write64(at + 8, BigInt(file.bytes.length));
    memory.write64(at + 16, moduleLine === "" ? 0n : BigInt(area.string(moduleLine)));
  });
  const map = area.allocate(e820.length * MEMORY_MAP_BYTES);
  e820.forEach(({ base, size, type }, index) => {
    const at = map + index * MEMORY_MAP_BYTES;
    memory.write64(at, BigInt(base));
    memory.write64(at + 8, BigInt(size));
    memory.write32(at + 16, type);
  });
  memory.write32(info, START_MAGIC);
  memory.write32(info + 4, 1);
  memory.write32(info + 12, modules.length);
  memory.write64(info + 16, modules.length > 0 ? BigInt(list) : 0n);
  memory.write64(info + 24, BigInt(area.string(commandLine)));
  memory.write64(info + 32, BigInt(target.rsdp));
  memory.write64(info + 40, BigInt(map));
  memory.write32(info + 48, e820.length);
  return (reset) => enterProtectedMode(memory, reset, { rip: BigInt(entry), rbx: BigInt(info) });
}
