/** Multiboot 1 kernels: Multiboot Specification 0.6.96. */
import type { GuestMemory } from "../guest-memory/guest-memory.js";
import { BootFileError } from "./boot-file-error.js";
import type { BootImage, BootTarget, EntryState } from "./boot-image.js";
import { enterProtectedMode } from "./boot-state.js";
import { usableEnd } from "./e820.js";
import { type ElfFile, type ElfSegment, elfEnd, isElf, loadElf, parseElf } from "./elf.js";
import { type BootFile, FileReader } from "./file-reader.js";
import { InfoArea, keepClearOfBootArea } from "./info-area.js";

const HEADER_MAGIC = 0x1badb002;
/** The header is in the first 8 KiB, 4-byte aligned. */
const SEARCH_BYTES = 8192;
const LOADER_MAGIC = 0x2badb002;

/** Header flags. */
const WANTS_VIDEO = 1 << 2;
const HAS_ADDRESSES = 1 << 16;
/** Flags below 16 that a loader must understand or refuse; those known are page alignment and memory information. */
const UNKNOWN_REQUIREMENTS = 0xfff8;

/** Information flags: memory sizes, command line, modules, memory map, loader name. */
const INFO_FLAGS = (1 << 0) | (1 << 2) | (1 << 3) | (1 << 6) | (1 << 9);
const INFO_BYTES = 88;
const MODULE_BYTES = 16;
const MEMORY_MAP_BYTES = 24;

interface Module {
  readonly file: BootFile;
  readonly commandLine: string;
}

/** Offset of a valid multiboot header, or -1. */
export function findMultibootHeader(bytes: Uint8Array): number {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 12 <= Math.min(bytes.length, SEARCH_BYTES); at += 4) {
    if (data.getUint32(at, true) !== HEADER_MAGIC) continue;
    const sum = HEADER_MAGIC + data.getUint32(at + 4, true) + data.getUint32(at + 8, true);
    if (sum % 0x100000000 === 0) return at;
  }
  return -1;
}

/** @throws BootFileError */
export function prepareMultiboot(
  kernel: BootFile,
  options: { initrd?: BootFile; modules?: readonly Module[]; commandLine?: string } = {},
): BootImage {
  const reader = new FileReader(kernel);
  const header = findMultibootHeader(kernel.bytes);
  if (header < 0) reader.fail("has no multiboot header");
  const flags = reader.u32(header + 4, "the multiboot header");
  if (flags & WANTS_VIDEO) reader.fail("asks for a video mode, which this machine cannot set");
  if (flags & UNKNOWN_REQUIREMENTS) reader.fail(`asks for unknown multiboot features 0x${flags.toString(16)}`);
  const image = flags & HAS_ADDRESSES ? flatImage(reader, header) : elfImage(kernel);
  keepClearOfBootArea(image);
  const modules = [...(options.modules ?? [])];
  if (options.initrd) modules.unshift({ file: options.initrd, commandLine: "" });
  return {
    kind: "multiboot",
    description: "multiboot kernel",
    rom: null,
    load: (target) => load(target, image, modules, options.commandLine ?? ""),
  };
}

/** A 64-bit ELF file is entered in 32-bit mode too: its header says that it can. */
function elfImage(kernel: BootFile): ElfFile {
  if (!isElf(kernel.bytes)) {
    throw new BootFileError(kernel.name, "has a multiboot header without addresses but is not an ELF file");
  }
  const elf = parseElf(kernel);
  if (elf.entry > 0xffffffffn) {
    throw new BootFileError(kernel.name, `has an entry point beyond 4 GiB: 0x${elf.entry.toString(16)}`);
  }
  return elf;
}

/** Where the header's own addresses put the file. Section 3.1.3. */
function flatImage(reader: FileReader, header: number): ElfFile {
  const field = (index: number) => reader.u32(header + 12 + index * 4, "the multiboot header's addresses");
  const [headerAddress, loadAddress, loadEnd, bssEnd, entry] = [0, 1, 2, 3, 4].map(field);
  const offset = header - (headerAddress - loadAddress);
  if (headerAddress < loadAddress || offset < 0) reader.fail("has a multiboot header that is not where it says");
  const fileSize = loadEnd === 0 ? reader.length - offset : loadEnd - loadAddress;
  if (fileSize <= 0) reader.fail("has a multiboot header with an empty load range");
  reader.need(offset, fileSize, "the multiboot image");
  const memorySize = Math.max(fileSize, bssEnd === 0 ? 0 : bssEnd - loadAddress);
  if (entry < loadAddress || entry >= loadAddress + memorySize) {
    reader.fail(`has its entry point 0x${entry.toString(16)} outside of what it loads`);
  }
  const segment: ElfSegment = { offset, fileSize, physical: loadAddress, memorySize, virtual: BigInt(loadAddress) };
  return { name: reader.name, bytes: reader.bytes, bits: 32, entry: BigInt(entry), segments: [segment], notes: [] };
}

function load(target: BootTarget, image: ElfFile, modules: readonly Module[], commandLine: string): EntryState {
  const { memory, e820 } = target;
  loadElf(image, memory);
  const area = new InfoArea(memory, image.name);
  const info = area.allocate(INFO_BYTES);
  const list = area.allocate(modules.length * MODULE_BYTES);
  loadModules(memory, area, list, modules, elfEnd(image), usableEnd(e820, 0x100000));
  const map = area.allocate(e820.length * MEMORY_MAP_BYTES);
  e820.forEach(({ base, size, type }, index) => {
    const at = map + index * MEMORY_MAP_BYTES;
    // The size field does not count itself.
    memory.write32(at, MEMORY_MAP_BYTES - 4);
    memory.write64(at + 4, BigInt(base));
    memory.write64(at + 12, BigInt(size));
    memory.write32(at + 20, type);
  });
  const words: [number, number][] = [
    [0, INFO_FLAGS],
    [4, Math.floor(usableEnd(e820, 0) / 1024)],
    [8, Math.floor((usableEnd(e820, 0x100000) - 0x100000) / 1024)],
    [16, area.string(withName(image.name, commandLine))],
    [20, modules.length],
    [24, list],
    [44, e820.length * MEMORY_MAP_BYTES],
    [48, map],
    [64, area.string("Ringvisor")],
  ];
  for (const [offset, value] of words) memory.write32(info + offset, value);
  return (reset) =>
    enterProtectedMode(memory, reset, { rip: image.entry, rax: BigInt(LOADER_MAGIC), rbx: BigInt(info) });
}

/** Modules lie behind the kernel, one after the other, page-aligned. */
function loadModules(
  memory: GuestMemory,
  area: InfoArea,
  list: number,
  modules: readonly Module[],
  kernelEnd: number,
  ramEnd: number,
): void {
  let base = Math.ceil(Math.max(kernelEnd, 0x100000) / 4096) * 4096;
  modules.forEach(({ file, commandLine }, index) => {
    const end = base + file.bytes.length;
    if (end > ramEnd) {
      throw new BootFileError(file.name, `does not fit into RAM behind the kernel: ${file.bytes.length} bytes`);
    }
    memory.write(base, file.bytes);
    const at = list + index * MODULE_BYTES;
    memory.write32(at, base);
    memory.write32(at + 4, end);
    memory.write32(at + 8, area.string(withName(file.name, commandLine)));
    base = Math.ceil(end / 4096) * 4096;
  });
}

/** Multiboot command lines start with the name of their file. */
function withName(name: string, commandLine: string): string {
  return commandLine === "" ? name : `${name} ${commandLine}`;
}
