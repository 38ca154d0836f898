// The 80-bit extended format: a 64-bit significand with an explicit integer bit, and a u32 whose low 16
// bits are sign and exponent as in memory. An operation leaves its result in `resultSig` and `resultExp`
// and adds the exceptions it met to `exceptions`, as bits of the status word. Both are instance globals that
// live for one instruction; nothing of a vCPU stays in them.
//
// Every operation takes FCW: rounding and precision control, and the masks, because an unmasked overflow or
// underflow has a different result (the exponent wrapped by 24576).

export const IE: u32 = 0x01;
export const DE: u32 = 0x02;
export const ZE: u32 = 0x04;
export const OE: u32 = 0x08;
export const UE: u32 = 0x10;
export const PE: u32 = 0x20;
export const SF: u32 = 0x40;
/** Condition code 1: the last rounding was away from zero. */
export const C1: u32 = 0x200;

/** FCW with all exceptions masked, 64-bit precision, rounding to nearest. */
export const FCW_INIT: u32 = 0x37f;
export const PRECISION_64: u32 = 0x300;
/** Rounding control of FCW. */
export const ROUND_DOWN: u32 = 0x400;
export const ROUND_UP: u32 = 0x800;
export const ROUND_CHOP: u32 = 0xc00;

export const SIGN: u32 = 0x8000;
export const EXP_MASK: u32 = 0x7fff;
export const EXP_MAX: u32 = 0x7fff;
export const BIAS: i32 = 0x3fff;
export const INTEGER_BIT: u64 = 0x8000000000000000;
const QUIET_BIT: u64 = 0x4000000000000000;
const HALF: u64 = 0x8000000000000000;
/** What an unmasked overflow or underflow adds to or takes from the exponent. */
export const WRAP: i32 = 24576;

export let resultSig: u64 = 0;
export let resultExp: u32 = 0;
export let exceptions: u32 = 0;
/** Low half of a product, or the remainder of a division. */
export let wideLow: u64 = 0;

// @ts-ignore: decorator
@inline
export function setResult(exp: u32, sig: u64): void {
  resultExp = exp;
  resultSig = sig;
}

// @ts-ignore: decorator
@inline
export function signal(bits: u32): void {
  exceptions |= bits;
}

// @ts-ignore: decorator
@inline
export function clearExceptions(): void {
  exceptions = 0;
}

/** The real indefinite, the masked response to an invalid operation. */
export function invalid(): void {
  exceptions |= IE;
  resultExp = 0xffff;
  resultSig = 0xc000000000000000;
}

// ---- Classes of operands.

/** Neither zero, denormal, infinity, NaN nor an unsupported format. */
// @ts-ignore: decorator
@inline
export function isNormal(exp: u32, sig: u64): bool {
  return (exp & EXP_MASK) - 1 < 0x7ffe && <i64>sig < 0;
}

/** Unnormals, pseudo-infinities and pseudo-NaNs: operands that no 387 accepts. */
// @ts-ignore: decorator
@inline
export function isUnsupported(exp: u32, sig: u64): bool {
  return (exp & EXP_MASK) != 0 && <i64>sig >= 0;
}

// @ts-ignore: decorator
@inline
export function isNaN(exp: u32, sig: u64): bool {
  return (exp & EXP_MASK) == EXP_MAX && sig << 1 != 0;
}

// @ts-ignore: decorator
@inline
export function isSignaling(exp: u32, sig: u64): bool {
  return (exp & EXP_MASK) == EXP_MAX && (sig & QUIET_BIT) == 0 && sig << 1 != 0;
}

// @ts-ignore: decorator
@inline
export function isInfinity(exp: u32, sig: u64): bool {
  return (exp & EXP_MASK) == EXP_MAX && sig == INTEGER_BIT;
}

// @ts-ignore: decorator
@inline
export function isZero(exp: u32, sig: u64): bool {
  return (exp & EXP_MASK) == 0 && sig == 0;
}

