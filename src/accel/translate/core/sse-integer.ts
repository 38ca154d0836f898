// Packed integer operations of two operands, as functions of 128 bits. MMX uses their low halves.
import {
  PABSB, PABSD, PABSW, PACKSSDW, PACKSSWB, PACKUSDW, PACKUSWB, PADDB, PADDD, PADDQ, PADDSB, PADDSW, PADDUSB, PADDUSW,
  PADDW, PAND, PANDN, PAVGB, PAVGW, PCMPEQB, PCMPEQD, PCMPEQQ, PCMPEQW, PCMPGTB, PCMPGTD, PCMPGTQ, PCMPGTW, PHADDD,
  PHADDSW, PHADDW, PHSUBD, PHSUBSW, PHSUBW, PMADDUBSW, PMADDWD, PMAXSB, PMAXSD, PMAXSW, PMAXUB, PMAXUD, PMAXUW, PMINSB,
  PMINSD, PMINSW, PMINUB, PMINUD, PMINUW, PMULDQ, PMULHRSW, PMULHUW, PMULHW, PMULLD, PMULLW, PMULUDQ, POR, PSADBW,
  PSHUFB, PSIGNB, PSIGND, PSIGNW, PSLLD, PSLLQ, PSLLW, PSRAD, PSRAW, PSRLD, PSRLQ, PSRLW, PSUBB, PSUBD, PSUBQ, PSUBSB,
  PSUBSW, PSUBUSB, PSUBUSW, PSUBW, PUNPCKHBW, PUNPCKHDQ, PUNPCKHQDQ, PUNPCKHWD, PUNPCKLBW, PUNPCKLDQ, PUNPCKLQDQ,
  PUNPCKLWD, PXOR,
} from "./sse-ops";

