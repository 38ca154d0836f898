// Conversions between the 80-bit extended format and integers, single, double and packed BCD. Loading is exact;
// storing rounds by FCW and may signal. Where a store's exception is unmasked the caller stores nothing.
import {
  BIAS, C1, EXP_MASK, EXP_MAX, IE, INTEGER_BIT, isNaN, isSignaling, isUnsupported, normalExponent, normalSignificand,
  OE, PE, ROUND_CHOP, ROUND_DOWN, roundsUp, setResult, SIGN, signal, UE,
} from "./float80";

/** Whether the last single or double converted was a denormal: the load or the arithmetic signals DE. */
export let sourceDenormal: bool = false;

/** A single to extended, exactly: a signaling NaN stays one, for the operation that uses it. */
export function fromSingle(bits: u32): void {
  fromParts(bits >> 16 & SIGN, bits >> 23 & 0xff, <u64>(bits & 0x7fffff) << 40, 0xff, BIAS - 127);
}

/** A double to extended, as `fromSingle`. */
export function fromDouble(bits: u64): void {
  fromParts(<u32>(bits >> 48) & SIGN, <u32>(bits >> 52) & 0x7ff, bits << 12 >> 1, 0x7ff, BIAS - 1023);
}

function fromParts(sign: u32, exp: u32, fraction: u64, maximum: u32, rebias: i32): void {
  sourceDenormal = false;
  if (exp == maximum) {
    setResult(sign | EXP_MAX, fraction | INTEGER_BIT);
  } else if (exp != 0) {
    setResult(sign | <u32>(<i32>exp + rebias), fraction | INTEGER_BIT);
  } else if (fraction == 0) {
    setResult(sign, 0);
  } else {
    sourceDenormal = true;
    const shift = clz(fraction);
    setResult(sign | <u32>(1 + rebias - <i32>shift), fraction << shift);
  }
}

export function toSingle(exp: u32, sig: u64, fcw: u32): u32 {
  return <u32>toBinary(exp, sig, fcw, 23, 127);
}

export function toDouble(exp: u32, sig: u64, fcw: u32): u64 {
  return toBinary(exp, sig, fcw, 52, 1023);
}

/** Rounds to a format of `fractionBits` and exponent bias `bias`. */
function toBinary(exp: u32, sig: u64, fcw: u32, fractionBits: u64, bias: i32): u64 {
  const sign = exp & SIGN;
  const signBit: u64 = sign != 0 ? (fractionBits == 23 ? 0x80000000 : 0x8000000000000000) : 0;
  const maximum = <u64>(2 * bias + 1);
  const infinity = signBit | maximum << fractionBits;
  const fractionMask: u64 = ((<u64>1) << fractionBits) - 1;
  if (isUnsupported(exp, sig)) {
    signal(IE);
    return (fractionBits == 23 ? 0x80000000 : 0x8000000000000000) | maximum << fractionBits | (fractionMask + 1) >> 1;
  }
  if (isNaN(exp, sig)) {
    if (isSignaling(exp, sig)) signal(IE);
    return infinity | (fractionMask + 1) >> 1 | (sig << 1 >> (64 - fractionBits));
  }
  if ((exp & EXP_MASK) == EXP_MAX) return infinity;
  if (sig == 0) return signBit;
  let e = normalExponent(exp, sig) - BIAS + bias;
  sig = normalSignificand(sig);
  const cut = 63 - fractionBits;
  let kept = sig >> cut;
  let tail = sig << (64 - cut);
  let up = roundsUp(sign, (kept & 1) != 0, tail, fcw);
  if (e <= 0) {
    const tiny = !(e == 0 && up && kept + 1 == (fractionMask + 1) << 1);
    if (tiny && (fcw & UE) == 0) {
      signal(UE);
      return 0;
    }
    const shift = cut + <u64>(1 - e);
    if (shift < 64) {
      kept = sig >> shift;
      tail = sig << (64 - shift);
    } else {
      kept = 0;
      tail = shift == 64 ? sig : 1;
    }
    up = roundsUp(sign, (kept & 1) != 0, tail, fcw);
    if (tail != 0) {
      signal(tiny ? PE | UE : PE);
      if (up) {
        signal(C1);
        kept++;
      }
    }
    // A carry into the integer bit is the smallest normal number.
    return signBit | kept;
  }
  if (up) kept++;
  if (kept == (fractionMask + 1) << 1) {
    kept >>= 1;
    e++;
  }
  if (e >= <i32>maximum) {
    signal(OE);
    if ((fcw & OE) == 0) return 0;
    signal(PE);
    const mode = fcw & ROUND_CHOP;
    if (mode == 0 || (mode != ROUND_CHOP && (mode == ROUND_DOWN) == (sign != 0))) {
      signal(C1);
      return infinity;
    }
    return infinity - 1;
  }
  if (tail != 0) signal(up ? PE | C1 : PE);
  return signBit | <u64>e << fractionBits | (kept & fractionMask);
}