/** Denormals and pseudo-denormals. */
// @ts-ignore: decorator
@inline
export function isDenormal(exp: u32, sig: u64): bool {
  return (exp & EXP_MASK) == 0 && sig != 0;
}

/** The biased exponent of a finite non-zero operand as if denormals were normalized. */
// @ts-ignore: decorator
@inline
export function normalExponent(exp: u32, sig: u64): i32 {
  const e = <i32>(exp & EXP_MASK);
  return e != 0 ? e : 1 - <i32>clz(sig);
}

/** The significand of a finite non-zero operand, its integer bit set. */
// @ts-ignore: decorator
@inline
export function normalSignificand(sig: u64): u64 {
  return sig << clz(sig);
}

/** Deals with an unsupported or NaN operand of a one-operand operation: true when the result is made. */
export function propagateOne(exp: u32, sig: u64): bool {
  if (isUnsupported(exp, sig)) {
    invalid();
    return true;
  }
  if (!isNaN(exp, sig)) return false;
  if ((sig & QUIET_BIT) == 0) exceptions |= IE;
  setResult(exp, sig | QUIET_BIT);
  return true;
}

/**
 * Deals with unsupported and NaN operands of a two-operand operation: true when the result is made. Of two
 * NaNs a quiet one wins over a signaling one, then the larger significand, then the positive one.
 */
export function propagateTwo(aExp: u32, aSig: u64, bExp: u32, bSig: u64): bool {
  if (isUnsupported(aExp, aSig) || isUnsupported(bExp, bSig)) {
    invalid();
    return true;
  }
  const aNaN = isNaN(aExp, aSig);
  const bNaN = isNaN(bExp, bSig);
  if (!aNaN && !bNaN) return false;
  const aSignaling = aNaN && (aSig & QUIET_BIT) == 0;
  const bSignaling = bNaN && (bSig & QUIET_BIT) == 0;
  if (aSignaling || bSignaling) exceptions |= IE;
  let takeA = aNaN;
  if (aNaN && bNaN) {
    if (aSignaling != bSignaling) takeA = bSignaling;
    else if (aSig != bSig) takeA = aSig > bSig;
    else takeA = (aExp & SIGN) == 0;
  }
  if (takeA) setResult(aExp, aSig | QUIET_BIT);
  else setResult(bExp, bSig | QUIET_BIT);
  return true;
}

// ---- Wide integers.

/** a * b: the high half; the low half is the plain product. */
export function multiplyHigh(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const low = al * bl;
  const cross = ah * bl + (low >> 32);
  const middle = al * bh + (cross & 0xffffffff);
  return ah * bh + (cross >> 32) + (middle >> 32);
}

/** high:low / divisor, the divisor's top bit set and above `high`. The remainder goes to wideLow. */
export function divideWide(high: u64, low: u64, divisor: u64): u64 {
  const dh = divisor >> 32;
  const dl = divisor & 0xffffffff;
  let q1 = high / dh;
  let r = high - q1 * dh;
  while (q1 >> 32 != 0 || q1 * dl > (r << 32 | low >> 32)) {
    q1--;
    r += dh;
    if (r >> 32 != 0) break;
  }
  const middle = (high << 32 | low >> 32) - q1 * divisor;
  let q0 = middle / dh;
  r = middle - q0 * dh;
  while (q0 >> 32 != 0 || q0 * dl > (r << 32 | (low & 0xffffffff))) {
    q0--;
    r += dh;
    if (r >> 32 != 0) break;
  }
  wideLow = (middle << 32 | (low & 0xffffffff)) - q0 * divisor;
  return (q1 << 32) + q0;
}

// ---- Rounding.

