/** Names for the numbers in a region's body: its locals, the functions that it calls, the fields of the state block. */
import * as L from "../layout.js";
import * as E from "./emitter.js";
import {
  IMPORT_CALL,
  IMPORT_CARRY,
  IMPORT_CONDITION,
  IMPORT_EXECUTE,
  IMPORT_READ,
  IMPORT_WRITE,
} from "./region-module.js";

const REGISTERS = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split(" ");

const LOCALS = new Map<number, string>([
  [E.CPU, "cpu"],
  [E.BASE, "base"],
  [E.TLB, "tlb"],
  [E.ENTRY, "entry"],
  [E.HOST, "host"],
  [E.CC_OP, "cc_op"],
  [E.STATUS, "status"],
  [E.I32_A, "i32_a"],
  [E.I32_B, "i32_b"],
  [E.I32_C, "i32_c"],
  [E.REMAINING, "remaining"],
  [E.RIP, "rip"],
  [E.CC_RESULT, "cc_result"],
  [E.CC_SRC1, "cc_src1"],
  [E.CC_SRC2, "cc_src2"],
  [E.LINEAR, "linear"],
  [E.I64_A, "i64_a"],
  [E.I64_B, "i64_b"],
  [E.I64_C, "i64_c"],
  [E.I64_D, "i64_d"],
  [E.F64_A, "f64_a"],
  [E.F64_B, "f64_b"],
  [E.F64_C, "f64_c"],
  [E.F32_A, "f32_a"],
  [E.F32_B, "f32_b"],
  [E.F32_C, "f32_c"],
  [E.V128_A, "v128_a"],
  [E.V128_B, "v128_b"],
  [E.V128_C, "v128_c"],
  [E.V128_D, "v128_d"],
  ...REGISTERS.flatMap((name, index): [number, string][] => [
    [E.GPR + index, name],
    [E.XMM + index, `xmm${index}`],
    [E.YMM_HIGH + index, `ymm${index}_high`],
  ]),
]);

const FUNCTIONS = new Map<number, string>([
  [IMPORT_READ, "read"],
  [IMPORT_WRITE, "write"],
  [IMPORT_EXECUTE, "execute"],
  [IMPORT_CONDITION, "condition"],
  [IMPORT_CARRY, "carry"],
  [IMPORT_CALL, "call"],
]);

const SEGMENTS = "es cs ss ds fs gs".split(" ");

const FIELDS = new Map<number, string>([
  ...REGISTERS.flatMap((name, index): [number, string][] => [
    [L.GPR + index * 8, name],
    [L.XMM + index * 32, `xmm${index}`],
    [L.XMM + index * 32 + 16, `ymm${index}_high`],
  ]),
  ...SEGMENTS.map((name, index): [number, string] => [L.SEGMENTS + index * L.SEG_BYTES + L.SEG_BASE, `${name}.base`]),
  [L.BLOCK_RIP, "BLOCK_RIP"],
  [L.RIP, "RIP"],
  [L.RFLAGS, "RFLAGS"],
  [L.CC_RESULT, "CC_RESULT"],
  [L.CC_SRC1, "CC_SRC1"],
  [L.CC_SRC2, "CC_SRC2"],
  [L.CC_OP, "CC_OP"],
  [L.CUR_REC, "CUR_REC"],
  [L.TLB, "TLB"],
  [L.REMAINING, "REMAINING"],
  [L.EXIT_REQUEST, "EXIT_REQUEST"],
  [L.MXCSR, "MXCSR"],
  [L.SSE_BLOCKED, "SSE_BLOCKED"],
  [L.AVX_BLOCKED, "AVX_BLOCKED"],
  [L.FPU_BLOCKED, "FPU_BLOCKED"],
]);

export const REGION_NAMES = {
  local: (index: number): string | undefined => LOCALS.get(index),
  function: (index: number): string | undefined => FUNCTIONS.get(index),
  field: (offset: number): string | undefined => FIELDS.get(offset),
};
