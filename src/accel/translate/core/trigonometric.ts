// FSIN, FCOS, FSINCOS and FPTAN, as transcendental.ts does the others. Angles are reduced with the 66-bit pi that
// the manuals describe, so that results are those of processors and not those of the true pi.
import {
  BIAS, INTEGER_BIT, invalid, isInfinity, isZero, normalExponent, normalSignificand, propagateOne, resultExp, resultSig,
  setResult, SIGN,
} from "./float80";
import { denormalStops, finish, INVERSE_FACTORIALS, lessPart, ODD_RECIPROCALS, plusPart, TABLE_STRIDE } from "./series";
import {
  divideWides, fractionExp, fractionHigh, fractionLow, multiplyFractions, normalizeWide, polynomial, setFraction,
  shiftFraction,
} from "./wide";

/** pi/2 as the trigonometric functions know it, in units of 2^-65: 66 bits. */
const HALF_PI_HIGH: u64 = 0x3;
const HALF_PI_LOW: u64 = 0x243f6a8885a308d3;

/** The argument of a trigonometric function is 2^63 or more: C2, and ST(0) stays. */
export let argumentOutOfRange: bool = false;
/** The second result of FPTAN and FSINCOS. */
export let secondExp: u32 = 0;
export let secondSig: u64 = 0;

/** The reduced argument: wide angle up to pi/4, its sign, and how many right angles were taken off. */
let angleExp: i32 = 0;
let angleHigh: u64 = 0;
let angleLow: u64 = 0;
let angleNegative: bool = false;
let quadrant: u32 = 0;

/** Deals with special operands, then reduces the argument: true when there is nothing more to do. */
function prepareAngle(exp: u32, sig: u64, fcw: u32): bool {
  argumentOutOfRange = false;
  if (propagateOne(exp, sig)) return true;
  if (isInfinity(exp, sig)) {
    invalid();
    return true;
  }
  const e = normalExponent(exp, sig) - BIAS;
  if (e >= 63) {
    argumentOutOfRange = true;
    return true;
  }
  if (denormalStops(exp, sig, fcw)) return true;
  reduce(e, normalSignificand(sig));
  return false;
}

function reduce(e: i32, sig: u64): void {
  quadrant = 0;
  angleNegative = false;
  if (e < -1) {
    angleExp = e + 1;
    angleHigh = sig;
    angleLow = 0;
    return;
  }
  // The remainder of the argument by pi/2, both in units of 2^-65, bit by bit.
  let high: u64 = 0;
  let low = sig;
  let quotient: u32 = 0;
  for (let i = e + 2; i > 0; i--) {
    high = high << 1 | low >> 63;
    low <<= 1;
    quotient <<= 1;
    if (high > HALF_PI_HIGH || (high == HALF_PI_HIGH && low >= HALF_PI_LOW)) {
      high -= HALF_PI_HIGH + u64(low < HALF_PI_LOW);
      low -= HALF_PI_LOW;
      quotient |= 1;
    }
  }
  const restHigh = HALF_PI_HIGH - high - u64(HALF_PI_LOW < low);
  const restLow = HALF_PI_LOW - low;
  if (high > restHigh || (high == restHigh && low > restLow)) {
    high = restHigh;
    low = restLow;
    angleNegative = true;
    quotient++;
  }
  quadrant = quotient & 3;
  normalizeWide(63, high, low);
  angleExp = fractionExp;
  angleHigh = fractionHigh;
  angleLow = fractionLow;
}

/** wide = sine of the reduced angle's magnitude. */
function sineSeries(): void {
  squareAngle();
  const high = fractionHigh;
  const low = fractionLow;
  polynomial(high, low, INVERSE_FACTORIALS + TABLE_STRIDE, 12, 2 * TABLE_STRIDE, true);
  multiplyFractions(high, low, fractionHigh, fractionLow);
  lessPart(angleExp, angleHigh, angleLow, fractionHigh, fractionLow);
}

/** wide = cosine of the reduced angle. */
function cosineSeries(): void {
  squareAngle();
  const high = fractionHigh;
  const low = fractionLow;
  polynomial(high, low, INVERSE_FACTORIALS, 13, 2 * TABLE_STRIDE, true);
  multiplyFractions(high, low, fractionHigh, fractionLow);
  if ((fractionHigh | fractionLow) == 0) setFraction(0, 1);
  normalizeWide(0, 0 - fractionHigh - u64(fractionLow != 0), 0 - fractionLow);
}

function squareAngle(): void {
  multiplyFractions(angleHigh, angleLow, angleHigh, angleLow);
  shiftFraction(fractionHigh, fractionLow, -2 * angleExp);
}

/** The sine of the reduced angle plus `quarters` right angles, for an argument of sign `sign`. */
function finishSine(sign: u32, quarters: u32, fcw: u32): void {
  const negative = (quarters & 2) != 0;
  if ((quarters & 1) == 0) {
    sineSeries();
    finish(negative != angleNegative ? sign ^ SIGN : sign, fcw);
  } else {
    cosineSeries();
    finish(negative ? sign ^ SIGN : sign, fcw);
  }
}

/** FSIN. */
export function sine(exp: u32, sig: u64, fcw: u32): void {
  if (isZero(exp, sig)) {
    argumentOutOfRange = false;
    setResult(exp, sig);
    return;
  }
  if (prepareAngle(exp, sig, fcw)) return;
  finishSine(exp & SIGN, quadrant, fcw);
}

/** FCOS. */
export function cosine(exp: u32, sig: u64, fcw: u32): void {
  if (isZero(exp, sig)) {
    argumentOutOfRange = false;
    setResult(<u32>BIAS, INTEGER_BIT);
    return;
  }
  if (prepareAngle(exp, sig, fcw)) return;
  // The cosine is even: the angle's sign counts only as reduction made it.
  finishSine(0, quadrant + 1, fcw);
}

/** FSINCOS: the sine is the result, the cosine the second result. */
export function sineAndCosine(exp: u32, sig: u64, fcw: u32): void {
  cosine(exp, sig, fcw);
  secondExp = resultExp;
  secondSig = resultSig;
  if (argumentOutOfRange) return;
  sine(exp, sig, fcw);
}

/** FPTAN: the tangent is the result, 1 the second result, or the same NaN. */
export function tangent(exp: u32, sig: u64, fcw: u32): void {
  secondExp = <u32>BIAS;
  secondSig = INTEGER_BIT;
  if (isZero(exp, sig)) {
    argumentOutOfRange = false;
    setResult(exp, sig);
    return;
  }
  if (prepareAngle(exp, sig, fcw)) {
    secondExp = resultExp;
    secondSig = resultSig;
    return;
  }
  let sign = exp & SIGN;
  if (angleNegative) sign ^= SIGN;
  if (quadrant == 0 && angleExp < -40) {
    // tan y = y + y^3/3: the quotient below would not say on which side of y it lies.
    squareAngle();
    multiplyFractions(fractionHigh, fractionLow, load<u64>(ODD_RECIPROCALS), load<u64>(ODD_RECIPROCALS, 8));
    plusPart(angleExp, angleHigh, angleLow, fractionHigh, fractionLow);
    finish(sign, fcw);
    return;
  }
  sineSeries();
  const sExp = fractionExp;
  const sHigh = fractionHigh;
  const sLow = fractionLow;
  cosineSeries();
  if ((quadrant & 1) == 0) {
    divideWides(sExp, sHigh, sLow, fractionExp, fractionHigh, fractionLow);
  } else {
    sign ^= SIGN;
    divideWides(fractionExp, fractionHigh, fractionLow, sExp, sHigh, sLow);
  }
  finish(sign, fcw);
}
