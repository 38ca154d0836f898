// The main loop: blocks of predecoded records. Hot operations are cases of one switch; the others go to
// their groups. See blocks.ts for how blocks are made and given up.
import {
  BLOCK_RIP, CC_OP, CC_RESULT, CC_SRC1, CC_SRC2, CUR_REC, EXC_PENDING, EXIT_BUDGET, EXIT_REASON, EXIT_REQUEST, MODE,
  REMAINING, RFLAGS, RIP, STEPPING, TLB,
} from "../layout";
import { ADC, ADD, AND, OR, SBB, SUB, XOR, decrement, increment, negate, put } from "./alu";
import {
  BLOCK_COUNT, BLOCK_HEADER, BLOCK_KEY, BLOCK_NEXT, BLOCK_SECOND_PAGE, LINK_NEXT, LINK_TARGET, MAX_INSTRUCTIONS, bucketOf,
  findBlock, singleBlock,
} from "./blocks";
import { effectiveOffset } from "./ea";
import { ATTENTION_LEAVE, ATTENTION_STEP, attention, beforeInstruction, deliverPending, stepTrap } from "./events";
import { UD, raise, raiseGP } from "./exceptions";
import { CC_SUB, SF, ZF, condition } from "./flags";
import {
  RDX, RSP, aluMI, aluMR, aluRI, aluRM, aluRR, cmov, compareJump, compareMI, compareMR, compareRI, compareRM, compareRR,
  decM, incM, leave64, mem, movMI, movMR, movRI, movRM, movRR, pop64, push64, putRm, reg, regAt, rm, rmAt, testJump,
  testMI, testMR, testRI, testRR,
} from "./forms";
import { execFpuState } from "./fpu-state";
import { execInteger } from "./integer";
import { TLB_ADDEND, TLB_FETCH, read64, tlbEntry } from "./memory";
import { canonical } from "./mmu";
import { MODE_64, MODE_CS_LIMITED, MODE_SIZE } from "./mode-bits";
import { OPS_FPU_STATE, OPS_SSE, OPS_SYSTEM, OPS_X87 } from "./ops";
import {
  OP_ALU_MI, OP_ALU_MR, OP_ALU_RI, OP_ALU_RM, OP_ALU_RR, OP_CALL64, OP_CALL64_M, OP_CALL64_R, OP_CDQ, OP_CDQE,
  OP_CMOV, OP_CMP32_MI_JCC, OP_CMP32_RI_JCC, OP_CMP32_RM_JCC, OP_CMP32_RR_JCC, OP_CMP64_MI_JCC, OP_CMP64_RI_JCC,
  OP_CMP64_RM_JCC, OP_CMP64_RR_JCC, OP_CMP8_MI_JCC, OP_CMP8_RI_JCC, OP_CMP8_RR_JCC, OP_CQO, OP_DEC_M, OP_DEC_R,
  OP_END, OP_IMUL, OP_IMUL_I, OP_INC_M, OP_INC_R, OP_JCC, OP_JCXZ, OP_JMP, OP_JMP64_M, OP_JMP64_R, OP_LEA, OP_LEAVE64,
  OP_MOVS, OP_MOVSX16_32, OP_MOVSX16_64, OP_MOVSX32_64, OP_MOVSX8_32, OP_MOVSX8_64, OP_MOVZX16, OP_MOVZX8, OP_MOV_MI,
  OP_MOV_MR, OP_MOV_RI, OP_MOV_RM, OP_MOV_RR, OP_NEAR_FIRST, OP_NEG_R, OP_NOP, OP_NOT_R, OP_POP64_R, OP_PUSH64_I,
  OP_PUSH64_M, OP_PUSH64_R, OP_RELOOKUP, OP_RET64, OP_ROL_I, OP_ROR_I, OP_SAR_CL, OP_SAR_I, OP_SCAS, OP_SETCC_R,
  OP_SHL_CL, OP_SHL_I, OP_SHR_CL, OP_SHR_I, OP_TEST32_RI_JCC, OP_TEST32_RR_JCC, OP_TEST64_RR_JCC, OP_TEST8_MI_JCC,
  OP_TEST8_RI_JCC, OP_TEST8_RR_JCC, OP_TEST_MI, OP_TEST_MR, OP_TEST_RI, OP_TEST_RR, OP_UD,
} from "./ops-integer";
import { REC_AUX, REC_BYTES, REC_DISP, REC_IMM, REC_IPOFF, REC_LEN, REC_OP, REC_SCALE, REC_SEQ } from "./record";
import {
  SAR, SHL, SHR, multiply32, multiply64, rotateLeft, rotateRight, shiftArithmetic, shiftByCl, shiftLeft, shiftRight,
} from "./shift";
import { execSse } from "./sse";
import { execString } from "./strings";
import { execSystem } from "./system";
import { execX87 } from "./x87";

// ---- Conditions that mostly follow a compare, without materializing flags.

// @ts-ignore: decorator
@inline
function isZero(cpu: usize): bool {
  if (load<u32>(cpu, CC_OP) != 0) return load<u64>(cpu, CC_RESULT) == 0;
  return (load<u64>(cpu, RFLAGS) & ZF) != 0;
}
// @ts-ignore: decorator
@inline
function isSign(cpu: usize): bool {
  const op = load<u32>(cpu, CC_OP);
  if (op != 0) return ((load<u64>(cpu, CC_RESULT) >> ((8 << (op & 3)) - 1)) & 1) != 0;
  return (load<u64>(cpu, RFLAGS) & SF) != 0;
}
// @ts-ignore: decorator
@inline
function isBelow(cpu: usize): bool {
  if (load<u32>(cpu, CC_OP) >> 2 == CC_SUB) return load<u64>(cpu, CC_SRC1) < load<u64>(cpu, CC_SRC2);
  return condition(cpu, 2);
}
// @ts-ignore: decorator
@inline
function isBelowOrEqual(cpu: usize): bool {
  if (load<u32>(cpu, CC_OP) >> 2 == CC_SUB) return load<u64>(cpu, CC_SRC1) <= load<u64>(cpu, CC_SRC2);
  return condition(cpu, 6);
}
// @ts-ignore: decorator
@inline
function isLess(cpu: usize): bool {
  const op = load<u32>(cpu, CC_OP);
  if (op >> 2 == CC_SUB) {
    const shift = <i64>(64 - (8 << (op & 3)));
    return <i64>(load<u64>(cpu, CC_SRC1) << shift) < <i64>(load<u64>(cpu, CC_SRC2) << shift);
  }
  return condition(cpu, 12);
}
// @ts-ignore: decorator
@inline
function isLessOrEqual(cpu: usize): bool {
  const op = load<u32>(cpu, CC_OP);
  if (op >> 2 == CC_SUB) {
    const shift = <i64>(64 - (8 << (op & 3)));
    return <i64>(load<u64>(cpu, CC_SRC1) << shift) <= <i64>(load<u64>(cpu, CC_SRC2) << shift);
  }
  return condition(cpu, 14);
}

// ---- Instruction pointers.

