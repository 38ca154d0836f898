// Conversions between integers, single and double precision.
import { GPR, MXCSR, XMM } from "../layout";
import {
  DOWN, IE, NEAREST, PE, UP, ZERO, begin, denormalsAreZeros, exactFromInteger, exactNarrow, exactWiden, finish,
  roundingMode, signal,
} from "./sse-exact";
import {
  OP_CVTDQ2PD, OP_CVTDQ2PS, OP_CVTPD2DQ, OP_CVTPD2PS, OP_CVTPS2DQ, OP_CVTPS2PD, OP_CVTSD2SS, OP_CVTSS2SD, OP_CVTTPD2DQ,
  OP_CVTTPS2DQ,
} from "./sse-ops";
import { F_REXW, REC_FLAGS } from "./record";
import { regBase, regGpr, setReg, source128, source32, source64, sourceGpr32, sourceGpr64 } from "./sse-operands";

const LEAST_NORMAL64: f64 = 2.2250738585072014e-308;
const LEAST_NORMAL32: f32 = 1.1754943508222875e-38;

function roundTo(x: f64, mode: u32): f64 {
  if (mode == NEAREST) return nearest<f64>(x);
  if (mode == DOWN) return floor<f64>(x);
  return mode == UP ? ceil<f64>(x) : trunc<f64>(x);
}

/** To 32 bits; what does not fit and NaNs become 0x80000000. Denormals raise no flag of their own. */
function toInt32(x: f64, mode: u32): i32 {
  const r = roundTo(x, mode);
  if (!((r >= -2147483648.0) & (r <= 2147483647.0))) {
    signal(IE);
    return 0x8000_0000;
  }
  if (r != x) signal(PE);
  return <i32>r;
}

function toInt64(x: f64, mode: u32): i64 {
  const r = roundTo(x, mode);
  if (!((r >= -9223372036854775808.0) & (r < 9223372036854775808.0))) {
    signal(IE);
    return i64.MIN_VALUE;
  }
  if (r != x) signal(PE);
  return <i64>r;
}

/** A double operand, denormals replaced as MXCSR says. */
function flush64(bits: u64): f64 {
  const x = reinterpret<f64>(bits);
  return denormalsAreZeros() && abs<f64>(x) < LEAST_NORMAL64 ? 0 : x;
}

/** A single operand in double precision, which holds it exactly. */
function flush32(bits: u32): f64 {
  const x = reinterpret<f32>(bits);
  return denormalsAreZeros() && abs<f32>(x) < LEAST_NORMAL32 ? 0 : <f64>x;
}

function isWide(rec: usize): bool {
  return (load<u8>(rec, REC_FLAGS) & F_REXW) != 0;
}

/** CVTSI2SD. 32 bits fit. */
export function integerToDouble(cpu: usize, rec: usize): void {
  if (!isWide(rec)) {
    store<f64>(regBase(cpu, rec), <f64>(<i32>sourceGpr32(cpu, rec)), XMM);
    return;
  }
  const value = <i64>sourceGpr64(cpu, rec);
  const converted = <f64>value;
  // Up to 2^53 in magnitude nothing is lost.
  if (abs<f64>(converted) < 9007199254740992.0) {
    store<f64>(regBase(cpu, rec), converted, XMM);
    return;
  }
  begin(cpu);
  const r = exactFromInteger(value, 52);
  finish(cpu);
  store<u64>(regBase(cpu, rec), r, XMM);
}

/** CVTSI2SS. */
export function integerToSingle(cpu: usize, rec: usize): void {
  const value = isWide(rec) ? <i64>sourceGpr64(cpu, rec) : <i64>(<i32>sourceGpr32(cpu, rec));
  begin(cpu);
  const r = exactFromInteger(value, 23);
  finish(cpu);
  store<u32>(regBase(cpu, rec), <u32>r, XMM);
}

function storeInteger(cpu: usize, rec: usize, x: f64, mode: u32): void {
  if (isWide(rec)) {
    const r = toInt64(x, mode);
    finish(cpu);
    store<i64>(regGpr(cpu, rec), r, GPR);
  } else {
    const r = toInt32(x, mode);
    finish(cpu);
    store<u64>(regGpr(cpu, rec), <u64>(<u32>r), GPR);
  }
}

/** CVTSD2SI and, truncating, CVTTSD2SI. */
export function doubleToInteger(cpu: usize, rec: usize, truncate: bool): void {
  const bits = source64(cpu, rec);
  begin(cpu);
  storeInteger(cpu, rec, flush64(bits), truncate ? ZERO : roundingMode());
}

/** CVTSS2SI and, truncating, CVTTSS2SI. */
export function singleToInteger(cpu: usize, rec: usize, truncate: bool): void {
  const bits = source32(cpu, rec);
  begin(cpu);
  storeInteger(cpu, rec, flush32(bits), truncate ? ZERO : roundingMode());
}

function pair64(low: u64, high: u64): v128 {
  return i64x2.replace_lane(i64x2.splat(low), 1, high);
}

