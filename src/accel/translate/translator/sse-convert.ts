/** Conversions between integers, single and double precision. core/sse-convert.ts. */
import { type Emitter, F32_A, F32_C, F64_A, F64_B, F64_C, I32_A, I64_A, V128_C, V128_D } from "./emitter.js";
import type { Instruction } from "./instruction.js";
import {
  AVX_KIND_SHIFT,
  AVX_NARROW,
  AVX_WIDEN,
  F_REXW,
  OP_CVTDQ2PD,
  OP_CVTDQ2PS,
  OP_CVTPD2DQ,
  OP_CVTPD2PS,
  OP_CVTPS2DQ,
  OP_CVTPS2PD,
  OP_CVTSD2SI,
  OP_CVTSD2SS,
  OP_CVTSI2SD,
  OP_CVTSI2SS,
  OP_CVTSS2SD,
  OP_CVTSS2SI,
  OP_CVTTPD2DQ,
  OP_CVTTPS2DQ,
  OP_CVTTSD2SI,
  OP_CVTTSS2SI,
} from "./operations.js";
import {
  DOUBLE,
  DOUBLES,
  fastOrLeave,
  type Packing,
  pushMagnitude,
  pushPlain,
  pushSomeWrong,
  pushZeros,
  requireNearest,
  requirePlain,
  requireQuick,
  requireSticky,
  SINGLE,
  SINGLES,
} from "./sse-exactness.js";
import { pushSource, putLow } from "./sse-float.js";
import { eachLane, isRegister, isVex, isWide, popResult, source, sourceLow } from "./sse-operands.js";
import type { Label } from "./wasm-code.js";
import * as W from "./wasm-opcodes.js";
import * as S from "./wasm-simd.js";

/** From here on not all integers are singles, resp. doubles. */
const EXACT32 = 2 ** 24;
const EXACT64 = 2 ** 53;

/** @param op one of SSE's operations, also where the instruction is VEX-encoded */
export function translateConvert(e: Emitter, i: Instruction, op: number): boolean {
  switch (op) {
    case OP_CVTSI2SD:
      return integerToDouble(e, i);
    case OP_CVTSI2SS:
      return integerToSingle(e, i);
    case OP_CVTTSD2SI:
    case OP_CVTSD2SI:
    case OP_CVTTSS2SI:
    case OP_CVTSS2SI:
      return toInteger(e, i, op === OP_CVTTSD2SI || op === OP_CVTSD2SI, op === OP_CVTTSD2SI || op === OP_CVTTSS2SI);
    case OP_CVTSS2SD:
      return widen(e, i);
    case OP_CVTSD2SS:
      return narrow(e, i);
    default:
      return translatePackedConvert(e, i, op);
  }
}

// ---- Scalars.

// Pushes the general register or memory that is converted.
function pushInteger(e: Emitter, i: Instruction, size: number): void {
  if (isRegister(i)) {
    e.code.get(e.gpr(i.rm));
    if (size === 4) e.code.op(W.I32_WRAP_I64);
  } else e.load(size);
}

const integerSize = (i: Instruction) => ((i.flags & F_REXW) !== 0 ? 8 : 4);

function integerToDouble(e: Emitter, i: Instruction): boolean {
  const { code } = e;
  const size = integerSize(i);
  if (!isRegister(i)) e.accessOperand(i, size, false);
  pushInteger(e, i, size);
  code.op(size === 4 ? W.F64_CONVERT_I32_S : W.F64_CONVERT_I64_S);
  code.set(F64_A);
  if (size === 8) {
    fastOrLeave(
      e,
      () => e.leaveBefore(i),
      (slow) => {
        code.get(F64_A);
        code.op(W.F64_ABS);
        S.f64(code, EXACT64);
        code.op(W.F64_LT);
        code.if();
        code.else();
        // WebAssembly rounds to nearest.
        requireQuickHere(e, slow);
        code.end();
      },
    );
  }
  putLow(e, i, DOUBLE, F64_A);
  e.facts.double |= 1 << i.reg;
  return true;
}

// On one way only: nothing is known of MXCSR behind it.
function requireQuickHere(e: Emitter, slow: Label): void {
  const { quick } = e.facts;
  requireQuick(e, slow);
  e.facts.quick = quick;
}

function integerToSingle(e: Emitter, i: Instruction): boolean {
  const { code } = e;
  const size = integerSize(i);
  if (!isRegister(i)) e.accessOperand(i, size, false);
  pushInteger(e, i, size);
  if (size === 4) code.op(W.I64_EXTEND_I32_S);
  code.set(I64_A);
  fastOrLeave(
    e,
    () => e.leaveBefore(i),
    (slow) => {
      code.get(I64_A);
      code.i64(EXACT32);
      code.op(W.I64_ADD);
      code.i64(2 * EXACT32);
      code.op(W.I64_GT_U);
      code.if();
      requireQuickHere(e, slow);
      code.end();
    },
  );
  code.get(I64_A);
  code.op(W.F32_CONVERT_I64_S);
  code.set(F32_A);
  putLow(e, i, SINGLE, F32_A);
  e.facts.single |= 1 << i.reg;
  return true;
}