/** `a` is the destination operand, `b` the source; `kind` as sse-ops.ts numbers them. */
export function packedInteger(kind: u32, a: v128, b: v128): v128 {
  switch (kind) {
    case PUNPCKLBW:
      return v128.shuffle<u8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    case PUNPCKLWD:
      return v128.shuffle<u16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
    case PUNPCKLDQ:
      return v128.shuffle<u32>(a, b, 0, 4, 1, 5);
    case PUNPCKLQDQ:
      return v128.shuffle<u64>(a, b, 0, 2);
    case PUNPCKHBW:
      return v128.shuffle<u8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    case PUNPCKHWD:
      return v128.shuffle<u16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
    case PUNPCKHDQ:
      return v128.shuffle<u32>(a, b, 2, 6, 3, 7);
    case PUNPCKHQDQ:
      return v128.shuffle<u64>(a, b, 1, 3);
    case PACKSSWB:
      return i8x16.narrow_i16x8_s(a, b);
    case PACKUSWB:
      return i8x16.narrow_i16x8_u(a, b);
    case PACKSSDW:
      return i16x8.narrow_i32x4_s(a, b);
    case PACKUSDW:
      return i16x8.narrow_i32x4_u(a, b);
    case PCMPEQB:
      return i8x16.eq(a, b);
    case PCMPEQW:
      return i16x8.eq(a, b);
    case PCMPEQD:
      return i32x4.eq(a, b);
    case PCMPEQQ:
      return i64x2.eq(a, b);
    case PCMPGTB:
      return i8x16.gt_s(a, b);
    case PCMPGTW:
      return i16x8.gt_s(a, b);
    case PCMPGTD:
      return i32x4.gt_s(a, b);
    case PCMPGTQ:
      return i64x2.gt_s(a, b);
    case PADDB:
      return i8x16.add(a, b);
    case PADDW:
      return i16x8.add(a, b);
    case PADDD:
      return i32x4.add(a, b);
    case PADDQ:
      return i64x2.add(a, b);
    case PSUBB:
      return i8x16.sub(a, b);
    case PSUBW:
      return i16x8.sub(a, b);
    case PSUBD:
      return i32x4.sub(a, b);
    case PSUBQ:
      return i64x2.sub(a, b);
    case PADDSB:
      return i8x16.add_sat_s(a, b);
    case PADDSW:
      return i16x8.add_sat_s(a, b);
    case PADDUSB:
      return i8x16.add_sat_u(a, b);
    case PADDUSW:
      return i16x8.add_sat_u(a, b);
    case PSUBSB:
      return i8x16.sub_sat_s(a, b);
    case PSUBSW:
      return i16x8.sub_sat_s(a, b);
    case PSUBUSB:
      return i8x16.sub_sat_u(a, b);
    case PSUBUSW:
      return i16x8.sub_sat_u(a, b);
    case PAND:
      return v128.and(a, b);
    case PANDN:
      return v128.andnot(b, a);
    case POR:
      return v128.or(a, b);
    case PXOR:
      return v128.xor(a, b);
    case PMINUB:
      return i8x16.min_u(a, b);
    case PMAXUB:
      return i8x16.max_u(a, b);
    case PMINSB:
      return i8x16.min_s(a, b);
    case PMAXSB:
      return i8x16.max_s(a, b);
    case PMINSW:
      return i16x8.min_s(a, b);
    case PMAXSW:
      return i16x8.max_s(a, b);
    case PMINUW:
      return i16x8.min_u(a, b);
    case PMAXUW:
      return i16x8.max_u(a, b);
    case PMINSD:
      return i32x4.min_s(a, b);
    case PMAXSD:
      return i32x4.max_s(a, b);
    case PMINUD:
      return i32x4.min_u(a, b);
    case PMAXUD:
      return i32x4.max_u(a, b);
    case PAVGB:
      return i8x16.avgr_u(a, b);
    case PAVGW:
      return i16x8.avgr_u(a, b);
    case PMULLW:
      return i16x8.mul(a, b);
    case PMULLD:
      return i32x4.mul(a, b);
    case PMULHW:
      return oddWords(i32x4.extmul_low_i16x8_s(a, b), i32x4.extmul_high_i16x8_s(a, b));
    case PMULHUW:
      return oddWords(i32x4.extmul_low_i16x8_u(a, b), i32x4.extmul_high_i16x8_u(a, b));
    case PMULUDQ:
      return i64x2.extmul_low_i32x4_u(v128.shuffle<u32>(a, a, 0, 2, 0, 2), v128.shuffle<u32>(b, b, 0, 2, 0, 2));
    case PMULDQ:
      return i64x2.extmul_low_i32x4_s(v128.shuffle<u32>(a, a, 0, 2, 0, 2), v128.shuffle<u32>(b, b, 0, 2, 0, 2));
    case PMADDWD:
      return i32x4.dot_i16x8_s(a, b);
    case PMADDUBSW:
      return multiplyAddBytes(a, b);
    case PMULHRSW:
      return multiplyRounded(a, b);
    case PSADBW:
      return sumOfDifferences(a, b);
    case PSRLW:
    case PSRLD:
    case PSRLQ:
    case PSRAW:
    case PSRAD:
    case PSLLW:
    case PSLLD:
    case PSLLQ:
      return shift(kind, a, i64x2.extract_lane(b, 0));
    case PSHUFB:
      return i8x16.swizzle(a, v128.and(b, i8x16.splat(<i8>0x8f)));
    case PHADDW:
      return i16x8.add(evenWords(a, b), oddWords(a, b));
    case PHADDSW:
      return i16x8.add_sat_s(evenWords(a, b), oddWords(a, b));
    case PHSUBW:
      return i16x8.sub(evenWords(a, b), oddWords(a, b));
    case PHSUBSW:
      return i16x8.sub_sat_s(evenWords(a, b), oddWords(a, b));
    case PHADDD:
      return i32x4.add(v128.shuffle<u32>(a, b, 0, 2, 4, 6), v128.shuffle<u32>(a, b, 1, 3, 5, 7));
    case PHSUBD:
      return i32x4.sub(v128.shuffle<u32>(a, b, 0, 2, 4, 6), v128.shuffle<u32>(a, b, 1, 3, 5, 7));
    case PSIGNB: {
      const negative = i8x16.shr_s(b, 7);
      return v128.andnot(i8x16.sub(v128.xor(a, negative), negative), i8x16.eq(b, i8x16.splat(0)));
    }
    case PSIGNW: {
      const negative = i16x8.shr_s(b, 15);
      return v128.andnot(i16x8.sub(v128.xor(a, negative), negative), i16x8.eq(b, i16x8.splat(0)));
    }
    case PSIGND: {
      const negative = i32x4.shr_s(b, 31);
      return v128.andnot(i32x4.sub(v128.xor(a, negative), negative), i32x4.eq(b, i32x4.splat(0)));
    }
    case PABSB:
      return i8x16.abs(b);
    case PABSW:
      return i16x8.abs(b);
    case PABSD:
      return i32x4.abs(b);
  }
  // PHMINPOSUW.
  return horizontalMinimum(b);
}

