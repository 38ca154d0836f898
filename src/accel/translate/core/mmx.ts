// MMX instructions, and those between MMX and XMM registers. MMn is the significand of the physical x87
// register n. Every one of them empties the x87 stack's bookkeeping (TOP is 0, all registers valid); a
// write sets the register's sign and exponent to ones.
import { CR0, FPU_BLOCKED, GPR, ST, XMM } from "../layout";
import { eaSized } from "./ea";
import { NM, UD, raise } from "./exceptions";
import { read16, read32, write32, write64, write8 } from "./memory";
import { mmxTouch, mmxWrite } from "./mmx-state";
import { probeWrite } from "./mmu";
import { REC_REG, REC_RM } from "./record";
import { convertDoublesToPair, convertPairToSingles, convertSinglesToPair } from "./sse-convert";
import { packedInteger, shift } from "./sse-integer";
import {
  OP_CVTPD2PI, OP_CVTPI2PD, OP_CVTPI2PS, OP_CVTPS2PI, OP_CVTTPD2PI, OP_CVTTPS2PI, OP_MASKMOVQ, OP_MMX_LOAD32,
  OP_MMX_LOAD64, OP_MMX_MOVD_FROM_GPR, OP_MMX_MOVD_TO_GPR, OP_MMX_MOVQ, OP_MMX_MOVQ_BACK, OP_MMX_MOVQ_FROM_GPR,
  OP_MMX_MOVQ_TO_GPR, OP_MMX_PALIGNR, OP_MMX_PEXTRW, OP_MMX_PINSRW, OP_MMX_PMOVMSKB, OP_MMX_SHIFT_IMM, OP_MMX_STORE32,
  OP_MMX_STORE64, OP_MOVDQ2Q, OP_MOVQ2DQ, OP_PSHUFW, OPS_MMX_PACKED, OPS_MMX_PACKED_END, PACKSSDW, PACKSSWB, PACKUSWB,
  PHADDD, PHADDSW, PHADDW, PHSUBD, PHSUBSW, PHSUBW, PSHUFB, PUNPCKHBW, PUNPCKHDQ, PUNPCKHWD, PUNPCKLBW, PUNPCKLDQ,
  PUNPCKLWD,
} from "./sse-ops";
import {
  imm8, isRegister, regBase, regGpr, regMmx, rmBase, rmGpr, rmMmx, setReg, source128, source64, sourceGpr32,
  sourceGpr64, sourceMmx,
} from "./sse-operands";
import { shiftKind, shuffleWords } from "./sse-shuffle";
import { deliverPending } from "./x87-stack";

const CR0_EM: u64 = 4;

/** #UD when CR0.EM is set, #NM when CR0.TS is, #MF or what stands for it when an x87 exception waits. */
export function checkMmx(cpu: usize): void {
  if (load<u32>(cpu, FPU_BLOCKED)) raise(cpu, load<u64>(cpu, CR0) & CR0_EM ? UD : NM);
  deliverPending(cpu);
}

// @ts-ignore: decorator
@inline
function getMmx(cpu: usize, rec: usize): u64 {
  return load<u64>(regMmx(cpu, rec), ST);
}

/** Ends an instruction that writes the register of the reg field. */
// @ts-ignore: decorator
@inline
function setMmx(cpu: usize, rec: usize, value: u64): void {
  mmxTouch(cpu);
  mmxWrite(cpu, load<u8>(rec, REC_REG) & 7, value);
}

// @ts-ignore: decorator
@inline
function setMmxRm(cpu: usize, rec: usize, value: u64): void {
  mmxTouch(cpu);
  mmxWrite(cpu, load<u8>(rec, REC_RM) & 7, value);
}

// @ts-ignore: decorator
@inline
function widen(value: u64): v128 {
  return i64x2.replace_lane(i64x2.splat(0), 0, value);
}