function toInteger(e: Emitter, i: Instruction, double: boolean, truncate: boolean): boolean {
  const { code } = e;
  const size = integerSize(i);
  if (!isRegister(i)) e.accessOperand(i, double ? 8 : 4, false);
  pushSource(e, i, double ? DOUBLE : SINGLE);
  if (!double) code.op(W.F64_PROMOTE_F32);
  code.set(F64_A);
  const local = size === 8 ? I64_A : I32_A;
  fastOrLeave(
    e,
    () => e.leaveBefore(i),
    (slow) => {
      if (!truncate) requireNearest(e, slow);
      code.get(F64_A);
      if (!truncate) code.op(W.F64_NEAREST);
      code.set(F64_B);
      // What does not fit, and NaNs.
      code.get(F64_B);
      code.op(W.F64_ABS);
      S.f64(code, size === 8 ? 2 ** 63 : 2 ** 31);
      code.op(W.F64_LT, W.I32_EQZ);
      code.brIf(slow);
      code.get(F64_B);
      code.numeric(size === 8 ? S.I64_TRUNC_SAT_F64_S : S.I32_TRUNC_SAT_F64_S);
      code.set(local);
      requireSticky(e, () => {
        code.get(local);
        code.op(size === 8 ? W.F64_CONVERT_I64_S : W.F64_CONVERT_I32_S);
        code.get(F64_A);
        code.op(W.F64_NE);
        code.brIf(slow);
      });
    },
  );
  code.get(local);
  if (size === 4) code.op(W.I64_EXTEND_I32_U);
  code.set(e.gprWritten(i.reg));
  return true;
}

function widen(e: Emitter, i: Instruction): boolean {
  const { code } = e;
  if (!isRegister(i)) e.accessOperand(i, 4, false);
  pushSource(e, i, SINGLE);
  code.set(F32_A);
  fastOrLeave(
    e,
    () => e.leaveBefore(i),
    (slow) => requirePlain(e, SINGLE, F32_A, slow),
  );
  code.get(F32_A);
  code.op(W.F64_PROMOTE_F32);
  code.set(F64_A);
  putLow(e, i, DOUBLE, F64_A);
  e.facts.double |= 1 << i.reg;
  return true;
}

function narrow(e: Emitter, i: Instruction): boolean {
  const { code } = e;
  if (!isRegister(i)) e.accessOperand(i, 8, false);
  pushSource(e, i, DOUBLE);
  code.set(F64_A);
  code.get(F64_A);
  code.op(W.F32_DEMOTE_F64);
  code.set(F32_C);
  fastOrLeave(
    e,
    () => e.leaveBefore(i),
    (slow) => {
      code.get(F64_A);
      code.op(W.F64_ABS);
      code.set(F64_C);
      // Within single precision's normal range, or zero.
      code.get(F64_C);
      S.f64(code, 2.4e-38);
      code.op(W.F64_GT);
      code.get(F64_C);
      S.f64(code, 3.4e38);
      code.op(W.F64_LT, W.I32_AND, W.I32_EQZ);
      code.if();
      code.get(F64_A);
      S.f64(code, 0);
      code.op(W.F64_NE);
      code.brIf(slow);
      code.end();
      requireQuick(e, slow, () => {
        code.get(F32_C);
        code.op(W.F64_PROMOTE_F32);
        code.get(F64_A);
        code.op(W.F64_NE);
        code.brIf(slow);
      });
    },
  );
  putLow(e, i, SINGLE, F32_C);
  e.facts.single |= 1 << i.reg;
  return true;
}

// ---- Vectors.

function translatePackedConvert(e: Emitter, i: Instruction, op: number): boolean {
  switch (op) {
    case OP_CVTPS2PD:
      return widenLanes(e, i, (b) => {
        fastOrLeave(
          e,
          () => e.leaveBefore(i),
          (slow) => {
            pushPlain(e, SINGLES, b);
            pushSomeWrong(e, SINGLES, 2);
            e.code.brIf(slow);
          },
        );
        e.code.get(b);
        e.code.simd(S.F64X2_PROMOTE_LOW);
      });
    case OP_CVTDQ2PD:
      return widenLanes(e, i, (b) => {
        e.code.get(b);
        e.code.simd(S.F64X2_CONVERT_LOW_I32X4_S);
      });
    case OP_CVTPD2PS:
      return narrowLanes(e, i, (b) => narrowDoubles(e, i, b));
    case OP_CVTPD2DQ:
    case OP_CVTTPD2DQ:
      return narrowLanes(e, i, (b) => integersOf(e, i, b, DOUBLES, op === OP_CVTTPD2DQ));
    case OP_CVTPS2DQ:
    case OP_CVTTPS2DQ:
      eachLane(e, i, source(e, i), (_, b) => integersOf(e, i, b, SINGLES, op === OP_CVTTPS2DQ), true);
      return true;
    case OP_CVTDQ2PS:
      eachLane(e, i, source(e, i), (_, b) => singlesOf(e, i, b), true);
      return true;
    default:
      return false;
  }
}

