/** What instructions do with the arithmetic flags: which need not be computed follows from it. */
import type { Instruction } from "./instruction.js";
import {
  F_MODREG,
  OP_ALU_MI,
  OP_ALU_RI,
  OP_ALU_RM,
  OP_ALU_RR,
  OP_ANDN,
  OP_BSF,
  OP_BSR,
  OP_BSWAP,
  OP_BT,
  OP_BT_I,
  OP_BZHI,
  OP_CALL64,
  OP_CBW,
  OP_CDQE,
  OP_CMOV,
  OP_CMPXCHG,
  OP_CWDE,
  OP_DIV,
  OP_IDIV,
  OP_IMUL,
  OP_IMUL1,
  OP_INC_M,
  OP_INC_R,
  OP_JCC,
  OP_JMP,
  OP_LEA,
  OP_LEAVE64,
  OP_LZCNT,
  OP_MOV_RM,
  OP_MOV_RR,
  OP_MOVZX8,
  OP_MUL,
  OP_MULX,
  OP_NEG,
  OP_NEG_R,
  OP_NOP,
  OP_NOT,
  OP_NOT_R,
  OP_PEXT,
  OP_POPCNT,
  OP_PUSH64_R,
  OP_ROL_I,
  OP_RORX,
  OP_SETCC_M,
  OP_SETCC_R,
  OP_SHIFT,
  OP_SHL_CL,
  OP_SHL_I,
  OP_SHLD,
  OP_SHRD,
  OP_SHRX,
  OP_TEST_MI,
  OP_TEST_MR,
  OP_TEST_RI,
  OP_TEST_RR,
  OP_TZCNT,
  OP_XADD,
  OP_XCHG,
  OPS_INTEGER,
  OPS_SYSTEM,
} from "./operations.js";

/** All of CF, PF, AF, ZF, SF and OF are set, whatever they were. */
export const SETS = 1;
/** Some flag matters to it. */
export const USES = 2;
/** The region may be left before it, so that somebody may look at the flags. */
export const LEAVES = 4;

/** Effects of an instruction; of what the translator does not know, the most. */
export function effects(i: Instruction): number {
  const { op } = i;
  const memory = (i.flags & F_MODREG) === 0 ? LEAVES : 0;
  if (op >= OP_ALU_RR && op < OP_TEST_RR) {
    const kind = (op >> 2) & 7;
    const carry = kind === 2 || kind === 3 ? USES : 0;
    const inRegister = op < OP_ALU_RM || (op >= OP_ALU_RI && op < OP_ALU_MI);
    return SETS | carry | (inRegister ? 0 : LEAVES);
  }
  if (op < OP_MOV_RR) {
    const inMemory = (op >= OP_TEST_MR && op < OP_TEST_RI) || op >= OP_TEST_MI;
    return SETS | (inMemory ? LEAVES : 0);
  }
  if (op < OP_INC_R) return op < OP_MOV_RM || (op >= OP_MOV_RM + 8 && op < OP_MOV_RM + 12) ? 0 : LEAVES;
  // INC and DEC keep the carry: it matters where their own flags do.
  if (op < OP_LEA) return op < OP_INC_M ? 0 : LEAVES;
  if (op < OP_MOVZX8) return 0;
  if (op < OP_PUSH64_R) return memory;
  if (op <= OP_LEAVE64) return LEAVES;
  if (op >= OP_SHL_I && op < OP_ROL_I) return SETS;
  if (op >= OP_ROL_I && op < OP_SHL_CL) return 0;
  if (op >= OP_SHL_CL && op < OP_IMUL) return 0;
  if (op >= OP_IMUL && op < OP_CMOV) return SETS | memory;
  if (op >= OP_CMOV && op < OP_SETCC_R) return USES | memory;
  if (op === OP_SETCC_R) return USES;
  if (op >= OP_NEG_R && op < OP_NOT_R) return SETS;
  if (op >= OP_NOT_R && op < OP_CDQE) return 0;
  if (op >= OP_CDQE && op <= OP_NOP) return 0;
  if (op === OP_JMP) return 0;
  if (op >= OP_CALL64 && op < OP_JCC) return LEAVES;
  if (op >= OP_JCC && op < OP_JCC + 16) return USES;
  if (op >= OPS_INTEGER && op < OPS_SYSTEM) return integerEffects(i, memory);
  return USES | LEAVES;
}

function integerEffects(i: Instruction, memory: number): number {
  const { op, size } = i;
  if (op >= OP_SHIFT && op < OP_SHIFT + 8) {
    const kind = op - OP_SHIFT;
    if (kind === 2 || kind === 3) return USES | LEAVES;
    if (i.immLow === 0x100 || kind < 2) return size < 4 ? USES | LEAVES : memory;
    return (i.immLow & (size === 8 ? 63 : 31)) === 0 ? USES | LEAVES : SETS | memory;
  }
  switch (op) {
    case OP_SETCC_M:
      return USES | LEAVES;
    case OP_NEG:
    case OP_XADD:
      return (op === OP_XADD && (i.flags & F_MODREG) !== 0 ? USES | LEAVES : SETS) | memory;
    case OP_CMPXCHG:
      return (i.flags & F_MODREG) !== 0 || size < 4 ? USES | LEAVES : SETS | memory;
    case OP_NOT:
    case OP_XCHG:
      return memory;
    case OP_MUL:
    case OP_IMUL1:
      return size < 4 ? USES | LEAVES : SETS | memory;
    case OP_DIV:
    case OP_IDIV:
      return LEAVES;
    case OP_SHLD:
    case OP_SHRD: {
      const known = size >= 4 && i.immLow !== 0x100 && (i.immLow & (size === 8 ? 63 : 31)) !== 0;
      return known ? SETS | memory : USES | LEAVES;
    }
    case OP_BSF:
    case OP_BSR:
    case OP_TZCNT:
    case OP_LZCNT:
      return size < 4 ? USES | LEAVES : SETS | memory;
    case OP_BSWAP:
      return size < 4 ? USES | LEAVES : 0;
    case OP_CBW:
    case OP_CWDE:
      return 0;
    case OP_POPCNT:
      return size < 4 ? USES | LEAVES : SETS | memory;
    default:
      if (op >= OP_ANDN && op <= OP_BZHI) return SETS | memory;
      if (op >= OP_MULX && op <= OP_PEXT) return memory;
      if (op >= OP_RORX && op <= OP_SHRX) return memory;
      if (op >= OP_BT && op < OP_BT_I + 4) {
        return size < 4 || (op < OP_BT_I && memory !== 0) ? USES | LEAVES : memory;
      }
      return USES | LEAVES;
  }
}