/** Whether to add one unit: `tail` is what is cut off, as a fraction of the unit. */
// @ts-ignore: decorator
@inline
export function roundsUp(sign: u32, odd: bool, tail: u64, fcw: u32): bool {
  const mode = fcw & ROUND_CHOP;
  if (mode == 0) return tail > HALF || (tail == HALF && odd);
  if (mode == ROUND_CHOP) return false;
  return tail != 0 && (mode == ROUND_DOWN) == (sign != 0);
}

/**
 * Rounds sign, biased exponent and sig:extra (integer bit of sig set, extra's lowest bit sticky) by FCW to the
 * result.
 */
export function pack(sign: u32, exp: i32, sig: u64, extra: u64, fcw: u32): void {
  if ((fcw & PRECISION_64) == PRECISION_64 && <u32>(exp - 1) < 0x7ffd) {
    if (extra != 0) {
      exceptions |= PE;
      if (roundsUp(sign, (sig & 1) != 0, extra, fcw)) {
        exceptions |= C1;
        if (++sig == 0) {
          sig = INTEGER_BIT;
          exp++;
        }
      }
    }
    resultExp = sign | <u32>exp;
    resultSig = sig;
    return;
  }
  const precision = fcw & PRECISION_64;
  // Bits of sig that the precision cuts off. The reserved encoding means 64 bits.
  const cut: u64 = precision == 0x200 ? 11 : precision == 0 ? 40 : 0;
  packSlow(sign, exp, sig, extra, fcw, cut);
}

/** As `pack`, always to 64 bits. */
export function pack64(sign: u32, exp: i32, sig: u64, extra: u64, fcw: u32): void {
  pack(sign, exp, sig, extra, fcw | PRECISION_64);
}

function packSlow(sign: u32, exp: i32, sig: u64, extra: u64, fcw: u32, cut: u64): void {
  const mask: u64 = ((<u64>1) << cut) - 1;
  let kept = sig & ~mask;
  let tail = cut == 0 ? extra : sig << (64 - cut) | u64(extra != 0);
  let up = roundsUp(sign, (kept & (mask + 1)) != 0, tail, fcw);
  if (exp <= 0) {
    // Tiny means: below the smallest normal number after rounding with an unbounded exponent.
    const tiny = !(exp == 0 && up && kept + (mask + 1) == 0);
    if (tiny && (fcw & UE) == 0) {
      exceptions |= UE;
      exp += WRAP;
    } else {
      const shift = <u64>(1 - exp);
      if (shift < 64) {
        extra = sig << (64 - shift) | u64(extra != 0);
        sig >>= shift;
      } else {
        extra = shift == 64 ? sig | u64(extra != 0) : 1;
        sig = 0;
      }
      kept = sig & ~mask;
      tail = cut == 0 ? extra : sig << (64 - cut) | u64(extra != 0);
      up = roundsUp(sign, (kept & (mask + 1)) != 0, tail, fcw);
      if (tail != 0) {
        exceptions |= tiny ? PE | UE : PE;
        if (up) {
          exceptions |= C1;
          kept += mask + 1;
        }
      }
      setResult(sign | <u32>(kept >> 63), kept);
      return;
    }
  }
  if (tail != 0) exceptions |= PE;
  if (up) {
    exceptions |= C1;
    kept += mask + 1;
    if (kept == 0) {
      kept = INTEGER_BIT;
      exp++;
    }
  }
  if (exp > 0x7ffe) {
    exceptions |= OE;
    if ((fcw & OE) == 0) {
      exp -= WRAP;
    } else {
      exceptions |= PE;
      const mode = fcw & ROUND_CHOP;
      if (mode == 0 || (mode != ROUND_CHOP && (mode == ROUND_DOWN) == (sign != 0))) {
        exceptions |= C1;
        setResult(sign | EXP_MAX, INTEGER_BIT);
      } else {
        exceptions &= ~C1;
        setResult(sign | 0x7ffe, ~mask);
      }
      return;
    }
  }
  setResult(sign | <u32>exp, kept);
}
