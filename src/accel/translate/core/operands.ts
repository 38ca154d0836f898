// Operands whose size (1, 2, 4 or 8 bytes) is known when the instruction runs: for operations that are not
// worth a case of their own for each size.
import { effectiveOffset, eaSized, truncateOffset } from "./ea";
import {
  read8, read16, read32, read64, rmw8, rmw16, rmw32, rmw64, write8, write16, write32, write64,
} from "./memory";
import { F_EA_SPECIAL, F_MODREG, REC_ASIZE, REC_FLAGS, REC_OSIZE, REC_REG, REC_RM, REC_SEG } from "./record";
import { segmentLinear } from "./segments";

export const RAX: u32 = 0;
export const RCX: u32 = 1 << 3;
export const RDX: u32 = 2 << 3;
export const RBX: u32 = 3 << 3;
export const RSP: u32 = 4 << 3;
export const RBP: u32 = 5 << 3;
export const RSI: u32 = 6 << 3;
export const RDI: u32 = 7 << 3;

// @ts-ignore: decorator
@inline
export function maskOf(size: u32): u64 {
  return ~(<u64>0) >> (64 - (size << 3));
}

// @ts-ignore: decorator
@inline
export function logOf(size: u32): u32 {
  return ctz<u32>(size);
}

/** The value of `size` bytes as a signed number. */
// @ts-ignore: decorator
@inline
export function signExtend(value: u64, size: u32): i64 {
  const unused = <i64>(64 - (size << 3));
  return (<i64>value << unused) >> unused;
}

/** Bit `top` of a value whose highest bit that is: its sign. */
// @ts-ignore: decorator
@inline
export function signBit(value: u64, size: u32): u64 {
  return (value >> ((size << 3) - 1)) & 1;
}

export function readSized(cpu: usize, linear: u64, size: u32): u64 {
  if (size == 8) return read64(cpu, linear);
  if (size == 4) return <u64>read32(cpu, linear);
  if (size == 2) return <u64>read16(cpu, linear);
  return <u64>read8(cpu, linear);
}

/** The read of a read-modify-write; writeSized of the same place follows. */
export function rmwSized(cpu: usize, linear: u64, size: u32): u64 {
  if (size == 8) return rmw64(cpu, linear);
  if (size == 4) return <u64>rmw32(cpu, linear);
  if (size == 2) return <u64>rmw16(cpu, linear);
  return <u64>rmw8(cpu, linear);
}

export function writeSized(cpu: usize, linear: u64, size: u32, value: u64): void {
  if (size == 8) write64(cpu, linear, value);
  else if (size == 4) write32(cpu, linear, <u32>value);
  else if (size == 2) write16(cpu, linear, <u16>value);
  else write8(cpu, linear, <u8>value);
}

/** A register operand by its offset in the state block. */
export function getReg(cpu: usize, at: u32, size: u32): u64 {
  if (size == 8) return load<u64>(cpu + at);
  if (size == 4) return <u64>load<u32>(cpu + at);
  if (size == 2) return <u64>load<u16>(cpu + at);
  return <u64>load<u8>(cpu + at);
}

/** 32-bit results clear the upper half; smaller ones leave the rest alone. */
export function putReg(cpu: usize, at: u32, size: u32, value: u64): void {
  if (size == 8) store<u64>(cpu + at, value);
  else if (size == 4) store<u64>(cpu + at, value & 0xffffffff);
  else if (size == 2) store<u16>(cpu + at, <u16>value);
  else store<u8>(cpu + at, <u8>value);
}

// @ts-ignore: decorator
@inline
export function sizeOf(rec: usize): u32 {
  return <u32>load<u8>(rec, REC_OSIZE);
}
// @ts-ignore: decorator
@inline
export function isRegister(rec: usize): bool {
  return (load<u8>(rec, REC_FLAGS) & F_MODREG) != 0;
}
// @ts-ignore: decorator
@inline
export function regOf(rec: usize): u32 {
  return <u32>load<u8>(rec, REC_REG);
}
// @ts-ignore: decorator
@inline
export function rmOf(rec: usize): u32 {
  return <u32>load<u8>(rec, REC_RM);
}

/** The rm operand, register or memory, read. */
export function readRm(cpu: usize, rec: usize, size: u32): u64 {
  if (isRegister(rec)) return getReg(cpu, rmOf(rec), size);
  return readSized(cpu, eaSized(cpu, rec, size, 0), size);
}

/** The linear address of a memory operand at `offset` instead of where its ModRM byte says. */
export function linearAt(cpu: usize, rec: usize, offset: u64, size: u32, write: u32): u64 {
  const truncated = truncateOffset(offset, <u32>load<u8>(rec, REC_ASIZE));
  if ((load<u8>(rec, REC_FLAGS) & F_EA_SPECIAL) == 0) return truncated;
  return segmentLinear(cpu, <u32>load<u8>(rec, REC_SEG), truncated, size, write);
}

/** The linear address of a memory operand, `distance` bytes further. */
export function linearPast(cpu: usize, rec: usize, distance: i64, size: u32, write: u32): u64 {
  return linearAt(cpu, rec, effectiveOffset(cpu, rec) + <u64>distance, size, write);
}
