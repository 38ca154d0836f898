/** Vector instructions that SSE lacks, and those that differ. core/avx.ts, core/avx-permute.ts. */
import * as L from "../layout.js";
import { CPU, type Emitter, V128_C } from "./emitter.js";
import type { Instruction } from "./instruction.js";
import {
  F_LONG,
  OP_VBLENDVPD,
  OP_VBLENDVPS,
  OP_VBROADCAST8,
  OP_VBROADCAST16,
  OP_VBROADCAST32,
  OP_VBROADCAST64,
  OP_VBROADCAST128,
  OP_VEXTRACT128,
  OP_VINSERT128,
  OP_VLOAD,
  OP_VLOAD_ALIGNED,
  OP_VMOV,
  OP_VMOVMSKPD,
  OP_VMOVMSKPS,
  OP_VPBLENDD,
  OP_VPBLENDVB,
  OP_VPERM2X128,
  OP_VPERMD,
  OP_VPERMILPD,
  OP_VPERMILPD_IMM,
  OP_VPERMILPS,
  OP_VPERMQ,
  OP_VPMOVMSKB,
  OP_VPSLLVD,
  OP_VPSLLVQ,
  OP_VPSRAVD,
  OP_VPSRLVD,
  OP_VPSRLVQ,
  OP_VPTEST,
  OP_VSTMXCSR,
  OP_VSTORE,
  OP_VSTORE_ALIGNED,
  OP_VTESTPD,
  OP_VTESTPS,
  OP_VZEROALL,
  OP_VZEROUPPER,
} from "./operations.js";
import { pushBitmask } from "./sse-move.js";
import {
  accessMemory,
  clearHigh,
  eachLane,
  firstSource,
  type Halves,
  immediate8,
  isRegister,
  isWide,
  loadVector,
  pushZero,
  source,
  sourceLow,
  storeVector,
} from "./sse-operands.js";
import { pushSigns, setTestFlags } from "./sse-shuffle.js";
import * as W from "./wasm-opcodes.js";
import * as S from "./wasm-simd.js";

/** Translates an operation from OPS_AVX_OWN on. False: this operation is the core's. */
export function translateAvx(e: Emitter, i: Instruction): boolean {
  const { code } = e;
  const wide = isWide(i);
  switch (i.op) {
    case OP_VZEROUPPER:
      e.zeroUpperHalves((i.flags & F_LONG) !== 0 ? 16 : 8);
      return true;
    case OP_VZEROALL:
      for (let n = 0; n < ((i.flags & F_LONG) !== 0 ? 16 : 8); n++) {
        pushZero(e);
        code.set(e.xmmWritten(n));
      }
      e.zeroUpperHalves((i.flags & F_LONG) !== 0 ? 16 : 8);
      return true;
    case OP_VMOV:
      code.get(e.xmm(i.rm));
      code.set(e.xmmWritten(i.reg));
      e.facts.move(i.reg, i.rm);
      if (wide) {
        code.get(e.ymmHigh(i.rm));
        code.set(e.ymmHighWritten(i.reg));
      } else clearHigh(e, i.reg);
      return true;
    case OP_VLOAD:
    case OP_VLOAD_ALIGNED:
      accessMemory(e, i, wide ? 32 : 16, false, i.op === OP_VLOAD_ALIGNED);
      loadVector(e, S.V128_LOAD);
      code.set(e.xmmWritten(i.reg));
      if (wide) {
        loadVector(e, S.V128_LOAD, 16);
        code.set(e.ymmHighWritten(i.reg));
      } else clearHigh(e, i.reg);
      return true;
    case OP_VSTORE:
    case OP_VSTORE_ALIGNED:
      accessMemory(e, i, wide ? 32 : 16, true, i.op === OP_VSTORE_ALIGNED);
      storeVector(e, e.xmm(i.reg));
      if (wide) storeVector(e, e.ymmHigh(i.reg), 16);
      return true;
    case OP_VPMOVMSKB:
      pushBitmask(e, i, S.I8X16_BITMASK);
      return true;
    case OP_VMOVMSKPS:
      pushBitmask(e, i, S.I32X4_BITMASK);
      return true;
    case OP_VMOVMSKPD:
      pushBitmask(e, i, S.I64X2_BITMASK);
      return true;
    case OP_VPTEST:
    case OP_VTESTPS:
    case OP_VTESTPD: {
      const b = source(e, i);
      if (!e.flagsLive) return true;
      const lanes: [number, number][] = [[e.xmm(i.reg), b.low]];
      if (wide) lanes.push([e.ymmHigh(i.reg), b.high]);
      const signs = 1n << 63n;
      const mask = () => (i.op === OP_VTESTPD ? S.v128(code, signs, signs) : S.v128Dwords(code, 0x8000_0000));
      setTestFlags(e, lanes, i.op === OP_VPTEST ? null : mask);
      return true;
    }
    case OP_VSTMXCSR:
      e.accessOperand(i, 4, true);
      e.store(4, () => {
        code.get(CPU);
        code.memory(W.I32_LOAD, L.MXCSR);
      });
      return true;
    case OP_VBROADCAST8:
      return broadcast(e, i, 1, S.V128_LOAD8_SPLAT);
    case OP_VBROADCAST16:
      return broadcast(e, i, 2, S.V128_LOAD16_SPLAT);
    case OP_VBROADCAST32:
      return broadcast(e, i, 4, S.V128_LOAD32_SPLAT);
    case OP_VBROADCAST64:
      return broadcast(e, i, 8, S.V128_LOAD64_SPLAT);
    case OP_VBROADCAST128:
      return broadcast(e, i, 16, S.V128_LOAD);
    default:
      return permute(e, i) || translateLanes(e, i);
  }
}

