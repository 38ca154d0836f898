/** Floating-point arithmetic, compares and rounding. core/sse-float.ts. */
import {
  CC_SRC1,
  CC_SRC2,
  type Emitter,
  F32_A,
  F32_B,
  F32_C,
  F64_A,
  F64_B,
  F64_C,
  HOST,
  V128_C,
  V128_D,
  V128_E,
} from "./emitter.js";
import { setFloatFlags } from "./flags.js";
import type { Instruction } from "./instruction.js";
import {
  OP_ADDSUBPD,
  OP_ADDSUBPS,
  OP_CMPPS,
  OP_CMPSD,
  OP_COMISD,
  OP_COMISS,
  OP_HADDPD,
  OP_HADDPS,
  OP_HSUBPD,
  OP_HSUBPS,
  OP_ROUNDPS,
  OP_ROUNDSD,
  OP_UCOMISD,
  OP_UCOMISS,
  OPS_FLOAT,
} from "./operations.js";
import {
  DOUBLE,
  DOUBLES,
  fastOrLeave,
  type Packing,
  type Precision,
  pushIsZero,
  pushMagnitude,
  pushPlain,
  pushSafe,
  pushSomeWrong,
  pushZeros,
  requireNearest,
  requireNotDenormal,
  requirePlain,
  requireQuick,
  requireSafe,
  requireSticky,
  SINGLE,
  SINGLES,
} from "./sse-exactness.js";
import {
  eachLane,
  firstSource,
  immediate8,
  isRegister,
  isVex,
  popResult,
  pushZero,
  source,
  sourceLow,
} from "./sse-operands.js";
import type { Label } from "./wasm-code.js";
import * as W from "./wasm-opcodes.js";
import * as S from "./wasm-simd.js";

// Operations, by the low half of their opcode in 0F 50-5F.
const SQRT = 1;
const ADD = 8;
const MUL = 9;
const SUB = 12;
const MIN = 13;
const DIV = 14;
const MAX = 15;

/** @param op one of SSE's operations, also where the instruction is VEX-encoded */
export function translateFloat(e: Emitter, i: Instruction, op: number): boolean {
  if (op >= OPS_FLOAT && op < OPS_FLOAT + 0x40) {
    const kind = (op - OPS_FLOAT) >> 2;
    const form = op & 3;
    if (![SQRT, ADD, MUL, SUB, MIN, DIV, MAX].includes(kind)) return false;
    if (form < 2) return packedArithmetic(e, i, kind, form === 1 ? DOUBLES : SINGLES);
    const precision = form === 3 ? DOUBLE : SINGLE;
    return kind === MIN || kind === MAX ? scalarExtreme(e, i, kind, precision) : scalar(e, i, kind, precision);
  }
  if (op >= OP_CMPPS && op <= OP_CMPSD) return compareByPredicate(e, i, op - OP_CMPPS);
  if (op >= OP_ROUNDPS && op <= OP_ROUNDSD) return round(e, i, op - OP_ROUNDPS);
  switch (op) {
    case OP_UCOMISS:
    case OP_COMISS:
      return compare(e, i, SINGLE, op === OP_COMISS);
    case OP_UCOMISD:
    case OP_COMISD:
      return compare(e, i, DOUBLE, op === OP_COMISD);
    case OP_HADDPD:
    case OP_HSUBPD:
      return horizontal(e, i, op === OP_HADDPD ? ADD : SUB, DOUBLES);
    case OP_HADDPS:
    case OP_HSUBPS:
      return horizontal(e, i, op === OP_HADDPS ? ADD : SUB, SINGLES);
    case OP_ADDSUBPD:
    case OP_ADDSUBPS:
      return addSubtract(e, i, op === OP_ADDSUBPD ? DOUBLES : SINGLES);
    default:
      return false;
  }
}

const localsOf = ({ double }: Precision) => (double ? [F64_A, F64_B, F64_C] : [F32_A, F32_B, F32_C]);

