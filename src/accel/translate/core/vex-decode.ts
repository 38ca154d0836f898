// Which VEX-encoded opcodes are instructions on vector registers, and what the decoder has to know to make a record of
// one. Intel SDM volume 2, chapter 2.3 and appendix A; AMD APM volume 4.
import {
  FEATURE_AES, FEATURE_AVX, FEATURE_AVX2, FEATURE_F16C, FEATURE_FMA, FEATURE_PCLMULQDQ, FEATURE_VAES, FEATURE_VPCLMULQDQ,
} from "../feature-bits";
import {
  AVX_ARITHMETIC, AVX_COUNT, AVX_DIRECT, AVX_LANES, AVX_LOW, AVX_NARROW, AVX_PACKED, AVX_SHIFT, AVX_WIDEN,
  OPS_FMA, OPS_GATHER, OP_VBLENDVPD, OP_VBLENDVPS, OP_VBROADCAST128, OP_VBROADCAST16, OP_VBROADCAST32,
  OP_VBROADCAST64, OP_VBROADCAST8, OP_VCVTPH2PS, OP_VCVTPS2PH, OP_VDPPS, OP_VEXTRACT128, OP_VINSERT128, OP_VLDMXCSR,
  OP_VLOAD, OP_VLOAD_ALIGNED, OP_VMASKLOAD32, OP_VMASKSTORE32, OP_VMOV, OP_VMOVMSKPS, OP_VPBLENDD,
  OP_VPBLENDVB, OP_VPCMPESTRM, OP_VPCMPISTRM, OP_VPERM2X128, OP_VPERMD, OP_VPERMILPD, OP_VPERMILPD_IMM, OP_VPERMILPS,
  OP_VPERMQ, OP_VPMOVMSKB, OP_VPSLLVD, OP_VPSRAVD, OP_VPSRLVD, OP_VPTEST, OP_VSTMXCSR, OP_VSTORE, OP_VSTORE_ALIGNED,
  OP_VTESTPD, OP_VTESTPS,
} from "./avx-ops";
import { OPS_AVX, OPS_SSE } from "./ops";
import {
  OPS_FLOAT, OPS_PACKED, OPS_PMOVX, OP_ADDSUBPD, OP_ADDSUBPS, OP_AESIMC, OP_AESKEYGENASSIST, OP_BLENDPD, OP_BLENDPS,
  OP_CMPPS, OP_COMISD, OP_COMISS, OP_CVTDQ2PD, OP_CVTPD2DQ, OP_CVTSD2SI, OP_CVTSI2SD, OP_CVTSI2SS, OP_CVTSS2SI,
  OP_CVTTPD2DQ, OP_CVTTSD2SI, OP_CVTTSS2SI, OP_DPPD, OP_HADDPD, OP_HADDPS, OP_HSUBPD, OP_HSUBPS, OP_INSERTPS,
  OP_LOAD32, OP_LOAD64, OP_LOAD64_HIGH, OP_LOAD64_LOW, OP_MASKMOVDQU, OP_MOVDDUP, OP_MOVD_FROM_GPR, OP_MOVD_TO_GPR,
  OP_MOVHLPS, OP_MOVLHPS, OP_MOVQ_FROM_GPR, OP_MOVQ_REG, OP_MOVQ_TO_GPR, OP_MOVSD_REG, OP_MOVSHDUP, OP_MOVSLDUP,
  OP_MOVSS_REG, OP_MPSADBW, OP_PALIGNR, OP_PBLENDW, OP_PCLMULQDQ, OP_PCMPESTRI, OP_PCMPISTRI, OP_PEXTRB, OP_PEXTRD,
  OP_PEXTRQ, OP_PEXTRW, OP_PEXTRW_REG, OP_PINSRB, OP_PINSRD, OP_PINSRQ, OP_PINSRW, OP_PSHUFD, OP_PSHUFHW, OP_PSHUFLW,
  OP_ROUNDPS, OP_SHIFT_IMM, OP_SHUFPD, OP_SHUFPS, OP_STORE32, OP_STORE64, OP_STORE64_HIGH, OP_UCOMISD, OP_UCOMISS, PAND,
  PANDN, PHMINPOSUW, POR, PUNPCKHDQ, PUNPCKHQDQ, PUNPCKLDQ, PUNPCKLQDQ, PXOR, SHIFT_PSLLD, SHIFT_PSLLDQ, SHIFT_PSLLQ,
  SHIFT_PSLLW, SHIFT_PSRAD, SHIFT_PSRAW, SHIFT_PSRLD, SHIFT_PSRLDQ, SHIFT_PSRLQ, SHIFT_PSRLW,
} from "./sse-ops";

