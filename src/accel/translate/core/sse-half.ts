// Half precision: VCVTPH2PS and VCVTPS2PH, an element at a time. Intel SDM volume 1, chapter 14.4. Halves are no operands
// that MXCSR's DAZ and FTZ are about: their denormals are kept.
import { DENORMAL, IE, begin, beginRounding, denormalsAreZeros, roundPack, roundingMode, signal, unpack, unpackedExp } from "./sse-exact";

/** A binary16 as binary32 bits, between `begin` and `finish`. Exact but for signaling NaNs, which become quiet. */
export function halfToSingle(half: u32): u32 {
  const sign = (half & 0x8000) << 16;
  const magnitude = half & 0x7fff;
  if (magnitude > 0x7c00) {
    if (!(magnitude & 0x200)) signal(IE);
    return sign | 0x7fc0_0000 | ((magnitude & 0x3ff) << 13);
  }
  if (magnitude == 0x7c00) return sign | 0x7f80_0000;
  if (magnitude == 0) return sign;
  const sig = unpack(magnitude, 10);
  // Leading bit from 62 to 23, where it adds to the exponent.
  return sign + (<u32>(unpackedExp + 127 - 15 - 1) << 23) + <u32>(sig >> 39);
}

/** `begin` for `singleToHalf`: the immediate's rounding mode, or MXCSR's where its bit 2 is set. */
export function beginHalf(cpu: usize, imm: u32): void {
  begin(cpu);
  beginRounding(cpu, imm & 4 ? roundingMode() : imm & 3);
}

/** A binary32 as binary16 bits, between `beginHalf` and `finish`. */
export function singleToHalf(single: u32): u32 {
  const sign = (single >> 16) & 0x8000;
  const magnitude = single & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) {
    if (!(magnitude & 0x40_0000)) signal(IE);
    return sign | 0x7e00 | ((magnitude >> 13) & 0x3ff);
  }
  if (magnitude == 0x7f80_0000) return sign | 0x7c00;
  if (magnitude == 0) return sign;
  if (magnitude < 0x80_0000) {
    if (denormalsAreZeros()) return sign;
    signal(DENORMAL);
  }
  const sig = unpack(magnitude, 23);
  return <u32>roundPack(sign, unpackedExp - 127 + 15, sig, 10);
}
