// The main loop: blocks of predecoded records. Hot operations are cases of one switch; the others go to
// their groups. See blocks.ts for how blocks are made and given up.
import {
  BLOCK_RIP, CC_OP, CC_RESULT, CC_SRC1, CC_SRC2, CUR_REC, EXC_PENDING, EXIT_BUDGET, EXIT_REASON, EXIT_REQUEST,
  GPR, MODE, REMAINING, RFLAGS, RIP,
} from "../layout";
import {
  ADC, ADD, AND, OR, SBB, SUB, XOR, alu, decrement, increment, logic, negate, put, CMP,
} from "./alu";
import { BLOCK_COUNT, BLOCK_HEADER, LINKABLE, findBlock, linkTarget, singleBlock } from "./blocks";
import { effectiveOffset, eaSized } from "./ea";
import { attention, ATTENTION_LEAVE, ATTENTION_STEP, beforeInstruction, deliverPending, stepTrap } from "./events";
import { UD, raise, raiseGP } from "./exceptions";
import { CC_SUB, SF, ZF, condition } from "./flags";
import { execFpuState } from "./fpu-state";
import { execInteger } from "./integer";
import {
  read8, read16, read32, read64, rmw8, rmw16, rmw32, rmw64, write8, write16, write32, write64,
} from "./memory";
import { MODE_64, MODE_SIZE } from "./mode-bits";
import { canonical } from "./mmu";
import * as OPS from "./ops";
import {
  OP_ALU_MI, OP_ALU_MR, OP_ALU_RI, OP_ALU_RM, OP_ALU_RR, OP_CALL64, OP_CALL64_M, OP_CALL64_R, OP_CDQ, OP_CDQE,
  OP_CMOV, OP_CQO, OP_DEC_M, OP_DEC_R, OP_END, OP_IMUL, OP_IMUL_I, OP_INC_M, OP_INC_R, OP_JCC, OP_JCXZ, OP_JMP,
  OP_JMP64_M, OP_JMP64_R, OP_LEA, OP_LEAVE64, OP_MOVS, OP_MOVSX16_32, OP_MOVSX16_64, OP_MOVSX32_64, OP_MOVSX8_32,
  OP_MOVSX8_64, OP_MOVZX16, OP_MOVZX8, OP_MOV_MI, OP_MOV_MR, OP_MOV_RI, OP_MOV_RM, OP_MOV_RR, OP_NEAR_FIRST,
  OP_NEG_R, OP_NOP, OP_NOT_R, OP_POP64_R, OP_PUSH64_I, OP_PUSH64_M, OP_PUSH64_R, OP_RELOOKUP, OP_RET64, OP_ROL_I,
  OP_ROR_I, OP_SAR_CL, OP_SAR_I, OP_SCAS, OP_SETCC_R, OP_SHL_CL, OP_SHL_I, OP_SHR_CL, OP_SHR_I, OP_TEST_MI,
  OP_TEST_MR, OP_TEST_RI, OP_TEST_RR, OP_UD,
} from "./ops-integer";
import { REC_AUX, REC_DISP, REC_IMM, REC_IPOFF, REC_LEN, REC_OP, REC_REG, REC_RM, REC_SCALE, REC_SEQ, REC_BYTES } from "./record";
import { multiply32, multiply64, rotateLeft, rotateRight, shiftArithmetic, shiftByCl, shiftLeft, shiftRight } from "./shift";
import { execString } from "./strings";
import { execSse } from "./sse";
import { execSystem } from "./system";
import { execX87 } from "./x87";

const RDX: usize = GPR + 2 * 8;
const RSP: usize = GPR + 4 * 8;
const RBP: usize = GPR + 5 * 8;

// ---- Operands.

// @ts-ignore: decorator
@inline
function regAt(cpu: usize, rec: usize): usize {
  return cpu + load<u8>(rec, REC_REG);
}
// @ts-ignore: decorator
@inline
function rmAt(cpu: usize, rec: usize): usize {
  return cpu + load<u8>(rec, REC_RM);
}
// @ts-ignore: decorator
@inline
function reg<T>(cpu: usize, rec: usize): T {
  return load<T>(regAt(cpu, rec));
}
// @ts-ignore: decorator
@inline
function rm<T>(cpu: usize, rec: usize): T {
  return load<T>(rmAt(cpu, rec));
}
// @ts-ignore: decorator
@inline
function putRm<T>(cpu: usize, rec: usize, value: T): void {
  put<T>(rmAt(cpu, rec), value);
}
// @ts-ignore: decorator
@inline
function get<T>(cpu: usize, linear: u64): T {
  if (sizeof<T>() == 1) return <T>read8(cpu, linear);
  if (sizeof<T>() == 2) return <T>read16(cpu, linear);
  if (sizeof<T>() == 4) return <T>read32(cpu, linear);
  return <T>read64(cpu, linear);
}
// @ts-ignore: decorator
@inline
function getForWrite<T>(cpu: usize, linear: u64): T {
  if (sizeof<T>() == 1) return <T>rmw8(cpu, linear);
  if (sizeof<T>() == 2) return <T>rmw16(cpu, linear);
  if (sizeof<T>() == 4) return <T>rmw32(cpu, linear);
  return <T>rmw64(cpu, linear);
}
// @ts-ignore: decorator
@inline
function set<T>(cpu: usize, linear: u64, value: T): void {
  if (sizeof<T>() == 1) write8(cpu, linear, <u8>value);
  else if (sizeof<T>() == 2) write16(cpu, linear, <u16>value);
  else if (sizeof<T>() == 4) write32(cpu, linear, <u32>value);
  else write64(cpu, linear, <u64>value);
}

// ---- Operations by form.

