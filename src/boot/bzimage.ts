/**
 * Linux bzImage. Documentation/arch/x86/boot.rst in the kernel's sources describes the setup header,
 * Documentation/arch/x86/zero-page.rst the boot parameters.
 *
 * Host decompression unpacks the payload here and enters the kernel proper, where the kernel's own
 * decompressor would have jumped to. Otherwise the protected-mode part is loaded as it is and entered
 * by the 64-bit (or, for 32-bit kernels, the 32-bit) boot protocol.
 */
import { BootFileError } from "./boot-file-error.js";
import type { BootImage, BootTarget, EntryState, PayloadCache } from "./boot-image.js";
import {
  BOOT_COMMAND_LINE,
  BOOT_COMMAND_LINE_BYTES,
  BOOT_PARAMS,
  BOOT_STACK_TOP,
  enterLongMode,
  enterProtectedMode,
} from "./boot-state.js";
import { decompress } from "./decompress/decompress.js";
import { DecompressError } from "./decompress/output.js";
import { usableEnd } from "./e820.js";
import { type ElfFile, elfEnd, loadElf, parseElf } from "./elf.js";
import { type BootFile, FileReader } from "./file-reader.js";

/** Offsets in the setup header, which are the same in the file and in the boot parameters. */
const SETUP_SECTS = 0x1f1;
const SYSSIZE = 0x1f4;
const BOOT_FLAG = 0x1fe;
const JUMP = 0x200;
const HEADER_MAGIC = 0x202;
const VERSION = 0x206;
const KERNEL_VERSION = 0x20e;
const TYPE_OF_LOADER = 0x210;
const LOADFLAGS = 0x211;
const CODE32_START = 0x214;
const RAMDISK_IMAGE = 0x218;
const RAMDISK_SIZE = 0x21c;
const CMD_LINE_PTR = 0x228;
const INITRD_ADDR_MAX = 0x22c;
const KERNEL_ALIGNMENT = 0x230;
const RELOCATABLE = 0x234;
const XLOADFLAGS = 0x236;
const CMDLINE_SIZE = 0x238;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
const PREF_ADDRESS = 0x258;
const INIT_SIZE = 0x260;

/** Offsets in the boot parameters alone; the first are those of its screen_info. */
const ORIG_VIDEO_MODE = 0x006;
const ORIG_VIDEO_COLS = 0x007;
const ORIG_VIDEO_LINES = 0x00e;
const ORIG_VIDEO_IS_VGA = 0x00f;
const ORIG_VIDEO_POINTS = 0x010;
const EXT_MEM_K = 0x002;
const ACPI_RSDP_ADDR = 0x070;
const ALT_MEM_K = 0x1e0;
const E820_ENTRIES = 0x1e8;
const E820_TABLE = 0x2d0;
const E820_MAX = 128;
const BOOT_PARAMS_BYTES = 0x1000;

const LOADED_HIGH = 0x01;
const KASLR_FLAG = 0x02;
const XLF_KERNEL_64 = 0x01;
/** "Undefined": a loader without an assigned number. */
const LOADER_UNDEFINED = 0xff;
/** Where a kernel that is not relocatable, or prefers nothing, is loaded. */
const HIGH_LOAD_ADDRESS = 0x100000;
/** Where the 64-bit entry point lies behind the start of the protected-mode part. */
const ENTRY64_OFFSET = 0x200;
/** More than any kernel unpacks to. */
const MAX_KERNEL_BYTES = 512 << 20;

interface SetupHeader {
  readonly version: number;
  /** The header's bytes as the file has them, from SETUP_SECTS. */
  readonly raw: Uint8Array;
  readonly protectedOffset: number;
  readonly protectedSize: number;
  readonly is64: boolean;
  readonly initrdMax: number;
  readonly commandLineMax: number;
  readonly loadAddress: number;
  /** Bytes that the kernel needs from its load address before it reads the memory map. */
  readonly initSize: number;
  readonly payloadOffset: number;
  readonly payloadLength: number;
  readonly kernelVersion: string;
}

