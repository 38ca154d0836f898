// Operands of SSE and MMX instructions.
import { FS, GPR, GS, SEGMENTS, SEG_BASE, SEG_BYTES, ST, XMM } from "../layout";
import { address, eaSized, effectiveOffset } from "./ea";
import { raiseGP } from "./exceptions";
import { read128, read32, read64 } from "./memory";
import { F_EA_SPECIAL, F_LONG, F_MODREG, REC_FLAGS, REC_IMM, REC_REG, REC_RM, REC_SEG } from "./record";

// @ts-ignore: decorator
@inline
export function isRegister(rec: usize): bool {
  return (load<u8>(rec, REC_FLAGS) & F_MODREG) != 0;
}

// @ts-ignore: decorator
@inline
export function imm8(rec: usize): u32 {
  return load<u8>(rec, REC_IMM);
}

/** What `XMM` is added to for the register that the reg field names. */
// @ts-ignore: decorator
@inline
export function regBase(cpu: usize, rec: usize): usize {
  return cpu + ((<usize>load<u8>(rec, REC_REG)) << 5);
}

// @ts-ignore: decorator
@inline
export function rmBase(cpu: usize, rec: usize): usize {
  return cpu + ((<usize>load<u8>(rec, REC_RM)) << 5);
}

// @ts-ignore: decorator
@inline
export function getReg(cpu: usize, rec: usize): v128 {
  return v128.load(regBase(cpu, rec), XMM);
}

// @ts-ignore: decorator
@inline
export function setReg(cpu: usize, rec: usize, value: v128): void {
  v128.store(regBase(cpu, rec), value, XMM);
}

// @ts-ignore: decorator
@inline
export function getRm(cpu: usize, rec: usize): v128 {
  return v128.load(rmBase(cpu, rec), XMM);
}

/** What `GPR` is added to for the general register that the reg field names. */
// @ts-ignore: decorator
@inline
export function regGpr(cpu: usize, rec: usize): usize {
  return cpu + ((<usize>load<u8>(rec, REC_REG)) << 3);
}

// @ts-ignore: decorator
@inline
export function rmGpr(cpu: usize, rec: usize): usize {
  return cpu + ((<usize>load<u8>(rec, REC_RM)) << 3);
}

/** What `ST` is added to for an MMX register. REX does not reach them. */
// @ts-ignore: decorator
@inline
export function regMmx(cpu: usize, rec: usize): usize {
  return cpu + ((<usize>load<u8>(rec, REC_REG) & 7) << 4);
}

// @ts-ignore: decorator
@inline
export function rmMmx(cpu: usize, rec: usize): usize {
  return cpu + ((<usize>load<u8>(rec, REC_RM) & 7) << 4);
}

/** The linear address of a 16-byte operand that has to be aligned: that is seen before what the segment allows. */
export function alignedAddress(cpu: usize, rec: usize, write: u32): u64 {
  const flags = <u32>load<u8>(rec, REC_FLAGS);
  if ((flags & F_EA_SPECIAL) == 0) {
    const linear = address(cpu, rec);
    if (linear & 15) raiseGP(cpu);
    return linear;
  }
  const segment = <u32>load<u8>(rec, REC_SEG);
  const hasBase = (flags & F_LONG) == 0 || segment == FS || segment == GS;
  const base = hasBase ? load<u64>(cpu + SEGMENTS + segment * SEG_BYTES, SEG_BASE) : 0;
  if ((effectiveOffset(cpu, rec) + base) & 15) raiseGP(cpu);
  return eaSized(cpu, rec, 16, write);
}

/** An XMM register or aligned memory. */
export function source128(cpu: usize, rec: usize): v128 {
  if (isRegister(rec)) return getRm(cpu, rec);
  return read128(cpu, alignedAddress(cpu, rec, 0));
}

/** An XMM register or memory of any alignment. */
export function source128Unaligned(cpu: usize, rec: usize): v128 {
  if (isRegister(rec)) return getRm(cpu, rec);
  return read128(cpu, eaSized(cpu, rec, 16, 0));
}

/** The low half of an XMM register, or memory. */
export function source64(cpu: usize, rec: usize): u64 {
  if (isRegister(rec)) return load<u64>(rmBase(cpu, rec), XMM);
  return read64(cpu, eaSized(cpu, rec, 8, 0));
}

export function source32(cpu: usize, rec: usize): u32 {
  if (isRegister(rec)) return load<u32>(rmBase(cpu, rec), XMM);
  return read32(cpu, eaSized(cpu, rec, 4, 0));
}

export function sourceGpr64(cpu: usize, rec: usize): u64 {
  if (isRegister(rec)) return load<u64>(rmGpr(cpu, rec), GPR);
  return read64(cpu, eaSized(cpu, rec, 8, 0));
}

export function sourceGpr32(cpu: usize, rec: usize): u32 {
  if (isRegister(rec)) return load<u32>(rmGpr(cpu, rec), GPR);
  return read32(cpu, eaSized(cpu, rec, 4, 0));
}

/** An MMX register or memory. */
export function sourceMmx(cpu: usize, rec: usize): u64 {
  if (isRegister(rec)) return load<u64>(rmMmx(cpu, rec), ST);
  return read64(cpu, eaSized(cpu, rec, 8, 0));
}
