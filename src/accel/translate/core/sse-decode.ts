// Which opcodes are MMX, SSE, AES-NI, PCLMULQDQ and SHA instructions, and what the decoder has to know to make
// a record of one. Intel SDM volume 2, appendix A; AMD APM volumes 4 and 5.
import {
  FEATURE_AES, FEATURE_MMX, FEATURE_PCLMULQDQ, FEATURE_SHA, FEATURE_SSE, FEATURE_SSE2, FEATURE_SSE3, FEATURE_SSE4_1,
  FEATURE_SSE4_2, FEATURE_SSE4A, FEATURE_SSSE3,
} from "../feature-bits";
import {
  OPS_FLOAT, OPS_MMX_PACKED, OPS_PACKED, OPS_PMOVX, OP_ADDSUBPD, OP_ADDSUBPS, OP_AESDEC, OP_AESDECLAST, OP_AESENC,
  OP_AESENCLAST, OP_AESIMC, OP_AESKEYGENASSIST, OP_BLENDPD, OP_BLENDPS, OP_BLENDVPD, OP_BLENDVPS, OP_CMPPS, OP_COMISD,
  OP_COMISS, OP_CVTDQ2PD, OP_CVTPD2DQ, OP_CVTPD2PI, OP_CVTPI2PD, OP_CVTPI2PS, OP_CVTPS2PI, OP_CVTSD2SI, OP_CVTSI2SD,
  OP_CVTSI2SS, OP_CVTSS2SI, OP_CVTTPD2DQ, OP_CVTTPD2PI, OP_CVTTPS2PI, OP_CVTTSD2SI, OP_CVTTSS2SI, OP_DPPD, OP_DPPS,
  OP_EXTRQ, OP_EXTRQ_IMM, OP_HADDPD, OP_HADDPS, OP_HSUBPD, OP_HSUBPS, OP_INSERTPS, OP_INSERTQ, OP_INSERTQ_IMM,
  OP_LOAD128, OP_LOAD128_ALIGNED, OP_LOAD32, OP_LOAD64, OP_LOAD64_HIGH, OP_LOAD64_LOW, OP_MASKMOVDQU, OP_MASKMOVQ,
  OP_MMX_LOAD32, OP_MMX_LOAD64, OP_MMX_MOVD_FROM_GPR, OP_MMX_MOVD_TO_GPR, OP_MMX_MOVQ, OP_MMX_MOVQ_BACK,
  OP_MMX_MOVQ_FROM_GPR, OP_MMX_MOVQ_TO_GPR, OP_MMX_PALIGNR, OP_MMX_PEXTRW, OP_MMX_PINSRW, OP_MMX_PMOVMSKB,
  OP_MMX_SHIFT_IMM, OP_MMX_STORE32, OP_MMX_STORE64, OP_MOV128_BACK, OP_MOV128_REG, OP_MOVDDUP, OP_MOVDQ2Q,
  OP_MOVD_FROM_GPR, OP_MOVD_TO_GPR, OP_MOVHLPS, OP_MOVLHPS, OP_MOVMSKPS, OP_MOVNTI, OP_MOVQ2DQ, OP_MOVQ_BACK,
  OP_MOVQ_FROM_GPR, OP_MOVQ_REG, OP_MOVQ_TO_GPR, OP_MOVSD_BACK, OP_MOVSD_REG, OP_MOVSHDUP, OP_MOVSLDUP, OP_MOVSS_BACK,
  OP_MOVSS_REG, OP_MPSADBW, OP_PADDB, OP_PADDD, OP_PADDQ, OP_PALIGNR, OP_PAND, OP_PANDN, OP_PBLENDVB, OP_PBLENDW,
  OP_PCLMULQDQ, OP_PCMPEQB, OP_PCMPEQD, OP_PCMPESTRM, OP_PEXTRB, OP_PEXTRD, OP_PEXTRQ, OP_PEXTRW, OP_PEXTRW_REG,
  OP_PINSRB, OP_PINSRD, OP_PINSRQ, OP_PINSRW, OP_PMINUB, OP_PMOVMSKB, OP_POR, OP_PSHUFD, OP_PSHUFHW, OP_PSHUFLW,
  OP_PSHUFW, OP_PSUBB, OP_PTEST, OP_PUNPCKHQDQ, OP_PUNPCKLBW, OP_PUNPCKLDQ, OP_PUNPCKLQDQ, OP_PXOR, OP_ROUNDPS,
  OP_SHA1MSG1, OP_SHA1MSG2, OP_SHA1NEXTE, OP_SHA1RNDS4, OP_SHA256MSG1, OP_SHA256MSG2, OP_SHA256RNDS2, OP_SHIFT_IMM,
  OP_SHUFPD, OP_SHUFPS, OP_STORE128, OP_STORE128_ALIGNED, OP_STORE32, OP_STORE64, OP_STORE64_HIGH, OP_UCOMISD,
  OP_UCOMISS, PADDB, PADDD, PADDQ, PAND, PANDN, PCMPEQB, PCMPEQD, PMINUB, POR, PSUBB, PUNPCKHDQ, PUNPCKHQDQ, PUNPCKLBW,
  PUNPCKLDQ, PUNPCKLQDQ, PXOR, SHIFT_PSLLD, SHIFT_PSLLDQ, SHIFT_PSLLQ, SHIFT_PSLLW, SHIFT_PSRAD, SHIFT_PSRAW,
  SHIFT_PSRLD, SHIFT_PSRLDQ, SHIFT_PSRLQ, SHIFT_PSRLW,
} from "./sse-ops";