export function isBzImage(bytes: Uint8Array): boolean {
  return (
    bytes.length > HEADER_MAGIC + 4 &&
    bytes[BOOT_FLAG] === 0x55 &&
    bytes[BOOT_FLAG + 1] === 0xaa &&
    bytes[HEADER_MAGIC] === 0x48 &&
    bytes[HEADER_MAGIC + 1] === 0x64 &&
    bytes[HEADER_MAGIC + 2] === 0x72 &&
    bytes[HEADER_MAGIC + 3] === 0x53
  );
}

function parseSetupHeader(reader: FileReader): SetupHeader {
  const u8 = (offset: number) => reader.u8(offset, "the setup header");
  const u16 = (offset: number) => reader.u16(offset, "the setup header");
  const u32 = (offset: number) => reader.u32(offset, "the setup header");
  if (!isBzImage(reader.bytes)) reader.fail("is not a Linux bzImage");
  const version = u16(VERSION);
  const protocol = `${version >> 8}.${String(version & 0xff).padStart(2, "0")}`;
  if (version < 0x0208) reader.fail(`uses boot protocol ${protocol}; 2.08 (Linux 2.6.26) or later is needed`);
  if (!(u8(LOADFLAGS) & LOADED_HIGH)) reader.fail("is a zImage, which loads below 640 KiB; a bzImage is needed");
  const headerEnd = HEADER_MAGIC + u8(JUMP + 1);
  if (headerEnd < PAYLOAD_LENGTH + 4 || headerEnd > 0x290) {
    reader.fail(`has a setup header that ends at 0x${headerEnd.toString(16)}`);
  }
  const protectedOffset = ((u8(SETUP_SECTS) || 4) + 1) * 512;
  const declared = u32(SYSSIZE) * 16;
  const available = reader.length - protectedOffset;
  if (declared === 0) reader.fail("declares no protected-mode code");
  if (available <= declared - 16) {
    reader.fail(`declares ${protectedOffset + declared} bytes in its header but has ${reader.length}: truncated?`);
  }
  const protectedSize = Math.min(declared, available);
  const payloadOffset = u32(PAYLOAD_OFFSET);
  const payloadLength = u32(PAYLOAD_LENGTH);
  if (payloadOffset + payloadLength > protectedSize)
    reader.fail("has a payload that runs over its protected-mode code");
  const relocatable = u8(RELOCATABLE) !== 0;
  const alignment = u32(KERNEL_ALIGNMENT);
  if (relocatable && (alignment < 4096 || (alignment & (alignment - 1)) !== 0)) {
    reader.fail(`asks for an alignment of ${alignment} bytes`);
  }
  const hasPreference = version >= 0x020a;
  const preferred = hasPreference ? reader.u64(PREF_ADDRESS, "the preferred address") : HIGH_LOAD_ADDRESS;
  if (preferred < HIGH_LOAD_ADDRESS || preferred >= 0x100000000) {
    reader.fail(`prefers to load at 0x${preferred.toString(16)}`);
  }
  return {
    version,
    raw: reader.slice(SETUP_SECTS, headerEnd - SETUP_SECTS, "the setup header"),
    protectedOffset,
    protectedSize,
    is64: version >= 0x020c && (u16(XLOADFLAGS) & XLF_KERNEL_64) !== 0,
    initrdMax: u32(INITRD_ADDR_MAX),
    commandLineMax: u32(CMDLINE_SIZE),
    loadAddress: relocatable ? preferred : HIGH_LOAD_ADDRESS,
    initSize: Math.max(hasPreference ? u32(INIT_SIZE) : 0, protectedSize),
    payloadOffset,
    payloadLength,
    kernelVersion: readVersion(reader),
  };
}

function readVersion(reader: FileReader): string {
  const pointer = reader.u16(KERNEL_VERSION, "the setup header");
  if (pointer === 0) return "unknown version";
  let text = "";
  for (let at = pointer + 0x200; at < reader.length && text.length < 200; at++) {
    const byte = reader.bytes[at];
    if (byte < 0x20 || byte > 0x7e) break;
    text += String.fromCharCode(byte);
  }
  return text === "" ? "unknown version" : text;
}

