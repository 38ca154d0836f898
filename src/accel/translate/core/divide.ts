// DIV and IDIV. A quotient that does not fit raises #DE, before anything has changed.
import { DE, raise } from "./exceptions";
import { RAX, RDX, maskOf, getReg, putReg, signExtend } from "./operands";

let remainder: u64 = 0; // of the last wideDivide

// high:low / divisor, where high < divisor. Two digits of 32 bits, as in long division by hand.
function wideDivide(high: u64, low: u64, divisor: u64): u64 {
  if (high == 0) {
    remainder = low % divisor;
    return low / divisor;
  }
  const shift = clz<u64>(divisor);
  const d = divisor << shift;
  const dHigh = d >> 32;
  const dLow = d & 0xffffffff;
  let rest = shift == 0 ? high : (high << shift) | (low >> (64 - shift));
  const tail = low << shift;
  const first = digit(rest, tail >> 32, dHigh, dLow);
  rest = ((rest << 32) | (tail >> 32)) - first * d;
  const second = digit(rest, tail & 0xffffffff, dHigh, dLow);
  rest = ((rest << 32) | (tail & 0xffffffff)) - second * d;
  remainder = rest >> shift;
  return (first << 32) | second;
}

// The next 32 bits of the quotient: rest:next / divisor, with a guess by the divisor's upper half that is
// at most two too large.
function digit(rest: u64, next: u64, dHigh: u64, dLow: u64): u64 {
  let guess = rest / dHigh;
  let left = rest - guess * dHigh;
  while (guess >> 32 != 0 || guess * dLow > ((left << 32) | next)) {
    guess--;
    left += dHigh;
    if (left >> 32 != 0) break;
  }
  return guess;
}

export function divideUnsigned(cpu: usize, divisor: u64, size: u32): void {
  if (divisor == 0) raise(cpu, DE);
  if (size == 1) {
    const dividend = getReg(cpu, RAX, 2);
    const quotient = dividend / divisor;
    if (quotient > 0xff) raise(cpu, DE);
    putReg(cpu, RAX, 2, quotient | ((dividend % divisor) << 8));
    return;
  }
  const low = getReg(cpu, RAX, size);
  const high = getReg(cpu, RDX, size);
  if (high >= divisor) raise(cpu, DE);
  if (size == 8) {
    const quotient = wideDivide(high, low, divisor);
    putReg(cpu, RAX, 8, quotient);
    putReg(cpu, RDX, 8, remainder);
    return;
  }
  const dividend = (high << (<u64>size << 3)) | low;
  putReg(cpu, RAX, size, dividend / divisor);
  putReg(cpu, RDX, size, dividend % divisor);
}

export function divideSigned(cpu: usize, divisor: u64, size: u32): void {
  if (divisor == 0) raise(cpu, DE);
  if (size == 8) {
    divideSigned64(cpu, divisor);
    return;
  }
  const by = signExtend(divisor, size);
  let dividend: i64;
  if (size == 1) dividend = signExtend(getReg(cpu, RAX, 2), 2);
  else if (size == 2) dividend = signExtend((getReg(cpu, RDX, 2) << 16) | getReg(cpu, RAX, 2), 4);
  else dividend = <i64>((getReg(cpu, RDX, 4) << 32) | getReg(cpu, RAX, 4));
  // wasm traps on this one.
  if (by == -1 && dividend == i64.MIN_VALUE) raise(cpu, DE);
  const quotient = dividend / by;
  if (quotient != signExtend(<u64>quotient & maskOf(size), size)) raise(cpu, DE);
  const left = <u64>(dividend % by);
  if (size == 1) putReg(cpu, RAX, 2, (<u64>quotient & 0xff) | ((left & 0xff) << 8));
  else {
    putReg(cpu, RAX, size, <u64>quotient);
    putReg(cpu, RDX, size, left);
  }
}

function divideSigned64(cpu: usize, divisor: u64): void {
  let low = getReg(cpu, RAX, 8);
  let high = getReg(cpu, RDX, 8);
  const negative = <i64>high < 0;
  if (negative) {
    high = ~high + u64(low == 0);
    low = 0 - low;
  }
  const opposite = negative != <i64>divisor < 0;
  const by = <i64>divisor < 0 ? 0 - divisor : divisor;
  if (high >= by) raise(cpu, DE);
  const quotient = wideDivide(high, low, by);
  if (quotient > (opposite ? <u64>1 << 63 : (<u64>1 << 63) - 1)) raise(cpu, DE);
  putReg(cpu, RAX, 8, opposite ? 0 - quotient : quotient);
  putReg(cpu, RDX, 8, negative ? 0 - remainder : remainder);
}