/** Pushes a register's low double or single. */
export function pushLow(e: Emitter, { double }: Precision, number: number): void {
  e.code.get(e.xmm(number));
  e.code.simdLane(double ? S.F64X2_EXTRACT : S.F32X4_EXTRACT, 0);
}

/** Pushes the rm operand: a register's low element, or memory at HOST. */
export function pushSource(e: Emitter, i: Instruction, precision: Precision): void {
  if (isRegister(i)) pushLow(e, precision, i.rm);
  else {
    e.code.get(HOST);
    e.code.memory(precision.double ? W.F64_LOAD : W.F32_LOAD, 0);
  }
}

/** Puts a local of f64 or f32 into the low element of the reg operand; those above are the first source's. */
export function putLow(e: Emitter, i: Instruction, { double }: Precision, local: number): void {
  e.code.get(e.xmm(firstSource(i)));
  e.code.get(local);
  e.code.simdLane(double ? S.F64X2_REPLACE : S.F32X4_REPLACE, 0);
  popResult(e, i);
}

// The facts of a precision's low elements.
const lowFacts = ({ double }: Precision) => (double ? "double" : "single");
const laneFacts = ({ double }: Packing) => (double ? "doubles" : "singles");

function isKnown(e: Emitter, precision: Precision, number: number): boolean {
  const { facts } = e;
  const set = precision.double ? facts.double | facts.doubles : facts.single | facts.singles;
  return ((set >> number) & 1) !== 0;
}

// ---- Scalars.

function scalar(e: Emitter, i: Instruction, kind: number, precision: Precision): boolean {
  const { code } = e;
  const [a, b, r] = localsOf(precision);
  const first = firstSource(i);
  if (!isRegister(i)) e.accessOperand(i, precision.double ? 8 : 4, false);
  if (kind !== SQRT) {
    pushLow(e, precision, first);
    code.set(a);
  }
  pushSource(e, i, precision);
  code.set(b);
  if (kind !== SQRT) code.get(a);
  code.get(b);
  code.op(opcodeOf(kind, precision));
  code.set(r);
  const fact = lowFacts(precision);
  fastOrLeave(
    e,
    () => e.leaveBefore(i),
    (slow) => {
      if (kind !== SQRT && !isKnown(e, precision, first)) requireNotDenormal(e, precision, a, slow);
      const sameRegister = kind !== SQRT && isRegister(i) && i.rm === first;
      if (!sameRegister && !(isRegister(i) && isKnown(e, precision, i.rm))) {
        requireNotDenormal(e, precision, b, slow);
      }
      requireSafe(e, precision, r, slow, zeroResult(e, kind, precision, a, b));
      requireQuick(e, slow, inexactness(e, kind, precision, a, b, r, slow));
    },
  );
  // Those that are not overwritten stay known.
  if (kind !== SQRT) e.facts[fact] |= 1 << first;
  if (isRegister(i)) e.facts[fact] |= 1 << i.rm;
  putLow(e, i, precision, r);
  e.facts[fact] |= 1 << i.reg;
  return true;
}

function opcodeOf(kind: number, precision: Precision): number {
  switch (kind) {
    case ADD:
      return precision.add;
    case SUB:
      return precision.sub;
    case MUL:
      return precision.mul;
    case DIV:
      return precision.div;
    default:
      return precision.sqrt;
  }
}

// When a result of 0 is right: without this, always.
function zeroResult(e: Emitter, kind: number, precision: Precision, a: number, b: number): (() => void) | undefined {
  if (kind === MUL) {
    return () => {
      pushIsZero(e, precision, a);
      pushIsZero(e, precision, b);
      e.code.op(W.I32_OR);
    };
  }
  return kind === DIV ? () => pushIsZero(e, precision, a) : undefined;
}