/** Unpacks the payload: an ELF file, with relocations behind it that matter only to a kernel that moves. */
async function unpackPayload(reader: FileReader, header: SetupHeader, cache?: PayloadCache): Promise<ElfFile> {
  const { payloadOffset, payloadLength, protectedOffset } = header;
  if (payloadLength < 8) reader.fail(`has a payload of ${payloadLength} bytes`);
  const payload = reader.slice(protectedOffset + payloadOffset, payloadLength, "the payload");
  const size = reader.u32(protectedOffset + payloadOffset + payloadLength - 4, "the payload's size");
  if (size > MAX_KERNEL_BYTES) reader.fail(`has a payload that claims to decompress to ${size} bytes`);
  // For gzip the size at the end is gzip's own, for the others the kernel's build appended it.
  const isGzip = payload[0] === 0x1f && payload[1] === 0x8b;
  let bytes: Uint8Array;
  try {
    const cached = (await cache?.load(payload)) ?? null;
    bytes = cached ?? (await decompress(isGzip ? payload : payload.subarray(0, payloadLength - 4), size));
    if (cached === null) await cache?.store(payload, bytes);
  } catch (error) {
    if (!(error instanceof DecompressError)) throw error;
    throw new BootFileError(reader.name, `the kernel's payload ${error.message}`, { cause: error });
  }
  const elf = parseElf({ name: `${reader.name} (payload)`, bytes });
  if (elf.bits !== (header.is64 ? 64 : 32)) reader.fail(`has a payload of ${elf.bits} bits against its own header`);
  const entry = Number(elf.entry);
  const inside = elf.segments.some(({ physical, memorySize }) => entry >= physical && entry < physical + memorySize);
  if (!inside) reader.fail(`has a payload whose entry point 0x${elf.entry.toString(16)} is in no segment`);
  if (elf.segments[0].physical < HIGH_LOAD_ADDRESS) reader.fail("has a payload that loads below 1 MiB");
  return elf;
}

/**
 * Checks a bzImage and unpacks it unless the guest is to do it.
 *
 * @throws BootFileError
 */
export async function prepareBzImage(
  kernel: BootFile,
  options: { initrd?: BootFile; commandLine?: string; hostDecompress?: boolean; payloadCache?: PayloadCache } = {},
): Promise<BootImage> {
  const reader = new FileReader(kernel);
  const header = parseSetupHeader(reader);
  const commandLine = encodeCommandLine(kernel.name, options.commandLine ?? "", header.commandLineMax);
  // Programs other than Linux that use its boot protocol, such as memtest86+, have no payload.
  const unpack = (options.hostDecompress ?? true) && header.payloadLength > 0;
  const elf = unpack ? await unpackPayload(reader, header, options.payloadCache) : null;
  const { initrd } = options;
  if (initrd && initrd.bytes.length === 0) throw new BootFileError(initrd.name, "is empty");
  return {
    kind: "bzimage",
    description: header.kernelVersion,
    rom: null,
    load: (target) => load(target, reader, header, elf, commandLine, initrd),
  };
}

function load(
  target: BootTarget,
  reader: FileReader,
  header: SetupHeader,
  elf: ElfFile | null,
  commandLine: Uint8Array,
  initrd: BootFile | undefined,
): EntryState {
  const { memory } = target;
  const kernelEnd = Math.max(header.loadAddress + header.initSize, elf ? elfEnd(elf) : 0);
  const ramEnd = usableEnd(target.e820, header.loadAddress);
  if (kernelEnd > ramEnd) {
    const needed = Math.ceil(kernelEnd / (1 << 20));
    throw new BootFileError(reader.name, `needs at least ${needed} MiB of RAM`);
  }
  if (elf) loadElf(elf, memory);
  else {
    memory.write(
      header.loadAddress,
      reader.bytes.subarray(header.protectedOffset, header.protectedOffset + header.protectedSize),
    );
  }
  writeBootParams(target, header, commandLine, placeInitrd(target, header, kernelEnd, initrd));
  const entry = elf ? elf.entry : BigInt(header.loadAddress + (header.is64 ? ENTRY64_OFFSET : 0));
  const registers = { rip: entry, rsi: BigInt(BOOT_PARAMS), rsp: BigInt(BOOT_STACK_TOP) };
  return (reset) =>
    header.is64 ? enterLongMode(memory, reset, registers) : enterProtectedMode(memory, reset, registers);
}

