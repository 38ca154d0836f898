/** Moves of vectors: between registers, from and to memory, from and to general registers. core/sse.ts, core/avx.ts. */
import { type Emitter, HOST } from "./emitter.js";
import type { Instruction } from "./instruction.js";
import {
  F_REXW,
  OP_LOAD32,
  OP_LOAD64,
  OP_LOAD64_HIGH,
  OP_LOAD64_LOW,
  OP_LOAD128,
  OP_LOAD128_ALIGNED,
  OP_MOV128_BACK,
  OP_MOV128_REG,
  OP_MOVD_FROM_GPR,
  OP_MOVD_TO_GPR,
  OP_MOVDDUP,
  OP_MOVHLPS,
  OP_MOVLHPS,
  OP_MOVMSKPD,
  OP_MOVMSKPS,
  OP_MOVNTI,
  OP_MOVQ_BACK,
  OP_MOVQ_FROM_GPR,
  OP_MOVQ_REG,
  OP_MOVQ_TO_GPR,
  OP_MOVSD_BACK,
  OP_MOVSD_REG,
  OP_MOVSHDUP,
  OP_MOVSLDUP,
  OP_MOVSS_BACK,
  OP_MOVSS_REG,
  OP_PMOVMSKB,
  OP_STORE32,
  OP_STORE64,
  OP_STORE64_HIGH,
  OP_STORE128,
  OP_STORE128_ALIGNED,
} from "./operations.js";
import {
  accessMemory,
  eachLane,
  firstSource,
  isVex,
  isWide,
  loadVector,
  popResult,
  pushZero,
  source,
  sourceLow,
  storeVector,
} from "./sse-operands.js";
import * as W from "./wasm-opcodes.js";
import * as S from "./wasm-simd.js";

