// F2XM1, FYL2X, FYL2XP1 and FPATAN, by series in 128-bit arithmetic (wide.ts): before the last rounding the error
// is below 2^-30 of a unit of the last place. Special operands: the tables of each instruction in Intel SDM Vol.
// 2.
import {
  BIAS, EXP_MASK, EXP_MAX, INTEGER_BIT, invalid, isInfinity, isZero, normalExponent, normalSignificand, pack64, PE,
  propagateOne, propagateTwo, resultExp, setResult, SIGN, signal, UE, ZE,
} from "./float80";
import { denormalStops, finish, INVERSE_FACTORIALS, lessPart, ODD_RECIPROCALS, plusPart, TABLE_STRIDE } from "./series";
import {
  addWide, divideWides, fractionExp, fractionHigh, fractionLow, multiplyFractions, multiplyWide, normalizeWide,
  polynomial, shiftFraction,
} from "./wide";

const LN2_HIGH: u64 = 0xb17217f7d1cf79ab;
const LN2_LOW: u64 = 0xc9e3b39803f2f6af;
const LOG2E_HALF_HIGH: u64 = 0xb8aa3b295c17f0bb;
const LOG2E_HALF_LOW: u64 = 0xbe87fed0691d3e88;
const PI_QUARTER_HIGH: u64 = 0xc90fdaa22168c234;
const PI_QUARTER_LOW: u64 = 0xc4c6628b80dc1cd1;

/** atan(i/8) for i = 0 to 8. */
const ARCTANGENTS: usize = memory.data<u64>([
  0x0000000000000000, 0x0000000000000000,
  0x1fd5ba9aac2f6dc6, 0x5912f313e7d111de,
  0x3eb6ebf25901bac5, 0x5b71e7bd7de885f9,
  0x5bd86507937bc239, 0xc55190916e7f2241,
  0x76b19c1586ed3da2, 0xb7f222f65e1d4681,
  0x8f005d5ef7f59f9b, 0x5c835e1665c43747,
  0xa4bc7d1934f70924, 0x19a87f2a457dac9e,
  0xb8053e2bc2319e73, 0xcb2da55210a4443d,
  0xc90fdaa22168c234, 0xc4c6628b80dc1cd1,
]);

// ---- Exponential.

/** F2XM1: 2^x - 1 for x between -1 and 1. */
export function exponential(exp: u32, sig: u64, fcw: u32): void {
  if (propagateOne(exp, sig)) return;
  const sign = exp & SIGN;
  if (isZero(exp, sig)) {
    setResult(exp, sig);
    return;
  }
  if (isInfinity(exp, sig)) {
    if (sign != 0) setResult(SIGN | <u32>BIAS, INTEGER_BIT);
    else setResult(exp, sig);
    return;
  }
  if (denormalStops(exp, sig, fcw)) return;
  const e = normalExponent(exp, sig) - BIAS;
  sig = normalSignificand(sig);
  if (e >= 0) {
    // Arguments beyond 1 have no defined result: processors leave them, and call all of these inexact.
    signal(PE);
    if (e == 0 && sig == INTEGER_BIT) setResult(sign != 0 ? SIGN | <u32>(BIAS - 1) : <u32>BIAS, INTEGER_BIT);
    else setResult(exp, sig);
    return;
  }
  multiplyWide(e + 1, sig, 0, 0, LN2_HIGH, LN2_LOW);
  const yExp = fractionExp;
  const yHigh = fractionHigh;
  const yLow = fractionLow;
  shiftFraction(yHigh, yLow, -yExp);
  const high = fractionHigh;
  const low = fractionLow;
  // e^y - 1 = y + y * (y/2! + y^2/3! + ...)
  polynomial(high, low, INVERSE_FACTORIALS, 24, TABLE_STRIDE, sign != 0);
  multiplyFractions(high, low, fractionHigh, fractionLow);
  if (sign != 0) lessPart(yExp, yHigh, yLow, fractionHigh, fractionLow);
  else plusPart(yExp, yHigh, yLow, fractionHigh, fractionLow);
  finish(sign, fcw);
}

// ---- Logarithms.

/** wide = 2 * log2(e) * atanh(s), which is log2((1 + s) / (1 - s)). */
function logarithmSeries(sExp: i32, sHigh: u64, sLow: u64): void {
  multiplyFractions(sHigh, sLow, sHigh, sLow);
  shiftFraction(fractionHigh, fractionLow, -2 * sExp);
  const high = fractionHigh;
  const low = fractionLow;
  polynomial(high, low, ODD_RECIPROCALS, 18, TABLE_STRIDE, false);
  multiplyFractions(high, low, fractionHigh, fractionLow);
  plusPart(sExp, sHigh, sLow, fractionHigh, fractionLow);
  multiplyWide(fractionExp, fractionHigh, fractionLow, 2, LOG2E_HALF_HIGH, LOG2E_HALF_LOW);
}

