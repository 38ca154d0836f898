// RCPPS, RCPSS, RSQRTPS, RSQRTSS. The architecture bounds their relative error at 1.5 * 2^-12 and leaves the rest
// to the processor; here they are AMD's, whatever the model's vendor. Denormals count as zeros, MXCSR is neither used
// nor changed.
import { XMM } from "../layout";
import { reciprocalOf, reciprocalRootOf } from "./sse-reciprocal-tables";
import { OP_RCPSS, OP_RSQRTPS, OP_RSQRTSS } from "./sse-ops";
import { regBase, setReg, source128, source32 } from "./sse-operands";

const SIGN: u32 = 0x8000_0000;
const INFINITY: u32 = 0x7f80_0000;
const QUIET: u32 = 0x0040_0000;
const DEFAULT_NAN: u32 = 0xffc0_0000;
const LEAST_NORMAL: u32 = 0x0080_0000;

/** `value`, in [1/2, 1) and in units of 2^-13, times 2^(exp - 126). */
// @ts-ignore: decorator
@inline
function assemble(sign: u32, exp: i32, value: u32): u32 {
  return sign | (<u32>exp << 23) | ((value - 4096) << 11);
}

/** The first 12 bits of the mantissa: all that the result depends on besides sign and exponent. */
// @ts-ignore: decorator
@inline
function mantissa(bits: u32): u32 {
  return (bits >> 11) & 0xfff;
}

function reciprocal(bits: u32): u32 {
  const magnitude = bits & ~SIGN;
  const sign = bits & SIGN;
  if (magnitude > INFINITY) return bits | QUIET;
  if (magnitude < LEAST_NORMAL) return sign | INFINITY;
  const exp = 253 - <i32>(magnitude >> 23);
  return exp <= 0 ? sign : assemble(sign, exp, reciprocalOf(mantissa(bits)));
}

function reciprocalRoot(bits: u32): u32 {
  const magnitude = bits & ~SIGN;
  const sign = bits & SIGN;
  if (magnitude > INFINITY) return bits | QUIET;
  if (magnitude < LEAST_NORMAL) return sign | INFINITY;
  if (sign) return DEFAULT_NAN;
  if (magnitude == INFINITY) return 0;
  const power = <i32>(magnitude >> 23) - 127;
  return assemble(0, 126 - (power >> 1), reciprocalRootOf(mantissa(bits), (power & 1) != 0));
}

// @ts-ignore: decorator
@inline
function approximate(bits: u32, root: bool): u32 {
  return root ? reciprocalRoot(bits) : reciprocal(bits);
}

export function execReciprocal(cpu: usize, rec: usize, op: u32): void {
  const root = op == OP_RSQRTPS || op == OP_RSQRTSS;
  if (op == OP_RCPSS || op == OP_RSQRTSS) {
    store<u32>(regBase(cpu, rec), approximate(source32(cpu, rec), root), XMM);
    return;
  }
  const x = source128(cpu, rec);
  let r = i32x4.splat(approximate(i32x4.extract_lane(x, 0), root));
  r = i32x4.replace_lane(r, 1, approximate(i32x4.extract_lane(x, 1), root));
  r = i32x4.replace_lane(r, 2, approximate(i32x4.extract_lane(x, 2), root));
  setReg(cpu, rec, i32x4.replace_lane(r, 3, approximate(i32x4.extract_lane(x, 3), root)));
}
