// Floating-point arithmetic, compares and rounding. wasm's operation is taken where its result and MXCSR's
// flags are certainly right: rounding to nearest, operands and result normal or zero, and either inexact is
// masked and flagged already or the result is seen to be exact. All else goes through sse-exact.ts.
import { MXCSR, SCRATCH, XMM } from "../layout";
import { operationOf } from "./blocks";
import { setArith } from "./flags";
import {
  ADD, DIV, DOWN, EQUAL, GREATER, IE, LESS, MAX, MIN, MUL, NEAREST, PE, SQRT, SUB, UNORDERED, UP, begin,
  denormalsAreZeros, exact, exactCompare, finish, roundingMode, signal,
} from "./sse-exact";
import {
  OP_ADDSUBPS, OP_CMPPS, OP_DPPS, OP_HADDPD, OP_HADDPS, OP_HSUBPD, OP_HSUBPS, OP_ROUNDPS, OPS_FLOAT,
} from "./sse-ops";
import { OPS_AVX } from "./ops";
import { getReg, imm8, regBase, setReg, source128, source32, source64 } from "./sse-operands";

const LEAST_NORMAL64: f64 = 2.2250738585072014e-308;
const LEAST_NORMAL32: f32 = 1.1754943508222875e-38;
// Twice the least normal number: a rounded result from here on was not tiny.
const SAFE64: f64 = 4.450147717014403e-308;
const SAFE32: f32 = 2.350988701644575e-38;
const LARGEST64: f64 = 1.7976931348623157e308;
const LARGEST32: f32 = 3.4028234663852886e38;

/** Rounds to nearest, inexact is masked and flagged. */
// @ts-ignore: decorator
@inline
function quick(cpu: usize): bool {
  return (load<u32>(cpu, MXCSR) & 0x7020) == 0x1020;
}

/** Rounds to nearest. */
// @ts-ignore: decorator
@inline
function toNearest(cpu: usize): bool {
  return (load<u32>(cpu, MXCSR) & 0x6000) == 0;
}

/** Inexact is masked and flagged. */
// @ts-ignore: decorator
@inline
function sticky(cpu: usize): bool {
  return (load<u32>(cpu, MXCSR) & 0x1020) == 0x1020;
}

/** The error of a rounded sum, itself exact, is zero. */
// @ts-ignore: decorator
@inline
function exactSum<T extends number>(a: T, b: T, sum: T): bool {
  const part = <T>(sum - a);
  return <T>(<T>(a - <T>(sum - part)) + <T>(b - part)) == <T>0;
}

/** The factors have so few bits that the product fits. */
// @ts-ignore: decorator
@inline
function exactProduct<T extends number>(a: T, b: T, product: T): bool {
  if (sizeof<T>() == 4) return <f64>a * <f64>b == <f64>product;
  const lead = <u64>1 << 52;
  return ctz(reinterpret<u64>(<f64>a) | lead) + ctz(reinterpret<u64>(<f64>b) | lead) >= 53;
}

// @ts-ignore: decorator
@inline
function safe<T extends number>(r: T): bool {
  if (isFloat<T>() && sizeof<T>() == 8) return (abs<f64>(<f64>r) >= SAFE64) & (abs<f64>(<f64>r) <= LARGEST64);
  return (abs<f32>(<f32>r) >= SAFE32) & (abs<f32>(<f32>r) <= LARGEST32);
}

/** Neither NaN nor denormal. */
// @ts-ignore: decorator
@inline
function plain<T extends number>(x: T): bool {
  if (sizeof<T>() == 8) return (abs<f64>(<f64>x) >= LEAST_NORMAL64) | (<f64>x == 0);
  return (abs<f32>(<f32>x) >= LEAST_NORMAL32) | (<f32>x == 0);
}