// @ts-ignore: decorator
@inline
function isLong(cpu: usize): bool {
  return (load<u32>(cpu, MODE) & MODE_SIZE) == MODE_64;
}
// @ts-ignore: decorator
@inline
function ripAfter(cpu: usize, rec: usize): u64 {
  return load<u64>(cpu, BLOCK_RIP) + <u64>load<u16>(rec, REC_IPOFF) + <u64>load<u8>(rec, REC_LEN);
}
// Outside 64-bit mode, a distance past 4 GiB wraps.
// @ts-ignore: decorator
@inline
function wrap(cpu: usize, rip: u64): u64 {
  return isLong(cpu) ? rip : rip & 0xffffffff;
}
// #GP at the running instruction for a target that is not canonical.
// @ts-ignore: decorator
@inline
function checkCanonical(cpu: usize, target: u64): void {
  if (<u64>((<i64>target << 16) >> 16) != target && !canonical(cpu, target)) raiseGP(cpu);
}

// The target of a direct jump that is not linked. The record may be the second of a fused pair.
function directTarget(cpu: usize, rec: usize, target: u64): u64 {
  store<u32>(cpu, <u32>rec, CUR_REC);
  if (!isLong(cpu)) return target & 0xffffffff;
  checkCanonical(cpu, target);
  return target;
}

// ---- The loop.

// How a block ended.
const NOT_TAKEN: u32 = 0; // a conditional jump's next instruction
const TAKEN: u32 = 1; // a direct jump's target
const INDIRECT: u32 = 2; // at `target`
const SETTLED: u32 = 3; // RIP and the budget are right already

