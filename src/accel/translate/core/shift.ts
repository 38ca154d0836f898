// Shifts, rotates and two-operand multiplications, with their flags. T is u8, u16, u32 or u64. Counts are
// masked already. Where the manuals leave OF undefined (counts above 1) it follows the rule for 1.
import { GPR } from "../layout";
import { put } from "./alu";
import { AF, CF, OF, PF, SF, ZF, arithmeticFlags, carryFlag, parity, setArith } from "./flags";
import { REC_RM } from "./record";

// @ts-ignore: decorator
@inline
function top<T>(): u64 {
  return sizeof<T>() * 8 - 1;
}

// ZF, SF and PF of a result.
// @ts-ignore: decorator
@inline
function resultFlags<T>(r: T): u64 {
  let flags = parity(<u64>r);
  if (r == 0) flags |= ZF;
  if ((<u64>r >> top<T>()) & 1) flags |= SF;
  return flags;
}

/** SHL by 1 or more. */
// @ts-ignore: decorator
@inline
export function shiftLeft<T>(cpu: usize, a: T, count: u32): T {
  const wide = <u64>a;
  const r = <T>(count > 63 ? 0 : wide << <u64>count);
  const bits = sizeof<T>() * 8;
  const carry = count <= <u32>bits ? (wide >> (<u64>bits - <u64>count)) & 1 : 0;
  const overflow = ((<u64>r >> top<T>()) & 1) ^ carry;
  setArith(cpu, resultFlags<T>(r) | carry | (overflow << 11));
  return r;
}

/** SHR by 1 or more. */
// @ts-ignore: decorator
@inline
export function shiftRight<T>(cpu: usize, a: T, count: u32): T {
  const wide = <u64>a;
  const r = <T>(wide >> <u64>count);
  const carry = (wide >> <u64>(count - 1)) & 1;
  // The bit that came to be the second highest: for a count of 1, the operand's sign.
  const overflow = ((<u64>r >> (top<T>() - 1)) ^ (<u64>r >> top<T>())) & 1;
  setArith(cpu, resultFlags<T>(r) | carry | (overflow << 11));
  return r;
}

/** SAR by 1 or more. */
// @ts-ignore: decorator
@inline
export function shiftArithmetic<T>(cpu: usize, a: T, count: u32): T {
  const shift = <i64>(63 - top<T>());
  const wide = <i64>(<u64>a << <u64>shift) >> shift;
  const r = <T>(wide >> <i64>count);
  const carry = <u64>(wide >> <i64>(count - 1)) & 1;
  setArith(cpu, resultFlags<T>(r) | carry);
  return r;
}

// Rotates change CF and OF only.
// @ts-ignore: decorator
@inline
function rotateFlags(cpu: usize, carry: u64, overflow: u64): void {
  setArith(cpu, (arithmeticFlags(cpu) & ~(CF | OF)) | carry | (overflow << 11));
}

/** ROL by a count that is not 0 (it may be a multiple of the size: the flags change all the same). */
// @ts-ignore: decorator
@inline
export function rotateLeft<T>(cpu: usize, a: T, count: u32): T {
  const bits = sizeof<T>() * 8;
  const by = <u64>count & <u64>(bits - 1);
  const wide = <u64>a;
  const r = by == 0 ? a : <T>((wide << by) | (wide >> (<u64>bits - by)));
  const carry = <u64>r & 1;
  rotateFlags(cpu, carry, ((<u64>r >> top<T>()) & 1) ^ carry);
  return r;
}

/** ROR, likewise. */
// @ts-ignore: decorator
@inline
export function rotateRight<T>(cpu: usize, a: T, count: u32): T {
  const bits = sizeof<T>() * 8;
  const by = <u64>count & <u64>(bits - 1);
  const wide = <u64>a;
  const r = by == 0 ? a : <T>((wide >> by) | (wide << (<u64>bits - by)));
  const carry = (<u64>r >> top<T>()) & 1;
  rotateFlags(cpu, carry, ((<u64>r >> (top<T>() - 1)) & 1) ^ carry);
  return r;
}

function rotateCarryLeft<T>(cpu: usize, a: T, count: u32): T {
  const bits: u32 = sizeof<T>() * 8;
  const by = sizeof<T>() >= 4 ? count : count % (bits + 1);
  let carry = carryFlag(cpu);
  let r = <u64>a;
  for (let i: u32 = 0; i < by; i++) {
    const out = (r >> top<T>()) & 1;
    r = (r << 1) | carry;
    carry = out;
  }
  rotateFlags(cpu, carry, ((r >> top<T>()) & 1) ^ carry);
  return <T>r;
}

