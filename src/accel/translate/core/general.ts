// The operations of the main loop once more, in general form: any size, any mode, any address. It comes here
// with what it does not do itself: a TLB miss, a segment's base or limit, a rare condition or size.
import {
  BLOCK_RIP, CODE_RETIRED, CS, CUR_REC, ENDS_EARLY, EXIT_REQUEST, MACHINE_BLOCK, MODE, REGION_BUDGET, REMAINING, REPEATING, RIP,
  SEGMENTS, SEG_BYTES, SEG_LIMIT, STEPPING,
} from "../layout";
import { ADC, ADD, AND, CMP, OR, SBB, SUB } from "./alu";
import { operationOf } from "./blocks";
import { eaSized, effectiveOffset } from "./ea";
import { UD, raise, raiseGP } from "./exceptions";
import {
  CC_ADD, CC_DEC, CC_INC, CC_LOGIC, CC_SBB, CC_SUB, carryFlag, condition, setLazy, setLazyResult,
} from "./flags";
import { execFpuState } from "./fpu-state";
import { execInteger } from "./integer";
import { canonical } from "./mmu";
import { MODE_64, MODE_SIZE } from "./mode-bits";
import {
  RAX, RBP, RCX, RDX, RSP, getReg, isRegister, logOf, maskOf, putReg, readRm, readSized, regOf, rmOf, rmwSized, signExtend,
  sizeOf, writeSized,
} from "./operands";
import { OPS_FPU_STATE, OPS_INTEGER, OPS_SSE, OPS_SYSTEM, OPS_X87 } from "./ops";
import {
  OP_CALL64, OP_CALL64_M, OP_CALL64_R, OP_CDQ, OP_CDQE, OP_CMOV, OP_CQO, OP_DEC_M, OP_DEC_R, OP_END, OP_FUSED,
  OP_FUSED_END, OP_IMUL, OP_IMUL_I, OP_INC_M, OP_INC_R, OP_JCC, OP_JCXZ, OP_JMP, OP_JMP64_M, OP_JMP64_R, OP_LEA, OP_LEAVE64,
  OP_MOVS, OP_MOVSX16_32, OP_MOVSX16_64, OP_MOVSX32_64, OP_MOVSX8_32, OP_MOVSX8_64, OP_MOVZX16, OP_MOVZX8, OP_MOV_MI,
  OP_MOV_MR, OP_MOV_RI, OP_MOV_RM, OP_MOV_RR, OP_NEAR_FIRST, OP_NEG_R, OP_NOP, OP_NOT_R, OP_POP64_R, OP_PUSH64_I,
  OP_PUSH64_M, OP_PUSH64_R, OP_REGION, OP_RELOOKUP, OP_RET64, OP_ROL_I, OP_ROR_I, OP_SAR_CL, OP_SAR_I, OP_SCAS, OP_SETCC_R, OP_SHL_CL,
  OP_SHL_I, OP_SHR_CL, OP_SHR_I, OP_SPECIAL, OP_TEST_RI, OP_TEST_RR, OP_UD,
} from "./ops-integer";
import { REC_AUX, REC_BYTES, REC_IMM, REC_IPOFF, REC_LEN, REC_OP, REC_SEQ } from "./record";
import { ROL, ROR, SAR, SHL, SHR, multiply32, multiply64, shift } from "./shift";
import { execSse } from "./sse";
import { pop, push, setStackPointer, stackPointer, stackRead } from "./stack";
import { execString } from "./strings";
import { execSystem } from "./system";
import { execX87 } from "./x87";

/**
 * Executes the operation of a record. True: the next record follows. False: the block has ended, RIP and the
 * budget are right.
 */
