/** Vector instructions of WebAssembly that the translator emits, and constants. Core specification, 5.4.9. */
import type { WasmCode } from "./wasm-code.js";
import { F32_CONST, F64_CONST } from "./wasm-opcodes.js";

export const V128_LOAD = 0x00;
export const V128_LOAD8_SPLAT = 0x07;
export const V128_LOAD16_SPLAT = 0x08;
export const V128_LOAD32_SPLAT = 0x09;
export const V128_LOAD64_SPLAT = 0x0a;
export const V128_STORE = 0x0b;
const V128_CONST = 0x0c;
const I8X16_SHUFFLE = 0x0d;
export const I8X16_SWIZZLE = 0x0e;
export const I8X16_SPLAT = 0x0f;
export const I16X8_SPLAT = 0x10;
export const I32X4_SPLAT = 0x11;
export const I64X2_SPLAT = 0x12;
export const I8X16_EXTRACT_U = 0x16;
export const I8X16_REPLACE = 0x17;
export const I16X8_EXTRACT_U = 0x19;
export const I16X8_REPLACE = 0x1a;
export const I32X4_EXTRACT = 0x1b;
export const I32X4_REPLACE = 0x1c;
export const I64X2_EXTRACT = 0x1d;
export const I64X2_REPLACE = 0x1e;
export const F32X4_EXTRACT = 0x1f;
export const F32X4_REPLACE = 0x20;
export const F64X2_EXTRACT = 0x21;
export const F64X2_REPLACE = 0x22;
export const I8X16_EQ = 0x23;
export const I8X16_GT_S = 0x27;
export const I16X8_EQ = 0x2d;
export const I16X8_GT_S = 0x31;
export const I32X4_EQ = 0x37;
export const I32X4_LT_U = 0x3a;
export const I32X4_GT_S = 0x3b;
export const F32X4_EQ = 0x41;
export const F32X4_NE = 0x42;
export const F32X4_LT = 0x43;
export const F32X4_GT = 0x44;
export const F32X4_LE = 0x45;
export const F32X4_GE = 0x46;
export const F64X2_EQ = 0x47;
export const F64X2_NE = 0x48;
export const F64X2_LT = 0x49;
export const F64X2_GT = 0x4a;
export const F64X2_LE = 0x4b;
export const F64X2_GE = 0x4c;
export const V128_NOT = 0x4d;
export const V128_AND = 0x4e;
export const V128_ANDNOT = 0x4f;
export const V128_OR = 0x50;
export const V128_XOR = 0x51;
export const V128_BITSELECT = 0x52;
export const V128_ANY_TRUE = 0x53;
export const V128_LOAD32_ZERO = 0x5c;
export const V128_LOAD64_ZERO = 0x5d;
export const F32X4_DEMOTE_ZERO = 0x5e;
export const F64X2_PROMOTE_LOW = 0x5f;
export const I8X16_ABS = 0x60;
export const I8X16_BITMASK = 0x64;
export const I8X16_NARROW_S = 0x65;
export const I8X16_NARROW_U = 0x66;
export const F32X4_CEIL = 0x67;
export const F32X4_FLOOR = 0x68;
export const F32X4_TRUNC = 0x69;
export const F32X4_NEAREST = 0x6a;
export const I8X16_SHR_S = 0x6c;
export const I8X16_ADD = 0x6e;
export const I8X16_ADD_SAT_S = 0x6f;
export const I8X16_ADD_SAT_U = 0x70;
export const I8X16_SUB = 0x71;
export const I8X16_SUB_SAT_S = 0x72;
export const I8X16_SUB_SAT_U = 0x73;
export const F64X2_CEIL = 0x74;
export const F64X2_FLOOR = 0x75;
export const I8X16_MIN_S = 0x76;
export const I8X16_MIN_U = 0x77;
export const I8X16_MAX_S = 0x78;
export const I8X16_MAX_U = 0x79;
export const F64X2_TRUNC = 0x7a;
export const I8X16_AVGR_U = 0x7b;
export const I16X8_EXTADD_PAIRWISE_U = 0x7d;
export const I32X4_EXTADD_PAIRWISE_U = 0x7f;
export const I16X8_ABS = 0x80;
export const I16X8_Q15MULR_SAT_S = 0x82;
export const I16X8_BITMASK = 0x84;
export const I16X8_NARROW_S = 0x85;
export const I16X8_NARROW_U = 0x86;
export const I16X8_EXTEND_LOW_S = 0x87;
export const I16X8_EXTEND_LOW_U = 0x89;
export const I16X8_SHL = 0x8b;
export const I16X8_SHR_S = 0x8c;
export const I16X8_SHR_U = 0x8d;
export const I16X8_ADD = 0x8e;
export const I16X8_ADD_SAT_S = 0x8f;
export const I16X8_ADD_SAT_U = 0x90;
export const I16X8_SUB = 0x91;
export const I16X8_SUB_SAT_S = 0x92;
export const I16X8_SUB_SAT_U = 0x93;
export const F64X2_NEAREST = 0x94;
export const I16X8_MUL = 0x95;
export const I16X8_MIN_S = 0x96;
export const I16X8_MIN_U = 0x97;
export const I16X8_MAX_S = 0x98;
export const I16X8_MAX_U = 0x99;
export const I16X8_AVGR_U = 0x9b;
export const I32X4_ABS = 0xa0;
export const I32X4_BITMASK = 0xa4;
export const I32X4_EXTEND_LOW_S = 0xa7;
export const I32X4_EXTEND_LOW_U = 0xa9;
export const I32X4_SHL = 0xab;
export const I32X4_SHR_S = 0xac;
export const I32X4_SHR_U = 0xad;
export const I32X4_ADD = 0xae;
export const I32X4_SUB = 0xb1;
export const I32X4_MUL = 0xb5;
export const I32X4_MIN_S = 0xb6;
export const I32X4_MIN_U = 0xb7;
export const I32X4_MAX_S = 0xb8;
export const I32X4_MAX_U = 0xb9;
export const I32X4_DOT_S = 0xba;
export const I32X4_EXTMUL_LOW_S = 0xbc;
export const I32X4_EXTMUL_HIGH_S = 0xbd;
export const I32X4_EXTMUL_LOW_U = 0xbe;
export const I32X4_EXTMUL_HIGH_U = 0xbf;
export const I64X2_BITMASK = 0xc4;
export const I64X2_EXTEND_LOW_S = 0xc7;
export const I64X2_EXTEND_LOW_U = 0xc9;
export const I64X2_SHL = 0xcb;
export const I64X2_SHR_S = 0xcc;
export const I64X2_SHR_U = 0xcd;
export const I64X2_ADD = 0xce;
export const I64X2_SUB = 0xd1;
export const I64X2_EQ = 0xd6;
export const I64X2_GT_S = 0xd9;
export const I64X2_EXTMUL_LOW_S = 0xdc;
export const I64X2_EXTMUL_LOW_U = 0xde;
export const F32X4_ABS = 0xe0;
export const F32X4_SQRT = 0xe3;
export const F32X4_ADD = 0xe4;
export const F32X4_SUB = 0xe5;
export const F32X4_MUL = 0xe6;
export const F32X4_DIV = 0xe7;
export const F32X4_PMIN = 0xea;
export const F32X4_PMAX = 0xeb;
export const F64X2_ABS = 0xec;
export const F64X2_SQRT = 0xef;
export const F64X2_ADD = 0xf0;
export const F64X2_SUB = 0xf1;
export const F64X2_MUL = 0xf2;
export const F64X2_DIV = 0xf3;
export const F64X2_PMIN = 0xf6;
export const F64X2_PMAX = 0xf7;
export const I32X4_TRUNC_SAT_F32X4_S = 0xf8;
export const F32X4_CONVERT_I32X4_S = 0xfa;
export const I32X4_TRUNC_SAT_F64X2_S_ZERO = 0xfc;
export const F64X2_CONVERT_LOW_I32X4_S = 0xfe;