// Branches where a rounded result is not seen to be exact.
function inexactness(
  e: Emitter,
  kind: number,
  precision: Precision,
  a: number,
  b: number,
  r: number,
  slow: Label,
): (() => void) | undefined {
  const { code } = e;
  const { add, sub, ne } = precision;
  if (kind === ADD || kind === SUB) {
    // The error of a rounded sum is itself exact: (a - (r - p)) + (b - p) with p = r - a; for a difference, with -b.
    return () => {
      code.get(a);
      code.get(r);
      code.get(r);
      code.get(a);
      code.op(sub, sub, sub);
      if (kind === ADD) {
        code.get(b);
        code.get(r);
        code.get(a);
        code.op(sub, sub, add);
      } else {
        code.get(b);
        code.get(r);
        code.get(a);
        code.op(sub, add, sub);
      }
      precision.constant(e, 0);
      code.op(ne);
      code.brIf(slow);
    };
  }
  if (kind !== MUL) return undefined;
  if (!precision.double) {
    return () => {
      code.get(a);
      code.op(W.F64_PROMOTE_F32);
      code.get(b);
      code.op(W.F64_PROMOTE_F32, W.F64_MUL);
      code.get(r);
      code.op(W.F64_PROMOTE_F32, W.F64_NE);
      code.brIf(slow);
    };
  }
  // The factors have so few bits that the product fits.
  return () => {
    for (const factor of [a, b]) {
      code.get(factor);
      code.op(W.I64_REINTERPRET_F64);
      code.i64(2 ** 52);
      code.op(W.I64_OR, W.I64_CTZ);
    }
    code.op(W.I64_ADD);
    code.i64(53);
    code.op(W.I64_LT_U);
    code.brIf(slow);
  };
}

// MIN and MAX, done by a vector operation: those of wasm's scalars treat zeros otherwise.
function scalarExtreme(e: Emitter, i: Instruction, kind: number, precision: Precision): boolean {
  const { code } = e;
  const packing = precision.double ? DOUBLES : SINGLES;
  const first = firstSource(i);
  const b = sourceLow(e, i, precision.double ? 8 : 4);
  const a = e.xmm(first);
  fastOrLeave(
    e,
    () => e.leaveBefore(i),
    (slow) => requirePlainLanes(e, packing, a, b, 1, slow),
  );
  code.get(b);
  code.get(a);
  code.simd(kind === MIN ? packing.pmin : packing.pmax);
  code.get(a);
  if (precision.double) S.shuffle(code, 8, [0, 3]);
  else S.shuffle(code, 4, [0, 5, 6, 7]);
  popResult(e, i);
  e.facts[lowFacts(precision)] |= 1 << i.reg;
  return true;
}

// Requires that the lowest `count` elements of both are neither NaN nor denormal.
function requirePlainLanes(e: Emitter, packing: Packing, a: number, b: number, count: number, slow: Label): void {
  const { code } = e;
  pushPlain(e, packing, a);
  if (b !== a) {
    pushPlain(e, packing, b);
    code.simd(S.V128_AND);
  }
  pushSomeWrong(e, packing, count);
  code.brIf(slow);
}

// COMIS and UCOMIS.
function compare(e: Emitter, i: Instruction, precision: Precision, signaling: boolean): boolean {
  const { code } = e;
  const [a, b] = localsOf(precision);
  if (!isRegister(i)) e.accessOperand(i, precision.double ? 8 : 4, false);
  pushLow(e, precision, i.reg);
  code.set(a);
  pushSource(e, i, precision);
  code.set(b);
  const same = isRegister(i) && i.rm === i.reg;
  fastOrLeave(
    e,
    () => e.leaveBefore(i),
    (slow) => {
      for (const operand of same ? [a] : [a, b]) {
        if (signaling) requirePlain(e, precision, operand, slow);
        else requireComparable(e, precision, operand, slow);
      }
    },
  );
  const fact = lowFacts(precision);
  e.facts[fact] |= 1 << i.reg;
  if (isRegister(i)) e.facts[fact] |= 1 << i.rm;
  if (!e.flagsLive) return true;
  for (const [operand, into] of [
    [a, CC_SRC1],
    [b, CC_SRC2],
  ]) {
    code.get(operand);
    if (!precision.double) code.op(W.F64_PROMOTE_F32);
    code.op(W.I64_REINTERPRET_F64);
    code.set(into);
  }
  setFloatFlags(e);
  return true;
}

