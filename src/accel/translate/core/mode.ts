// State that follows from control registers, CS, SS and CPL: the MODE word, the TLB in use, and whether
// x87 and SSE are usable.
import {
  AVX_BLOCKED, CPL, CR0, CR4, CS, DS, FPU_BLOCKED, INTERRUPT_CHECK, LINEAR_BITS, MODE, MSR_EFER, RFLAGS, SEG_ATTR, SEG_BASE, SEG_BYTES,
  SEG_LIMIT, SEGMENTS, SS, SSE_BLOCKED, XCR0,
} from "../layout";
import { NM, UD } from "./exceptions";
import { VM } from "./flags";
import { selectTlb } from "./mmu";
import { MODE_16, MODE_32, MODE_64, MODE_CS_LIMITED, MODE_FLAT, MODE_REAL, MODE_SIZE, MODE_STACK32 } from "./mode-bits";
import {
  ATTR_CODE, ATTR_DB, ATTR_DOWN, ATTR_DPL_SHIFT, ATTR_L, ATTR_S, ATTR_UNUSABLE, ATTR_WRITABLE,
} from "./segment-bits";

export const CR0_PE: u64 = 1;
export const CR0_MP: u64 = 1 << 1;
export const CR0_EM: u64 = 1 << 2;
export const CR0_TS: u64 = 1 << 3;
export const CR0_ET: u64 = 1 << 4;
export const CR0_NE: u64 = 1 << 5;
export const CR0_WP: u64 = 1 << 16;
export const CR0_AM: u64 = 1 << 18;
export const CR0_NW: u64 = 1 << 29;
export const CR0_CD: u64 = 1 << 30;
export const CR0_PG: u64 = 1 << 31;
export const CR4_VME: u64 = 1;
export const CR4_PVI: u64 = 1 << 1;
export const CR4_TSD: u64 = 1 << 2;
export const CR4_DE: u64 = 1 << 3;
export const CR4_PSE: u64 = 1 << 4;
export const CR4_PAE: u64 = 1 << 5;
export const CR4_MCE: u64 = 1 << 6;
export const CR4_PGE: u64 = 1 << 7;
export const CR4_PCE: u64 = 1 << 8;
export const CR4_OSFXSR: u64 = 1 << 9;
export const CR4_OSXMMEXCPT: u64 = 1 << 10;
export const CR4_UMIP: u64 = 1 << 11;
export const CR4_LA57: u64 = 1 << 12;
export const CR4_FSGSBASE: u64 = 1 << 16;
export const CR4_PCIDE: u64 = 1 << 17;
export const CR4_OSXSAVE: u64 = 1 << 18;
export const CR4_SMEP: u64 = 1 << 20;
export const CR4_SMAP: u64 = 1 << 21;
export const CR4_PKE: u64 = 1 << 22;
export const CR4_PKS: u64 = 1 << 24;
/** SSE and AVX state: what AVX instructions need. */
export const XCR0_AVX: u64 = 6;
export const EFER_SCE: u64 = 1;
export const EFER_LME: u64 = 1 << 8;
export const EFER_LMA: u64 = 1 << 10;
export const EFER_NXE: u64 = 1 << 11;
export const EFER_FFXSR: u64 = 1 << 14;

export function isProtected(cpu: usize): bool {
  return (load<u64>(cpu, CR0) & CR0_PE) != 0;
}

/** Real or virtual-8086 mode: segments are 16 times their selectors, and have no descriptors. */
export function usesRealSegments(cpu: usize): bool {
  return !isProtected(cpu) || (load<u64>(cpu, RFLAGS) & VM) != 0;
}

/** Long mode is active, in its 64-bit or its compatibility submode. */
export function isLongMode(cpu: usize): bool {
  return (load<u64>(cpu, MSR_EFER) & EFER_LMA) != 0;
}

/** 64-bit mode: long mode with a 64-bit code segment. */
export function is64(cpu: usize): bool {
  return (load<u32>(cpu, MODE) & 3) == MODE_64;
}