// @ts-ignore: decorator
@inline
function plainLanes<T extends number>(x: v128): v128 {
  if (sizeof<T>() == 8) {
    return v128.or(f64x2.ge(f64x2.abs(x), f64x2.splat(LEAST_NORMAL64)), f64x2.eq(x, f64x2.splat(0)));
  }
  return v128.or(f32x4.ge(f32x4.abs(x), f32x4.splat(LEAST_NORMAL32)), f32x4.eq(x, f32x4.splat(0)));
}

// @ts-ignore: decorator
@inline
function safeLanes<T extends number>(r: v128): v128 {
  if (sizeof<T>() == 8) {
    const magnitude = f64x2.abs(r);
    return v128.and(f64x2.ge(magnitude, f64x2.splat(SAFE64)), f64x2.le(magnitude, f64x2.splat(LARGEST64)));
  }
  const magnitude = f32x4.abs(r);
  return v128.and(f32x4.ge(magnitude, f32x4.splat(SAFE32)), f32x4.le(magnitude, f32x4.splat(LARGEST32)));
}

// @ts-ignore: decorator
@inline
function all(x: v128): bool {
  return i32x4.all_true(x);
}

function exactScalar<T extends number>(cpu: usize, at: usize, kind: u32, a: T, b: T): void {
  begin(cpu);
  if (sizeof<T>() == 8) {
    const r = exact(kind, reinterpret<u64>(<f64>a), reinterpret<u64>(<f64>b), 52);
    finish(cpu);
    store<u64>(at, r, XMM);
  } else {
    const r = exact(kind, reinterpret<u32>(<f32>a), reinterpret<u32>(<f32>b), 23);
    finish(cpu);
    store<u32>(at, <u32>r, XMM);
  }
}

// @ts-ignore: decorator
@inline
function source<T extends number>(cpu: usize, rec: usize): T {
  if (sizeof<T>() == 8) return <T>reinterpret<f64>(source64(cpu, rec));
  return <T>reinterpret<f32>(source32(cpu, rec));
}

export function addScalar<T extends number>(cpu: usize, rec: usize): void {
  const b = source<T>(cpu, rec);
  const at = regBase(cpu, rec);
  const a = load<T>(at, XMM);
  const r = <T>(a + b);
  const good = toNearest(cpu) & plain<T>(a) & plain<T>(b) & (safe<T>(r) | (r == <T>0));
  if (good && (sticky(cpu) || exactSum<T>(a, b, r))) store<T>(at, r, XMM);
  else exactScalar<T>(cpu, at, ADD, a, b);
}

export function subScalar<T extends number>(cpu: usize, rec: usize): void {
  const b = source<T>(cpu, rec);
  const at = regBase(cpu, rec);
  const a = load<T>(at, XMM);
  const r = <T>(a - b);
  const good = toNearest(cpu) & plain<T>(a) & plain<T>(b) & (safe<T>(r) | (r == <T>0));
  if (good && (sticky(cpu) || exactSum<T>(a, <T>-b, r))) store<T>(at, r, XMM);
  else exactScalar<T>(cpu, at, SUB, a, b);
}

export function mulScalar<T extends number>(cpu: usize, rec: usize): void {
  const b = source<T>(cpu, rec);
  const at = regBase(cpu, rec);
  const a = load<T>(at, XMM);
  const r = <T>(a * b);
  const good =
    toNearest(cpu) & plain<T>(a) & plain<T>(b) & (safe<T>(r) | ((r == <T>0) & ((a == <T>0) | (b == <T>0))));
  if (good && (sticky(cpu) || exactProduct<T>(a, b, r))) store<T>(at, r, XMM);
  else exactScalar<T>(cpu, at, MUL, a, b);
}

export function divScalar<T extends number>(cpu: usize, rec: usize): void {
  const b = source<T>(cpu, rec);
  const at = regBase(cpu, rec);
  const a = load<T>(at, XMM);
  const r = <T>(a / b);
  const good = quick(cpu) & plain<T>(a) & plain<T>(b) & (safe<T>(r) | ((r == <T>0) & (a == <T>0)));
  if (good) store<T>(at, r, XMM);
  else exactScalar<T>(cpu, at, DIV, a, b);
}

