/** Shuffles, insertions, extractions, blends, extensions and PTEST. core/sse-shuffle.ts. */
import { CC_SRC1, type Emitter } from "./emitter.js";
import { setBits } from "./flags.js";
import type { Instruction } from "./instruction.js";
import {
  AVX_KIND_SHIFT,
  AVX_WIDEN,
  OP_BLENDPD,
  OP_BLENDPS,
  OP_BLENDVPD,
  OP_BLENDVPS,
  OP_INSERTPS,
  OP_PALIGNR,
  OP_PBLENDVB,
  OP_PBLENDW,
  OP_PEXTRB,
  OP_PEXTRD,
  OP_PEXTRQ,
  OP_PEXTRW,
  OP_PEXTRW_REG,
  OP_PINSRB,
  OP_PINSRD,
  OP_PINSRQ,
  OP_PINSRW,
  OP_PSHUFD,
  OP_PSHUFHW,
  OP_PSHUFLW,
  OP_PTEST,
  OP_SHUFPD,
  OP_SHUFPS,
  OPS_PMOVX,
} from "./operations.js";
import {
  eachLane,
  firstSource,
  immediate8,
  isRegister,
  isVex,
  isWide,
  popResult,
  pushZero,
  source,
  sourceLow,
} from "./sse-operands.js";
import * as W from "./wasm-opcodes.js";
import * as S from "./wasm-simd.js";

/** Bits 2n and 2n + 1 of a number. */
const pair = (bits: number, n: number) => (bits >> (2 * n)) & 3;
const bit = (bits: number, n: number) => (bits >> n) & 1;
const indexes = (count: number) => Array.from({ length: count }, (_, index) => index);

/** @param op one of SSE's operations, also where the instruction is VEX-encoded */
export function translateShuffle(e: Emitter, i: Instruction, op: number): boolean {
  const { code } = e;
  const imm = immediate8(i);
  switch (op) {
    case OP_PSHUFD:
      eachLane(e, i, source(e, i), (_, b) => {
        code.get(b);
        code.get(b);
        S.shuffle(
          code,
          4,
          indexes(4).map((n) => pair(imm, n)),
        );
      });
      return true;
    case OP_PSHUFHW:
    case OP_PSHUFLW: {
      const from = op === OP_PSHUFHW ? 4 : 0;
      const lanes = indexes(8).map((n) => ((n & 4) === from ? from + pair(imm, n & 3) : n));
      eachLane(e, i, source(e, i), (_, b) => {
        code.get(b);
        code.get(b);
        S.shuffle(code, 2, lanes);
      });
      return true;
    }
    case OP_SHUFPS:
      eachLane(e, i, source(e, i), (a, b) => {
        code.get(a);
        code.get(b);
        S.shuffle(
          code,
          4,
          indexes(4).map((n) => pair(imm, n) + (n & 2 ? 4 : 0)),
        );
      });
      return true;
    case OP_SHUFPD:
      eachLane(e, i, source(e, i), (a, b, lane) => {
        code.get(a);
        code.get(b);
        S.shuffle(code, 8, [bit(imm, 2 * lane), 2 + bit(imm, 2 * lane + 1)]);
      });
      return true;
    case OP_PALIGNR:
      eachLane(e, i, source(e, i), (a, b) => alignBytes(e, a, b, imm));
      return true;
    case OP_BLENDPS:
    case OP_BLENDPD:
    case OP_PBLENDW: {
      const size = op === OP_BLENDPS ? 4 : op === OP_BLENDPD ? 8 : 2;
      const count = 16 / size;
      eachLane(e, i, source(e, i), (a, b, lane) => {
        const mask = size === 2 ? imm : imm >> (count * lane);
        code.get(a);
        code.get(b);
        S.shuffle(
          code,
          size,
          indexes(count).map((n) => n + (bit(mask, n) ? count : 0)),
        );
      });
      return true;
    }
    case OP_PBLENDVB:
    case OP_BLENDVPS:
    case OP_BLENDVPD: {
      const b = source(e, i);
      code.get(b.low);
      code.get(e.xmm(i.reg));
      code.get(e.xmm(0));
      pushSigns(e, op === OP_PBLENDVB ? 1 : op === OP_BLENDVPS ? 4 : 8);
      code.simd(S.V128_BITSELECT);
      popResult(e, i);
      return true;
    }
    case OP_PTEST: {
      const b = source(e, i);
      if (e.flagsLive) setTestFlags(e, [[e.xmm(i.reg), b.low]], null);
      return true;
    }
    case OP_PINSRB:
      return insert(e, i, 1, S.I8X16_REPLACE, imm & 15);
    case OP_PINSRW:
      return insert(e, i, 2, S.I16X8_REPLACE, imm & 7);
    case OP_PINSRD:
      return insert(e, i, 4, S.I32X4_REPLACE, imm & 3);
    case OP_PINSRQ:
      return insert(e, i, 8, S.I64X2_REPLACE, imm & 1);
    case OP_INSERTPS:
      return insertSingle(e, i, imm);
    case OP_PEXTRW_REG:
      code.get(e.xmm(i.rm));
      code.simdLane(S.I16X8_EXTRACT_U, imm & 7);
      code.op(W.I64_EXTEND_I32_U);
      code.set(e.gprWritten(i.reg));
      return true;
    case OP_PEXTRB:
      return extract(e, i, 1, S.I8X16_EXTRACT_U, imm & 15);
    case OP_PEXTRW:
      return extract(e, i, 2, S.I16X8_EXTRACT_U, imm & 7);
    case OP_PEXTRD:
      return extract(e, i, 4, S.I32X4_EXTRACT, imm & 3);
    case OP_PEXTRQ:
      return extract(e, i, 8, S.I64X2_EXTRACT, imm & 1);
    default:
      return op >= OPS_PMOVX && op < OPS_PMOVX + 0x20 && extend(e, i, op - OPS_PMOVX);
  }
}