/** Result: y times the wide number with sign `sign`. */
function finishTimes(sign: u32, yExp: u32, ySig: u64, fcw: u32): void {
  multiplyWide(
    fractionExp, fractionHigh, fractionLow, normalExponent(yExp, ySig) - BIAS + 1, normalSignificand(ySig), 0,
  );
  finish(sign ^ (yExp & SIGN), fcw);
}

/** FYL2X: y * log2(x). */
export function logarithm(xExp: u32, xSig: u64, yExp: u32, ySig: u64, fcw: u32): void {
  if (propagateTwo(xExp, xSig, yExp, ySig)) return;
  const ySign = yExp & SIGN;
  const yZero = isZero(yExp, ySig);
  const yInfinite = isInfinity(yExp, ySig);
  if (isZero(xExp, xSig)) {
    if (yZero) {
      invalid();
      return;
    }
    if (!yInfinite) signal(ZE);
    setResult((ySign ^ SIGN) | EXP_MAX, INTEGER_BIT);
    return;
  }
  if ((xExp & SIGN) != 0) {
    invalid();
    return;
  }
  if (isInfinity(xExp, xSig)) {
    if (yZero) {
      invalid();
      return;
    }
    if (denormalStops(yExp, ySig, fcw)) return;
    setResult(ySign | EXP_MAX, INTEGER_BIT);
    return;
  }
  let e = normalExponent(xExp, xSig) - BIAS;
  const m = normalSignificand(xSig);
  const isOne = e == 0 && m == INTEGER_BIT;
  if (yInfinite && isOne) {
    invalid();
    return;
  }
  if (denormalStops(xExp, xSig, fcw) || denormalStops(yExp, ySig, fcw)) return;
  if (yInfinite) {
    setResult(e >= 0 ? yExp : yExp ^ SIGN, ySig);
    return;
  }
  if (yZero || isOne) {
    setResult(e >= 0 ? ySign : ySign ^ SIGN, 0);
    return;
  }
  if (m == INTEGER_BIT) {
    // A power of two: the product is exact before its rounding.
    const magnitude = <u64>(e < 0 ? -e : e);
    multiplyWide(64, magnitude << clz(magnitude), 0, normalExponent(yExp, ySig) - BIAS + 1, normalSignificand(ySig), 0);
    const exp = fractionExp - <i32>clz(magnitude);
    pack64((e < 0 ? SIGN : 0) ^ ySign, exp - 1 + BIAS, fractionHigh, fractionLow, fcw);
    // Processors do not see that it is exact.
    signal((resultExp & EXP_MASK) == 0 ? PE | UE : PE);
    return;
  }
  // x = 2^k * f, f between sqrt(1/2) and sqrt(2); log2(f) from s = (f - 1) / (f + 1).
  const upper = m > 0xb504f333f9de6484;
  let negative = false;
  if (upper) {
    // f = m / 2: 1 - f and 1 + f in units of 2^-64, the latter one bit wider
    e++;
    negative = true;
    normalizeWide(0, 0 - m, 0);
  } else {
    normalizeWide(1, m - INTEGER_BIT, 0);
  }
  const nExp = fractionExp;
  const nHigh = fractionHigh;
  if (upper) divideWides(nExp, nHigh, 0, 1, INTEGER_BIT | m >> 1, m << 63);
  else divideWides(nExp, nHigh, 0, 2, INTEGER_BIT | (m ^ INTEGER_BIT) >> 1, m << 63);
  logarithmSeries(fractionExp, fractionHigh, fractionLow);
  if (e != 0) {
    const kNegative = e < 0;
    const magnitude = <u64>(kNegative ? -e : e);
    const kExp = 64 - <i32>clz(magnitude);
    addWide(kExp, magnitude << clz(magnitude), 0, fractionExp, fractionHigh, fractionLow, kNegative != negative);
    negative = kNegative;
  }
  finishTimes(negative ? SIGN : 0, yExp, ySig, fcw);
}