// The result of sseDecode:
// bits 0-15: the operation
// bits 16-17: bytes of immediate after the operand: 0, 1 or 2 (EXTRQ and INSERTQ)
export const SSE_IMM_SHIFT: u64 = 16;
// bits 20-24: size of the memory operand in bytes: 0 (none), 1, 2, 4, 8 or 16
export const SSE_SIZE_SHIFT: u64 = 20;
// The memory form exists (else ModRM.mod != 3 is #UD), the register form exists (else mod = 3 is #UD).
export const SSE_MEM: u64 = 1 << 25;
export const SSE_REG: u64 = 1 << 26;
// The memory operand is written and not read.
export const SSE_STORE: u64 = 1 << 27;
// The memory operand has to lie on 16 bytes, else #GP(0). The handler checks. (SHA: on Intel's processors only.)
export const SSE_ALIGNED: u64 = 1 << 28;
// A register form with an implicit memory operand at DS:rDI (MASKMOVQ, MASKMOVDQU). The record gets base RDI,
// segment DS or the override, and F_EA_SPECIAL as for a memory form, besides F_MODREG and both register numbers.
export const SSE_IMPLICIT_RDI: u64 = 1 << 29;
// The reg or the rm register operand is a general register: for disassembly and tests.
export const SSE_GPR_REG: u64 = 1 << 30;
export const SSE_GPR_RM: u64 = 1 << 31;
// bits 32-43: the CPU feature, FEATURE_*; the decoder emits #UD when the model lacks it.
export const SSE_FEATURE_SHIFT: u64 = 32;

const NONE: u32 = 0;
const P66: u32 = 1;
const PF3: u32 = 2;
const PF2: u32 = 3;

const IMM: u64 = 1 << SSE_IMM_SHIFT;
const BOTH: u64 = SSE_MEM | SSE_REG;
const ALIGNED_STORE: u64 = SSE_ALIGNED | SSE_STORE;

// @ts-ignore: decorator
@inline
function pack(op: u32, feature: u32, size: u32, flags: u64): u64 {
  return (<u64>op) | ((<u64>size) << SSE_SIZE_SHIFT) | ((<u64>feature) << SSE_FEATURE_SHIFT) | flags;
}

/** The feature of an instruction whose single-precision form came with SSE, its double-precision form with SSE2. */
function generation(prefix: u32): u32 {
  return prefix == NONE ? FEATURE_SSE : FEATURE_SSE2;
}

/** XMM register and XMM register or aligned memory. */
function xmm(op: u32, feature: u32, flags: u64): u64 {
  return pack(op, feature, 16, flags | BOTH | SSE_ALIGNED);
}

/** Register and register or memory of any alignment. */
function scalar(op: u32, feature: u32, size: u32, flags: u64): u64 {
  return pack(op, feature, size, flags | BOTH);
}

function register(op: u32, feature: u32, flags: u64): u64 {
  return pack(op, feature, 0, flags | SSE_REG);
}

function memory(op: u32, feature: u32, size: u32, flags: u64): u64 {
  return pack(op, feature, size, flags | SSE_MEM);
}

/** One operation for registers, another for memory. */
function move(isRegister: bool, registerOp: u32, memoryOp: u32, feature: u32, size: u32, flags: u64): u64 {
  return pack(isRegister ? registerOp : memoryOp, feature, size, flags | BOTH);
}

