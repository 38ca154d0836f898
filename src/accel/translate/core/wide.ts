// Fractions of 128 bits for the transcendental functions: high:low / 2^128, truncated; errors of a few units of
// the last place are far below what they are used for. A wide number is such a fraction with its top bit set,
// times a power of two; its result parts are left in globals of the instance, as float80.ts leaves its own.
import { divideWide, multiplyHigh, wideLow } from "./float80";

/** The low half of the last fraction, or of the last wide number; its high half; its power of two. */
export let fractionLow: u64 = 0;
export let fractionHigh: u64 = 0;
export let fractionExp: i32 = 0;

// @ts-ignore: decorator
@inline
export function setFraction(high: u64, low: u64): void {
  fractionHigh = high;
  fractionLow = low;
}

/** fraction = a * b. */
export function multiplyFractions(aHigh: u64, aLow: u64, bHigh: u64, bLow: u64): void {
  let high = multiplyHigh(aHigh, bHigh);
  let low = aHigh * bHigh;
  const cross = multiplyHigh(aHigh, bLow);
  low += cross;
  high += u64(low < cross);
  const other = multiplyHigh(aLow, bHigh);
  low += other;
  high += u64(low < other);
  fractionHigh = high;
  fractionLow = low;
}

/** fraction = (high:low) >> shift, for any shift. */
export function shiftFraction(high: u64, low: u64, shift: i32): void {
  if (shift <= 0) {
    setFraction(high, low);
  } else if (shift < 64) {
    setFraction(high >> <u64>shift, low >> <u64>shift | high << <u64>(64 - shift));
  } else if (shift < 128) {
    setFraction(0, high >> <u64>(shift - 64));
  } else {
    setFraction(0, 0);
  }
}

/**
 * fraction = c0 + x * (c1 + x * (c2 + ... )), or with alternating signs: c0 - x * (c1 - x * (c2 - ... )). The `count`
 * coefficients are fractions at `table`, high half first, `stride` bytes apart.
 */
export function polynomial(xHigh: u64, xLow: u64, table: usize, count: u32, stride: usize, alternating: bool): void {
  let at = table + stride * (count - 1);
  let high = load<u64>(at);
  let low = load<u64>(at, 8);
  while (at != table) {
    at -= stride;
    multiplyFractions(xHigh, xLow, high, low);
    const c = load<u64>(at, 8);
    if (alternating) {
      low = c - fractionLow;
      high = load<u64>(at) - fractionHigh - u64(c < fractionLow);
    } else {
      low = c + fractionLow;
      high = load<u64>(at) + fractionHigh + u64(low < c);
    }
  }
  setFraction(high, low);
}

/** The wide number (high:low) * 2^exp, made normal. Zero stays zero. */
export function normalizeWide(exp: i32, high: u64, low: u64): void {
  if (high == 0) {
    if (low == 0) {
      setFraction(0, 0);
      fractionExp = exp;
      return;
    }
    high = low;
    low = 0;
    exp -= 64;
  }
  const shift = clz(high);
  if (shift != 0) {
    high = high << shift | low >> (64 - shift);
    low <<= shift;
  }
  setFraction(high, low);
  fractionExp = exp - <i32>shift;
}

/** wide = a * b. */
export function multiplyWide(aExp: i32, aHigh: u64, aLow: u64, bExp: i32, bHigh: u64, bLow: u64): void {
  multiplyFractions(aHigh, aLow, bHigh, bLow);
  normalizeWide(aExp + bExp, fractionHigh, fractionLow);
}

/** wide = a + b, or a - b, which must not be negative. */
export function addWide(aExp: i32, aHigh: u64, aLow: u64, bExp: i32, bHigh: u64, bLow: u64, negative: bool): void {
  if (aExp < bExp) {
    // Only a sum comes here: a is the larger one of a difference.
    shiftFraction(aHigh, aLow, bExp - aExp);
    aHigh = bHigh;
    aLow = bLow;
    aExp = bExp;
  } else {
    shiftFraction(bHigh, bLow, aExp - bExp);
  }
  if (negative) {
    const low = aLow - fractionLow;
    normalizeWide(aExp, aHigh - fractionHigh - u64(aLow < fractionLow), low);
    return;
  }
  let low = aLow + fractionLow;
  const carry = u64(low < aLow);
  const partial = aHigh + fractionHigh;
  const high = partial + carry;
  if (partial < aHigh || high < partial) {
    low = low >> 1 | high << 63;
    setFraction(high >> 1 | 0x8000000000000000, low);
    fractionExp = aExp + 1;
  } else {
    normalizeWide(aExp, high, low);
  }
}

let restHigh: u64 = 0;
let restLow: u64 = 0;

/** The next 64 bits of rest / b, which is below one; b's top bit is set. */
function quotientDigit(bHigh: u64, bLow: u64): u64 {
  let digit: u64 = u64.MAX_VALUE;
  if (restHigh != bHigh) {
    digit = divideWide(restHigh, restLow, bHigh);
    let rest = wideLow;
    while (multiplyHigh(digit, bLow) > rest || (multiplyHigh(digit, bLow) == rest && digit * bLow > 0)) {
      digit--;
      rest += bHigh;
      if (rest < bHigh) break;
    }
  } else {
    let rest = restLow + bHigh;
    if (rest >= bHigh) {
      while (multiplyHigh(digit, bLow) > rest || (multiplyHigh(digit, bLow) == rest && digit * bLow > 0)) {
        digit--;
        rest += bHigh;
        if (rest < bHigh) break;
      }
    }
  }
  // rest = rest * 2^64 - digit * b
  const low = digit * bLow;
  const high = multiplyHigh(digit, bLow) + digit * bHigh;
  restHigh = restLow - high - u64(low != 0);
  restLow = 0 - low;
  return digit;
}

/** wide = a / b. */
export function divideWides(aExp: i32, aHigh: u64, aLow: u64, bExp: i32, bHigh: u64, bLow: u64): void {
  let exp = aExp - bExp;
  restHigh = aHigh;
  restLow = aLow;
  if (aHigh > bHigh || (aHigh == bHigh && aLow >= bLow)) {
    restLow = aLow >> 1 | aHigh << 63;
    restHigh = aHigh >> 1;
    exp++;
  }
  const first = quotientDigit(bHigh, bLow);
  normalizeWide(exp, first, quotientDigit(bHigh, bLow));
}