/** FYL2XP1: y * log2(x + 1), for x near zero. */
export function logarithmPlusOne(xExp: u32, xSig: u64, yExp: u32, ySig: u64, fcw: u32): void {
  if (propagateTwo(xExp, xSig, yExp, ySig)) return;
  const xSign = xExp & SIGN;
  const ySign = yExp & SIGN;
  const yZero = isZero(yExp, ySig);
  const yInfinite = isInfinity(yExp, ySig);
  if (isZero(xExp, xSig)) {
    if (yInfinite) {
      invalid();
      return;
    }
    if (denormalStops(yExp, ySig, fcw)) return;
    setResult(xSign ^ ySign, 0);
    return;
  }
  if (isInfinity(xExp, xSig)) {
    if (xSign != 0 || yZero) {
      invalid();
      return;
    }
    if (denormalStops(yExp, ySig, fcw)) return;
    setResult(ySign | EXP_MAX, INTEGER_BIT);
    return;
  }
  const e = normalExponent(xExp, xSig) - BIAS;
  const m = normalSignificand(xSig);
  if (denormalStops(xExp, xSig, fcw) || denormalStops(yExp, ySig, fcw)) return;
  if (yInfinite) {
    setResult(EXP_MAX | (xSign ^ ySign), INTEGER_BIT);
    return;
  }
  if (yZero) {
    setResult(xSign ^ ySign, 0);
    return;
  }
  if (xSign != 0 && e >= 0) {
    // No defined result: processors leave x.
    signal(PE);
    setResult(xExp, xSig);
    return;
  }
  if (e >= -1) {
    // Outside of the range that the instruction is defined for: the logarithm of the sum, in two steps.
    outsideOfRange(xSign, e, m);
  } else {
    // s = x / (x + 2)
    addWide(2, INTEGER_BIT, 0, e + 1, m, 0, xSign != 0);
    divideWides(e + 1, m, 0, fractionExp, fractionHigh, fractionLow);
    logarithmSeries(fractionExp, fractionHigh, fractionLow);
  }
  finishTimes(xSign, yExp, ySig, fcw);
}

/** wide = the magnitude of log2(1 + x) for |x| of 1/2 and more. */
function outsideOfRange(sign: u32, e: i32, m: u64): void {
  if (e >= 0) addWide(e + 1, m, 0, 1, INTEGER_BIT, 0, false);
  else addWide(1, INTEGER_BIT, 0, e + 1, m, 0, sign != 0);
  // f * 2^k, f between 1/2 and 1: s = (1 - f) / (1 + f)
  let k = fractionExp;
  const high = fractionHigh;
  const low = fractionLow;
  addWide(1, INTEGER_BIT, 0, 0, high, low, true);
  const nExp = fractionExp;
  const nHigh = fractionHigh;
  const nLow = fractionLow;
  addWide(1, INTEGER_BIT, 0, 0, high, low, false);
  divideWides(nExp, nHigh, nLow, fractionExp, fractionHigh, fractionLow);
  logarithmSeries(fractionExp, fractionHigh, fractionLow);
  if (k == 0) return;
  if (k < 0) {
    k = -k;
    addWide(64 - <i32>clz<u64>(k), <u64>k << clz<u64>(k), 0, fractionExp, fractionHigh, fractionLow, false);
  } else {
    addWide(64 - <i32>clz<u64>(k), <u64>k << clz<u64>(k), 0, fractionExp, fractionHigh, fractionLow, true);
  }
}

// ---- Arctangent.

/** FPATAN: the angle of the point (x, y). */
export function arctangent(xExp: u32, xSig: u64, yExp: u32, ySig: u64, fcw: u32): void {
  if (propagateTwo(xExp, xSig, yExp, ySig)) return;
  const sign = yExp & SIGN;
  const left = (xExp & SIGN) != 0;
  if (denormalStops(xExp, xSig, fcw) || denormalStops(yExp, ySig, fcw)) return;
  const xInfinite = isInfinity(xExp, xSig);
  const yInfinite = isInfinity(yExp, ySig);
  const xZero = isZero(xExp, xSig);
  if (isZero(yExp, ySig) || (xInfinite && !yInfinite)) {
    // On the x axis: 0 or pi.
    if (left) finishAngle(sign, 2, PI_QUARTER_HIGH, PI_QUARTER_LOW, fcw);
    else setResult(sign, 0);
    return;
  }
  if (xZero || (yInfinite && !xInfinite)) {
    finishAngle(sign, 1, PI_QUARTER_HIGH, PI_QUARTER_LOW, fcw);
    return;
  }
  if (xInfinite) {
    // pi/4 or 3 pi/4
    if (left) addWide(1, PI_QUARTER_HIGH, PI_QUARTER_LOW, 0, PI_QUARTER_HIGH, PI_QUARTER_LOW, false);
    else normalizeWide(0, PI_QUARTER_HIGH, PI_QUARTER_LOW);
    finish(sign, fcw);
    return;
  }
  let aExp = normalExponent(yExp, ySig);
  let a = normalSignificand(ySig);
  let bExp = normalExponent(xExp, xSig);
  let b = normalSignificand(xSig);
  const steep = aExp > bExp || (aExp == bExp && a > b);
  if (steep) {
    const exp = aExp;
    const sig = a;
    aExp = bExp;
    a = b;
    bExp = exp;
    b = sig;
  }
  arctangentOfQuotient(aExp, a, bExp, b);
  if (steep) addWide(1, PI_QUARTER_HIGH, PI_QUARTER_LOW, fractionExp, fractionHigh, fractionLow, !left);
  else if (left) addWide(2, PI_QUARTER_HIGH, PI_QUARTER_LOW, fractionExp, fractionHigh, fractionLow, true);
  finish(sign, fcw);
}

