// PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. Intel SDM volume 2, chapter 4.1.
import { GPR, XMM } from "../layout";
import { setArith } from "./flags";
import { F_REXW, REC_FLAGS } from "./record";
import { OP_PCMPESTRI, OP_PCMPESTRM, OP_PCMPISTRI } from "./sse-ops";
import { getReg, imm8, source128Unaligned } from "./sse-operands";

const RAX: usize = 0;
const RCX: usize = 8;
const RDX: usize = 16;

// The immediate: bit 0 words, bit 1 signed, bits 2-3 how to compare, bits 4-5 polarity, bit 6 the last
// index or a mask of whole elements.
const EQUAL_ANY: u32 = 0;
const RANGES: u32 = 1;
const EQUAL_EACH: u32 = 2;

/** An explicit length: the magnitude of EAX or EDX, of RAX or RDX with REX.W, at most the number of elements. */
function explicitLength(cpu: usize, rec: usize, register: usize, elements: u32): u32 {
  const wide = (load<u8>(rec, REC_FLAGS) & F_REXW) != 0;
  const value = wide ? load<i64>(cpu + register, GPR) : <i64>load<i32>(cpu + register, GPR);
  const magnitude = value < 0 ? <u64>0 - <u64>value : <u64>value;
  return <u32>min<u64>(magnitude, elements);
}

/** An implicit length: up to the first zero. */
function implicitLength(x: v128, words: bool): u32 {
  const zeros = words ? i16x8.bitmask(i16x8.eq(x, i16x8.splat(0))) : i8x16.bitmask(i8x16.eq(x, i8x16.splat(0)));
  const n = <u32>ctz(zeros);
  return min<u32>(n, words ? 8 : 16);
}

// @ts-ignore: decorator
@inline
function splatElement(x: v128, i: u32, words: bool): v128 {
  if (words) return i8x16.swizzle(x, i16x8.splat(<i16>(i * 0x0202 + 0x0100)));
  return i8x16.swizzle(x, i8x16.splat(<i8>i));
}

/** Which elements of b equal one of the first n of a. */
function equalAny(a: v128, b: v128, n: u32, words: bool): u32 {
  let found = i64x2.splat(0);
  for (let i: u32 = 0; i < n; i++) {
    const element = splatElement(a, i, words);
    found = v128.or(found, words ? i16x8.eq(b, element) : i8x16.eq(b, element));
  }
  return words ? i16x8.bitmask(found) : i8x16.bitmask(found);
}

/** Which elements of b lie in one of the ranges that a's first n elements bound in pairs; a last one alone is none. */
function inRanges(a: v128, b: v128, n: u32, words: bool, signed: bool): u32 {
  let found = i64x2.splat(0);
  for (let i: u32 = 0; i + 1 < n; i += 2) {
    const low = splatElement(a, i, words);
    const high = splatElement(a, i + 1, words);
    let within: v128;
    if (words) {
      within = signed
        ? v128.and(i16x8.ge_s(b, low), i16x8.le_s(b, high))
        : v128.and(i16x8.ge_u(b, low), i16x8.le_u(b, high));
    } else {
      within = signed
        ? v128.and(i8x16.ge_s(b, low), i8x16.le_s(b, high))
        : v128.and(i8x16.ge_u(b, low), i8x16.le_u(b, high));
    }
    found = v128.or(found, within);
  }
  return words ? i16x8.bitmask(found) : i8x16.bitmask(found);
}

/** At which elements of b (of length nb, in whole registers of `elements`) the first na elements of a start. */
function equalOrdered(a: v128, b: v128, na: u32, nb: u32, words: bool, elements: u32): u32 {
  let result: u32 = (1 << elements) - 1;
  const validB: u32 = (1 << nb) - 1;
  for (let i: u32 = 0; i < na; i++) {
    const element = splatElement(a, i, words);
    const equal: u32 = words ? i16x8.bitmask(i16x8.eq(b, element)) : i8x16.bitmask(i8x16.eq(b, element));
    // a's element i against b's element j + i; beyond the register nothing is compared.
    result &= ((equal & validB) >> i) | ~(((1 << elements) - 1) >> i);
  }
  return result;
}

export function execStringCompare(cpu: usize, rec: usize, op: u32): void {
  const b = source128Unaligned(cpu, rec);
  const a = getReg(cpu, rec);
  const imm = imm8(rec);
  const words = (imm & 1) != 0;
  const elements: u32 = words ? 8 : 16;
  const all: u32 = (1 << elements) - 1;
  let na: u32;
  let nb: u32;
  if (op == OP_PCMPESTRI || op == OP_PCMPESTRM) {
    na = explicitLength(cpu, rec, RAX, elements);
    nb = explicitLength(cpu, rec, RDX, elements);
  } else {
    na = implicitLength(a, words);
    nb = implicitLength(b, words);
  }
  const validA: u32 = (1 << na) - 1;
  const validB: u32 = (1 << nb) - 1;
  const aggregation = (imm >> 2) & 3;
  let r: u32;
  if (aggregation == EQUAL_ANY) r = equalAny(a, b, na, words) & validB;
  else if (aggregation == RANGES) r = inRanges(a, b, na, words, (imm & 2) != 0) & validB;
  else if (aggregation == EQUAL_EACH) {
    const equal: u32 = words ? i16x8.bitmask(i16x8.eq(a, b)) : i8x16.bitmask(i8x16.eq(a, b));
    // Elements beyond both ends are equal, beyond one end different.
    r = (equal & validA & validB) | (all & ~(validA | validB));
  } else r = equalOrdered(a, b, na, nb, words, elements);
  const polarity = (imm >> 4) & 3;
  if (polarity == 1) r ^= all;
  else if (polarity == 3) r ^= validB;

  if (op == OP_PCMPESTRI || op == OP_PCMPISTRI) {
    let index = elements;
    if (r != 0) index = imm & 0x40 ? 31 - clz(r) : ctz(r);
    store<u64>(cpu + RCX, index, GPR);
  } else if (imm & 0x40) {
    let mask: v128;
    if (words) {
      const bits = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
      mask = i16x8.eq(v128.and(i16x8.splat(<i16>r), bits), bits);
    } else {
      const bits = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
      const spread = v128.shuffle<u64>(i8x16.splat(<i8>r), i8x16.splat(<i8>(r >> 8)), 0, 2);
      mask = i8x16.eq(v128.and(spread, bits), bits);
    }
    v128.store(cpu, mask, XMM);
  } else v128.store(cpu, i64x2.replace_lane(i64x2.splat(0), 0, r), XMM);
  setArith(
    cpu,
    (r != 0 ? 0x001 : 0) | (nb < elements ? 0x040 : 0) | (na < elements ? 0x080 : 0) | (r & 1 ? 0x800 : 0),
  );
}
