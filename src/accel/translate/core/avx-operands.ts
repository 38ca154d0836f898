// Operands of AVX instructions. Sources are handled by their place: a vector register in the state block, guest memory,
// or a copy of the latter where it does not lie in one page at hand.
import { AVX_STAGE, TLB, XMM } from "../layout";
import { AVX_256, AVX_INDEX_SHIFT, AVX_STEP_SHIFT } from "./avx-ops";
import { eaSized } from "./ea";
import { read16, read32, read64, read8, read128, TLB_ADDEND, TLB_READ, TLB_WRITE, tlbEntry, write128 } from "./memory";
import { probeWrite, wrap } from "./mmu";
import { REC_AUX } from "./record";
import { isRegister, regBase, rmBase } from "./sse-operands";

// Registers of the stage, counted from XMM's first.
export const STAGE_A: u32 = (AVX_STAGE - XMM) >> 5;
export const STAGE_B: u32 = STAGE_A + 1;
const STAGE_MEMORY: usize = AVX_STAGE + 64;

// @ts-ignore: decorator
@inline
export function aux(rec: usize): u32 {
  return load<u32>(rec, REC_AUX);
}

// @ts-ignore: decorator
@inline
export function isWide(rec: usize): bool {
  return (aux(rec) & AVX_256) != 0;
}

// @ts-ignore: decorator
@inline
export function step(rec: usize): u32 {
  return (aux(rec) >> AVX_STEP_SHIFT) & 15;
}

/** The place of the register that VEX.vvvv names. */
// @ts-ignore: decorator
@inline
export function vvvvPlace(cpu: usize, rec: usize): usize {
  return cpu + ((<usize>aux(rec) & 15) << 5) + XMM;
}

// @ts-ignore: decorator
@inline
export function regPlace(cpu: usize, rec: usize): usize {
  return regBase(cpu, rec) + XMM;
}

// @ts-ignore: decorator
@inline
export function rmPlace(cpu: usize, rec: usize): usize {
  return rmBase(cpu, rec) + XMM;
}

/** The index register of a VSIB operand. */
export function indexPlace(cpu: usize, rec: usize): usize {
  return cpu + ((<usize>(aux(rec) >> AVX_INDEX_SHIFT) & 15) << 5) + XMM;
}

/** Where `size` bytes of guest memory can be read. */
export function memoryPlace(cpu: usize, linear: u64, size: u32): usize {
  const entry = tlbEntry(load<u32>(cpu, TLB), linear);
  if (((linear + size - 1) & ~0xfff) == load<u64>(entry, TLB_READ)) return <usize>linear + load<u32>(entry, TLB_ADDEND);
  const at = cpu + STAGE_MEMORY;
  switch (size) {
    case 1:
      store<u8>(at, read8(cpu, linear));
      break;
    case 2:
      store<u16>(at, read16(cpu, linear));
      break;
    case 4:
      store<u32>(at, read32(cpu, linear));
      break;
    case 8:
      store<u64>(at, read64(cpu, linear));
      break;
    default:
      v128.store(at, read128(cpu, linear));
      if (size == 32) v128.store(at, read128(cpu, wrap(cpu, linear + 16)), 16);
  }
  return at;
}

/** The rm operand, of `size` bytes in memory. */
// @ts-ignore: decorator
@inline
export function sourcePlace(cpu: usize, rec: usize, size: u32): usize {
  if (isRegister(rec)) return rmPlace(cpu, rec);
  return memoryPlace(cpu, eaSized(cpu, rec, size, 0), size);
}

/** The rm operand of 16 or 32 bytes, by VEX.L. */
// @ts-ignore: decorator
@inline
export function widePlace(cpu: usize, rec: usize): usize {
  return sourcePlace(cpu, rec, isWide(rec) ? 32 : 16);
}

/** Writes 32 bytes; permission for all of them is looked at before any changes. */
export function write256(cpu: usize, linear: u64, low: v128, high: v128): void {
  const entry = tlbEntry(load<u32>(cpu, TLB), linear);
  if (((linear + 31) & ~0xfff) == load<u64>(entry, TLB_WRITE)) {
    const at = <usize>linear + load<u32>(entry, TLB_ADDEND);
    v128.store(at, low);
    v128.store(at, high, 16);
    return;
  }
  probeWrite(cpu, linear, 32);
  write128(cpu, linear, low);
  write128(cpu, wrap(cpu, linear + 16), high);
}

/** The result of 128 bits: the upper half of the register becomes zero. */
// @ts-ignore: decorator
@inline
export function setLow(cpu: usize, rec: usize, value: v128): void {
  const at = regPlace(cpu, rec);
  v128.store(at, value);
  v128.store(at, i64x2.splat(0), 16);
}

// @ts-ignore: decorator
@inline
export function setBoth(cpu: usize, rec: usize, low: v128, high: v128): void {
  const at = regPlace(cpu, rec);
  v128.store(at, low);
  v128.store(at, high, 16);
}
