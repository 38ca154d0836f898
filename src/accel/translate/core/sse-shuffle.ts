// Shuffles, insertions, extractions, blends, byte shifts and PTEST.
import { GPR, XMM } from "../layout";
import { eaSized } from "./ea";
import { setArith } from "./flags";
import { read16, read32, read64, read8, write16, write32, write64, write8 } from "./memory";
import {
  OP_BLENDPD, OP_BLENDPS, OP_BLENDVPD, OP_BLENDVPS, OP_EXTRQ, OP_EXTRQ_IMM, OP_INSERTPS, OP_INSERTQ, OP_INSERTQ_IMM,
  OP_PALIGNR, OP_PBLENDVB, OP_PBLENDW, OP_PEXTRB, OP_PEXTRD, OP_PEXTRQ, OP_PEXTRW, OP_PEXTRW_REG, OP_PINSRB, OP_PINSRD,
  OP_PINSRQ, OP_PINSRW, OP_PSHUFD, OP_PSHUFHW, OP_PSHUFLW, OP_PTEST, OP_SHIFT_IMM, OP_SHUFPD, OP_SHUFPS, OPS_PMOVX,
  PSLLD, PSLLQ, PSLLW, PSRAD, PSRAW, PSRLD, PSRLQ, PSRLW, SHIFT_PSLLDQ, SHIFT_PSRLDQ,
} from "./sse-ops";
import { REC_IMM } from "./record";
import { shift } from "./sse-integer";
import {
  getReg, getRm, imm8, isRegister, regBase, regGpr, rmBase, rmGpr, setReg, source128, source32,
} from "./sse-operands";

// @ts-ignore: decorator
@inline
function iota(): v128 {
  return i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

/** Byte indexes that pick dwords by the four two-bit fields of `imm`. */
// @ts-ignore: decorator
@inline
function dwordIndexes(imm: u32): v128 {
  const lanes = i32x4.replace_lane(
    i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(imm & 3), 1, (imm >> 2) & 3), 2, (imm >> 4) & 3),
    3,
    imm >> 6,
  );
  return i32x4.add(i32x4.mul(lanes, i32x4.splat(0x04040404)), i32x4.splat(0x03020100));
}

export function shuffleDwords(a: v128, imm: u32): v128 {
  return i8x16.swizzle(a, dwordIndexes(imm));
}

/** The four words of a quadword, picked by the two-bit fields of `imm`. */
export function shuffleWords(value: u64, imm: u32): u64 {
  const w0 = (value >> ((imm & 3) << 4)) & 0xffff;
  const w1 = (value >> (((imm >> 2) & 3) << 4)) & 0xffff;
  const w2 = (value >> (((imm >> 4) & 3) << 4)) & 0xffff;
  const w3 = (value >> ((imm >> 6) << 4)) & 0xffff;
  return w0 | (w1 << 16) | (w2 << 32) | (w3 << 48);
}

/** Bytes n to n + 15 of b followed by a, followed by zeros. */
export function alignBytes(a: v128, b: v128, n: u32): v128 {
  const count = min<u32>(n, 32);
  const fromB = i8x16.add(iota(), i8x16.splat(<i8>count));
  return v128.or(i8x16.swizzle(b, fromB), i8x16.swizzle(a, i8x16.sub(fromB, i8x16.splat(16))));
}

function select(a: v128, b: v128, mask: v128): v128 {
  return v128.bitselect(b, a, mask);
}

/** 0F 71-73 with an immediate count. */
export function execShiftImmediate(cpu: usize, rec: usize, op: u32): void {
  const n = imm8(rec);
  const which = op - OP_SHIFT_IMM;
  const a = getRm(cpu, rec);
  v128.store(rmBase(cpu, rec), shiftLane(which, a, n), XMM);
}

/** A shift by an immediate, SHIFT_*, of 128 bits. */
export function shiftLane(which: u32, a: v128, n: u32): v128 {
  if (which == SHIFT_PSRLDQ) return i8x16.swizzle(a, i8x16.add(iota(), i8x16.splat(<i8>min<u32>(n, 16))));
  if (which == SHIFT_PSLLDQ) return i8x16.swizzle(a, i8x16.sub(iota(), i8x16.splat(<i8>min<u32>(n, 16))));
  return shift(shiftKind(which), a, n);
}

/** The packed operation that shifts by a register, for a SHIFT_* number. */
export function shiftKind(which: u32): u32 {
  switch (which) {
    case 0:
      return PSRLW;
    case 1:
      return PSRLD;
    case 2:
      return PSRLQ;
    case 3:
      return PSRAW;
    case 4:
      return PSRAD;
    case 5:
      return PSLLW;
    case 6:
      return PSLLD;
  }
  return PSLLQ;
}

