// VEX-encoded instructions on general registers: BMI1 and BMI2. Intel SDM volume 2, chapter 2.3 and appendix A.
import { FEATURE_BMI1, FEATURE_BMI2 } from "../feature-bits";
import {
  OP_ANDN, OP_BEXTR, OP_BLSI, OP_BLSMSK, OP_BLSR, OP_BZHI, OP_MULX, OP_PDEP, OP_PEXT, OP_RORX, OP_SARX, OP_SHLX,
  OP_SHRX,
} from "./ops-integer";

// The result of decodeVexGeneral: bits 0-15 the operation, bit 16 one byte of immediate, bits 32-43 the feature.
export const GENERAL_IMM: u64 = 1 << 16;
export const GENERAL_FEATURE_SHIFT: u64 = 32;

const BMI1: u64 = <u64>FEATURE_BMI1 << GENERAL_FEATURE_SHIFT;
const BMI2: u64 = <u64>FEATURE_BMI2 << GENERAL_FEATURE_SHIFT;

/**
 * An instruction of 0F38 F2-F7 or 0F3A F0, or 0 for #UD. `map`: 2 or 3. `prefix`: 0 none, 1 66, 2 F3, 3 F2. `l`: VEX.L.
 * `vvvv`: the number that VEX.vvvv stands for; 0 is RAX, and what an instruction without this operand has to have.
 *
 * The record gets general register operands of 4 or 8 bytes (VEX.W, in 64-bit mode only): reg in REC_REG, rm in REC_RM
 * or the memory operand, the offset of vvvv's register in REC_AUX; the size in REC_OSIZE. The operation is one of
 * OPS_INTEGER's, executed by bit-manipulation.ts.
 */
export function decodeVexGeneral(map: u32, opcode: u32, prefix: u32, l: u32, modrm: u32, vvvv: u32): u64 {
  if (l != 0) return 0;
  if (map == 3) return opcode == 0xf0 && prefix == 3 && vvvv == 0 ? BMI2 | GENERAL_IMM | OP_RORX : 0;
  switch (opcode) {
    case 0xf2:
      return prefix == 0 ? BMI1 | OP_ANDN : 0;
    case 0xf3: {
      const which = (modrm >> 3) & 7;
      if (prefix != 0 || which == 0 || which > 3) return 0;
      return BMI1 | (which == 1 ? OP_BLSR : which == 2 ? OP_BLSMSK : OP_BLSI);
    }
    case 0xf5:
      if (prefix == 1) return 0;
      return BMI2 | (prefix == 0 ? OP_BZHI : prefix == 2 ? OP_PEXT : OP_PDEP);
    case 0xf6:
      return prefix == 3 ? BMI2 | OP_MULX : 0;
    case 0xf7:
      if (prefix == 0) return BMI1 | OP_BEXTR;
      return BMI2 | (prefix == 1 ? OP_SHLX : prefix == 2 ? OP_SARX : OP_SHRX);
    default:
      return 0;
  }
}
