// Arithmetic on the 80-bit extended format: add, subtract, multiply, divide, square root, remainder, scale, round
// to integer, extract, compare. Rules for special operands: Intel SDM Vol. 1, 4.9.1 and 8.5, and the tables of
// each instruction in Vol. 2.
import {
  BIAS, C1, DE, divideWide, EXP_MASK, EXP_MAX, IE, INTEGER_BIT, invalid, isDenormal, isInfinity, isNaN, isNormal,
  isSignaling, isUnsupported, isZero, multiplyHigh, normalExponent, normalSignificand, pack, pack64, PE, propagateOne,
  propagateTwo, ROUND_CHOP, ROUND_DOWN, roundsUp, setResult, SIGN, signal, UE, wideLow, WRAP, ZE, OE,
} from "./float80";

const MIN_NORMAL_EXP: i32 = 1;

/** DE for each denormal operand: true when DE is unmasked, so that the operation stops here. */
// @ts-ignore: decorator
@inline
function denormalStops(aExp: u32, aSig: u64, bExp: u32, bSig: u64, fcw: u32): bool {
  if (!isDenormal(aExp, aSig) && !isDenormal(bExp, bSig)) return false;
  signal(DE);
  return (fcw & DE) == 0;
}

// ---- Addition and subtraction.

/** a + b. */
export function add(aExp: u32, aSig: u64, bExp: u32, bSig: u64, fcw: u32): void {
  if (!isNormal(aExp, aSig) || !isNormal(bExp, bSig)) {
    addSpecial(aExp, aSig, bExp, bSig, fcw);
    return;
  }
  addNormal(aExp & SIGN, <i32>(aExp & EXP_MASK), aSig, bExp & SIGN, <i32>(bExp & EXP_MASK), bSig, fcw);
}

/** a - b. */
export function subtract(aExp: u32, aSig: u64, bExp: u32, bSig: u64, fcw: u32): void {
  // A NaN keeps its sign.
  if (isNaN(aExp, aSig) || isNaN(bExp, bSig)) add(aExp, aSig, bExp, bSig, fcw);
  else add(aExp, aSig, bExp ^ SIGN, bSig, fcw);
}

function addSpecial(aExp: u32, aSig: u64, bExp: u32, bSig: u64, fcw: u32): void {
  if (propagateTwo(aExp, aSig, bExp, bSig)) return;
  const aInfinite = isInfinity(aExp, aSig);
  const bInfinite = isInfinity(bExp, bSig);
  if (aInfinite && bInfinite && ((aExp ^ bExp) & SIGN) != 0) {
    invalid();
    return;
  }
  if (denormalStops(aExp, aSig, bExp, bSig, fcw)) return;
  if (aInfinite) setResult(aExp, aSig);
  else if (bInfinite) setResult(bExp, bSig);
  else if (isZero(aExp, aSig)) {
    if (isZero(bExp, bSig)) {
      const sign = ((aExp ^ bExp) & SIGN) == 0 ? aExp & SIGN : (fcw & ROUND_CHOP) == ROUND_DOWN ? SIGN : 0;
      setResult(sign, 0);
    } else {
      pack(bExp & SIGN, normalExponent(bExp, bSig), normalSignificand(bSig), 0, fcw);
    }
  } else if (isZero(bExp, bSig)) {
    pack(aExp & SIGN, normalExponent(aExp, aSig), normalSignificand(aSig), 0, fcw);
  } else {
    addNormal(
      aExp & SIGN, normalExponent(aExp, aSig), normalSignificand(aSig),
      bExp & SIGN, normalExponent(bExp, bSig), normalSignificand(bSig), fcw,
    );
  }
}