function rotateCarryRight<T>(cpu: usize, a: T, count: u32): T {
  const bits: u32 = sizeof<T>() * 8;
  const by = sizeof<T>() >= 4 ? count : count % (bits + 1);
  let carry = carryFlag(cpu);
  let r = <u64>a;
  for (let i: u32 = 0; i < by; i++) {
    const out = r & 1;
    r = ((r & (~(<u64>0) >> (63 - top<T>()))) >> 1) | (carry << top<T>());
    carry = out;
  }
  rotateFlags(cpu, carry, ((r >> top<T>()) ^ (r >> (top<T>() - 1))) & 1);
  return <T>r;
}

/** Kind as in ModRM's reg field: ROL ROR RCL RCR SHL SHR SAL SAR. A count of 0 changes nothing. */
export function shiftKind<T>(cpu: usize, kind: u32, a: T, count: u32): T {
  if (count == 0) return a;
  switch (kind) {
    case 0:
      return rotateLeft<T>(cpu, a, count);
    case 1:
      return rotateRight<T>(cpu, a, count);
    case 2:
      return rotateCarryLeft<T>(cpu, a, count);
    case 3:
      return rotateCarryRight<T>(cpu, a, count);
    case 5:
      return shiftRight<T>(cpu, a, count);
    case 7:
      return shiftArithmetic<T>(cpu, a, count);
    default:
      return shiftLeft<T>(cpu, a, count);
  }
}

/** A register shifted by CL, 32 or 64 bits. */
// @ts-ignore: decorator
@inline
export function shiftByCl<T>(cpu: usize, rec: usize, kind: u32): void {
  const count = <u32>load<u8>(cpu, GPR + 8) & (sizeof<T>() == 8 ? 63 : 31);
  const at = cpu + load<u8>(rec, REC_RM);
  const a = load<T>(at);
  // A 32-bit destination's upper half is cleared even when the count is 0.
  put<T>(at, shiftKind<T>(cpu, kind, a, count));
}

/** SHLD. Counts above a 16-bit operand's size rotate through both operands as the hardware does. */
export function doubleLeft<T>(cpu: usize, a: T, b: T, count: u32): T {
  if (count == 0) return a;
  const bits: u32 = sizeof<T>() * 8;
  let r: T;
  let carry: u64;
  if (sizeof<T>() == 2) {
    // a:b:a as 48 bits.
    const wide = (<u64>a << 32) | (<u64>b << 16) | <u64>a;
    r = <T>((wide << <u64>count) >> 32);
    carry = (wide >> (48 - <u64>count)) & 1;
  } else {
    r = <T>((<u64>a << <u64>count) | (<u64>b >> <u64>(bits - count)));
    carry = (<u64>a >> <u64>(bits - count)) & 1;
  }
  const overflow = ((<u64>r ^ <u64>a) >> top<T>()) & 1;
  setArith(cpu, resultFlags<T>(r) | carry | (overflow << 11));
  return r;
}

export function doubleRight<T>(cpu: usize, a: T, b: T, count: u32): T {
  if (count == 0) return a;
  const bits: u32 = sizeof<T>() * 8;
  let r: T;
  let carry: u64;
  if (sizeof<T>() == 2) {
    const wide = (<u64>a << 32) | (<u64>b << 16) | <u64>a;
    r = <T>(wide >> <u64>count);
    carry = (wide >> <u64>(count - 1)) & 1;
  } else {
    r = <T>((<u64>a >> <u64>count) | (<u64>b << <u64>(bits - count)));
    carry = (<u64>a >> <u64>(count - 1)) & 1;
  }
  const overflow = ((<u64>r ^ <u64>a) >> top<T>()) & 1;
  setArith(cpu, resultFlags<T>(r) | carry | (overflow << 11));
  return r;
}

// ---- Multiplication.

/** CF and OF after a multiplication: the product does not fit. The others are undefined, and AMD leaves them. */
export function setProductFlags(cpu: usize, overflow: bool): void {
  const kept = arithmeticFlags(cpu) & (PF | AF | ZF | SF);
  setArith(cpu, kept | (overflow ? CF | OF : 0));
}

/** IMUL of two 32-bit operands. */
export function multiply32(cpu: usize, a: u32, b: u32): u32 {
  const product = <i64>(<i32>a) * <i64>(<i32>b);
  setProductFlags(cpu, product != <i64>(<i32>product));
  return <u32>product;
}

/** IMUL of two 64-bit operands. */
export function multiply64(cpu: usize, a: u64, b: u64): u64 {
  const low = a * b;
  const high = <i64>multiplyHigh(a, b) - (<i64>a < 0 ? <i64>b : 0) - (<i64>b < 0 ? <i64>a : 0);
  setProductFlags(cpu, high != <i64>low >> 63);
  return low;
}

/** The upper half of an unsigned 64 x 64-bit product. */
export function multiplyHigh(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const low = al * bl;
  const m1 = ah * bl + (low >> 32);
  const m2 = al * bh + (m1 & 0xffffffff);
  return ah * bh + (m1 >> 32) + (m2 >> 32);
}