/** The magnitude of an operand rounded to an integer, or u64.MAX_VALUE where it is not below 2^63 + 1. */
let integerTail: u64 = 0;
let integerUp: bool = false;
function magnitude(exp: u32, sig: u64, fcw: u32): u64 {
  integerTail = 0;
  integerUp = false;
  const e = <i32>(exp & EXP_MASK) - BIAS;
  if (isUnsupported(exp, sig) || e > 63) return u64.MAX_VALUE;
  if (e == 63) return sig;
  if (sig == 0) return 0;
  let whole: u64 = 0;
  if (e >= 0) {
    whole = sig >> (63 - <u64>e);
    integerTail = sig << (<u64>e + 1);
  } else {
    integerTail = e == -1 ? sig : 1;
  }
  if (integerTail != 0) {
    integerUp = roundsUp(exp & SIGN, (whole & 1) != 0, integerTail, fcw);
    if (integerUp) whole++;
  }
  return whole;
}

/** To a signed integer of `bits` 16, 32 or 64; IE and the integer indefinite where it does not fit. */
export function toInteger(exp: u32, sig: u64, bits: u32, fcw: u32): i64 {
  const limit: u64 = (<u64>1) << (bits - 1);
  const negative = (exp & SIGN) != 0;
  const value = magnitude(exp, sig, fcw);
  if (value > limit || (value == limit && !negative)) {
    signal(IE);
    return -<i64>limit;
  }
  if (integerTail != 0) signal(integerUp ? PE | C1 : PE);
  return negative ? -<i64>value : <i64>value;
}

const BCD_LIMIT: u64 = 999999999999999999;

/** Bytes 8 and 9 of the last packed BCD made. */
export let bcdHigh: u32 = 0;

/** To packed BCD: the low 8 bytes are returned, the upper two go to bcdHigh. */
export function toBcd(exp: u32, sig: u64, fcw: u32): u64 {
  let value = magnitude(exp, sig, fcw);
  if (value > BCD_LIMIT) {
    signal(IE);
    bcdHigh = 0xffff;
    return 0xc000000000000000;
  }
  if (integerTail != 0) signal(integerUp ? PE | C1 : PE);
  let low: u64 = 0;
  for (let shift: u64 = 0; shift < 64; shift += 4) {
    low |= (value % 10) << shift;
    value /= 10;
  }
  bcdHigh = <u32>(value / 10 << 4 | value % 10) | (exp & SIGN);
  return low;
}

/** From packed BCD. Digits above 9 count as they stand; the architecture leaves them undefined. */
export function fromBcd(low: u64, high: u32): void {
  let value: u64 = <u64>(high >> 4 & 15) * 10 + <u64>(high & 15);
  for (let shift: i32 = 60; shift >= 0; shift -= 4) value = value * 10 + (low >> <u64>shift & 15);
  const sign = high & SIGN;
  if (value == 0) setResult(sign, 0);
  else setResult(sign | <u32>(BIAS + 63 - <i32>clz(value)), value << clz(value));
}