function integersToSingles(x: v128): v128 {
  let r = i32x4.splat(<u32>exactFromInteger(i32x4.extract_lane(x, 0), 23));
  r = i32x4.replace_lane(r, 1, <u32>exactFromInteger(i32x4.extract_lane(x, 1), 23));
  r = i32x4.replace_lane(r, 2, <u32>exactFromInteger(i32x4.extract_lane(x, 2), 23));
  return i32x4.replace_lane(r, 3, <u32>exactFromInteger(i32x4.extract_lane(x, 3), 23));
}

function singlesToIntegers(x: v128, mode: u32): v128 {
  let r = i32x4.splat(toInt32(flush32(i32x4.extract_lane(x, 0)), mode));
  r = i32x4.replace_lane(r, 1, toInt32(flush32(i32x4.extract_lane(x, 1)), mode));
  r = i32x4.replace_lane(r, 2, toInt32(flush32(i32x4.extract_lane(x, 2)), mode));
  return i32x4.replace_lane(r, 3, toInt32(flush32(i32x4.extract_lane(x, 3)), mode));
}

function pairToIntegers(low: f64, high: f64, mode: u32): u64 {
  const first: u64 = <u32>toInt32(low, mode);
  return first | ((<u64>(<u32>toInt32(high, mode))) << 32);
}

/** The conversions from XMM or memory to XMM. */
export function execConvert(cpu: usize, rec: usize, op: u32): void {
  let r = i64x2.splat(0);
  switch (op) {
    case OP_CVTSS2SD: {
      const bits = source32(cpu, rec);
      const x = reinterpret<f32>(bits);
      if ((abs<f32>(x) >= LEAST_NORMAL32) | (x == 0)) {
        store<f64>(regBase(cpu, rec), <f64>x, XMM);
        return;
      }
      begin(cpu);
      const wide = exactWiden(bits);
      finish(cpu);
      store<u64>(regBase(cpu, rec), wide, XMM);
      return;
    }
    case OP_CVTSD2SS: {
      const bits = source64(cpu, rec);
      const x = reinterpret<f64>(bits);
      const rounded = <f32>x;
      // Within single precision's normal range: exact, or to nearest with inexact masked and flagged.
      const normal = (abs<f64>(x) > 2.4e-38) & (abs<f64>(x) < 3.4e38);
      if (normal && (<f64>rounded == x || (load<u32>(cpu, MXCSR) & 0x7020) == 0x1020)) {
        store<f32>(regBase(cpu, rec), rounded, XMM);
        return;
      }
      begin(cpu);
      const narrow = exactNarrow(bits);
      finish(cpu);
      store<u32>(regBase(cpu, rec), <u32>narrow, XMM);
      return;
    }
    case OP_CVTPS2PD: {
      const bits = source64(cpu, rec);
      begin(cpu);
      r = pair64(exactWiden(bits & 0xffffffff), exactWiden(bits >> 32));
      break;
    }
    case OP_CVTPD2PS: {
      const x = source128(cpu, rec);
      begin(cpu);
      const low = exactNarrow(i64x2.extract_lane(x, 0));
      r = pair64(low | (exactNarrow(i64x2.extract_lane(x, 1)) << 32), 0);
      break;
    }
    case OP_CVTDQ2PS: {
      const x = source128(cpu, rec);
      begin(cpu);
      r = integersToSingles(x);
      break;
    }
    case OP_CVTPS2DQ:
    case OP_CVTTPS2DQ: {
      const x = source128(cpu, rec);
      begin(cpu);
      r = singlesToIntegers(x, op == OP_CVTPS2DQ ? roundingMode() : ZERO);
      break;
    }
    case OP_CVTPD2DQ:
    case OP_CVTTPD2DQ: {
      const x = source128(cpu, rec);
      begin(cpu);
      const mode = op == OP_CVTPD2DQ ? roundingMode() : ZERO;
      r = pair64(pairToIntegers(flush64(i64x2.extract_lane(x, 0)), flush64(i64x2.extract_lane(x, 1)), mode), 0);
      break;
    }
    case OP_CVTDQ2PD:
      setReg(cpu, rec, f64x2.convert_low_i32x4_s(i64x2.splat(source64(cpu, rec))));
      return;
  }
  finish(cpu);
  setReg(cpu, rec, r);
}

// With MMX registers: the callers check the x87 state and mark it as used.

/** CVTPI2PS: the lower half. */
export function convertPairToSingles(cpu: usize, pair: u64): u64 {
  begin(cpu);
  const low = exactFromInteger(<i32>pair, 23);
  const r = low | (exactFromInteger(<i32>(pair >> 32), 23) << 32);
  finish(cpu);
  return r;
}

export function convertSinglesToPair(cpu: usize, bits: u64, truncate: bool): u64 {
  begin(cpu);
  const mode = truncate ? ZERO : roundingMode();
  const r = pairToIntegers(flush32(<u32>bits), flush32(<u32>(bits >> 32)), mode);
  finish(cpu);
  return r;
}

export function convertDoublesToPair(cpu: usize, x: v128, truncate: bool): u64 {
  begin(cpu);
  const mode = truncate ? ZERO : roundingMode();
  const r = pairToIntegers(flush64(i64x2.extract_lane(x, 0)), flush64(i64x2.extract_lane(x, 1)), mode);
  finish(cpu);
  return r;
}