// The result of vexDecode:
// bits 0-15: the operation
// bits 16-19: AVX_STEP_SHIFT's field of REC_AUX
export const VEX_STEP_SHIFT: u64 = 16;
// bits 20-25: size of the memory operand in bytes: 0 (none), 1, 2, 4, 8, 16 or 32; of an element where VEX_VSIB is set
export const VEX_SIZE_SHIFT: u64 = 20;
// The memory form exists (else ModRM.mod != 3 is #UD), the register form exists (else mod = 3 is #UD).
export const VEX_MEM: u64 = 1 << 26;
export const VEX_REG: u64 = 1 << 27;
// The memory operand is written and not read.
export const VEX_STORE: u64 = 1 << 28;
// The memory operand has to lie on its size, else #GP(0).
export const VEX_ALIGNED: u64 = 1 << 29;
// The reg or the rm register operand is a general register: for disassembly and tests.
export const VEX_GPR_REG: u64 = 1 << 30;
export const VEX_GPR_RM: u64 = 1 << 31;
// bits 32-43: the CPU feature, FEATURE_*, besides AVX.
export const VEX_FEATURE_SHIFT: u64 = 32;
// bits 44-47: AVX_KIND_SHIFT's field of REC_AUX
export const VEX_KIND_SHIFT: u64 = 44;
// VEX.vvvv names an operand; else all its bits have to be set.
export const VEX_VVVV: u64 = 1 << 48;
// reg and rm change places in the record: rm is written.
export const VEX_SWAP: u64 = 1 << 49;
// ModRM needs a SIB byte whose index is a vector register.
export const VEX_VSIB: u64 = 1 << 50;
// One byte of immediate.
export const VEX_IMM: u64 = 1 << 51;
// As SSE_IMPLICIT_RDI.
export const VEX_IMPLICIT_RDI: u64 = 1 << 52;

const NONE: u32 = 0;
const P66: u32 = 1;
const PF3: u32 = 2;
const PF2: u32 = 3;

const BOTH: u64 = VEX_MEM | VEX_REG;

/** Whether an opcode's operands are general registers: decodeVexGeneral decodes it. */
export function isVexGeneral(map: u32, opcode: u32): bool {
  return map == 2 ? opcode >= 0xf0 : map == 3 && opcode == 0xf0;
}

// ---- Results. Operations are sse-ops.ts's or avx-ops.ts's.

function pack(op: u32, kind: u32, size: u32, feature: u32, flags: u64): u64 {
  const number = op < OPS_AVX ? op - OPS_SSE + OPS_AVX : op;
  return (
    <u64>number | (<u64>size << VEX_SIZE_SHIFT) | (<u64>feature << VEX_FEATURE_SHIFT) |
    (<u64>kind << VEX_KIND_SHIFT) | flags
  );
}

/** 128 or 256 bits by VEX.L. */
function width(l: u32): u32 {
  return l ? 32 : 16;
}

/** Integer instructions on 256 bits came with AVX2. */
function generation(l: u32): u32 {
  return l ? FEATURE_AVX2 : FEATURE_AVX;
}

/** Floating point: 256 bits came with AVX. */
function lanes(op: u32, l: u32, flags: u64): u64 {
  return pack(op, AVX_LANES, width(l), FEATURE_AVX, flags | BOTH);
}

function integerLanes(op: u32, l: u32, flags: u64): u64 {
  return pack(op, AVX_LANES, width(l), generation(l), flags | BOTH);
}

function packed(kind: u32, feature: u32, l: u32, flags: u64): u64 {
  return pack(OPS_PACKED + kind, AVX_PACKED, width(l), feature, flags | BOTH);
}

/** 128 bits; the rm operand has `size` bytes in memory. */
function low(op: u32, size: u32, flags: u64): u64 {
  return pack(op, AVX_LOW, size, FEATURE_AVX, flags);
}

/** No vector register is written. */
function direct(op: u32, size: u32, flags: u64): u64 {
  return pack(op, AVX_DIRECT, size, FEATURE_AVX, flags);
}

function own(op: u32, size: u32, feature: u32, flags: u64): u64 {
  return pack(op, 0, size, feature, flags);
}