function addNormal(aSign: u32, aExp: i32, aSig: u64, bSign: u32, bExp: i32, bSig: u64, fcw: u32): void {
  if (aExp < bExp || (aExp == bExp && aSig < bSig)) {
    const sign = aSign;
    const exp = aExp;
    const sig = aSig;
    aSign = bSign;
    aExp = bExp;
    aSig = bSig;
    bSign = sign;
    bExp = exp;
    bSig = sig;
  }
  const shift = <u64>(aExp - bExp);
  let low: u64 = 0;
  if (shift != 0) {
    if (shift < 64) {
      low = bSig << (64 - shift);
      bSig >>= shift;
    } else {
      low = shift == 64 ? bSig : shift == 65 ? bSig >> 1 | (bSig & 1) : 1;
      bSig = 0;
    }
  }
  if (aSign == bSign) {
    let sum = aSig + bSig;
    if (sum < aSig) {
      low = sum << 63 | low >> 1 | (low & 1);
      sum = sum >> 1 | INTEGER_BIT;
      aExp++;
    }
    pack(aSign, aExp, sum, low, fcw);
    return;
  }
  let difference = aSig - bSig - u64(low != 0);
  low = 0 - low;
  if (difference == 0) {
    if (low == 0) {
      setResult((fcw & ROUND_CHOP) == ROUND_DOWN ? SIGN : 0, 0);
      return;
    }
    difference = low;
    low = 0;
    aExp -= 64;
  }
  const normalize = clz(difference);
  if (normalize != 0) {
    difference = difference << normalize | low >> (64 - normalize);
    low <<= normalize;
    aExp -= <i32>normalize;
  }
  pack(aSign, aExp, difference, low, fcw);
}

// ---- Multiplication.

/** a * b. */
export function multiply(aExp: u32, aSig: u64, bExp: u32, bSig: u64, fcw: u32): void {
  const sign = (aExp ^ bExp) & SIGN;
  let exp: i32;
  if (isNormal(aExp, aSig) && isNormal(bExp, bSig)) {
    exp = <i32>(aExp & EXP_MASK) + <i32>(bExp & EXP_MASK);
  } else {
    if (propagateTwo(aExp, aSig, bExp, bSig)) return;
    if (isInfinity(aExp, aSig) || isInfinity(bExp, bSig)) {
      if (isZero(aExp, aSig) || isZero(bExp, bSig)) {
        invalid();
        return;
      }
      if (denormalStops(aExp, aSig, bExp, bSig, fcw)) return;
      setResult(sign | EXP_MAX, INTEGER_BIT);
      return;
    }
    if (denormalStops(aExp, aSig, bExp, bSig, fcw)) return;
    if (isZero(aExp, aSig) || isZero(bExp, bSig)) {
      setResult(sign, 0);
      return;
    }
    exp = normalExponent(aExp, aSig) + normalExponent(bExp, bSig);
    aSig = normalSignificand(aSig);
    bSig = normalSignificand(bSig);
  }
  exp -= BIAS - 1;
  let high = multiplyHigh(aSig, bSig);
  let low = aSig * bSig;
  if (<i64>high >= 0) {
    high = high << 1 | low >> 63;
    low <<= 1;
    exp--;
  }
  pack(sign, exp, high, low, fcw);
}

// ---- Division.