// Requires a number that is neither denormal nor a signaling NaN.
function requireComparable(e: Emitter, precision: Precision, local: number, slow: Label): void {
  const { code } = e;
  const nested = code.block();
  const unusual = code.block();
  requirePlain(e, precision, local, unusual);
  code.br(nested);
  code.end();
  code.get(local);
  if (precision.double) {
    code.op(W.I64_REINTERPRET_F64);
    code.i64(0x7ff8n << 48n);
    code.op(W.I64_AND);
    code.i64(0x7ff8n << 48n);
    code.op(W.I64_NE);
  } else {
    code.op(W.I32_REINTERPRET_F32);
    code.i32(0x7fc0_0000);
    code.op(W.I32_AND);
    code.i32(0x7fc0_0000);
    code.op(W.I32_NE);
  }
  code.brIf(slow);
  code.end();
}

// ---- Vectors.

function packedArithmetic(e: Emitter, i: Instruction, kind: number, packing: Packing): boolean {
  const second = source(e, i);
  const first = firstSource(i);
  const fact = laneFacts(packing);
  const known = (number: number) => ((e.facts[fact] >> number) & 1) !== 0;
  const firstKnown = kind === SQRT || known(first);
  const secondKnown = isRegister(i) && known(i.rm);
  eachLane(
    e,
    i,
    second,
    (a, b, lane) => packedLane(e, i, kind, packing, a, b, lane === 0 && firstKnown, lane === 0 && secondKnown),
    true,
  );
  e.facts[fact] |= 1 << i.reg;
  return true;
}

/**
 * Pushes the result of two locals. Uses V128_C.
 * @param knownA none of a is denormal
 */
function packedLane(
  e: Emitter,
  i: Instruction,
  kind: number,
  packing: Packing,
  a: number,
  b: number,
  knownA: boolean,
  knownB: boolean,
): void {
  const { code } = e;
  if (kind === MIN || kind === MAX) {
    fastOrLeave(
      e,
      () => e.leaveBefore(i),
      (slow) => requirePlainLanes(e, packing, a, b, packing.lanes, slow),
    );
    code.get(b);
    code.get(a);
    code.simd(kind === MIN ? packing.pmin : packing.pmax);
    return;
  }
  const r = e.temporary(V128_C);
  if (kind !== SQRT) code.get(a);
  code.get(b);
  code.simd(
    kind === ADD
      ? packing.add
      : kind === SUB
        ? packing.sub
        : kind === MUL
          ? packing.mul
          : kind === DIV
            ? packing.div
            : packing.sqrt,
  );
  code.set(r);
  const operands = [...(kind === SQRT || knownA ? [] : [a]), ...(knownB || (b === a && kind !== SQRT) ? [] : [b])];
  fastOrLeave(
    e,
    () => e.leaveBefore(i),
    (slow) => {
      requireQuick(e, slow);
      // NaNs and infinities show in the result.
      pushSafe(e, packing, r);
      if (operands.length > 0) {
        for (const operand of operands) pushMagnitude(e, packing, operand);
        if (operands.length === 2) code.simd(packing.pmin);
        S.v128Floats(code, packing.double, packing.least);
        code.simd(packing.ge);
        code.simd(S.V128_AND);
      }
      pushSomeWrong(e, packing);
      code.if();
      // Where elements are zero.
      pushSafe(e, packing, r);
      pushZeros(e, packing, r);
      if (kind === MUL || kind === DIV) {
        pushZeros(e, packing, a);
        if (kind === MUL) {
          pushZeros(e, packing, b);
          code.simd(S.V128_OR);
        }
        code.simd(S.V128_AND);
      }
      code.simd(S.V128_OR);
      for (const operand of operands) {
        pushPlain(e, packing, operand);
        code.simd(S.V128_AND);
      }
      pushSomeWrong(e, packing);
      code.brIf(slow);
      code.end();
    },
  );
  code.get(r);
}