export function sqrtScalar<T extends number>(cpu: usize, rec: usize): void {
  const b = source<T>(cpu, rec);
  const at = regBase(cpu, rec);
  const r = sqrt<T>(b);
  if (quick(cpu) & plain<T>(b) & (safe<T>(r) | (r == <T>0))) store<T>(at, r, XMM);
  else exactScalar<T>(cpu, at, SQRT, b, b);
}

export function minScalar<T extends number>(cpu: usize, rec: usize): void {
  const b = source<T>(cpu, rec);
  const at = regBase(cpu, rec);
  const a = load<T>(at, XMM);
  if (plain<T>(a) & plain<T>(b)) store<T>(at, a < b ? a : b, XMM);
  else exactScalar<T>(cpu, at, MIN, a, b);
}

export function maxScalar<T extends number>(cpu: usize, rec: usize): void {
  const b = source<T>(cpu, rec);
  const at = regBase(cpu, rec);
  const a = load<T>(at, XMM);
  if (plain<T>(a) & plain<T>(b)) store<T>(at, a > b ? a : b, XMM);
  else exactScalar<T>(cpu, at, MAX, a, b);
}

/** COMIS and UCOMIS: ZF, PF and CF tell the relation; the latter takes quiet NaNs without a flag. */
export function compareScalar<T extends number>(cpu: usize, rec: usize, signaling: bool): void {
  const b = source<T>(cpu, rec);
  const a = load<T>(regBase(cpu, rec), XMM);
  let relation: u32;
  if (plain<T>(a) & plain<T>(b)) relation = a < b ? LESS : a == b ? EQUAL : GREATER;
  else {
    begin(cpu);
    if (sizeof<T>() == 8) relation = exactCompare(reinterpret<u64>(<f64>a), reinterpret<u64>(<f64>b), 52, signaling);
    else relation = exactCompare(reinterpret<u32>(<f32>a), reinterpret<u32>(<f32>b), 23, signaling);
    finish(cpu);
  }
  setArith(cpu, relation == LESS ? 0x01 : relation == EQUAL ? 0x40 : relation == UNORDERED ? 0x45 : 0);
}

/** Element by element: form 0 PS, 1 PD, 2 SS, 3 SD. The elements above a scalar are a's. */
function exactLanes(cpu: usize, kind: u32, a: v128, b: v128, form: u32): v128 {
  const at = cpu + SCRATCH;
  v128.store(at, a);
  v128.store(at, b, 16);
  begin(cpu);
  if (form & 1) {
    for (let i: usize = 0; i < (form == 1 ? 16 : 8); i += 8) {
      store<u64>(at + i, exact(kind, load<u64>(at + i), load<u64>(at + i, 16), 52));
    }
  } else {
    for (let i: usize = 0; i < (form == 0 ? 16 : 4); i += 4) {
      store<u32>(at + i, <u32>exact(kind, load<u32>(at + i), load<u32>(at + i, 16), 23));
    }
  }
  finish(cpu);
  return v128.load(at);
}

/** The source operand of a form, a scalar in all elements. */
// @ts-ignore: decorator
@inline
function sourceOfForm(cpu: usize, rec: usize, form: u32): v128 {
  if (form < 2) return source128(cpu, rec);
  return form == 2 ? i32x4.splat(source32(cpu, rec)) : i64x2.splat(source64(cpu, rec));
}

/** 0F 51, 58, 59, 5C-5F in their packed forms. */
export function execPackedArithmetic(cpu: usize, rec: usize, op: u32): void {
  const b = source128(cpu, rec);
  const a = getReg(cpu, rec);
  const kind = (op - OPS_FLOAT) >> 2;
  const form = op & 3;
  setReg(cpu, rec, packedArithmetic(cpu, kind, form, a, b));
}