// The low element of a register, or memory, to all elements.
function broadcast(e: Emitter, i: Instruction, size: number, opcode: number): boolean {
  const { code } = e;
  if (isRegister(i)) {
    code.get(e.xmm(i.rm));
    code.get(e.xmm(i.rm));
    S.shuffle(code, size, new Array(16 / size).fill(0));
  } else {
    e.accessOperand(i, size, false);
    loadVector(e, opcode);
  }
  if (!isWide(i)) {
    code.set(e.xmmWritten(i.reg));
    clearHigh(e, i.reg);
    return true;
  }
  const low = e.xmmWritten(i.reg);
  code.set(low);
  code.get(low);
  code.set(e.ymmHighWritten(i.reg));
  return true;
}

// Pops the upper half of a result, then the lower one.
function popBoth(e: Emitter, i: Instruction): void {
  e.code.set(e.ymmHighWritten(i.reg));
  e.code.set(e.xmmWritten(i.reg));
}

// ---- Moves between lanes.

function permute(e: Emitter, i: Instruction): boolean {
  const { code } = e;
  const imm = immediate8(i);
  switch (i.op) {
    case OP_VINSERT128: {
      const b = sourceLow(e, i, 16);
      const first = firstSource(i);
      code.get((imm & 1) !== 0 ? e.xmm(first) : b);
      code.get((imm & 1) !== 0 ? b : e.ymmHigh(first));
      popBoth(e, i);
      return true;
    }
    case OP_VEXTRACT128: {
      const from = (imm & 1) !== 0 ? e.ymmHigh(i.reg) : e.xmm(i.reg);
      if (!isRegister(i)) {
        e.accessOperand(i, 16, true);
        storeVector(e, from);
        return true;
      }
      code.get(from);
      code.set(e.xmmWritten(i.rm));
      clearHigh(e, i.rm);
      return true;
    }
    case OP_VPERM2X128: {
      const b = source(e, i);
      const first = firstSource(i);
      for (const control of [imm & 15, imm >> 4]) {
        if ((control & 8) !== 0) pushZero(e);
        else if ((control & 2) !== 0) code.get((control & 1) !== 0 ? b.high : b.low);
        else code.get((control & 1) !== 0 ? e.ymmHigh(first) : e.xmm(first));
      }
      popBoth(e, i);
      return true;
    }
    case OP_VPERMQ: {
      const b = source(e, i);
      for (const fields of [imm & 15, imm >> 4]) {
        code.get(b.low);
        code.get(b.high);
        S.shuffle(code, 8, [fields & 3, fields >> 2]);
      }
      popBoth(e, i);
      return true;
    }
    case OP_VPERMD: {
      const b = source(e, i);
      const indexes = firstSource(i);
      pickDwords(e, b, e.xmm(indexes));
      pickDwords(e, b, e.ymmHigh(indexes));
      popBoth(e, i);
      return true;
    }
    default:
      return false;
  }
}

// Pushes the dwords of both halves that the low three bits of the indexes name.
function pickDwords(e: Emitter, from: Halves, indexes: number): void {
  const { code } = e;
  pushByteIndexes(e, indexes, 7);
  code.set(e.temporary(V128_C));
  code.get(from.low);
  code.get(V128_C);
  code.simd(S.I8X16_SWIZZLE);
  code.get(from.high);
  code.get(V128_C);
  S.v128Dwords(code, 0x10101010);
  code.simd(S.I8X16_SUB);
  code.simd(S.I8X16_SWIZZLE);
  code.simd(S.V128_OR);
}

// Pushes the numbers of the bytes of dwords.
function pushByteIndexes(e: Emitter, indexes: number, mask: number): void {
  const { code } = e;
  code.get(indexes);
  S.v128Dwords(code, mask);
  code.simd(S.V128_AND);
  S.v128Dwords(code, 0x04040404);
  code.simd(S.I32X4_MUL);
  S.v128Dwords(code, 0x03020100);
  code.simd(S.I32X4_ADD);
}