function packedMmx(kind: u32, a: u64, b: u64): u64 {
  switch (kind) {
    // The pairs or wider elements of both operands, packed to one half.
    case PACKSSWB:
    case PACKSSDW:
    case PACKUSWB:
    case PHADDW:
    case PHADDD:
    case PHADDSW:
    case PHSUBW:
    case PHSUBD:
    case PHSUBSW: {
      const both = i64x2.replace_lane(i64x2.splat(a), 1, b);
      return i64x2.extract_lane(packedInteger(kind, both, both), 0);
    }
    case PUNPCKHBW:
    case PUNPCKHWD:
    case PUNPCKHDQ:
      return i64x2.extract_lane(packedInteger(kind - PUNPCKHBW + PUNPCKLBW, widen(a), widen(b)), 1);
    case PSHUFB:
      return i64x2.extract_lane(i8x16.swizzle(widen(a), v128.and(widen(b), i64x2.splat(0x8787_8787_8787_8787))), 0);
  }
  return i64x2.extract_lane(packedInteger(kind, widen(a), widen(b)), 0);
}

export function execMmx(cpu: usize, rec: usize, op: u32): void {
  checkMmx(cpu);
  if (op < OPS_MMX_PACKED_END) {
    const kind = op - OPS_MMX_PACKED;
    let b: u64;
    if ((kind == PUNPCKLBW || kind == PUNPCKLWD || kind == PUNPCKLDQ) && !isRegister(rec)) {
      b = read32(cpu, eaSized(cpu, rec, 4, 0));
    } else b = sourceMmx(cpu, rec);
    setMmx(cpu, rec, packedMmx(kind, getMmx(cpu, rec), b));
    return;
  }
  switch (op) {
    case OP_MMX_MOVQ:
    case OP_MMX_LOAD64:
      setMmx(cpu, rec, sourceMmx(cpu, rec));
      return;
    case OP_MMX_MOVQ_BACK:
      setMmxRm(cpu, rec, getMmx(cpu, rec));
      return;
    case OP_MMX_STORE64:
      write64(cpu, eaSized(cpu, rec, 8, 1), getMmx(cpu, rec));
      mmxTouch(cpu);
      return;
    case OP_MMX_STORE32:
      write32(cpu, eaSized(cpu, rec, 4, 1), <u32>getMmx(cpu, rec));
      mmxTouch(cpu);
      return;
    case OP_MMX_LOAD32:
    case OP_MMX_MOVD_FROM_GPR:
      setMmx(cpu, rec, sourceGpr32(cpu, rec));
      return;
    case OP_MMX_MOVQ_FROM_GPR:
      setMmx(cpu, rec, sourceGpr64(cpu, rec));
      return;
    case OP_MMX_MOVD_TO_GPR:
      store<u64>(rmGpr(cpu, rec), <u32>getMmx(cpu, rec), GPR);
      mmxTouch(cpu);
      return;
    case OP_MMX_MOVQ_TO_GPR:
      store<u64>(rmGpr(cpu, rec), getMmx(cpu, rec), GPR);
      mmxTouch(cpu);
      return;
    case OP_PSHUFW:
      setMmx(cpu, rec, shuffleWords(sourceMmx(cpu, rec), imm8(rec)));
      return;
    case OP_MMX_PINSRW: {
      const value: u64 = isRegister(rec) ? load<u16>(rmGpr(cpu, rec), GPR) : read16(cpu, eaSized(cpu, rec, 2, 0));
      const at = (imm8(rec) & 3) << 4;
      setMmx(cpu, rec, (getMmx(cpu, rec) & ~(<u64>0xffff << at)) | (value << at));
      return;
    }
    case OP_MMX_PEXTRW:
      store<u64>(regGpr(cpu, rec), load<u16>(rmMmx(cpu, rec) + ((imm8(rec) & 3) << 1), ST), GPR);
      mmxTouch(cpu);
      return;
    case OP_MMX_PMOVMSKB:
      store<u64>(regGpr(cpu, rec), i8x16.bitmask(widen(load<u64>(rmMmx(cpu, rec), ST))), GPR);
      mmxTouch(cpu);
      return;
    case OP_MASKMOVQ:
      storeMasked(cpu, eaSized(cpu, rec, 8, 1), widen(getMmx(cpu, rec)), widen(load<u64>(rmMmx(cpu, rec), ST)));
      mmxTouch(cpu);
      return;
    case OP_MMX_PALIGNR: {
      const b = sourceMmx(cpu, rec);
      const a = getMmx(cpu, rec);
      const n = imm8(rec) << 3;
      let r: u64 = 0;
      if (n == 0) r = b;
      else if (n < 64) r = (b >> n) | (a << (64 - n));
      else if (n < 128) r = a >> (n - 64);
      setMmx(cpu, rec, r);
      return;
    }
  }
  const value = widen(load<u64>(rmMmx(cpu, rec), ST));
  setMmxRm(cpu, rec, i64x2.extract_lane(shift(shiftKind(op - OP_MMX_SHIFT_IMM), value, imm8(rec)), 0));
}

