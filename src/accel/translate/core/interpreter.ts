// The main loop. Its innermost part is one switch without a single call, so that the host's compiler keeps
// its few variables in registers; an operation that needs more (a TLB miss, a rare form, a fault) is general.ts's.
// See blocks.ts for how blocks are made and given up.
import {
  BLOCK_COUNT, BLOCK_HEADER, BLOCK_HEAT, BLOCK_REGION, BLOCK_RIP, CUR_REC, EXC_PENDING, EXIT_BUDGET, EXIT_REASON, EXIT_REQUEST, MODE, REMAINING, RIP, STEPPING, TLB,
} from "../layout";
import { ADD, AND, CMP, OR, SUB, XOR, addCarry, alu, decrement, increment, logic, negate, subtractBorrow } from "./alu";
import { LINK_NEXT, LINK_TARGET, MAX_INSTRUCTIONS, findBlock, lookUp, singleBlock } from "./blocks";
import { addressIn } from "./ea";
import { ATTENTION_LEAVE, ATTENTION_STEP, attention, beforeInstruction, deliverPending, stepTrap } from "./events";
import {
  RBP, RCX, RDX, RSP, compareJump, hostOf, isCanonical, pageOf, putReg, putRm, quickCarry, quickCondition, quickRotate, reg,
  ripAfter, rm, rmAt, testJump,
} from "./forms";
import { endsHere, execute, mayEnterRegion } from "./general";
import { hostHot } from "./host";
import { TLB_READ, TLB_WRITE, tlbEntry } from "./memory";
import { MODE_64, MODE_CS_LIMITED, MODE_FLAT, MODE_SIZE } from "./mode-bits";
import {
  OP_ALU_MI, OP_ALU_MR, OP_ALU_RI, OP_ALU_RM, OP_ALU_RR, OP_CALL64, OP_CALL64_M, OP_CALL64_R, OP_CDQ, OP_CDQE,
  OP_CMOV, OP_CMP32_MI_JCC, OP_CMP32_RI_JCC, OP_CMP32_RM_JCC, OP_CMP32_RR_JCC, OP_CMP64_MI_JCC, OP_CMP64_RI_JCC,
  OP_CMP64_RM_JCC, OP_CMP64_RR_JCC, OP_CMP8_MI_JCC, OP_CMP8_RI_JCC, OP_CMP8_RR_JCC, OP_CQO, OP_DEC_M, OP_DEC_R,
  OP_END, OP_IMUL, OP_IMUL_I, OP_INC_M, OP_INC_R, OP_JCC, OP_JMP, OP_JMP64_M, OP_JMP64_R, OP_LEA, OP_LEAVE64,
  OP_MOVSX16_32, OP_MOVSX16_64, OP_MOVSX32_64, OP_MOVSX8_32, OP_MOVSX8_64, OP_MOVZX16, OP_MOVZX8, OP_MOV_MI,
  OP_MOV_MR, OP_MOV_RI, OP_MOV_RM, OP_MOV_RR, OP_NEG_R, OP_NOP, OP_NOT_R, OP_POP64_R, OP_PUSH64_I, OP_PUSH64_M,
  OP_PUSH64_R, OP_RET64, OP_ROL_I, OP_ROR_I, OP_SAR_CL, OP_SAR_I, OP_SETCC_R, OP_SHL_CL, OP_SHL_I, OP_SHR_CL,
  OP_SHR_I, OP_TEST32_RI_JCC, OP_TEST32_RR_JCC, OP_TEST64_RR_JCC, OP_TEST8_MI_JCC, OP_TEST8_RI_JCC, OP_TEST8_RR_JCC,
  OP_TEST_MI, OP_TEST_MR, OP_TEST_RI, OP_TEST_RR,
} from "./ops-integer";
import { REC_AUX, REC_BYTES, REC_DISP, REC_IMM, REC_OP, REC_SCALE, REC_SEQ } from "./record";
import { REGION_CAUGHT, REGION_DONE, runRegions } from "./regions";
import { multiply32, multiply64, rotateLeft, rotateRight, shiftArithmetic, shiftLeft, shiftRight } from "./shift";

// How the innermost loop ended, or a block in it.
const NOT_TAKEN: u32 = 0; // a conditional jump's next instruction
const TAKEN: u32 = 1; // a direct jump's target
const INDIRECT: u32 = 2; // a jump to `target`
const CALLED: u32 = 3; // a direct call's target
const GENERAL: u32 = 4; // the operation at `rec` is not done: general.ts does it
const OUTSIDE: u32 = 5; // the block is done, RIP is set

/** Runs until EXIT_REASON is set. May unwind, and is called again then. */
export function run(cpu: usize): void {
  store<u32>(cpu, 0, STEPPING);
  if (load<u32>(cpu, EXC_PENDING) != 0) deliverPending(cpu);
  while (true) {
    let block: usize;
    // EXIT_REQUEST and INTERRUPT_CHECK at once.
    if (load<u64>(cpu, EXIT_REQUEST) != 0 || load<i64>(cpu, REMAINING) < <i64>MAX_INSTRUCTIONS) {
      block = prepare(cpu);
      if (block == 0) return;
    } else {
      block = findBlock(cpu);
      countEntry(cpu, block);
      if (load<u32>(block, BLOCK_REGION) != 0) {
        if (mayEnterRegion(cpu)) {
          const way = runRegions(cpu, block);
          if (way == REGION_CAUGHT) return;
          if (way == REGION_DONE) continue;
          block = singleBlock(cpu, findBlock(cpu));
        } else if (endsHere(cpu)) {
          store<u32>(cpu, EXIT_BUDGET, EXIT_REASON);
          return;
        }
      }
    }
    store<u64>(cpu, load<u64>(cpu, RIP), BLOCK_RIP);
    if (load<u32>(cpu, MODE) & MODE_FLAT) runBlocks<u32>(cpu, block + BLOCK_HEADER);
    else runBlocks<u64>(cpu, block + BLOCK_HEADER);
  }
}

// An entry to a block from outside the main loop. The host is told of the one that makes it hot.
// @ts-ignore: decorator
@inline
function countEntry(cpu: usize, block: usize): void {
  const heat = load<u32>(block, BLOCK_HEAT);
  if (heat == 0) return;
  store<u32>(block, heat - 1, BLOCK_HEAT);
  if (heat == 1) hostHot(cpu, block);
}

/**
 * From a block's first record on until something has to be looked at between blocks; RIP is right then. N is what an
 * address, a stack slot and an instruction pointer are made of: u32 in flat 32-bit code, u64 everywhere else (where it is
 * not 64-bit code, no record is one of those that use it here).
 */