/** PMOVSX and PMOVZX. */
export function execExtend(cpu: usize, rec: usize, op: u32): void {
  const which = op - OPS_PMOVX;
  let source: u64;
  const kind = which & 7;
  if (isRegister(rec)) source = load<u64>(rmBase(cpu, rec), XMM);
  else if (kind == 2) source = read16(cpu, eaSized(cpu, rec, 2, 0));
  else if (kind == 1 || kind == 4) source = read32(cpu, eaSized(cpu, rec, 4, 0));
  else source = read64(cpu, eaSized(cpu, rec, 8, 0));
  const x = i64x2.replace_lane(i64x2.splat(0), 0, source);
  let r: v128 = x;
  switch (which) {
    case 0x00:
      r = i16x8.extend_low_i8x16_s(x);
      break;
    case 0x01:
      r = i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(x));
      break;
    case 0x02:
      r = i64x2.extend_low_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(x)));
      break;
    case 0x03:
      r = i32x4.extend_low_i16x8_s(x);
      break;
    case 0x04:
      r = i64x2.extend_low_i32x4_s(i32x4.extend_low_i16x8_s(x));
      break;
    case 0x05:
      r = i64x2.extend_low_i32x4_s(x);
      break;
    case 0x10:
      r = i16x8.extend_low_i8x16_u(x);
      break;
    case 0x11:
      r = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(x));
      break;
    case 0x12:
      r = i64x2.extend_low_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(x)));
      break;
    case 0x13:
      r = i32x4.extend_low_i16x8_u(x);
      break;
    case 0x14:
      r = i64x2.extend_low_i32x4_u(i32x4.extend_low_i16x8_u(x));
      break;
    case 0x15:
      r = i64x2.extend_low_i32x4_u(x);
      break;
  }
  setReg(cpu, rec, r);
}