/** MASKMOVQ, MASKMOVDQU: the bytes whose mask byte has its top bit set. */
export function storeMasked(cpu: usize, linear: u64, value: v128, mask: v128): void {
  let bits: u32 = i8x16.bitmask(mask);
  if (bits == 0) return;
  const first = <u32>ctz(bits);
  probeWrite(cpu, linear + first, 32 - <u32>clz(bits) - first);
  let low: u64 = i64x2.extract_lane(value, 0);
  let high: u64 = i64x2.extract_lane(value, 1);
  for (let i: u32 = 0; i < 16; i++) {
    if (bits & 1) write8(cpu, linear + i, <u8>low);
    bits >>= 1;
    low = (low >> 8) | (high << 56);
    high >>= 8;
  }
}

/** Conversions and moves between MMX and XMM registers. SSE's own checks are done. */
export function execMmxToXmm(cpu: usize, rec: usize, op: u32): void {
  switch (op) {
    // From memory no MMX register takes part.
    case OP_CVTPI2PS: {
      if (isRegister(rec)) checkMmx(cpu);
      const pair = sourceMmx(cpu, rec);
      if (isRegister(rec)) mmxTouch(cpu);
      store<u64>(regBase(cpu, rec), convertPairToSingles(cpu, pair), XMM);
      return;
    }
    case OP_CVTPI2PD: {
      if (isRegister(rec)) checkMmx(cpu);
      const pair = sourceMmx(cpu, rec);
      if (isRegister(rec)) mmxTouch(cpu);
      setReg(cpu, rec, f64x2.convert_low_i32x4_s(i64x2.splat(pair)));
      return;
    }
    // The x87 state changes even where #XM keeps the register from being written.
    case OP_CVTPS2PI:
    case OP_CVTTPS2PI: {
      checkMmx(cpu);
      const bits = source64(cpu, rec);
      mmxTouch(cpu);
      setMmx(cpu, rec, convertSinglesToPair(cpu, bits, op == OP_CVTTPS2PI));
      return;
    }
    case OP_CVTPD2PI:
    case OP_CVTTPD2PI: {
      checkMmx(cpu);
      const x = source128(cpu, rec);
      mmxTouch(cpu);
      setMmx(cpu, rec, convertDoublesToPair(cpu, x, op == OP_CVTTPD2PI));
      return;
    }
    case OP_MOVQ2DQ: {
      checkMmx(cpu);
      const value = load<u64>(rmMmx(cpu, rec), ST);
      mmxTouch(cpu);
      setReg(cpu, rec, widen(value));
      return;
    }
    case OP_MOVDQ2Q:
      checkMmx(cpu);
      setMmx(cpu, rec, load<u64>(rmBase(cpu, rec), XMM));
      return;
  }
  unreachable();
}