/** The operation of a packed integer instruction on XMM registers. */
function packedOp(kind: u32): u32 {
  switch (kind) {
    case PAND:
      return OP_PAND;
    case PANDN:
      return OP_PANDN;
    case POR:
      return OP_POR;
    case PXOR:
      return OP_PXOR;
    case PCMPEQB:
      return OP_PCMPEQB;
    case PMINUB:
      return OP_PMINUB;
    case PSUBB:
      return OP_PSUBB;
    case PADDB:
      return OP_PADDB;
    case PADDD:
      return OP_PADDD;
    case PADDQ:
      return OP_PADDQ;
    case PCMPEQD:
      return OP_PCMPEQD;
    case PUNPCKLBW:
      return OP_PUNPCKLBW;
    case PUNPCKLDQ:
      return OP_PUNPCKLDQ;
    case PUNPCKLQDQ:
      return OP_PUNPCKLQDQ;
    case PUNPCKHQDQ:
      return OP_PUNPCKHQDQ;
  }
  return OPS_PACKED + kind;
}

/** A packed integer instruction with an MMX and an XMM form. */
function packed(kind: u32, prefix: u32, mmxFeature: u32, xmmFeature: u32): u64 {
  if (prefix == NONE) return scalar(OPS_MMX_PACKED + kind, mmxFeature, 8, 0);
  return prefix == P66 ? xmm(packedOp(kind), xmmFeature, 0) : 0;
}

/** A floating-point instruction in its PS, PD, SS and SD forms, numbered in this order. */
function float(op: u32, prefix: u32, flags: u64): u64 {
  if (prefix == NONE) return xmm(op, FEATURE_SSE, flags);
  if (prefix == P66) return xmm(op + 1, FEATURE_SSE2, flags);
  return prefix == PF3 ? scalar(op + 2, FEATURE_SSE, 4, flags) : scalar(op + 3, FEATURE_SSE2, 8, flags);
}

/**
 * The fields above, or 0 when the opcode is none of this group's. `map`: 1 is 0F, 2 is 0F38, 3 is 0F3A. `prefix`:
 * 0 none, 1 66, 2 F3, 3 F2 (the last of F2 and F3 wins over 66). `rexW`: 0 or 1.
 */
export function sseDecode(map: u32, opcode: u32, prefix: u32, modrm: u32, rexW: u32): u64 {
  if (map == 1) return decode0F(opcode, prefix, modrm, rexW);
  if (map == 2) return decode0F38(opcode, prefix);
  if (map == 3) return decode0F3A(opcode, prefix, rexW);
  return 0;
}