/** @param op one of SSE's operations, also where the instruction is VEX-encoded */
export function translateMove(e: Emitter, i: Instruction, op: number): boolean {
  const { code } = e;
  switch (op) {
    case OP_MOV128_REG:
    case OP_MOV128_BACK: {
      const [to, from] = op === OP_MOV128_REG ? [i.reg, i.rm] : [i.rm, i.reg];
      code.get(e.xmm(from));
      code.set(e.xmmWritten(to));
      e.facts.move(to, from);
      return true;
    }
    case OP_LOAD128:
    case OP_LOAD128_ALIGNED:
      accessMemory(e, i, 16, false, op === OP_LOAD128_ALIGNED);
      loadVector(e, S.V128_LOAD);
      popResult(e, i);
      return true;
    case OP_STORE128:
    case OP_STORE128_ALIGNED:
      accessMemory(e, i, 16, true, op === OP_STORE128_ALIGNED);
      storeVector(e, e.xmm(i.reg));
      return true;
    case OP_LOAD32:
    case OP_LOAD64:
      e.accessOperand(i, op === OP_LOAD32 ? 4 : 8, false);
      loadVector(e, op === OP_LOAD32 ? S.V128_LOAD32_ZERO : S.V128_LOAD64_ZERO);
      popResult(e, i);
      return true;
    case OP_STORE32:
      e.accessOperand(i, 4, true);
      e.store(4, () => pushLane32(e, i.reg, 0));
      return true;
    case OP_STORE64:
    case OP_STORE64_HIGH:
      e.accessOperand(i, 8, true);
      code.get(HOST);
      code.get(e.xmm(i.reg));
      code.simdLane(S.F64X2_EXTRACT, op === OP_STORE64 ? 0 : 1);
      code.memory(W.F64_STORE, 0);
      return true;
    case OP_LOAD64_LOW:
    case OP_LOAD64_HIGH:
      e.accessOperand(i, 8, false);
      code.get(e.xmm(firstSource(i)));
      code.get(HOST);
      code.memory(W.F64_LOAD, 0);
      code.simdLane(S.F64X2_REPLACE, op === OP_LOAD64_LOW ? 0 : 1);
      popResult(e, i);
      return true;
    case OP_MOVSS_REG:
      code.get(e.xmm(i.rm));
      code.get(e.xmm(firstSource(i)));
      S.shuffle(code, 4, [0, 5, 6, 7]);
      popResult(e, i);
      return true;
    case OP_MOVSS_BACK:
      code.get(e.xmm(i.reg));
      code.get(e.xmm(i.rm));
      S.shuffle(code, 4, [0, 5, 6, 7]);
      code.set(e.xmmWritten(i.rm));
      return true;
    case OP_MOVSD_REG:
      moveDouble(e, i.rm, 0, firstSource(i), 1);
      popResult(e, i);
      return true;
    case OP_MOVSD_BACK:
      moveDouble(e, i.reg, 0, i.rm, 1);
      code.set(e.xmmWritten(i.rm));
      return true;
    case OP_MOVHLPS:
      moveDouble(e, i.rm, 1, firstSource(i), 1);
      popResult(e, i);
      return true;
    case OP_MOVLHPS:
      moveDouble(e, firstSource(i), 0, i.rm, 0);
      popResult(e, i);
      return true;
    case OP_MOVQ_REG:
    case OP_MOVQ_BACK: {
      const [to, from] = op === OP_MOVQ_REG ? [i.reg, i.rm] : [i.rm, i.reg];
      code.get(e.xmm(from));
      pushZero(e);
      S.shuffle(code, 8, [0, 2]);
      popResult(e, i, to);
      return true;
    }
    case OP_MOVD_FROM_GPR:
    case OP_MOVQ_FROM_GPR:
      pushZero(e);
      code.get(e.gpr(i.rm));
      if (op === OP_MOVQ_FROM_GPR) code.simdLane(S.I64X2_REPLACE, 0);
      else {
        code.op(W.I32_WRAP_I64);
        code.simdLane(S.I32X4_REPLACE, 0);
      }
      popResult(e, i);
      return true;
    case OP_MOVD_TO_GPR:
      pushLane32(e, i.reg, 0);
      code.op(W.I64_EXTEND_I32_U);
      code.set(e.gprWritten(i.rm));
      return true;
    case OP_MOVQ_TO_GPR:
      code.get(e.xmm(i.reg));
      code.simdLane(S.I64X2_EXTRACT, 0);
      code.set(e.gprWritten(i.rm));
      return true;
    case OP_MOVNTI: {
      const size = (i.flags & F_REXW) !== 0 ? 8 : 4;
      e.accessOperand(i, size, true);
      e.store(size, () => e.pushRegister(i.reg << 3, size));
      return true;
    }
    case OP_MOVSLDUP:
    case OP_MOVSHDUP: {
      const lanes = op === OP_MOVSLDUP ? [0, 0, 2, 2] : [1, 1, 3, 3];
      eachLane(e, i, source(e, i), (_, b) => {
        code.get(b);
        code.get(b);
        S.shuffle(code, 4, lanes);
      });
      return true;
    }
    case OP_MOVDDUP:
      if (isWide(i)) {
        eachLane(e, i, source(e, i), (_, b) => {
          code.get(b);
          code.get(b);
          S.shuffle(code, 8, [0, 0]);
        });
        return true;
      }
      code.get(sourceLow(e, i, 8));
      code.simdLane(S.I64X2_EXTRACT, 0);
      code.simd(S.I64X2_SPLAT);
      popResult(e, i);
      return true;
    case OP_PMOVMSKB:
    case OP_MOVMSKPS:
    case OP_MOVMSKPD:
      pushBitmask(e, i, op === OP_PMOVMSKB ? S.I8X16_BITMASK : op === OP_MOVMSKPS ? S.I32X4_BITMASK : S.I64X2_BITMASK);
      return true;
    default:
      return false;
  }
}

/** Signs of a register's elements to a general register. */
export function pushBitmask(e: Emitter, i: Instruction, opcode: number): void {
  const { code } = e;
  code.get(e.xmm(i.rm));
  code.simd(opcode);
  if (isVex(i) && isWide(i)) {
    code.get(e.ymmHigh(i.rm));
    code.simd(opcode);
    code.i32(opcode === S.I8X16_BITMASK ? 16 : opcode === S.I32X4_BITMASK ? 4 : 2);
    code.op(W.I32_SHL, W.I32_OR);
  }
  code.op(W.I64_EXTEND_I32_U);
  code.set(e.gprWritten(i.reg));
}

function pushLane32(e: Emitter, number: number, lane: number): void {
  e.code.get(e.xmm(number));
  e.code.simdLane(S.I32X4_EXTRACT, lane);
}

// Pushes a register of two doubles of others, by register and lane.
function moveDouble(e: Emitter, low: number, lowLane: number, high: number, highLane: number): void {
  e.code.get(e.xmm(low));
  e.code.get(e.xmm(high));
  S.shuffle(e.code, 8, [lowLane, 2 + highLane]);
}