// ---- Lane by lane.

function translateLanes(e: Emitter, i: Instruction): boolean {
  const { code } = e;
  const imm = immediate8(i);
  switch (i.op) {
    case OP_VPERMILPS:
      eachLane(e, i, source(e, i), (a, b) => {
        code.get(a);
        pushByteIndexes(e, b, 3);
        code.simd(S.I8X16_SWIZZLE);
      });
      return true;
    case OP_VPERMILPD:
      eachLane(e, i, source(e, i), (a, b) => {
        for (const lanes of [
          [1, 1],
          [0, 0],
        ]) {
          code.get(a);
          code.get(a);
          S.shuffle(code, 8, lanes);
        }
        code.get(b);
        code.i32(62);
        code.simd(S.I64X2_SHL);
        pushSigns(e, 8);
        code.simd(S.V128_BITSELECT);
      });
      return true;
    case OP_VPERMILPD_IMM:
      eachLane(e, i, source(e, i), (_, b, lane) => {
        code.get(b);
        code.get(b);
        S.shuffle(code, 8, [(imm >> (2 * lane)) & 1, (imm >> (2 * lane + 1)) & 1]);
      });
      return true;
    case OP_VPBLENDD:
      eachLane(e, i, source(e, i), (a, b, lane) => {
        code.get(a);
        code.get(b);
        S.shuffle(
          code,
          4,
          [0, 1, 2, 3].map((n) => n + ((imm >> (4 * lane + n)) & 1) * 4),
        );
      });
      return true;
    case OP_VPBLENDVB:
      return blendByRegister(e, i, 1);
    case OP_VBLENDVPS:
      return blendByRegister(e, i, 4);
    case OP_VBLENDVPD:
      return blendByRegister(e, i, 8);
    case OP_VPSRLVD:
    case OP_VPSRAVD:
    case OP_VPSLLVD:
      eachLane(e, i, source(e, i), (a, b) => shiftDwords(e, i.op, a, b));
      return true;
    case OP_VPSRLVQ:
    case OP_VPSLLVQ:
      eachLane(e, i, source(e, i), (a, b) => shiftQuads(e, i.op === OP_VPSLLVQ, a, b));
      return true;
    default:
      return false;
  }
}

// By the register in the immediate's upper four bits.
function blendByRegister(e: Emitter, i: Instruction, size: number): boolean {
  const { code } = e;
  const mask = (immediate8(i) >> 4) & ((i.flags & F_LONG) !== 0 ? 15 : 7);
  const b = source(e, i);
  const wide = isWide(i);
  const first = firstSource(i);
  const push = (second: number, other: number, signs: number) => {
    code.get(second);
    code.get(other);
    code.get(signs);
    pushSigns(e, size);
    code.simd(S.V128_BITSELECT);
  };
  push(b.low, e.xmm(first), e.xmm(mask));
  if (!wide) {
    code.set(e.xmmWritten(i.reg));
    clearHigh(e, i.reg);
    return true;
  }
  push(b.high, e.ymmHigh(first), e.ymmHigh(mask));
  popBoth(e, i);
  return true;
}

// Pushes the dwords of a shifted by those of b: the sign, or zero, where the count is 32 or more.
function shiftDwords(e: Emitter, op: number, a: number, b: number): void {
  const { code } = e;
  pushZero(e);
  for (let lane = 0; lane < 4; lane++) {
    const element = (local: number) => {
      code.get(local);
      code.simdLane(S.I32X4_EXTRACT, lane);
    };
    const overflows = () => {
      element(b);
      code.i32(32);
      code.op(W.I32_LT_U);
    };
    element(a);
    if (op === OP_VPSRAVD) {
      element(b);
      code.i32(31);
      overflows();
      code.op(W.SELECT, W.I32_SHR_S);
    } else {
      element(b);
      code.op(op === OP_VPSLLVD ? W.I32_SHL : W.I32_SHR_U);
      code.i32(0);
      overflows();
      code.op(W.SELECT);
    }
    code.simdLane(S.I32X4_REPLACE, lane);
  }
}

function shiftQuads(e: Emitter, left: boolean, a: number, b: number): void {
  const { code } = e;
  pushZero(e);
  for (let lane = 0; lane < 2; lane++) {
    const element = (local: number) => {
      code.get(local);
      code.simdLane(S.I64X2_EXTRACT, lane);
    };
    element(a);
    element(b);
    code.op(left ? W.I64_SHL : W.I64_SHR_U);
    code.i64(0);
    element(b);
    code.i64(64);
    code.op(W.I64_LT_U, W.SELECT);
    code.simdLane(S.I64X2_REPLACE, lane);
  }
}