function decode0F(opcode: u32, prefix: u32, modrm: u32, rexW: u32): u64 {
  const isRegister = modrm >= 0xc0;
  switch (opcode) {
    case 0x10:
      if (prefix == NONE) return move(isRegister, OP_MOV128_REG, OP_LOAD128, FEATURE_SSE, 16, 0);
      if (prefix == P66) return move(isRegister, OP_MOV128_REG, OP_LOAD128, FEATURE_SSE2, 16, 0);
      if (prefix == PF3) return move(isRegister, OP_MOVSS_REG, OP_LOAD32, FEATURE_SSE, 4, 0);
      return move(isRegister, OP_MOVSD_REG, OP_LOAD64, FEATURE_SSE2, 8, 0);
    case 0x11:
      if (prefix == NONE) return move(isRegister, OP_MOV128_BACK, OP_STORE128, FEATURE_SSE, 16, SSE_STORE);
      if (prefix == P66) return move(isRegister, OP_MOV128_BACK, OP_STORE128, FEATURE_SSE2, 16, SSE_STORE);
      if (prefix == PF3) return move(isRegister, OP_MOVSS_BACK, OP_STORE32, FEATURE_SSE, 4, SSE_STORE);
      return move(isRegister, OP_MOVSD_BACK, OP_STORE64, FEATURE_SSE2, 8, SSE_STORE);
    case 0x12:
      if (prefix == NONE) return move(isRegister, OP_MOVHLPS, OP_LOAD64_LOW, FEATURE_SSE, 8, 0);
      if (prefix == P66) return memory(OP_LOAD64_LOW, FEATURE_SSE2, 8, 0);
      if (prefix == PF3) return xmm(OP_MOVSLDUP, FEATURE_SSE3, 0);
      return scalar(OP_MOVDDUP, FEATURE_SSE3, 8, 0);
    case 0x13:
      if (prefix == NONE) return memory(OP_STORE64, FEATURE_SSE, 8, SSE_STORE);
      return prefix == P66 ? memory(OP_STORE64, FEATURE_SSE2, 8, SSE_STORE) : 0;
    case 0x14:
      if (prefix == NONE) return xmm(packedOp(PUNPCKLDQ), FEATURE_SSE, 0);
      return prefix == P66 ? xmm(packedOp(PUNPCKLQDQ), FEATURE_SSE2, 0) : 0;
    case 0x15:
      if (prefix == NONE) return xmm(packedOp(PUNPCKHDQ), FEATURE_SSE, 0);
      return prefix == P66 ? xmm(packedOp(PUNPCKHQDQ), FEATURE_SSE2, 0) : 0;
    case 0x16:
      if (prefix == NONE) return move(isRegister, OP_MOVLHPS, OP_LOAD64_HIGH, FEATURE_SSE, 8, 0);
      if (prefix == P66) return memory(OP_LOAD64_HIGH, FEATURE_SSE2, 8, 0);
      return prefix == PF3 ? xmm(OP_MOVSHDUP, FEATURE_SSE3, 0) : 0;
    case 0x17:
      if (prefix == NONE) return memory(OP_STORE64_HIGH, FEATURE_SSE, 8, SSE_STORE);
      return prefix == P66 ? memory(OP_STORE64_HIGH, FEATURE_SSE2, 8, SSE_STORE) : 0;
    case 0x28:
      if (prefix > P66) return 0;
      return move(isRegister, OP_MOV128_REG, OP_LOAD128_ALIGNED, generation(prefix), 16, SSE_ALIGNED);
    case 0x29:
      if (prefix > P66) return 0;
      return move(isRegister, OP_MOV128_BACK, OP_STORE128_ALIGNED, generation(prefix), 16, ALIGNED_STORE);
    case 0x2a:
      if (prefix == NONE) return scalar(OP_CVTPI2PS, FEATURE_SSE, 8, 0);
      if (prefix == P66) return scalar(OP_CVTPI2PD, FEATURE_SSE2, 8, 0);
      if (prefix == PF3) return scalar(OP_CVTSI2SS, FEATURE_SSE, rexW ? 8 : 4, SSE_GPR_RM);
      return scalar(OP_CVTSI2SD, FEATURE_SSE2, rexW ? 8 : 4, SSE_GPR_RM);
    case 0x2b:
      if (prefix == NONE) return memory(OP_STORE128_ALIGNED, FEATURE_SSE, 16, ALIGNED_STORE);
      if (prefix == P66) return memory(OP_STORE128_ALIGNED, FEATURE_SSE2, 16, ALIGNED_STORE);
      if (prefix == PF3) return memory(OP_STORE32, FEATURE_SSE4A, 4, SSE_STORE);
      return memory(OP_STORE64, FEATURE_SSE4A, 8, SSE_STORE);
    case 0x2c:
      if (prefix == NONE) return scalar(OP_CVTTPS2PI, FEATURE_SSE, 8, 0);
      if (prefix == P66) return xmm(OP_CVTTPD2PI, FEATURE_SSE2, 0);
      if (prefix == PF3) return scalar(OP_CVTTSS2SI, FEATURE_SSE, 4, SSE_GPR_REG);
      return scalar(OP_CVTTSD2SI, FEATURE_SSE2, 8, SSE_GPR_REG);
    case 0x2d:
      if (prefix == NONE) return scalar(OP_CVTPS2PI, FEATURE_SSE, 8, 0);
      if (prefix == P66) return xmm(OP_CVTPD2PI, FEATURE_SSE2, 0);
      if (prefix == PF3) return scalar(OP_CVTSS2SI, FEATURE_SSE, 4, SSE_GPR_REG);
      return scalar(OP_CVTSD2SI, FEATURE_SSE2, 8, SSE_GPR_REG);
    case 0x2e:
      if (prefix == NONE) return scalar(OP_UCOMISS, FEATURE_SSE, 4, 0);
      return prefix == P66 ? scalar(OP_UCOMISD, FEATURE_SSE2, 8, 0) : 0;
    case 0x2f:
      if (prefix == NONE) return scalar(OP_COMISS, FEATURE_SSE, 4, 0);
      return prefix == P66 ? scalar(OP_COMISD, FEATURE_SSE2, 8, 0) : 0;
    case 0x50:
      if (prefix > P66) return 0;
      return register(OP_MOVMSKPS + prefix, generation(prefix), SSE_GPR_REG);
    case 0x51:
    case 0x58:
    case 0x59:
    case 0x5c:
    case 0x5d:
    case 0x5e:
    case 0x5f:
      return float(OPS_FLOAT + ((opcode & 15) << 2), prefix, 0);
    case 0x52:
    case 0x53:
      return prefix == NONE || prefix == PF3 ? float(OPS_FLOAT + ((opcode & 15) << 2), prefix, 0) : 0;
    case 0x54:
      return logical(PAND, prefix);
    case 0x55:
      return logical(PANDN, prefix);
    case 0x56:
      return logical(POR, prefix);
    case 0x57:
      return logical(PXOR, prefix);
    case 0x5a:
      if (prefix == NONE) return scalar(OPS_FLOAT + 0x28, FEATURE_SSE2, 8, 0);
      if (prefix == P66) return xmm(OPS_FLOAT + 0x29, FEATURE_SSE2, 0);
      return scalar(OPS_FLOAT + 0x28 + prefix, FEATURE_SSE2, prefix == PF3 ? 4 : 8, 0);
    case 0x5b:
      return prefix == PF2 ? 0 : xmm(OPS_FLOAT + 0x2c + prefix, FEATURE_SSE2, 0);
    case 0x60:
    case 0x61:
    case 0x62:
      if (prefix == NONE) return scalar(OPS_MMX_PACKED + opcode, FEATURE_MMX, 4, 0);
      return prefix == P66 ? xmm(packedOp(opcode), FEATURE_SSE2, 0) : 0;
    case 0x6c:
    case 0x6d:
      return prefix == P66 ? xmm(packedOp(opcode), FEATURE_SSE2, 0) : 0;
    case 0x6e:
      if (prefix == NONE) {
        if (rexW) return move(isRegister, OP_MMX_MOVQ_FROM_GPR, OP_MMX_LOAD64, FEATURE_MMX, 8, SSE_GPR_RM);
        return move(isRegister, OP_MMX_MOVD_FROM_GPR, OP_MMX_LOAD32, FEATURE_MMX, 4, SSE_GPR_RM);
      }
      if (prefix != P66) return 0;
      if (rexW) return move(isRegister, OP_MOVQ_FROM_GPR, OP_LOAD64, FEATURE_SSE2, 8, SSE_GPR_RM);
      return move(isRegister, OP_MOVD_FROM_GPR, OP_LOAD32, FEATURE_SSE2, 4, SSE_GPR_RM);
    case 0x6f:
      if (prefix == NONE) return move(isRegister, OP_MMX_MOVQ, OP_MMX_LOAD64, FEATURE_MMX, 8, 0);
      if (prefix == P66) return move(isRegister, OP_MOV128_REG, OP_LOAD128_ALIGNED, FEATURE_SSE2, 16, SSE_ALIGNED);
      return prefix == PF3 ? move(isRegister, OP_MOV128_REG, OP_LOAD128, FEATURE_SSE2, 16, 0) : 0;
    case 0x70:
      if (prefix == NONE) return scalar(OP_PSHUFW, FEATURE_SSE, 8, IMM);
      return xmm(prefix == P66 ? OP_PSHUFD : prefix == PF3 ? OP_PSHUFHW : OP_PSHUFLW, FEATURE_SSE2, IMM);
    case 0x71:
    case 0x72:
    case 0x73:
      return shiftGroup(opcode, prefix, modrm);
    case 0x78:
      if (prefix == P66) return (modrm & 0x38) == 0 ? register(OP_EXTRQ_IMM, FEATURE_SSE4A, IMM << 1) : 0;
      return prefix == PF2 ? register(OP_INSERTQ_IMM, FEATURE_SSE4A, IMM << 1) : 0;
    case 0x79:
      if (prefix == P66) return register(OP_EXTRQ, FEATURE_SSE4A, 0);
      return prefix == PF2 ? register(OP_INSERTQ, FEATURE_SSE4A, 0) : 0;
    case 0x7c:
      if (prefix == P66) return xmm(OP_HADDPD, FEATURE_SSE3, 0);
      return prefix == PF2 ? xmm(OP_HADDPS, FEATURE_SSE3, 0) : 0;
    case 0x7d:
      if (prefix == P66) return xmm(OP_HSUBPD, FEATURE_SSE3, 0);
      return prefix == PF2 ? xmm(OP_HSUBPS, FEATURE_SSE3, 0) : 0;
    case 0x7e:
      if (prefix == NONE) {
        if (rexW) return move(isRegister, OP_MMX_MOVQ_TO_GPR, OP_MMX_STORE64, FEATURE_MMX, 8, SSE_GPR_RM | SSE_STORE);
        return move(isRegister, OP_MMX_MOVD_TO_GPR, OP_MMX_STORE32, FEATURE_MMX, 4, SSE_GPR_RM | SSE_STORE);
      }
      if (prefix == PF3) return move(isRegister, OP_MOVQ_REG, OP_LOAD64, FEATURE_SSE2, 8, 0);
      if (prefix != P66) return 0;
      if (rexW) return move(isRegister, OP_MOVQ_TO_GPR, OP_STORE64, FEATURE_SSE2, 8, SSE_GPR_RM | SSE_STORE);
      return move(isRegister, OP_MOVD_TO_GPR, OP_STORE32, FEATURE_SSE2, 4, SSE_GPR_RM | SSE_STORE);
    case 0x7f:
      if (prefix == NONE) return move(isRegister, OP_MMX_MOVQ_BACK, OP_MMX_STORE64, FEATURE_MMX, 8, SSE_STORE);
      if (prefix == P66) return move(isRegister, OP_MOV128_BACK, OP_STORE128_ALIGNED, FEATURE_SSE2, 16, ALIGNED_STORE);
      return prefix == PF3 ? move(isRegister, OP_MOV128_BACK, OP_STORE128, FEATURE_SSE2, 16, SSE_STORE) : 0;
    case 0xc2:
      return float(OP_CMPPS, prefix, IMM);
    case 0xc3:
      return prefix == NONE ? memory(OP_MOVNTI, FEATURE_SSE2, rexW ? 8 : 4, SSE_STORE | SSE_GPR_REG) : 0;
    case 0xc4:
      if (prefix == NONE) return scalar(OP_MMX_PINSRW, FEATURE_SSE, 2, IMM | SSE_GPR_RM);
      return prefix == P66 ? scalar(OP_PINSRW, FEATURE_SSE2, 2, IMM | SSE_GPR_RM) : 0;
    case 0xc5:
      if (prefix == NONE) return register(OP_MMX_PEXTRW, FEATURE_SSE, IMM | SSE_GPR_REG);
      return prefix == P66 ? register(OP_PEXTRW_REG, FEATURE_SSE2, IMM | SSE_GPR_REG) : 0;
    case 0xc6:
      if (prefix == NONE) return xmm(OP_SHUFPS, FEATURE_SSE, IMM);
      return prefix == P66 ? xmm(OP_SHUFPD, FEATURE_SSE2, IMM) : 0;
    case 0xd0:
      if (prefix == P66) return xmm(OP_ADDSUBPD, FEATURE_SSE3, 0);
      return prefix == PF2 ? xmm(OP_ADDSUBPS, FEATURE_SSE3, 0) : 0;
    case 0xd6:
      if (prefix == P66) return move(isRegister, OP_MOVQ_BACK, OP_STORE64, FEATURE_SSE2, 8, SSE_STORE);
      if (prefix == PF3) return register(OP_MOVQ2DQ, FEATURE_SSE2, 0);
      return prefix == PF2 ? register(OP_MOVDQ2Q, FEATURE_SSE2, 0) : 0;
    case 0xd7:
      if (prefix == NONE) return register(OP_MMX_PMOVMSKB, FEATURE_SSE, SSE_GPR_REG);
      return prefix == P66 ? register(OP_PMOVMSKB, FEATURE_SSE2, SSE_GPR_REG) : 0;
    case 0xe6:
      if (prefix == P66) return xmm(OP_CVTTPD2DQ, FEATURE_SSE2, 0);
      if (prefix == PF3) return scalar(OP_CVTDQ2PD, FEATURE_SSE2, 8, 0);
      return prefix == PF2 ? xmm(OP_CVTPD2DQ, FEATURE_SSE2, 0) : 0;
    case 0xe7:
      if (prefix == NONE) return memory(OP_MMX_STORE64, FEATURE_SSE, 8, SSE_STORE);
      return prefix == P66 ? memory(OP_STORE128_ALIGNED, FEATURE_SSE2, 16, ALIGNED_STORE) : 0;
    case 0xf0:
      return prefix == PF2 ? memory(OP_LOAD128, FEATURE_SSE3, 16, 0) : 0;
    case 0xf7:
      if (prefix == NONE) return pack(OP_MASKMOVQ, FEATURE_SSE, 8, SSE_REG | SSE_IMPLICIT_RDI | SSE_STORE);
      return prefix == P66 ? pack(OP_MASKMOVDQU, FEATURE_SSE2, 16, SSE_REG | SSE_IMPLICIT_RDI | SSE_STORE) : 0;
    // The MMX forms of these came with SSE, resp. SSE2.
    case 0xda:
    case 0xde:
    case 0xe0:
    case 0xe3:
    case 0xe4:
    case 0xea:
    case 0xee:
    case 0xf6:
      return packed(opcode, prefix, FEATURE_SSE, FEATURE_SSE2);
    case 0xd4:
    case 0xf4:
    case 0xfb:
      return packed(opcode, prefix, FEATURE_SSE2, FEATURE_SSE2);
    case 0x63:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0x68:
    case 0x69:
    case 0x6a:
    case 0x6b:
    case 0x74:
    case 0x75:
    case 0x76:
    case 0xd1:
    case 0xd2:
    case 0xd3:
    case 0xd5:
    case 0xd8:
    case 0xd9:
    case 0xdb:
    case 0xdc:
    case 0xdd:
    case 0xdf:
    case 0xe1:
    case 0xe2:
    case 0xe5:
    case 0xe8:
    case 0xe9:
    case 0xeb:
    case 0xec:
    case 0xed:
    case 0xef:
    case 0xf1:
    case 0xf2:
    case 0xf3:
    case 0xf5:
    case 0xf8:
    case 0xf9:
    case 0xfa:
    case 0xfc:
    case 0xfd:
    case 0xfe:
      return packed(opcode, prefix, FEATURE_MMX, FEATURE_SSE2);
  }
  return 0;
}