/** ADD, MUL, SUB, MIN, DIV, MAX or SQRT of singles (form 0) or doubles (1). */
export function packedArithmetic(cpu: usize, kind: u32, form: u32, a: v128, b: v128): v128 {
  return form == 1 ? arithmetic64(cpu, kind, a, b) : arithmetic32(cpu, kind, a, b);
}

function arithmetic64(cpu: usize, kind: u32, a: v128, b: v128): v128 {
  const plainB = plainLanes<f64>(b);
  const plainBoth = v128.and(plainLanes<f64>(a), plainB);
  if (kind == MIN || kind == MAX) {
    if (all(plainBoth)) return kind == MIN ? f64x2.pmin(b, a) : f64x2.pmax(b, a);
  } else if (quick(cpu)) {
    const zero = f64x2.splat(0);
    let r = zero;
    let good = zero;
    switch (kind) {
      case ADD:
      case SUB:
        r = kind == ADD ? f64x2.add(a, b) : f64x2.sub(a, b);
        good = v128.or(safeLanes<f64>(r), f64x2.eq(r, zero));
        break;
      case MUL:
        r = f64x2.mul(a, b);
        good = v128.or(safeLanes<f64>(r), v128.and(f64x2.eq(r, zero), v128.or(f64x2.eq(a, zero), f64x2.eq(b, zero))));
        break;
      case DIV:
        r = f64x2.div(a, b);
        good = v128.or(safeLanes<f64>(r), v128.and(f64x2.eq(r, zero), f64x2.eq(a, zero)));
        break;
      case SQRT:
        r = f64x2.sqrt(b);
        if (all(v128.and(plainB, v128.or(safeLanes<f64>(r), f64x2.eq(r, zero))))) return r;
        break;
    }
    if (all(v128.and(plainBoth, good))) return r;
  }
  return exactLanes(cpu, kind, a, b, 1);
}

function arithmetic32(cpu: usize, kind: u32, a: v128, b: v128): v128 {
  const plainB = plainLanes<f32>(b);
  const plainBoth = v128.and(plainLanes<f32>(a), plainB);
  if (kind == MIN || kind == MAX) {
    if (all(plainBoth)) return kind == MIN ? f32x4.pmin(b, a) : f32x4.pmax(b, a);
  } else if (quick(cpu)) {
    const zero = f32x4.splat(0);
    let r = zero;
    let good = zero;
    switch (kind) {
      case ADD:
      case SUB:
        r = kind == ADD ? f32x4.add(a, b) : f32x4.sub(a, b);
        good = v128.or(safeLanes<f32>(r), f32x4.eq(r, zero));
        break;
      case MUL:
        r = f32x4.mul(a, b);
        good = v128.or(safeLanes<f32>(r), v128.and(f32x4.eq(r, zero), v128.or(f32x4.eq(a, zero), f32x4.eq(b, zero))));
        break;
      case DIV:
        r = f32x4.div(a, b);
        good = v128.or(safeLanes<f32>(r), v128.and(f32x4.eq(r, zero), f32x4.eq(a, zero)));
        break;
      case SQRT:
        r = f32x4.sqrt(b);
        if (all(v128.and(plainB, v128.or(safeLanes<f32>(r), f32x4.eq(r, zero))))) return r;
        break;
    }
    if (all(v128.and(plainBoth, good))) return r;
  }
  return exactLanes(cpu, kind, a, b, 0);
}

