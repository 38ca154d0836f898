// VEX-encoded instructions on general registers: BMI1 and BMI2. Intel SDM volume 2, chapter 2.3 and appendix A.

// The result of decodeVexGeneral: bits 0-15 the operation, bit 16 one byte of immediate, bits 32-43 the feature.
export const GENERAL_IMM: u64 = 1 << 16;
export const GENERAL_FEATURE_SHIFT: u64 = 32;

/**
 * An instruction of 0F38 F2-F7 or 0F3A F0, or 0 for #UD. `map`: 2 or 3. `prefix`: 0 none, 1 66, 2 F3, 3 F2. `l`: VEX.L.
 * `vvvv`: the number that VEX.vvvv stands for; 0 is RAX, and what an instruction without this operand has to have.
 *
 * The record gets general register operands of 4 or 8 bytes (VEX.W, in 64-bit mode only): reg in REC_REG, rm in REC_RM
 * or the memory operand, the offset of vvvv's register in REC_AUX; the size in REC_OSIZE. The operation is one of
 * OPS_INTEGER's.
 */
export function decodeVexGeneral(map: u32, opcode: u32, prefix: u32, l: u32, modrm: u32, vvvv: u32): u64 {
  return 0;
}
