/**
 * Where a lockstep program's parts lie. RAM is small; every 2 MiB of the linear address space show it through the same
 * page table, so that each address has aliases and a wild pointer mostly hits something.
 */
import type { CodeBits } from "./program.js";

export const PAGE = 4096;
export const RAM_BYTES = 0xe0000;

// ---- Guest-physical addresses, and with the identity half of the window the kernel's linear ones.
export const GDT = 0x1000;
export const IDT = 0x2000;
export const TSS = 0x3000;
export const KERNEL_CODE = 0x4000;
export const STUBS = 0x5000;
export const STUB_BYTES = 16;
/** The kernel's variables: see `KERNEL`. */
export const KERNEL_DATA = 0x6000;
export const KERNEL_STACK = 0x9000;
/** Another one for SYSCALL, and one for double faults. */
export const SYSCALL_STACK = 0x9800;
export const FAULT_STACK = 0xa000;
/** Page tables of the two address spaces: four levels of one page each. */
export const TABLES = 0x10000;
export const TABLES_BYTES = 0x4000;
export const DATA_AT = 0x30000;
export const STACK_AT = 0x40000;
/** For each byte of code the offset of the instruction behind it, or 0: where a handler goes on after a fault. */
export const SKIP_AT = 0x50000;
/** Programs have their code in turn here: a page that has just changed is not translated soon. */
export const CODE_PLACES = 16;
const FIRST_CODE = 0x60000;

export const KERNEL = {
  /** A hash of all events so far. */
  log: KERNEL_DATA,
  /** Events so far, and how many are too many. */
  count: KERNEL_DATA + 0x08,
  limit: KERNEL_DATA + 0x0c,
  /** Single steps after which the handler clears TF. */
  steps: KERNEL_DATA + 0x10,
  /** 1 once the program has come to its end. */
  ended: KERNEL_DATA + 0x14,
  savedStack: KERNEL_DATA + 0x18,
  /** Where the code lies, and in real mode its segment. */
  code: KERNEL_DATA + 0x20,
  codeSegment: KERNEL_DATA + 0x24,
  /** A byte a page of the window: whether a page fault maps it or skips the instruction. */
  repair: KERNEL_DATA + 0x200,
} as const;

// ---- Offsets in the window of 2 MiB.
/** 32 KiB of code, twice; the address must be aligned on their size. */
export const CODE = 0x100000;
export const CODE_BYTES = 0x8000;
export const ALIAS = CODE + CODE_BYTES;
/** Eight writable pages. */
export const DATA = 0x110000;
export const DATA_BYTES = 0x8000;
/** Pages that not everybody may write to or read: read-only, supervisor, not present, not executable. */
export const SPECIAL = 0x118000;
export const SPECIAL_BYTES = 0x4000;
export const STACK = 0x120000;
export const STACK_BYTES = 0x4000;
/** A device's page; and one that is neither RAM nor a device's. */
export const DEVICE = 0x130000;
export const DEVICE_GPA = 0xfed0_0000;
export const APIC = 0x1fe000;
export const WINDOW = 0x200000;

export const FS_BASE = DATA + 0x800;
export const GS_BASE = DATA + 0x1400;

// ---- Selectors.
export const KERNEL_CS = 0x08;
export const KERNEL_SS = 0x10;
/** SYSRET takes this, and adds to it. */
export const USER32_CS = 0x1b;
export const USER_SS = 0x23;
export const USER64_CS = 0x2b;
export const TSS_SELECTOR = 0x30;
export const FS_SELECTOR = 0x43;
export const GS_SELECTOR = 0x4b;
export const GDT_LIMIT = 0x4f;

export const SERVICE_VECTOR = 0x80;
export const END_VECTOR = 0xf0;

/** Guest-physical address of a program's code. */
export function codeAt(seed: number): number {
  return FIRST_CODE + (seed % CODE_PLACES) * CODE_BYTES;
}

/**
 * What the window's page `index` shows in the first address space (`second`: in the other), as a page-table entry.
 * `code` is where the code lies.
 */
export function windowEntry(index: number, second: boolean, code: number): bigint {
  const offset = index * PAGE;
  const within = (start: number, bytes: number) => offset >= start && offset < start + bytes;
  const entry = (address: number, bits: bigint) => BigInt(address) | bits;
  if (within(0, RAM_BYTES)) return entry(offset, 3n);
  if (within(CODE, 2 * CODE_BYTES)) return entry(code + (offset % CODE_BYTES), 7n);
  if (within(DATA, DATA_BYTES)) {
    // The second address space has the first four pages in another order.
    const page = (offset - DATA) / PAGE;
    return entry(DATA_AT + (second && page < 4 ? page ^ 3 : page) * PAGE, 7n);
  }
  if (within(SPECIAL, SPECIAL_BYTES)) {
    const page = (offset - SPECIAL) / PAGE;
    return entry(DATA_AT + DATA_BYTES + page * PAGE, [5n, 3n, 6n, 7n][page]!);
  }
  if (within(STACK, STACK_BYTES)) return entry(STACK_AT + offset - STACK, 7n);
  if (offset === DEVICE) return entry(DEVICE_GPA, 7n);
  if (offset === APIC) return entry(0xfee0_0000, 3n);
  return 0n;
}

/** Where linear addresses begin: 2 MiB aligned. */
export function bases(bits: CodeBits): readonly bigint[] {
  if (bits === 64) return [0n, 0x5555_5540_0000n, 0x7fff_f7c0_0000n, 0xffff_8880_0000_0000n, 0xffff_ffff_8100_0000n];
  return [0n, 0x0800_0000n, 0xbfe0_0000n, 0xc000_0000n];
}
