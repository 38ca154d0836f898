// IEEE 754 arithmetic on binary32 and binary64 by integers, with everything that MXCSR asks for: four
// rounding modes, denormals as zeros, flush to zero, exception flags, x86's choice of NaNs. Intel SDM
// volume 1, chapter 4.8-4.9 and 11.5; AMD APM volume 1, chapter 4.
//
// A use is `begin`, any number of operations on elements, `finish`. The state in between is in globals:
// nothing of it outlives an instruction.
import { CR4, MXCSR } from "../layout";
import { UD, XM, raise } from "./exceptions";

export const IE: u32 = 1;
export const DENORMAL: u32 = 2;
export const ZE: u32 = 4;
export const OE: u32 = 8;
export const UE: u32 = 16;
export const PE: u32 = 32;
export const DAZ: u32 = 1 << 6;
export const MASK_SHIFT: u32 = 7;
export const RC_SHIFT: u32 = 13;
export const FTZ: u32 = 1 << 15;

export const NEAREST: u32 = 0;
export const DOWN: u32 = 1;
export const UP: u32 = 2;
export const ZERO: u32 = 3;

const CR4_OSXMMEXCPT: u64 = 1 << 10;

// Operations, by the low half of their opcode in 0F 50-5F.
export const SQRT: u32 = 1;
export const ADD: u32 = 8;
export const MUL: u32 = 9;
export const SUB: u32 = 12;
export const MIN: u32 = 13;
export const DIV: u32 = 14;
export const MAX: u32 = 15;

const SIGN64: u64 = 1 << 63;
const INF64: u64 = 0x7ff0_0000_0000_0000;
const QUIET64: u64 = 1 << 51;
const DEFAULT64: u64 = 0xfff8_0000_0000_0000;
const MIN64: u64 = 1 << 52;
const SIGN32: u64 = 1 << 31;
const INF32: u64 = 0x7f80_0000;
const QUIET32: u64 = 1 << 22;
const DEFAULT32: u64 = 0xffc0_0000;
const MIN32: u64 = 1 << 23;

let mxcsr: u32 = 0;
let flags: u32 = 0;
// The operand that `unpack` took apart: sig has its leading bit at 62, the exponent is biased.
export let unpackedExp: i32 = 0;

export function begin(cpu: usize): void {
  mxcsr = load<u32>(cpu, MXCSR);
  flags = 0;
}

/** `begin` with a rounding mode of the instruction's own; results are not flushed to zero. */
export function beginRounding(cpu: usize, mode: u32): void {
  mxcsr = (load<u32>(cpu, MXCSR) & ~(FTZ | (3 << RC_SHIFT))) | (mode << RC_SHIFT);
  flags = 0;
}

export function signal(exceptions: u32): void {
  flags |= exceptions;
}

// @ts-ignore: decorator
@inline
export function roundingMode(): u32 {
  return (mxcsr >> RC_SHIFT) & 3;
}

// @ts-ignore: decorator
@inline
export function denormalsAreZeros(): bool {
  return (mxcsr & DAZ) != 0;
}

/** Sets MXCSR's flags, and raises #XM (or #UD) when one of them is not masked. The destination comes after. */
// @ts-ignore: decorator
@inline
export function finish(cpu: usize): void {
  if (flags) raiseFlags(cpu, flags);
}

// Instructions on two lanes: the first lane's exceptions wait for the second's.
let collecting: bool = false;
let collected: u32 = 0;

/** From here to `endLanes`, `finish` only collects: nothing else may raise. */
export function beginLanes(): void {
  collecting = true;
  collected = 0;
}

/** Sets and raises what was collected. */
export function endLanes(cpu: usize): void {
  collecting = false;
  if (collected) raiseFlags(cpu, collected);
}

function raiseFlags(cpu: usize, exceptions: u32): void {
  if (collecting) {
    collected |= exceptions;
    return;
  }
  const current = load<u32>(cpu, MXCSR);
  let set = exceptions;
  const unmasked = set & ~(current >> MASK_SHIFT);
  // An exception before the operation keeps those of results from being found.
  if (unmasked & (IE | DENORMAL | ZE)) set &= IE | DENORMAL | ZE;
  store<u32>(cpu, current | set, MXCSR);
  if (unmasked) raise(cpu, load<u64>(cpu, CR4) & CR4_OSXMMEXCPT ? XM : UD);
}