/** HADD, HSUB, ADDSUB: additions and subtractions of other pairs of elements. */
export function execHorizontal(cpu: usize, rec: usize, op: u32): void {
  const b = source128(cpu, rec);
  const a = getReg(cpu, rec);
  let r: v128;
  if (op == OP_HADDPD || op == OP_HSUBPD) {
    const kind = op == OP_HADDPD ? ADD : SUB;
    r = arithmetic64(cpu, kind, v128.shuffle<u64>(a, b, 0, 2), v128.shuffle<u64>(a, b, 1, 3));
  } else if (op == OP_HADDPS || op == OP_HSUBPS) {
    const kind = op == OP_HADDPS ? ADD : SUB;
    r = arithmetic32(cpu, kind, v128.shuffle<u32>(a, b, 0, 2, 4, 6), v128.shuffle<u32>(a, b, 1, 3, 5, 7));
  } else r = addSubtract(cpu, a, b, op == OP_ADDSUBPS ? 23 : 52);
  setReg(cpu, rec, r);
}

/** Subtracts the even elements, adds the odd ones. */
function addSubtract(cpu: usize, a: v128, b: v128, fraction: i32): v128 {
  const at = cpu + SCRATCH;
  v128.store(at, a);
  v128.store(at, b, 16);
  begin(cpu);
  if (fraction == 52) {
    store<u64>(at, exact(SUB, load<u64>(at), load<u64>(at, 16), 52));
    store<u64>(at, exact(ADD, load<u64>(at, 8), load<u64>(at, 24), 52), 8);
  } else {
    for (let i: usize = 0; i < 16; i += 4) {
      store<u32>(at + i, <u32>exact(i & 4 ? ADD : SUB, load<u32>(at + i), load<u32>(at + i, 16), 23));
    }
  }
  finish(cpu);
  return v128.load(at);
}

/** CMPPS and its like: all ones where the predicate in the immediate holds. */
export function execCompare(cpu: usize, rec: usize, op: u32): void {
  const form = op - OP_CMPPS;
  const b = sourceOfForm(cpu, rec, form);
  const a = getReg(cpu, rec);
  const predicate = imm8(rec) & (operationOf(rec) < OPS_AVX ? 7 : 31);
  let r: v128;
  if (form & 1) {
    const plainBoth = v128.and(plainLanes<f64>(a), plainLanes<f64>(b));
    if (form == 1 ? all(plainBoth) : i64x2.extract_lane(plainBoth, 0) != 0) r = compare64(a, b, predicate);
    else r = compareExactly(cpu, a, b, form, predicate);
    if (form == 3) r = v128.shuffle<u64>(r, a, 0, 3);
  } else {
    const plainBoth = v128.and(plainLanes<f32>(a), plainLanes<f32>(b));
    if (form == 0 ? all(plainBoth) : i32x4.extract_lane(plainBoth, 0) != 0) r = compare32(a, b, predicate);
    else r = compareExactly(cpu, a, b, form, predicate);
    if (form == 2) r = v128.shuffle<u32>(r, a, 0, 5, 6, 7);
  }
  setReg(cpu, rec, r);
}

/** The compares of numbers that are not NaNs, by the relations that satisfy the predicate. */
function compare64(a: v128, b: v128, predicate: u32): v128 {
  switch (satisfying(predicate) & NUMBERS) {
    case 0:
      return i64x2.splat(0);
    case 1 << LESS:
      return f64x2.lt(a, b);
    case 1 << EQUAL:
      return f64x2.eq(a, b);
    case (1 << LESS) | (1 << EQUAL):
      return f64x2.le(a, b);
    case 1 << GREATER:
      return f64x2.gt(a, b);
    case (1 << LESS) | (1 << GREATER):
      return f64x2.ne(a, b);
    case (1 << EQUAL) | (1 << GREATER):
      return f64x2.ge(a, b);
  }
  return i64x2.splat(-1);
}

function compare32(a: v128, b: v128, predicate: u32): v128 {
  switch (satisfying(predicate) & NUMBERS) {
    case 0:
      return i64x2.splat(0);
    case 1 << LESS:
      return f32x4.lt(a, b);
    case 1 << EQUAL:
      return f32x4.eq(a, b);
    case (1 << LESS) | (1 << EQUAL):
      return f32x4.le(a, b);
    case 1 << GREATER:
      return f32x4.gt(a, b);
    case (1 << LESS) | (1 << GREATER):
      return f32x4.ne(a, b);
    case (1 << EQUAL) | (1 << GREATER):
      return f32x4.ge(a, b);
  }
  return i64x2.splat(-1);
}