// @ts-ignore: decorator
@inline
function aluRR<T>(cpu: usize, rec: usize, kind: u32): void {
  putRm<T>(cpu, rec, alu<T>(cpu, kind, rm<T>(cpu, rec), reg<T>(cpu, rec)));
}
// @ts-ignore: decorator
@inline
function aluRM<T>(cpu: usize, rec: usize, kind: u32): void {
  const b = get<T>(cpu, eaSized(cpu, rec, sizeof<T>(), 0));
  put<T>(regAt(cpu, rec), alu<T>(cpu, kind, reg<T>(cpu, rec), b));
}
// The flags come after the write: it may still fault on a device page's other half.
// @ts-ignore: decorator
@inline
function aluMR<T>(cpu: usize, rec: usize, kind: u32): void {
  const linear = eaSized(cpu, rec, sizeof<T>(), 1);
  const a = getForWrite<T>(cpu, linear);
  set<T>(cpu, linear, alu<T>(cpu, kind, a, reg<T>(cpu, rec)));
}
// @ts-ignore: decorator
@inline
function aluRI<T>(cpu: usize, rec: usize, kind: u32): void {
  putRm<T>(cpu, rec, alu<T>(cpu, kind, rm<T>(cpu, rec), load<T>(rec, REC_IMM)));
}
// @ts-ignore: decorator
@inline
function aluMI<T>(cpu: usize, rec: usize, kind: u32): void {
  const linear = eaSized(cpu, rec, sizeof<T>(), 1);
  const a = getForWrite<T>(cpu, linear);
  set<T>(cpu, linear, alu<T>(cpu, kind, a, load<T>(rec, REC_IMM)));
}
// @ts-ignore: decorator
@inline
function compareRR<T>(cpu: usize, rec: usize): void {
  alu<T>(cpu, CMP, rm<T>(cpu, rec), reg<T>(cpu, rec));
}
// @ts-ignore: decorator
@inline
function compareRM<T>(cpu: usize, rec: usize): void {
  const b = get<T>(cpu, eaSized(cpu, rec, sizeof<T>(), 0));
  alu<T>(cpu, CMP, reg<T>(cpu, rec), b);
}
// @ts-ignore: decorator
@inline
function compareMR<T>(cpu: usize, rec: usize): void {
  const a = get<T>(cpu, eaSized(cpu, rec, sizeof<T>(), 0));
  alu<T>(cpu, CMP, a, reg<T>(cpu, rec));
}
// @ts-ignore: decorator
@inline
function compareRI<T>(cpu: usize, rec: usize): void {
  alu<T>(cpu, CMP, rm<T>(cpu, rec), load<T>(rec, REC_IMM));
}
// @ts-ignore: decorator
@inline
function compareMI<T>(cpu: usize, rec: usize): void {
  const a = get<T>(cpu, eaSized(cpu, rec, sizeof<T>(), 0));
  alu<T>(cpu, CMP, a, load<T>(rec, REC_IMM));
}
// @ts-ignore: decorator
@inline
function testRR<T>(cpu: usize, rec: usize): void {
  logic<T>(cpu, <T>(rm<T>(cpu, rec) & reg<T>(cpu, rec)));
}
// @ts-ignore: decorator
@inline
function testMR<T>(cpu: usize, rec: usize): void {
  const a = get<T>(cpu, eaSized(cpu, rec, sizeof<T>(), 0));
  logic<T>(cpu, <T>(a & reg<T>(cpu, rec)));
}
// @ts-ignore: decorator
@inline
function testRI<T>(cpu: usize, rec: usize): void {
  logic<T>(cpu, <T>(rm<T>(cpu, rec) & load<T>(rec, REC_IMM)));
}
// @ts-ignore: decorator
@inline
function testMI<T>(cpu: usize, rec: usize): void {
  const a = get<T>(cpu, eaSized(cpu, rec, sizeof<T>(), 0));
  logic<T>(cpu, <T>(a & load<T>(rec, REC_IMM)));
}
// @ts-ignore: decorator
@inline
function movRR<T>(cpu: usize, rec: usize): void {
  putRm<T>(cpu, rec, reg<T>(cpu, rec));
}
// @ts-ignore: decorator
@inline
function movRM<T>(cpu: usize, rec: usize): void {
  put<T>(regAt(cpu, rec), get<T>(cpu, eaSized(cpu, rec, sizeof<T>(), 0)));
}
// @ts-ignore: decorator
@inline
function movMR<T>(cpu: usize, rec: usize): void {
  set<T>(cpu, eaSized(cpu, rec, sizeof<T>(), 1), reg<T>(cpu, rec));
}
// @ts-ignore: decorator
@inline
function movRI<T>(cpu: usize, rec: usize): void {
  putRm<T>(cpu, rec, load<T>(rec, REC_IMM));
}
// @ts-ignore: decorator
@inline
function movMI<T>(cpu: usize, rec: usize): void {
  set<T>(cpu, eaSized(cpu, rec, sizeof<T>(), 1), load<T>(rec, REC_IMM));
}
// @ts-ignore: decorator
@inline
function incM<T>(cpu: usize, rec: usize): void {
  const linear = eaSized(cpu, rec, sizeof<T>(), 1);
  const a = getForWrite<T>(cpu, linear);
  set<T>(cpu, linear, increment<T>(cpu, a));
}
// @ts-ignore: decorator
@inline
function decM<T>(cpu: usize, rec: usize): void {
  const linear = eaSized(cpu, rec, sizeof<T>(), 1);
  const a = getForWrite<T>(cpu, linear);
  set<T>(cpu, linear, decrement<T>(cpu, a));
}
// A CMOV whose condition is false clears the upper half of a 32-bit destination all the same.
// @ts-ignore: decorator
@inline
function cmov<T>(cpu: usize, rec: usize, value: T): void {
  if (condition(cpu, <u32>load<u8>(rec, REC_IMM))) put<T>(regAt(cpu, rec), value);
  else if (sizeof<T>() == 4) put<T>(regAt(cpu, rec), reg<T>(cpu, rec));
}

// @ts-ignore: decorator
@inline
function push64(cpu: usize, value: u64): void {
  const rsp = load<u64>(cpu, RSP) - 8;
  write64(cpu, rsp, value);
  store<u64>(cpu, rsp, RSP);
}
// RSP is raised before the register is written: POP RSP gets the value.
// @ts-ignore: decorator
@inline
function pop64Register(cpu: usize, rec: usize): void {
  const rsp = load<u64>(cpu, RSP);
  const value = read64(cpu, rsp);
  store<u64>(cpu, rsp + 8, RSP);
  store<u64>(rmAt(cpu, rec), value);
}
// @ts-ignore: decorator
@inline
function leave64(cpu: usize): void {
  const frame = load<u64>(cpu, RBP);
  const value = read64(cpu, frame);
  store<u64>(cpu, frame + 8, RSP);
  store<u64>(cpu, value, RBP);
}

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

// ---- Transfers. Each answers the next block, or 0 where RIP has to be looked up.

// @ts-ignore: decorator
@inline
function jumpTaken(cpu: usize, rec: usize): usize {
  const rip = load<u64>(cpu, BLOCK_RIP) + load<u64>(rec, REC_IMM);
  store<u64>(cpu, rip, RIP);
  const link: usize = load<u32>(rec, REC_AUX);
  if (link != 0) return link;
  return jumpSlow(cpu, rec, rip);
}

// @ts-ignore: decorator
@inline
function ripAfter(cpu: usize, rec: usize): u64 {
  return load<u64>(cpu, BLOCK_RIP) + <u64>load<u16>(rec, REC_IPOFF) + <u64>load<u8>(rec, REC_LEN);
}

// @ts-ignore: decorator
@inline
function jumpNotTaken(cpu: usize, rec: usize): usize {
  const rip = ripAfter(cpu, rec);
  store<u64>(cpu, rip, RIP);
  const link: usize = load<u32>(rec, REC_DISP);
  if (link != 0) return link;
  return fallSlow(cpu, rec, rip);
}