function horizontal(e: Emitter, i: Instruction, kind: number, packing: Packing): boolean {
  const size = packing.double ? 8 : 4;
  const [even, odd] = packing.double
    ? [
        [0, 2],
        [1, 3],
      ]
    : [
        [0, 2, 4, 6],
        [1, 3, 5, 7],
      ];
  const { code } = e;
  eachLane(
    e,
    i,
    source(e, i),
    (a, b) => {
      for (const [lanes, into] of [
        [even, V128_D],
        [odd, V128_E],
      ] as const) {
        code.get(a);
        code.get(b);
        S.shuffle(code, size, lanes);
        code.set(e.temporary(into));
      }
      packedLane(e, i, kind, packing, V128_D, V128_E, false, false);
    },
    true,
  );
  return true;
}

// Subtracts the even elements, adds the odd ones: the signs of the former change.
function addSubtract(e: Emitter, i: Instruction, packing: Packing): boolean {
  const { code } = e;
  eachLane(
    e,
    i,
    source(e, i),
    (a, b) => {
      code.get(b);
      if (packing.double) S.v128(code, 1n << 63n, 0n);
      else S.v128(code, 1n << 31n, 1n << 31n);
      code.simd(S.V128_XOR);
      code.set(e.temporary(V128_D));
      packedLane(e, i, ADD, packing, a, V128_D, false, false);
    },
    true,
  );
  return true;
}

// ---- Compares by a predicate.

const LESS = 1;
const EQUAL = 2;
const GREATER = 4;
const UNORDERED = 8;

/** Which relations satisfy a predicate. */
function satisfying(predicate: number): number {
  const p = predicate & 3;
  let positive = p === 0 ? EQUAL : p === 1 ? LESS : p === 2 ? LESS | EQUAL : UNORDERED;
  if ((predicate & 8) !== 0) positive = p === 3 ? 0 : positive | UNORDERED;
  return (predicate & 4) !== 0 ? positive ^ 15 : positive;
}

// CMPPS and its like.
function compareByPredicate(e: Emitter, i: Instruction, form: number): boolean {
  const { code } = e;
  const packing = (form & 1) !== 0 ? DOUBLES : SINGLES;
  const predicate = immediate8(i) & (isVex(i) ? 31 : 7);
  const signaling = ((predicate & 3) === 1 || (predicate & 3) === 2) !== ((predicate & 16) !== 0);
  const relations = satisfying(predicate);
  const count = form < 2 ? packing.lanes : 1;
  const lane = (a: number, b: number) => {
    fastOrLeave(
      e,
      () => e.leaveBefore(i),
      (slow) => {
        if (signaling) {
          requirePlainLanes(e, packing, a, b, count, slow);
          return;
        }
        pushPlain(e, packing, a);
        if (a !== b) {
          pushPlain(e, packing, b);
          code.simd(S.V128_AND);
        }
        pushSomeWrong(e, packing, count);
        code.if();
        // Quiet NaNs raise nothing either.
        pushComparable(e, packing, a);
        pushComparable(e, packing, b);
        code.simd(S.V128_AND);
        pushSomeWrong(e, packing, count);
        code.brIf(slow);
        code.end();
      },
    );
    pushRelation(e, packing, a, b, relations);
  };
  return byForm(e, i, form, lane);
}

// What `lane` pushes for each 128 bits of packed operands (forms 0 and 1), or its low element alone (2 and 3).
function byForm(e: Emitter, i: Instruction, form: number, lane: (a: number, b: number) => void): boolean {
  if (form < 2) {
    eachLane(e, i, source(e, i), lane, true);
    return true;
  }
  const { code } = e;
  const b = sourceLow(e, i, form === 3 ? 8 : 4);
  const a = e.xmm(firstSource(i));
  lane(a, b);
  // The elements above stay.
  code.get(a);
  if (form === 3) S.shuffle(code, 8, [0, 3]);
  else S.shuffle(code, 4, [0, 5, 6, 7]);
  popResult(e, i);
  return true;
}

