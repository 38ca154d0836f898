// Integer arithmetic on operands of one size, with lazy flags. T is u8, u16, u32 or u64.
import { CC_ADD, CC_DEC, CC_INC, CC_LOGIC, CC_SBB, CC_SUB, setLazy, setLazyResult, sizeLog } from "./flags";

export const ADD: u32 = 0;
export const OR: u32 = 1;
export const ADC: u32 = 2;
export const SBB: u32 = 3;
export const AND: u32 = 4;
export const SUB: u32 = 5;
export const XOR: u32 = 6;
export const CMP: u32 = 7;

/** Stores a general register: 32-bit results clear the upper half. `at` is its address. */
// @ts-ignore: decorator
@inline
export function put<T>(at: usize, value: T): void {
  if (sizeof<T>() == 4) store<u64>(at, <u64>value);
  else store<T>(at, value);
}

/** a KIND b, and the flags. `kind` is a constant where this is used. */
// @ts-ignore: decorator
@inline
export function alu<T>(cpu: usize, kind: u32, a: T, b: T): T {
  switch (kind) {
    case ADD: {
      const r = <T>(a + b);
      setLazy(cpu, (CC_ADD << 2) | sizeLog<T>(), <u64>r, <u64>a, <u64>b);
      return r;
    }
    case SUB:
    case CMP: {
      const r = <T>(a - b);
      setLazy(cpu, (CC_SUB << 2) | sizeLog<T>(), <u64>r, <u64>a, <u64>b);
      return r;
    }
    case AND:
      return logic<T>(cpu, <T>(a & b));
    case OR:
      return logic<T>(cpu, <T>(a | b));
    default:
      return logic<T>(cpu, <T>(a ^ b));
  }
}

/** a + b + carry, and the flags. */
// @ts-ignore: decorator
@inline
export function addCarry<T>(cpu: usize, a: T, b: T, carry: u64): T {
  const r = <T>(a + b + <T>carry);
  setLazy(cpu, (CC_ADD << 2) | sizeLog<T>(), <u64>r, <u64>a, <u64>b);
  return r;
}

/** a - b - borrow, and the flags. */
// @ts-ignore: decorator
@inline
export function subtractBorrow<T>(cpu: usize, a: T, b: T, borrow: u64): T {
  const r = <T>(a - b - <T>borrow);
  setLazy(cpu, (CC_SBB << 2) | sizeLog<T>(), <u64>r, <u64>a, <u64>b);
  return r;
}

/** The flags of AND, OR, XOR and TEST. */
// @ts-ignore: decorator
@inline
export function logic<T>(cpu: usize, result: T): T {
  setLazyResult(cpu, (CC_LOGIC << 2) | sizeLog<T>(), <u64>result);
  return result;
}

// @ts-ignore: decorator
@inline
export function increment<T>(cpu: usize, a: T, carry: u64): T {
  const r = <T>(a + 1);
  setLazy(cpu, (CC_INC << 2) | sizeLog<T>(), <u64>r, carry, 0);
  return r;
}

// @ts-ignore: decorator
@inline
export function decrement<T>(cpu: usize, a: T, carry: u64): T {
  const r = <T>(a - 1);
  setLazy(cpu, (CC_DEC << 2) | sizeLog<T>(), <u64>r, carry, 0);
  return r;
}

// @ts-ignore: decorator
@inline
export function negate<T>(cpu: usize, a: T): T {
  const r = <T>(0 - a);
  setLazy(cpu, (CC_SUB << 2) | sizeLog<T>(), <u64>r, 0, <u64>a);
  return r;
}
