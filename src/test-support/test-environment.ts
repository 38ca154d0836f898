/**
 * Memory and registers of a CPU that is ready for a short program: flat segments, identity paging, an IDT whose
 * handlers only halt. Tests of vCPUs and of machines start their programs from here.
 */
import type { GuestMemory } from "../guest-memory/guest-memory.js";
import type { SegmentState, VcpuState } from "../vcpu/state.js";

/** `compatibility` is 32-bit code under long mode; `protected16` has 16-bit code, data and stack segments. */
export type TestMode = "real" | "protected16" | "protected" | "compatibility" | "long";

/** Where things lie, in guest-physical and, with identity paging, linear addresses. */
export const TEST_LAYOUT = {
  gdt: 0x1000,
  gdtEnd: 0x1800,
  ldt: 0x1800,
  idt: 0x2000,
  tss: 0x3000,
  /** The handler of vector v is a HLT at handlers + 4 * v. */
  handlers: 0x3800,
  pageTables: 0x4000,
  code: 0x8000,
  data: 0xa000,
  stackTop: 0xd000,
  /** Stacks that the TSS names for rings 0, 1 and 2. */
  ringStackTops: [0xe000, 0xe800, 0xf000],
} as const;

/** Selectors of the flat segments, by ring; the first free descriptor for a test's own is `freeGdt`. */
export const TEST_SELECTORS = {
  code: [0x08, 0x19, 0x2a, 0x3b],
  data: [0x10, 0x21, 0x32, 0x43],
  tss: 0x48,
  /** Where the handlers run: 64-bit code in long and compatibility mode, else 32-bit code. */
  handlers: 0x58,
  freeGdt: 0x60,
} as const;

/** How a program finds the CPU. */
export interface TestEnvironment {
  mode: TestMode;
  /** Default 0. */
  ring?: 0 | 1 | 2 | 3;
  /** Default 0. */
  iopl?: number;
  /** In protected mode: identity paging with 32-bit or PAE tables, all pages writable by user code. Default none. */
  paging?: "none" | "32-bit" | "pae";
}

/** The code size of a mode, for `assemble`. */
export function bitsOf(mode: TestMode): 16 | 32 | 64 {
  return mode === "long" ? 64 : mode === "real" || mode === "protected16" ? 16 : 32;
}

/** The state in which a program begins, made from that after reset. The tables must be in memory. */
export function initialState(memory: GuestMemory, reset: VcpuState, environment: TestEnvironment): VcpuState {
  const { mode, ring = 0, iopl = 0, paging = "none" } = environment;
  const state = structuredClone(reset);
  state.rip = BigInt(TEST_LAYOUT.code);
  state.gpr = new Array<bigint>(16).fill(0n);
  state.gpr[4] = BigInt(TEST_LAYOUT.stackTop);
  state.rflags = 2n | BigInt(iopl << 12);
  state.idtr = { base: BigInt(mode === "real" ? 0 : TEST_LAYOUT.idt), limit: mode === "real" ? 0x3ff : 0xfff };
  state.gdtr = { base: BigInt(TEST_LAYOUT.gdt), limit: TEST_LAYOUT.gdtEnd - TEST_LAYOUT.gdt - 1 };
  if (mode === "real") {
    const data = { selector: 0, base: 0n, limit: 0xffff, attributes: 0x93 };
    for (const name of ["es", "ss", "ds", "fs", "gs"] as const) state.segments[name] = { ...data };
    state.segments.cs = { ...data, attributes: 0x9b };
    state.cr0 = 0x10n;
    return state;
  }
  const long = mode === "long" || mode === "compatibility";
  state.segments.cs = segmentOf(memory, TEST_SELECTORS.code[ring] ?? 0);
  for (const name of ["es", "ss", "ds", "fs", "gs"] as const) {
    state.segments[name] = segmentOf(memory, TEST_SELECTORS.data[ring] ?? 0);
  }
  state.segments.tr = { selector: TEST_SELECTORS.tss, base: BigInt(TEST_LAYOUT.tss), limit: 0x67, attributes: 0x8b };
  // PE, MP, ET, NE; OSFXSR, OSXMMEXCPT.
  state.cr0 = 0x33n;
  state.cr4 = 0x600n;
  if (long || paging !== "none") {
    state.cr0 |= 0x8000_0000n | 0x1_0000n;
    state.cr3 = BigInt(TEST_LAYOUT.pageTables);
    state.cr4 |= paging === "32-bit" ? 0x10n : 0x20n;
    for (let index = 0; index < 4; index++) {
      state.pdptrs[index] = memory.read64(TEST_LAYOUT.pageTables + index * 8);
    }
  }
  // SCE, LME, LMA, NXE.
  if (long) state.msrs[0xc0000080] = 0xd01n;
  return state;
}