/** Runs until EXIT_REASON is set. May unwind, and is called again then. */
export function run(cpu: usize): void {
  store<u32>(cpu, 0, STEPPING);
  if (load<u32>(cpu, EXC_PENDING) != 0) {
    deliverPending(cpu);
    if (load<u32>(cpu, EXIT_REASON) != 0) return;
  }
  // The place in a jump's record that may remember the block found next, or 0.
  let link: usize = 0;
  while (true) {
    let rec: usize = 0;
    // EXIT_REQUEST and INTERRUPT_CHECK at once.
    if (load<u64>(cpu, EXIT_REQUEST) != 0 || load<i64>(cpu, REMAINING) < <i64>MAX_INSTRUCTIONS) {
      rec = prepare(cpu);
      if (rec == 0) return;
    } else {
      rec = lookUp(cpu);
      if (rec == 0) rec = findBlock(cpu);
      else if (link != 0) store<u32>(link, <u32>rec);
    }
    link = 0;
    store<u64>(cpu, load<u64>(cpu, RIP), BLOCK_RIP);
    for (rec += BLOCK_HEADER; ; rec += REC_BYTES) {
      store<u32>(cpu, <u32>rec, CUR_REC);
      let way: u32 = TAKEN;
      let target: u64 = 0;
      const op = <u32>load<u16>(rec, REC_OP);
      // Each label is a sum, so that they are folded at one time and become one table.
      switch (op) {
        case OP_ALU_RR + 0:
          aluRR<u8>(cpu, rec, ADD);
          continue;
        case OP_ALU_RR + 2:
          aluRR<u32>(cpu, rec, ADD);
          continue;
        case OP_ALU_RR + 3:
          aluRR<u64>(cpu, rec, ADD);
          continue;
        case OP_ALU_RR + 4:
          aluRR<u8>(cpu, rec, OR);
          continue;
        case OP_ALU_RR + 6:
          aluRR<u32>(cpu, rec, OR);
          continue;
        case OP_ALU_RR + 7:
          aluRR<u64>(cpu, rec, OR);
          continue;
        case OP_ALU_RR + 10:
          aluRR<u32>(cpu, rec, ADC);
          continue;
        case OP_ALU_RR + 11:
          aluRR<u64>(cpu, rec, ADC);
          continue;
        case OP_ALU_RR + 14:
          aluRR<u32>(cpu, rec, SBB);
          continue;
        case OP_ALU_RR + 15:
          aluRR<u64>(cpu, rec, SBB);
          continue;
        case OP_ALU_RR + 16:
          aluRR<u8>(cpu, rec, AND);
          continue;
        case OP_ALU_RR + 18:
          aluRR<u32>(cpu, rec, AND);
          continue;
        case OP_ALU_RR + 19:
          aluRR<u64>(cpu, rec, AND);
          continue;
        case OP_ALU_RR + 20:
          aluRR<u8>(cpu, rec, SUB);
          continue;
        case OP_ALU_RR + 22:
          aluRR<u32>(cpu, rec, SUB);
          continue;
        case OP_ALU_RR + 23:
          aluRR<u64>(cpu, rec, SUB);
          continue;
        case OP_ALU_RR + 24:
          aluRR<u8>(cpu, rec, XOR);
          continue;
        case OP_ALU_RR + 26:
          aluRR<u32>(cpu, rec, XOR);
          continue;
        case OP_ALU_RR + 27:
          aluRR<u64>(cpu, rec, XOR);
          continue;
        case OP_ALU_RR + 28:
          compareRR<u8>(cpu, rec);
          continue;
        case OP_ALU_RR + 30:
          compareRR<u32>(cpu, rec);
          continue;
        case OP_ALU_RR + 31:
          compareRR<u64>(cpu, rec);
          continue;
        case OP_ALU_RM + 0:
          aluRM<u8>(cpu, rec, ADD);
          continue;
        case OP_ALU_RM + 2:
          aluRM<u32>(cpu, rec, ADD);
          continue;
        case OP_ALU_RM + 3:
          aluRM<u64>(cpu, rec, ADD);
          continue;
        case OP_ALU_RM + 4:
          aluRM<u8>(cpu, rec, OR);
          continue;
        case OP_ALU_RM + 6:
          aluRM<u32>(cpu, rec, OR);
          continue;
        case OP_ALU_RM + 7:
          aluRM<u64>(cpu, rec, OR);
          continue;
        case OP_ALU_RM + 10:
          aluRM<u32>(cpu, rec, ADC);
          continue;
        case OP_ALU_RM + 11:
          aluRM<u64>(cpu, rec, ADC);
          continue;
        case OP_ALU_RM + 14:
          aluRM<u32>(cpu, rec, SBB);
          continue;
        case OP_ALU_RM + 15:
          aluRM<u64>(cpu, rec, SBB);
          continue;
        case OP_ALU_RM + 16:
          aluRM<u8>(cpu, rec, AND);
          continue;
        case OP_ALU_RM + 18:
          aluRM<u32>(cpu, rec, AND);
          continue;
        case OP_ALU_RM + 19:
          aluRM<u64>(cpu, rec, AND);
          continue;
        case OP_ALU_RM + 20:
          aluRM<u8>(cpu, rec, SUB);
          continue;
        case OP_ALU_RM + 22:
          aluRM<u32>(cpu, rec, SUB);
          continue;
        case OP_ALU_RM + 23:
          aluRM<u64>(cpu, rec, SUB);
          continue;
        case OP_ALU_RM + 24:
          aluRM<u8>(cpu, rec, XOR);
          continue;
        case OP_ALU_RM + 26:
          aluRM<u32>(cpu, rec, XOR);
          continue;
        case OP_ALU_RM + 27:
          aluRM<u64>(cpu, rec, XOR);
          continue;
        case OP_ALU_RM + 28:
          compareRM<u8>(cpu, rec);
          continue;
        case OP_ALU_RM + 30:
          compareRM<u32>(cpu, rec);
          continue;
        case OP_ALU_RM + 31:
          compareRM<u64>(cpu, rec);
          continue;
        case OP_ALU_MR + 0:
          aluMR<u8>(cpu, rec, ADD);
          continue;
        case OP_ALU_MR + 2:
          aluMR<u32>(cpu, rec, ADD);
          continue;
        case OP_ALU_MR + 3:
          aluMR<u64>(cpu, rec, ADD);
          continue;
        case OP_ALU_MR + 4:
          aluMR<u8>(cpu, rec, OR);
          continue;
        case OP_ALU_MR + 6:
          aluMR<u32>(cpu, rec, OR);
          continue;
        case OP_ALU_MR + 7:
          aluMR<u64>(cpu, rec, OR);
          continue;
        case OP_ALU_MR + 10:
          aluMR<u32>(cpu, rec, ADC);
          continue;
        case OP_ALU_MR + 11:
          aluMR<u64>(cpu, rec, ADC);
          continue;
        case OP_ALU_MR + 14:
          aluMR<u32>(cpu, rec, SBB);
          continue;
        case OP_ALU_MR + 15:
          aluMR<u64>(cpu, rec, SBB);
          continue;
        case OP_ALU_MR + 16:
          aluMR<u8>(cpu, rec, AND);
          continue;
        case OP_ALU_MR + 18:
          aluMR<u32>(cpu, rec, AND);
          continue;
        case OP_ALU_MR + 19:
          aluMR<u64>(cpu, rec, AND);
          continue;
        case OP_ALU_MR + 20:
          aluMR<u8>(cpu, rec, SUB);
          continue;
        case OP_ALU_MR + 22:
          aluMR<u32>(cpu, rec, SUB);
          continue;
        case OP_ALU_MR + 23:
          aluMR<u64>(cpu, rec, SUB);
          continue;
        case OP_ALU_MR + 24:
          aluMR<u8>(cpu, rec, XOR);
          continue;
        case OP_ALU_MR + 26:
          aluMR<u32>(cpu, rec, XOR);
          continue;
        case OP_ALU_MR + 27:
          aluMR<u64>(cpu, rec, XOR);
          continue;
        case OP_ALU_MR + 28:
          compareMR<u8>(cpu, rec);
          continue;
        case OP_ALU_MR + 30:
          compareMR<u32>(cpu, rec);
          continue;
        case OP_ALU_MR + 31:
          compareMR<u64>(cpu, rec);
          continue;
        case OP_ALU_RI + 0:
          aluRI<u8>(cpu, rec, ADD);
          continue;
        case OP_ALU_RI + 2:
          aluRI<u32>(cpu, rec, ADD);
          continue;
        case OP_ALU_RI + 3:
          aluRI<u64>(cpu, rec, ADD);
          continue;
        case OP_ALU_RI + 4:
          aluRI<u8>(cpu, rec, OR);
          continue;
        case OP_ALU_RI + 6:
          aluRI<u32>(cpu, rec, OR);
          continue;
        case OP_ALU_RI + 7:
          aluRI<u64>(cpu, rec, OR);
          continue;
        case OP_ALU_RI + 10:
          aluRI<u32>(cpu, rec, ADC);
          continue;
        case OP_ALU_RI + 11:
          aluRI<u64>(cpu, rec, ADC);
          continue;
        case OP_ALU_RI + 14:
          aluRI<u32>(cpu, rec, SBB);
          continue;
        case OP_ALU_RI + 15:
          aluRI<u64>(cpu, rec, SBB);
          continue;
        case OP_ALU_RI + 16:
          aluRI<u8>(cpu, rec, AND);
          continue;
        case OP_ALU_RI + 18:
          aluRI<u32>(cpu, rec, AND);
          continue;
        case OP_ALU_RI + 19:
          aluRI<u64>(cpu, rec, AND);
          continue;
        case OP_ALU_RI + 20:
          aluRI<u8>(cpu, rec, SUB);
          continue;
        case OP_ALU_RI + 22:
          aluRI<u32>(cpu, rec, SUB);
          continue;
        case OP_ALU_RI + 23:
          aluRI<u64>(cpu, rec, SUB);
          continue;
        case OP_ALU_RI + 24:
          aluRI<u8>(cpu, rec, XOR);
          continue;
        case OP_ALU_RI + 26:
          aluRI<u32>(cpu, rec, XOR);
          continue;
        case OP_ALU_RI + 27:
          aluRI<u64>(cpu, rec, XOR);
          continue;
        case OP_ALU_RI + 28:
          compareRI<u8>(cpu, rec);
          continue;
        case OP_ALU_RI + 30:
          compareRI<u32>(cpu, rec);
          continue;
        case OP_ALU_RI + 31:
          compareRI<u64>(cpu, rec);
          continue;
        case OP_ALU_MI + 0:
          aluMI<u8>(cpu, rec, ADD);
          continue;
        case OP_ALU_MI + 2:
          aluMI<u32>(cpu, rec, ADD);
          continue;
        case OP_ALU_MI + 3:
          aluMI<u64>(cpu, rec, ADD);
          continue;
        case OP_ALU_MI + 4:
          aluMI<u8>(cpu, rec, OR);
          continue;
        case OP_ALU_MI + 6:
          aluMI<u32>(cpu, rec, OR);
          continue;
        case OP_ALU_MI + 7:
          aluMI<u64>(cpu, rec, OR);
          continue;
        case OP_ALU_MI + 10:
          aluMI<u32>(cpu, rec, ADC);
          continue;
        case OP_ALU_MI + 11:
          aluMI<u64>(cpu, rec, ADC);
          continue;
        case OP_ALU_MI + 14:
          aluMI<u32>(cpu, rec, SBB);
          continue;
        case OP_ALU_MI + 15:
          aluMI<u64>(cpu, rec, SBB);
          continue;
        case OP_ALU_MI + 16:
          aluMI<u8>(cpu, rec, AND);
          continue;
        case OP_ALU_MI + 18:
          aluMI<u32>(cpu, rec, AND);
          continue;
        case OP_ALU_MI + 19:
          aluMI<u64>(cpu, rec, AND);
          continue;
        case OP_ALU_MI + 20:
          aluMI<u8>(cpu, rec, SUB);
          continue;
        case OP_ALU_MI + 22:
          aluMI<u32>(cpu, rec, SUB);
          continue;
        case OP_ALU_MI + 23:
          aluMI<u64>(cpu, rec, SUB);
          continue;
        case OP_ALU_MI + 24:
          aluMI<u8>(cpu, rec, XOR);
          continue;
        case OP_ALU_MI + 26:
          aluMI<u32>(cpu, rec, XOR);
          continue;
        case OP_ALU_MI + 27:
          aluMI<u64>(cpu, rec, XOR);
          continue;
        case OP_ALU_MI + 28:
          compareMI<u8>(cpu, rec);
          continue;
        case OP_ALU_MI + 30:
          compareMI<u32>(cpu, rec);
          continue;
        case OP_ALU_MI + 31:
          compareMI<u64>(cpu, rec);
          continue;
        case OP_TEST_RR + 0:
          testRR<u8>(cpu, rec);
          continue;
        case OP_TEST_RR + 2:
          testRR<u32>(cpu, rec);
          continue;
        case OP_TEST_RR + 3:
          testRR<u64>(cpu, rec);
          continue;
        case OP_TEST_MR + 0:
          testMR<u8>(cpu, rec);
          continue;
        case OP_TEST_MR + 2:
          testMR<u32>(cpu, rec);
          continue;
        case OP_TEST_MR + 3:
          testMR<u64>(cpu, rec);
          continue;
        case OP_TEST_RI + 0:
          testRI<u8>(cpu, rec);
          continue;
        case OP_TEST_RI + 2:
          testRI<u32>(cpu, rec);
          continue;
        case OP_TEST_RI + 3:
          testRI<u64>(cpu, rec);
          continue;
        case OP_TEST_MI + 0:
          testMI<u8>(cpu, rec);
          continue;
        case OP_TEST_MI + 2:
          testMI<u32>(cpu, rec);
          continue;
        case OP_TEST_MI + 3:
          testMI<u64>(cpu, rec);
          continue;
        case OP_MOV_RR + 0:
          movRR<u8>(cpu, rec);
          continue;
        case OP_MOV_RR + 1:
          movRR<u16>(cpu, rec);
          continue;
        case OP_MOV_RR + 2:
          movRR<u32>(cpu, rec);
          continue;
        case OP_MOV_RR + 3:
          movRR<u64>(cpu, rec);
          continue;
        case OP_MOV_RM + 0:
          movRM<u8>(cpu, rec);
          continue;
        case OP_MOV_RM + 1:
          movRM<u16>(cpu, rec);
          continue;
        case OP_MOV_RM + 2:
          movRM<u32>(cpu, rec);
          continue;
        case OP_MOV_RM + 3:
          movRM<u64>(cpu, rec);
          continue;
        case OP_MOV_MR + 0:
          movMR<u8>(cpu, rec);
          continue;
        case OP_MOV_MR + 1:
          movMR<u16>(cpu, rec);
          continue;
        case OP_MOV_MR + 2:
          movMR<u32>(cpu, rec);
          continue;
        case OP_MOV_MR + 3:
          movMR<u64>(cpu, rec);
          continue;
        case OP_MOV_RI + 0:
          movRI<u8>(cpu, rec);
          continue;
        case OP_MOV_RI + 1:
          movRI<u16>(cpu, rec);
          continue;
        case OP_MOV_RI + 2:
          movRI<u32>(cpu, rec);
          continue;
        case OP_MOV_RI + 3:
          movRI<u64>(cpu, rec);
          continue;
        case OP_MOV_MI + 0:
          movMI<u8>(cpu, rec);
          continue;
        case OP_MOV_MI + 1:
          movMI<u16>(cpu, rec);
          continue;
        case OP_MOV_MI + 2:
          movMI<u32>(cpu, rec);
          continue;
        case OP_MOV_MI + 3:
          movMI<u64>(cpu, rec);
          continue;
        case OP_INC_R + 0:
          putRm<u8>(cpu, rec, increment<u8>(cpu, rm<u8>(cpu, rec)));
          continue;
        case OP_INC_R + 2:
          putRm<u32>(cpu, rec, increment<u32>(cpu, rm<u32>(cpu, rec)));
          continue;
        case OP_INC_R + 3:
          putRm<u64>(cpu, rec, increment<u64>(cpu, rm<u64>(cpu, rec)));
          continue;
        case OP_DEC_R + 0:
          putRm<u8>(cpu, rec, decrement<u8>(cpu, rm<u8>(cpu, rec)));
          continue;
        case OP_DEC_R + 2:
          putRm<u32>(cpu, rec, decrement<u32>(cpu, rm<u32>(cpu, rec)));
          continue;
        case OP_DEC_R + 3:
          putRm<u64>(cpu, rec, decrement<u64>(cpu, rm<u64>(cpu, rec)));
          continue;
        case OP_INC_M + 2:
          incM<u32>(cpu, rec);
          continue;
        case OP_INC_M + 3:
          incM<u64>(cpu, rec);
          continue;
        case OP_DEC_M + 2:
          decM<u32>(cpu, rec);
          continue;
        case OP_DEC_M + 3:
          decM<u64>(cpu, rec);
          continue;
        case OP_LEA + 0:
          store<u16>(regAt(cpu, rec), <u16>effectiveOffset(cpu, rec));
          continue;
        case OP_LEA + 1:
          store<u64>(regAt(cpu, rec), effectiveOffset(cpu, rec) & 0xffffffff);
          continue;
        case OP_LEA + 2:
          store<u64>(regAt(cpu, rec), effectiveOffset(cpu, rec));
          continue;
        case OP_MOVZX8 + 0:
          store<u64>(regAt(cpu, rec), <u64>rm<u8>(cpu, rec));
          continue;
        case OP_MOVZX8 + 1:
          store<u64>(regAt(cpu, rec), <u64>mem<u8>(cpu, rec));
          continue;
        case OP_MOVZX16 + 0:
          store<u64>(regAt(cpu, rec), <u64>rm<u16>(cpu, rec));
          continue;
        case OP_MOVZX16 + 1:
          store<u64>(regAt(cpu, rec), <u64>mem<u16>(cpu, rec));
          continue;
        case OP_MOVSX8_32 + 0:
          store<u64>(regAt(cpu, rec), <u64>(<u32>(<i32>rm<i8>(cpu, rec))));
          continue;
        case OP_MOVSX8_32 + 1:
          store<u64>(regAt(cpu, rec), <u64>(<u32>(<i32>mem<i8>(cpu, rec))));
          continue;
        case OP_MOVSX8_64 + 0:
          store<u64>(regAt(cpu, rec), <u64>(<i64>rm<i8>(cpu, rec)));
          continue;
        case OP_MOVSX8_64 + 1:
          store<u64>(regAt(cpu, rec), <u64>(<i64>mem<i8>(cpu, rec)));
          continue;
        case OP_MOVSX16_32 + 0:
          store<u64>(regAt(cpu, rec), <u64>(<u32>(<i32>rm<i16>(cpu, rec))));
          continue;
        case OP_MOVSX16_32 + 1:
          store<u64>(regAt(cpu, rec), <u64>(<u32>(<i32>mem<i16>(cpu, rec))));
          continue;
        case OP_MOVSX16_64 + 0:
          store<u64>(regAt(cpu, rec), <u64>(<i64>rm<i16>(cpu, rec)));
          continue;
        case OP_MOVSX16_64 + 1:
          store<u64>(regAt(cpu, rec), <u64>(<i64>mem<i16>(cpu, rec)));
          continue;
        case OP_MOVSX32_64 + 0:
          store<u64>(regAt(cpu, rec), <u64>(<i64>rm<i32>(cpu, rec)));
          continue;
        case OP_MOVSX32_64 + 1:
          store<u64>(regAt(cpu, rec), <u64>(<i64>mem<i32>(cpu, rec)));
          continue;
        case OP_PUSH64_R + 0:
          push64(cpu, rm<u64>(cpu, rec));
          continue;
        case OP_POP64_R + 0:
          pop64(cpu, rec);
          continue;
        case OP_PUSH64_I + 0:
          push64(cpu, load<u64>(rec, REC_IMM));
          continue;
        case OP_PUSH64_M + 0:
          push64(cpu, mem<u64>(cpu, rec));
          continue;
        case OP_LEAVE64 + 0:
          leave64(cpu);
          continue;
        case OP_SHL_I + 0:
          putRm<u32>(cpu, rec, shiftLeft<u32>(cpu, rm<u32>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          continue;
        case OP_SHL_I + 1:
          putRm<u64>(cpu, rec, shiftLeft<u64>(cpu, rm<u64>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          continue;
        case OP_SHR_I + 0:
          putRm<u32>(cpu, rec, shiftRight<u32>(cpu, rm<u32>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          continue;
        case OP_SHR_I + 1:
          putRm<u64>(cpu, rec, shiftRight<u64>(cpu, rm<u64>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          continue;
        case OP_SAR_I + 0:
          putRm<u32>(cpu, rec, shiftArithmetic<u32>(cpu, rm<u32>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          continue;
        case OP_SAR_I + 1:
          putRm<u64>(cpu, rec, shiftArithmetic<u64>(cpu, rm<u64>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          continue;
        case OP_ROL_I + 0:
          putRm<u32>(cpu, rec, rotateLeft<u32>(cpu, rm<u32>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          continue;
        case OP_ROL_I + 1:
          putRm<u64>(cpu, rec, rotateLeft<u64>(cpu, rm<u64>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          continue;
        case OP_ROR_I + 0:
          putRm<u32>(cpu, rec, rotateRight<u32>(cpu, rm<u32>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          continue;
        case OP_ROR_I + 1:
          putRm<u64>(cpu, rec, rotateRight<u64>(cpu, rm<u64>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          continue;
        case OP_SHL_CL + 0:
          shiftByCl<u32>(cpu, rec, SHL);
          continue;
        case OP_SHL_CL + 1:
          shiftByCl<u64>(cpu, rec, SHL);
          continue;
        case OP_SHR_CL + 0:
          shiftByCl<u32>(cpu, rec, SHR);
          continue;
        case OP_SHR_CL + 1:
          shiftByCl<u64>(cpu, rec, SHR);
          continue;
        case OP_SAR_CL + 0:
          shiftByCl<u32>(cpu, rec, SAR);
          continue;
        case OP_SAR_CL + 1:
          shiftByCl<u64>(cpu, rec, SAR);
          continue;
        case OP_IMUL + 0:
          put<u32>(regAt(cpu, rec), multiply32(cpu, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          continue;
        case OP_IMUL + 1:
          put<u64>(regAt(cpu, rec), multiply64(cpu, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          continue;
        case OP_IMUL + 2:
          put<u32>(regAt(cpu, rec), multiply32(cpu, mem<u32>(cpu, rec), reg<u32>(cpu, rec)));
          continue;
        case OP_IMUL + 3:
          put<u64>(regAt(cpu, rec), multiply64(cpu, mem<u64>(cpu, rec), reg<u64>(cpu, rec)));
          continue;
        case OP_IMUL_I + 0:
          put<u32>(regAt(cpu, rec), multiply32(cpu, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          continue;
        case OP_IMUL_I + 1:
          put<u64>(regAt(cpu, rec), multiply64(cpu, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          continue;
        case OP_IMUL_I + 2:
          put<u32>(regAt(cpu, rec), multiply32(cpu, mem<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          continue;
        case OP_IMUL_I + 3:
          put<u64>(regAt(cpu, rec), multiply64(cpu, mem<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          continue;
        case OP_CMOV + 0:
          cmov<u32>(cpu, rec, rm<u32>(cpu, rec));
          continue;
        case OP_CMOV + 1:
          cmov<u64>(cpu, rec, rm<u64>(cpu, rec));
          continue;
        case OP_CMOV + 2:
          cmov<u32>(cpu, rec, mem<u32>(cpu, rec));
          continue;
        case OP_CMOV + 3:
          cmov<u64>(cpu, rec, mem<u64>(cpu, rec));
          continue;
        case OP_SETCC_R + 0:
          store<u8>(rmAt(cpu, rec), u8(condition(cpu, <u32>load<u8>(rec, REC_IMM))));
          continue;
        case OP_NEG_R + 0:
          putRm<u8>(cpu, rec, negate<u8>(cpu, rm<u8>(cpu, rec)));
          continue;
        case OP_NEG_R + 2:
          putRm<u32>(cpu, rec, negate<u32>(cpu, rm<u32>(cpu, rec)));
          continue;
        case OP_NEG_R + 3:
          putRm<u64>(cpu, rec, negate<u64>(cpu, rm<u64>(cpu, rec)));
          continue;
        case OP_NOT_R + 0:
          putRm<u8>(cpu, rec, ~rm<u8>(cpu, rec));
          continue;
        case OP_NOT_R + 2:
          putRm<u32>(cpu, rec, ~rm<u32>(cpu, rec));
          continue;
        case OP_NOT_R + 3:
          putRm<u64>(cpu, rec, ~rm<u64>(cpu, rec));
          continue;
        case OP_CDQE + 0:
          store<u64>(cpu, <u64>(<i64>load<i32>(cpu)));
          continue;
        case OP_CDQ + 0:
          store<u64>(cpu, <u64>(<u32>(load<i32>(cpu) >> 31)), RDX);
          continue;
        case OP_CQO + 0:
          store<u64>(cpu, <u64>(load<i64>(cpu) >> 63), RDX);
          continue;
        case OP_NOP + 0:
          
          continue;
        case OP_JMP + 0:
          break;
        case OP_CALL64 + 0: {
          // A target on this page is as canonical as the call is.
          if (load<u32>(rec, REC_AUX) == 0) checkCanonical(cpu, load<u64>(cpu, BLOCK_RIP) + load<u64>(rec, REC_IMM));
          push64(cpu, ripAfter(cpu, rec));
          break;
        }
        case OP_RET64 + 0: {
          const rsp = load<u64>(cpu, RSP);
          target = read64(cpu, rsp);
          checkCanonical(cpu, target);
          store<u64>(cpu, rsp + 8 + load<u64>(rec, REC_IMM), RSP);
          way = INDIRECT;
          break;
        }
        case OP_JMP64_R + 0:
          target = rm<u64>(cpu, rec);
          checkCanonical(cpu, target);
          way = INDIRECT;
          break;
        case OP_JMP64_M + 0:
          target = mem<u64>(cpu, rec);
          checkCanonical(cpu, target);
          way = INDIRECT;
          break;
        case OP_CALL64_R + 0:
          target = rm<u64>(cpu, rec);
          checkCanonical(cpu, target);
          push64(cpu, ripAfter(cpu, rec));
          way = INDIRECT;
          break;
        case OP_CALL64_M + 0:
          target = mem<u64>(cpu, rec);
          checkCanonical(cpu, target);
          push64(cpu, ripAfter(cpu, rec));
          way = INDIRECT;
          break;
        case OP_JCC + 0:
          way = u32(condition(cpu, 0));
          break;
        case OP_JCC + 1:
          way = u32(condition(cpu, 1));
          break;
        case OP_JCC + 2:
          way = u32(isBelow(cpu));
          break;
        case OP_JCC + 3:
          way = u32(!isBelow(cpu));
          break;
        case OP_JCC + 4:
          way = u32(isZero(cpu));
          break;
        case OP_JCC + 5:
          way = u32(!isZero(cpu));
          break;
        case OP_JCC + 6:
          way = u32(isBelowOrEqual(cpu));
          break;
        case OP_JCC + 7:
          way = u32(!isBelowOrEqual(cpu));
          break;
        case OP_JCC + 8:
          way = u32(isSign(cpu));
          break;
        case OP_JCC + 9:
          way = u32(!isSign(cpu));
          break;
        case OP_JCC + 10:
          way = u32(condition(cpu, 10));
          break;
        case OP_JCC + 11:
          way = u32(condition(cpu, 11));
          break;
        case OP_JCC + 12:
          way = u32(isLess(cpu));
          break;
        case OP_JCC + 13:
          way = u32(!isLess(cpu));
          break;
        case OP_JCC + 14:
          way = u32(isLessOrEqual(cpu));
          break;
        case OP_JCC + 15:
          way = u32(!isLessOrEqual(cpu));
          break;
        case OP_END + 0:
          way = NOT_TAKEN;
          break;
        case OP_RELOOKUP + 0:
          settle(cpu);
          way = SETTLED;
          break;
        case OP_UD + 0:
          raise(cpu, UD);
          break;
        case OP_CMP8_RR_JCC + 0:
          way = u32(compareJump<u8>(cpu, 2, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RR_JCC + 1:
          way = u32(compareJump<u8>(cpu, 3, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RR_JCC + 2:
          way = u32(compareJump<u8>(cpu, 4, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RR_JCC + 3:
          way = u32(compareJump<u8>(cpu, 5, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RR_JCC + 4:
          way = u32(compareJump<u8>(cpu, 6, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RR_JCC + 5:
          way = u32(compareJump<u8>(cpu, 7, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RR_JCC + 6:
          way = u32(compareJump<u8>(cpu, 12, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RR_JCC + 7:
          way = u32(compareJump<u8>(cpu, 13, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RR_JCC + 8:
          way = u32(compareJump<u8>(cpu, 14, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RR_JCC + 9:
          way = u32(compareJump<u8>(cpu, 15, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RR_JCC + 0:
          way = u32(compareJump<u32>(cpu, 2, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RR_JCC + 1:
          way = u32(compareJump<u32>(cpu, 3, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RR_JCC + 2:
          way = u32(compareJump<u32>(cpu, 4, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RR_JCC + 3:
          way = u32(compareJump<u32>(cpu, 5, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RR_JCC + 4:
          way = u32(compareJump<u32>(cpu, 6, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RR_JCC + 5:
          way = u32(compareJump<u32>(cpu, 7, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RR_JCC + 6:
          way = u32(compareJump<u32>(cpu, 12, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RR_JCC + 7:
          way = u32(compareJump<u32>(cpu, 13, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RR_JCC + 8:
          way = u32(compareJump<u32>(cpu, 14, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RR_JCC + 9:
          way = u32(compareJump<u32>(cpu, 15, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RR_JCC + 0:
          way = u32(compareJump<u64>(cpu, 2, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RR_JCC + 1:
          way = u32(compareJump<u64>(cpu, 3, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RR_JCC + 2:
          way = u32(compareJump<u64>(cpu, 4, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RR_JCC + 3:
          way = u32(compareJump<u64>(cpu, 5, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RR_JCC + 4:
          way = u32(compareJump<u64>(cpu, 6, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RR_JCC + 5:
          way = u32(compareJump<u64>(cpu, 7, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RR_JCC + 6:
          way = u32(compareJump<u64>(cpu, 12, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RR_JCC + 7:
          way = u32(compareJump<u64>(cpu, 13, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RR_JCC + 8:
          way = u32(compareJump<u64>(cpu, 14, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RR_JCC + 9:
          way = u32(compareJump<u64>(cpu, 15, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RI_JCC + 0:
          way = u32(compareJump<u8>(cpu, 2, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RI_JCC + 1:
          way = u32(compareJump<u8>(cpu, 3, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RI_JCC + 2:
          way = u32(compareJump<u8>(cpu, 4, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RI_JCC + 3:
          way = u32(compareJump<u8>(cpu, 5, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RI_JCC + 4:
          way = u32(compareJump<u8>(cpu, 6, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RI_JCC + 5:
          way = u32(compareJump<u8>(cpu, 7, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RI_JCC + 6:
          way = u32(compareJump<u8>(cpu, 12, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RI_JCC + 7:
          way = u32(compareJump<u8>(cpu, 13, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RI_JCC + 8:
          way = u32(compareJump<u8>(cpu, 14, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_RI_JCC + 9:
          way = u32(compareJump<u8>(cpu, 15, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RI_JCC + 0:
          way = u32(compareJump<u32>(cpu, 2, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RI_JCC + 1:
          way = u32(compareJump<u32>(cpu, 3, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RI_JCC + 2:
          way = u32(compareJump<u32>(cpu, 4, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RI_JCC + 3:
          way = u32(compareJump<u32>(cpu, 5, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RI_JCC + 4:
          way = u32(compareJump<u32>(cpu, 6, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RI_JCC + 5:
          way = u32(compareJump<u32>(cpu, 7, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RI_JCC + 6:
          way = u32(compareJump<u32>(cpu, 12, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RI_JCC + 7:
          way = u32(compareJump<u32>(cpu, 13, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RI_JCC + 8:
          way = u32(compareJump<u32>(cpu, 14, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RI_JCC + 9:
          way = u32(compareJump<u32>(cpu, 15, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RI_JCC + 0:
          way = u32(compareJump<u64>(cpu, 2, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RI_JCC + 1:
          way = u32(compareJump<u64>(cpu, 3, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RI_JCC + 2:
          way = u32(compareJump<u64>(cpu, 4, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RI_JCC + 3:
          way = u32(compareJump<u64>(cpu, 5, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RI_JCC + 4:
          way = u32(compareJump<u64>(cpu, 6, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RI_JCC + 5:
          way = u32(compareJump<u64>(cpu, 7, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RI_JCC + 6:
          way = u32(compareJump<u64>(cpu, 12, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RI_JCC + 7:
          way = u32(compareJump<u64>(cpu, 13, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RI_JCC + 8:
          way = u32(compareJump<u64>(cpu, 14, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RI_JCC + 9:
          way = u32(compareJump<u64>(cpu, 15, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RM_JCC + 0:
          way = u32(compareJump<u32>(cpu, 2, reg<u32>(cpu, rec), mem<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RM_JCC + 1:
          way = u32(compareJump<u32>(cpu, 3, reg<u32>(cpu, rec), mem<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RM_JCC + 2:
          way = u32(compareJump<u32>(cpu, 4, reg<u32>(cpu, rec), mem<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RM_JCC + 3:
          way = u32(compareJump<u32>(cpu, 5, reg<u32>(cpu, rec), mem<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RM_JCC + 4:
          way = u32(compareJump<u32>(cpu, 6, reg<u32>(cpu, rec), mem<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RM_JCC + 5:
          way = u32(compareJump<u32>(cpu, 7, reg<u32>(cpu, rec), mem<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RM_JCC + 6:
          way = u32(compareJump<u32>(cpu, 12, reg<u32>(cpu, rec), mem<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RM_JCC + 7:
          way = u32(compareJump<u32>(cpu, 13, reg<u32>(cpu, rec), mem<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RM_JCC + 8:
          way = u32(compareJump<u32>(cpu, 14, reg<u32>(cpu, rec), mem<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_RM_JCC + 9:
          way = u32(compareJump<u32>(cpu, 15, reg<u32>(cpu, rec), mem<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RM_JCC + 0:
          way = u32(compareJump<u64>(cpu, 2, reg<u64>(cpu, rec), mem<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RM_JCC + 1:
          way = u32(compareJump<u64>(cpu, 3, reg<u64>(cpu, rec), mem<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RM_JCC + 2:
          way = u32(compareJump<u64>(cpu, 4, reg<u64>(cpu, rec), mem<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RM_JCC + 3:
          way = u32(compareJump<u64>(cpu, 5, reg<u64>(cpu, rec), mem<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RM_JCC + 4:
          way = u32(compareJump<u64>(cpu, 6, reg<u64>(cpu, rec), mem<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RM_JCC + 5:
          way = u32(compareJump<u64>(cpu, 7, reg<u64>(cpu, rec), mem<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RM_JCC + 6:
          way = u32(compareJump<u64>(cpu, 12, reg<u64>(cpu, rec), mem<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RM_JCC + 7:
          way = u32(compareJump<u64>(cpu, 13, reg<u64>(cpu, rec), mem<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RM_JCC + 8:
          way = u32(compareJump<u64>(cpu, 14, reg<u64>(cpu, rec), mem<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_RM_JCC + 9:
          way = u32(compareJump<u64>(cpu, 15, reg<u64>(cpu, rec), mem<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_MI_JCC + 0:
          way = u32(compareJump<u8>(cpu, 2, mem<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_MI_JCC + 1:
          way = u32(compareJump<u8>(cpu, 3, mem<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_MI_JCC + 2:
          way = u32(compareJump<u8>(cpu, 4, mem<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_MI_JCC + 3:
          way = u32(compareJump<u8>(cpu, 5, mem<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_MI_JCC + 4:
          way = u32(compareJump<u8>(cpu, 6, mem<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_MI_JCC + 5:
          way = u32(compareJump<u8>(cpu, 7, mem<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_MI_JCC + 6:
          way = u32(compareJump<u8>(cpu, 12, mem<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_MI_JCC + 7:
          way = u32(compareJump<u8>(cpu, 13, mem<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_MI_JCC + 8:
          way = u32(compareJump<u8>(cpu, 14, mem<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP8_MI_JCC + 9:
          way = u32(compareJump<u8>(cpu, 15, mem<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_MI_JCC + 0:
          way = u32(compareJump<u32>(cpu, 2, mem<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_MI_JCC + 1:
          way = u32(compareJump<u32>(cpu, 3, mem<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_MI_JCC + 2:
          way = u32(compareJump<u32>(cpu, 4, mem<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_MI_JCC + 3:
          way = u32(compareJump<u32>(cpu, 5, mem<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_MI_JCC + 4:
          way = u32(compareJump<u32>(cpu, 6, mem<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_MI_JCC + 5:
          way = u32(compareJump<u32>(cpu, 7, mem<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_MI_JCC + 6:
          way = u32(compareJump<u32>(cpu, 12, mem<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_MI_JCC + 7:
          way = u32(compareJump<u32>(cpu, 13, mem<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_MI_JCC + 8:
          way = u32(compareJump<u32>(cpu, 14, mem<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP32_MI_JCC + 9:
          way = u32(compareJump<u32>(cpu, 15, mem<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_MI_JCC + 0:
          way = u32(compareJump<u64>(cpu, 2, mem<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_MI_JCC + 1:
          way = u32(compareJump<u64>(cpu, 3, mem<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_MI_JCC + 2:
          way = u32(compareJump<u64>(cpu, 4, mem<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_MI_JCC + 3:
          way = u32(compareJump<u64>(cpu, 5, mem<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_MI_JCC + 4:
          way = u32(compareJump<u64>(cpu, 6, mem<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_MI_JCC + 5:
          way = u32(compareJump<u64>(cpu, 7, mem<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_MI_JCC + 6:
          way = u32(compareJump<u64>(cpu, 12, mem<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_MI_JCC + 7:
          way = u32(compareJump<u64>(cpu, 13, mem<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_MI_JCC + 8:
          way = u32(compareJump<u64>(cpu, 14, mem<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_CMP64_MI_JCC + 9:
          way = u32(compareJump<u64>(cpu, 15, mem<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        case OP_TEST8_RR_JCC + 0:
          way = u32(testJump<u8>(cpu, 4, <u8>(rm<u8>(cpu, rec) & reg<u8>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_RR_JCC + 1:
          way = u32(testJump<u8>(cpu, 5, <u8>(rm<u8>(cpu, rec) & reg<u8>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_RR_JCC + 2:
          way = u32(testJump<u8>(cpu, 8, <u8>(rm<u8>(cpu, rec) & reg<u8>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_RR_JCC + 3:
          way = u32(testJump<u8>(cpu, 9, <u8>(rm<u8>(cpu, rec) & reg<u8>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_RR_JCC + 4:
          way = u32(testJump<u8>(cpu, 14, <u8>(rm<u8>(cpu, rec) & reg<u8>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_RR_JCC + 5:
          way = u32(testJump<u8>(cpu, 15, <u8>(rm<u8>(cpu, rec) & reg<u8>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST32_RR_JCC + 0:
          way = u32(testJump<u32>(cpu, 4, <u32>(rm<u32>(cpu, rec) & reg<u32>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST32_RR_JCC + 1:
          way = u32(testJump<u32>(cpu, 5, <u32>(rm<u32>(cpu, rec) & reg<u32>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST32_RR_JCC + 2:
          way = u32(testJump<u32>(cpu, 8, <u32>(rm<u32>(cpu, rec) & reg<u32>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST32_RR_JCC + 3:
          way = u32(testJump<u32>(cpu, 9, <u32>(rm<u32>(cpu, rec) & reg<u32>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST32_RR_JCC + 4:
          way = u32(testJump<u32>(cpu, 14, <u32>(rm<u32>(cpu, rec) & reg<u32>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST32_RR_JCC + 5:
          way = u32(testJump<u32>(cpu, 15, <u32>(rm<u32>(cpu, rec) & reg<u32>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST64_RR_JCC + 0:
          way = u32(testJump<u64>(cpu, 4, <u64>(rm<u64>(cpu, rec) & reg<u64>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST64_RR_JCC + 1:
          way = u32(testJump<u64>(cpu, 5, <u64>(rm<u64>(cpu, rec) & reg<u64>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST64_RR_JCC + 2:
          way = u32(testJump<u64>(cpu, 8, <u64>(rm<u64>(cpu, rec) & reg<u64>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST64_RR_JCC + 3:
          way = u32(testJump<u64>(cpu, 9, <u64>(rm<u64>(cpu, rec) & reg<u64>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST64_RR_JCC + 4:
          way = u32(testJump<u64>(cpu, 14, <u64>(rm<u64>(cpu, rec) & reg<u64>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST64_RR_JCC + 5:
          way = u32(testJump<u64>(cpu, 15, <u64>(rm<u64>(cpu, rec) & reg<u64>(cpu, rec))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_RI_JCC + 0:
          way = u32(testJump<u8>(cpu, 4, <u8>(rm<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_RI_JCC + 1:
          way = u32(testJump<u8>(cpu, 5, <u8>(rm<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_RI_JCC + 2:
          way = u32(testJump<u8>(cpu, 8, <u8>(rm<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_RI_JCC + 3:
          way = u32(testJump<u8>(cpu, 9, <u8>(rm<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_RI_JCC + 4:
          way = u32(testJump<u8>(cpu, 14, <u8>(rm<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_RI_JCC + 5:
          way = u32(testJump<u8>(cpu, 15, <u8>(rm<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST32_RI_JCC + 0:
          way = u32(testJump<u32>(cpu, 4, <u32>(rm<u32>(cpu, rec) & load<u32>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST32_RI_JCC + 1:
          way = u32(testJump<u32>(cpu, 5, <u32>(rm<u32>(cpu, rec) & load<u32>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST32_RI_JCC + 2:
          way = u32(testJump<u32>(cpu, 8, <u32>(rm<u32>(cpu, rec) & load<u32>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST32_RI_JCC + 3:
          way = u32(testJump<u32>(cpu, 9, <u32>(rm<u32>(cpu, rec) & load<u32>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST32_RI_JCC + 4:
          way = u32(testJump<u32>(cpu, 14, <u32>(rm<u32>(cpu, rec) & load<u32>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST32_RI_JCC + 5:
          way = u32(testJump<u32>(cpu, 15, <u32>(rm<u32>(cpu, rec) & load<u32>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_MI_JCC + 0:
          way = u32(testJump<u8>(cpu, 4, <u8>(mem<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_MI_JCC + 1:
          way = u32(testJump<u8>(cpu, 5, <u8>(mem<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_MI_JCC + 2:
          way = u32(testJump<u8>(cpu, 8, <u8>(mem<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_MI_JCC + 3:
          way = u32(testJump<u8>(cpu, 9, <u8>(mem<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_MI_JCC + 4:
          way = u32(testJump<u8>(cpu, 14, <u8>(mem<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        case OP_TEST8_MI_JCC + 5:
          way = u32(testJump<u8>(cpu, 15, <u8>(mem<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        default:
          if (op >= OPS_SSE) {
            execSse(cpu, rec, op);
            continue;
          }
          if (op >= OPS_SYSTEM) {
            if (op >= OPS_X87) {
              if (op >= OPS_FPU_STATE) execFpuState(cpu, rec, op);
              else execX87(cpu, rec, op);
              continue;
            }
            store<u64>(cpu, wrap(cpu, ripAfter(cpu, rec)), RIP);
            execSystem(cpu, rec, op);
            target = load<u64>(cpu, RIP);
            way = INDIRECT;
            break;
          }
          if (op >= OP_NEAR_FIRST && op <= OP_JCXZ) {
            store<u64>(cpu, wrap(cpu, ripAfter(cpu, rec)), RIP);
            execInteger(cpu, rec, op);
            target = load<u64>(cpu, RIP);
            way = INDIRECT;
            break;
          }
          if (op >= OP_MOVS && op <= OP_SCAS) {
            if (execString(cpu, rec, op)) continue;
            // Not done yet: it starts over after a look at what is pending. Each piece counts as an instruction.
            settle(cpu);
            store<i64>(cpu, load<i64>(cpu, REMAINING) - 1, REMAINING);
            way = SETTLED;
            break;
          }
          execInteger(cpu, rec, op);
          continue;
      }
      // ---- The block's end.
      let next: usize = 0;
      if (way == TAKEN) {
        target = load<u64>(cpu, BLOCK_RIP) + load<u64>(rec, REC_IMM);
        next = load<u32>(rec, REC_AUX);
        if (next == 0) {
          target = directTarget(cpu, rec, target);
          if (load<u8>(rec, REC_SCALE) & LINK_TARGET) link = rec + REC_AUX;
        }
      } else if (way == NOT_TAKEN) {
        target = ripAfter(cpu, rec);
        next = load<u32>(rec, REC_DISP);
        if (next == 0) {
          target = wrap(cpu, target);
          if (load<u8>(rec, REC_SCALE) & LINK_NEXT) link = rec + REC_DISP;
        }
      } else if (way == SETTLED) break;
      const left = load<i64>(cpu, REMAINING) - 1 - <i64>load<u8>(rec, REC_SEQ);
      store<i64>(cpu, left, REMAINING);
      if (next != 0 && left >= <i64>MAX_INSTRUCTIONS && load<u64>(cpu, EXIT_REQUEST) == 0) {
        store<u64>(cpu, target, BLOCK_RIP);
        rec = next;
        continue;
      }
      store<u64>(cpu, target, RIP);
      break;
    }
  }
}

// The block at RIP where it is known and nothing has to be checked, else 0.
// @ts-ignore: decorator
@inline
function lookUp(cpu: usize): usize {
  const mode = load<u32>(cpu, MODE);
  const linear = load<u64>(cpu, RIP);
  // Code segments without a base only; outside 64-bit mode RIP has 32 bits.
  if (mode & MODE_CS_LIMITED) return 0;
  const entry = tlbEntry(load<u32>(cpu, TLB), linear);
  if (load<u64>(entry, TLB_FETCH) != (linear & ~0xfff)) return 0;
  const offset = <u32>linear + load<u32>(entry, TLB_ADDEND);
  const key = <u64>offset | (<u64>mode << 32);
  let block: usize = load<u32>(bucketOf(offset, mode));
  while (block != 0) {
    if (load<u64>(block, BLOCK_KEY) == key) return load<u32>(block, BLOCK_SECOND_PAGE) == 0 ? block : 0;
    block = load<u32>(block, BLOCK_NEXT);
  }
  return 0;
}

// Between blocks, where something is pending or the budget is nearly used up: the block to run, or 0 to leave.
function prepare(cpu: usize): usize {
  store<u32>(cpu, 0, CUR_REC);
  if (load<u32>(cpu, STEPPING) != 0) {
    store<u32>(cpu, 0, STEPPING);
    if (stepTrap(cpu)) return 0;
  }
  let step = false;
  if (load<u64>(cpu, EXIT_REQUEST) != 0) {
    const answer = attention(cpu);
    if (answer == ATTENTION_LEAVE) return 0;
    step = answer == ATTENTION_STEP;
  }
  const left = load<i64>(cpu, REMAINING);
  if (left <= 0) {
    store<u32>(cpu, EXIT_BUDGET, EXIT_REASON);
    return 0;
  }
  const block = findBlock(cpu);
  if (step) {
    if (beforeInstruction(cpu)) return 0;
    store<u32>(cpu, 1, STEPPING);
    return singleBlock(cpu, block);
  }
  return <i64>load<u16>(block, BLOCK_COUNT) > left ? singleBlock(cpu, block) : block;
}

/**
 * After an unwind: RIP of the instruction that did it, and the budget without the instructions of its block
 * that have run. CUR_REC is 0 where the unwind came from between instructions; RIP is right then.
 */
export function settle(cpu: usize): void {
  const rec: usize = load<u32>(cpu, CUR_REC);
  if (rec == 0) return;
  store<u32>(cpu, 0, CUR_REC);
  store<u64>(cpu, wrap(cpu, load<u64>(cpu, BLOCK_RIP) + <u64>load<u16>(rec, REC_IPOFF)), RIP);
  // The record behind a block's last instruction has the number of that instruction.
  const before = <i64>load<u8>(rec, REC_SEQ) + (load<u8>(rec, REC_LEN) == 0 ? 1 : 0);
  store<i64>(cpu, load<i64>(cpu, REMAINING) - before, REMAINING);
}
