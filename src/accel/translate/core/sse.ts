// SSE and MMX instructions: availability, the hot ones themselves, the others by kind.
import { GPR, SSE_BLOCKED, XMM } from "../layout";
import { execAvx } from "./avx";
import { operationOf } from "./blocks";
import { eaSized } from "./ea";
import { raise } from "./exceptions";
import { read128, read32, read64, write128, write32, write64 } from "./memory";
import { execMmx, execMmxToXmm, storeMasked } from "./mmx";
import { OPS_AVX } from "./ops";
import { F_REXW, REC_FLAGS } from "./record";
import { execAes, execAesKeygenAssist } from "./sse-aes";
import { execCarrylessMultiply } from "./sse-clmul";
import { doubleToInteger, execConvert, integerToDouble, integerToSingle, singleToInteger } from "./sse-convert";
import { execReciprocal } from "./sse-reciprocal";
import {
  addScalar, compareScalar, divScalar, execCompare, execDotProduct, execHorizontal, execPackedArithmetic, execRound,
  maxScalar, minScalar, mulScalar, sqrtScalar, subScalar,
} from "./sse-float";
import { multipleSums, packedInteger } from "./sse-integer";
import {
  OPS_MMX, OPS_PACKED, OPS_PACKED_END, OPS_PMOVX, OP_ADDPD, OP_ADDPS, OP_ADDSD, OP_ADDSS, OP_ADDSUBPD, OP_ADDSUBPS,
  OP_AESDEC, OP_AESDECLAST, OP_AESENC, OP_AESENCLAST, OP_AESIMC, OP_AESKEYGENASSIST, OP_CMPPD, OP_CMPPS, OP_CMPSD,
  OP_CMPSS, OP_COMISD, OP_COMISS, OP_CVTDQ2PD, OP_CVTDQ2PS, OP_CVTPD2DQ, OP_CVTPD2PI, OP_CVTPD2PS, OP_CVTPI2PD,
  OP_CVTPI2PS, OP_CVTPS2DQ, OP_CVTPS2PD, OP_CVTPS2PI, OP_CVTSD2SI, OP_CVTSD2SS, OP_CVTSI2SD, OP_CVTSI2SS, OP_CVTSS2SD,
  OP_CVTSS2SI, OP_CVTTPD2DQ, OP_CVTTPD2PI, OP_CVTTPS2DQ, OP_CVTTPS2PI, OP_CVTTSD2SI, OP_CVTTSS2SI, OP_DIVPD, OP_DIVPS,
  OP_DIVSD, OP_DIVSS, OP_DPPD, OP_DPPS, OP_HADDPD, OP_HADDPS, OP_HSUBPD, OP_HSUBPS, OP_LOAD128, OP_LOAD128_ALIGNED,
  OP_LOAD32, OP_LOAD64, OP_LOAD64_HIGH, OP_LOAD64_LOW, OP_MASKMOVDQU, OP_MAXPD, OP_MAXPS, OP_MAXSD, OP_MAXSS, OP_MINPD,
  OP_MINPS, OP_MINSD, OP_MINSS, OP_MOV128_BACK, OP_MOV128_REG, OP_MOVDDUP, OP_MOVDQ2Q, OP_MOVD_FROM_GPR, OP_MOVD_TO_GPR,
  OP_MOVHLPS, OP_MOVLHPS, OP_MOVMSKPD, OP_MOVMSKPS, OP_MOVNTI, OP_MOVQ2DQ, OP_MOVQ_BACK, OP_MOVQ_FROM_GPR, OP_MOVQ_REG,
  OP_MOVQ_TO_GPR, OP_MOVSD_BACK, OP_MOVSD_REG, OP_MOVSHDUP, OP_MOVSLDUP, OP_MOVSS_BACK, OP_MOVSS_REG, OP_MPSADBW,
  OP_MULPD, OP_MULPS, OP_MULSD, OP_MULSS, OP_PADDB, OP_PADDD, OP_PADDQ, OP_PAND, OP_PANDN, OP_PCLMULQDQ, OP_PCMPEQB,
  OP_PCMPEQD, OP_PCMPESTRI, OP_PCMPESTRM, OP_PCMPISTRI, OP_PCMPISTRM, OP_PMINUB, OP_PMOVMSKB, OP_POR, OP_PSUBB,
  OP_PUNPCKHQDQ, OP_PUNPCKLBW, OP_PUNPCKLDQ, OP_PUNPCKLQDQ, OP_PXOR, OP_RCPPS, OP_RCPSS, OP_ROUNDPD, OP_ROUNDPS,
  OP_ROUNDSD, OP_ROUNDSS, OP_RSQRTPS, OP_RSQRTSS, OP_SHA1MSG1, OP_SHA1MSG2, OP_SHA1NEXTE, OP_SHA1RNDS4, OP_SHA256MSG1,
  OP_SHA256MSG2, OP_SHA256RNDS2, OP_SHIFT_IMM, OP_SQRTPD, OP_SQRTPS, OP_SQRTSD, OP_SQRTSS, OP_STORE128,
  OP_STORE128_ALIGNED, OP_STORE32, OP_STORE64, OP_STORE64_HIGH, OP_SUBPD, OP_SUBPS, OP_SUBSD, OP_SUBSS, OP_UCOMISD,
  OP_UCOMISS, SHIFT_PSLLDQ,
} from "./sse-ops";
import {
  alignedAddress, getReg, getRm, imm8, regBase, regGpr, rmBase, rmGpr, setReg, source128, source64,
} from "./sse-operands";
import { execSha } from "./sse-sha";
import { execExtend, execShiftImmediate, execShuffle } from "./sse-shuffle";
import { execStringCompare } from "./sse-string";

