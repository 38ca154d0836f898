/**
 * When wasm's floating-point operations do what SSE's do, MXCSR's flags included: as core/sse-float.ts decides it. What
 * is not sure to be right is left to the interpreter: the code branches to `slow`.
 */
import * as L from "../layout.js";
import { CPU, type Emitter, I32_B } from "./emitter.js";
import type { Label } from "./wasm-code.js";
import * as W from "./wasm-opcodes.js";
import * as S from "./wasm-simd.js";

export const LEAST_NORMAL64 = 2.2250738585072014e-308;
export const LEAST_NORMAL32 = 1.1754943508222875e-38;
/** Twice the least normal number: a rounded result from here on was not tiny. */
export const SAFE64 = 4.450147717014403e-308;
export const SAFE32 = 2.350988701644575e-38;
export const LARGEST64 = 1.7976931348623157e308;
export const LARGEST32 = 3.4028234663852886e38;

// MXCSR: inexact's flag and mask, rounding control.
const INEXACT = 0x1020;
const ROUNDING = 0x6000;

function pushMasked(e: Emitter, mask: number): void {
  e.code.get(CPU);
  e.code.memory(W.I32_LOAD, L.MXCSR);
  e.code.i32(mask);
  e.code.op(W.I32_AND);
}

/**
 * Requires rounding to nearest, and that inexact is masked and flagged.
 * @param branchIfInexact branches to `slow` where the result may be inexact, for when inexact is not flagged yet
 */
export function requireQuick(e: Emitter, slow: Label, branchIfInexact?: () => void): void {
  if (e.facts.quick) return;
  const { code } = e;
  if (branchIfInexact === undefined) {
    pushMasked(e, ROUNDING | INEXACT);
    code.i32(INEXACT);
    code.op(W.I32_NE);
    code.brIf(slow);
    e.facts.quick = true;
    return;
  }
  pushMasked(e, ROUNDING | INEXACT);
  code.tee(I32_B);
  code.i32(INEXACT);
  code.op(W.I32_NE);
  code.if();
  code.get(I32_B);
  code.i32(ROUNDING);
  code.op(W.I32_AND);
  code.brIf(slow);
  branchIfInexact();
  code.end();
}

/** Requires rounding to nearest. */
export function requireNearest(e: Emitter, slow: Label): void {
  if (e.facts.quick) return;
  pushMasked(e, ROUNDING);
  e.code.brIf(slow);
}

/** Requires that inexact is masked and flagged, or what `branchIfInexact` finds. */
export function requireSticky(e: Emitter, branchIfInexact: () => void): void {
  if (e.facts.quick) return;
  const { code } = e;
  pushMasked(e, INEXACT);
  code.i32(INEXACT);
  code.op(W.I32_NE);
  code.if();
  branchIfInexact();
  code.end();
}

/** Code that is fast where it can be, and leaves before the instruction elsewhere. `fast` may branch to `slow`. */
export function fastOrLeave(e: Emitter, leave: () => void, fast: (slow: Label) => void): void {
  const { code } = e;
  const done = code.block();
  const slow = code.block();
  fast(slow);
  code.br(done);
  code.end();
  leave();
  code.end();
}

// ---- Scalars, in locals of f64 or f32.

export interface Precision {
  readonly double: boolean;
  /** Pushes the sign, the exponent and what else is in the upper 32 bits, from the stack. */
  readonly least: number;
  readonly constant: (e: Emitter, value: number) => void;
  readonly abs: number;
  readonly eq: number;
  readonly ne: number;
  readonly ge: number;
  readonly add: number;
  readonly sub: number;
  readonly mul: number;
  readonly div: number;
  readonly sqrt: number;
}

export const DOUBLE: Precision = {
  double: true,
  least: LEAST_NORMAL64,
  constant: (e, value) => S.f64(e.code, value),
  abs: W.F64_ABS,
  eq: W.F64_EQ,
  ne: W.F64_NE,
  ge: W.F64_GE,
  add: W.F64_ADD,
  sub: W.F64_SUB,
  mul: W.F64_MUL,
  div: W.F64_DIV,
  sqrt: W.F64_SQRT,
};

export const SINGLE: Precision = {
  double: false,
  least: LEAST_NORMAL32,
  constant: (e, value) => S.f32(e.code, value),
  abs: W.F32_ABS,
  eq: W.F32_EQ,
  ne: W.F32_NE,
  ge: W.F32_GE,
  add: W.F32_ADD,
  sub: W.F32_SUB,
  mul: W.F32_MUL,
  div: W.F32_DIV,
  sqrt: W.F32_SQRT,
};

// Pushes the upper 32 bits of a double, or a single's bits.
function pushUpper(e: Emitter, precision: Precision, local: number): void {
  const { code } = e;
  code.get(local);
  if (!precision.double) {
    code.op(W.I32_REINTERPRET_F32);
    return;
  }
  code.op(W.I64_REINTERPRET_F64);
  code.i64(32);
  code.op(W.I64_SHR_U, W.I32_WRAP_I64);
}

/** Pushes whether a local is 0. */
export function pushIsZero(e: Emitter, precision: Precision, local: number): void {
  e.code.get(local);
  precision.constant(e, 0);
  e.code.op(precision.eq);
}

/** Requires a number that is not denormal; a NaN passes. */
export function requireNotDenormal(e: Emitter, precision: Precision, local: number, slow: Label): void {
  const { code } = e;
  pushUpper(e, precision, local);
  code.i32(precision.double ? 0x7ff0_0000 : 0x7f80_0000);
  code.op(W.I32_AND, W.I32_EQZ);
  code.if();
  code.get(local);
  precision.constant(e, 0);
  code.op(precision.ne);
  code.brIf(slow);
  code.end();
}