/** ANDPS and its like: the same bits as PAND and its like. */
function logical(kind: u32, prefix: u32): u64 {
  if (prefix == NONE) return xmm(packedOp(kind), FEATURE_SSE, 0);
  return prefix == P66 ? xmm(packedOp(kind), FEATURE_SSE2, 0) : 0;
}

function shiftGroup(opcode: u32, prefix: u32, modrm: u32): u64 {
  if (prefix > P66) return 0;
  let shift: u32 = 0xff;
  const reg = (modrm >> 3) & 7;
  if (opcode == 0x71) {
    if (reg == 2) shift = SHIFT_PSRLW;
    else if (reg == 4) shift = SHIFT_PSRAW;
    else if (reg == 6) shift = SHIFT_PSLLW;
  } else if (opcode == 0x72) {
    if (reg == 2) shift = SHIFT_PSRLD;
    else if (reg == 4) shift = SHIFT_PSRAD;
    else if (reg == 6) shift = SHIFT_PSLLD;
  } else {
    if (reg == 2) shift = SHIFT_PSRLQ;
    else if (reg == 6) shift = SHIFT_PSLLQ;
    else if (prefix == P66 && reg == 3) shift = SHIFT_PSRLDQ;
    else if (prefix == P66 && reg == 7) shift = SHIFT_PSLLDQ;
  }
  if (shift == 0xff) return 0;
  if (prefix == NONE) return register(OP_MMX_SHIFT_IMM + shift, FEATURE_MMX, IMM);
  return register(OP_SHIFT_IMM + shift, FEATURE_SSE2, IMM);
}

