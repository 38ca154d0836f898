/**
 * Processor states at the entry of a kernel, for the boot protocols that enter in flat protected mode
 * or in long mode. Intel SDM 3A chapter 10.9 describes the switches that a boot loader would do.
 */
import type { GuestMemory } from "../guest-memory/guest-memory.js";
import type { LocalApicState, SegmentState, VcpuState } from "../vcpu/state.js";

/** Guest-physical addresses of what the loaders leave below 640 KiB. All are below the kernel and free for it to reuse. */
export const BOOT_GDT = 0x6000;
export const BOOT_GDT_END = 0x6030;
export const BOOT_PARAMS = 0x7000;
export const BOOT_STACK_TOP = 0x8ff0;
export const BOOT_PAGE_TABLES = 0x9000;
/** Information structures of PVH and multiboot. */
export const BOOT_INFO = 0x10000;
export const BOOT_INFO_END = 0x20000;
export const BOOT_COMMAND_LINE = 0x20000;
/** The longest command line that fits, with its end. */
export const BOOT_COMMAND_LINE_BYTES = 0x10000;

/** Linux's __BOOT_CS and __BOOT_DS; PVH and multiboot leave the selectors to the loader. */
const CODE_SELECTOR = 0x10;
const DATA_SELECTOR = 0x18;
const TSS_SELECTOR = 0x20;

const CR0_PE = 1n << 0n;
const CR0_ET = 1n << 4n;
const CR0_PG = 1n << 31n;
const CR4_PAE = 1n << 5n;
const EFER = 0xc0000080;
const EFER_LME = 1n << 8n;
const EFER_LMA = 1n << 10n;
const RFLAGS_FIXED = 2n;

/** Registers of the local APIC's page and their fields. Intel SDM 3A 11.5. */
const APIC_SPURIOUS = 0xf;
const APIC_LINT0 = 0x35;
const APIC_LINT1 = 0x36;
const APIC_ENABLED = 0x100;
const DELIVERY_NMI = 0x400;
const DELIVERY_EXTINT = 0x700;

/** Attributes as SegmentState has them: type, S, P, then L, D/B, G. */
const CODE32 = 0xc09b;
const CODE64 = 0xa09b;
const DATA32 = 0xc093;
const TSS_BUSY = 0x008b;

const PAGE_PRESENT = 1n;
const PAGE_WRITABLE = 2n;
const PAGE_LARGE = 0x80n;

/** General registers at entry; those that are not named are 0. */
export interface EntryRegisters {
  rip: bigint;
  rax?: bigint;
  rbx?: bigint;
  rsi?: bigint;
  rsp?: bigint;
}

function descriptor(base: number, limit: number, attributes: number): bigint {
  const scaled = attributes & 0x8000 ? Math.floor(limit / 4096) : limit;
  return (
    BigInt(scaled & 0xffff) |
    (BigInt(base & 0xffffff) << 16n) |
    (BigInt(attributes & 0xff) << 40n) |
    (BigInt((scaled >>> 16) & 0xf) << 48n) |
    (BigInt((attributes >>> 12) & 0xf) << 52n) |
    (BigInt((base >>> 24) & 0xff) << 56n)
  );
}

function writeGdt(memory: GuestMemory, code: number): void {
  const entries = [
    0n,
    0n,
    descriptor(0, 0xffffffff, code),
    descriptor(0, 0xffffffff, DATA32),
    descriptor(0, 0x67, TSS_BUSY),
  ];
  entries.forEach((entry, index) => {
    memory.write64(BOOT_GDT + index * 8, entry);
  });
  memory.write64(BOOT_GDT + 0x28, 0n);
}

/** Identity-maps the first 4 GiB with 2 MiB pages: one PML4, one PDPT, four page directories. */
function writePageTables(memory: GuestMemory): void {
  const pdpt = BOOT_PAGE_TABLES + 0x1000;
  const directories = BOOT_PAGE_TABLES + 0x2000;
  memory.fill(BOOT_PAGE_TABLES, 0x2000, 0);
  memory.write64(BOOT_PAGE_TABLES, BigInt(pdpt) | PAGE_PRESENT | PAGE_WRITABLE);
  for (let index = 0; index < 4; index++) {
    memory.write64(pdpt + index * 8, BigInt(directories + index * 0x1000) | PAGE_PRESENT | PAGE_WRITABLE);
  }
  for (let index = 0; index < 2048; index++) {
    memory.write64(directories + index * 8, (BigInt(index) << 21n) | PAGE_PRESENT | PAGE_WRITABLE | PAGE_LARGE);
  }
}