export function execute(cpu: usize, rec: usize, op: u32): bool {
  if (op >= OPS_SSE) {
    execSse(cpu, rec, op);
    return true;
  }
  if (op >= OPS_FPU_STATE) {
    execFpuState(cpu, rec, op);
    return true;
  }
  if (op >= OPS_X87) {
    execX87(cpu, rec, op);
    return true;
  }
  if (op >= OPS_SYSTEM) {
    store<u64>(cpu, wrap(cpu, ripAfter(cpu, rec)), RIP);
    execSystem(cpu, rec, op);
    return end(cpu, rec, load<u64>(cpu, RIP));
  }
  if (op >= OPS_INTEGER) {
    if (op >= OP_NEAR_FIRST && op <= OP_JCXZ) {
      store<u64>(cpu, wrap(cpu, ripAfter(cpu, rec)), RIP);
      execInteger(cpu, rec, op);
      return end(cpu, rec, load<u64>(cpu, RIP));
    }
    if (op >= OP_MOVS && op <= OP_SCAS) {
      if (execString(cpu, rec, op)) {
        store<u32>(cpu, 0, REPEATING);
        return true;
      }
      store<u32>(cpu, 1, REPEATING);
      // Not done yet: it starts over after a look at what is pending. Each piece counts as an instruction.
      settle(cpu);
      store<i64>(cpu, load<i64>(cpu, REMAINING) - 1, REMAINING);
      return false;
    }
    execInteger(cpu, rec, op);
    return true;
  }
  if (op >= OP_JMP) return transfer(cpu, rec, op);
  plain(cpu, rec, op, sizeOf(rec));
  return true;
}

/** The block ends with this record, and RIP is `target`. */
function end(cpu: usize, rec: usize, target: u64): bool {
  store<u64>(cpu, target, RIP);
  store<i64>(cpu, load<i64>(cpu, REMAINING) - 1 - <i64>load<u8>(rec, REC_SEQ), REMAINING);
  return false;
}

// ---- Instruction pointers.

// @ts-ignore: decorator
@inline
function isLong(cpu: usize): bool {
  return (load<u32>(cpu, MODE) & MODE_SIZE) == MODE_64;
}
// Outside 64-bit mode, a distance past 4 GiB wraps.
// @ts-ignore: decorator
@inline
function wrap(cpu: usize, rip: u64): u64 {
  return isLong(cpu) ? rip : rip & 0xffffffff;
}
function ripAfter(cpu: usize, rec: usize): u64 {
  return load<u64>(cpu, BLOCK_RIP) + <u64>load<u16>(rec, REC_IPOFF) + <u64>load<u8>(rec, REC_LEN);
}