/** Saturating truncations, behind their prefix. */
export const I32_TRUNC_SAT_F64_S = 0x02;
export const I64_TRUNC_SAT_F64_S = 0x06;

const bytes = new DataView(new ArrayBuffer(16));

function append(code: WasmCode, count: number): void {
  for (let at = 0; at < count; at++) code.byte(bytes.getUint8(at));
}

export function f64(code: WasmCode, value: number): void {
  code.byte(F64_CONST);
  bytes.setFloat64(0, value, true);
  append(code, 8);
}

export function f32(code: WasmCode, value: number): void {
  code.byte(F32_CONST);
  bytes.setFloat32(0, value, true);
  append(code, 4);
}

/** Pushes a vector of two 64-bit numbers. */
export function v128(code: WasmCode, low: bigint, high: bigint): void {
  code.simd(V128_CONST);
  bytes.setBigUint64(0, BigInt.asUintN(64, low), true);
  bytes.setBigUint64(8, BigInt.asUintN(64, high), true);
  append(code, 16);
}

/** Pushes a vector of 16 bytes. */
export function v128Bytes(code: WasmCode, at: (index: number) => number): void {
  code.simd(V128_CONST);
  for (let index = 0; index < 16; index++) code.byte(at(index) & 0xff);
}

/** Pushes a vector of equal 32-bit numbers. */
export function v128Dwords(code: WasmCode, value: number): void {
  v128Bytes(code, (index) => value >>> ((index & 3) * 8));
}

/** Pushes a vector of equal numbers: of singles or doubles. */
export function v128Floats(code: WasmCode, double: boolean, value: number): void {
  if (double) bytes.setFloat64(0, value, true);
  else bytes.setFloat32(0, value, true);
  const mask = double ? 7 : 3;
  code.simd(V128_CONST);
  for (let index = 0; index < 16; index++) code.byte(bytes.getUint8(index & mask));
}

/**
 * Picks elements of `size` bytes from two vectors on the stack.
 * @param lanes one number for each element of the result; those of the second vector follow the first's
 */
export function shuffle(code: WasmCode, size: number, lanes: readonly number[]): void {
  code.simd(I8X16_SHUFFLE);
  for (const lane of lanes) for (let at = 0; at < size; at++) code.byte(lane * size + at);
}
