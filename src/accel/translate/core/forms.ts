// What the main loop's cases are made of. Nothing here calls a function that is not inlined, and nothing can
// fault: what may goes to general.ts.
import { BLOCK_RIP, CC_OP, CC_RESULT, CC_SRC1, CC_SRC2, GPR, RFLAGS } from "../layout";
import { logic, put } from "./alu";
import {
  CC_ADD, CC_EXPLICIT, CC_INC, CC_LOGIC, CC_SUB, CF, SF, ZF, setLazy, sizeLog,
} from "./flags";
import { TLB_ADDEND } from "./memory";
import { REC_IPOFF, REC_LEN, REC_REG, REC_RM } from "./record";

export const RCX: usize = GPR + 8;
export const RDX: usize = GPR + 2 * 8;
export const RSP: usize = GPR + 4 * 8;
export const RBP: usize = GPR + 5 * 8;

// ---- Operands.

// @ts-ignore: decorator
@inline
export function rmAt(cpu: usize, rec: usize): usize {
  return cpu + load<u8>(rec, REC_RM);
}
// @ts-ignore: decorator
@inline
export function reg<T>(cpu: usize, rec: usize): T {
  return load<T>(cpu + load<u8>(rec, REC_REG));
}
// @ts-ignore: decorator
@inline
export function rm<T>(cpu: usize, rec: usize): T {
  return load<T>(rmAt(cpu, rec));
}
// @ts-ignore: decorator
@inline
export function putReg<T>(cpu: usize, rec: usize, value: T): void {
  put<T>(cpu + load<u8>(rec, REC_REG), value);
}
// @ts-ignore: decorator
@inline
export function putRm<T>(cpu: usize, rec: usize, value: T): void {
  put<T>(rmAt(cpu, rec), value);
}
/** The page of an operand's last byte: that of its first, unless it lies on two. */
// @ts-ignore: decorator
@inline
export function pageOf<T>(linear: u64): u64 {
  return (linear + (sizeof<T>() - 1)) & ~0xfff;
}
/** Where a linear address lies in wasm memory, by its TLB entry. */
// @ts-ignore: decorator
@inline
export function hostOf(linear: u64, entry: usize): usize {
  return <usize>linear + load<u32>(entry, TLB_ADDEND);
}
// @ts-ignore: decorator
@inline
export function ripAfter(cpu: usize, rec: usize): u64 {
  return load<u64>(cpu, BLOCK_RIP) + <u64>load<u16>(rec, REC_IPOFF) + <u64>load<u8>(rec, REC_LEN);
}
/** Canonical with 48 bits; with 57, general.ts decides about the rest. */
// @ts-ignore: decorator
@inline
export function isCanonical(linear: u64): bool {
  return <u64>((<i64>linear << 16) >> 16) == linear;
}

// ---- A compare or test and the conditional jump behind it: the flags, and whether the jump is taken. `code` is
// the condition, a constant of those that follow from the operands.

// @ts-ignore: decorator
@inline
export function compareJump<T>(cpu: usize, code: u32, a: T, b: T): bool {
  setLazy(cpu, (CC_SUB << 2) | sizeLog<T>(), <u64>(<T>(a - b)), <u64>a, <u64>b);
  switch (code & ~1) {
    case 2:
      return (code & 1) != 0 ? a >= b : a < b;
    case 4:
      return (code & 1) != 0 ? a != b : a == b;
    case 6:
      return (code & 1) != 0 ? a > b : a <= b;
    case 12:
      return (code & 1) != 0 ? !less<T>(a, b) : less<T>(a, b);
    default:
      return (code & 1) != 0 ? less<T>(b, a) : !less<T>(b, a);
  }
}
// @ts-ignore: decorator
@inline
function less<T>(a: T, b: T): bool {
  if (sizeof<T>() == 1) return <i8>a < <i8>b;
  if (sizeof<T>() == 2) return <i16>a < <i16>b;
  if (sizeof<T>() == 4) return <i32>a < <i32>b;
  return <i64>a < <i64>b;
}
/** Conditions 4 and 5 (zero), 8 and 9 (sign), 14 and 15 (not above zero). */
// @ts-ignore: decorator
@inline
export function testJump<T>(cpu: usize, code: u32, value: T): bool {
  logic<T>(cpu, value);
  switch (code) {
    case 4:
      return value == 0;
    case 5:
      return value != 0;
    case 8:
      return less<T>(value, 0);
    case 9:
      return !less<T>(value, 0);
    case 14:
      return !less<T>(0, value);
    default:
      return less<T>(0, value);
  }
}