const NUMBERS: u32 = (1 << LESS) | (1 << EQUAL) | (1 << GREATER);

/**
 * Which relations satisfy a predicate: bit 1 << LESS and so on. The upper half of the first 16 differs from the lower in
 * what NaNs do; the next 16 differ from the first in which NaNs signal.
 */
function satisfying(predicate: u32): u32 {
  const p = predicate & 3;
  let positive: u32 =
    p == 0 ? 1 << EQUAL : p == 1 ? 1 << LESS : p == 2 ? (1 << LESS) | (1 << EQUAL) : 1 << UNORDERED;
  if (predicate & 8) positive = p == 3 ? 0 : positive | (1 << UNORDERED);
  return predicate & 4 ? positive ^ 15 : positive;
}

function compareExactly(cpu: usize, a: v128, b: v128, form: u32, predicate: u32): v128 {
  const at = cpu + SCRATCH;
  const relations = satisfying(predicate);
  const signaling = ((predicate & 3) == 1 || (predicate & 3) == 2) != ((predicate & 16) != 0);
  v128.store(at, a);
  v128.store(at, b, 16);
  begin(cpu);
  if (form & 1) {
    for (let i: usize = 0; i < (form == 1 ? 16 : 8); i += 8) {
      const relation = exactCompare(load<u64>(at + i), load<u64>(at + i, 16), 52, signaling);
      store<i64>(at + i, (relations >> relation) & 1 ? -1 : 0);
    }
  } else {
    for (let i: usize = 0; i < (form == 0 ? 16 : 4); i += 4) {
      const relation = exactCompare(load<u32>(at + i), load<u32>(at + i, 16), 23, signaling);
      store<i32>(at + i, (relations >> relation) & 1 ? -1 : 0);
    }
  }
  finish(cpu);
  return v128.load(at);
}

/** ROUNDPS and its like. Denormals raise nothing; bit 3 of the immediate keeps the inexact flag. */
export function execRound(cpu: usize, rec: usize, op: u32): void {
  const form = op - OP_ROUNDPS;
  const imm = imm8(rec);
  const x = sourceOfForm(cpu, rec, form);
  begin(cpu);
  const mode = imm & 4 ? roundingMode() : imm & 3;
  let r = form & 1 ? round64(x, mode, (imm & 8) != 0) : round32(x, mode, (imm & 8) != 0);
  finish(cpu);
  if (form == 2) r = v128.shuffle<u32>(r, getReg(cpu, rec), 0, 5, 6, 7);
  else if (form == 3) r = v128.shuffle<u64>(r, getReg(cpu, rec), 0, 3);
  setReg(cpu, rec, r);
}

function round64(x0: v128, mode: u32, quiet: bool): v128 {
  let x = x0;
  const sign = i64x2.splat(<i64>0x8000_0000_0000_0000);
  if (denormalsAreZeros()) x = v128.bitselect(x, v128.and(x, sign), plainOrNaN<f64>(x));
  const nan = f64x2.ne(x, x);
  const quietBit = i64x2.splat(0x0008_0000_0000_0000);
  const r =
    mode == NEAREST ? f64x2.nearest(x) : mode == DOWN ? f64x2.floor(x) : mode == UP ? f64x2.ceil(x) : f64x2.trunc(x);
  if (v128.any_true(v128.and(nan, i64x2.eq(v128.and(x, quietBit), i64x2.splat(0))))) signal(IE);
  if (!quiet && v128.any_true(v128.andnot(f64x2.ne(r, x), nan))) signal(PE);
  return v128.bitselect(v128.or(x, quietBit), r, nan);
}

