// Shifts, rotates and multiplications. Flags that the architecture leaves undefined: OF of shifts and
// rotates by more than one follows the rule for one; AF is cleared; SF, ZF and PF of a product are its low half's.
import { CC_OP, CC_RESULT, CC_SRC1, CC_SRC2 } from "../layout";
import { CC_EXPLICIT, carryFlag, replaceCarryAndOverflow, setLazy, sizeLog } from "./flags";
import { logOf, maskOf, signBit, signExtend } from "./operands";

export const ROL: u32 = 0;
export const ROR: u32 = 1;
export const RCL: u32 = 2;
export const RCR: u32 = 3;
export const SHL: u32 = 4;
export const SHR: u32 = 5;
export const SAR: u32 = 7;

// ---- Of 32 and 64 bits, by 1 to 31 or 63.

// @ts-ignore: decorator
@inline
function top<T>(value: T): u64 {
  return <u64>(value >> (<T>(sizeof<T>() * 8 - 1)));
}
// @ts-ignore: decorator
@inline
function explicit<T>(cpu: usize, result: T, carry: u64, overflow: u64): T {
  setLazy(cpu, (CC_EXPLICIT << 2) | sizeLog<T>(), <u64>result, carry, overflow);
  return result;
}

// @ts-ignore: decorator
@inline
export function shiftLeft<T>(cpu: usize, a: T, count: u32): T {
  const r = <T>(a << <T>count);
  const carry = <u64>(a >> <T>(sizeof<T>() * 8 - count)) & 1;
  return explicit<T>(cpu, r, carry, carry ^ top<T>(r));
}

// @ts-ignore: decorator
@inline
export function shiftRight<T>(cpu: usize, a: T, count: u32): T {
  const r = <T>(a >> <T>count);
  return explicit<T>(cpu, r, <u64>(a >> <T>(count - 1)) & 1, top<T>(<T>(r << 1)));
}

// @ts-ignore: decorator
@inline
export function shiftArithmetic<T>(cpu: usize, a: T, count: u32): T {
  if (sizeof<T>() == 4) {
    return explicit<T>(cpu, <T>(<i32>a >> <i32>count), <u64>(<u32>(<i32>a >> <i32>(count - 1)) & 1), 0);
  }
  return explicit<T>(cpu, <T>(<i64>a >> <i64>count), <u64>(<i64>a >> <i64>(count - 1)) & 1, 0);
}

// CF and OF of a rotate where CC_OP is CC_EXPLICIT already: AF and the other flags stay.
// @ts-ignore: decorator
@inline
function rotateFlags(cpu: usize, carry: u64, overflow: u64): void {
  store<u64>(cpu, carry, CC_SRC1);
  store<u64>(cpu, (load<u64>(cpu, CC_SRC2) & 0x10) | overflow, CC_SRC2);
}

// @ts-ignore: decorator
@inline
export function rotateLeft<T>(cpu: usize, a: T, count: u32): T {
  const r = rotl<T>(a, <T>count);
  rotateFlags(cpu, <u64>r & 1, (<u64>r & 1) ^ top<T>(r));
  return r;
}

// @ts-ignore: decorator
@inline
export function rotateRight<T>(cpu: usize, a: T, count: u32): T {
  const r = rotr<T>(a, <T>count);
  rotateFlags(cpu, top<T>(r), top<T>(r) ^ top<T>(<T>(r << 1)));
  return r;
}

// ---- Of any size. `count` is masked to 5 or 6 bits already, and not 0.

/** value KIND count, and the flags. */
export function shift(cpu: usize, kind: u32, value: u64, count: u32, size: u32): u64 {
  const bits = size << 3;
  const mask = maskOf(size);
  let r: u64 = 0;
  let carry: u64 = 0;
  switch (kind) {
    case ROL: {
      const c = <u64>(count & (bits - 1));
      r = c == 0 ? value : ((value << c) | (value >> (<u64>bits - c))) & mask;
      carry = r & 1;
      replaceCarryAndOverflow(cpu, carry, carry ^ signBit(r, size));
      return r;
    }
    case ROR: {
      const c = <u64>(count & (bits - 1));
      r = c == 0 ? value : ((value >> c) | (value << (<u64>bits - c))) & mask;
      carry = signBit(r, size);
      replaceCarryAndOverflow(cpu, carry, carry ^ signBit(r << 1, size));
      return r;
    }
    case RCL: {
      const c = <u64>(size < 4 ? count % (bits + 1) : count);
      if (c == 0) return value;
      r = (value << c) | (carryFlag(cpu) << (c - 1));
      if (c > 1) r |= value >> (<u64>bits + 1 - c);
      r &= mask;
      carry = (value >> (<u64>bits - c)) & 1;
      replaceCarryAndOverflow(cpu, carry, carry ^ signBit(r, size));
      return r;
    }
    case RCR: {
      const c = <u64>(size < 4 ? count % (bits + 1) : count);
      if (c == 0) return value;
      r = (value >> c) | (carryFlag(cpu) << (<u64>bits - c));
      if (c > 1) r |= value << (<u64>bits + 1 - c);
      r &= mask;
      carry = (value >> (c - 1)) & 1;
      replaceCarryAndOverflow(cpu, carry, signBit(r, size) ^ signBit(r << 1, size));
      return r;
    }
    case SHR:
      r = value >> count;
      setShift(cpu, r, (value >> (count - 1)) & 1, signBit(r << 1, size), size);
      return r;
    case SAR: {
      const signed = signExtend(value, size);
      r = <u64>(signed >> count) & mask;
      setShift(cpu, r, <u64>(signed >> (count - 1)) & 1, 0, size);
      return r;
    }
    default:
      r = (value << count) & mask;
      carry = count > bits ? 0 : (value >> (bits - count)) & 1;
      setShift(cpu, r, carry, carry ^ signBit(r, size), size);
      return r;
  }
}