function load(op: u32, feature: u32, l: u32): u64 {
  return own(op, width(l), feature, VEX_MEM | (op == OP_VLOAD_ALIGNED ? VEX_ALIGNED : 0));
}

function store(op: u32, l: u32): u64 {
  return own(op, width(l), FEATURE_AVX, VEX_MEM | VEX_STORE | (op == OP_VSTORE_ALIGNED ? VEX_ALIGNED : 0));
}

/** A packed arithmetic instruction with scalar forms, in SSE's numbering. `flags`: of the packed forms. */
function float(op: u32, prefix: u32, l: u32, kind: u32, flags: u64): u64 {
  if (prefix < PF3) return pack(op + prefix, kind, width(l), FEATURE_AVX, flags | BOTH);
  return low(op + prefix, prefix == PF3 ? 4 : 8, flags | BOTH | VEX_VVVV);
}

/**
 * The fields above, or 0 for #UD. `map`: 1 is 0F, 2 is 0F38, 3 is 0F3A. `prefix`: 0 none, 1 66, 2 F3, 3 F2. `w`, `l`:
 * VEX.W and VEX.L. `long`: 1 in 64-bit mode.
 */
export function vexDecode(map: u32, opcode: u32, prefix: u32, modrm: u32, w: u32, l: u32, long: u32): u64 {
  if (map == 1) return decode0F(opcode, prefix, modrm, w & long, l);
  if (prefix != P66) return 0;
  return map == 2 ? decode0F38(opcode, modrm, w, l) : decode0F3A(opcode, w, w & long, l);
}