/** #GP at the running instruction for a target that is not canonical, or past the code segment. */
function checked(cpu: usize, target: u64): u64 {
  if (isLong(cpu)) {
    if (!canonical(cpu, target)) raiseGP(cpu);
    return target;
  }
  const rip = target & 0xffffffff;
  if (rip > <u64>load<u32>(cpu, SEGMENTS + CS * SEG_BYTES + SEG_LIMIT)) raiseGP(cpu);
  return rip;
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

/** Whether a region may run now: nothing waits between blocks, and the budget is not nearly used up. */
// @ts-ignore: decorator
@inline
export function mayEnterRegion(cpu: usize): bool {
  return load<u64>(cpu, EXIT_REQUEST) == 0 && load<i64>(cpu, REMAINING) >= <i64>REGION_BUDGET && load<u32>(cpu, STEPPING) == 0;
}

/** Whether this run ends where a region begins, because what is left of its budget is not worth interpreting. */
export function endsHere(cpu: usize): bool {
  return load<u32>(cpu, ENDS_EARLY) != 0 && load<u64>(cpu, EXIT_REQUEST) == 0 && load<i64>(cpu, REMAINING) < <i64>REGION_BUDGET;
}

/**
 * Executes a record for a region. 0: the next record follows. 1: the region has to leave. CUR_REC is 0 then and RIP and
 * the budget are right, or CUR_REC is the record to go on at.
 */
export function executeRecord(cpu: usize, rec: usize): u32 {
  store<u32>(MACHINE_BLOCK, 0, CODE_RETIRED);
  let op = operationOf(rec);
  // The jump behind a compare is the region's.
  if (op >= OP_FUSED && op < OP_FUSED_END) op = load<u32>(rec, REC_AUX);
  if (!execute(cpu, rec, op)) {
    store<u32>(cpu, 0, CUR_REC);
    return 1;
  }
  if (load<u32>(MACHINE_BLOCK, CODE_RETIRED) == 0 && load<u64>(cpu, EXIT_REQUEST) == 0) return 0;
  store<u32>(cpu, <u32>(rec + REC_BYTES), CUR_REC);
  return 1;
}

// ---- What ends a block.

function transfer(cpu: usize, rec: usize, op: u32): bool {
  if (op >= OP_FUSED && op < OP_FUSED_END) {
    plain(cpu, rec, load<u32>(rec, REC_AUX), sizeOf(rec));
    const jump = rec + REC_BYTES;
    store<u32>(cpu, <u32>jump, CUR_REC);
    // The compare may have reached a device that wrote here: the jump's own operation may be gone.
    if (<u32>load<u16>(jump, REC_OP) == OP_RELOOKUP) {
      settle(cpu);
      return false;
    }
    return transfer(cpu, jump, <u32>load<u16>(jump, REC_OP));
  }
  if (op >= OP_JCC && op < OP_JCC + 16) {
    if (!condition(cpu, op - OP_JCC)) return end(cpu, rec, wrap(cpu, ripAfter(cpu, rec)));
    return end(cpu, rec, checked(cpu, load<u64>(cpu, BLOCK_RIP) + load<u64>(rec, REC_IMM)));
  }
  switch (op) {
    case OP_SPECIAL:
      return execute(cpu, rec, load<u32>(rec, REC_AUX));
    case OP_JMP:
      return end(cpu, rec, checked(cpu, load<u64>(cpu, BLOCK_RIP) + load<u64>(rec, REC_IMM)));
    case OP_CALL64: {
      const target = checked(cpu, load<u64>(cpu, BLOCK_RIP) + load<u64>(rec, REC_IMM));
      push(cpu, sizeOf(rec), ripAfter(cpu, rec));
      return end(cpu, rec, target);
    }
    case OP_RET64: {
      const at = stackPointer(cpu);
      const target = checked(cpu, stackRead(cpu, at, sizeOf(rec)));
      setStackPointer(cpu, at + sizeOf(rec) + load<u64>(rec, REC_IMM));
      return end(cpu, rec, target);
    }
    case OP_JMP64_R:
    case OP_JMP64_M:
      return end(cpu, rec, checked(cpu, operand(cpu, rec, op == OP_JMP64_R)));
    case OP_CALL64_R:
    case OP_CALL64_M: {
      const target = checked(cpu, operand(cpu, rec, op == OP_CALL64_R));
      push(cpu, sizeOf(rec), ripAfter(cpu, rec));
      return end(cpu, rec, target);
    }
    case OP_END:
      return end(cpu, rec, wrap(cpu, ripAfter(cpu, rec)));
    case OP_RELOOKUP:
      settle(cpu);
      return false;
    case OP_REGION:
      if (!mayEnterRegion(cpu) && !endsHere(cpu)) return execute(cpu, rec, operationOf(rec));
      store<u64>(cpu, load<u64>(cpu, BLOCK_RIP), RIP);
      return false;
    case OP_UD:
      raise(cpu, UD);
      return false;
    default:
      unreachable();
      return false;
  }
}

function operand(cpu: usize, rec: usize, register: bool): u64 {
  return register ? getReg(cpu, rmOf(rec), sizeOf(rec)) : readRm(cpu, rec, sizeOf(rec));
}

// ---- What does not.

function plain(cpu: usize, rec: usize, op: u32, size: u32): void {
  if (op < OP_TEST_RR) {
    const kind = (op >> 2) & 7;
    switch (op >> 5) {
      case 2: {
        const b = readRm(cpu, rec, size);
        const result = aluSized(cpu, kind, getReg(cpu, regOf(rec), size), b, size);
        if (kind != CMP) putReg(cpu, regOf(rec), size, result);
        return;
      }
      case 1:
      case 3:
        arithmetic(cpu, rec, kind, getReg(cpu, regOf(rec), size), size);
        return;
      default:
        arithmetic(cpu, rec, kind, load<u64>(rec, REC_IMM), size);
        return;
    }
  }
  if (op < OP_MOV_RR) {
    const a = readRm(cpu, rec, size);
    const b = op < OP_TEST_RI ? getReg(cpu, regOf(rec), size) : load<u64>(rec, REC_IMM) & maskOf(size);
    setLazyResult(cpu, (CC_LOGIC << 2) | logOf(size), a & b);
    return;
  }
  if (op < OP_INC_R) {
    if (op < OP_MOV_RM) putReg(cpu, rmOf(rec), size, getReg(cpu, regOf(rec), size));
    else if (op < OP_MOV_MR) putReg(cpu, regOf(rec), size, readRm(cpu, rec, size));
    else if (op < OP_MOV_RI) writeSized(cpu, eaSized(cpu, rec, size, 1), size, getReg(cpu, regOf(rec), size));
    else if (op < OP_MOV_MI) putReg(cpu, rmOf(rec), size, load<u64>(rec, REC_IMM));
    else writeSized(cpu, eaSized(cpu, rec, size, 1), size, load<u64>(rec, REC_IMM));
    return;
  }
  if (op < OP_LEA) {
    step(cpu, rec, op < OP_DEC_R || (op >= OP_INC_M && op < OP_DEC_M), size);
    return;
  }
  if (op < OP_MOVZX8) {
    putReg(cpu, regOf(rec), size, effectiveOffset(cpu, rec));
    return;
  }
  if (op < OP_PUSH64_R) {
    // To 32 bits, and with zeros to 64, the upper half is cleared.
    if (op < OP_MOVZX16) putReg(cpu, regOf(rec), 8, readRm(cpu, rec, 1));
    else if (op < OP_MOVSX8_32) putReg(cpu, regOf(rec), 8, readRm(cpu, rec, 2));
    else {
      const source: u32 = op < OP_MOVSX16_32 ? 1 : op < OP_MOVSX32_64 ? 2 : 4;
      const target: u32 = op < OP_MOVSX8_64 || (op >= OP_MOVSX16_32 && op < OP_MOVSX16_64) ? 4 : 8;
      putReg(cpu, regOf(rec), target, <u64>signExtend(readRm(cpu, rec, source), source));
    }
    return;
  }
  if (op >= OP_SHL_I && op < OP_IMUL) {
    const kind =
      op < OP_SHR_I || (op >= OP_SHL_CL && op < OP_SHR_CL) ? SHL
      : op < OP_SAR_I || (op >= OP_SHR_CL && op < OP_SAR_CL) ? SHR
      : op < OP_ROL_I || op >= OP_SAR_CL ? SAR
      : op < OP_ROR_I ? ROL
      : ROR;
    const by = op >= OP_SHL_CL ? <u32>load<u8>(cpu, RCX) : <u32>load<u8>(rec, REC_IMM);
    const count = by & (size == 8 ? 63 : 31);
    const value = getReg(cpu, rmOf(rec), size);
    putReg(cpu, rmOf(rec), size, count == 0 ? value : shift(cpu, kind, value, count, size));
    return;
  }
  if (op >= OP_IMUL && op < OP_CMOV) {
    const a = op < OP_IMUL_I ? getReg(cpu, regOf(rec), size) : load<u64>(rec, REC_IMM);
    const b = readRm(cpu, rec, size);
    putReg(cpu, regOf(rec), size, size == 8 ? multiply64(cpu, a, b) : <u64>multiply32(cpu, <u32>a, <u32>b));
    return;
  }
  if (op >= OP_CMOV && op < OP_SETCC_R) {
    const value = readRm(cpu, rec, size);
    // A false condition clears the upper half of a 32-bit destination all the same.
    const old = getReg(cpu, regOf(rec), size);
    putReg(cpu, regOf(rec), size, condition(cpu, <u32>load<u8>(rec, REC_IMM)) ? value : old);
    return;
  }
  if (op >= OP_NEG_R && op < OP_CDQE) {
    const value = getReg(cpu, rmOf(rec), size);
    putReg(cpu, rmOf(rec), size, op < OP_NOT_R ? aluSized(cpu, SUB, 0, value, size) : ~value);
    return;
  }
  switch (op) {
    case OP_PUSH64_R:
      push(cpu, size, getReg(cpu, rmOf(rec), size));
      return;
    case OP_PUSH64_I:
      push(cpu, size, load<u64>(rec, REC_IMM));
      return;
    case OP_PUSH64_M:
      push(cpu, size, readRm(cpu, rec, size));
      return;
    case OP_POP64_R: {
      const value = pop(cpu, size);
      putReg(cpu, rmOf(rec), size, value);
      return;
    }
    case OP_LEAVE64: {
      const frame = getReg(cpu, RBP, size);
      const value = stackRead(cpu, frame, size);
      setStackPointer(cpu, frame + size);
      putReg(cpu, RBP, size, value);
      return;
    }
    case OP_SETCC_R:
      putReg(cpu, rmOf(rec), 1, u64(condition(cpu, <u32>load<u8>(rec, REC_IMM))));
      return;
    case OP_CDQE:
      putReg(cpu, RAX, 8, <u64>signExtend(load<u64>(cpu, RAX), 4));
      return;
    case OP_CDQ:
      putReg(cpu, RDX, 4, <u64>(signExtend(load<u64>(cpu, RAX), 4) >> 32));
      return;
    case OP_CQO:
      putReg(cpu, RDX, 8, <u64>(load<i64>(cpu, RAX) >> 63));
      return;
    case OP_NOP:
      return;
    default:
      unreachable();
  }
}

// rm KIND b into rm.
function arithmetic(cpu: usize, rec: usize, kind: u32, b: u64, size: u32): void {
  if (kind == CMP) {
    aluSized(cpu, CMP, readRm(cpu, rec, size), b, size);
  } else if (isRegister(rec)) {
    putReg(cpu, rmOf(rec), size, aluSized(cpu, kind, getReg(cpu, rmOf(rec), size), b, size));
  } else {
    const linear = eaSized(cpu, rec, size, 1);
    const a = rmwSized(cpu, linear, size);
    writeSized(cpu, linear, size, aluSized(cpu, kind, a, b, size));
  }
}

// INC and DEC keep CF.
function step(cpu: usize, rec: usize, up: bool, size: u32): void {
  let linear: u64 = 0;
  let value: u64;
  if (isRegister(rec)) value = getReg(cpu, rmOf(rec), size);
  else {
    linear = eaSized(cpu, rec, size, 1);
    value = rmwSized(cpu, linear, size);
  }
  const result = (up ? value + 1 : value - 1) & maskOf(size);
  if (isRegister(rec)) putReg(cpu, rmOf(rec), size, result);
  else writeSized(cpu, linear, size, result);
  setLazy(cpu, ((up ? CC_INC : CC_DEC) << 2) | logOf(size), result, carryFlag(cpu), 0);
}

/** a KIND b, and the flags. */
export function aluSized(cpu: usize, kind: u32, a: u64, b: u64, size: u32): u64 {
  const log = logOf(size);
  const mask = maskOf(size);
  switch (kind) {
    case ADD:
    case ADC: {
      const r = (a + b + (kind == ADC ? carryFlag(cpu) : 0)) & mask;
      setLazy(cpu, (CC_ADD << 2) | log, r, a, b & mask);
      return r;
    }
    case SBB: {
      const r = (a - b - carryFlag(cpu)) & mask;
      setLazy(cpu, (CC_SBB << 2) | log, r, a, b & mask);
      return r;
    }
    case SUB:
    case CMP: {
      const r = (a - b) & mask;
      setLazy(cpu, (CC_SUB << 2) | log, r, a, b & mask);
      return r;
    }
    default: {
      const r = (kind == AND ? a & b : kind == OR ? a | b : a ^ b) & mask;
      setLazyResult(cpu, (CC_LOGIC << 2) | log, r);
      return r;
    }
  }
}