const kindOf = (i: Instruction) => (i.aux >> AVX_KIND_SHIFT) & 15;

// Each lane of the result comes from the next 8 bytes of the source.
function widenLanes(e: Emitter, i: Instruction, push: (b: number) => void): boolean {
  const { code } = e;
  const wide = isVex(i) && isWide(i) && kindOf(i) === AVX_WIDEN;
  const b = sourceLow(e, i, wide ? 16 : 8);
  if (!wide) {
    push(b);
    popResult(e, i);
    return true;
  }
  code.get(b);
  code.get(b);
  S.shuffle(code, 8, [1, 1]);
  code.set(e.temporary(V128_D));
  // Nothing is written before both halves are known to be right.
  push(V128_D);
  code.set(V128_D);
  push(b);
  code.set(e.xmmWritten(i.reg));
  code.get(V128_D);
  code.set(e.ymmHighWritten(i.reg));
  return true;
}

// Each lane of the source makes 64 bits of the result, those above are zero.
function narrowLanes(e: Emitter, i: Instruction, push: (b: number) => void): boolean {
  const { code } = e;
  const b = source(e, i);
  if (!isWide(i) || kindOf(i) !== AVX_NARROW) {
    push(b.low);
    popResult(e, i);
    return true;
  }
  push(b.high);
  code.set(e.temporary(V128_D));
  push(b.low);
  code.get(V128_D);
  S.shuffle(code, 8, [0, 2]);
  popResult(e, i);
  return true;
}

function narrowDoubles(e: Emitter, i: Instruction, b: number): void {
  const { code } = e;
  const r = e.temporary(V128_C);
  code.get(b);
  code.simd(S.F32X4_DEMOTE_ZERO);
  code.set(r);
  fastOrLeave(
    e,
    () => e.leaveBefore(i),
    (slow) => {
      pushMagnitude(e, DOUBLES, b);
      S.v128Floats(code, true, 2.4e-38);
      code.simd(DOUBLES.gt);
      pushMagnitude(e, DOUBLES, b);
      S.v128Floats(code, true, 3.4e38);
      code.simd(DOUBLES.lt);
      code.simd(S.V128_AND);
      pushZeros(e, DOUBLES, b);
      code.simd(S.V128_OR);
      pushSomeWrong(e, DOUBLES);
      code.brIf(slow);
      requireQuick(e, slow, () => {
        code.get(r);
        code.simd(S.F64X2_PROMOTE_LOW);
        code.get(b);
        code.simd(DOUBLES.eq);
        pushSomeWrong(e, DOUBLES);
        code.brIf(slow);
      });
    },
  );
  code.get(r);
}

// Pushes the integers of a vector's elements; those of two doubles have zeros above them.
function integersOf(e: Emitter, i: Instruction, b: number, packing: Packing, truncate: boolean): void {
  const { code } = e;
  const r = e.temporary(V128_C);
  fastOrLeave(
    e,
    () => e.leaveBefore(i),
    (slow) => {
      if (!truncate) requireNearest(e, slow);
      code.get(b);
      if (!truncate) code.simd(packing.double ? S.F64X2_NEAREST : S.F32X4_NEAREST);
      code.set(r);
      pushMagnitude(e, packing, r);
      S.v128Floats(code, packing.double, 2 ** 31);
      code.simd(packing.lt);
      pushSomeWrong(e, packing);
      code.brIf(slow);
      code.get(r);
      code.simd(packing.double ? S.I32X4_TRUNC_SAT_F64X2_S_ZERO : S.I32X4_TRUNC_SAT_F32X4_S);
      code.set(r);
      requireSticky(e, () => {
        code.get(r);
        code.simd(packing.double ? S.F64X2_CONVERT_LOW_I32X4_S : S.F32X4_CONVERT_I32X4_S);
        code.get(b);
        code.simd(packing.eq);
        pushSomeWrong(e, packing);
        code.brIf(slow);
      });
    },
  );
  code.get(r);
}

function singlesOf(e: Emitter, i: Instruction, b: number): void {
  const { code } = e;
  fastOrLeave(
    e,
    () => e.leaveBefore(i),
    (slow) =>
      requireQuick(e, slow, () => {
        // Integers of up to 24 bits are singles.
        code.get(b);
        S.v128Dwords(code, EXACT32);
        code.simd(S.I32X4_ADD);
        S.v128Dwords(code, 2 * EXACT32);
        code.simd(S.I32X4_LT_U);
        pushSomeWrong(e, SINGLES);
        code.brIf(slow);
      }),
  );
  code.get(b);
  code.simd(S.F32X4_CONVERT_I32X4_S);
}