// @ts-ignore: decorator
@inline
export function jam(sig: u64, count: u32): u64 {
  if (count > 63) return sig != 0 ? 1 : 0;
  return (sig >> count) | (((sig & (((<u64>1) << count) - 1)) != 0) ? 1 : 0);
}

/** The significand of a finite non-zero number, leading bit at 62; unpackedExp gets its exponent. */
export function unpack(magnitude: u64, fraction: i32): u64 {
  const exp = <i32>(magnitude >> fraction);
  let sig = magnitude & (((<u64>1) << fraction) - 1);
  if (exp == 0) {
    const up = <i32>clz(sig) - 1;
    unpackedExp = 1 - (up - (62 - fraction));
    return sig << up;
  }
  unpackedExp = exp;
  sig |= (<u64>1) << fraction;
  return sig << (62 - fraction);
}

/** `sign` at its place; sig's leading bit at 62 and its lowest bit sticky; exp biased, of any size. fraction 52, 23 or 10. */
export function roundPack(sign: u64, exp0: i32, sig0: u64, fraction: i32): u64 {
  let exp = exp0;
  let sig = sig0;
  const maxExp = fraction == 52 ? 0x7ff : fraction == 23 ? 0xff : 0x1f;
  const shift = 62 - fraction;
  const mask = ((<u64>1) << shift) - 1;
  const half = (<u64>1) << (shift - 1);
  const mode = roundingMode();
  const negative = sign != 0;
  let increment: u64 = 0;
  if (mode == NEAREST) increment = half;
  else if (mode == (negative ? DOWN : UP)) increment = mask;
  const masks = mxcsr >> MASK_SHIFT;

  if (exp < 1) {
    // Tiny is what is below the least normal number after rounding to full precision.
    const tiny = exp < 0 || ((sig + increment) >> 63) == 0;
    if (tiny) {
      if (!(masks & UE)) {
        flags |= UE | ((sig & mask) != 0 ? PE : 0);
        return sign;
      }
      if (mxcsr & FTZ) {
        flags |= UE | PE;
        return sign;
      }
    }
    sig = jam(sig, 1 - exp);
    if (tiny && (sig & mask) != 0) flags |= UE;
    exp = 1;
  }
  const lost = sig & mask;
  sig = (sig + increment) >> shift;
  if (mode == NEAREST && lost == half) sig &= ~1;
  if (sig >> (fraction + 1)) {
    sig >>= 1;
    exp++;
  }
  if (exp >= maxExp) {
    flags |= OE | (masks & OE || lost ? PE : 0);
    const infinity = (<u64>maxExp) << fraction;
    return sign | (increment != 0 ? infinity : infinity - 1);
  }
  if (lost) flags |= PE;
  // A denormal number's significand lacks the leading bit: the sum makes its exponent field 0.
  return sign | (((<u64>(exp - 1)) << fraction) + sig);
}

export function mulHigh(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const middle = ah * bl + ((al * bl) >> 32);
  const middle2 = al * bh + (middle & 0xffffffff);
  return ah * bh + (middle >> 32) + (middle2 >> 32);
}

function addMagnitudes(signA: u64, a: u64, signB: u64, b: u64, fraction: i32): u64 {
  if (a == 0 && b == 0) {
    if (signA == signB) return signA;
    return roundingMode() == DOWN ? (fraction == 52 ? SIGN64 : SIGN32) : 0;
  }
  let sign = signA;
  let large = a;
  let small = b;
  if (a < b) {
    large = b;
    small = a;
    sign = signB;
  }
  let sig = unpack(large, fraction);
  let exp = unpackedExp;
  if (small != 0) {
    let other = unpack(small, fraction);
    other = jam(other, exp - unpackedExp);
    if (signA == signB) {
      sig += other;
      if (sig >> 63) {
        sig = (sig >> 1) | (sig & 1);
        exp++;
      }
    } else {
      sig -= other;
      if (sig == 0) return roundingMode() == DOWN ? (fraction == 52 ? SIGN64 : SIGN32) : 0;
      const up = <i32>clz(sig) - 1;
      sig <<= up;
      exp -= up;
    }
  }
  return roundPack(sign, exp, sig, fraction);
}

function multiply(sign: u64, a: u64, b: u64, fraction: i32): u64 {
  const sigA = unpack(a, fraction) << 1;
  let exp = unpackedExp;
  const sigB = unpack(b, fraction);
  exp += unpackedExp - (fraction == 52 ? 1023 : 127);
  let sig = mulHigh(sigA, sigB) | (sigA * sigB != 0 ? 1 : 0);
  if (sig >> 62) exp++;
  else sig <<= 1;
  return roundPack(sign, exp, sig, fraction);
}