/** Requires a number that is neither NaN nor denormal. */
export function requirePlain(e: Emitter, precision: Precision, local: number, slow: Label): void {
  const { code } = e;
  pushUpper(e, precision, local);
  pushOutside(e, precision, 1);
  code.if();
  code.get(local);
  code.op(precision.abs);
  precision.constant(e, precision.least);
  code.op(precision.ge);
  pushIsZero(e, precision, local);
  code.op(W.I32_OR, W.I32_EQZ);
  code.brIf(slow);
  code.end();
}

// From upper bits to whether the exponent is below `least`, or that of infinities and NaNs.
function pushOutside(e: Emitter, precision: Precision, least: number): void {
  const { code } = e;
  const shift = precision.double ? 21 : 24;
  const top = precision.double ? 0x7ff : 0xff;
  code.i32(1);
  code.op(W.I32_SHL);
  code.i32(least << shift);
  code.op(W.I32_SUB);
  code.i32((top - least) << shift);
  code.op(W.I32_GE_U);
}

/**
 * Requires a finite result that was not tiny before it was rounded.
 * @param zeroIf pushes whether a result of 0 is right; without it, it always is
 */
export function requireSafe(e: Emitter, precision: Precision, local: number, slow: Label, zeroIf?: () => void): void {
  const { code } = e;
  pushUpper(e, precision, local);
  pushOutside(e, precision, 2);
  code.if();
  code.get(local);
  precision.constant(e, 0);
  code.op(precision.ne);
  code.brIf(slow);
  if (zeroIf !== undefined) {
    zeroIf();
    code.op(W.I32_EQZ);
    code.brIf(slow);
  }
  code.end();
}

// ---- Vectors, in locals of 128 bits.

/** Opcodes of vectors of doubles, or of singles. */
export interface Packing {
  readonly double: boolean;
  readonly least: number;
  readonly safe: number;
  readonly largest: number;
  readonly lanes: number;
  readonly bitmask: number;
  readonly abs: number;
  readonly eq: number;
  readonly ne: number;
  readonly lt: number;
  readonly gt: number;
  readonly le: number;
  readonly ge: number;
  readonly pmin: number;
  readonly pmax: number;
  readonly add: number;
  readonly sub: number;
  readonly mul: number;
  readonly div: number;
  readonly sqrt: number;
}

export const DOUBLES: Packing = {
  double: true,
  least: LEAST_NORMAL64,
  safe: SAFE64,
  largest: LARGEST64,
  lanes: 2,
  bitmask: S.I64X2_BITMASK,
  abs: S.F64X2_ABS,
  eq: S.F64X2_EQ,
  ne: S.F64X2_NE,
  lt: S.F64X2_LT,
  gt: S.F64X2_GT,
  le: S.F64X2_LE,
  ge: S.F64X2_GE,
  pmin: S.F64X2_PMIN,
  pmax: S.F64X2_PMAX,
  add: S.F64X2_ADD,
  sub: S.F64X2_SUB,
  mul: S.F64X2_MUL,
  div: S.F64X2_DIV,
  sqrt: S.F64X2_SQRT,
};

export const SINGLES: Packing = {
  double: false,
  least: LEAST_NORMAL32,
  safe: SAFE32,
  largest: LARGEST32,
  lanes: 4,
  bitmask: S.I32X4_BITMASK,
  abs: S.F32X4_ABS,
  eq: S.F32X4_EQ,
  ne: S.F32X4_NE,
  lt: S.F32X4_LT,
  gt: S.F32X4_GT,
  le: S.F32X4_LE,
  ge: S.F32X4_GE,
  pmin: S.F32X4_PMIN,
  pmax: S.F32X4_PMAX,
  add: S.F32X4_ADD,
  sub: S.F32X4_SUB,
  mul: S.F32X4_MUL,
  div: S.F32X4_DIV,
  sqrt: S.F32X4_SQRT,
};

/** Pushes the magnitudes of a vector. */
export function pushMagnitude(e: Emitter, packing: Packing, local: number): void {
  e.code.get(local);
  e.code.simd(packing.abs);
}

/** Pushes which elements are zero. */
export function pushZeros(e: Emitter, packing: Packing, local: number): void {
  e.code.get(local);
  S.v128(e.code, 0n, 0n);
  e.code.simd(packing.eq);
}

/** Pushes which elements are neither NaN nor denormal. */
export function pushPlain(e: Emitter, packing: Packing, local: number): void {
  const { code } = e;
  pushMagnitude(e, packing, local);
  S.v128Floats(code, packing.double, packing.least);
  code.simd(packing.ge);
  pushZeros(e, packing, local);
  code.simd(S.V128_OR);
}

/** Pushes which elements of a result are finite and were not tiny. */
export function pushSafe(e: Emitter, packing: Packing, local: number): void {
  const { code } = e;
  pushMagnitude(e, packing, local);
  S.v128Floats(code, packing.double, packing.safe);
  code.simd(packing.ge);
  pushMagnitude(e, packing, local);
  S.v128Floats(code, packing.double, packing.largest);
  code.simd(packing.le);
  code.simd(S.V128_AND);
}

/** Pops which elements are right, pushes whether one of the lowest `count` is not. */
export function pushSomeWrong(e: Emitter, packing: Packing, count = packing.lanes): void {
  const { code } = e;
  code.simd(packing.bitmask);
  const all = (1 << count) - 1;
  if (count < packing.lanes) {
    code.i32(all);
    code.op(W.I32_AND);
  }
  code.i32(all);
  code.op(W.I32_NE);
}