/** a / b. */
export function divide(aExp: u32, aSig: u64, bExp: u32, bSig: u64, fcw: u32): void {
  const sign = (aExp ^ bExp) & SIGN;
  let exp: i32;
  if (isNormal(aExp, aSig) && isNormal(bExp, bSig)) {
    exp = <i32>(aExp & EXP_MASK) - <i32>(bExp & EXP_MASK);
  } else {
    if (propagateTwo(aExp, aSig, bExp, bSig)) return;
    const aInfinite = isInfinity(aExp, aSig);
    const bInfinite = isInfinity(bExp, bSig);
    const aZero = isZero(aExp, aSig);
    const bZero = isZero(bExp, bSig);
    if ((aInfinite && bInfinite) || (aZero && bZero)) {
      invalid();
      return;
    }
    if (bZero && !aInfinite) {
      signal(ZE);
      setResult(sign | EXP_MAX, INTEGER_BIT);
      return;
    }
    if (denormalStops(aExp, aSig, bExp, bSig, fcw)) return;
    if (aInfinite) {
      setResult(sign | EXP_MAX, INTEGER_BIT);
      return;
    }
    if (bInfinite || aZero) {
      setResult(sign, 0);
      return;
    }
    exp = normalExponent(aExp, aSig) - normalExponent(bExp, bSig);
    aSig = normalSignificand(aSig);
    bSig = normalSignificand(bSig);
  }
  exp += BIAS - 1;
  let low: u64 = 0;
  if (aSig >= bSig) {
    low = aSig << 63;
    aSig >>= 1;
    exp++;
  }
  const quotient = divideWide(aSig, low, bSig);
  const remainder = wideLow;
  let extra: u64 = 0;
  if (remainder != 0) {
    // Where twice the remainder stands to the divisor: below, at or above one half of the last place.
    const half = bSig - remainder;
    extra = remainder < half ? 1 : remainder == half ? INTEGER_BIT : INTEGER_BIT | 1;
  }
  pack(sign, exp, quotient, extra, fcw);
}

// ---- Square root.

export function squareRoot(exp: u32, sig: u64, fcw: u32): void {
  if (propagateOne(exp, sig)) return;
  if (isZero(exp, sig)) {
    setResult(exp, 0);
    return;
  }
  if ((exp & SIGN) != 0) {
    invalid();
    return;
  }
  if (isInfinity(exp, sig)) {
    setResult(exp, sig);
    return;
  }
  if (isDenormal(exp, sig)) {
    signal(DE);
    if ((fcw & DE) == 0) return;
  }
  const e = normalExponent(exp, sig) - BIAS;
  sig = normalSignificand(sig);
  // The radicand high:low has an even exponent and its top bit in one of the two highest places; the root of
  // these 128 bits is the significand.
  let high = sig;
  let low: u64 = 0;
  if ((e & 1) == 0) {
    low = high << 63;
    high >>= 1;
  }
  // The root's upper half from the upper half of the radicand, then its lower half by a division
  // (Zimmermann, Karatsuba Square Root).
  let upper = <u64>sqrt<f64>(<f64>high);
  if (upper > 0xffffffff) upper = 0xffffffff;
  while (upper * upper > high) upper--;
  while (high - upper * upper > 2 * upper) upper++;
  const rest = high - upper * upper;
  const halfNumerator = rest << 31 | low >> 33;
  const digit = halfNumerator / upper;
  const odd = low >> 32 & 1;
  const u = ((halfNumerator - digit * upper) << 1) + odd;
  let root = (upper << 32) + digit;
  // remainder = u * 2^32 + low half of low - digit^2, as 128 bits
  const squareHigh = multiplyHigh(digit, digit);
  const square = digit * digit;
  const first = u << 32 | (low & 0xffffffff);
  let remainder = first - square;
  let remainderHigh = (u >> 32) - squareHigh - u64(first < square);
  if (<i64>remainderHigh < 0) {
    // remainder += 2 * root - 1; root--
    root--;
    const addend = (root << 1) + 1;
    const sum = remainder + addend;
    remainderHigh += (root >> 63) + u64(sum < remainder);
    remainder = sum;
  }
  const above = remainderHigh != 0 || remainder > root;
  const extra: u64 = above ? INTEGER_BIT | 1 : u64(remainder != 0);
  pack(0, (e >> 1) + BIAS, root, extra, fcw);
}

// ---- Remainder.

/** Quotient bits of the last remainder as condition codes: C0 = Q2, C3 = Q1, C1 = Q0; C2 for a partial one. */
export let quotientCodes: u32 = 0;
/** Whether the last remainder had a quotient: false for NaNs, invalid operations and unmasked denormals. */
export let hasQuotient: bool = false;
const C0: u32 = 0x100;
const C2: u32 = 0x400;
const C3: u32 = 0x4000;