/** Puts the initrd as high as the kernel allows, above the kernel. */
function placeInitrd(
  target: BootTarget,
  header: SetupHeader,
  kernelEnd: number,
  initrd: BootFile | undefined,
): { base: number; size: number } {
  if (!initrd) return { base: 0, size: 0 };
  const size = initrd.bytes.length;
  const end = Math.min(usableEnd(target.e820, HIGH_LOAD_ADDRESS), header.initrdMax + 1);
  const base = Math.floor((end - size) / 4096) * 4096;
  if (base < kernelEnd) {
    const needed = Math.ceil((kernelEnd + size) / (1 << 20)) + 1;
    throw new BootFileError(
      initrd.name,
      `does not fit: ${size} bytes between the kernel's end and 0x${end.toString(16)}; with this kernel it needs at least ${needed} MiB of RAM`,
    );
  }
  target.memory.write(base, initrd.bytes);
  return { base, size };
}

function writeBootParams(
  target: BootTarget,
  header: SetupHeader,
  commandLine: Uint8Array,
  initrd: { base: number; size: number },
): void {
  const { memory, e820 } = target;
  memory.fill(BOOT_PARAMS, BOOT_PARAMS_BYTES, 0);
  memory.write(BOOT_PARAMS + SETUP_SECTS, header.raw);
  const put8 = (offset: number, value: number) => memory.write8(BOOT_PARAMS + offset, value);
  const put32 = (offset: number, value: number) => memory.write32(BOOT_PARAMS + offset, value);
  put8(TYPE_OF_LOADER, LOADER_UNDEFINED);
  put8(LOADFLAGS, memory.read8(BOOT_PARAMS + LOADFLAGS) & ~KASLR_FLAG);
  put32(CODE32_START, header.loadAddress);
  put32(RAMDISK_IMAGE, initrd.base);
  put32(RAMDISK_SIZE, initrd.size);
  if (target.textMode) {
    put8(ORIG_VIDEO_MODE, 3);
    put8(ORIG_VIDEO_COLS, 80);
    put8(ORIG_VIDEO_LINES, 25);
    put8(ORIG_VIDEO_IS_VGA, 1);
    put8(ORIG_VIDEO_POINTS, 16);
  }
  memory.write(BOOT_COMMAND_LINE, commandLine);
  put32(CMD_LINE_PTR, BOOT_COMMAND_LINE);
  if (header.version >= 0x020e) memory.write64(BOOT_PARAMS + ACPI_RSDP_ADDR, BigInt(target.rsdp));

  const highKib = Math.floor((usableEnd(e820, HIGH_LOAD_ADDRESS) - HIGH_LOAD_ADDRESS) / 1024);
  memory.write16(BOOT_PARAMS + EXT_MEM_K, Math.min(highKib, 0xffff));
  put32(ALT_MEM_K, highKib);
  const entries = e820.slice(0, E820_MAX);
  put8(E820_ENTRIES, entries.length);
  entries.forEach((entry, index) => {
    const at = BOOT_PARAMS + E820_TABLE + index * 20;
    memory.write64(at, BigInt(entry.base));
    memory.write64(at + 8, BigInt(entry.size));
    memory.write32(at + 16, entry.type);
  });
}

/** The command line with its end, checked against what kernel and loader can take. */
function encodeCommandLine(kernelName: string, text: string, kernelMax: number): Uint8Array {
  const bytes = new TextEncoder().encode(`${text}\0`);
  const max = Math.min(kernelMax || 255, BOOT_COMMAND_LINE_BYTES - 1);
  if (bytes.length - 1 > max) {
    throw new BootFileError(kernelName, `takes a command line of at most ${max} bytes, not ${bytes.length - 1}`);
  }
  if (bytes.indexOf(0) !== bytes.length - 1) throw new BootFileError(kernelName, "got a command line with a zero byte");
  return bytes;
}