/** SHLD (`right` false) and SHRD. A 16-bit operand shifted by more than 16 gets the filler a second time. */
export function shiftDouble(cpu: usize, right: bool, value: u64, filler: u64, count: u32, size: u32): u64 {
  const c = <u64>count;
  let r: u64 = 0;
  let carry: u64 = 0;
  if (size == 8) {
    if (right) {
      r = (value >> c) | (filler << (64 - c));
      carry = (value >> (c - 1)) & 1;
    } else {
      r = (value << c) | (filler >> (64 - c));
      carry = (value >> (64 - c)) & 1;
    }
  } else if (size == 4) {
    if (right) {
      r = ((filler << 32) | value) >> c;
      carry = (value >> (c - 1)) & 1;
    } else {
      r = ((value << 32) | filler) >> (32 - c);
      carry = (value >> (32 - c)) & 1;
    }
    r &= 0xffffffff;
  } else {
    const three = right ? (filler << 32) | (filler << 16) | value : (value << 32) | (filler << 16) | filler;
    r = (right ? three >> c : three >> (32 - c)) & 0xffff;
    // Past 16 undefined; as an AMD Zen 3 has it.
    carry = c > 16 ? 0 : (right ? value >> (c - 1) : value >> (16 - c)) & 1;
  }
  setShift(cpu, r, carry, signBit(r ^ value, size), size);
  return r;
}

function setShift(cpu: usize, result: u64, carry: u64, overflow: u64, size: u32): void {
  store<u64>(cpu, result, CC_RESULT);
  store<u64>(cpu, carry, CC_SRC1);
  store<u64>(cpu, overflow, CC_SRC2);
  store<u32>(cpu, (CC_EXPLICIT << 2) | logOf(size), CC_OP);
}

// ---- Products.

/** The upper half of the unsigned 128-bit product. */
// @ts-ignore: decorator
@inline
export function multiplyHigh(a: u64, b: u64): u64 {
  const a0 = a & 0xffffffff;
  const a1 = a >> 32;
  const b0 = b & 0xffffffff;
  const b1 = b >> 32;
  const middle = a1 * b0 + ((a0 * b0) >> 32);
  return a1 * b1 + (middle >> 32) + ((a0 * b1 + (middle & 0xffffffff)) >> 32);
}

/** The upper half of the signed 128-bit product. */
// @ts-ignore: decorator
@inline
export function multiplyHighSigned(a: u64, b: u64): u64 {
  return multiplyHigh(a, b) - (<u64>(<i64>a >> 63) & b) - (<u64>(<i64>b >> 63) & a);
}

/** CF and OF say that the product did not fit. */
export function setProduct(cpu: usize, low: u64, lost: bool, size: u32): void {
  setShift(cpu, low, u64(lost), u64(lost), size);
}

/** IMUL of two 32-bit operands. */
// @ts-ignore: decorator
@inline
export function multiply32(cpu: usize, a: u32, b: u32): u32 {
  const product = <i64>(<i32>a) * <i64>(<i32>b);
  const lost = u64(product != <i64>(<i32>product));
  return explicit<u32>(cpu, <u32>product, lost, lost);
}

/** IMUL of two 64-bit operands. */
// @ts-ignore: decorator
@inline
export function multiply64(cpu: usize, a: u64, b: u64): u64 {
  const low = a * b;
  let lost: u64 = 0;
  // The product of two 32-bit numbers fits.
  if (<i64>a != <i64>(<i32>a) || <i64>b != <i64>(<i32>b)) {
    lost = u64(multiplyHighSigned(a, b) != <u64>(<i64>low >> 63));
  }
  return explicit<u64>(cpu, low, lost, lost);
}