function divide(sign: u64, a: u64, b: u64, fraction: i32): u64 {
  let rest = unpack(a, fraction) >> 10;
  let exp = unpackedExp;
  const divisor = unpack(b, fraction) >> 10;
  exp += (fraction == 52 ? 1023 : 127) - unpackedExp;
  let quotient: u64 = 0;
  if (rest >= divisor) {
    rest -= divisor;
    quotient = 1;
  }
  // Operands have 53 bits: eleven bits of the quotient at a time.
  for (let i = 0; i < 5; i++) {
    rest <<= 11;
    const digit = rest / divisor;
    rest -= digit * divisor;
    quotient = (quotient << 11) | digit;
  }
  let sig = (quotient << 7) | (rest != 0 ? 1 : 0);
  if (!(sig >> 62)) {
    sig <<= 1;
    exp--;
  }
  return roundPack(sign, exp, sig, fraction);
}

function squareRoot(a: u64, fraction: i32): u64 {
  const bias = fraction == 52 ? 1023 : 127;
  let n = unpack(a, fraction) >> 10;
  let exp = unpackedExp - bias;
  if (exp & 1) {
    n <<= 1;
    exp--;
  }
  // Two bits of the radicand give one of the root.
  n <<= 10;
  let root: u64 = 0;
  let rest: u64 = 0;
  for (let i = 0; i < 56; i++) {
    rest = (rest << 2) | (n >> 62);
    n <<= 2;
    const trial = (root << 2) | 1;
    root <<= 1;
    if (rest >= trial) {
      rest -= trial;
      root |= 1;
    }
  }
  return roundPack(0, (exp >> 1) + bias, (root << 7) | (rest != 0 ? 1 : 0), fraction);
}

/**
 * One element of an instruction: `a` the destination operand, `b` the source, as bits of a binary64 (fraction 52) or
 * binary32 (fraction 23).
 */
export function exact(kind: u32, a0: u64, b0: u64, fraction: i32): u64 {
  const signBit = fraction == 52 ? SIGN64 : SIGN32;
  const infinity = fraction == 52 ? INF64 : INF32;
  const quiet = fraction == 52 ? QUIET64 : QUIET32;
  const leastNormal = fraction == 52 ? MIN64 : MIN32;
  const defaultNaN = fraction == 52 ? DEFAULT64 : DEFAULT32;
  let a = kind == SQRT ? b0 : a0;
  let b = b0;
  let absA = a & ~signBit;
  let absB = b & ~signBit;
  let denormal = false;
  if (absA - 1 < leastNormal - 1) {
    if (mxcsr & DAZ) {
      absA = 0;
      a &= signBit;
    } else denormal = true;
  }
  if (absB - 1 < leastNormal - 1) {
    if (mxcsr & DAZ) {
      absB = 0;
      b &= signBit;
    } else denormal = true;
  }
  const nanA = absA > infinity;
  const nanB = absB > infinity;
  if (kind == MIN || kind == MAX) {
    if (nanA || nanB) {
      flags |= IE;
      return b;
    }
    if (denormal) flags |= DENORMAL;
    const first = kind == MIN ? less(a, b, signBit) : less(b, a, signBit);
    return first ? a : b;
  }
  if (nanA || nanB) {
    if ((nanA && !(a & quiet)) || (nanB && !(b & quiet))) flags |= IE;
    return (nanA ? a : b) | quiet;
  }
  if (kind == SQRT) {
    if (absB == 0) return b;
    if (b & signBit) {
      flags |= IE;
      return defaultNaN;
    }
    if (denormal) flags |= DENORMAL;
    return absB == infinity ? b : squareRoot(absB, fraction);
  }
  const signA = a & signBit;
  let signB = b & signBit;
  if (kind == ADD || kind == SUB) {
    if (kind == SUB) signB ^= signBit;
    if (absA == infinity) {
      if (absB == infinity && signA != signB) {
        flags |= IE;
        return defaultNaN;
      }
      if (denormal) flags |= DENORMAL;
      return a;
    }
    if (denormal) flags |= DENORMAL;
    if (absB == infinity) return absB | signB;
    return addMagnitudes(signA, absA, signB, absB, fraction);
  }
  const sign = signA ^ signB;
  if (kind == MUL) {
    if ((absA == infinity && absB == 0) || (absB == infinity && absA == 0)) {
      flags |= IE;
      return defaultNaN;
    }
    if (denormal) flags |= DENORMAL;
    if (absA == infinity || absB == infinity) return sign | infinity;
    return absA == 0 || absB == 0 ? sign : multiply(sign, absA, absB, fraction);
  }
  if ((absA == infinity && absB == infinity) || (absA == 0 && absB == 0)) {
    flags |= IE;
    return defaultNaN;
  }
  if (absB == 0 && absA != infinity) {
    flags |= ZE;
    return sign | infinity;
  }
  if (denormal) flags |= DENORMAL;
  if (absA == infinity) return sign | infinity;
  return absA == 0 || absB == infinity ? sign : divide(sign, absA, absB, fraction);
}