function decode0F(opcode: u32, prefix: u32, modrm: u32, wide: u32, l: u32): u64 {
  const isRegister = modrm >= 0xc0;
  switch (opcode) {
    case 0x10:
      if (prefix < PF3) return isRegister ? own(OP_VMOV, 0, FEATURE_AVX, VEX_REG) : load(OP_VLOAD, FEATURE_AVX, l);
      if (isRegister) return low(prefix == PF3 ? OP_MOVSS_REG : OP_MOVSD_REG, 0, VEX_REG | VEX_VVVV);
      return prefix == PF3 ? low(OP_LOAD32, 4, VEX_MEM) : low(OP_LOAD64, 8, VEX_MEM);
    case 0x11:
      if (prefix < PF3) return isRegister ? own(OP_VMOV, 0, FEATURE_AVX, VEX_REG | VEX_SWAP) : store(OP_VSTORE, l);
      if (isRegister) return low(prefix == PF3 ? OP_MOVSS_REG : OP_MOVSD_REG, 0, VEX_REG | VEX_VVVV | VEX_SWAP);
      if (prefix == PF3) return direct(OP_STORE32, 4, VEX_MEM | VEX_STORE);
      return direct(OP_STORE64, 8, VEX_MEM | VEX_STORE);
    case 0x12:
      if (prefix == PF3) return lanes(OP_MOVSLDUP, l, 0);
      if (prefix == PF2) return l ? lanes(OP_MOVDDUP, l, 0) : low(OP_MOVDDUP, 8, BOTH);
      if (l) return 0;
      if (isRegister) return prefix == NONE ? low(OP_MOVHLPS, 0, VEX_REG | VEX_VVVV) : 0;
      return low(OP_LOAD64_LOW, 8, VEX_MEM | VEX_VVVV);
    case 0x13:
      return prefix > P66 || l ? 0 : direct(OP_STORE64, 8, VEX_MEM | VEX_STORE);
    case 0x14:
      return prefix > P66 ? 0 : packed(prefix == NONE ? PUNPCKLDQ : PUNPCKLQDQ, FEATURE_AVX, l, VEX_VVVV);
    case 0x15:
      return prefix > P66 ? 0 : packed(prefix == NONE ? PUNPCKHDQ : PUNPCKHQDQ, FEATURE_AVX, l, VEX_VVVV);
    case 0x16:
      if (prefix == PF3) return lanes(OP_MOVSHDUP, l, 0);
      if (prefix == PF2 || l) return 0;
      if (isRegister) return prefix == NONE ? low(OP_MOVLHPS, 0, VEX_REG | VEX_VVVV) : 0;
      return low(OP_LOAD64_HIGH, 8, VEX_MEM | VEX_VVVV);
    case 0x17:
      return prefix > P66 || l ? 0 : direct(OP_STORE64_HIGH, 8, VEX_MEM | VEX_STORE);
    case 0x28:
      if (prefix > P66) return 0;
      return isRegister ? own(OP_VMOV, 0, FEATURE_AVX, VEX_REG) : load(OP_VLOAD_ALIGNED, FEATURE_AVX, l);
    case 0x29:
      if (prefix > P66) return 0;
      return isRegister ? own(OP_VMOV, 0, FEATURE_AVX, VEX_REG | VEX_SWAP) : store(OP_VSTORE_ALIGNED, l);
    case 0x2a:
      if (prefix < PF3) return 0;
      return low(prefix == PF3 ? OP_CVTSI2SS : OP_CVTSI2SD, wide ? 8 : 4, BOTH | VEX_VVVV | VEX_GPR_RM);
    case 0x2b:
      return prefix > P66 ? 0 : store(OP_VSTORE_ALIGNED, l);
    case 0x2c:
      if (prefix < PF3) return 0;
      return direct(prefix == PF3 ? OP_CVTTSS2SI : OP_CVTTSD2SI, prefix == PF3 ? 4 : 8, BOTH | VEX_GPR_REG);
    case 0x2d:
      if (prefix < PF3) return 0;
      return direct(prefix == PF3 ? OP_CVTSS2SI : OP_CVTSD2SI, prefix == PF3 ? 4 : 8, BOTH | VEX_GPR_REG);
    case 0x2e:
      if (prefix > P66) return 0;
      return prefix == NONE ? direct(OP_UCOMISS, 4, BOTH) : direct(OP_UCOMISD, 8, BOTH);
    case 0x2f:
      if (prefix > P66) return 0;
      return prefix == NONE ? direct(OP_COMISS, 4, BOTH) : direct(OP_COMISD, 8, BOTH);
    case 0x50:
      return prefix > P66 ? 0 : own(OP_VMOVMSKPS + prefix, 0, FEATURE_AVX, VEX_REG | VEX_GPR_REG);
    case 0x51:
      return float(OPS_FLOAT + 0x04, prefix, l, AVX_ARITHMETIC, 0);
    case 0x52:
    case 0x53:
      if (prefix == P66 || prefix == PF2) return 0;
      return float(OPS_FLOAT + ((opcode & 15) << 2), prefix, l, AVX_LANES, 0);
    case 0x54:
      return logical(PAND, prefix, l);
    case 0x55:
      return logical(PANDN, prefix, l);
    case 0x56:
      return logical(POR, prefix, l);
    case 0x57:
      return logical(PXOR, prefix, l);
    case 0x58:
    case 0x59:
    case 0x5c:
    case 0x5d:
    case 0x5e:
    case 0x5f:
      return float(OPS_FLOAT + ((opcode & 15) << 2), prefix, l, AVX_ARITHMETIC, VEX_VVVV);
    case 0x5a:
      if (prefix == NONE) return widen(OPS_FLOAT + 0x28, 8, FEATURE_AVX, l);
      if (prefix == P66) return narrow(OPS_FLOAT + 0x29, l);
      return low(OPS_FLOAT + 0x28 + prefix, prefix == PF3 ? 4 : 8, BOTH | VEX_VVVV);
    case 0x5b:
      return prefix == PF2 ? 0 : lanes(OPS_FLOAT + 0x2c + prefix, l, 0);
    case 0x6e:
      if (prefix != P66 || l) return 0;
      if (wide) return low(isRegister ? OP_MOVQ_FROM_GPR : OP_LOAD64, 8, BOTH | VEX_GPR_RM);
      return low(isRegister ? OP_MOVD_FROM_GPR : OP_LOAD32, 4, BOTH | VEX_GPR_RM);
    case 0x6f:
      if (prefix != P66 && prefix != PF3) return 0;
      if (isRegister) return own(OP_VMOV, 0, FEATURE_AVX, VEX_REG);
      return load(prefix == P66 ? OP_VLOAD_ALIGNED : OP_VLOAD, FEATURE_AVX, l);
    case 0x70:
      if (prefix == NONE) return 0;
      return integerLanes(prefix == P66 ? OP_PSHUFD : prefix == PF3 ? OP_PSHUFHW : OP_PSHUFLW, l, VEX_IMM);
    case 0x71:
    case 0x72:
    case 0x73:
      return prefix == P66 ? shiftGroup(opcode, modrm, l) : 0;
    case 0x7c:
      if (prefix == P66) return lanes(OP_HADDPD, l, VEX_VVVV);
      return prefix == PF2 ? lanes(OP_HADDPS, l, VEX_VVVV) : 0;
    case 0x7d:
      if (prefix == P66) return lanes(OP_HSUBPD, l, VEX_VVVV);
      return prefix == PF2 ? lanes(OP_HSUBPS, l, VEX_VVVV) : 0;
    case 0x7e:
      if (l) return 0;
      if (prefix == PF3) return isRegister ? low(OP_MOVQ_REG, 0, VEX_REG) : low(OP_LOAD64, 8, VEX_MEM);
      if (prefix != P66) return 0;
      if (wide) return direct(isRegister ? OP_MOVQ_TO_GPR : OP_STORE64, 8, BOTH | VEX_GPR_RM | VEX_STORE);
      return direct(isRegister ? OP_MOVD_TO_GPR : OP_STORE32, 4, BOTH | VEX_GPR_RM | VEX_STORE);
    case 0x7f:
      if (prefix != P66 && prefix != PF3) return 0;
      if (isRegister) return own(OP_VMOV, 0, FEATURE_AVX, VEX_REG | VEX_SWAP);
      return store(prefix == P66 ? OP_VSTORE_ALIGNED : OP_VSTORE, l);
    case 0xae: {
      const reg = (modrm >> 3) & 7;
      if (prefix != NONE || l || (reg != 2 && reg != 3)) return 0;
      return own(reg == 2 ? OP_VLDMXCSR : OP_VSTMXCSR, 4, FEATURE_AVX, VEX_MEM | (reg == 3 ? VEX_STORE : 0));
    }
    case 0xc2:
      return float(OP_CMPPS, prefix, l, AVX_LANES, VEX_VVVV | VEX_IMM);
    case 0xc4:
      return prefix != P66 || l ? 0 : low(OP_PINSRW, 2, BOTH | VEX_VVVV | VEX_IMM | VEX_GPR_RM);
    case 0xc5:
      return prefix != P66 || l ? 0 : direct(OP_PEXTRW_REG, 0, VEX_REG | VEX_IMM | VEX_GPR_REG);
    case 0xc6:
      if (prefix == NONE) return lanes(OP_SHUFPS, l, VEX_VVVV | VEX_IMM);
      return prefix == P66 ? lanes(OP_SHUFPD, l, VEX_VVVV | VEX_IMM | (2 << VEX_STEP_SHIFT)) : 0;
    case 0xd0:
      if (prefix == P66) return lanes(OP_ADDSUBPD, l, VEX_VVVV);
      return prefix == PF2 ? lanes(OP_ADDSUBPS, l, VEX_VVVV) : 0;
    case 0xd6:
      if (prefix != P66 || l) return 0;
      if (isRegister) return low(OP_MOVQ_REG, 0, VEX_REG | VEX_SWAP);
      return direct(OP_STORE64, 8, VEX_MEM | VEX_STORE);
    case 0xd7:
      return prefix == P66 ? own(OP_VPMOVMSKB, 0, generation(l), VEX_REG | VEX_GPR_REG) : 0;
    case 0xe6:
      if (prefix == P66) return narrow(OP_CVTTPD2DQ, l);
      if (prefix == PF3) return widen(OP_CVTDQ2PD, 8, FEATURE_AVX, l);
      return prefix == PF2 ? narrow(OP_CVTPD2DQ, l) : 0;
    case 0xe7:
      return prefix == P66 ? store(OP_VSTORE_ALIGNED, l) : 0;
    case 0xf0:
      return prefix == PF2 ? load(OP_VLOAD, FEATURE_AVX, l) : 0;
    case 0xf7:
      return prefix != P66 || l ? 0 : direct(OP_MASKMOVDQU, 16, VEX_REG | VEX_IMPLICIT_RDI | VEX_STORE);
  }
  return prefix == P66 ? packed0F(opcode, l) : 0;
}

