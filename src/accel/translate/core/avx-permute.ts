// AVX's own moves between elements: broadcasts, permutations, insertions, blends by a register; shifts by a count for
// each element.
import { XMM } from "../layout";
import {
  OP_VBLENDVPD, OP_VBLENDVPS, OP_VBROADCAST128, OP_VBROADCAST16, OP_VBROADCAST32, OP_VBROADCAST64, OP_VBROADCAST8,
  OP_VEXTRACT128, OP_VINSERT128, OP_VPBLENDD, OP_VPBLENDVB, OP_VPERM2X128, OP_VPERMD, OP_VPERMILPD, OP_VPERMILPD_IMM,
  OP_VPERMILPS, OP_VPERMQ, OP_VPSLLVD, OP_VPSLLVQ, OP_VPSRAVD, OP_VPSRLVQ,
} from "./avx-ops";
import { isWide, regPlace, rmPlace, setBoth, setLow, sourcePlace, vvvvPlace, widePlace } from "./avx-operands";
import { eaSized } from "./ea";
import { write128 } from "./memory";
import { F_LONG, REC_FLAGS } from "./record";
import { imm8, isRegister } from "./sse-operands";

/** Executes OP_VBROADCAST8 to OP_VPSLLVQ. */
export function execPermute(cpu: usize, rec: usize, op: u32): void {
  switch (op) {
    case OP_VBROADCAST8:
      return splat(cpu, rec, i8x16.splat(load<i8>(sourcePlace(cpu, rec, 1))));
    case OP_VBROADCAST16:
      return splat(cpu, rec, i16x8.splat(load<i16>(sourcePlace(cpu, rec, 2))));
    case OP_VBROADCAST32:
      return splat(cpu, rec, i32x4.splat(load<i32>(sourcePlace(cpu, rec, 4))));
    case OP_VBROADCAST64:
      return splat(cpu, rec, i64x2.splat(load<i64>(sourcePlace(cpu, rec, 8))));
    case OP_VBROADCAST128:
      return splat(cpu, rec, v128.load(sourcePlace(cpu, rec, 16)));
    case OP_VINSERT128: {
      const b = v128.load(sourcePlace(cpu, rec, 16));
      const a = vvvvPlace(cpu, rec);
      if (imm8(rec) & 1) setBoth(cpu, rec, v128.load(a), b);
      else setBoth(cpu, rec, b, v128.load(a, 16));
      return;
    }
    case OP_VEXTRACT128: {
      const value = v128.load(regPlace(cpu, rec) + ((<usize>imm8(rec) & 1) << 4));
      if (!isRegister(rec)) write128(cpu, eaSized(cpu, rec, 16, 1), value);
      else {
        const to = rmPlace(cpu, rec);
        v128.store(to, value);
        v128.store(to, i64x2.splat(0), 16);
      }
      return;
    }
    case OP_VPERM2X128: {
      const b = sourcePlace(cpu, rec, 32);
      const a = vvvvPlace(cpu, rec);
      const imm = imm8(rec);
      setBoth(cpu, rec, pick128(a, b, imm), pick128(a, b, imm >> 4));
      return;
    }
    case OP_VPERMQ: {
      const b = sourcePlace(cpu, rec, 32);
      const imm = imm8(rec);
      const low = pair(load<u64>(b + ((imm & 3) << 3)), load<u64>(b + (((imm >> 2) & 3) << 3)));
      setBoth(cpu, rec, low, pair(load<u64>(b + (((imm >> 4) & 3) << 3)), load<u64>(b + ((imm >> 6) << 3))));
      return;
    }
    case OP_VPERMD: {
      const b = sourcePlace(cpu, rec, 32);
      const indexes = vvvvPlace(cpu, rec);
      const low = pickDwords(b, v128.load(indexes));
      setBoth(cpu, rec, low, pickDwords(b, v128.load(indexes, 16)));
      return;
    }
  }
  const b = widePlace(cpu, rec);
  const a = vvvvPlace(cpu, rec);
  const imm = imm8(rec);
  const low = lane(cpu, rec, op, v128.load(a), v128.load(b), imm, 0);
  if (!isWide(rec)) setLow(cpu, rec, low);
  else setBoth(cpu, rec, low, lane(cpu, rec, op, v128.load(a, 16), v128.load(b, 16), imm >> (op == OP_VPBLENDD ? 4 : 2), 16));
}

function splat(cpu: usize, rec: usize, value: v128): void {
  if (isWide(rec)) setBoth(cpu, rec, value, value);
  else setLow(cpu, rec, value);
}