/** Counts of a lane's width and more clear it, or fill it with the sign. */
export function shift(kind: u32, a: v128, count: u64): v128 {
  const n = <i32>min<u64>(count, 64);
  switch (kind) {
    case PSRLW:
      return n > 15 ? i64x2.splat(0) : i16x8.shr_u(a, n);
    case PSRLD:
      return n > 31 ? i64x2.splat(0) : i32x4.shr_u(a, n);
    case PSRLQ:
      return n > 63 ? i64x2.splat(0) : i64x2.shr_u(a, n);
    case PSRAW:
      return i16x8.shr_s(a, min(n, 15));
    case PSRAD:
      return i32x4.shr_s(a, min(n, 31));
    case PSLLW:
      return n > 15 ? i64x2.splat(0) : i16x8.shl(a, n);
    case PSLLD:
      return n > 31 ? i64x2.splat(0) : i32x4.shl(a, n);
  }
  // PSLLQ.
  return n > 63 ? i64x2.splat(0) : i64x2.shl(a, n);
}

// @ts-ignore: decorator
@inline
function evenWords(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
}

// @ts-ignore: decorator
@inline
function oddWords(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
}

/** Unsigned bytes of `a` times signed bytes of `b`; each product fits in 16 bits, their sum saturates. */
function multiplyAddBytes(a: v128, b: v128): v128 {
  const even = i16x8.mul(v128.and(a, i16x8.splat(0xff)), i16x8.shr_s(i16x8.shl(b, 8), 8));
  const odd = i16x8.mul(i16x8.shr_u(a, 8), i16x8.shr_s(b, 8));
  return i16x8.add_sat_s(even, odd);
}

/** -1 times -1 wraps to -1, where wasm's operation saturates. */
function multiplyRounded(a: v128, b: v128): v128 {
  const lowest = i16x8.splat(-0x8000);
  const wraps = v128.and(i16x8.eq(a, lowest), i16x8.eq(b, lowest));
  return v128.xor(i16x8.q15mulr_sat_s(a, b), wraps);
}

function sumOfDifferences(a: v128, b: v128): v128 {
  const differences = i8x16.sub(i8x16.max_u(a, b), i8x16.min_u(a, b));
  const sums = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(differences));
  return i64x2.add(v128.and(sums, i64x2.splat(0xffffffff)), i64x2.shr_u(sums, 32));
}

/** The lowest word and its first position. */
function horizontalMinimum(b: v128): v128 {
  let m = i16x8.min_u(b, v128.shuffle<u64>(b, b, 1, 0));
  m = i16x8.min_u(m, v128.shuffle<u32>(m, m, 1, 0, 3, 2));
  m = i16x8.min_u(m, v128.shuffle<u16>(m, m, 1, 0, 3, 2, 5, 4, 7, 6));
  const position = ctz(i16x8.bitmask(i16x8.eq(b, m)));
  return i64x2.replace_lane(i64x2.splat(0), 0, (<u64>i16x8.extract_lane_u(m, 0)) | ((<u64>position) << 16));
}

/** MPSADBW: eight sums of four differences, at the offsets that `imm` picks. */
export function multipleSums(a: v128, b: v128, imm: u32): v128 {
  // The four bytes of b, repeated; the eleven bytes of a from its offset.
  const pattern = i32x4.splat(0x03020100 + (imm & 3) * 0x04040404);
  const wanted = i8x16.swizzle(b, pattern);
  const from = imm & 4;
  const base = i8x16.splat(<i8>from);
  const low = i8x16.swizzle(a, i8x16.add(base, i8x16(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6)));
  const high = i8x16.swizzle(a, i8x16.add(base, i8x16(4, 5, 6, 7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10)));
  return i16x8.narrow_i32x4_u(sumFour(low, wanted), sumFour(high, wanted));
}

function sumFour(a: v128, b: v128): v128 {
  const differences = i8x16.sub(i8x16.max_u(a, b), i8x16.min_u(a, b));
  return i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(differences));
}