/** 66 0F 60-6D, 74-76, D1-FE. */
function packed0F(opcode: u32, l: u32): u64 {
  switch (opcode) {
    case 0xd1:
    case 0xd2:
    case 0xd3:
    case 0xe1:
    case 0xe2:
    case 0xf1:
    case 0xf2:
    case 0xf3:
      return pack(OPS_PACKED + opcode, AVX_COUNT, 16, generation(l), BOTH | VEX_VVVV);
    case 0xff:
      return 0;
  }
  if ((opcode >= 0x60 && opcode <= 0x6d) || (opcode >= 0x74 && opcode <= 0x76) || opcode >= 0xd4) {
    return packed(opcode, generation(l), l, VEX_VVVV);
  }
  return 0;
}

/** ANDPS and its like: the same bits as PAND and its like. */
function logical(kind: u32, prefix: u32, l: u32): u64 {
  return prefix > P66 ? 0 : packed(kind, FEATURE_AVX, l, VEX_VVVV);
}

/** `step` bytes of the source make 128 bits. */
function widen(op: u32, step: u32, feature: u32, l: u32): u64 {
  if (l == 0) return low(op, step, BOTH);
  return pack(op, AVX_WIDEN, step << 1, feature, BOTH | (<u64>step << VEX_STEP_SHIFT));
}