/** A segment register as loading the selector from the GDT would make it. */
export function segmentOf(memory: GuestMemory, selector: number): SegmentState {
  const descriptor = memory.read64(TEST_LAYOUT.gdt + (selector & 0xfff8));
  const bits = (at: number, count: number) => Number((descriptor >> BigInt(at)) & ((1n << BigInt(count)) - 1n));
  const limit = bits(0, 16) | (bits(48, 4) << 16);
  const granular = bits(55, 1) === 1;
  return {
    selector,
    base: BigInt(bits(16, 24)) | (BigInt(bits(56, 8)) << 24n),
    limit: granular ? ((limit << 12) | 0xfff) >>> 0 : limit,
    // Present and accessed as they would be, else the descriptor's own bits.
    attributes: bits(40, 8) | 1 | (bits(52, 4) << 12),
  };
}

/** Writes GDT, IDT, TSS, handlers and page tables. */
export function writeTables(memory: GuestMemory, { mode, paging }: TestEnvironment): void {
  const long = mode === "long" || mode === "compatibility";
  for (let vector = 0; vector < 256; vector++) {
    const handler = TEST_LAYOUT.handlers + vector * 4;
    // HLT, then a jump back to it.
    memory.write(handler, Uint8Array.of(0xf4, 0xeb, 0xfd));
    setHandler(memory, mode, vector, handler);
  }
  if (mode === "real") return;
  const gdt = TEST_LAYOUT.gdt;
  for (let ring = 0; ring < 4; ring++) {
    const dpl = BigInt(ring) << 45n;
    const flags = mode === "long" ? 0xan : mode === "protected16" ? 0n : 0xcn;
    const code = (flags << 52n) | (mode === "protected16" ? 0n : 0xf_0000_0000_0000n) | 0x9b00_0000_ffffn;
    memory.write64(gdt + (TEST_SELECTORS.code[ring]! & ~7), dpl | code);
    const data = mode === "protected16" ? 0x0000_9300_0000_ffffn : 0x00cf_9300_0000_ffffn;
    memory.write64(gdt + (TEST_SELECTORS.data[ring]! & ~7), dpl | data);
  }
  memory.write64(gdt + TEST_SELECTORS.handlers, long ? 0x00af_9b00_0000_ffffn : 0x00cf_9b00_0000_ffffn);
  memory.write64(gdt + TEST_SELECTORS.tss, 0x0000_8b00_0000_0067n | (BigInt(TEST_LAYOUT.tss) << 16n));
  TEST_LAYOUT.ringStackTops.forEach((top, ring) => {
    if (long) {
      memory.write64(TEST_LAYOUT.tss + 4 + ring * 8, BigInt(top));
    } else {
      memory.write32(TEST_LAYOUT.tss + 4 + ring * 8, top);
      memory.write32(TEST_LAYOUT.tss + 8 + ring * 8, TEST_SELECTORS.data[ring]!);
    }
  });
  // No I/O permission bitmap.
  memory.write16(TEST_LAYOUT.tss + 0x66, 0x68);
  const tables = TEST_LAYOUT.pageTables;
  if (long) {
    memory.write64(tables, BigInt(tables + 0x1000) | 7n);
    memory.write64(tables + 0x1000, BigInt(tables + 0x2000) | 7n);
    memory.write64(tables + 0x1018, BigInt(tables + 0x3000) | 7n);
    for (let index = 0; index < 512; index++) {
      memory.write64(tables + 0x2000 + index * 8, BigInt(index * 0x200000) | 0x87n);
      // The last GiB below 4 GiB, where a PC has its devices.
      memory.write64(tables + 0x3000 + index * 8, BigInt(0xc000_0000 + index * 0x200000) | 0x87n);
    }
  } else if (paging === "pae") {
    memory.write64(tables, BigInt(tables + 0x1000) | 1n);
    for (let index = 0; index < 512; index++) {
      memory.write64(tables + 0x1000 + index * 8, BigInt(index * 0x200000) | 0x87n);
    }
  } else if (paging === "32-bit") {
    for (let index = 0; index < 1024; index++) memory.write32(tables + index * 4, ((index << 22) | 0x87) >>> 0);
  }
}
/** Puts the handler of a vector at `address` in the IDT. */
export function setHandler(memory: GuestMemory, mode: TestMode, vector: number, address: number): void {
  if (mode === "real") {
    memory.write32(vector * 4, address);
    return;
  }
  // A present interrupt gate with DPL 3, to ring 0.
  const at = TEST_LAYOUT.idt + vector * (mode === "long" || mode === "compatibility" ? 16 : 8);
  memory.write32(at, (TEST_SELECTORS.handlers << 16) | address);
  memory.write32(at + 4, 0xee00);
}