/** Pops a vector, pushes all ones in the elements whose top bit is set. */
export function pushSigns(e: Emitter, size: number): void {
  e.code.i32(8 * size - 1);
  e.code.simd(size === 1 ? S.I8X16_SHR_S : size === 4 ? S.I32X4_SHR_S : S.I64X2_SHR_S);
}

/**
 * ZF: no bit is in both operands; CF: none is in the second alone. The other flags are clear.
 * @param pairs locals of the first and the second operand, by lane
 * @param pushMask pushes the bits that count
 */
export function setTestFlags(
  e: Emitter,
  pairs: readonly (readonly [number, number])[],
  pushMask: (() => void) | null,
): void {
  const { code } = e;
  const any = (opcode: number) => {
    pairs.forEach(([a, b], lane) => {
      code.get(b);
      code.get(a);
      code.simd(opcode);
      if (pushMask !== null) {
        pushMask();
        code.simd(S.V128_AND);
      }
      if (lane > 0) code.simd(S.V128_OR);
    });
    code.simd(S.V128_ANY_TRUE);
    code.op(W.I32_EQZ);
  };
  any(S.V128_AND);
  code.i32(6);
  code.op(W.I32_SHL);
  any(S.V128_ANDNOT);
  code.op(W.I32_OR, W.I64_EXTEND_I32_U);
  code.set(CC_SRC1);
  setBits(e);
}

// Bytes n to n + 15 of b followed by a, followed by zeros.
function alignBytes(e: Emitter, a: number, b: number, n: number): void {
  const { code } = e;
  if (n >= 32) {
    pushZero(e);
    return;
  }
  if (n >= 16) {
    code.get(a);
    pushZero(e);
  } else {
    code.get(b);
    code.get(a);
  }
  S.shuffle(
    code,
    1,
    indexes(16).map((lane) => lane + (n & 15)),
  );
}

// A general register's low bytes, or memory, to an element.
function insert(e: Emitter, i: Instruction, size: number, opcode: number, lane: number): boolean {
  const { code } = e;
  if (!isRegister(i)) e.accessOperand(i, size, false);
  code.get(e.xmm(firstSource(i)));
  if (isRegister(i)) {
    code.get(e.gpr(i.rm));
    if (size !== 8) code.op(W.I32_WRAP_I64);
  } else e.load(size);
  code.simdLane(opcode, lane);
  popResult(e, i);
  return true;
}

function extract(e: Emitter, i: Instruction, size: number, opcode: number, lane: number): boolean {
  const { code } = e;
  const push = () => {
    code.get(e.xmm(i.reg));
    code.simdLane(opcode, lane);
  };
  if (isRegister(i)) {
    push();
    if (size !== 8) code.op(W.I64_EXTEND_I32_U);
    code.set(e.gprWritten(i.rm));
    return true;
  }
  e.accessOperand(i, size, true);
  e.store(size, push);
  return true;
}

function insertSingle(e: Emitter, i: Instruction, imm: number): boolean {
  const { code } = e;
  if (!isRegister(i)) e.accessOperand(i, 4, false);
  code.get(e.xmm(firstSource(i)));
  if (isRegister(i)) {
    code.get(e.xmm(i.rm));
    code.simdLane(S.I32X4_EXTRACT, imm >> 6);
  } else e.load(4);
  code.simdLane(S.I32X4_REPLACE, pair(imm, 2));
  if ((imm & 15) !== 0) {
    S.v128Bytes(code, (index) => (bit(imm, index >> 2) ? 0 : 0xff));
    code.simd(S.V128_AND);
  }
  popResult(e, i);
  return true;
}

/** By the low four bits of the opcode: bytes of the source, the extensions one after the other. */
const EXTENSIONS: readonly (readonly [bytes: number, ...steps: readonly number[]])[] = [
  [8, 0],
  [4, 0, 1],
  [2, 0, 1, 2],
  [8, 1],
  [4, 1, 2],
  [8, 2],
];
const EXTEND_SIGNED = [S.I16X8_EXTEND_LOW_S, S.I32X4_EXTEND_LOW_S, S.I64X2_EXTEND_LOW_S];
const EXTEND_UNSIGNED = [S.I16X8_EXTEND_LOW_U, S.I32X4_EXTEND_LOW_U, S.I64X2_EXTEND_LOW_U];

// PMOVSX and PMOVZX.
function extend(e: Emitter, i: Instruction, which: number): boolean {
  const entry = EXTENSIONS[which & 15];
  if (entry === undefined) return false;
  const { code } = e;
  const [bytes, ...steps] = entry;
  const opcodes = (which & 16) !== 0 ? EXTEND_UNSIGNED : EXTEND_SIGNED;
  const push = () => {
    for (const step of steps) code.simd(opcodes[step]);
  };
  if (!isWide(i) || ((i.aux >> AVX_KIND_SHIFT) & 15) !== AVX_WIDEN || !isVex(i)) {
    code.get(sourceLow(e, i, bytes));
    push();
    popResult(e, i);
    return true;
  }
  // Twice as many bytes: the second half comes from the bytes behind the first's.
  const b = sourceLow(e, i, bytes * 2);
  code.get(b);
  code.get(b);
  S.shuffle(
    code,
    1,
    indexes(16).map((lane) => (lane + bytes) & 15),
  );
  push();
  code.set(e.ymmHighWritten(i.reg));
  code.get(b);
  push();
  code.set(e.xmmWritten(i.reg));
  return true;
}
