// What the series of the transcendental functions share: coefficients, last steps, rounding.
import { BIAS, DE, isDenormal, pack64, signal } from "./float80";
import { addWide, fractionExp, fractionHigh, fractionLow, multiplyFractions, normalizeWide, setFraction } from "./wide";

/** 1/2!, 1/3!, ... 1/27!, as fractions: high half, low half. */
export const INVERSE_FACTORIALS: usize = memory.data<u64>([
  0x8000000000000000, 0x0000000000000000,
  0x2aaaaaaaaaaaaaaa, 0xaaaaaaaaaaaaaaaa,
  0x0aaaaaaaaaaaaaaa, 0xaaaaaaaaaaaaaaaa,
  0x0222222222222222, 0x2222222222222222,
  0x005b05b05b05b05b, 0x05b05b05b05b05b0,
  0x000d00d00d00d00d, 0x00d00d00d00d00d0,
  0x0001a01a01a01a01, 0xa01a01a01a01a01a,
  0x00002e3bc74aad8e, 0x671f5583911ca002,
  0x0000049f93edde27, 0xd71cbbc05b4fa999,
  0x0000006b99159fd5, 0x138e3f9d1f92e0df,
  0x00000008f76c77fc, 0x6c4bdaa26d4c3d67,
  0x00000000b092309d, 0x43684be51c198e91,
  0x000000000c9cba54, 0x603e4e905d6f8a2e,
  0x0000000000d73f9f, 0x399dc0f88ec32b58,
  0x00000000000d73f9, 0xf399dc0f88ec32b5,
  0x000000000000ca96, 0x3b81856a53593028,
  0x0000000000000b41, 0x3c31dcbecbbdd802,
  0x0000000000000097, 0xa4da340a0ab92650,
  0x0000000000000007, 0x950ae900808941ea,
  0x0000000000000000, 0x5c6e3bdb73d5c62f,
  0x0000000000000000, 0x04338e5b6dfe14a5,
  0x0000000000000000, 0x002ec368262c7033,
  0x0000000000000000, 0x0001f2cf01972f57,
  0x0000000000000000, 0x000013f3ccdd165f,
  0x0000000000000000, 0x000000c4742fe352,
  0x0000000000000000, 0x0000000746ac70b7,
]);
/** 1/3, 1/5, ... 1/41. */
export const ODD_RECIPROCALS: usize = memory.data<u64>([
  0x5555555555555555, 0x5555555555555555,
  0x3333333333333333, 0x3333333333333333,
  0x2492492492492492, 0x4924924924924924,
  0x1c71c71c71c71c71, 0xc71c71c71c71c71c,
  0x1745d1745d1745d1, 0x745d1745d1745d17,
  0x13b13b13b13b13b1, 0x3b13b13b13b13b13,
  0x1111111111111111, 0x1111111111111111,
  0x0f0f0f0f0f0f0f0f, 0x0f0f0f0f0f0f0f0f,
  0x0d79435e50d79435, 0xe50d79435e50d794,
  0x0c30c30c30c30c30, 0xc30c30c30c30c30c,
  0x0b21642c8590b216, 0x42c8590b21642c85,
  0x0a3d70a3d70a3d70, 0xa3d70a3d70a3d70a,
  0x097b425ed097b425, 0xed097b425ed097b4,
  0x08d3dcb08d3dcb08, 0xd3dcb08d3dcb08d3,
  0x0842108421084210, 0x8421084210842108,
  0x07c1f07c1f07c1f0, 0x7c1f07c1f07c1f07,
  0x0750750750750750, 0x7507507507507507,
  0x06eb3e45306eb3e4, 0x5306eb3e45306eb3,
  0x0690690690690690, 0x6906906906906906,
  0x063e7063e7063e70, 0x63e7063e7063e706,
]);
export const TABLE_STRIDE: usize = 16;

/** Rounds the wide number to the result: never exact. */
export function finish(sign: u32, fcw: u32): void {
  pack64(sign, fractionExp - 1 + BIAS, fractionHigh, fractionLow | 1, fcw);
}

/** fraction = base - base * part, for a positive part that may be too small to see. */
export function lessPart(exp: i32, high: u64, low: u64, partHigh: u64, partLow: u64): void {
  multiplyFractions(high, low, partHigh, partLow);
  if ((fractionHigh | fractionLow) == 0) setFraction(0, 1);
  const difference = low - fractionLow;
  normalizeWide(exp, high - fractionHigh - u64(low < fractionLow), difference);
}

/** fraction = base + base * part. */
export function plusPart(exp: i32, high: u64, low: u64, partHigh: u64, partLow: u64): void {
  multiplyFractions(high, low, partHigh, partLow);
  addWide(exp, high, low, exp, fractionHigh, fractionLow, false);
}

/** DE for a denormal operand: true when it is unmasked, so that the operation stops here. */
export function denormalStops(exp: u32, sig: u64, fcw: u32): bool {
  if (!isDenormal(exp, sig)) return false;
  signal(DE);
  return (fcw & DE) == 0;
}