function pushComparable(e: Emitter, packing: Packing, local: number): void {
  const { code } = e;
  pushPlain(e, packing, local);
  code.get(local);
  const quiet = () => {
    if (packing.double) S.v128(code, 0x7ff8n << 48n, 0x7ff8n << 48n);
    else S.v128Dwords(code, 0x7fc0_0000);
  };
  quiet();
  code.simd(S.V128_AND);
  quiet();
  code.simd(packing.double ? S.I64X2_EQ : S.I32X4_EQ);
  code.simd(S.V128_OR);
}

// Pushes all ones in the elements where one of the relations holds.
function pushRelation(e: Emitter, packing: Packing, a: number, b: number, relations: number): void {
  const { code } = e;
  const test = (opcode: number, inverted: boolean) => {
    code.get(a);
    code.get(b);
    code.simd(opcode);
    if (inverted) code.simd(S.V128_NOT);
  };
  // A relation that holds of NaNs is the negation of one that does not.
  const negated = (relations & UNORDERED) !== 0;
  switch (negated ? relations ^ 15 : relations) {
    case 0:
      pushZero(e);
      if (negated) code.simd(S.V128_NOT);
      return;
    case LESS:
      test(packing.lt, negated);
      return;
    case EQUAL:
      test(packing.eq, negated);
      return;
    case LESS | EQUAL:
      test(packing.le, negated);
      return;
    case GREATER:
      test(packing.gt, negated);
      return;
    case GREATER | EQUAL:
      test(packing.ge, negated);
      return;
    case LESS | GREATER:
      test(packing.lt, false);
      test(packing.gt, false);
      code.simd(S.V128_OR);
      if (negated) code.simd(S.V128_NOT);
      return;
    default:
      // Ordered, or not.
      for (const operand of [a, b]) {
        code.get(operand);
        code.get(operand);
        code.simd(negated ? packing.ne : packing.eq);
      }
      code.simd(negated ? S.V128_OR : S.V128_AND);
  }
}

// ---- Rounding to integers.

const ROUND_DOUBLES = [S.F64X2_NEAREST, S.F64X2_FLOOR, S.F64X2_CEIL, S.F64X2_TRUNC];
const ROUND_SINGLES = [S.F32X4_NEAREST, S.F32X4_FLOOR, S.F32X4_CEIL, S.F32X4_TRUNC];

// ROUNDPS and its like. Denormals raise nothing; bit 3 of the immediate keeps the inexact flag.
function round(e: Emitter, i: Instruction, form: number): boolean {
  const { code } = e;
  const imm = immediate8(i);
  const packing = (form & 1) !== 0 ? DOUBLES : SINGLES;
  const count = form < 2 ? packing.lanes : 1;
  const byControl = (imm & 4) !== 0;
  const opcode = (packing.double ? ROUND_DOUBLES : ROUND_SINGLES)[byControl ? 0 : imm & 3];
  const lane = (_: number, b: number) => {
    const r = e.temporary(V128_C);
    code.get(b);
    code.simd(opcode);
    code.set(r);
    fastOrLeave(
      e,
      () => e.leaveBefore(i),
      (slow) => {
        if (byControl) requireNearest(e, slow);
        pushPlain(e, packing, b);
        pushSomeWrong(e, packing, count);
        code.brIf(slow);
        if ((imm & 8) !== 0) return;
        requireSticky(e, () => {
          code.get(r);
          code.get(b);
          code.simd(packing.eq);
          pushSomeWrong(e, packing, count);
          code.brIf(slow);
        });
      },
    );
    code.get(r);
  };
  return byForm(e, i, form, lane);
}