function runBlocks<N>(cpu: usize, first: usize): void {
  let rec = first;
  while (true) {
    let way: u32 = GENERAL;
    let op: u32 = 0;
    for (;;) {
      way = GENERAL;
      let target: u64 = 0;
      op = <u32>load<u16>(rec, REC_OP);
      // Each label is a sum, so that they are folded at one time and become one table.
      switch (op) {
        case OP_ALU_RR + 0: {
          putRm<u8>(cpu, rec, alu<u8>(cpu, ADD, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 2: {
          putRm<u32>(cpu, rec, alu<u32>(cpu, ADD, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 3: {
          putRm<u64>(cpu, rec, alu<u64>(cpu, ADD, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 4: {
          putRm<u8>(cpu, rec, alu<u8>(cpu, OR, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 6: {
          putRm<u32>(cpu, rec, alu<u32>(cpu, OR, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 7: {
          putRm<u64>(cpu, rec, alu<u64>(cpu, OR, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 10: {
          const carry = quickCarry(cpu);
          putRm<u32>(cpu, rec, addCarry<u32>(cpu, rm<u32>(cpu, rec), reg<u32>(cpu, rec), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 11: {
          const carry = quickCarry(cpu);
          putRm<u64>(cpu, rec, addCarry<u64>(cpu, rm<u64>(cpu, rec), reg<u64>(cpu, rec), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 14: {
          const carry = quickCarry(cpu);
          putRm<u32>(cpu, rec, subtractBorrow<u32>(cpu, rm<u32>(cpu, rec), reg<u32>(cpu, rec), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 15: {
          const carry = quickCarry(cpu);
          putRm<u64>(cpu, rec, subtractBorrow<u64>(cpu, rm<u64>(cpu, rec), reg<u64>(cpu, rec), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 16: {
          putRm<u8>(cpu, rec, alu<u8>(cpu, AND, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 18: {
          putRm<u32>(cpu, rec, alu<u32>(cpu, AND, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 19: {
          putRm<u64>(cpu, rec, alu<u64>(cpu, AND, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 20: {
          putRm<u8>(cpu, rec, alu<u8>(cpu, SUB, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 22: {
          putRm<u32>(cpu, rec, alu<u32>(cpu, SUB, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 23: {
          putRm<u64>(cpu, rec, alu<u64>(cpu, SUB, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 24: {
          putRm<u8>(cpu, rec, alu<u8>(cpu, XOR, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 26: {
          putRm<u32>(cpu, rec, alu<u32>(cpu, XOR, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 27: {
          putRm<u64>(cpu, rec, alu<u64>(cpu, XOR, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 28: {
          alu<u8>(cpu, CMP, rm<u8>(cpu, rec), reg<u8>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 30: {
          alu<u32>(cpu, CMP, rm<u32>(cpu, rec), reg<u32>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RR + 31: {
          alu<u64>(cpu, CMP, rm<u64>(cpu, rec), reg<u64>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u8>(cpu, rec, alu<u8>(cpu, ADD, reg<u8>(cpu, rec), load<u8>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u32>(cpu, rec, alu<u32>(cpu, ADD, reg<u32>(cpu, rec), load<u32>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u64>(cpu, rec, alu<u64>(cpu, ADD, reg<u64>(cpu, rec), load<u64>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 4: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u8>(cpu, rec, alu<u8>(cpu, OR, reg<u8>(cpu, rec), load<u8>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 6: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u32>(cpu, rec, alu<u32>(cpu, OR, reg<u32>(cpu, rec), load<u32>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 7: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u64>(cpu, rec, alu<u64>(cpu, OR, reg<u64>(cpu, rec), load<u64>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 10: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          const carry = quickCarry(cpu);
          putReg<u32>(cpu, rec, addCarry<u32>(cpu, reg<u32>(cpu, rec), load<u32>(at), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 11: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          const carry = quickCarry(cpu);
          putReg<u64>(cpu, rec, addCarry<u64>(cpu, reg<u64>(cpu, rec), load<u64>(at), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 14: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          const carry = quickCarry(cpu);
          putReg<u32>(cpu, rec, subtractBorrow<u32>(cpu, reg<u32>(cpu, rec), load<u32>(at), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 15: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          const carry = quickCarry(cpu);
          putReg<u64>(cpu, rec, subtractBorrow<u64>(cpu, reg<u64>(cpu, rec), load<u64>(at), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 16: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u8>(cpu, rec, alu<u8>(cpu, AND, reg<u8>(cpu, rec), load<u8>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 18: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u32>(cpu, rec, alu<u32>(cpu, AND, reg<u32>(cpu, rec), load<u32>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 19: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u64>(cpu, rec, alu<u64>(cpu, AND, reg<u64>(cpu, rec), load<u64>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 20: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u8>(cpu, rec, alu<u8>(cpu, SUB, reg<u8>(cpu, rec), load<u8>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 22: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u32>(cpu, rec, alu<u32>(cpu, SUB, reg<u32>(cpu, rec), load<u32>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 23: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u64>(cpu, rec, alu<u64>(cpu, SUB, reg<u64>(cpu, rec), load<u64>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 24: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u8>(cpu, rec, alu<u8>(cpu, XOR, reg<u8>(cpu, rec), load<u8>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 26: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u32>(cpu, rec, alu<u32>(cpu, XOR, reg<u32>(cpu, rec), load<u32>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 27: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u64>(cpu, rec, alu<u64>(cpu, XOR, reg<u64>(cpu, rec), load<u64>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 28: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          alu<u8>(cpu, CMP, reg<u8>(cpu, rec), load<u8>(at));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 30: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          alu<u32>(cpu, CMP, reg<u32>(cpu, rec), load<u32>(at));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RM + 31: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          alu<u64>(cpu, CMP, reg<u64>(cpu, rec), load<u64>(at));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          store<u8>(at, alu<u8>(cpu, ADD, load<u8>(at), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          store<u32>(at, alu<u32>(cpu, ADD, load<u32>(at), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          store<u64>(at, alu<u64>(cpu, ADD, load<u64>(at), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 4: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          store<u8>(at, alu<u8>(cpu, OR, load<u8>(at), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 6: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          store<u32>(at, alu<u32>(cpu, OR, load<u32>(at), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 7: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          store<u64>(at, alu<u64>(cpu, OR, load<u64>(at), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 10: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          const carry = quickCarry(cpu);
          store<u32>(at, addCarry<u32>(cpu, load<u32>(at), reg<u32>(cpu, rec), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 11: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          const carry = quickCarry(cpu);
          store<u64>(at, addCarry<u64>(cpu, load<u64>(at), reg<u64>(cpu, rec), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 14: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          const carry = quickCarry(cpu);
          store<u32>(at, subtractBorrow<u32>(cpu, load<u32>(at), reg<u32>(cpu, rec), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 15: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          const carry = quickCarry(cpu);
          store<u64>(at, subtractBorrow<u64>(cpu, load<u64>(at), reg<u64>(cpu, rec), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 16: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          store<u8>(at, alu<u8>(cpu, AND, load<u8>(at), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 18: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          store<u32>(at, alu<u32>(cpu, AND, load<u32>(at), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 19: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          store<u64>(at, alu<u64>(cpu, AND, load<u64>(at), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 20: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          store<u8>(at, alu<u8>(cpu, SUB, load<u8>(at), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 22: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          store<u32>(at, alu<u32>(cpu, SUB, load<u32>(at), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 23: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          store<u64>(at, alu<u64>(cpu, SUB, load<u64>(at), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 24: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          store<u8>(at, alu<u8>(cpu, XOR, load<u8>(at), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 26: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          store<u32>(at, alu<u32>(cpu, XOR, load<u32>(at), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 27: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          store<u64>(at, alu<u64>(cpu, XOR, load<u64>(at), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 28: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          alu<u8>(cpu, CMP, load<u8>(at), reg<u8>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 30: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          alu<u32>(cpu, CMP, load<u32>(at), reg<u32>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MR + 31: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          alu<u64>(cpu, CMP, load<u64>(at), reg<u64>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 0: {
          putRm<u8>(cpu, rec, alu<u8>(cpu, ADD, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 2: {
          putRm<u32>(cpu, rec, alu<u32>(cpu, ADD, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 3: {
          putRm<u64>(cpu, rec, alu<u64>(cpu, ADD, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 4: {
          putRm<u8>(cpu, rec, alu<u8>(cpu, OR, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 6: {
          putRm<u32>(cpu, rec, alu<u32>(cpu, OR, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 7: {
          putRm<u64>(cpu, rec, alu<u64>(cpu, OR, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 10: {
          const carry = quickCarry(cpu);
          putRm<u32>(cpu, rec, addCarry<u32>(cpu, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 11: {
          const carry = quickCarry(cpu);
          putRm<u64>(cpu, rec, addCarry<u64>(cpu, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 14: {
          const carry = quickCarry(cpu);
          putRm<u32>(cpu, rec, subtractBorrow<u32>(cpu, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 15: {
          const carry = quickCarry(cpu);
          putRm<u64>(cpu, rec, subtractBorrow<u64>(cpu, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 16: {
          putRm<u8>(cpu, rec, alu<u8>(cpu, AND, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 18: {
          putRm<u32>(cpu, rec, alu<u32>(cpu, AND, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 19: {
          putRm<u64>(cpu, rec, alu<u64>(cpu, AND, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 20: {
          putRm<u8>(cpu, rec, alu<u8>(cpu, SUB, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 22: {
          putRm<u32>(cpu, rec, alu<u32>(cpu, SUB, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 23: {
          putRm<u64>(cpu, rec, alu<u64>(cpu, SUB, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 24: {
          putRm<u8>(cpu, rec, alu<u8>(cpu, XOR, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 26: {
          putRm<u32>(cpu, rec, alu<u32>(cpu, XOR, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 27: {
          putRm<u64>(cpu, rec, alu<u64>(cpu, XOR, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 28: {
          alu<u8>(cpu, CMP, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 30: {
          alu<u32>(cpu, CMP, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_RI + 31: {
          alu<u64>(cpu, CMP, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          store<u8>(at, alu<u8>(cpu, ADD, load<u8>(at), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          store<u32>(at, alu<u32>(cpu, ADD, load<u32>(at), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          store<u64>(at, alu<u64>(cpu, ADD, load<u64>(at), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 4: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          store<u8>(at, alu<u8>(cpu, OR, load<u8>(at), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 6: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          store<u32>(at, alu<u32>(cpu, OR, load<u32>(at), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 7: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          store<u64>(at, alu<u64>(cpu, OR, load<u64>(at), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 16: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          store<u8>(at, alu<u8>(cpu, AND, load<u8>(at), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 18: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          store<u32>(at, alu<u32>(cpu, AND, load<u32>(at), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 19: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          store<u64>(at, alu<u64>(cpu, AND, load<u64>(at), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 20: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          store<u8>(at, alu<u8>(cpu, SUB, load<u8>(at), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 22: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          store<u32>(at, alu<u32>(cpu, SUB, load<u32>(at), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 23: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          store<u64>(at, alu<u64>(cpu, SUB, load<u64>(at), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 24: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          store<u8>(at, alu<u8>(cpu, XOR, load<u8>(at), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 26: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          store<u32>(at, alu<u32>(cpu, XOR, load<u32>(at), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 27: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          store<u64>(at, alu<u64>(cpu, XOR, load<u64>(at), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 28: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          alu<u8>(cpu, CMP, load<u8>(at), load<u8>(rec, REC_IMM));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 30: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          alu<u32>(cpu, CMP, load<u32>(at), load<u32>(rec, REC_IMM));
          rec += REC_BYTES;
          continue;
        }
        case OP_ALU_MI + 31: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          alu<u64>(cpu, CMP, load<u64>(at), load<u64>(rec, REC_IMM));
          rec += REC_BYTES;
          continue;
        }
        case OP_TEST_RR + 0: {
          logic<u8>(cpu, <u8>(rm<u8>(cpu, rec) & reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_TEST_RR + 2: {
          logic<u32>(cpu, <u32>(rm<u32>(cpu, rec) & reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_TEST_RR + 3: {
          logic<u64>(cpu, <u64>(rm<u64>(cpu, rec) & reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_TEST_MR + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          logic<u8>(cpu, <u8>(load<u8>(at) & reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_TEST_MR + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          logic<u32>(cpu, <u32>(load<u32>(at) & reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_TEST_MR + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          logic<u64>(cpu, <u64>(load<u64>(at) & reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_TEST_RI + 0: {
          logic<u8>(cpu, <u8>(rm<u8>(cpu, rec) & load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_TEST_RI + 2: {
          logic<u32>(cpu, <u32>(rm<u32>(cpu, rec) & load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_TEST_RI + 3: {
          logic<u64>(cpu, <u64>(rm<u64>(cpu, rec) & load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_TEST_MI + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          logic<u8>(cpu, <u8>(load<u8>(at) & load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_TEST_MI + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          logic<u32>(cpu, <u32>(load<u32>(at) & load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_TEST_MI + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          logic<u64>(cpu, <u64>(load<u64>(at) & load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_RR + 0: {
          putRm<u8>(cpu, rec, reg<u8>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_RR + 1: {
          putRm<u16>(cpu, rec, reg<u16>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_RR + 2: {
          putRm<u32>(cpu, rec, reg<u32>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_RR + 3: {
          putRm<u64>(cpu, rec, reg<u64>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_RM + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u8>(cpu, rec, load<u8>(at));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_RM + 1: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u16>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u16>(cpu, rec, load<u16>(at));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_RM + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u32>(cpu, rec, load<u32>(at));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_RM + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u64>(cpu, rec, load<u64>(at));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_MR + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          store<u8>(at, reg<u8>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_MR + 1: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u16>(linear)) break;
          const at = hostOf(linear, entry);
          store<u16>(at, reg<u16>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_MR + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          store<u32>(at, reg<u32>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_MR + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          store<u64>(at, reg<u64>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_RI + 0: {
          putRm<u8>(cpu, rec, load<u8>(rec, REC_IMM));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_RI + 1: {
          putRm<u16>(cpu, rec, load<u16>(rec, REC_IMM));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_RI + 2: {
          putRm<u32>(cpu, rec, load<u32>(rec, REC_IMM));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_RI + 3: {
          putRm<u64>(cpu, rec, load<u64>(rec, REC_IMM));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_MI + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          store<u8>(at, load<u8>(rec, REC_IMM));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_MI + 1: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u16>(linear)) break;
          const at = hostOf(linear, entry);
          store<u16>(at, load<u16>(rec, REC_IMM));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_MI + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          store<u32>(at, load<u32>(rec, REC_IMM));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOV_MI + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          store<u64>(at, load<u64>(rec, REC_IMM));
          rec += REC_BYTES;
          continue;
        }
        case OP_INC_R + 0: {
          const carry = quickCarry(cpu);
          putRm<u8>(cpu, rec, increment<u8>(cpu, rm<u8>(cpu, rec), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_INC_R + 2: {
          const carry = quickCarry(cpu);
          putRm<u32>(cpu, rec, increment<u32>(cpu, rm<u32>(cpu, rec), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_INC_R + 3: {
          const carry = quickCarry(cpu);
          putRm<u64>(cpu, rec, increment<u64>(cpu, rm<u64>(cpu, rec), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_DEC_R + 0: {
          const carry = quickCarry(cpu);
          putRm<u8>(cpu, rec, decrement<u8>(cpu, rm<u8>(cpu, rec), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_DEC_R + 2: {
          const carry = quickCarry(cpu);
          putRm<u32>(cpu, rec, decrement<u32>(cpu, rm<u32>(cpu, rec), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_DEC_R + 3: {
          const carry = quickCarry(cpu);
          putRm<u64>(cpu, rec, decrement<u64>(cpu, rm<u64>(cpu, rec), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_INC_M + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          const carry = quickCarry(cpu);
          store<u32>(at, increment<u32>(cpu, load<u32>(at), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_INC_M + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          const carry = quickCarry(cpu);
          store<u64>(at, increment<u64>(cpu, load<u64>(at), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_DEC_M + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          const carry = quickCarry(cpu);
          store<u32>(at, decrement<u32>(cpu, load<u32>(at), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_DEC_M + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_WRITE) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          const carry = quickCarry(cpu);
          store<u64>(at, decrement<u64>(cpu, load<u64>(at), carry));
          rec += REC_BYTES;
          continue;
        }
        case OP_LEA + 1: {
          putReg<u32>(cpu, rec, <u32>addressIn<N>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_LEA + 2: {
          putReg<u64>(cpu, rec, addressIn<N>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOVZX8 + 0: {
          putReg<u64>(cpu, rec, <u64>rm<u8>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOVZX8 + 1: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u64>(cpu, rec, <u64>load<u8>(at));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOVZX16 + 0: {
          putReg<u64>(cpu, rec, <u64>rm<u16>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOVZX16 + 1: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u16>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u64>(cpu, rec, <u64>load<u16>(at));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOVSX8_32 + 0: {
          putReg<u32>(cpu, rec, <u32>(<i32>rm<i8>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOVSX8_32 + 1: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<i8>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u32>(cpu, rec, <u32>(<i32>load<i8>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOVSX8_64 + 0: {
          putReg<u64>(cpu, rec, <u64>(<i64>rm<i8>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOVSX8_64 + 1: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<i8>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u64>(cpu, rec, <u64>(<i64>load<i8>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOVSX16_32 + 0: {
          putReg<u32>(cpu, rec, <u32>(<i32>rm<i16>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOVSX16_32 + 1: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<i16>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u32>(cpu, rec, <u32>(<i32>load<i16>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOVSX16_64 + 0: {
          putReg<u64>(cpu, rec, <u64>(<i64>rm<i16>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOVSX16_64 + 1: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<i16>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u64>(cpu, rec, <u64>(<i64>load<i16>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOVSX32_64 + 0: {
          putReg<u64>(cpu, rec, <u64>(<i64>rm<i32>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_MOVSX32_64 + 1: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<i32>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u64>(cpu, rec, <u64>(<i64>load<i32>(at)));
          rec += REC_BYTES;
          continue;
        }
        case OP_PUSH64_R + 0: {
          const rsp = <u64>(load<N>(cpu, RSP) - sizeof<N>());
          const slot = tlbEntry(load<u32>(cpu, TLB), rsp);
          if (load<u64>(slot, TLB_WRITE) != pageOf<N>(rsp)) break;
          store<N>(hostOf(rsp, slot), rm<N>(cpu, rec));
          store<u64>(cpu, rsp, RSP);
          rec += REC_BYTES;
          continue;
        }
        case OP_POP64_R + 0: {
          const rsp = <u64>load<N>(cpu, RSP);
          const slot = tlbEntry(load<u32>(cpu, TLB), rsp);
          if (load<u64>(slot, TLB_READ) != pageOf<N>(rsp)) break;
          store<u64>(cpu, <u64>(<N>rsp + sizeof<N>()), RSP);
          putRm<N>(cpu, rec, load<N>(hostOf(rsp, slot)));
          rec += REC_BYTES;
          continue;
        }
        case OP_PUSH64_I + 0: {
          const rsp = <u64>(load<N>(cpu, RSP) - sizeof<N>());
          const slot = tlbEntry(load<u32>(cpu, TLB), rsp);
          if (load<u64>(slot, TLB_WRITE) != pageOf<N>(rsp)) break;
          store<N>(hostOf(rsp, slot), load<N>(rec, REC_IMM));
          store<u64>(cpu, rsp, RSP);
          rec += REC_BYTES;
          continue;
        }
        case OP_PUSH64_M + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<N>(linear)) break;
          const at = hostOf(linear, entry);
          const rsp = <u64>(load<N>(cpu, RSP) - sizeof<N>());
          const slot = tlbEntry(load<u32>(cpu, TLB), rsp);
          if (load<u64>(slot, TLB_WRITE) != pageOf<N>(rsp)) break;
          store<N>(hostOf(rsp, slot), load<N>(at));
          store<u64>(cpu, rsp, RSP);
          rec += REC_BYTES;
          continue;
        }
        case OP_LEAVE64 + 0: {
          const rsp = <u64>load<N>(cpu, RBP);
          const slot = tlbEntry(load<u32>(cpu, TLB), rsp);
          if (load<u64>(slot, TLB_READ) != pageOf<N>(rsp)) break;
          store<u64>(cpu, <u64>(<N>rsp + sizeof<N>()), RSP);
          store<u64>(cpu, <u64>load<N>(hostOf(rsp, slot)), RBP);
          rec += REC_BYTES;
          continue;
        }
        case OP_SHL_I + 0: {
          putRm<u32>(cpu, rec, shiftLeft<u32>(cpu, rm<u32>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_SHL_I + 1: {
          putRm<u64>(cpu, rec, shiftLeft<u64>(cpu, rm<u64>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_SHR_I + 0: {
          putRm<u32>(cpu, rec, shiftRight<u32>(cpu, rm<u32>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_SHR_I + 1: {
          putRm<u64>(cpu, rec, shiftRight<u64>(cpu, rm<u64>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_SAR_I + 0: {
          putRm<u32>(cpu, rec, shiftArithmetic<u32>(cpu, rm<u32>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_SAR_I + 1: {
          putRm<u64>(cpu, rec, shiftArithmetic<u64>(cpu, rm<u64>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ROL_I + 0: {
          if (!quickRotate(cpu)) break;
          putRm<u32>(cpu, rec, rotateLeft<u32>(cpu, rm<u32>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ROL_I + 1: {
          if (!quickRotate(cpu)) break;
          putRm<u64>(cpu, rec, rotateLeft<u64>(cpu, rm<u64>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ROR_I + 0: {
          if (!quickRotate(cpu)) break;
          putRm<u32>(cpu, rec, rotateRight<u32>(cpu, rm<u32>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_ROR_I + 1: {
          if (!quickRotate(cpu)) break;
          putRm<u64>(cpu, rec, rotateRight<u64>(cpu, rm<u64>(cpu, rec), <u32>load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_SHL_CL + 0: {
          const count = <u32>load<u8>(cpu, RCX) & 31;
          if (count == 0) break;
          putRm<u32>(cpu, rec, shiftLeft<u32>(cpu, rm<u32>(cpu, rec), count));
          rec += REC_BYTES;
          continue;
        }
        case OP_SHL_CL + 1: {
          const count = <u32>load<u8>(cpu, RCX) & 63;
          if (count == 0) break;
          putRm<u64>(cpu, rec, shiftLeft<u64>(cpu, rm<u64>(cpu, rec), count));
          rec += REC_BYTES;
          continue;
        }
        case OP_SHR_CL + 0: {
          const count = <u32>load<u8>(cpu, RCX) & 31;
          if (count == 0) break;
          putRm<u32>(cpu, rec, shiftRight<u32>(cpu, rm<u32>(cpu, rec), count));
          rec += REC_BYTES;
          continue;
        }
        case OP_SHR_CL + 1: {
          const count = <u32>load<u8>(cpu, RCX) & 63;
          if (count == 0) break;
          putRm<u64>(cpu, rec, shiftRight<u64>(cpu, rm<u64>(cpu, rec), count));
          rec += REC_BYTES;
          continue;
        }
        case OP_SAR_CL + 0: {
          const count = <u32>load<u8>(cpu, RCX) & 31;
          if (count == 0) break;
          putRm<u32>(cpu, rec, shiftArithmetic<u32>(cpu, rm<u32>(cpu, rec), count));
          rec += REC_BYTES;
          continue;
        }
        case OP_SAR_CL + 1: {
          const count = <u32>load<u8>(cpu, RCX) & 63;
          if (count == 0) break;
          putRm<u64>(cpu, rec, shiftArithmetic<u64>(cpu, rm<u64>(cpu, rec), count));
          rec += REC_BYTES;
          continue;
        }
        case OP_IMUL + 0: {
          putReg<u32>(cpu, rec, multiply32(cpu, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_IMUL + 1: {
          putReg<u64>(cpu, rec, multiply64(cpu, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_IMUL + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u32>(cpu, rec, multiply32(cpu, load<u32>(at), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_IMUL + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u64>(cpu, rec, multiply64(cpu, load<u64>(at), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_IMUL_I + 0: {
          putReg<u32>(cpu, rec, multiply32(cpu, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_IMUL_I + 1: {
          putReg<u64>(cpu, rec, multiply64(cpu, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_IMUL_I + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u32>(cpu, rec, multiply32(cpu, load<u32>(at), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_IMUL_I + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          putReg<u64>(cpu, rec, multiply64(cpu, load<u64>(at), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          continue;
        }
        case OP_CMOV + 0:
        case OP_CMOV + 1:
        case OP_CMOV + 2:
        case OP_CMOV + 3:
        case OP_SETCC_R + 0: {
          const truth = quickCondition(cpu, <u32>load<u8>(rec, REC_IMM));
          if (truth > 1) break;
          if (op == OP_SETCC_R) store<u8>(rmAt(cpu, rec), <u8>truth);
          else if (op == OP_CMOV) putReg<u32>(cpu, rec, truth != 0 ? rm<u32>(cpu, rec) : reg<u32>(cpu, rec));
          else if (op == OP_CMOV + 1) putReg<u64>(cpu, rec, truth != 0 ? rm<u64>(cpu, rec) : reg<u64>(cpu, rec));
          else break;
          rec += REC_BYTES;
          continue;
        }
        case OP_NEG_R + 0: {
          putRm<u8>(cpu, rec, negate<u8>(cpu, rm<u8>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_NEG_R + 2: {
          putRm<u32>(cpu, rec, negate<u32>(cpu, rm<u32>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_NEG_R + 3: {
          putRm<u64>(cpu, rec, negate<u64>(cpu, rm<u64>(cpu, rec)));
          rec += REC_BYTES;
          continue;
        }
        case OP_NOT_R + 0: {
          putRm<u8>(cpu, rec, ~rm<u8>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_NOT_R + 2: {
          putRm<u32>(cpu, rec, ~rm<u32>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_NOT_R + 3: {
          putRm<u64>(cpu, rec, ~rm<u64>(cpu, rec));
          rec += REC_BYTES;
          continue;
        }
        case OP_CDQE + 0: {
          store<u64>(cpu, <u64>(<i64>load<i32>(cpu)));
          rec += REC_BYTES;
          continue;
        }
        case OP_CDQ + 0: {
          store<u64>(cpu, <u64>(<u32>(load<i32>(cpu) >> 31)), RDX);
          rec += REC_BYTES;
          continue;
        }
        case OP_CQO + 0: {
          store<u64>(cpu, <u64>(load<i64>(cpu) >> 63), RDX);
          rec += REC_BYTES;
          continue;
        }
        case OP_NOP + 0: {
          rec += REC_BYTES;
          continue;
        }
        case OP_JMP + 0: {
          way = TAKEN;
          break;
        }
        case OP_CALL64 + 0: {
          // A target on this page is as canonical as the call is.
          if (sizeof<N>() == 8 && load<u32>(rec, REC_AUX) == 0 && !isCanonical(load<u64>(cpu, BLOCK_RIP) + load<u64>(rec, REC_IMM))) break;
          const rsp = <u64>(load<N>(cpu, RSP) - sizeof<N>());
          const slot = tlbEntry(load<u32>(cpu, TLB), rsp);
          if (load<u64>(slot, TLB_WRITE) != pageOf<N>(rsp)) break;
          store<N>(hostOf(rsp, slot), <N>ripAfter(cpu, rec));
          store<u64>(cpu, rsp, RSP);
          way = CALLED;
          break;
        }
        case OP_RET64 + 0: {
          const rsp = <u64>load<N>(cpu, RSP);
          const slot = tlbEntry(load<u32>(cpu, TLB), rsp);
          if (load<u64>(slot, TLB_READ) != pageOf<N>(rsp)) break;
          target = <u64>load<N>(hostOf(rsp, slot));
          if (sizeof<N>() == 8 && !isCanonical(target)) break;
          store<u64>(cpu, <u64>(<N>rsp + sizeof<N>() + load<N>(rec, REC_IMM)), RSP);
          way = INDIRECT;
          break;
        }
        case OP_JMP64_R + 0: {
          target = <u64>rm<N>(cpu, rec);
          if (sizeof<N>() == 8 && !isCanonical(target)) break;
          way = INDIRECT;
          break;
        }
        case OP_JMP64_M + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<N>(linear)) break;
          const at = hostOf(linear, entry);
          target = <u64>load<N>(at);
          if (sizeof<N>() == 8 && !isCanonical(target)) break;
          way = INDIRECT;
          break;
        }
        case OP_CALL64_R + 0: {
          target = <u64>rm<N>(cpu, rec);
          if (sizeof<N>() == 8 && !isCanonical(target)) break;
          const rsp = <u64>(load<N>(cpu, RSP) - sizeof<N>());
          const slot = tlbEntry(load<u32>(cpu, TLB), rsp);
          if (load<u64>(slot, TLB_WRITE) != pageOf<N>(rsp)) break;
          store<N>(hostOf(rsp, slot), <N>ripAfter(cpu, rec));
          store<u64>(cpu, rsp, RSP);
          way = INDIRECT;
          break;
        }
        case OP_CALL64_M + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<N>(linear)) break;
          const at = hostOf(linear, entry);
          target = <u64>load<N>(at);
          if (sizeof<N>() == 8 && !isCanonical(target)) break;
          const rsp = <u64>(load<N>(cpu, RSP) - sizeof<N>());
          const slot = tlbEntry(load<u32>(cpu, TLB), rsp);
          if (load<u64>(slot, TLB_WRITE) != pageOf<N>(rsp)) break;
          store<N>(hostOf(rsp, slot), <N>ripAfter(cpu, rec));
          store<u64>(cpu, rsp, RSP);
          way = INDIRECT;
          break;
        }
        case OP_JCC + 2: {
          way = quickCondition(cpu, 2);
          break;
        }
        case OP_JCC + 3: {
          way = quickCondition(cpu, 3);
          break;
        }
        case OP_JCC + 4: {
          way = quickCondition(cpu, 4);
          break;
        }
        case OP_JCC + 5: {
          way = quickCondition(cpu, 5);
          break;
        }
        case OP_JCC + 6: {
          way = quickCondition(cpu, 6);
          break;
        }
        case OP_JCC + 7: {
          way = quickCondition(cpu, 7);
          break;
        }
        case OP_JCC + 8: {
          way = quickCondition(cpu, 8);
          break;
        }
        case OP_JCC + 9: {
          way = quickCondition(cpu, 9);
          break;
        }
        case OP_JCC + 12: {
          way = quickCondition(cpu, 12);
          break;
        }
        case OP_JCC + 13: {
          way = quickCondition(cpu, 13);
          break;
        }
        case OP_JCC + 14: {
          way = quickCondition(cpu, 14);
          break;
        }
        case OP_JCC + 15: {
          way = quickCondition(cpu, 15);
          break;
        }
        case OP_END + 0: {
          way = NOT_TAKEN;
          break;
        }
        case OP_CMP8_RR_JCC + 0: {
          way = u32(compareJump<u8>(cpu, 2, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RR_JCC + 1: {
          way = u32(compareJump<u8>(cpu, 3, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RR_JCC + 2: {
          way = u32(compareJump<u8>(cpu, 4, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RR_JCC + 3: {
          way = u32(compareJump<u8>(cpu, 5, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RR_JCC + 4: {
          way = u32(compareJump<u8>(cpu, 6, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RR_JCC + 5: {
          way = u32(compareJump<u8>(cpu, 7, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RR_JCC + 6: {
          way = u32(compareJump<u8>(cpu, 12, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RR_JCC + 7: {
          way = u32(compareJump<u8>(cpu, 13, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RR_JCC + 8: {
          way = u32(compareJump<u8>(cpu, 14, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RR_JCC + 9: {
          way = u32(compareJump<u8>(cpu, 15, rm<u8>(cpu, rec), reg<u8>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RR_JCC + 0: {
          way = u32(compareJump<u32>(cpu, 2, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RR_JCC + 1: {
          way = u32(compareJump<u32>(cpu, 3, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RR_JCC + 2: {
          way = u32(compareJump<u32>(cpu, 4, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RR_JCC + 3: {
          way = u32(compareJump<u32>(cpu, 5, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RR_JCC + 4: {
          way = u32(compareJump<u32>(cpu, 6, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RR_JCC + 5: {
          way = u32(compareJump<u32>(cpu, 7, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RR_JCC + 6: {
          way = u32(compareJump<u32>(cpu, 12, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RR_JCC + 7: {
          way = u32(compareJump<u32>(cpu, 13, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RR_JCC + 8: {
          way = u32(compareJump<u32>(cpu, 14, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RR_JCC + 9: {
          way = u32(compareJump<u32>(cpu, 15, rm<u32>(cpu, rec), reg<u32>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RR_JCC + 0: {
          way = u32(compareJump<u64>(cpu, 2, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RR_JCC + 1: {
          way = u32(compareJump<u64>(cpu, 3, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RR_JCC + 2: {
          way = u32(compareJump<u64>(cpu, 4, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RR_JCC + 3: {
          way = u32(compareJump<u64>(cpu, 5, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RR_JCC + 4: {
          way = u32(compareJump<u64>(cpu, 6, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RR_JCC + 5: {
          way = u32(compareJump<u64>(cpu, 7, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RR_JCC + 6: {
          way = u32(compareJump<u64>(cpu, 12, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RR_JCC + 7: {
          way = u32(compareJump<u64>(cpu, 13, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RR_JCC + 8: {
          way = u32(compareJump<u64>(cpu, 14, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RR_JCC + 9: {
          way = u32(compareJump<u64>(cpu, 15, rm<u64>(cpu, rec), reg<u64>(cpu, rec)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RI_JCC + 0: {
          way = u32(compareJump<u8>(cpu, 2, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RI_JCC + 1: {
          way = u32(compareJump<u8>(cpu, 3, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RI_JCC + 2: {
          way = u32(compareJump<u8>(cpu, 4, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RI_JCC + 3: {
          way = u32(compareJump<u8>(cpu, 5, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RI_JCC + 4: {
          way = u32(compareJump<u8>(cpu, 6, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RI_JCC + 5: {
          way = u32(compareJump<u8>(cpu, 7, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RI_JCC + 6: {
          way = u32(compareJump<u8>(cpu, 12, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RI_JCC + 7: {
          way = u32(compareJump<u8>(cpu, 13, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RI_JCC + 8: {
          way = u32(compareJump<u8>(cpu, 14, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_RI_JCC + 9: {
          way = u32(compareJump<u8>(cpu, 15, rm<u8>(cpu, rec), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RI_JCC + 0: {
          way = u32(compareJump<u32>(cpu, 2, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RI_JCC + 1: {
          way = u32(compareJump<u32>(cpu, 3, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RI_JCC + 2: {
          way = u32(compareJump<u32>(cpu, 4, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RI_JCC + 3: {
          way = u32(compareJump<u32>(cpu, 5, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RI_JCC + 4: {
          way = u32(compareJump<u32>(cpu, 6, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RI_JCC + 5: {
          way = u32(compareJump<u32>(cpu, 7, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RI_JCC + 6: {
          way = u32(compareJump<u32>(cpu, 12, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RI_JCC + 7: {
          way = u32(compareJump<u32>(cpu, 13, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RI_JCC + 8: {
          way = u32(compareJump<u32>(cpu, 14, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RI_JCC + 9: {
          way = u32(compareJump<u32>(cpu, 15, rm<u32>(cpu, rec), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RI_JCC + 0: {
          way = u32(compareJump<u64>(cpu, 2, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RI_JCC + 1: {
          way = u32(compareJump<u64>(cpu, 3, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RI_JCC + 2: {
          way = u32(compareJump<u64>(cpu, 4, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RI_JCC + 3: {
          way = u32(compareJump<u64>(cpu, 5, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RI_JCC + 4: {
          way = u32(compareJump<u64>(cpu, 6, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RI_JCC + 5: {
          way = u32(compareJump<u64>(cpu, 7, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RI_JCC + 6: {
          way = u32(compareJump<u64>(cpu, 12, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RI_JCC + 7: {
          way = u32(compareJump<u64>(cpu, 13, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RI_JCC + 8: {
          way = u32(compareJump<u64>(cpu, 14, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RI_JCC + 9: {
          way = u32(compareJump<u64>(cpu, 15, rm<u64>(cpu, rec), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RM_JCC + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 2, reg<u32>(cpu, rec), load<u32>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RM_JCC + 1: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 3, reg<u32>(cpu, rec), load<u32>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RM_JCC + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 4, reg<u32>(cpu, rec), load<u32>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RM_JCC + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 5, reg<u32>(cpu, rec), load<u32>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RM_JCC + 4: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 6, reg<u32>(cpu, rec), load<u32>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RM_JCC + 5: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 7, reg<u32>(cpu, rec), load<u32>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RM_JCC + 6: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 12, reg<u32>(cpu, rec), load<u32>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RM_JCC + 7: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 13, reg<u32>(cpu, rec), load<u32>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RM_JCC + 8: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 14, reg<u32>(cpu, rec), load<u32>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_RM_JCC + 9: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 15, reg<u32>(cpu, rec), load<u32>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RM_JCC + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 2, reg<u64>(cpu, rec), load<u64>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RM_JCC + 1: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 3, reg<u64>(cpu, rec), load<u64>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RM_JCC + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 4, reg<u64>(cpu, rec), load<u64>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RM_JCC + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 5, reg<u64>(cpu, rec), load<u64>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RM_JCC + 4: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 6, reg<u64>(cpu, rec), load<u64>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RM_JCC + 5: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 7, reg<u64>(cpu, rec), load<u64>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RM_JCC + 6: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 12, reg<u64>(cpu, rec), load<u64>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RM_JCC + 7: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 13, reg<u64>(cpu, rec), load<u64>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RM_JCC + 8: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 14, reg<u64>(cpu, rec), load<u64>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_RM_JCC + 9: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 15, reg<u64>(cpu, rec), load<u64>(at)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_MI_JCC + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u8>(cpu, 2, load<u8>(at), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_MI_JCC + 1: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u8>(cpu, 3, load<u8>(at), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_MI_JCC + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u8>(cpu, 4, load<u8>(at), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_MI_JCC + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u8>(cpu, 5, load<u8>(at), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_MI_JCC + 4: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u8>(cpu, 6, load<u8>(at), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_MI_JCC + 5: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u8>(cpu, 7, load<u8>(at), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_MI_JCC + 6: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u8>(cpu, 12, load<u8>(at), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_MI_JCC + 7: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u8>(cpu, 13, load<u8>(at), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_MI_JCC + 8: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u8>(cpu, 14, load<u8>(at), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP8_MI_JCC + 9: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u8>(cpu, 15, load<u8>(at), load<u8>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_MI_JCC + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 2, load<u32>(at), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_MI_JCC + 1: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 3, load<u32>(at), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_MI_JCC + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 4, load<u32>(at), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_MI_JCC + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 5, load<u32>(at), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_MI_JCC + 4: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 6, load<u32>(at), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_MI_JCC + 5: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 7, load<u32>(at), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_MI_JCC + 6: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 12, load<u32>(at), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_MI_JCC + 7: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 13, load<u32>(at), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_MI_JCC + 8: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 14, load<u32>(at), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP32_MI_JCC + 9: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u32>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u32>(cpu, 15, load<u32>(at), load<u32>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_MI_JCC + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 2, load<u64>(at), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_MI_JCC + 1: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 3, load<u64>(at), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_MI_JCC + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 4, load<u64>(at), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_MI_JCC + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 5, load<u64>(at), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_MI_JCC + 4: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 6, load<u64>(at), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_MI_JCC + 5: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 7, load<u64>(at), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_MI_JCC + 6: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 12, load<u64>(at), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_MI_JCC + 7: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 13, load<u64>(at), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_MI_JCC + 8: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 14, load<u64>(at), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_CMP64_MI_JCC + 9: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u64>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(compareJump<u64>(cpu, 15, load<u64>(at), load<u64>(rec, REC_IMM)));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_RR_JCC + 0: {
          way = u32(testJump<u8>(cpu, 4, <u8>(rm<u8>(cpu, rec) & reg<u8>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_RR_JCC + 1: {
          way = u32(testJump<u8>(cpu, 5, <u8>(rm<u8>(cpu, rec) & reg<u8>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_RR_JCC + 2: {
          way = u32(testJump<u8>(cpu, 8, <u8>(rm<u8>(cpu, rec) & reg<u8>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_RR_JCC + 3: {
          way = u32(testJump<u8>(cpu, 9, <u8>(rm<u8>(cpu, rec) & reg<u8>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_RR_JCC + 4: {
          way = u32(testJump<u8>(cpu, 14, <u8>(rm<u8>(cpu, rec) & reg<u8>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_RR_JCC + 5: {
          way = u32(testJump<u8>(cpu, 15, <u8>(rm<u8>(cpu, rec) & reg<u8>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST32_RR_JCC + 0: {
          way = u32(testJump<u32>(cpu, 4, <u32>(rm<u32>(cpu, rec) & reg<u32>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST32_RR_JCC + 1: {
          way = u32(testJump<u32>(cpu, 5, <u32>(rm<u32>(cpu, rec) & reg<u32>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST32_RR_JCC + 2: {
          way = u32(testJump<u32>(cpu, 8, <u32>(rm<u32>(cpu, rec) & reg<u32>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST32_RR_JCC + 3: {
          way = u32(testJump<u32>(cpu, 9, <u32>(rm<u32>(cpu, rec) & reg<u32>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST32_RR_JCC + 4: {
          way = u32(testJump<u32>(cpu, 14, <u32>(rm<u32>(cpu, rec) & reg<u32>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST32_RR_JCC + 5: {
          way = u32(testJump<u32>(cpu, 15, <u32>(rm<u32>(cpu, rec) & reg<u32>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST64_RR_JCC + 0: {
          way = u32(testJump<u64>(cpu, 4, <u64>(rm<u64>(cpu, rec) & reg<u64>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST64_RR_JCC + 1: {
          way = u32(testJump<u64>(cpu, 5, <u64>(rm<u64>(cpu, rec) & reg<u64>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST64_RR_JCC + 2: {
          way = u32(testJump<u64>(cpu, 8, <u64>(rm<u64>(cpu, rec) & reg<u64>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST64_RR_JCC + 3: {
          way = u32(testJump<u64>(cpu, 9, <u64>(rm<u64>(cpu, rec) & reg<u64>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST64_RR_JCC + 4: {
          way = u32(testJump<u64>(cpu, 14, <u64>(rm<u64>(cpu, rec) & reg<u64>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST64_RR_JCC + 5: {
          way = u32(testJump<u64>(cpu, 15, <u64>(rm<u64>(cpu, rec) & reg<u64>(cpu, rec))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_RI_JCC + 0: {
          way = u32(testJump<u8>(cpu, 4, <u8>(rm<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_RI_JCC + 1: {
          way = u32(testJump<u8>(cpu, 5, <u8>(rm<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_RI_JCC + 2: {
          way = u32(testJump<u8>(cpu, 8, <u8>(rm<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_RI_JCC + 3: {
          way = u32(testJump<u8>(cpu, 9, <u8>(rm<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_RI_JCC + 4: {
          way = u32(testJump<u8>(cpu, 14, <u8>(rm<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_RI_JCC + 5: {
          way = u32(testJump<u8>(cpu, 15, <u8>(rm<u8>(cpu, rec) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST32_RI_JCC + 0: {
          way = u32(testJump<u32>(cpu, 4, <u32>(rm<u32>(cpu, rec) & load<u32>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST32_RI_JCC + 1: {
          way = u32(testJump<u32>(cpu, 5, <u32>(rm<u32>(cpu, rec) & load<u32>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST32_RI_JCC + 2: {
          way = u32(testJump<u32>(cpu, 8, <u32>(rm<u32>(cpu, rec) & load<u32>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST32_RI_JCC + 3: {
          way = u32(testJump<u32>(cpu, 9, <u32>(rm<u32>(cpu, rec) & load<u32>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST32_RI_JCC + 4: {
          way = u32(testJump<u32>(cpu, 14, <u32>(rm<u32>(cpu, rec) & load<u32>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST32_RI_JCC + 5: {
          way = u32(testJump<u32>(cpu, 15, <u32>(rm<u32>(cpu, rec) & load<u32>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_MI_JCC + 0: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(testJump<u8>(cpu, 4, <u8>(load<u8>(at) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_MI_JCC + 1: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(testJump<u8>(cpu, 5, <u8>(load<u8>(at) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_MI_JCC + 2: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(testJump<u8>(cpu, 8, <u8>(load<u8>(at) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_MI_JCC + 3: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(testJump<u8>(cpu, 9, <u8>(load<u8>(at) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_MI_JCC + 4: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(testJump<u8>(cpu, 14, <u8>(load<u8>(at) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        case OP_TEST8_MI_JCC + 5: {
          const linear = addressIn<N>(cpu, rec);
          const entry = tlbEntry(load<u32>(cpu, TLB), linear);
          if (load<u64>(entry, TLB_READ) != pageOf<u8>(linear)) break;
          const at = hostOf(linear, entry);
          way = u32(testJump<u8>(cpu, 15, <u8>(load<u8>(at) & load<u8>(rec, REC_IMM))));
          rec += REC_BYTES;
          break;
        }
        default:
          break;
      }
      if (way == GENERAL) break;

      // ---- The block ends: where does it go on?
      let next: usize = 0;
      let link: usize = 0;
      if (way != INDIRECT) {
        if (way == NOT_TAKEN) {
          target = ripAfter(cpu, rec);
          next = load<u32>(rec, REC_DISP);
          if (load<u8>(rec, REC_SCALE) & LINK_NEXT) link = rec + REC_DISP;
        } else {
          target = load<u64>(cpu, BLOCK_RIP) + load<u64>(rec, REC_IMM);
          next = load<u32>(rec, REC_AUX);
          if (load<u8>(rec, REC_SCALE) & LINK_TARGET) link = rec + REC_AUX;
        }
        if (next == 0) {
          const mode = load<u32>(cpu, MODE);
          if ((mode & MODE_SIZE) != MODE_64) {
            // Of a fused pair, the jump alone is left to do.
            if (mode & MODE_CS_LIMITED) {
              way = GENERAL;
              op = <u32>load<u16>(rec, REC_OP);
              break;
            }
            target &= 0xffffffff;
          } else if (!isCanonical(target) && way != CALLED) {
            way = GENERAL;
            op = <u32>load<u16>(rec, REC_OP);
            break;
          }
        }
      }
      way = OUTSIDE;
      const left = load<i64>(cpu, REMAINING) - 1 - <i64>load<u8>(rec, REC_SEQ);
      store<i64>(cpu, left, REMAINING);
      if (left >= <i64>MAX_INSTRUCTIONS && load<u64>(cpu, EXIT_REQUEST) == 0) {
        if (next == 0) {
          next = lookUp(cpu, target);
          if (next != 0 && link != 0) store<u32>(link, <u32>next);
        }
        if (next != 0) {
          const heat = load<u32>(next, BLOCK_HEAT);
          // The entry that makes a block hot is run's to count.
          if (heat != 1) {
            if (heat != 0) store<u32>(next, heat - 1, BLOCK_HEAT);
            store<u64>(cpu, target, BLOCK_RIP);
            rec = next + BLOCK_HEADER;
            continue;
          }
        }
      }
      store<u64>(cpu, target, RIP);
      break;
    }
    if (way == OUTSIDE) return;
    store<u32>(cpu, <u32>rec, CUR_REC);
    if (!execute(cpu, rec, op)) return;
    rec += REC_BYTES;
  }
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
  if (load<u32>(block, BLOCK_REGION) != 0 && endsHere(cpu)) {
    store<u32>(cpu, EXIT_BUDGET, EXIT_REASON);
    return 0;
  }
  return <i64>load<u16>(block, BLOCK_COUNT) > left ? singleBlock(cpu, block) : block;
}
