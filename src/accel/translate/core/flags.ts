// RFLAGS. The arithmetic flags are lazy: the last instruction that set them leaves its result and
// operands (masked to the operand size), and CC_OP says how they determine the flags. Instructions with
// flags that do not follow this way set them at once (CC_OP 0, flags in RFLAGS).
import { CC_OP, CC_RESULT, CC_SRC1, CC_SRC2, RFLAGS } from "../layout";

export const CF: u64 = 0x1;
export const PF: u64 = 0x4;
export const AF: u64 = 0x10;
export const ZF: u64 = 0x40;
export const SF: u64 = 0x80;
export const TF: u64 = 0x100;
export const IF: u64 = 0x200;
export const DF: u64 = 0x400;
export const OF: u64 = 0x800;
export const IOPL: u64 = 0x3000;
export const NT: u64 = 0x4000;
export const RF: u64 = 0x10000;
export const VM: u64 = 0x20000;
export const AC: u64 = 0x40000;
export const VIF: u64 = 0x80000;
export const VIP: u64 = 0x100000;
export const ID: u64 = 0x200000;
export const ARITHMETIC: u64 = CF | PF | AF | ZF | SF | OF;

// CC_OP: kind << 2 | log2 of the operand size in bytes. 0: nothing is lazy.
export const CC_ADD: u32 = 1; // also ADC
export const CC_SUB: u32 = 2; // SUB, CMP, NEG: no borrow in
export const CC_SBB: u32 = 3;
export const CC_LOGIC: u32 = 4;
export const CC_INC: u32 = 5; // CC_SRC1: the old carry
export const CC_DEC: u32 = 6;
export const CC_EXPLICIT: u32 = 7; // CC_SRC1: CF; CC_SRC2: OF in bit 0, AF in bit 4; the others follow from the result

// @ts-ignore: decorator
@inline
export function sizeLog<T>(): u32 {
  return sizeof<T>() == 1 ? 0 : sizeof<T>() == 2 ? 1 : sizeof<T>() == 4 ? 2 : 3;
}

// @ts-ignore: decorator
@inline
export function setLazy(cpu: usize, op: u32, result: u64, source1: u64, source2: u64): void {
  store<u64>(cpu, result, CC_RESULT);
  store<u64>(cpu, source1, CC_SRC1);
  store<u64>(cpu, source2, CC_SRC2);
  store<u32>(cpu, op, CC_OP);
}

// @ts-ignore: decorator
@inline
export function setLazyResult(cpu: usize, op: u32, result: u64): void {
  store<u64>(cpu, result, CC_RESULT);
  store<u32>(cpu, op, CC_OP);
}

// @ts-ignore: decorator
@inline
export function parity(result: u64): u64 {
  return (popcnt<u32>(<u32>result & 0xff) & 1) == 0 ? PF : 0;
}

function carry(cpu: usize, kind: u32, top: u32): u64 {
  const a = load<u64>(cpu, CC_SRC1);
  const b = load<u64>(cpu, CC_SRC2);
  const r = load<u64>(cpu, CC_RESULT);
  switch (kind) {
    case CC_ADD:
      return (((a & b) | ((a | b) & ~r)) >> top) & 1;
    case CC_SUB:
      return u64(a < b);
    case CC_SBB:
      return (((~a & b) | ((~a | b) & r)) >> top) & 1;
    case CC_INC:
    case CC_DEC:
    case CC_EXPLICIT:
      return a;
    default:
      return 0;
  }
}

function overflow(cpu: usize, kind: u32, top: u32): u64 {
  const a = load<u64>(cpu, CC_SRC1);
  const b = load<u64>(cpu, CC_SRC2);
  const r = load<u64>(cpu, CC_RESULT);
  switch (kind) {
    case CC_ADD:
      return (((a ^ r) & (b ^ r)) >> top) & 1;
    case CC_SUB:
    case CC_SBB:
      return (((a ^ b) & (a ^ r)) >> top) & 1;
    case CC_INC:
      return u64(r == <u64>1 << top);
    case CC_DEC:
      return u64(r == (<u64>1 << top) - 1);
    case CC_EXPLICIT:
      return b & 1;
    default:
      return 0;
  }
}

// AF, as the RFLAGS bit.
function auxiliary(cpu: usize, kind: u32): u64 {
  const b = load<u64>(cpu, CC_SRC2);
  const r = load<u64>(cpu, CC_RESULT);
  switch (kind) {
    case CC_ADD:
    case CC_SUB:
    case CC_SBB:
      return (load<u64>(cpu, CC_SRC1) ^ b ^ r) & AF;
    case CC_INC:
      return (r & 15) == 0 ? AF : 0;
    case CC_DEC:
      return (r & 15) == 15 ? AF : 0;
    case CC_EXPLICIT:
      return b & AF;
    default:
      return 0;
  }
}