function decode0F38(opcode: u32, prefix: u32): u64 {
  if (prefix > P66) return 0;
  switch (opcode) {
    case 0x00:
    case 0x01:
    case 0x02:
    case 0x03:
    case 0x04:
    case 0x05:
    case 0x06:
    case 0x07:
    case 0x08:
    case 0x09:
    case 0x0a:
    case 0x0b:
    case 0x1c:
    case 0x1d:
    case 0x1e:
      return packed(0x100 + opcode, prefix, FEATURE_SSSE3, FEATURE_SSSE3);
    case 0xc8:
      return prefix == NONE ? scalar(OP_SHA1NEXTE, FEATURE_SHA, 16, 0) : 0;
    case 0xc9:
      return prefix == NONE ? scalar(OP_SHA1MSG1, FEATURE_SHA, 16, 0) : 0;
    case 0xca:
      return prefix == NONE ? scalar(OP_SHA1MSG2, FEATURE_SHA, 16, 0) : 0;
    case 0xcb:
      return prefix == NONE ? scalar(OP_SHA256RNDS2, FEATURE_SHA, 16, 0) : 0;
    case 0xcc:
      return prefix == NONE ? scalar(OP_SHA256MSG1, FEATURE_SHA, 16, 0) : 0;
    case 0xcd:
      return prefix == NONE ? scalar(OP_SHA256MSG2, FEATURE_SHA, 16, 0) : 0;
  }
  if (prefix == NONE) return 0;
  switch (opcode) {
    case 0x10:
      return xmm(OP_PBLENDVB, FEATURE_SSE4_1, 0);
    case 0x14:
      return xmm(OP_BLENDVPS, FEATURE_SSE4_1, 0);
    case 0x15:
      return xmm(OP_BLENDVPD, FEATURE_SSE4_1, 0);
    case 0x17:
      return xmm(OP_PTEST, FEATURE_SSE4_1, 0);
    case 0x20:
    case 0x23:
    case 0x25:
    case 0x30:
    case 0x33:
    case 0x35:
      return scalar(OPS_PMOVX + (opcode & 0x1f), FEATURE_SSE4_1, 8, 0);
    case 0x21:
    case 0x24:
    case 0x31:
    case 0x34:
      return scalar(OPS_PMOVX + (opcode & 0x1f), FEATURE_SSE4_1, 4, 0);
    case 0x22:
    case 0x32:
      return scalar(OPS_PMOVX + (opcode & 0x1f), FEATURE_SSE4_1, 2, 0);
    case 0x2a:
      return memory(OP_LOAD128_ALIGNED, FEATURE_SSE4_1, 16, SSE_ALIGNED);
    case 0x37:
      return xmm(OPS_PACKED + 0x137, FEATURE_SSE4_2, 0);
    case 0x28:
    case 0x29:
    case 0x2b:
    case 0x38:
    case 0x39:
    case 0x3a:
    case 0x3b:
    case 0x3c:
    case 0x3d:
    case 0x3e:
    case 0x3f:
    case 0x40:
    case 0x41:
      return xmm(OPS_PACKED + 0x100 + opcode, FEATURE_SSE4_1, 0);
    case 0xdb:
      return xmm(OP_AESIMC, FEATURE_AES, 0);
    case 0xdc:
      return xmm(OP_AESENC, FEATURE_AES, 0);
    case 0xdd:
      return xmm(OP_AESENCLAST, FEATURE_AES, 0);
    case 0xde:
      return xmm(OP_AESDEC, FEATURE_AES, 0);
    case 0xdf:
      return xmm(OP_AESDECLAST, FEATURE_AES, 0);
  }
  return 0;
}

