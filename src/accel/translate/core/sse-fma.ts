// Fused multiply-add: the product in full, one rounding. Intel SDM volume 1, chapter 14.5; MXCSR as sse-exact.ts has it.
import {
  DENORMAL, DOWN, IE, denormalsAreZeros, jam, mulHigh, roundPack, roundingMode, signal, unpack, unpackedExp,
} from "./sse-exact";

/** What is negated before the operation; NaNs are left alone. */
export const FMA_NEGATE_PRODUCT: u32 = 1;
export const FMA_NEGATE_ADDEND: u32 = 2;

/**
 * x * y + z on binary64 bits, between `begin` and `finish`. Of VFMADD132 x, y, z are operands 1, 3, 2; of 213: 2, 1, 3; of
 * 231: 2, 3, 1: the first NaN of x, y, z is the result.
 */
export function fmaDouble(x: u64, y: u64, z: u64, negate: u32): u64 {
  return fused(x, y, z, negate, 52);
}

/** The same on binary32 bits. */
export function fmaSingle(x: u32, y: u32, z: u32, negate: u32): u32 {
  return <u32>fused(x, y, z, negate, 23);
}

function fused(x0: u64, y0: u64, z0: u64, negate: u32, fraction: i32): u64 {
  const signBit: u64 = fraction == 52 ? 1 << 63 : 1 << 31;
  const infinity: u64 = fraction == 52 ? 0x7ff0_0000_0000_0000 : 0x7f80_0000;
  const quiet = (<u64>1) << (fraction - 1);
  let x = x0 & ~signBit;
  let y = y0 & ~signBit;
  let z = z0 & ~signBit;
  if (x > infinity || y > infinity || z > infinity) {
    if (signals(x, infinity, quiet) || signals(y, infinity, quiet) || signals(z, infinity, quiet)) signal(IE);
    return (x > infinity ? x0 : y > infinity ? y0 : z0) | quiet;
  }
  const leastNormal = (<u64>1) << fraction;
  const denormal = x - 1 < leastNormal - 1 || y - 1 < leastNormal - 1 || z - 1 < leastNormal - 1;
  if (denormal && denormalsAreZeros()) {
    if (x < leastNormal) x = 0;
    if (y < leastNormal) y = 0;
    if (z < leastNormal) z = 0;
  }
  const sign = (x0 ^ y0 ^ (negate & FMA_NEGATE_PRODUCT ? signBit : 0)) & signBit;
  const signZ = (z0 ^ (negate & FMA_NEGATE_ADDEND ? signBit : 0)) & signBit;
  const infiniteProduct = x == infinity || y == infinity;
  // Zero times infinity, infinity less infinity.
  if (infiniteProduct && (x == 0 || y == 0 || (z == infinity && sign != signZ))) {
    signal(IE);
    return signBit | infinity | quiet;
  }
  if (denormal && !denormalsAreZeros()) signal(DENORMAL);
  if (infiniteProduct) return sign | infinity;
  if (z == infinity) return signZ | infinity;
  const exactZero = roundingMode() == DOWN ? signBit : 0;
  if (x == 0 || y == 0) {
    if (z == 0) return sign == signZ ? sign : exactZero;
    const alone = unpack(z, fraction);
    return roundPack(signZ, unpackedExp, alone, fraction);
  }

  // Product and addend as 128 bits each, the leading bit at 126.
  const sigX = unpack(x, fraction) << 1;
  let exp = unpackedExp;
  const sigY = unpack(y, fraction);
  exp += unpackedExp - (fraction == 52 ? 1023 : 127);
  let high = mulHigh(sigX, sigY);
  let low = sigX * sigY;
  if (high >> 62) exp++;
  else {
    high = (high << 1) | (low >> 63);
    low <<= 1;
  }
  if (z == 0) return roundPack(sign, exp, high | (low != 0 ? 1 : 0), fraction);
  let otherHigh = unpack(z, fraction);
  let otherLow: u64 = 0;
  let otherExp = unpackedExp;
  let resultSign = sign;
  if (otherExp > exp || (otherExp == exp && (otherHigh > high || (otherHigh == high && otherLow > low)))) {
    // The larger one first.
    resultSign = signZ;
    const swapHigh = high;
    const swapLow = low;
    const swapExp = exp;
    high = otherHigh;
    low = otherLow;
    exp = otherExp;
    otherHigh = swapHigh;
    otherLow = swapLow;
    otherExp = swapExp;
  }
  const distance = <u32>(exp - otherExp);
  if (distance >= 64) {
    otherLow = jam(otherHigh, distance - 64) | (otherLow != 0 ? 1 : 0);
    otherHigh = 0;
  } else if (distance != 0) {
    const lost = otherLow << (64 - distance);
    otherLow = (otherLow >> distance) | (otherHigh << (64 - distance)) | (lost != 0 ? 1 : 0);
    otherHigh >>= distance;
  }
  if (sign == signZ) {
    low += otherLow;
    high += otherHigh + (low < otherLow ? 1 : 0);
    if (high >> 63) {
      low = (low >> 1) | (high << 63) | (low & 1);
      high >>= 1;
      exp++;
    }
  } else {
    const borrow: u64 = low < otherLow ? 1 : 0;
    low -= otherLow;
    high -= otherHigh + borrow;
    if (high == 0) {
      if (low == 0) return exactZero;
      // Only what was exact cancels this far.
      high = low >> 1;
      low <<= 63;
      exp -= 63;
    }
    const up = <i32>clz(high) - 1;
    if (up > 0) {
      high = (high << up) | (low >> (64 - up));
      low <<= up;
      exp -= up;
    }
  }
  return roundPack(resultSign, exp, high | (low != 0 ? 1 : 0), fraction);
}

// @ts-ignore: decorator
@inline
function signals(magnitude: u64, infinity: u64, quiet: u64): bool {
  return magnitude > infinity && !(magnitude & quiet);
}
