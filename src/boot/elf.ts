/** ELF executables, 32 and 64 bits, little-endian x86: header, program headers and notes. System V ABI, gABI chapters 4 and 5. */
import type { GuestMemory } from "../guest-memory/guest-memory.js";
import { BootFileError } from "./boot-file-error.js";
import { type BootFile, FileReader } from "./file-reader.js";

const ELFCLASS32 = 1;
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
const ET_EXEC = 2;
const ET_DYN = 3;
const EM_386 = 3;
const EM_X86_64 = 62;
const PT_LOAD = 1;
const PT_NOTE = 4;
/** More program headers than any kernel has. */
const MAX_PROGRAM_HEADERS = 256;
const MAX_NOTE_BYTES = 1 << 20;

export interface ElfSegment {
  /** Where its bytes are in the file. */
  readonly offset: number;
  readonly fileSize: number;
  /** Physical address and size in memory; what the file does not give is zero. */
  readonly physical: number;
  readonly memorySize: number;
  readonly virtual: bigint;
}

export interface ElfNote {
  readonly name: string;
  readonly type: number;
  readonly description: Uint8Array;
}

export interface ElfFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly bits: 32 | 64;
  readonly entry: bigint;
  /** PT_LOAD segments with a size, sorted by physical address; they do not overlap. */
  readonly segments: readonly ElfSegment[];
  readonly notes: readonly ElfNote[];
}

export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** @throws BootFileError */
export function parseElf(file: BootFile): ElfFile {
  const reader = new FileReader(file);
  reader.need(0, 16, "the ELF identification");
  if (!isElf(file.bytes)) reader.fail("is not an ELF file");
  const elfClass = file.bytes[4];
  if (elfClass !== ELFCLASS32 && elfClass !== ELFCLASS64) reader.fail(`has an unknown ELF class ${elfClass}`);
  if (file.bytes[5] !== ELFDATA2LSB) reader.fail("is not a little-endian ELF file");
  const wide = elfClass === ELFCLASS64;
  reader.need(0, wide ? 64 : 52, "the ELF header");
  const type = reader.u16(16, "the ELF type");
  if (type !== ET_EXEC && type !== ET_DYN) reader.fail(`is an ELF file of type ${type}, not an executable`);
  const machine = reader.u16(18, "the ELF machine");
  if (machine !== EM_386 && machine !== EM_X86_64) reader.fail(`is an ELF file for machine ${machine}, not for x86`);
  const entry = wide ? reader.u64big(24, "the entry point") : BigInt(reader.u32(24, "the entry point"));
  const tableOffset = wide ? reader.u64(32, "the program header offset") : reader.u32(28, "the program header offset");
  const entrySize = reader.u16(wide ? 54 : 42, "the program header size");
  const count = reader.u16(wide ? 56 : 44, "the program header count");
  if (count === 0 || count > MAX_PROGRAM_HEADERS) reader.fail(`has ${count} program headers`);
  if (entrySize < (wide ? 56 : 32)) reader.fail(`has program headers of ${entrySize} bytes`);
  reader.need(tableOffset, count * entrySize, "the program header table");

  const segments: ElfSegment[] = [];
  const notes: ElfNote[] = [];
  for (let index = 0; index < count; index++) {
    const at = tableOffset + index * entrySize;
    const what = `program header ${index}`;
    const kind = reader.u32(at, what);
    if (kind !== PT_LOAD && kind !== PT_NOTE) continue;
    const segment: ElfSegment = wide
      ? {
          offset: reader.u64(at + 8, what),
          virtual: reader.u64big(at + 16, what),
          physical: kind === PT_LOAD ? reader.u64(at + 24, what) : 0,
          fileSize: reader.u64(at + 32, what),
          memorySize: reader.u64(at + 40, what),
        }
      : {
          offset: reader.u32(at + 4, what),
          virtual: BigInt(reader.u32(at + 8, what)),
          physical: reader.u32(at + 12, what),
          fileSize: reader.u32(at + 16, what),
          memorySize: reader.u32(at + 20, what),
        };
    reader.need(segment.offset, segment.fileSize, `the segment of program header ${index}`);
    if (kind === PT_NOTE) readNotes(reader, segment, notes);
    else if (segment.memorySize < segment.fileSize) reader.fail(`${what} has more bytes in the file than in memory`);
    else if (!Number.isSafeInteger(segment.physical + segment.memorySize)) reader.fail(`${what} is out of range`);
    else if (segment.memorySize > 0) segments.push(segment);
  }
  if (segments.length === 0) reader.fail("has no segment to load");
  segments.sort((a, b) => a.physical - b.physical);
  for (let index = 1; index < segments.length; index++) {
    const before = segments[index - 1];
    if (segments[index].physical < before.physical + before.memorySize) {
      reader.fail(`has overlapping segments at physical address 0x${segments[index].physical.toString(16)}`);
    }
  }
  return { name: file.name, bytes: file.bytes, bits: wide ? 64 : 32, entry, segments, notes };
}

function readNotes(reader: FileReader, segment: ElfSegment, notes: ElfNote[]): void {
  if (segment.fileSize > MAX_NOTE_BYTES) reader.fail(`has ${segment.fileSize} bytes of notes`);
  const end = segment.offset + segment.fileSize;
  let at = segment.offset;
  while (at + 12 <= end) {
    const nameSize = reader.u32(at, "a note");
    const size = reader.u32(at + 4, "a note");
    const type = reader.u32(at + 8, "a note");
    const nameAt = at + 12;
    const descriptionAt = nameAt + align4(nameSize);
    if (descriptionAt + size > end) reader.fail("has a note that runs over its segment");
    const name = reader.slice(nameAt, nameSize, "a note's name");
    notes.push({
      name: String.fromCharCode(...name.subarray(0, 64)).replace(/\0.*$/s, ""),
      type,
      description: reader.slice(descriptionAt, size, "a note's description"),
    });
    at = descriptionAt + align4(size);
  }
}

function align4(value: number): number {
  return Math.ceil(value / 4) * 4;
}

/**
 * Loads the segments at their physical addresses.
 *
 * @throws BootFileError where a segment is not inside the machine's RAM
 */
export function loadElf(elf: ElfFile, memory: GuestMemory): void {
  for (const { physical, memorySize } of elf.segments) {
    if (!memory.contains(physical, memorySize)) {
      const range = `0x${physical.toString(16)}-0x${(physical + memorySize - 1).toString(16)}`;
      throw new BootFileError(elf.name, `loads at ${range}, which is not RAM of this machine: more memory needed?`);
    }
  }
  for (const { physical, memorySize, offset, fileSize } of elf.segments) {
    const view = memory.writableView(physical, memorySize);
    view.set(elf.bytes.subarray(offset, offset + fileSize));
    view.fill(0, fileSize);
  }
}

/** End of the highest segment. */
export function elfEnd(elf: ElfFile): number {
  const last = elf.segments[elf.segments.length - 1];
  return last.physical + last.memorySize;
}