function decode0F3A(opcode: u32, prefix: u32, rexW: u32): u64 {
  if (prefix == NONE) {
    if (opcode == 0x0f) return scalar(OP_MMX_PALIGNR, FEATURE_SSSE3, 8, IMM);
    return opcode == 0xcc ? scalar(OP_SHA1RNDS4, FEATURE_SHA, 16, IMM) : 0;
  }
  if (prefix != P66) return 0;
  switch (opcode) {
    case 0x08:
    case 0x09:
      return xmm(OP_ROUNDPS + (opcode & 3), FEATURE_SSE4_1, IMM);
    case 0x0a:
      return scalar(OP_ROUNDPS + 2, FEATURE_SSE4_1, 4, IMM);
    case 0x0b:
      return scalar(OP_ROUNDPS + 3, FEATURE_SSE4_1, 8, IMM);
    case 0x0c:
      return xmm(OP_BLENDPS, FEATURE_SSE4_1, IMM);
    case 0x0d:
      return xmm(OP_BLENDPD, FEATURE_SSE4_1, IMM);
    case 0x0e:
      return xmm(OP_PBLENDW, FEATURE_SSE4_1, IMM);
    case 0x0f:
      return xmm(OP_PALIGNR, FEATURE_SSSE3, IMM);
    case 0x14:
      return scalar(OP_PEXTRB, FEATURE_SSE4_1, 1, IMM | SSE_GPR_RM | SSE_STORE);
    case 0x15:
      return scalar(OP_PEXTRW, FEATURE_SSE4_1, 2, IMM | SSE_GPR_RM | SSE_STORE);
    case 0x16:
      if (rexW) return scalar(OP_PEXTRQ, FEATURE_SSE4_1, 8, IMM | SSE_GPR_RM | SSE_STORE);
      return scalar(OP_PEXTRD, FEATURE_SSE4_1, 4, IMM | SSE_GPR_RM | SSE_STORE);
    case 0x17:
      return scalar(OP_PEXTRD, FEATURE_SSE4_1, 4, IMM | SSE_GPR_RM | SSE_STORE);
    case 0x20:
      return scalar(OP_PINSRB, FEATURE_SSE4_1, 1, IMM | SSE_GPR_RM);
    case 0x21:
      return scalar(OP_INSERTPS, FEATURE_SSE4_1, 4, IMM);
    case 0x22:
      if (rexW) return scalar(OP_PINSRQ, FEATURE_SSE4_1, 8, IMM | SSE_GPR_RM);
      return scalar(OP_PINSRD, FEATURE_SSE4_1, 4, IMM | SSE_GPR_RM);
    case 0x40:
      return xmm(OP_DPPS, FEATURE_SSE4_1, IMM);
    case 0x41:
      return xmm(OP_DPPD, FEATURE_SSE4_1, IMM);
    case 0x42:
      return xmm(OP_MPSADBW, FEATURE_SSE4_1, IMM);
    case 0x44:
      return xmm(OP_PCLMULQDQ, FEATURE_PCLMULQDQ, IMM);
    case 0x60:
    case 0x61:
    case 0x62:
    case 0x63:
      return scalar(OP_PCMPESTRM + (opcode & 3), FEATURE_SSE4_2, 16, IMM);
    case 0xdf:
      return xmm(OP_AESKEYGENASSIST, FEATURE_AES, IMM);
  }
  return 0;
}