// @ts-ignore: decorator
@inline
function pair(low: u64, high: u64): v128 {
  return i64x2.replace_lane(i64x2.splat(low), 1, high);
}

/** One of the four halves of two registers, or zero. */
function pick128(a: usize, b: usize, control: u32): v128 {
  if (control & 8) return i64x2.splat(0);
  return v128.load((control & 2 ? b : a) + ((control & 1) << 4));
}

function pickDwords(from: usize, indexes: v128): v128 {
  let r = i32x4.splat(load<i32>(from + ((i32x4.extract_lane(indexes, 0) & 7) << 2)));
  r = i32x4.replace_lane(r, 1, load<i32>(from + ((i32x4.extract_lane(indexes, 1) & 7) << 2)));
  r = i32x4.replace_lane(r, 2, load<i32>(from + ((i32x4.extract_lane(indexes, 2) & 7) << 2)));
  return i32x4.replace_lane(r, 3, load<i32>(from + ((i32x4.extract_lane(indexes, 3) & 7) << 2)));
}

/** The blend's mask: half `half` (0 or 16) of the register in the immediate's upper four bits. */
function blendMask(cpu: usize, rec: usize, half: usize): v128 {
  const number = (imm8(rec) >> 4) & ((load<u8>(rec, REC_FLAGS) & F_LONG) != 0 ? 15 : 7);
  return v128.load(cpu + (number << 5) + half, XMM);
}

function lane(cpu: usize, rec: usize, op: u32, a: v128, b: v128, imm: u32, half: usize): v128 {
  switch (op) {
    case OP_VPERMILPS: {
      const index = i32x4.mul(v128.and(b, i32x4.splat(3)), i32x4.splat(0x04040404));
      return i8x16.swizzle(a, i32x4.add(index, i32x4.splat(0x03020100)));
    }
    case OP_VPERMILPD: {
      const upper = i64x2.shr_s(i64x2.shl(b, 62), 63);
      return v128.bitselect(v128.shuffle<u64>(a, a, 1, 1), v128.shuffle<u64>(a, a, 0, 0), upper);
    }
    case OP_VPERMILPD_IMM: {
      const first = imm & 1 ? i64x2.extract_lane(b, 1) : i64x2.extract_lane(b, 0);
      return pair(first, imm & 2 ? i64x2.extract_lane(b, 1) : i64x2.extract_lane(b, 0));
    }
    case OP_VPBLENDD: {
      const bits = i32x4(1, 2, 4, 8);
      return v128.bitselect(b, a, i32x4.eq(v128.and(i32x4.splat(imm), bits), bits));
    }
    case OP_VPBLENDVB:
      return v128.bitselect(b, a, i8x16.shr_s(blendMask(cpu, rec, half), 7));
    case OP_VBLENDVPS:
      return v128.bitselect(b, a, i32x4.shr_s(blendMask(cpu, rec, half), 31));
    case OP_VBLENDVPD:
      return v128.bitselect(b, a, i64x2.shr_s(blendMask(cpu, rec, half), 63));
    case OP_VPSRLVQ:
      return pair(
        shiftQuad(i64x2.extract_lane(a, 0), i64x2.extract_lane(b, 0), false),
        shiftQuad(i64x2.extract_lane(a, 1), i64x2.extract_lane(b, 1), false),
      );
    case OP_VPSLLVQ:
      return pair(
        shiftQuad(i64x2.extract_lane(a, 0), i64x2.extract_lane(b, 0), true),
        shiftQuad(i64x2.extract_lane(a, 1), i64x2.extract_lane(b, 1), true),
      );
  }
  let r = i32x4.splat(shiftDword(op, i32x4.extract_lane(a, 0), i32x4.extract_lane(b, 0)));
  r = i32x4.replace_lane(r, 1, shiftDword(op, i32x4.extract_lane(a, 1), i32x4.extract_lane(b, 1)));
  r = i32x4.replace_lane(r, 2, shiftDword(op, i32x4.extract_lane(a, 2), i32x4.extract_lane(b, 2)));
  return i32x4.replace_lane(r, 3, shiftDword(op, i32x4.extract_lane(a, 3), i32x4.extract_lane(b, 3)));
}

function shiftQuad(value: u64, count: u64, left: bool): u64 {
  if (count > 63) return 0;
  return left ? value << count : value >> count;
}

/** VPSRLVD, VPSRAVD, VPSLLVD. */
function shiftDword(op: u32, value: u32, count: u32): u32 {
  if (op == OP_VPSRAVD) return <u32>(<i32>value >> <i32>min<u32>(count, 31));
  if (count > 31) return 0;
  return op == OP_VPSLLVD ? value << count : value >> count;
}