function segment(selector: number, limit: number, attributes: number): SegmentState {
  return { selector, base: 0n, limit, attributes };
}

/** The local APIC as firmware leaves it: on, with the PIC's INTR at LINT0 and NMI at LINT1. MP specification 1.4, 3.6.2.2. */
export function virtualWire(apic: LocalApicState): LocalApicState {
  const registers = [...apic.registers];
  registers[APIC_SPURIOUS] = APIC_ENABLED | 0xff;
  registers[APIC_LINT0] = DELIVERY_EXTINT;
  registers[APIC_LINT1] = DELIVERY_NMI;
  return { ...apic, registers };
}

function enter(reset: VcpuState, code: number, registers: EntryRegisters): VcpuState {
  const gpr = reset.gpr.map(() => 0n);
  gpr[0] = registers.rax ?? 0n;
  gpr[3] = registers.rbx ?? 0n;
  gpr[4] = registers.rsp ?? 0n;
  gpr[6] = registers.rsi ?? 0n;
  const data = segment(DATA_SELECTOR, 0xffffffff, DATA32);
  return {
    ...reset,
    gpr,
    rip: registers.rip,
    rflags: RFLAGS_FIXED,
    segments: {
      cs: segment(CODE_SELECTOR, 0xffffffff, code),
      ds: data,
      es: data,
      fs: data,
      gs: data,
      ss: data,
      tr: segment(TSS_SELECTOR, 0x67, TSS_BUSY),
      ldtr: { selector: 0, base: 0n, limit: 0, attributes: 0x10000 },
    },
    gdtr: { base: BigInt(BOOT_GDT), limit: 0x27 },
    idtr: { base: 0n, limit: 0 },
    cr0: CR0_PE | CR0_ET,
    cr3: 0n,
    cr4: 0n,
    apic: virtualWire(reset.apic),
    runState: "running",
  };
}

/** The vectors' places in a FACS. ACPI 6.5, table 5.15. */
const FACS_WAKING_VECTOR = 12;
const FACS_EXTENDED_WAKING_VECTOR = 24;

/**
 * The state in which firmware enters an operating system after S3, by the FACS that it filled in: flat protected
 * mode at the extended waking vector where there is one, else real mode at the waking vector. Memory is the guest's:
 * nothing is written.
 *
 * @returns null where no vector was left, or one beyond what the mode can address
 */
export function enterAtWakingVector(memory: GuestMemory, reset: VcpuState, facs: number): VcpuState | null {
  const extended = memory.read64(facs + FACS_EXTENDED_WAKING_VECTOR);
  if (extended !== 0n) {
    if (extended > 0xffff_ffffn) return null;
    return { ...enter(reset, CODE32, { rip: extended }), gdtr: { base: 0n, limit: 0 } };
  }
  const vector = memory.read32(facs + FACS_WAKING_VECTOR);
  if (vector === 0 || vector > 0xf_ffff) return null;
  const selector = vector >>> 4;
  const { segments } = reset;
  const cs = { ...segments.cs, selector, base: BigInt(selector << 4) };
  return { ...reset, rip: BigInt(vector & 15), segments: { ...segments, cs }, apic: virtualWire(reset.apic) };
}

/** Writes a GDT at {@link BOOT_GDT} and gives flat 32-bit protected mode, paging and interrupts off. */
export function enterProtectedMode(memory: GuestMemory, reset: VcpuState, registers: EntryRegisters): VcpuState {
  writeGdt(memory, CODE32);
  return enter(reset, CODE32, registers);
}

/** Writes a GDT and identity page tables for 4 GiB and gives 64-bit mode, interrupts off. */
export function enterLongMode(memory: GuestMemory, reset: VcpuState, registers: EntryRegisters): VcpuState {
  writeGdt(memory, CODE64);
  writePageTables(memory);
  const state = enter(reset, CODE64, registers);
  return {
    ...state,
    cr0: CR0_PE | CR0_ET | CR0_PG,
    cr3: BigInt(BOOT_PAGE_TABLES),
    cr4: CR4_PAE,
    msrs: { ...reset.msrs, [EFER]: EFER_LME | EFER_LMA },
  };
}