function setQuotient(quotient: u64): void {
  const q = <u32>quotient;
  quotientCodes = ((q >> 2) & 1) * C0 | ((q >> 1) & 1) * C3 | (q & 1) * C1;
}

/** FPREM (`nearest` false: the quotient is chopped) and FPREM1 (rounded to nearest): a modulo b. */
export function remainder(aExp: u32, aSig: u64, bExp: u32, bSig: u64, nearest: bool, fcw: u32): void {
  quotientCodes = 0;
  hasQuotient = false;
  if (propagateTwo(aExp, aSig, bExp, bSig)) return;
  if (isInfinity(aExp, aSig) || isZero(bExp, bSig)) {
    invalid();
    return;
  }
  if (denormalStops(aExp, aSig, bExp, bSig, fcw)) return;
  hasQuotient = true;
  const sign = aExp & SIGN;
  if (isZero(aExp, aSig)) {
    setResult(aExp, aSig);
    return;
  }
  const ea = normalExponent(aExp, aSig);
  aSig = normalSignificand(aSig);
  if (isInfinity(bExp, bSig)) {
    pack64(sign, ea, aSig, 0, fcw);
    return;
  }
  let eb = normalExponent(bExp, bSig);
  bSig = normalSignificand(bSig);
  const distance = ea - eb;
  if (distance < 0) {
    if (nearest && distance == -1 && aSig > bSig) {
      setQuotient(1);
      packRemainder(sign ^ SIGN, ea, (bSig << 1) - aSig, fcw);
    } else {
      pack64(sign, ea, aSig, 0, fcw);
    }
    return;
  }
  let step = <u64>distance;
  if (distance >= 64) {
    // A partial remainder takes off between 32 and 63 bits.
    step = <u64>(distance & 31 | 32);
    eb += distance - <i32>step;
  }
  let quotient = divideWide(step == 0 ? 0 : aSig >> (64 - step), aSig << step, bSig);
  let rest = wideLow;
  if (distance >= 64) {
    quotientCodes = C2;
    packRemainder(sign, eb, rest, fcw);
    return;
  }
  let resultSign = sign;
  if (nearest) {
    const other = bSig - rest;
    if (rest > other || (rest == other && (quotient & 1) != 0)) {
      rest = other;
      resultSign ^= SIGN;
      quotient++;
    }
  }
  setQuotient(quotient);
  if (rest == 0) setResult(sign, 0);
  else packRemainder(resultSign, eb, rest, fcw);
}

function packRemainder(sign: u32, exp: i32, rest: u64, fcw: u32): void {
  if (rest == 0) {
    setResult(sign, 0);
    return;
  }
  pack64(sign, exp - <i32>clz(rest), rest << clz(rest), 0, fcw);
}

// ---- Scale, extract, round.

/** FSCALE: a * 2^trunc(b). */
export function scale(aExp: u32, aSig: u64, bExp: u32, bSig: u64, fcw: u32): void {
  if (propagateTwo(aExp, aSig, bExp, bSig)) return;
  const sign = aExp & SIGN;
  const bInfinite = isInfinity(bExp, bSig);
  if (bInfinite && (bExp & SIGN) == 0 ? isZero(aExp, aSig) : bInfinite && isInfinity(aExp, aSig)) {
    invalid();
    return;
  }
  if (denormalStops(aExp, aSig, bExp, bSig, fcw)) return;
  if (bInfinite) {
    if ((bExp & SIGN) == 0) setResult(sign | EXP_MAX, INTEGER_BIT);
    else setResult(sign, 0);
    return;
  }
  if (isInfinity(aExp, aSig) || isZero(aExp, aSig)) {
    setResult(aExp, aSig);
    return;
  }
  const e = normalExponent(aExp, aSig);
  aSig = normalSignificand(aSig);
  const magnitude = <i32>(bExp & EXP_MASK) - BIAS;
  let by: i32 = 0;
  if (magnitude >= 0) by = magnitude > 15 ? 0x10000 : <i32>(bSig >> (63 - <u64>magnitude));
  if ((bExp & SIGN) != 0) by = -by;
  // Beyond what the wrapped exponent of an unmasked overflow or underflow reaches.
  if (e + by > 0x7ffe + WRAP && (fcw & OE) == 0) {
    signal(OE | PE | C1);
    setResult(sign | EXP_MAX, INTEGER_BIT);
  } else if (e + by <= -WRAP && (fcw & UE) == 0) {
    signal(UE | PE);
    setResult(sign, 0);
  } else {
    pack64(sign, e + by, aSig, 0, fcw);
  }
}