/** Recomputes what follows from CR0, CR4, EFER, CS, SS, CPL and RFLAGS. Cheap, and called after each change of these. */
export function refreshMode(cpu: usize): void {
  const code = load<u32>(cpu, SEGMENTS + CS * SEG_BYTES + SEG_ATTR);
  let mode = MODE_16;
  if (isLongMode(cpu) && (code & ATTR_L) != 0) {
    mode = MODE_64;
  } else {
    if (code & ATTR_DB) mode = MODE_32;
    if (usesRealSegments(cpu)) mode |= MODE_REAL;
    if (load<u32>(cpu, SEGMENTS + SS * SEG_BYTES + SEG_ATTR) & ATTR_DB) mode |= MODE_STACK32;
    const base = load<u64>(cpu, SEGMENTS + CS * SEG_BYTES + SEG_BASE);
    if (base != 0 || load<u32>(cpu, SEGMENTS + CS * SEG_BYTES + SEG_LIMIT) != 0xffffffff) mode |= MODE_CS_LIMITED;
    if (mode == (MODE_32 | MODE_STACK32) && isFlat(cpu, DS) && isFlat(cpu, SS)) mode |= MODE_FLAT;
  }
  store<u32>(cpu, mode, MODE);
  selectTlb(cpu);
}

/** After a change of ES, DS, FS or GS. */
export function dataSegmentChanged(cpu: usize): void {
  if ((load<u32>(cpu, MODE) & MODE_SIZE) != MODE_64) refreshMode(cpu);
}

// A writable data segment of 4 GiB from 0.
function isFlat(cpu: usize, number: u32): bool {
  const at = cpu + SEGMENTS + number * SEG_BYTES;
  const attributes = load<u32>(at, SEG_ATTR) & (ATTR_UNUSABLE | ATTR_S | ATTR_CODE | ATTR_DOWN | ATTR_WRITABLE);
  return attributes == (ATTR_S | ATTR_WRITABLE) && load<u64>(at, SEG_BASE) == 0 && load<u32>(at, SEG_LIMIT) == 0xffffffff;
}

/** Recomputes what CR0, CR4 and XCR0 say of x87, SSE and AVX. */
export function refreshFpu(cpu: usize): void {
  const cr0 = load<u64>(cpu, CR0);
  const switched = (cr0 & CR0_TS) != 0;
  const emulated = (cr0 & CR0_EM) != 0;
  store<u32>(cpu, switched || emulated ? NM : 0, FPU_BLOCKED);
  const off = emulated || (load<u64>(cpu, CR4) & CR4_OSFXSR) == 0;
  store<u32>(cpu, off ? UD : switched ? NM : 0, SSE_BLOCKED);
  const avx = (load<u64>(cpu, CR4) & CR4_OSXSAVE) != 0 && (load<u64>(cpu, XCR0) & XCR0_AVX) == XCR0_AVX;
  store<u32>(cpu, !avx ? UD : switched ? NM : 0, AVX_BLOCKED);
}

/** The width of canonical addresses follows from CR4.LA57. */
export function refreshLinearBits(cpu: usize): void {
  store<u32>(cpu, (load<u64>(cpu, CR4) & CR4_LA57) != 0 ? 57 : 48, LINEAR_BITS);
}

/** CPL from SS, or 3 in virtual-8086 mode and 0 in real mode. After the host wrote the state. */
export function refreshAll(cpu: usize): void {
  let cpl: u32 = 0;
  if (isProtected(cpu)) {
    if (load<u64>(cpu, RFLAGS) & VM) cpl = 3;
    else cpl = (load<u32>(cpu, SEGMENTS + SS * SEG_BYTES + SEG_ATTR) >> ATTR_DPL_SHIFT) & 3;
  }
  store<u32>(cpu, cpl, CPL);
  refreshLinearBits(cpu);
  refreshFpu(cpu);
  refreshMode(cpu);
  store<u32>(cpu, 1, INTERRUPT_CHECK);
}