/** 128 bits of the source make 64. */
function narrow(op: u32, l: u32): u64 {
  return l == 0 ? lanes(op, 0, 0) : pack(op, AVX_NARROW, 32, FEATURE_AVX, BOTH);
}

function shiftGroup(opcode: u32, modrm: u32, l: u32): u64 {
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
    else if (reg == 3) shift = SHIFT_PSRLDQ;
    else if (reg == 6) shift = SHIFT_PSLLQ;
    else if (reg == 7) shift = SHIFT_PSLLDQ;
  }
  if (shift == 0xff) return 0;
  return pack(OP_SHIFT_IMM + shift, AVX_SHIFT, 0, generation(l), VEX_REG | VEX_VVVV | VEX_IMM);
}

function decode0F38(opcode: u32, modrm: u32, w: u32, l: u32): u64 {
  const isRegister = modrm >= 0xc0;
  if (opcode >= 0x96 && opcode <= 0xbf) return fma(opcode, w, l);
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
    case 0x28:
    case 0x29:
    case 0x2b:
    case 0x37:
    case 0x38:
    case 0x39:
    case 0x3a:
    case 0x3b:
    case 0x3c:
    case 0x3d:
    case 0x3e:
    case 0x3f:
    case 0x40:
      return packed(0x100 + opcode, generation(l), l, VEX_VVVV);
    case 0x1c:
    case 0x1d:
    case 0x1e:
      return packed(0x100 + opcode, generation(l), l, 0);
    case 0x41:
      return l ? 0 : packed(PHMINPOSUW, FEATURE_AVX, 0, 0);
    case 0x17:
      return own(OP_VPTEST, width(l), FEATURE_AVX, BOTH);
    case 0x20:
    case 0x23:
    case 0x25:
    case 0x30:
    case 0x33:
    case 0x35:
      return widen(OPS_PMOVX + (opcode & 0x1f), 8, FEATURE_AVX2, l);
    case 0x21:
    case 0x24:
    case 0x31:
    case 0x34:
      return widen(OPS_PMOVX + (opcode & 0x1f), 4, FEATURE_AVX2, l);
    case 0x22:
    case 0x32:
      return widen(OPS_PMOVX + (opcode & 0x1f), 2, FEATURE_AVX2, l);
    case 0x2a:
      return load(OP_VLOAD_ALIGNED, generation(l), l);
    case 0xdb:
      return l ? 0 : pack(OP_AESIMC, AVX_LANES, 16, FEATURE_AES, BOTH);
    case 0xdc:
    case 0xdd:
    case 0xde:
    case 0xdf:
      return pack(OP_AESIMC + opcode - 0xdb, AVX_LANES, width(l), l ? FEATURE_VAES : FEATURE_AES, BOTH | VEX_VVVV);
    case 0x45:
      return own(OP_VPSRLVD + w, width(l), FEATURE_AVX2, BOTH | VEX_VVVV);
    case 0x47:
      return own(OP_VPSLLVD + w, width(l), FEATURE_AVX2, BOTH | VEX_VVVV);
    case 0x8c:
      return own(OP_VMASKLOAD32 + w, width(l), FEATURE_AVX2, VEX_MEM | VEX_VVVV);
    case 0x8e:
      return own(OP_VMASKSTORE32 + w, width(l), FEATURE_AVX2, VEX_MEM | VEX_VVVV | VEX_STORE);
    case 0x90:
    case 0x91:
    case 0x92:
    case 0x93:
      return own(OPS_GATHER + w + ((opcode & 1) << 1), w ? 8 : 4, FEATURE_AVX2, VEX_MEM | VEX_VVVV | VEX_VSIB);
  }
  // VEX.W has to be 0 for the rest.
  if (w) return 0;
  switch (opcode) {
    case 0x0c:
      return own(OP_VPERMILPS, width(l), FEATURE_AVX, BOTH | VEX_VVVV);
    case 0x0d:
      return own(OP_VPERMILPD, width(l), FEATURE_AVX, BOTH | VEX_VVVV);
    case 0x0e:
      return own(OP_VTESTPS, width(l), FEATURE_AVX, BOTH);
    case 0x0f:
      return own(OP_VTESTPD, width(l), FEATURE_AVX, BOTH);
    case 0x13:
      return own(OP_VCVTPH2PS, width(l) >> 1, FEATURE_F16C, BOTH);
    case 0x16:
    case 0x36:
      return l ? own(OP_VPERMD, 32, FEATURE_AVX2, BOTH | VEX_VVVV) : 0;
    case 0x18:
      return own(OP_VBROADCAST32, 4, isRegister ? FEATURE_AVX2 : FEATURE_AVX, BOTH);
    case 0x19:
      return l ? own(OP_VBROADCAST64, 8, isRegister ? FEATURE_AVX2 : FEATURE_AVX, BOTH) : 0;
    case 0x1a:
      return l ? own(OP_VBROADCAST128, 16, FEATURE_AVX, VEX_MEM) : 0;
    case 0x2c:
    case 0x2d:
      return own(OP_VMASKLOAD32 + (opcode & 1), width(l), FEATURE_AVX, VEX_MEM | VEX_VVVV);
    case 0x2e:
    case 0x2f:
      return own(OP_VMASKSTORE32 + (opcode & 1), width(l), FEATURE_AVX, VEX_MEM | VEX_VVVV | VEX_STORE);
    case 0x46:
      return own(OP_VPSRAVD, width(l), FEATURE_AVX2, BOTH | VEX_VVVV);
    case 0x58:
      return own(OP_VBROADCAST32, 4, FEATURE_AVX2, BOTH);
    case 0x59:
      return own(OP_VBROADCAST64, 8, FEATURE_AVX2, BOTH);
    case 0x5a:
      return l ? own(OP_VBROADCAST128, 16, FEATURE_AVX2, VEX_MEM) : 0;
    case 0x78:
      return own(OP_VBROADCAST8, 1, FEATURE_AVX2, BOTH);
    case 0x79:
      return own(OP_VBROADCAST16, 2, FEATURE_AVX2, BOTH);
  }
  return 0;
}