/** FRNDINT. */
export function roundToInteger(exp: u32, sig: u64, fcw: u32): void {
  if (propagateOne(exp, sig)) return;
  const e = <i32>(exp & EXP_MASK) - BIAS;
  if (e >= 63 || isZero(exp, sig)) {
    setResult(exp, sig);
    return;
  }
  if (isDenormal(exp, sig)) {
    signal(DE);
    if ((fcw & DE) == 0) return;
  }
  const sign = exp & SIGN;
  let whole: u64 = 0;
  let tail: u64;
  if (e >= 0) {
    whole = sig >> (63 - <u64>e);
    tail = sig << (<u64>e + 1);
  } else {
    tail = e == -1 ? sig : 1;
  }
  if (tail != 0) {
    signal(PE);
    if (roundsUp(sign, (whole & 1) != 0, tail, fcw)) {
      signal(C1);
      whole++;
    }
  }
  if (whole == 0) setResult(sign, 0);
  else setResult(sign | <u32>(BIAS + 63 - <i32>clz(whole)), whole << clz(whole));
}

/** The exponent part of FXTRACT, for a finite non-zero operand: its unbiased exponent as a number. */
export function exponentOf(exp: u32, sig: u64): void {
  setInteger(<i64>(normalExponent(exp, sig) - BIAS));
}

/** The result is `value`, exactly. */
export function setInteger(value: i64): void {
  if (value == 0) {
    setResult(0, 0);
    return;
  }
  const sign: u32 = value < 0 ? SIGN : 0;
  const magnitude = <u64>(value < 0 ? -value : value);
  setResult(sign | <u32>(BIAS + 63 - <i32>clz(magnitude)), magnitude << clz(magnitude));
}

// ---- Comparison.

/** Condition codes C3, C2, C0 of a compared with b. `quiet`: a quiet NaN is no invalid operation (FUCOM). */
export function compare(aExp: u32, aSig: u64, bExp: u32, bSig: u64, quiet: bool): u32 {
  const aUnsupported = isUnsupported(aExp, aSig);
  const bUnsupported = isUnsupported(bExp, bSig);
  if (aUnsupported || bUnsupported || isNaN(aExp, aSig) || isNaN(bExp, bSig)) {
    if (!quiet || aUnsupported || bUnsupported || isSignaling(aExp, aSig) || isSignaling(bExp, bSig)) signal(IE);
    return C3 | C2 | C0;
  }
  if (isDenormal(aExp, aSig) || isDenormal(bExp, bSig)) signal(DE);
  const aZero = isZero(aExp, aSig);
  const bZero = isZero(bExp, bSig);
  if (aZero && bZero) return C3;
  const aNegative = (aExp & SIGN) != 0;
  const bNegative = (bExp & SIGN) != 0;
  if (aZero) return bNegative ? 0 : C0;
  if (bZero || aNegative != bNegative) return aNegative ? C0 : 0;
  // A pseudo-denormal has the value of the normal number with exponent 1.
  const ea = max<u32>(aExp & EXP_MASK, MIN_NORMAL_EXP);
  const eb = max<u32>(bExp & EXP_MASK, MIN_NORMAL_EXP);
  if (ea == eb && aSig == bSig) return C3;
  const less = ea < eb || (ea == eb && aSig < bSig);
  return less != aNegative ? C0 : 0;
}
