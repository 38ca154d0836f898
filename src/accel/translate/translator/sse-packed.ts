/** Packed integer operations of two operands, and shifts. core/sse-integer.ts. */
import { type Emitter, I32_A, V128_C } from "./emitter.js";
import type { Instruction } from "./instruction.js";
import {
  AVX_KIND_SHIFT,
  AVX_SHIFT,
  OP_PADDB,
  OP_PADDD,
  OP_PADDQ,
  OP_PAND,
  OP_PANDN,
  OP_PCMPEQB,
  OP_PCMPEQD,
  OP_PMINUB,
  OP_POR,
  OP_PSUBB,
  OP_PUNPCKHQDQ,
  OP_PUNPCKLBW,
  OP_PUNPCKLDQ,
  OP_PUNPCKLQDQ,
  OP_PXOR,
  OP_SHIFT_IMM,
  OPS_PACKED,
  OPS_PACKED_END,
  PABSB,
  PABSD,
  PABSW,
  PACKSSDW,
  PACKSSWB,
  PACKUSDW,
  PACKUSWB,
  PADDB,
  PADDD,
  PADDQ,
  PADDSB,
  PADDSW,
  PADDUSB,
  PADDUSW,
  PADDW,
  PAND,
  PANDN,
  PAVGB,
  PAVGW,
  PCMPEQB,
  PCMPEQD,
  PCMPEQQ,
  PCMPEQW,
  PCMPGTB,
  PCMPGTD,
  PCMPGTQ,
  PCMPGTW,
  PHADDD,
  PHADDSW,
  PHADDW,
  PHMINPOSUW,
  PHSUBD,
  PHSUBSW,
  PHSUBW,
  PMADDUBSW,
  PMADDWD,
  PMAXSB,
  PMAXSD,
  PMAXSW,
  PMAXUB,
  PMAXUD,
  PMAXUW,
  PMINSB,
  PMINSD,
  PMINSW,
  PMINUB,
  PMINUD,
  PMINUW,
  PMULDQ,
  PMULHRSW,
  PMULHUW,
  PMULHW,
  PMULLD,
  PMULLW,
  PMULUDQ,
  POR,
  PSADBW,
  PSHUFB,
  PSIGNB,
  PSIGND,
  PSIGNW,
  PSLLD,
  PSLLQ,
  PSLLW,
  PSRAD,
  PSRAW,
  PSRLD,
  PSRLQ,
  PSRLW,
  PSUBB,
  PSUBD,
  PSUBQ,
  PSUBSB,
  PSUBSW,
  PSUBUSB,
  PSUBUSW,
  PSUBW,
  PUNPCKHBW,
  PUNPCKHDQ,
  PUNPCKHQDQ,
  PUNPCKHWD,
  PUNPCKLBW,
  PUNPCKLDQ,
  PUNPCKLQDQ,
  PUNPCKLWD,
  PXOR,
  SHIFT_PSLLDQ,
  SHIFT_PSRLDQ,
} from "./operations.js";
import {
  eachLane,
  type Halves,
  immediate8,
  isRegister,
  isVex,
  isWide,
  pushZero,
  source,
  sourceLow,
} from "./sse-operands.js";
import * as W from "./wasm-opcodes.js";
import * as S from "./wasm-simd.js";

/** The operations that have a number of their own. */
const NUMBERED = new Map([
  [OP_PAND, PAND],
  [OP_PANDN, PANDN],
  [OP_POR, POR],
  [OP_PXOR, PXOR],
  [OP_PCMPEQB, PCMPEQB],
  [OP_PMINUB, PMINUB],
  [OP_PSUBB, PSUBB],
  [OP_PADDB, PADDB],
  [OP_PADDD, PADDD],
  [OP_PADDQ, PADDQ],
  [OP_PCMPEQD, PCMPEQD],
  [OP_PUNPCKLBW, PUNPCKLBW],
  [OP_PUNPCKLDQ, PUNPCKLDQ],
  [OP_PUNPCKLQDQ, PUNPCKLQDQ],
  [OP_PUNPCKHQDQ, PUNPCKHQDQ],
]);