/** Executes an operation of sse-ops.ts, or one of avx-ops.ts. */
export function execSse(cpu: usize, rec: usize, op: u32): void {
  if (op >= OPS_MMX) {
    if (op >= OPS_AVX) execAvx(cpu, rec, op);
    else execMmx(cpu, rec, op);
    return;
  }
  const blocked = load<u32>(cpu, SSE_BLOCKED);
  // An AVX instruction has been let in.
  if (blocked && op != OP_MOVNTI && operationOf(rec) < OPS_AVX) raise(cpu, blocked);
  switch (op) {
    case OP_MOV128_REG:
      setReg(cpu, rec, getRm(cpu, rec));
      return;
    case OP_MOV128_BACK:
      v128.store(rmBase(cpu, rec), getReg(cpu, rec), XMM);
      return;
    case OP_LOAD128:
      setReg(cpu, rec, read128(cpu, eaSized(cpu, rec, 16, 0)));
      return;
    case OP_STORE128:
      write128(cpu, eaSized(cpu, rec, 16, 1), getReg(cpu, rec));
      return;
    case OP_LOAD128_ALIGNED:
      setReg(cpu, rec, read128(cpu, alignedAddress(cpu, rec, 0)));
      return;
    case OP_STORE128_ALIGNED:
      write128(cpu, alignedAddress(cpu, rec, 1), getReg(cpu, rec));
      return;
    case OP_LOAD32:
      setReg(cpu, rec, i32x4.replace_lane(i64x2.splat(0), 0, read32(cpu, eaSized(cpu, rec, 4, 0))));
      return;
    case OP_STORE32:
      write32(cpu, eaSized(cpu, rec, 4, 1), load<u32>(regBase(cpu, rec), XMM));
      return;
    case OP_LOAD64:
      setReg(cpu, rec, i64x2.replace_lane(i64x2.splat(0), 0, read64(cpu, eaSized(cpu, rec, 8, 0))));
      return;
    case OP_STORE64:
      write64(cpu, eaSized(cpu, rec, 8, 1), load<u64>(regBase(cpu, rec), XMM));
      return;
    case OP_LOAD64_LOW:
      store<u64>(regBase(cpu, rec), read64(cpu, eaSized(cpu, rec, 8, 0)), XMM);
      return;
    case OP_LOAD64_HIGH:
      store<u64>(regBase(cpu, rec), read64(cpu, eaSized(cpu, rec, 8, 0)), XMM + 8);
      return;
    case OP_STORE64_HIGH:
      write64(cpu, eaSized(cpu, rec, 8, 1), load<u64>(regBase(cpu, rec), XMM + 8));
      return;
    case OP_MOVSS_REG:
      store<u32>(regBase(cpu, rec), load<u32>(rmBase(cpu, rec), XMM), XMM);
      return;
    case OP_MOVSS_BACK:
      store<u32>(rmBase(cpu, rec), load<u32>(regBase(cpu, rec), XMM), XMM);
      return;
    case OP_MOVSD_REG:
      store<u64>(regBase(cpu, rec), load<u64>(rmBase(cpu, rec), XMM), XMM);
      return;
    case OP_MOVSD_BACK:
      store<u64>(rmBase(cpu, rec), load<u64>(regBase(cpu, rec), XMM), XMM);
      return;
    case OP_MOVQ_REG:
      setReg(cpu, rec, i64x2.replace_lane(i64x2.splat(0), 0, load<u64>(rmBase(cpu, rec), XMM)));
      return;
    case OP_MOVQ_BACK: {
      const value = load<u64>(regBase(cpu, rec), XMM);
      v128.store(rmBase(cpu, rec), i64x2.replace_lane(i64x2.splat(0), 0, value), XMM);
      return;
    }
    case OP_MOVHLPS:
      store<u64>(regBase(cpu, rec), load<u64>(rmBase(cpu, rec), XMM + 8), XMM);
      return;
    case OP_MOVLHPS:
      store<u64>(regBase(cpu, rec), load<u64>(rmBase(cpu, rec), XMM), XMM + 8);
      return;
    case OP_MOVD_FROM_GPR:
      setReg(cpu, rec, i64x2.replace_lane(i64x2.splat(0), 0, load<u32>(rmGpr(cpu, rec), GPR)));
      return;
    case OP_MOVQ_FROM_GPR:
      setReg(cpu, rec, i64x2.replace_lane(i64x2.splat(0), 0, load<u64>(rmGpr(cpu, rec), GPR)));
      return;
    case OP_MOVD_TO_GPR:
      store<u64>(rmGpr(cpu, rec), load<u32>(regBase(cpu, rec), XMM), GPR);
      return;
    case OP_MOVQ_TO_GPR:
      store<u64>(rmGpr(cpu, rec), load<u64>(regBase(cpu, rec), XMM), GPR);
      return;
    case OP_MOVNTI:
      if (load<u8>(rec, REC_FLAGS) & F_REXW) write64(cpu, eaSized(cpu, rec, 8, 1), load<u64>(regGpr(cpu, rec), GPR));
      else write32(cpu, eaSized(cpu, rec, 4, 1), load<u32>(regGpr(cpu, rec), GPR));
      return;
    case OP_MOVSLDUP: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, v128.shuffle<u32>(b, b, 0, 0, 2, 2));
      return;
    }
    case OP_MOVSHDUP: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, v128.shuffle<u32>(b, b, 1, 1, 3, 3));
      return;
    }
    case OP_MOVDDUP:
      setReg(cpu, rec, i64x2.splat(source64(cpu, rec)));
      return;
    case OP_MASKMOVDQU:
      storeMasked(cpu, eaSized(cpu, rec, 16, 1), getReg(cpu, rec), getRm(cpu, rec));
      return;
    case OP_PMOVMSKB:
      store<u64>(regGpr(cpu, rec), <u32>i8x16.bitmask(getRm(cpu, rec)), GPR);
      return;
    case OP_MOVMSKPS:
      store<u64>(regGpr(cpu, rec), <u32>i32x4.bitmask(getRm(cpu, rec)), GPR);
      return;
    case OP_MOVMSKPD:
      store<u64>(regGpr(cpu, rec), <u32>i64x2.bitmask(getRm(cpu, rec)), GPR);
      return;
    case OP_ADDSS:
      addScalar<f32>(cpu, rec);
      return;
    case OP_ADDSD:
      addScalar<f64>(cpu, rec);
      return;
    case OP_SUBSS:
      subScalar<f32>(cpu, rec);
      return;
    case OP_SUBSD:
      subScalar<f64>(cpu, rec);
      return;
    case OP_MULSS:
      mulScalar<f32>(cpu, rec);
      return;
    case OP_MULSD:
      mulScalar<f64>(cpu, rec);
      return;
    case OP_DIVSS:
      divScalar<f32>(cpu, rec);
      return;
    case OP_DIVSD:
      divScalar<f64>(cpu, rec);
      return;
    case OP_SQRTSS:
      sqrtScalar<f32>(cpu, rec);
      return;
    case OP_SQRTSD:
      sqrtScalar<f64>(cpu, rec);
      return;
    case OP_MINSS:
      minScalar<f32>(cpu, rec);
      return;
    case OP_MINSD:
      minScalar<f64>(cpu, rec);
      return;
    case OP_MAXSS:
      maxScalar<f32>(cpu, rec);
      return;
    case OP_MAXSD:
      maxScalar<f64>(cpu, rec);
      return;
    case OP_UCOMISS:
      compareScalar<f32>(cpu, rec, false);
      return;
    case OP_UCOMISD:
      compareScalar<f64>(cpu, rec, false);
      return;
    case OP_COMISS:
      compareScalar<f32>(cpu, rec, true);
      return;
    case OP_COMISD:
      compareScalar<f64>(cpu, rec, true);
      return;
    case OP_CVTSI2SS:
      integerToSingle(cpu, rec);
      return;
    case OP_CVTSI2SD:
      integerToDouble(cpu, rec);
      return;
    case OP_CVTTSS2SI:
      singleToInteger(cpu, rec, true);
      return;
    case OP_CVTTSD2SI:
      doubleToInteger(cpu, rec, true);
      return;
    case OP_CVTSS2SI:
      singleToInteger(cpu, rec, false);
      return;
    case OP_CVTSD2SI:
      doubleToInteger(cpu, rec, false);
      return;
    case OP_ADDPS:
    case OP_ADDPD:
    case OP_MULPS:
    case OP_MULPD:
    case OP_SUBPS:
    case OP_SUBPD:
    case OP_MINPS:
    case OP_MINPD:
    case OP_DIVPS:
    case OP_DIVPD:
    case OP_MAXPS:
    case OP_MAXPD:
    case OP_SQRTPS:
    case OP_SQRTPD:
      execPackedArithmetic(cpu, rec, op);
      return;
    case OP_RSQRTPS:
    case OP_RSQRTSS:
    case OP_RCPPS:
    case OP_RCPSS:
      execReciprocal(cpu, rec, op);
      return;
    case OP_CVTPS2PD:
    case OP_CVTPD2PS:
    case OP_CVTSS2SD:
    case OP_CVTSD2SS:
    case OP_CVTDQ2PS:
    case OP_CVTPS2DQ:
    case OP_CVTTPS2DQ:
    case OP_CVTTPD2DQ:
    case OP_CVTPD2DQ:
    case OP_CVTDQ2PD:
      execConvert(cpu, rec, op);
      return;
    case OP_CMPPS:
    case OP_CMPPD:
    case OP_CMPSS:
    case OP_CMPSD:
      execCompare(cpu, rec, op);
      return;
    case OP_HADDPD:
    case OP_HADDPS:
    case OP_HSUBPD:
    case OP_HSUBPS:
    case OP_ADDSUBPD:
    case OP_ADDSUBPS:
      execHorizontal(cpu, rec, op);
      return;
    case OP_ROUNDPS:
    case OP_ROUNDPD:
    case OP_ROUNDSS:
    case OP_ROUNDSD:
      execRound(cpu, rec, op);
      return;
    case OP_DPPS:
    case OP_DPPD:
      execDotProduct(cpu, rec, op);
      return;
    case OP_CVTPI2PS:
    case OP_CVTPI2PD:
    case OP_CVTTPS2PI:
    case OP_CVTTPD2PI:
    case OP_CVTPS2PI:
    case OP_CVTPD2PI:
    case OP_MOVQ2DQ:
    case OP_MOVDQ2Q:
      execMmxToXmm(cpu, rec, op);
      return;
    case OP_PCMPESTRM:
    case OP_PCMPESTRI:
    case OP_PCMPISTRM:
    case OP_PCMPISTRI:
      execStringCompare(cpu, rec, op);
      return;
    case OP_AESIMC:
    case OP_AESENC:
    case OP_AESENCLAST:
    case OP_AESDEC:
    case OP_AESDECLAST:
      execAes(cpu, rec, op);
      return;
    case OP_AESKEYGENASSIST:
      execAesKeygenAssist(cpu, rec);
      return;
    case OP_PCLMULQDQ:
      execCarrylessMultiply(cpu, rec);
      return;
    case OP_SHA1NEXTE:
    case OP_SHA1MSG1:
    case OP_SHA1MSG2:
    case OP_SHA1RNDS4:
    case OP_SHA256RNDS2:
    case OP_SHA256MSG1:
    case OP_SHA256MSG2:
      execSha(cpu, rec, op);
      return;
    case OP_MPSADBW: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, multipleSums(getReg(cpu, rec), b, imm8(rec)));
      return;
    }
    case OP_PAND: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, v128.and(getReg(cpu, rec), b));
      return;
    }
    case OP_PANDN: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, v128.andnot(b, getReg(cpu, rec)));
      return;
    }
    case OP_POR: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, v128.or(getReg(cpu, rec), b));
      return;
    }
    case OP_PXOR: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, v128.xor(getReg(cpu, rec), b));
      return;
    }
    case OP_PCMPEQB: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, i8x16.eq(getReg(cpu, rec), b));
      return;
    }
    case OP_PMINUB: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, i8x16.min_u(getReg(cpu, rec), b));
      return;
    }
    case OP_PSUBB: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, i8x16.sub(getReg(cpu, rec), b));
      return;
    }
    case OP_PADDB: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, i8x16.add(getReg(cpu, rec), b));
      return;
    }
    case OP_PADDD: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, i32x4.add(getReg(cpu, rec), b));
      return;
    }
    case OP_PADDQ: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, i64x2.add(getReg(cpu, rec), b));
      return;
    }
    case OP_PCMPEQD: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, i32x4.eq(getReg(cpu, rec), b));
      return;
    }
    case OP_PUNPCKLBW: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, v128.shuffle<u8>(getReg(cpu, rec), b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
      return;
    }
    case OP_PUNPCKLDQ: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, v128.shuffle<u32>(getReg(cpu, rec), b, 0, 4, 1, 5));
      return;
    }
    case OP_PUNPCKLQDQ: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, v128.shuffle<u64>(getReg(cpu, rec), b, 0, 2));
      return;
    }
    case OP_PUNPCKHQDQ: {
      const b = source128(cpu, rec);
      setReg(cpu, rec, v128.shuffle<u64>(getReg(cpu, rec), b, 1, 3));
      return;
    }
  }
  if (op >= OPS_PACKED + 0x60 && op < OPS_PACKED_END) {
    const b = source128(cpu, rec);
    setReg(cpu, rec, packedInteger(op - OPS_PACKED, getReg(cpu, rec), b));
  } else if (op >= OPS_PMOVX && op < OPS_PMOVX + 0x20) execExtend(cpu, rec, op);
  else if (op >= OP_SHIFT_IMM && op <= OP_SHIFT_IMM + SHIFT_PSLLDQ) execShiftImmediate(cpu, rec, op);
  else execShuffle(cpu, rec, op);
}