// ---- Flags and conditions.

/** The condition does not follow at once. */
export const UNKNOWN: u32 = 4;

/** CF, as 0 or 1. */
// @ts-ignore: decorator
@inline
export function quickCarry(cpu: usize): u64 {
  const op = load<u32>(cpu, CC_OP);
  const kind = op >> 2;
  if (kind == 0) return load<u64>(cpu, RFLAGS) & CF;
  const a = load<u64>(cpu, CC_SRC1);
  if (kind >= CC_INC) return a;
  if (kind == CC_LOGIC) return 0;
  const b = load<u64>(cpu, CC_SRC2);
  if (kind == CC_SUB) return u64(a < b);
  const r = load<u64>(cpu, CC_RESULT);
  const top = <u64>((8 << (op & 3)) - 1);
  if (kind == CC_ADD) return (((a & b) | ((a | b) & ~r)) >> top) & 1;
  return (((~a & b) | ((~a | b) & r)) >> top) & 1;
}

/**
 * Makes the flags such that a rotate replaces CF and OF by two stores: AF goes where rotateFlags leaves it,
 * the other flags follow from the result that is there. False after INC, DEC and flags that are not lazy.
 */
// @ts-ignore: decorator
@inline
export function quickRotate(cpu: usize): bool {
  const op = load<u32>(cpu, CC_OP);
  const kind = op >> 2;
  if (kind == CC_EXPLICIT) return true;
  if (kind - CC_ADD > CC_LOGIC - CC_ADD) return false;
  const auxiliary =
    kind == CC_LOGIC ? 0 : (load<u64>(cpu, CC_SRC1) ^ load<u64>(cpu, CC_SRC2) ^ load<u64>(cpu, CC_RESULT)) & 0x10;
  store<u64>(cpu, auxiliary, CC_SRC2);
  store<u32>(cpu, (CC_EXPLICIT << 2) | (op & 3), CC_OP);
  return true;
}

/** Conditions 0-15. */
// @ts-ignore: decorator
@inline
export function quickCondition(cpu: usize, code: u32): u32 {
  const op = load<u32>(cpu, CC_OP);
  const kind = op >> 2;
  const not = code & 1;
  switch (code >> 1) {
    case 1:
      return u32(quickCarry(cpu)) ^ not;
    case 2:
      if (kind != 0) return u32(load<u64>(cpu, CC_RESULT) == 0) ^ not;
      return u32((load<u64>(cpu, RFLAGS) & ZF) != 0) ^ not;
    case 3:
      if (kind == CC_SUB) return u32(load<u64>(cpu, CC_SRC1) <= load<u64>(cpu, CC_SRC2)) ^ not;
      return UNKNOWN;
    case 4:
      if (kind != 0) return u32(<i64>(load<u64>(cpu, CC_RESULT) << unused(op)) < 0) ^ not;
      return u32((load<u64>(cpu, RFLAGS) & SF) != 0) ^ not;
    case 6:
      if (kind == CC_SUB) return u32(signed(cpu, CC_SRC1, op) < signed(cpu, CC_SRC2, op)) ^ not;
      if (kind == CC_LOGIC) return u32(signed(cpu, CC_RESULT, op) < 0) ^ not;
      return UNKNOWN;
    case 7:
      if (kind == CC_SUB) return u32(signed(cpu, CC_SRC1, op) <= signed(cpu, CC_SRC2, op)) ^ not;
      if (kind == CC_LOGIC) return u32(signed(cpu, CC_RESULT, op) <= 0) ^ not;
      return UNKNOWN;
    default:
      return UNKNOWN;
  }
}
// @ts-ignore: decorator
@inline
function unused(op: u32): u64 {
  return <u64>(64 - (8 << (op & 3)));
}
// A lazy operand, its sign bit moved to the top.
// @ts-ignore: decorator
@inline
function signed(cpu: usize, at: usize, op: u32): i64 {
  return <i64>(load<u64>(cpu + at) << unused(op));
}