/** One instruction of WebAssembly does it. */
const SINGLE = new Map([
  [PACKSSWB, S.I8X16_NARROW_S],
  [PACKUSWB, S.I8X16_NARROW_U],
  [PACKSSDW, S.I16X8_NARROW_S],
  [PACKUSDW, S.I16X8_NARROW_U],
  [PCMPEQB, S.I8X16_EQ],
  [PCMPEQW, S.I16X8_EQ],
  [PCMPEQD, S.I32X4_EQ],
  [PCMPEQQ, S.I64X2_EQ],
  [PCMPGTB, S.I8X16_GT_S],
  [PCMPGTW, S.I16X8_GT_S],
  [PCMPGTD, S.I32X4_GT_S],
  [PCMPGTQ, S.I64X2_GT_S],
  [PADDB, S.I8X16_ADD],
  [PADDW, S.I16X8_ADD],
  [PADDD, S.I32X4_ADD],
  [PADDQ, S.I64X2_ADD],
  [PSUBB, S.I8X16_SUB],
  [PSUBW, S.I16X8_SUB],
  [PSUBD, S.I32X4_SUB],
  [PSUBQ, S.I64X2_SUB],
  [PADDSB, S.I8X16_ADD_SAT_S],
  [PADDSW, S.I16X8_ADD_SAT_S],
  [PADDUSB, S.I8X16_ADD_SAT_U],
  [PADDUSW, S.I16X8_ADD_SAT_U],
  [PSUBSB, S.I8X16_SUB_SAT_S],
  [PSUBSW, S.I16X8_SUB_SAT_S],
  [PSUBUSB, S.I8X16_SUB_SAT_U],
  [PSUBUSW, S.I16X8_SUB_SAT_U],
  [PAND, S.V128_AND],
  [POR, S.V128_OR],
  [PXOR, S.V128_XOR],
  [PMINUB, S.I8X16_MIN_U],
  [PMAXUB, S.I8X16_MAX_U],
  [PMINSB, S.I8X16_MIN_S],
  [PMAXSB, S.I8X16_MAX_S],
  [PMINSW, S.I16X8_MIN_S],
  [PMAXSW, S.I16X8_MAX_S],
  [PMINUW, S.I16X8_MIN_U],
  [PMAXUW, S.I16X8_MAX_U],
  [PMINSD, S.I32X4_MIN_S],
  [PMAXSD, S.I32X4_MAX_S],
  [PMINUD, S.I32X4_MIN_U],
  [PMAXUD, S.I32X4_MAX_U],
  [PAVGB, S.I8X16_AVGR_U],
  [PAVGW, S.I16X8_AVGR_U],
  [PMULLW, S.I16X8_MUL],
  [PMULLD, S.I32X4_MUL],
  [PMADDWD, S.I32X4_DOT_S],
]);

/** Elements of both operands, by their size. */
const SHUFFLES = new Map<number, readonly [size: number, lanes: readonly number[]]>([
  [PUNPCKLBW, [1, [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23]]],
  [PUNPCKLWD, [2, [0, 8, 1, 9, 2, 10, 3, 11]]],
  [PUNPCKLDQ, [4, [0, 4, 1, 5]]],
  [PUNPCKLQDQ, [8, [0, 2]]],
  [PUNPCKHBW, [1, [8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31]]],
  [PUNPCKHWD, [2, [4, 12, 5, 13, 6, 14, 7, 15]]],
  [PUNPCKHDQ, [4, [2, 6, 3, 7]]],
  [PUNPCKHQDQ, [8, [1, 3]]],
]);

const EVEN_WORDS = [0, 2, 4, 6, 8, 10, 12, 14];
const ODD_WORDS = [1, 3, 5, 7, 9, 11, 13, 15];
const EVEN_DWORDS = [0, 2, 4, 6];
const ODD_DWORDS = [1, 3, 5, 7];

/** Of neighbouring elements: opcode, then the shuffles that part them. */
const HORIZONTAL = new Map<number, readonly [opcode: number, size: number]>([
  [PHADDW, [S.I16X8_ADD, 2]],
  [PHADDSW, [S.I16X8_ADD_SAT_S, 2]],
  [PHSUBW, [S.I16X8_SUB, 2]],
  [PHSUBSW, [S.I16X8_SUB_SAT_S, 2]],
  [PHADDD, [S.I32X4_ADD, 4]],
  [PHSUBD, [S.I32X4_SUB, 4]],
]);

const ABSOLUTE = new Map([
  [PABSB, S.I8X16_ABS],
  [PABSW, S.I16X8_ABS],
  [PABSD, S.I32X4_ABS],
]);

/** Opcodes of shift right, subtract and compare with zero. */
const SIGNED = new Map([
  [PSIGNB, [S.I8X16_SHR_S, S.I8X16_SUB, S.I8X16_EQ]],
  [PSIGNW, [S.I16X8_SHR_S, S.I16X8_SUB, S.I16X8_EQ]],
  [PSIGND, [S.I32X4_SHR_S, S.I32X4_SUB, S.I32X4_EQ]],
]);

interface Shift {
  readonly opcode: number;
  readonly bits: number;
  /** Counts of the element's width and more: the sign fills it, where they clear the others. */
  readonly arithmetic?: boolean;
}