function finishAngle(sign: u32, exp: i32, high: u64, low: u64, fcw: u32): void {
  normalizeWide(exp, high, low);
  finish(sign, fcw);
}

/** wide = atan(a / b), a / b between 0 and 1. */
function arctangentOfQuotient(aExp: i32, a: u64, bExp: i32, b: u64): void {
  const distance = bExp - aExp;
  let eighths: u64 = 0;
  if (distance <= 4) {
    const ratio = <f64>a / <f64>b / <f64>((<u64>1) << <u64>distance);
    eighths = <u64>(ratio * 8 + 0.5);
  }
  if (eighths == 0) {
    divideWides(aExp, a, 0, bExp, b, 0);
    seriesOfArctangent(fractionExp, fractionHigh, fractionLow);
    return;
  }
  // atan(a/b) = atan(c) + atan((a - c b) / (b + c a)), c being `eighths` / 8. All terms times 8, in units of a's last
  // place.
  const shift = <u64>distance;
  const bLow = b << shift;
  const bHigh = shift == 0 ? 0 : b >> (64 - shift);
  const a8Low = a << 3;
  const a8High = a >> 61;
  const cbLow = bLow * eighths;
  const cbHigh = multiplyHigh64(bLow, eighths) + bHigh * eighths;
  const below = a8High < cbHigh || (a8High == cbHigh && a8Low < cbLow);
  let nLow = a8Low - cbLow;
  let nHigh = a8High - cbHigh - u64(a8Low < cbLow);
  if (below) {
    nHigh = ~nHigh + u64(nLow == 0);
    nLow = 0 - nLow;
  }
  const caLow = a * eighths;
  let dLow = bLow << 3;
  let dHigh = bHigh << 3 | bLow >> 61;
  dLow += caLow;
  dHigh += multiplyHigh64(a, eighths) + u64(dLow < caLow);
  const base = ARCTANGENTS + <usize>eighths * TABLE_STRIDE;
  const baseHigh = load<u64>(base);
  const baseLow = load<u64>(base, 8);
  if ((nHigh | nLow) == 0) {
    normalizeWide(0, baseHigh, baseLow);
    return;
  }
  normalizeWide(0, nHigh, nLow);
  const nExp = fractionExp;
  nHigh = fractionHigh;
  nLow = fractionLow;
  normalizeWide(0, dHigh, dLow);
  divideWides(nExp, nHigh, nLow, fractionExp, fractionHigh, fractionLow);
  seriesOfArctangent(fractionExp, fractionHigh, fractionLow);
  const uExp = fractionExp;
  const uHigh = fractionHigh;
  const uLow = fractionLow;
  normalizeWide(0, baseHigh, baseLow);
  addWide(fractionExp, fractionHigh, fractionLow, uExp, uHigh, uLow, below);
}

// @ts-ignore: decorator
@inline
function multiplyHigh64(a: u64, small: u64): u64 {
  return ((a >> 32) * small + ((a & 0xffffffff) * small >> 32)) >> 32;
}

/** wide = atan(u) for u up to 1/16. */
function seriesOfArctangent(uExp: i32, uHigh: u64, uLow: u64): void {
  multiplyFractions(uHigh, uLow, uHigh, uLow);
  shiftFraction(fractionHigh, fractionLow, -2 * uExp);
  const high = fractionHigh;
  const low = fractionLow;
  polynomial(high, low, ODD_RECIPROCALS, 13, TABLE_STRIDE, true);
  multiplyFractions(high, low, fractionHigh, fractionLow);
  lessPart(uExp, uHigh, uLow, fractionHigh, fractionLow);
}