function jumpSlow(cpu: usize, rec: usize, rip: u64): usize {
  checkTarget(cpu, rec, rip);
  if ((load<u8>(rec, REC_SCALE) & LINKABLE) == 0) return 0;
  const block = linkTarget(cpu, rip & ripMask(cpu));
  store<u32>(rec, <u32>block, REC_AUX);
  return block;
}

function fallSlow(cpu: usize, rec: usize, rip: u64): usize {
  store<u64>(cpu, rip & ripMask(cpu), RIP);
  // Linkable says that the jump stays on its page; the next instruction does unless the page ends here.
  if ((load<u8>(rec, REC_SCALE) & LINKABLE) == 0 || (rip & 0xfff) == 0) return 0;
  const block = linkTarget(cpu, rip);
  store<u32>(rec, <u32>block, REC_DISP);
  return block;
}

// A direct jump's target: 32 bits outside 64-bit mode, canonical in it. The #GP is the jump's.
function checkTarget(cpu: usize, rec: usize, rip: u64): void {
  if (isLong(cpu)) {
    if (canonical(cpu, rip)) return;
    raiseGP(cpu);
  }
  store<u64>(cpu, rip & 0xffffffff, RIP);
}

// @ts-ignore: decorator
@inline
function isLong(cpu: usize): bool {
  return (load<u32>(cpu, MODE) & MODE_SIZE) == MODE_64;
}
// @ts-ignore: decorator
@inline
function ripMask(cpu: usize): u64 {
  return isLong(cpu) ? ~(<u64>0) : 0xffffffff;
}

function jumpIndirect(cpu: usize, target: u64): usize {
  if (!canonical(cpu, target)) raiseGP(cpu);
  store<u64>(cpu, target, RIP);
  return 0;
}

function callIndirect(cpu: usize, rec: usize, target: u64): usize {
  if (!canonical(cpu, target)) raiseGP(cpu);
  push64(cpu, ripAfter(cpu, rec));
  store<u64>(cpu, target, RIP);
  return 0;
}

function return64(cpu: usize, rec: usize): usize {
  const rsp = load<u64>(cpu, RSP);
  const target = read64(cpu, rsp);
  if (!canonical(cpu, target)) raiseGP(cpu);
  store<u64>(cpu, rsp + 8 + load<u64>(rec, REC_IMM), RSP);
  store<u64>(cpu, target, RIP);
  return 0;
}

function call64(cpu: usize, rec: usize): usize {
  const rip = load<u64>(cpu, BLOCK_RIP) + load<u64>(rec, REC_IMM);
  if (!canonical(cpu, rip)) raiseGP(cpu);
  push64(cpu, ripAfter(cpu, rec));
  store<u64>(cpu, rip, RIP);
  const link: usize = load<u32>(rec, REC_AUX);
  if (link != 0) return link;
  if ((load<u8>(rec, REC_SCALE) & LINKABLE) == 0) return 0;
  const block = linkTarget(cpu, rip);
  store<u32>(rec, <u32>block, REC_AUX);
  return block;
}

// ---- The loop.

/** Runs until EXIT_REASON is set. May unwind, and is called again then. */
export function run(cpu: usize): void {
  if (load<u32>(cpu, EXC_PENDING) != 0) deliverPending(cpu);
  let block: usize = 0;
  for (;;) {
    let step = false;
    // EXIT_REQUEST and INTERRUPT_CHECK at once.
    if (load<u64>(cpu, EXIT_REQUEST) != 0) {
      const answer = attention(cpu);
      if (answer == ATTENTION_LEAVE) return;
      step = answer == ATTENTION_STEP;
      block = 0;
    }
    if (block == 0) block = findBlock(cpu);
    let left = load<i64>(cpu, REMAINING);
    if (left <= 0) {
      store<u32>(cpu, EXIT_BUDGET, EXIT_REASON);
      return;
    }
    let instructions = <i64>load<u16>(block, BLOCK_COUNT);
    if (step) {
      if (beforeInstruction(cpu)) return;
      block = singleBlock(cpu, block);
      instructions = 1;
    } else if (instructions > left) {
      block = singleBlock(cpu, block);
      instructions = 1;
    }
    store<i64>(cpu, left - instructions, REMAINING);
    store<u64>(cpu, load<u64>(cpu, RIP), BLOCK_RIP);
    block = execute(cpu, block + BLOCK_HEADER);
    if (step) {
      store<u32>(cpu, 0, CUR_REC);
      stepTrap(cpu);
    }
  }
}

/**
 * After an unwind: RIP of the instruction that did it, and the budget without the instructions that did
 * not run. CUR_REC is 0 where the unwind came from between instructions; RIP is right then.
 */
export function settle(cpu: usize): void {
  const rec: usize = load<u32>(cpu, CUR_REC);
  if (rec == 0) return;
  store<u32>(cpu, 0, CUR_REC);
  store<u64>(cpu, load<u64>(cpu, BLOCK_RIP) + <u64>load<u16>(rec, REC_IPOFF), RIP);
  store<i64>(cpu, load<i64>(cpu, REMAINING) + remainingOf(rec), REMAINING);
}

// Instructions of the block from this record on. Its last record has no length.
function remainingOf(rec: usize): i64 {
  let last = rec;
  const seq = <i64>load<u8>(rec, REC_SEQ);
  while (load<u8>(last, REC_LEN) != 0) last += REC_BYTES;
  return <i64>load<u8>(last, REC_SEQ) - seq;
}

