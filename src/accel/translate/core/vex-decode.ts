// Which VEX-encoded opcodes are instructions on vector registers, and what the decoder has to know to make a record of
// one. Intel SDM volume 2, chapter 2.3 and appendix A; AMD APM volume 4.

// The result of vexDecode:
// bits 0-15: the operation
// bits 20-25: size of the memory operand in bytes: 0 (none), 1, 2, 4, 8, 16 or 32; of an element where VEX_VSIB is set
export const VEX_SIZE_SHIFT: u64 = 20;
// The memory form exists (else ModRM.mod != 3 is #UD), the register form exists (else mod = 3 is #UD).
export const VEX_MEM: u64 = 1 << 26;
export const VEX_REG: u64 = 1 << 27;
// The memory operand is written and not read.
export const VEX_STORE: u64 = 1 << 28;
// The memory operand has to lie on its size, else #GP(0).
export const VEX_ALIGNED: u64 = 1 << 29;
// The reg or the rm register operand is a general register: for disassembly and tests.
export const VEX_GPR_REG: u64 = 1 << 30;
export const VEX_GPR_RM: u64 = 1 << 31;
// bits 32-43: the CPU feature, FEATURE_*.
export const VEX_FEATURE_SHIFT: u64 = 32;
// bits 44-47: how the operation executes, AVX_* of avx-ops.ts.
export const VEX_KIND_SHIFT: u64 = 44;
// VEX.vvvv names an operand; else all its bits have to be set.
export const VEX_VVVV: u64 = 1 << 48;
// reg and rm change places in the record: rm is written.
export const VEX_SWAP: u64 = 1 << 49;
// ModRM needs a SIB byte whose index is a vector register.
export const VEX_VSIB: u64 = 1 << 50;
// One byte of immediate.
export const VEX_IMM: u64 = 1 << 51;
// As SSE_IMPLICIT_RDI.
export const VEX_IMPLICIT_RDI: u64 = 1 << 52;

/** Whether an opcode's operands are general registers: decodeVexGeneral decodes it. */
export function isVexGeneral(map: u32, opcode: u32): bool {
  return map == 2 ? opcode >= 0xf0 : map == 3 && opcode == 0xf0;
}

/**
 * The fields above, or 0 for #UD. `map`: 1 is 0F, 2 is 0F38, 3 is 0F3A. `prefix`: 0 none, 1 66, 2 F3, 3 F2. `w`, `l`: VEX.W
 * and VEX.L. `long`: 1 in 64-bit mode.
 */
export function vexDecode(map: u32, opcode: u32, prefix: u32, modrm: u32, w: u32, l: u32, long: u32): u64 {
  return 0;
}