function round32(x0: v128, mode: u32, quiet: bool): v128 {
  let x = x0;
  const sign = i32x4.splat(0x8000_0000);
  if (denormalsAreZeros()) x = v128.bitselect(x, v128.and(x, sign), plainOrNaN<f32>(x));
  const nan = f32x4.ne(x, x);
  const quietBit = i32x4.splat(0x0040_0000);
  const r =
    mode == NEAREST ? f32x4.nearest(x) : mode == DOWN ? f32x4.floor(x) : mode == UP ? f32x4.ceil(x) : f32x4.trunc(x);
  if (v128.any_true(v128.and(nan, i32x4.eq(v128.and(x, quietBit), i32x4.splat(0))))) signal(IE);
  if (!quiet && v128.any_true(v128.andnot(f32x4.ne(r, x), nan))) signal(PE);
  return v128.bitselect(v128.or(x, quietBit), r, nan);
}

// @ts-ignore: decorator
@inline
function plainOrNaN<T extends number>(x: v128): v128 {
  if (sizeof<T>() == 8) return v128.or(plainLanes<f64>(x), f64x2.ne(x, x));
  return v128.or(plainLanes<f32>(x), f32x4.ne(x, x));
}

/**
 * DPPS, DPPD: products by the immediate's upper half, their sum to the elements of its lower half. Multiplications and
 * each level of additions raise exceptions as steps of their own.
 */
export function execDotProduct(cpu: usize, rec: usize, op: u32): void {
  const b = source128(cpu, rec);
  const a = getReg(cpu, rec);
  const imm = imm8(rec);
  const at = cpu + SCRATCH;
  v128.store(at, a, 64);
  v128.store(at, b, 80);
  if (op == OP_DPPS) {
    setReg(cpu, rec, v128.load(dotProducts(cpu, at + 64, at + 80, 1, imm)));
    return;
  }
  begin(cpu);
  const low = imm & 0x10 ? exact(MUL, load<u64>(at, 64), load<u64>(at, 80), 52) : 0;
  const high = imm & 0x20 ? exact(MUL, load<u64>(at, 72), load<u64>(at, 88), 52) : 0;
  finish(cpu);
  begin(cpu);
  const sum = exact(ADD, low, high, 52);
  finish(cpu);
  const bits = i64x2(1, 2);
  setReg(cpu, rec, v128.and(i64x2.splat(sum), i64x2.eq(v128.and(i64x2.splat(imm), bits), bits)));
}

/** DPPS of one or two lanes at `a` and `b`. Where the results are. */
export function dotProducts(cpu: usize, a: usize, b: usize, lanes: u32, imm: u32): usize {
  const at = cpu + SCRATCH;
  begin(cpu);
  for (let i: u32 = 0; i < lanes << 2; i++) {
    const taken = (imm >> (4 + (i & 3))) & 1;
    const product = taken ? exact(MUL, load<u32>(a + (i << 2)), load<u32>(b + (i << 2)), 23) : 0;
    store<u32>(at + (i << 2), <u32>product);
  }
  finish(cpu);
  begin(cpu);
  for (let i: u32 = 0; i < lanes << 2; i += 2) {
    const pair = at + (i << 2);
    store<u32>(pair, <u32>exact(ADD, load<u32>(pair), load<u32>(pair, 4), 23));
  }
  finish(cpu);
  begin(cpu);
  for (let i: u32 = 0; i < lanes; i++) {
    const lane = at + (i << 4);
    store<u32>(lane, <u32>exact(ADD, load<u32>(lane), load<u32>(lane, 8), 23));
  }
  finish(cpu);
  const bits = i32x4(1, 2, 4, 8);
  const taken = i32x4.eq(v128.and(i32x4.splat(imm), bits), bits);
  for (let i: u32 = 0; i < lanes; i++) {
    const lane = at + (i << 4);
    v128.store(lane, v128.and(i32x4.splat(load<u32>(lane)), taken));
  }
  return at;
}