// Runs a block's records from `rec`. Answers the next block, or 0 where RIP has to be looked up.
function execute(cpu: usize, rec: usize): usize {
  for (;;) {
    store<u32>(cpu, <u32>rec, CUR_REC);
    const op = <u32>load<u16>(rec, REC_OP);
    switch (op) {
      case OP_ALU_RR:
        aluRR<u8>(cpu, rec, ADD);
        break;
      case OP_ALU_RR + 1:
        aluRR<u16>(cpu, rec, ADD);
        break;
      case OP_ALU_RR + 2:
        aluRR<u32>(cpu, rec, ADD);
        break;
      case OP_ALU_RR + 3:
        aluRR<u64>(cpu, rec, ADD);
        break;
      case OP_ALU_RR + 4:
        aluRR<u8>(cpu, rec, OR);
        break;
      case OP_ALU_RR + 5:
        aluRR<u16>(cpu, rec, OR);
        break;
      case OP_ALU_RR + 6:
        aluRR<u32>(cpu, rec, OR);
        break;
      case OP_ALU_RR + 7:
        aluRR<u64>(cpu, rec, OR);
        break;
      case OP_ALU_RR + 8:
        aluRR<u8>(cpu, rec, ADC);
        break;
      case OP_ALU_RR + 9:
        aluRR<u16>(cpu, rec, ADC);
        break;
      case OP_ALU_RR + 10:
        aluRR<u32>(cpu, rec, ADC);
        break;
      case OP_ALU_RR + 11:
        aluRR<u64>(cpu, rec, ADC);
        break;
      case OP_ALU_RR + 12:
        aluRR<u8>(cpu, rec, SBB);
        break;
      case OP_ALU_RR + 13:
        aluRR<u16>(cpu, rec, SBB);
        break;
      case OP_ALU_RR + 14:
        aluRR<u32>(cpu, rec, SBB);
        break;
      case OP_ALU_RR + 15:
        aluRR<u64>(cpu, rec, SBB);
        break;
      case OP_ALU_RR + 16:
        aluRR<u8>(cpu, rec, AND);
        break;
      case OP_ALU_RR + 17:
        aluRR<u16>(cpu, rec, AND);
        break;
      case OP_ALU_RR + 18:
        aluRR<u32>(cpu, rec, AND);
        break;
      case OP_ALU_RR + 19:
        aluRR<u64>(cpu, rec, AND);
        break;
      case OP_ALU_RR + 20:
        aluRR<u8>(cpu, rec, SUB);
        break;
      case OP_ALU_RR + 21:
        aluRR<u16>(cpu, rec, SUB);
        break;
      case OP_ALU_RR + 22:
        aluRR<u32>(cpu, rec, SUB);
        break;
      case OP_ALU_RR + 23:
        aluRR<u64>(cpu, rec, SUB);
        break;
      case OP_ALU_RR + 24:
        aluRR<u8>(cpu, rec, XOR);
        break;
      case OP_ALU_RR + 25:
        aluRR<u16>(cpu, rec, XOR);
        break;
      case OP_ALU_RR + 26:
        aluRR<u32>(cpu, rec, XOR);
        break;
      case OP_ALU_RR + 27:
        aluRR<u64>(cpu, rec, XOR);
        break;
      case OP_ALU_RR + 28:
        compareRR<u8>(cpu, rec);
        break;
      case OP_ALU_RR + 29:
        compareRR<u16>(cpu, rec);
        break;
      case OP_ALU_RR + 30:
        compareRR<u32>(cpu, rec);
        break;
      case OP_ALU_RR + 31:
        compareRR<u64>(cpu, rec);
        break;
      case OP_ALU_RM:
        aluRM<u8>(cpu, rec, ADD);
        break;
      case OP_ALU_RM + 1:
        aluRM<u16>(cpu, rec, ADD);
        break;
      case OP_ALU_RM + 2:
        aluRM<u32>(cpu, rec, ADD);
        break;
      case OP_ALU_RM + 3:
        aluRM<u64>(cpu, rec, ADD);
        break;
      case OP_ALU_RM + 4:
        aluRM<u8>(cpu, rec, OR);
        break;
      case OP_ALU_RM + 5:
        aluRM<u16>(cpu, rec, OR);
        break;
      case OP_ALU_RM + 6:
        aluRM<u32>(cpu, rec, OR);
        break;
      case OP_ALU_RM + 7:
        aluRM<u64>(cpu, rec, OR);
        break;
      case OP_ALU_RM + 8:
        aluRM<u8>(cpu, rec, ADC);
        break;
      case OP_ALU_RM + 9:
        aluRM<u16>(cpu, rec, ADC);
        break;
      case OP_ALU_RM + 10:
        aluRM<u32>(cpu, rec, ADC);
        break;
      case OP_ALU_RM + 11:
        aluRM<u64>(cpu, rec, ADC);
        break;
      case OP_ALU_RM + 12:
        aluRM<u8>(cpu, rec, SBB);
        break;
      case OP_ALU_RM + 13:
        aluRM<u16>(cpu, rec, SBB);
        break;
      case OP_ALU_RM + 14:
        aluRM<u32>(cpu, rec, SBB);
        break;
      case OP_ALU_RM + 15:
        aluRM<u64>(cpu, rec, SBB);
        break;
      case OP_ALU_RM + 16:
        aluRM<u8>(cpu, rec, AND);
        break;
      case OP_ALU_RM + 17:
        aluRM<u16>(cpu, rec, AND);
        break;
      case OP_ALU_RM + 18:
        aluRM<u32>(cpu, rec, AND);
        break;
      case OP_ALU_RM + 19:
        aluRM<u64>(cpu, rec, AND);
        break;
      case OP_ALU_RM + 20:
        aluRM<u8>(cpu, rec, SUB);
        break;
      case OP_ALU_RM + 21:
        aluRM<u16>(cpu, rec, SUB);
        break;
      case OP_ALU_RM + 22:
        aluRM<u32>(cpu, rec, SUB);
        break;
      case OP_ALU_RM + 23:
        aluRM<u64>(cpu, rec, SUB);
        break;
      case OP_ALU_RM + 24:
        aluRM<u8>(cpu, rec, XOR);
        break;
      case OP_ALU_RM + 25:
        aluRM<u16>(cpu, rec, XOR);
        break;
      case OP_ALU_RM + 26:
        aluRM<u32>(cpu, rec, XOR);
        break;
      case OP_ALU_RM + 27:
        aluRM<u64>(cpu, rec, XOR);
        break;
      case OP_ALU_RM + 28:
        compareRM<u8>(cpu, rec);
        break;
      case OP_ALU_RM + 29:
        compareRM<u16>(cpu, rec);
        break;
      case OP_ALU_RM + 30:
        compareRM<u32>(cpu, rec);
        break;
      case OP_ALU_RM + 31:
        compareRM<u64>(cpu, rec);
        break;
      case OP_ALU_MR:
        aluMR<u8>(cpu, rec, ADD);
        break;
      case OP_ALU_MR + 1:
        aluMR<u16>(cpu, rec, ADD);
        break;
      case OP_ALU_MR + 2:
        aluMR<u32>(cpu, rec, ADD);
        break;
      case OP_ALU_MR + 3:
        aluMR<u64>(cpu, rec, ADD);
        break;
      case OP_ALU_MR + 4:
        aluMR<u8>(cpu, rec, OR);
        break;
      case OP_ALU_MR + 5:
        aluMR<u16>(cpu, rec, OR);
        break;
      case OP_ALU_MR + 6:
        aluMR<u32>(cpu, rec, OR);
        break;
      case OP_ALU_MR + 7:
        aluMR<u64>(cpu, rec, OR);
        break;
      case OP_ALU_MR + 8:
        aluMR<u8>(cpu, rec, ADC);
        break;
      case OP_ALU_MR + 9:
        aluMR<u16>(cpu, rec, ADC);
        break;
      case OP_ALU_MR + 10:
        aluMR<u32>(cpu, rec, ADC);
        break;
      case OP_ALU_MR + 11:
        aluMR<u64>(cpu, rec, ADC);
        break;
      case OP_ALU_MR + 12:
        aluMR<u8>(cpu, rec, SBB);
        break;
      case OP_ALU_MR + 13:
        aluMR<u16>(cpu, rec, SBB);
        break;
      case OP_ALU_MR + 14:
        aluMR<u32>(cpu, rec, SBB);
        break;
      case OP_ALU_MR + 15:
        aluMR<u64>(cpu, rec, SBB);
        break;
      case OP_ALU_MR + 16:
        aluMR<u8>(cpu, rec, AND);
        break;
      case OP_ALU_MR + 17:
        aluMR<u16>(cpu, rec, AND);
        break;
      case OP_ALU_MR + 18:
        aluMR<u32>(cpu, rec, AND);
        break;
      case OP_ALU_MR + 19:
        aluMR<u64>(cpu, rec, AND);
        break;
      case OP_ALU_MR + 20:
        aluMR<u8>(cpu, rec, SUB);
        break;
      case OP_ALU_MR + 21:
        aluMR<u16>(cpu, rec, SUB);
        break;
      case OP_ALU_MR + 22:
        aluMR<u32>(cpu, rec, SUB);
        break;
      case OP_ALU_MR + 23:
        aluMR<u64>(cpu, rec, SUB);
        break;
      case OP_ALU_MR + 24:
        aluMR<u8>(cpu, rec, XOR);
        break;
      case OP_ALU_MR + 25:
        aluMR<u16>(cpu, rec, XOR);
        break;
      case OP_ALU_MR + 26:
        aluMR<u32>(cpu, rec, XOR);
        break;
      case OP_ALU_MR + 27:
        aluMR<u64>(cpu, rec, XOR);
        break;
      case OP_ALU_MR + 28:
        compareMR<u8>(cpu, rec);
        break;
      case OP_ALU_MR + 29:
        compareMR<u16>(cpu, rec);
        break;
      case OP_ALU_MR + 30:
        compareMR<u32>(cpu, rec);
        break;
      case OP_ALU_MR + 31:
        compareMR<u64>(cpu, rec);
        break;
      case OP_ALU_RI:
        aluRI<u8>(cpu, rec, ADD);
        break;
      case OP_ALU_RI + 1:
        aluRI<u16>(cpu, rec, ADD);
        break;
      case OP_ALU_RI + 2:
        aluRI<u32>(cpu, rec, ADD);
        break;
      case OP_ALU_RI + 3:
        aluRI<u64>(cpu, rec, ADD);
        break;
      case OP_ALU_RI + 4:
        aluRI<u8>(cpu, rec, OR);
        break;
      case OP_ALU_RI + 5:
        aluRI<u16>(cpu, rec, OR);
        break;
      case OP_ALU_RI + 6:
        aluRI<u32>(cpu, rec, OR);
        break;
      case OP_ALU_RI + 7:
        aluRI<u64>(cpu, rec, OR);
        break;
      case OP_ALU_RI + 8:
        aluRI<u8>(cpu, rec, ADC);
        break;
      case OP_ALU_RI + 9:
        aluRI<u16>(cpu, rec, ADC);
        break;
      case OP_ALU_RI + 10:
        aluRI<u32>(cpu, rec, ADC);
        break;
      case OP_ALU_RI + 11:
        aluRI<u64>(cpu, rec, ADC);
        break;
      case OP_ALU_RI + 12:
        aluRI<u8>(cpu, rec, SBB);
        break;
      case OP_ALU_RI + 13:
        aluRI<u16>(cpu, rec, SBB);
        break;
      case OP_ALU_RI + 14:
        aluRI<u32>(cpu, rec, SBB);
        break;
      case OP_ALU_RI + 15:
        aluRI<u64>(cpu, rec, SBB);
        break;
      case OP_ALU_RI + 16:
        aluRI<u8>(cpu, rec, AND);
        break;
      case OP_ALU_RI + 17:
        aluRI<u16>(cpu, rec, AND);
        break;
      case OP_ALU_RI + 18:
        aluRI<u32>(cpu, rec, AND);
        break;
      case OP_ALU_RI + 19:
        aluRI<u64>(cpu, rec, AND);
        break;
      case OP_ALU_RI + 20:
        aluRI<u8>(cpu, rec, SUB);
        break;
      case OP_ALU_RI + 21:
        aluRI<u16>(cpu, rec, SUB);
        break;
      case OP_ALU_RI + 22:
        aluRI<u32>(cpu, rec, SUB);
        break;
      case OP_ALU_RI + 23:
        aluRI<u64>(cpu, rec, SUB);
        break;
      case OP_ALU_RI + 24:
        aluRI<u8>(cpu, rec, XOR);
        break;
      case OP_ALU_RI + 25:
        aluRI<u16>(cpu, rec, XOR);
        break;
      case OP_ALU_RI + 26:
        aluRI<u32>(cpu, rec, XOR);
        break;
      case OP_ALU_RI + 27:
        aluRI<u64>(cpu, rec, XOR);
        break;
      case OP_ALU_RI + 28:
        compareRI<u8>(cpu, rec);
        break;
      case OP_ALU_RI + 29:
        compareRI<u16>(cpu, rec);
        break;
      case OP_ALU_RI + 30:
        compareRI<u32>(cpu, rec);
        break;
      case OP_ALU_RI + 31:
        compareRI<u64>(cpu, rec);
        break;
      case OP_ALU_MI:
        aluMI<u8>(cpu, rec, ADD);
        break;
      case OP_ALU_MI + 1:
        aluMI<u16>(cpu, rec, ADD);
        break;
      case OP_ALU_MI + 2:
        aluMI<u32>(cpu, rec, ADD);
        break;
      case OP_ALU_MI + 3:
        aluMI<u64>(cpu, rec, ADD);
        break;
      case OP_ALU_MI + 4:
        aluMI<u8>(cpu, rec, OR);
        break;
      case OP_ALU_MI + 5:
        aluMI<u16>(cpu, rec, OR);
        break;
      case OP_ALU_MI + 6:
        aluMI<u32>(cpu, rec, OR);
        break;
      case OP_ALU_MI + 7:
        aluMI<u64>(cpu, rec, OR);
        break;
      case OP_ALU_MI + 8:
        aluMI<u8>(cpu, rec, ADC);
        break;
      case OP_ALU_MI + 9:
        aluMI<u16>(cpu, rec, ADC);
        break;
      case OP_ALU_MI + 10:
        aluMI<u32>(cpu, rec, ADC);
        break;
      case OP_ALU_MI + 11:
        aluMI<u64>(cpu, rec, ADC);
        break;
      case OP_ALU_MI + 12:
        aluMI<u8>(cpu, rec, SBB);
        break;
      case OP_ALU_MI + 13:
        aluMI<u16>(cpu, rec, SBB);
        break;
      case OP_ALU_MI + 14:
        aluMI<u32>(cpu, rec, SBB);
        break;
      case OP_ALU_MI + 15:
        aluMI<u64>(cpu, rec, SBB);
        break;
      case OP_ALU_MI + 16:
        aluMI<u8>(cpu, rec, AND);
        break;
      case OP_ALU_MI + 17:
        aluMI<u16>(cpu, rec, AND);
        break;
      case OP_ALU_MI + 18:
        aluMI<u32>(cpu, rec, AND);
        break;
      case OP_ALU_MI + 19:
        aluMI<u64>(cpu, rec, AND);
        break;
      case OP_ALU_MI + 20:
        aluMI<u8>(cpu, rec, SUB);
        break;
      case OP_ALU_MI + 21:
        aluMI<u16>(cpu, rec, SUB);
        break;
      case OP_ALU_MI + 22:
        aluMI<u32>(cpu, rec, SUB);
        break;
      case OP_ALU_MI + 23:
        aluMI<u64>(cpu, rec, SUB);
        break;
      case OP_ALU_MI + 24:
        aluMI<u8>(cpu, rec, XOR);
        break;
      case OP_ALU_MI + 25:
        aluMI<u16>(cpu, rec, XOR);
        break;
      case OP_ALU_MI + 26:
        aluMI<u32>(cpu, rec, XOR);
        break;
      case OP_ALU_MI + 27:
        aluMI<u64>(cpu, rec, XOR);
        break;
      case OP_ALU_MI + 28:
        compareMI<u8>(cpu, rec);
        break;
      case OP_ALU_MI + 29:
        compareMI<u16>(cpu, rec);
        break;
      case OP_ALU_MI + 30:
        compareMI<u32>(cpu, rec);
        break;
      case OP_ALU_MI + 31:
        compareMI<u64>(cpu, rec);
        break;
      case OP_TEST_RR:
        testRR<u8>(cpu, rec);
        break;
      case OP_TEST_RR + 1:
        testRR<u16>(cpu, rec);
        break;
      case OP_TEST_RR + 2:
        testRR<u32>(cpu, rec);
        break;
      case OP_TEST_RR + 3:
        testRR<u64>(cpu, rec);
        break;
      case OP_TEST_MR:
        testMR<u8>(cpu, rec);
        break;
      case OP_TEST_MR + 1:
        testMR<u16>(cpu, rec);
        break;
      case OP_TEST_MR + 2:
        testMR<u32>(cpu, rec);
        break;
      case OP_TEST_MR + 3:
        testMR<u64>(cpu, rec);
        break;
      case OP_TEST_RI:
        testRI<u8>(cpu, rec);
        break;
      case OP_TEST_RI + 1:
        testRI<u16>(cpu, rec);
        break;
      case OP_TEST_RI + 2:
        testRI<u32>(cpu, rec);
        break;
      case OP_TEST_RI + 3:
        testRI<u64>(cpu, rec);
        break;
      case OP_TEST_MI:
        testMI<u8>(cpu, rec);
        break;
      case OP_TEST_MI + 1:
        testMI<u16>(cpu, rec);
        break;
      case OP_TEST_MI + 2:
        testMI<u32>(cpu, rec);
        break;
      case OP_TEST_MI + 3:
        testMI<u64>(cpu, rec);
        break;
      case OP_MOV_RR:
        movRR<u8>(cpu, rec);
        break;
      case OP_MOV_RR + 1:
        movRR<u16>(cpu, rec);
        break;
      case OP_MOV_RR + 2:
        movRR<u32>(cpu, rec);
        break;
      case OP_MOV_RR + 3:
        movRR<u64>(cpu, rec);
        break;
      case OP_MOV_RM:
        movRM<u8>(cpu, rec);
        break;
      case OP_MOV_RM + 1:
        movRM<u16>(cpu, rec);
        break;
      case OP_MOV_RM + 2:
        movRM<u32>(cpu, rec);
        break;
      case OP_MOV_RM + 3:
        movRM<u64>(cpu, rec);
        break;
      case OP_MOV_MR:
        movMR<u8>(cpu, rec);
        break;
      case OP_MOV_MR + 1:
        movMR<u16>(cpu, rec);
        break;
      case OP_MOV_MR + 2:
        movMR<u32>(cpu, rec);
        break;
      case OP_MOV_MR + 3:
        movMR<u64>(cpu, rec);
        break;
      case OP_MOV_RI:
        movRI<u8>(cpu, rec);
        break;
      case OP_MOV_RI + 1:
        movRI<u16>(cpu, rec);
        break;
      case OP_MOV_RI + 2:
        movRI<u32>(cpu, rec);
        break;
      case OP_MOV_RI + 3:
        movRI<u64>(cpu, rec);
        break;
      case OP_MOV_MI:
        movMI<u8>(cpu, rec);
        break;
      case OP_MOV_MI + 1:
        movMI<u16>(cpu, rec);
        break;
      case OP_MOV_MI + 2:
        movMI<u32>(cpu, rec);
        break;
      case OP_MOV_MI + 3:
        movMI<u64>(cpu, rec);
        break;
      case OP_INC_R:
        putRm<u8>(cpu, rec, increment<u8>(cpu, rm<u8>(cpu, rec)));
        break;
      case OP_INC_R + 1:
        putRm<u16>(cpu, rec, increment<u16>(cpu, rm<u16>(cpu, rec)));
        break;
      case OP_INC_R + 2:
        putRm<u32>(cpu, rec, increment<u32>(cpu, rm<u32>(cpu, rec)));
        break;
      case OP_INC_R + 3:
        putRm<u64>(cpu, rec, increment<u64>(cpu, rm<u64>(cpu, rec)));
        break;
      case OP_DEC_R:
        putRm<u8>(cpu, rec, decrement<u8>(cpu, rm<u8>(cpu, rec)));
        break;
      case OP_DEC_R + 1:
        putRm<u16>(cpu, rec, decrement<u16>(cpu, rm<u16>(cpu, rec)));
        break;
      case OP_DEC_R + 2:
        putRm<u32>(cpu, rec, decrement<u32>(cpu, rm<u32>(cpu, rec)));
        break;
      case OP_DEC_R + 3:
        putRm<u64>(cpu, rec, decrement<u64>(cpu, rm<u64>(cpu, rec)));
        break;
      case OP_INC_M:
        incM<u8>(cpu, rec);
        break;
      case OP_INC_M + 1:
        incM<u16>(cpu, rec);
        break;
      case OP_INC_M + 2:
        incM<u32>(cpu, rec);
        break;
      case OP_INC_M + 3:
        incM<u64>(cpu, rec);
        break;
      case OP_DEC_M:
        decM<u8>(cpu, rec);
        break;
      case OP_DEC_M + 1:
        decM<u16>(cpu, rec);
        break;
      case OP_DEC_M + 2:
        decM<u32>(cpu, rec);
        break;
      case OP_DEC_M + 3:
        decM<u64>(cpu, rec);
        break;
      case OP_NEG_R:
        putRm<u8>(cpu, rec, negate<u8>(cpu, rm<u8>(cpu, rec)));
        break;
      case OP_NEG_R + 1:
        putRm<u16>(cpu, rec, negate<u16>(cpu, rm<u16>(cpu, rec)));
        break;
      case OP_NEG_R + 2:
        putRm<u32>(cpu, rec, negate<u32>(cpu, rm<u32>(cpu, rec)));
        break;
      case OP_NEG_R + 3:
        putRm<u64>(cpu, rec, negate<u64>(cpu, rm<u64>(cpu, rec)));
        break;
      case OP_NOT_R:
        putRm<u8>(cpu, rec, ~rm<u8>(cpu, rec));
        break;
      case OP_NOT_R + 1:
        putRm<u16>(cpu, rec, ~rm<u16>(cpu, rec));
        break;
      case OP_NOT_R + 2:
        putRm<u32>(cpu, rec, ~rm<u32>(cpu, rec));
        break;
      case OP_NOT_R + 3:
        putRm<u64>(cpu, rec, ~rm<u64>(cpu, rec));
        break;
      case OP_LEA:
        store<u16>(regAt(cpu, rec), <u16>effectiveOffset(cpu, rec));
        break;
      case OP_LEA + 1:
        store<u64>(regAt(cpu, rec), effectiveOffset(cpu, rec) & 0xffffffff);
        break;
      case OP_LEA + 2:
        store<u64>(regAt(cpu, rec), effectiveOffset(cpu, rec));
        break;
      case OP_MOVZX8:
        store<u64>(regAt(cpu, rec), <u64>rm<u8>(cpu, rec));
        break;
      case OP_MOVZX8 + 1:
        store<u64>(regAt(cpu, rec), <u64>read8(cpu, eaSized(cpu, rec, 1, 0)));
        break;
      case OP_MOVZX16:
        store<u64>(regAt(cpu, rec), <u64>rm<u16>(cpu, rec));
        break;
      case OP_MOVZX16 + 1:
        store<u64>(regAt(cpu, rec), <u64>read16(cpu, eaSized(cpu, rec, 2, 0)));
        break;
      case OP_MOVSX8_32:
        store<u64>(regAt(cpu, rec), <u64>(<u32>(<i32>rm<i8>(cpu, rec))));
        break;
      case OP_MOVSX8_32 + 1:
        store<u64>(regAt(cpu, rec), <u64>(<u32>(<i32><i8>read8(cpu, eaSized(cpu, rec, 1, 0)))));
        break;
      case OP_MOVSX8_64:
        store<u64>(regAt(cpu, rec), <u64>(<i64>rm<i8>(cpu, rec)));
        break;
      case OP_MOVSX8_64 + 1:
        store<u64>(regAt(cpu, rec), <u64>(<i64><i8>read8(cpu, eaSized(cpu, rec, 1, 0))));
        break;
      case OP_MOVSX16_32:
        store<u64>(regAt(cpu, rec), <u64>(<u32>(<i32>rm<i16>(cpu, rec))));
        break;
      case OP_MOVSX16_32 + 1:
        store<u64>(regAt(cpu, rec), <u64>(<u32>(<i32><i16>read16(cpu, eaSized(cpu, rec, 2, 0)))));
        break;
      case OP_MOVSX16_64:
        store<u64>(regAt(cpu, rec), <u64>(<i64>rm<i16>(cpu, rec)));
        break;
      case OP_MOVSX16_64 + 1:
        store<u64>(regAt(cpu, rec), <u64>(<i64><i16>read16(cpu, eaSized(cpu, rec, 2, 0))));
        break;
      case OP_MOVSX32_64:
        store<u64>(regAt(cpu, rec), <u64>(<i64>rm<i32>(cpu, rec)));
        break;
      case OP_MOVSX32_64 + 1:
        store<u64>(regAt(cpu, rec), <u64>(<i64>(<i32>read32(cpu, eaSized(cpu, rec, 4, 0)))));
        break;
      case OP_PUSH64_R:
        push64(cpu, rm<u64>(cpu, rec));
        break;
      case OP_POP64_R:
        pop64Register(cpu, rec);
        break;
      case OP_PUSH64_I:
        push64(cpu, load<u64>(rec, REC_IMM));
        break;
      case OP_PUSH64_M:
        push64(cpu, read64(cpu, eaSized(cpu, rec, 8, 0)));
        break;
      case OP_LEAVE64:
        leave64(cpu);
        break;
      case OP_SHL_I:
        putRm<u32>(cpu, rec, shiftLeft<u32>(cpu, rm<u32>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
        break;
      case OP_SHL_I + 1:
        putRm<u64>(cpu, rec, shiftLeft<u64>(cpu, rm<u64>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
        break;
      case OP_SHR_I:
        putRm<u32>(cpu, rec, shiftRight<u32>(cpu, rm<u32>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
        break;
      case OP_SHR_I + 1:
        putRm<u64>(cpu, rec, shiftRight<u64>(cpu, rm<u64>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
        break;
      case OP_SAR_I:
        putRm<u32>(cpu, rec, shiftArithmetic<u32>(cpu, rm<u32>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
        break;
      case OP_SAR_I + 1:
        putRm<u64>(cpu, rec, shiftArithmetic<u64>(cpu, rm<u64>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
        break;
      case OP_ROL_I:
        putRm<u32>(cpu, rec, rotateLeft<u32>(cpu, rm<u32>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
        break;
      case OP_ROL_I + 1:
        putRm<u64>(cpu, rec, rotateLeft<u64>(cpu, rm<u64>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
        break;
      case OP_ROR_I:
        putRm<u32>(cpu, rec, rotateRight<u32>(cpu, rm<u32>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
        break;
      case OP_ROR_I + 1:
        putRm<u64>(cpu, rec, rotateRight<u64>(cpu, rm<u64>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
        break;
      case OP_SHL_CL:
        shiftByCl<u32>(cpu, rec, 4);
        break;
      case OP_SHL_CL + 1:
        shiftByCl<u64>(cpu, rec, 4);
        break;
      case OP_SHR_CL:
        shiftByCl<u32>(cpu, rec, 5);
        break;
      case OP_SHR_CL + 1:
        shiftByCl<u64>(cpu, rec, 5);
        break;
      case OP_SAR_CL:
        shiftByCl<u32>(cpu, rec, 7);
        break;
      case OP_SAR_CL + 1:
        shiftByCl<u64>(cpu, rec, 7);
        break;
      case OP_IMUL:
        put<u32>(regAt(cpu, rec), multiply32(cpu, reg<u32>(cpu, rec), rm<u32>(cpu, rec)));
        break;
      case OP_IMUL + 1:
        put<u64>(regAt(cpu, rec), multiply64(cpu, reg<u64>(cpu, rec), rm<u64>(cpu, rec)));
        break;
      case OP_IMUL + 2:
        put<u32>(regAt(cpu, rec), multiply32(cpu, reg<u32>(cpu, rec), read32(cpu, eaSized(cpu, rec, 4, 0))));
        break;
      case OP_IMUL + 3:
        put<u64>(regAt(cpu, rec), multiply64(cpu, reg<u64>(cpu, rec), read64(cpu, eaSized(cpu, rec, 8, 0))));
        break;
      case OP_IMUL_I:
        put<u32>(regAt(cpu, rec), multiply32(cpu, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
        break;
      case OP_IMUL_I + 1:
        put<u64>(regAt(cpu, rec), multiply64(cpu, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
        break;
      case OP_IMUL_I + 2:
        put<u32>(regAt(cpu, rec), multiply32(cpu, read32(cpu, eaSized(cpu, rec, 4, 0)), load<u32>(rec, REC_IMM)));
        break;
      case OP_IMUL_I + 3:
        put<u64>(regAt(cpu, rec), multiply64(cpu, read64(cpu, eaSized(cpu, rec, 8, 0)), load<u64>(rec, REC_IMM)));
        break;
      case OP_CMOV:
        cmov<u32>(cpu, rec, rm<u32>(cpu, rec));
        break;
      case OP_CMOV + 1:
        cmov<u64>(cpu, rec, rm<u64>(cpu, rec));
        break;
      case OP_CMOV + 2:
        cmov<u32>(cpu, rec, read32(cpu, eaSized(cpu, rec, 4, 0)));
        break;
      case OP_CMOV + 3:
        cmov<u64>(cpu, rec, read64(cpu, eaSized(cpu, rec, 8, 0)));
        break;
      case OP_SETCC_R:
        store<u8>(rmAt(cpu, rec), u8(condition(cpu, <u32>load<u8>(rec, REC_IMM))));
        break;
      case OP_CDQE:
        store<u64>(cpu, <u64>(<i64>load<i32>(cpu)));
        break;
      case OP_CDQ:
        store<u64>(cpu, <u64>(<u32>(load<i32>(cpu) >> 31)), RDX);
        break;
      case OP_CQO:
        store<u64>(cpu, <u64>(load<i64>(cpu) >> 63), RDX);
        break;
      case OP_NOP:
        break;
      case OP_JMP:
        return jumpTaken(cpu, rec);
      case OP_CALL64:
        return call64(cpu, rec);
      case OP_RET64:
        return return64(cpu, rec);
      case OP_JMP64_R:
        return jumpIndirect(cpu, rm<u64>(cpu, rec));
      case OP_JMP64_M:
        return jumpIndirect(cpu, read64(cpu, eaSized(cpu, rec, 8, 0)));
      case OP_CALL64_R:
        return callIndirect(cpu, rec, rm<u64>(cpu, rec));
      case OP_CALL64_M:
        return callIndirect(cpu, rec, read64(cpu, eaSized(cpu, rec, 8, 0)));
      case OP_JCC:
        if (condition(cpu, 0)) return jumpTaken(cpu, rec);
        return jumpNotTaken(cpu, rec);
      case OP_JCC + 1:
        if (condition(cpu, 1)) return jumpTaken(cpu, rec);
        return jumpNotTaken(cpu, rec);
      case OP_JCC + 2:
        if (isBelow(cpu)) return jumpTaken(cpu, rec);
        return jumpNotTaken(cpu, rec);
      case OP_JCC + 3:
        if (!isBelow(cpu)) return jumpTaken(cpu, rec);
        return jumpNotTaken(cpu, rec);
      case OP_JCC + 4:
        if (isZero(cpu)) return jumpTaken(cpu, rec);
        return jumpNotTaken(cpu, rec);
      case OP_JCC + 5:
        if (!isZero(cpu)) return jumpTaken(cpu, rec);
        return jumpNotTaken(cpu, rec);
      case OP_JCC + 6:
        if (isBelowOrEqual(cpu)) return jumpTaken(cpu, rec);
        return jumpNotTaken(cpu, rec);
      case OP_JCC + 7:
        if (!isBelowOrEqual(cpu)) return jumpTaken(cpu, rec);
        return jumpNotTaken(cpu, rec);
      case OP_JCC + 8:
        if (isSign(cpu)) return jumpTaken(cpu, rec);
        return jumpNotTaken(cpu, rec);
      case OP_JCC + 9:
        if (!isSign(cpu)) return jumpTaken(cpu, rec);
        return jumpNotTaken(cpu, rec);
      case OP_JCC + 10:
        if (condition(cpu, 10)) return jumpTaken(cpu, rec);
        return jumpNotTaken(cpu, rec);
      case OP_JCC + 11:
        if (condition(cpu, 11)) return jumpTaken(cpu, rec);
        return jumpNotTaken(cpu, rec);
      case OP_JCC + 12:
        if (isLess(cpu)) return jumpTaken(cpu, rec);
        return jumpNotTaken(cpu, rec);
      case OP_JCC + 13:
        if (!isLess(cpu)) return jumpTaken(cpu, rec);
        return jumpNotTaken(cpu, rec);
      case OP_JCC + 14:
        if (isLessOrEqual(cpu)) return jumpTaken(cpu, rec);
        return jumpNotTaken(cpu, rec);
      case OP_JCC + 15:
        if (!isLessOrEqual(cpu)) return jumpTaken(cpu, rec);
        return jumpNotTaken(cpu, rec);
      case OP_END:
        store<u64>(cpu, (load<u64>(cpu, BLOCK_RIP) + <u64>load<u16>(rec, REC_IPOFF)) & ripMask(cpu), RIP);
        return 0;
      case OP_RELOOKUP:
        return relookup(cpu, rec);
      case OP_UD:
        raise(cpu, UD);
        break;
      default:
        if (op >= OPS.OPS_SSE) execSse(cpu, rec, op);
        else if (op >= OPS.OPS_FPU_STATE) execFpuState(cpu, rec, op);
        else if (op >= OPS.OPS_X87) execX87(cpu, rec, op);
        else if (op >= OPS.OPS_SYSTEM) {
          store<u64>(cpu, ripAfter(cpu, rec) & ripMask(cpu), RIP);
          execSystem(cpu, rec, op);
          return 0;
        } else if (op >= OP_NEAR_FIRST && op <= OP_JCXZ) {
          store<u64>(cpu, ripAfter(cpu, rec) & ripMask(cpu), RIP);
          execInteger(cpu, rec, op);
          return 0;
        } else if (op >= OP_MOVS && op <= OP_SCAS) {
          // A repeated string operation that is not done yet starts again, after a look at what is pending.
          if (!execString(cpu, rec, op)) return again(cpu, rec);
        } else execInteger(cpu, rec, op);
    }
    rec += REC_BYTES;
  }
}

// The instruction has made progress but is not complete: it is not counted, and starts over from the block lookup.
function again(cpu: usize, rec: usize): usize {
  settle(cpu);
  // It counts as one each time, so that a budget ends it.
  store<i64>(cpu, load<i64>(cpu, REMAINING) - 1, REMAINING);
  return 0;
}

function relookup(cpu: usize, rec: usize): usize {
  settle(cpu);
  return 0;
}