const SHIFTS = new Map<number, Shift>([
  [PSRLW, { opcode: S.I16X8_SHR_U, bits: 16 }],
  [PSRLD, { opcode: S.I32X4_SHR_U, bits: 32 }],
  [PSRLQ, { opcode: S.I64X2_SHR_U, bits: 64 }],
  [PSRAW, { opcode: S.I16X8_SHR_S, bits: 16, arithmetic: true }],
  [PSRAD, { opcode: S.I32X4_SHR_S, bits: 32, arithmetic: true }],
  [PSLLW, { opcode: S.I16X8_SHL, bits: 16 }],
  [PSLLD, { opcode: S.I32X4_SHL, bits: 32 }],
  [PSLLQ, { opcode: S.I64X2_SHL, bits: 64 }],
]);
/** In the order of SHIFT_*. */
const SHIFT_KINDS = [PSRLW, PSRLD, PSRLQ, PSRAW, PSRAD, PSLLW, PSLLD, PSLLQ];

/** @param op one of SSE's operations, also where the instruction is VEX-encoded */
export function translatePacked(e: Emitter, i: Instruction, op: number): boolean {
  if (op >= OP_SHIFT_IMM && op <= OP_SHIFT_IMM + SHIFT_PSLLDQ) return shiftImmediate(e, i, op - OP_SHIFT_IMM);
  const numbered = NUMBERED.get(op);
  if (numbered === undefined && (op < OPS_PACKED + 0x60 || op >= OPS_PACKED_END)) return false;
  const kind = numbered ?? op - OPS_PACKED;
  const shift = SHIFTS.get(kind);
  if (shift !== undefined) return shiftByRegister(e, i, shift);
  // Of a register with itself: zero, or all ones.
  if (!isVex(i) && i.reg === i.rm && isZeroing(i, kind)) {
    pushZero(e);
    e.code.set(e.xmmWritten(i.reg));
    const bit = 1 << i.reg;
    e.facts.double |= bit;
    e.facts.single |= bit;
    e.facts.doubles |= bit;
    e.facts.singles |= bit;
    return true;
  }
  if (kind === PHMINPOSUW) return false;
  eachLane(e, i, source(e, i), (a, b) => pushPacked(e, kind, a, b));
  return true;
}

const ZEROING = new Set([PXOR, PSUBB, PSUBW, PSUBD, PSUBQ, PANDN]);

function isZeroing(i: Instruction, kind: number): boolean {
  return isRegister(i) && ZEROING.has(kind);
}

/** Pushes the result of a packed operation on two locals. Uses V128_C. */
function pushPacked(e: Emitter, kind: number, a: number, b: number): void {
  const { code } = e;
  const both = () => {
    code.get(a);
    code.get(b);
  };
  const single = SINGLE.get(kind);
  if (single !== undefined) {
    both();
    code.simd(single);
    return;
  }
  const elements = SHUFFLES.get(kind);
  if (elements !== undefined) {
    both();
    S.shuffle(code, elements[0], elements[1]);
    return;
  }
  const horizontal = HORIZONTAL.get(kind);
  if (horizontal !== undefined) {
    const [opcode, size] = horizontal;
    both();
    S.shuffle(code, size, size === 2 ? EVEN_WORDS : EVEN_DWORDS);
    both();
    S.shuffle(code, size, size === 2 ? ODD_WORDS : ODD_DWORDS);
    code.simd(opcode);
    return;
  }
  const absolute = ABSOLUTE.get(kind);
  if (absolute !== undefined) {
    code.get(b);
    code.simd(absolute);
    return;
  }
  const signed = SIGNED.get(kind);
  if (signed !== undefined) {
    const [shiftRight, subtract, equal] = signed;
    code.get(b);
    code.i32(31);
    code.simd(shiftRight);
    code.set(e.temporary(V128_C));
    code.get(a);
    code.get(V128_C);
    code.simd(S.V128_XOR);
    code.get(V128_C);
    code.simd(subtract);
    code.get(b);
    pushZero(e);
    code.simd(equal);
    code.simd(S.V128_ANDNOT);
    return;
  }
  switch (kind) {
    case PANDN:
      code.get(b);
      code.get(a);
      code.simd(S.V128_ANDNOT);
      return;
    case PMULHW:
    case PMULHUW: {
      const [low, high] =
        kind === PMULHW ? [S.I32X4_EXTMUL_LOW_S, S.I32X4_EXTMUL_HIGH_S] : [S.I32X4_EXTMUL_LOW_U, S.I32X4_EXTMUL_HIGH_U];
      both();
      code.simd(low);
      both();
      code.simd(high);
      S.shuffle(code, 2, ODD_WORDS);
      return;
    }
    case PMULUDQ:
    case PMULDQ:
      code.get(a);
      code.get(a);
      S.shuffle(code, 4, [0, 2, 0, 2]);
      code.get(b);
      code.get(b);
      S.shuffle(code, 4, [0, 2, 0, 2]);
      code.simd(kind === PMULUDQ ? S.I64X2_EXTMUL_LOW_U : S.I64X2_EXTMUL_LOW_S);
      return;
    case PMADDUBSW:
      // Unsigned bytes times signed ones: the even ones, then the odd ones.
      code.get(a);
      S.v128Dwords(code, 0x00ff00ff);
      code.simd(S.V128_AND);
      code.get(b);
      code.i32(8);
      code.simd(S.I16X8_SHL);
      code.i32(8);
      code.simd(S.I16X8_SHR_S);
      code.simd(S.I16X8_MUL);
      code.get(a);
      code.i32(8);
      code.simd(S.I16X8_SHR_U);
      code.get(b);
      code.i32(8);
      code.simd(S.I16X8_SHR_S);
      code.simd(S.I16X8_MUL);
      code.simd(S.I16X8_ADD_SAT_S);
      return;
    case PMULHRSW: {
      // -1 times -1 wraps to -1, where wasm's operation saturates.
      both();
      code.simd(S.I16X8_Q15MULR_SAT_S);
      for (const operand of [a, b]) {
        code.get(operand);
        S.v128Dwords(code, 0x80008000);
        code.simd(S.I16X8_EQ);
      }
      code.simd(S.V128_AND);
      code.simd(S.V128_XOR);
      return;
    }
    case PSADBW:
      both();
      code.simd(S.I8X16_MAX_U);
      both();
      code.simd(S.I8X16_MIN_U);
      code.simd(S.I8X16_SUB);
      code.simd(S.I16X8_EXTADD_PAIRWISE_U);
      code.simd(S.I32X4_EXTADD_PAIRWISE_U);
      code.set(e.temporary(V128_C));
      code.get(V128_C);
      S.v128(code, 0xffffffffn, 0xffffffffn);
      code.simd(S.V128_AND);
      code.get(V128_C);
      code.i32(32);
      code.simd(S.I64X2_SHR_U);
      code.simd(S.I64X2_ADD);
      return;
    case PSHUFB:
      code.get(a);
      code.get(b);
      S.v128Dwords(code, 0x8f8f8f8f);
      code.simd(S.V128_AND);
      code.simd(S.I8X16_SWIZZLE);
      return;
    default:
      throw new RangeError(`no packed operation ${kind}`);
  }
}