export function execShuffle(cpu: usize, rec: usize, op: u32): void {
  const imm = imm8(rec);
  switch (op) {
    case OP_PSHUFD:
      setReg(cpu, rec, shuffleDwords(source128(cpu, rec), imm));
      return;
    case OP_PSHUFHW: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, i64x2.replace_lane(b, 1, shuffleWords(i64x2.extract_lane(b, 1), imm)));
      return;
    }
    case OP_PSHUFLW: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, i64x2.replace_lane(b, 0, shuffleWords(i64x2.extract_lane(b, 0), imm)));
      return;
    }
    case OP_SHUFPS: {
      const b = source128(cpu, rec);
      const indexes = dwordIndexes(imm);
      const low = i8x16.swizzle(getReg(cpu, rec), indexes);
      setReg(cpu, rec, v128.shuffle<u64>(low, i8x16.swizzle(b, indexes), 0, 3));
      return;
    }
    case OP_SHUFPD: {
      const b = source128(cpu, rec);
      const a = getReg(cpu, rec);
      const low = imm & 1 ? i64x2.extract_lane(a, 1) : i64x2.extract_lane(a, 0);
      const high = imm & 2 ? i64x2.extract_lane(b, 1) : i64x2.extract_lane(b, 0);
      setReg(cpu, rec, i64x2.replace_lane(i64x2.splat(low), 1, high));
      return;
    }
    case OP_PALIGNR: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, alignBytes(getReg(cpu, rec), b, imm));
      return;
    }
    case OP_BLENDPS: {
      const b = source128(cpu, rec);
      const bits = i32x4(1, 2, 4, 8);
      setReg(cpu, rec, select(getReg(cpu, rec), b, i32x4.eq(v128.and(i32x4.splat(imm), bits), bits)));
      return;
    }
    case OP_BLENDPD: {
      const b = source128(cpu, rec);
      const bits = i64x2(1, 2);
      setReg(cpu, rec, select(getReg(cpu, rec), b, i64x2.eq(v128.and(i64x2.splat(imm), bits), bits)));
      return;
    }
    case OP_PBLENDW: {
      const b = source128(cpu, rec);
      const bits = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
      setReg(cpu, rec, select(getReg(cpu, rec), b, i16x8.eq(v128.and(i16x8.splat(<i16>imm), bits), bits)));
      return;
    }
    case OP_PBLENDVB: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, select(getReg(cpu, rec), b, i8x16.shr_s(v128.load(cpu, XMM), 7)));
      return;
    }
    case OP_BLENDVPS: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, select(getReg(cpu, rec), b, i32x4.shr_s(v128.load(cpu, XMM), 31)));
      return;
    }
    case OP_BLENDVPD: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, select(getReg(cpu, rec), b, i64x2.shr_s(v128.load(cpu, XMM), 63)));
      return;
    }
    case OP_PTEST: {
      const b = source128(cpu, rec);
      const a = getReg(cpu, rec);
      const zero = !v128.any_true(v128.and(a, b));
      const carry = !v128.any_true(v128.andnot(b, a));
      setArith(cpu, (zero ? 0x40 : 0) | (carry ? 1 : 0));
      return;
    }
    case OP_PINSRB: {
      const value: u32 = isRegister(rec) ? load<u8>(rmGpr(cpu, rec), GPR) : read8(cpu, eaSized(cpu, rec, 1, 0));
      store<u8>(regBase(cpu, rec) + (imm & 15), <u8>value, XMM);
      return;
    }
    case OP_PINSRW: {
      const value: u32 = isRegister(rec) ? load<u16>(rmGpr(cpu, rec), GPR) : read16(cpu, eaSized(cpu, rec, 2, 0));
      store<u16>(regBase(cpu, rec) + ((imm & 7) << 1), <u16>value, XMM);
      return;
    }
    case OP_PINSRD: {
      const value = isRegister(rec) ? load<u32>(rmGpr(cpu, rec), GPR) : read32(cpu, eaSized(cpu, rec, 4, 0));
      store<u32>(regBase(cpu, rec) + ((imm & 3) << 2), value, XMM);
      return;
    }
    case OP_PINSRQ: {
      const value = isRegister(rec) ? load<u64>(rmGpr(cpu, rec), GPR) : read64(cpu, eaSized(cpu, rec, 8, 0));
      store<u64>(regBase(cpu, rec) + ((imm & 1) << 3), value, XMM);
      return;
    }
    case OP_INSERTPS: {
      const value = isRegister(rec) ? load<u32>(rmBase(cpu, rec) + ((imm >> 6) << 2), XMM) : source32(cpu, rec);
      const bits = i32x4(1, 2, 4, 8);
      store<u32>(regBase(cpu, rec) + (((imm >> 4) & 3) << 2), value, XMM);
      setReg(cpu, rec, v128.andnot(getReg(cpu, rec), i32x4.eq(v128.and(i32x4.splat(imm), bits), bits)));
      return;
    }
    case OP_PEXTRW_REG:
      store<u64>(regGpr(cpu, rec), load<u16>(rmBase(cpu, rec) + ((imm & 7) << 1), XMM), GPR);
      return;
    case OP_PEXTRB: {
      const value = load<u8>(regBase(cpu, rec) + (imm & 15), XMM);
      if (isRegister(rec)) store<u64>(rmGpr(cpu, rec), value, GPR);
      else write8(cpu, eaSized(cpu, rec, 1, 1), value);
      return;
    }
    case OP_PEXTRW: {
      const value = load<u16>(regBase(cpu, rec) + ((imm & 7) << 1), XMM);
      if (isRegister(rec)) store<u64>(rmGpr(cpu, rec), value, GPR);
      else write16(cpu, eaSized(cpu, rec, 2, 1), value);
      return;
    }
    case OP_PEXTRD: {
      const value = load<u32>(regBase(cpu, rec) + ((imm & 3) << 2), XMM);
      if (isRegister(rec)) store<u64>(rmGpr(cpu, rec), value, GPR);
      else write32(cpu, eaSized(cpu, rec, 4, 1), value);
      return;
    }
    case OP_PEXTRQ: {
      const value = load<u64>(regBase(cpu, rec) + ((imm & 1) << 3), XMM);
      if (isRegister(rec)) store<u64>(rmGpr(cpu, rec), value, GPR);
      else write64(cpu, eaSized(cpu, rec, 8, 1), value);
      return;
    }
    // The upper half is undefined in the manual; processors clear it.
    case OP_EXTRQ_IMM: {
      const at = rmBase(cpu, rec);
      const r = extractField(load<u64>(at, XMM), imm, load<u8>(rec, REC_IMM + 1));
      v128.store(at, i64x2.replace_lane(i64x2.splat(0), 0, r), XMM);
      return;
    }
    case OP_EXTRQ: {
      const control = load<u64>(rmBase(cpu, rec), XMM);
      const r = extractField(load<u64>(regBase(cpu, rec), XMM), <u32>control, <u32>(control >> 8));
      setReg(cpu, rec, i64x2.replace_lane(i64x2.splat(0), 0, r));
      return;
    }
    case OP_INSERTQ_IMM: {
      const field = load<u64>(rmBase(cpu, rec), XMM);
      const r = insertField(load<u64>(regBase(cpu, rec), XMM), field, imm, load<u8>(rec, REC_IMM + 1));
      setReg(cpu, rec, i64x2.replace_lane(i64x2.splat(0), 0, r));
      return;
    }
    case OP_INSERTQ: {
      const field = load<u64>(rmBase(cpu, rec), XMM);
      const control = load<u64>(rmBase(cpu, rec), XMM + 8);
      const r = insertField(load<u64>(regBase(cpu, rec), XMM), field, <u32>control, <u32>(control >> 8));
      setReg(cpu, rec, i64x2.replace_lane(i64x2.splat(0), 0, r));
      return;
    }
  }
  unreachable();
}

/** The mask of a field's length; 0 stands for 64 bits. */
function fieldMask(length: u32): u64 {
  const n = length & 63;
  return n == 0 ? ~0 : ((<u64>1) << n) - 1;
}

function extractField(value: u64, length: u32, index: u32): u64 {
  return (value >> (index & 63)) & fieldMask(length);
}

function insertField(value: u64, field: u64, length: u32, index: u32): u64 {
  const mask = fieldMask(length);
  const at = index & 63;
  return (value & ~(mask << at)) | ((field & mask) << at);
}