/** The arithmetic flags now, as RFLAGS bits. */
export function arithmeticFlags(cpu: usize): u64 {
  const op = load<u32>(cpu, CC_OP);
  if (op == 0) return load<u64>(cpu, RFLAGS) & ARITHMETIC;
  const kind = op >> 2;
  const top: u32 = (8 << (op & 3)) - 1;
  const r = load<u64>(cpu, CC_RESULT);
  let flags = carry(cpu, kind, top) | (overflow(cpu, kind, top) << 11) | parity(r);
  if (r == 0) flags |= ZF;
  if ((r >> top) & 1) flags |= SF;
  return flags | auxiliary(cpu, kind);
}

/** All of RFLAGS. Materializes the lazy flags. */
export function getFlags(cpu: usize): u64 {
  if (load<u32>(cpu, CC_OP) != 0) setArith(cpu, arithmeticFlags(cpu));
  return load<u64>(cpu, RFLAGS);
}

/** Replaces RFLAGS. The caller has decided which bits may change; bit 1 is always set, reserved bits never. */
export function setFlags(cpu: usize, value: u64): void {
  store<u64>(cpu, (value & 0x3f7fd7) | 2, RFLAGS);
  store<u32>(cpu, 0, CC_OP);
}

/** Sets CF PF AF ZF SF OF to those of `flags`. */
// @ts-ignore: decorator
@inline
export function setArith(cpu: usize, flags: u64): void {
  store<u64>(cpu, (load<u64>(cpu, RFLAGS) & ~ARITHMETIC) | flags, RFLAGS);
  store<u32>(cpu, 0, CC_OP);
}

export function materializeFlags(cpu: usize): void {
  getFlags(cpu);
}

/** CF as 0 or 1. */
export function carryFlag(cpu: usize): u64 {
  const op = load<u32>(cpu, CC_OP);
  if (op == 0) return load<u64>(cpu, RFLAGS) & CF;
  return carry(cpu, op >> 2, (8 << (op & 3)) - 1);
}

/** Sets CF and OF (each 0 or 1), and leaves the other flags as they are. */
export function replaceCarryAndOverflow(cpu: usize, carryBit: u64, overflowBit: u64): void {
  const op = load<u32>(cpu, CC_OP);
  if (op == 0) {
    store<u64>(cpu, (load<u64>(cpu, RFLAGS) & ~(CF | OF)) | carryBit | (overflowBit << 11), RFLAGS);
    return;
  }
  store<u64>(cpu, overflowBit | auxiliary(cpu, op >> 2), CC_SRC2);
  store<u64>(cpu, carryBit, CC_SRC1);
  store<u32>(cpu, (CC_EXPLICIT << 2) | (op & 3), CC_OP);
}

/** Sets CF (0 or 1), and leaves the other flags as they are. */
export function replaceCarry(cpu: usize, carryBit: u64): void {
  const op = load<u32>(cpu, CC_OP);
  if (op == 0) store<u64>(cpu, (load<u64>(cpu, RFLAGS) & ~CF) | carryBit, RFLAGS);
  else replaceCarryAndOverflow(cpu, carryBit, overflow(cpu, op >> 2, (8 << (op & 3)) - 1));
}

/** Condition 0-15 as in the low four bits of Jcc, SETcc and CMOVcc. */
export function condition(cpu: usize, code: u32): bool {
  return bool(u32(evaluate(cpu, code >> 1)) ^ (code & 1));
}

function evaluate(cpu: usize, pair: u32): bool {
  const op = load<u32>(cpu, CC_OP);
  if (op == 0) {
    const flags = load<u64>(cpu, RFLAGS);
    switch (pair) {
      case 0:
        return (flags & OF) != 0;
      case 1:
        return (flags & CF) != 0;
      case 2:
        return (flags & ZF) != 0;
      case 3:
        return (flags & (CF | ZF)) != 0;
      case 4:
        return (flags & SF) != 0;
      case 5:
        return (flags & PF) != 0;
      case 6:
        return (flags & SF) << 4 != (flags & OF);
      default:
        return (flags & ZF) != 0 || (flags & SF) << 4 != (flags & OF);
    }
  }
  const kind = op >> 2;
  const top: u32 = (8 << (op & 3)) - 1;
  const r = load<u64>(cpu, CC_RESULT);
  switch (pair) {
    case 0:
      return overflow(cpu, kind, top) != 0;
    case 1:
      return carry(cpu, kind, top) != 0;
    case 2:
      return r == 0;
    case 3:
      return r == 0 || carry(cpu, kind, top) != 0;
    case 4:
      return ((r >> top) & 1) != 0;
    case 5:
      return parity(r) != 0;
    case 6:
      return ((r >> top) & 1) != overflow(cpu, kind, top);
    default:
      return r == 0 || ((r >> top) & 1) != overflow(cpu, kind, top);
  }
}