// By the low 64 bits of the source operand, the same for all elements.
function shiftByRegister(e: Emitter, i: Instruction, shift: Shift): boolean {
  const { code } = e;
  const vex = isVex(i);
  const b = vex ? sourceLow(e, i, 16) : source(e, i).low;
  const { opcode, bits, arithmetic } = shift;
  // Counts from 64 on are as 64.
  code.get(b);
  code.simdLane(S.I64X2_EXTRACT, 0);
  code.op(W.I32_WRAP_I64);
  code.i32(arithmetic === true ? bits - 1 : bits);
  code.get(b);
  code.simdLane(S.I64X2_EXTRACT, 0);
  code.i64(bits);
  code.op(W.I64_LT_U, W.SELECT);
  code.set(I32_A);
  const count: Halves = { low: b, high: b };
  eachLane(e, i, count, (a) => {
    code.get(a);
    code.get(I32_A);
    code.simd(opcode);
    if (arithmetic === true) return;
    code.set(e.temporary(V128_C));
    code.get(V128_C);
    pushZero(e);
    code.get(I32_A);
    code.i32(bits);
    code.op(W.I32_LT_U, W.SELECT);
  });
  return true;
}

function shiftImmediate(e: Emitter, i: Instruction, which: number): boolean {
  const { code } = e;
  const n = immediate8(i);
  const push = (a: number) => {
    if (which === SHIFT_PSRLDQ || which === SHIFT_PSLLDQ) {
      const bytes = Math.min(n, 16);
      code.get(a);
      pushZero(e);
      const lanes = Array.from({ length: 16 }, (_, lane) =>
        which === SHIFT_PSRLDQ ? lane + bytes : lane >= bytes ? lane - bytes : 16,
      );
      S.shuffle(code, 1, lanes);
      return;
    }
    const { opcode, bits, arithmetic } = SHIFTS.get(SHIFT_KINDS[which]) as Shift;
    if (n >= bits && arithmetic !== true) {
      pushZero(e);
      return;
    }
    code.get(a);
    code.i32(Math.min(n, bits - 1));
    code.simd(opcode);
  };
  // VEX's form writes the register that VEX.vvvv names.
  const vex = ((i.aux >> AVX_KIND_SHIFT) & 15) === AVX_SHIFT && isVex(i);
  const to = vex ? i.aux & 15 : i.rm;
  push(e.xmm(i.rm));
  code.set(e.xmmWritten(to));
  if (!vex) return true;
  if (isWide(i)) push(e.ymmHigh(i.rm));
  else pushZero(e);
  code.set(e.ymmHighWritten(to));
  return true;
}