/** 96-9F, A6-AF, B6-BF: from the low digit 9 on, every other one has scalar operands. */
function fma(opcode: u32, w: u32, l: u32): u64 {
  const digit = opcode & 15;
  if (digit < 6) return 0;
  const scalar = digit > 8 && (digit & 1) != 0;
  const size: u32 = scalar ? (w ? 8 : 4) : width(l);
  return own(OPS_FMA + ((opcode - 0x96) << 1) + w, size, FEATURE_FMA, BOTH | VEX_VVVV);
}

function decode0F3A(opcode: u32, w: u32, wide: u32, l: u32): u64 {
  switch (opcode) {
    case 0x00:
    case 0x01:
      return w && l ? own(OP_VPERMQ, 32, FEATURE_AVX2, BOTH | VEX_IMM) : 0;
    case 0x08:
    case 0x09:
      return lanes(OP_ROUNDPS + (opcode & 1), l, VEX_IMM);
    case 0x0a:
      return low(OP_ROUNDPS + 2, 4, BOTH | VEX_VVVV | VEX_IMM);
    case 0x0b:
      return low(OP_ROUNDPS + 3, 8, BOTH | VEX_VVVV | VEX_IMM);
    case 0x0c:
      return lanes(OP_BLENDPS, l, VEX_VVVV | VEX_IMM | (4 << VEX_STEP_SHIFT));
    case 0x0d:
      return lanes(OP_BLENDPD, l, VEX_VVVV | VEX_IMM | (2 << VEX_STEP_SHIFT));
    case 0x0e:
      return integerLanes(OP_PBLENDW, l, VEX_VVVV | VEX_IMM);
    case 0x0f:
      return integerLanes(OP_PALIGNR, l, VEX_VVVV | VEX_IMM);
    case 0x14:
      return l ? 0 : direct(OP_PEXTRB, 1, BOTH | VEX_IMM | VEX_GPR_RM | VEX_STORE);
    case 0x15:
      return l ? 0 : direct(OP_PEXTRW, 2, BOTH | VEX_IMM | VEX_GPR_RM | VEX_STORE);
    case 0x16:
      if (l) return 0;
      return direct(wide ? OP_PEXTRQ : OP_PEXTRD, wide ? 8 : 4, BOTH | VEX_IMM | VEX_GPR_RM | VEX_STORE);
    case 0x17:
      return l ? 0 : direct(OP_PEXTRD, 4, BOTH | VEX_IMM | VEX_GPR_RM | VEX_STORE);
    case 0x20:
      return l ? 0 : low(OP_PINSRB, 1, BOTH | VEX_VVVV | VEX_IMM | VEX_GPR_RM);
    case 0x21:
      return l ? 0 : low(OP_INSERTPS, 4, BOTH | VEX_VVVV | VEX_IMM);
    case 0x22:
      if (l) return 0;
      return low(wide ? OP_PINSRQ : OP_PINSRD, wide ? 8 : 4, BOTH | VEX_VVVV | VEX_IMM | VEX_GPR_RM);
    case 0x40:
      return own(OP_VDPPS, width(l), FEATURE_AVX, BOTH | VEX_VVVV | VEX_IMM);
    case 0x41:
      return l ? 0 : lanes(OP_DPPD, 0, VEX_VVVV | VEX_IMM);
    case 0x42:
      return integerLanes(OP_MPSADBW, l, VEX_VVVV | VEX_IMM | (3 << VEX_STEP_SHIFT));
    case 0x44: {
      const feature = l ? FEATURE_VPCLMULQDQ : FEATURE_PCLMULQDQ;
      return pack(OP_PCLMULQDQ, AVX_LANES, width(l), feature, BOTH | VEX_VVVV | VEX_IMM);
    }
    case 0x60:
      return l ? 0 : own(OP_VPCMPESTRM, 16, FEATURE_AVX, BOTH | VEX_IMM);
    case 0x61:
      return l ? 0 : direct(OP_PCMPESTRI, 16, BOTH | VEX_IMM);
    case 0x62:
      return l ? 0 : own(OP_VPCMPISTRM, 16, FEATURE_AVX, BOTH | VEX_IMM);
    case 0x63:
      return l ? 0 : direct(OP_PCMPISTRI, 16, BOTH | VEX_IMM);
    case 0xdf:
      return l ? 0 : pack(OP_AESKEYGENASSIST, AVX_LANES, 16, FEATURE_AES, BOTH | VEX_IMM);
  }
  // VEX.W has to be 0 for the rest.
  if (w) return 0;
  switch (opcode) {
    case 0x02:
      return own(OP_VPBLENDD, width(l), FEATURE_AVX2, BOTH | VEX_VVVV | VEX_IMM);
    case 0x04:
      // The same bits as VPSHUFD.
      return lanes(OP_PSHUFD, l, VEX_IMM);
    case 0x05:
      return own(OP_VPERMILPD_IMM, width(l), FEATURE_AVX, BOTH | VEX_IMM);
    case 0x4a:
      return own(OP_VBLENDVPS, width(l), FEATURE_AVX, BOTH | VEX_VVVV | VEX_IMM);
    case 0x4b:
      return own(OP_VBLENDVPD, width(l), FEATURE_AVX, BOTH | VEX_VVVV | VEX_IMM);
    case 0x4c:
      return own(OP_VPBLENDVB, width(l), generation(l), BOTH | VEX_VVVV | VEX_IMM);
    case 0x1d:
      return own(OP_VCVTPS2PH, width(l) >> 1, FEATURE_F16C, BOTH | VEX_IMM | VEX_STORE);
  }
  if (l == 0) return 0;
  const feature: u32 = opcode >= 0x38 ? FEATURE_AVX2 : FEATURE_AVX;
  switch (opcode) {
    case 0x06:
    case 0x46:
      return own(OP_VPERM2X128, 32, feature, BOTH | VEX_VVVV | VEX_IMM);
    case 0x18:
    case 0x38:
      return own(OP_VINSERT128, 16, feature, BOTH | VEX_VVVV | VEX_IMM);
    case 0x19:
    case 0x39:
      return own(OP_VEXTRACT128, 16, feature, BOTH | VEX_IMM | VEX_STORE);
  }
  return 0;
}