/** a < b, neither being a NaN; signBit tells the format. */
function less(a: u64, b: u64, signBit: u64): bool {
  if (((a | b) & ~signBit) == 0) return false;
  const negativeA = (a & signBit) != 0;
  const negativeB = (b & signBit) != 0;
  if (negativeA != negativeB) return negativeA;
  return negativeA ? a > b : a < b;
}

export const LESS: u32 = 0;
export const EQUAL: u32 = 1;
export const GREATER: u32 = 2;
export const UNORDERED: u32 = 3;

/** Compares. A NaN signals when it is a signaling one, or when `signaling` says that all do. */
export function exactCompare(a0: u64, b0: u64, fraction: i32, signaling: bool): u32 {
  const signBit = fraction == 52 ? SIGN64 : SIGN32;
  const infinity = fraction == 52 ? INF64 : INF32;
  const quiet = fraction == 52 ? QUIET64 : QUIET32;
  const leastNormal = fraction == 52 ? MIN64 : MIN32;
  let a = a0;
  let b = b0;
  const nanA = (a & ~signBit) > infinity;
  const nanB = (b & ~signBit) > infinity;
  if (nanA || nanB) {
    if (signaling || (nanA && !(a & quiet)) || (nanB && !(b & quiet))) flags |= IE;
    return UNORDERED;
  }
  if ((a & ~signBit) - 1 < leastNormal - 1) {
    if (mxcsr & DAZ) a &= signBit;
    else flags |= DENORMAL;
  }
  if ((b & ~signBit) - 1 < leastNormal - 1) {
    if (mxcsr & DAZ) b &= signBit;
    else flags |= DENORMAL;
  }
  if (less(a, b, signBit)) return LESS;
  return less(b, a, signBit) ? GREATER : EQUAL;
}

/** CVTSD2SS, CVTPD2PS. */
export function exactNarrow(a: u64): u64 {
  const sign = (a >> 63) << 31;
  const abs = a & ~SIGN64;
  if (abs > INF64) {
    if (!(a & QUIET64)) flags |= IE;
    return sign | INF32 | QUIET32 | ((a >> 29) & 0x3fffff);
  }
  if (abs == INF64) return sign | INF32;
  if (abs == 0) return sign;
  if (abs < MIN64) {
    if (mxcsr & DAZ) return sign;
    flags |= DENORMAL;
  }
  const sig = unpack(abs, 52);
  return roundPack(sign, unpackedExp - 1023 + 127, sig, 23);
}

/** CVTSS2SD, CVTPS2PD. */
export function exactWiden(a: u64): u64 {
  const sign = (a >> 31) << 63;
  const abs = a & ~SIGN32;
  if (abs > INF32) {
    if (!(a & QUIET32)) flags |= IE;
    return sign | INF64 | QUIET64 | ((a & 0x3fffff) << 29);
  }
  if (abs == INF32) return sign | INF64;
  if (abs == 0) return sign;
  if (abs < MIN32) {
    if (mxcsr & DAZ) return sign;
    flags |= DENORMAL;
  }
  const sig = unpack(abs, 23);
  return sign | ((<u64>(unpackedExp + 1023 - 127)) << 52) | ((sig >> 10) & (MIN64 - 1));
}

/** A signed integer to the format. */
export function exactFromInteger(value: i64, fraction: i32): u64 {
  if (value == 0) return 0;
  const sign = value < 0 ? (fraction == 52 ? SIGN64 : SIGN32) : 0;
  const magnitude = value < 0 ? <u64>0 - <u64>value : <u64>value;
  const bias = fraction == 52 ? 1023 : 127;
  const zeros = <i32>clz(magnitude);
  const sig = zeros == 0 ? (magnitude >> 1) | (magnitude & 1) : magnitude << (zeros - 1);
  return roundPack(sign, bias + 63 - zeros, sig, fraction);
}
