// Integer operations. The hot ones are cases of interpreter.ts, numbered by form, kind and size so that
// the decoder can compute them; the others are integer.ts's.
import { OPS_HOT, OPS_INTEGER } from "./ops";

// The numbers below 32 stay unused: a 0 would take a test of its own in the main loop.
// kind: ADD OR ADC SBB AND SUB XOR CMP as in opcode bits 3-5. Number: base + kind * 4 + log2 size.
export const OP_ALU_RR: u32 = OPS_HOT + 32; // rm register, reg register
export const OP_ALU_RM: u32 = OPS_HOT + 64; // reg register, memory
export const OP_ALU_MR: u32 = OPS_HOT + 96; // memory, reg register
export const OP_ALU_RI: u32 = OPS_HOT + 128; // rm register, immediate
export const OP_ALU_MI: u32 = OPS_HOT + 160; // memory, immediate
// + log2 size
export const OP_TEST_RR: u32 = OPS_HOT + 192;
export const OP_TEST_MR: u32 = OPS_HOT + 196;
export const OP_TEST_RI: u32 = OPS_HOT + 200;
export const OP_TEST_MI: u32 = OPS_HOT + 204;
export const OP_MOV_RR: u32 = OPS_HOT + 208; // rm register, reg register
export const OP_MOV_RM: u32 = OPS_HOT + 212; // reg register, memory
export const OP_MOV_MR: u32 = OPS_HOT + 216; // memory, reg register
export const OP_MOV_RI: u32 = OPS_HOT + 220; // rm register, immediate
export const OP_MOV_MI: u32 = OPS_HOT + 224; // memory, immediate
export const OP_INC_R: u32 = OPS_HOT + 228;
export const OP_DEC_R: u32 = OPS_HOT + 232;
export const OP_INC_M: u32 = OPS_HOT + 236;
export const OP_DEC_M: u32 = OPS_HOT + 240;
// + 0 for 16, 1 for 32, 2 for 64 bits
export const OP_LEA: u32 = OPS_HOT + 244;
// Extensions; the register form, + 1 the memory form. Zero extension to 32 and 64 bits is the same.
export const OP_MOVZX8: u32 = OPS_HOT + 248;
export const OP_MOVZX16: u32 = OPS_HOT + 250;
export const OP_MOVSX8_32: u32 = OPS_HOT + 252;
export const OP_MOVSX8_64: u32 = OPS_HOT + 254;
export const OP_MOVSX16_32: u32 = OPS_HOT + 256;
export const OP_MOVSX16_64: u32 = OPS_HOT + 258;
export const OP_MOVSX32_64: u32 = OPS_HOT + 260;
// The stack as 64-bit mode has it, and by 32 bits in flat 32-bit code (MODE_FLAT), like the near transfers below: REC_OSIZE
export const OP_PUSH64_R: u32 = OPS_HOT + 262;
export const OP_POP64_R: u32 = OPS_HOT + 263;
export const OP_PUSH64_I: u32 = OPS_HOT + 264;
export const OP_PUSH64_M: u32 = OPS_HOT + 265;
export const OP_LEAVE64: u32 = OPS_HOT + 266;
// Shifts of a register by an immediate from 1 to 31 or 63: + 0 for 32, 1 for 64 bits
export const OP_SHL_I: u32 = OPS_HOT + 268;
export const OP_SHR_I: u32 = OPS_HOT + 270;
export const OP_SAR_I: u32 = OPS_HOT + 272;
export const OP_ROL_I: u32 = OPS_HOT + 274;
export const OP_ROR_I: u32 = OPS_HOT + 276;
export const OP_SHL_CL: u32 = OPS_HOT + 278;
export const OP_SHR_CL: u32 = OPS_HOT + 280;
export const OP_SAR_CL: u32 = OPS_HOT + 282;
// IMUL reg, rm: + 0 for 32, 1 for 64 bits; + 2 for the memory form
export const OP_IMUL: u32 = OPS_HOT + 284;
// IMUL reg, rm, imm, likewise
export const OP_IMUL_I: u32 = OPS_HOT + 288;
// + 0 for 32, 1 for 64 bits; + 2 for the memory form. The condition is in REC_IMM.
export const OP_CMOV: u32 = OPS_HOT + 292;
export const OP_SETCC_R: u32 = OPS_HOT + 296; // the condition is in REC_IMM
export const OP_NEG_R: u32 = OPS_HOT + 297; // + log2 size
export const OP_NOT_R: u32 = OPS_HOT + 301; // + log2 size
export const OP_CDQE: u32 = OPS_HOT + 305;
export const OP_CDQ: u32 = OPS_HOT + 306;
export const OP_CQO: u32 = OPS_HOT + 307;
export const OP_NOP: u32 = OPS_HOT + 308;
// Transfers, at a block's end. REC_IMM: the target's offset from the block's RIP. REC_AUX: the target's block
// or 0; REC_DISP: the block behind a jump that is not taken, or 0. REC_SCALE: LINK_* of blocks.ts.
export const OP_JMP: u32 = OPS_HOT + 309;
export const OP_CALL64: u32 = OPS_HOT + 310;
export const OP_RET64: u32 = OPS_HOT + 311; // REC_IMM: bytes of parameters to drop
export const OP_JMP64_R: u32 = OPS_HOT + 312;
export const OP_JMP64_M: u32 = OPS_HOT + 313;
export const OP_CALL64_R: u32 = OPS_HOT + 314;
export const OP_CALL64_M: u32 = OPS_HOT + 315;
export const OP_JCC: u32 = OPS_HOT + 316; // + condition
/** The block goes on at this record's instruction pointer: not decoded further. */
export const OP_END: u32 = OPS_HOT + 332;
/** The code here has changed, or its arena was given back: look the block up again. */
export const OP_RELOOKUP: u32 = OPS_HOT + 333;
export const OP_UD: u32 = OPS_HOT + 334;
/** An operation with a memory operand that the main loop does not address itself; which one, is in REC_AUX. */
export const OP_SPECIAL: u32 = OPS_HOT + 335;
// A compare or test with the conditional jump behind it, which keeps its own record: its condition as an index.
// A compare's conditions: B AE E NE BE A L GE LE G; a test's: E NE S NS LE G. The record keeps the operation
// that it had alone in REC_AUX.
export const OP_FUSED: u32 = OPS_HOT + 336;
export const OP_CMP8_RR_JCC: u32 = OP_FUSED + 0;
export const OP_CMP32_RR_JCC: u32 = OP_FUSED + 10;
export const OP_CMP64_RR_JCC: u32 = OP_FUSED + 20;
export const OP_CMP8_RI_JCC: u32 = OP_FUSED + 30;
export const OP_CMP32_RI_JCC: u32 = OP_FUSED + 40;
export const OP_CMP64_RI_JCC: u32 = OP_FUSED + 50;
export const OP_CMP32_RM_JCC: u32 = OP_FUSED + 60;
export const OP_CMP64_RM_JCC: u32 = OP_FUSED + 70;
export const OP_CMP8_MI_JCC: u32 = OP_FUSED + 80;
export const OP_CMP32_MI_JCC: u32 = OP_FUSED + 90;
export const OP_CMP64_MI_JCC: u32 = OP_FUSED + 100;
export const OP_TEST8_RR_JCC: u32 = OP_FUSED + 110;
export const OP_TEST32_RR_JCC: u32 = OP_FUSED + 116;
export const OP_TEST64_RR_JCC: u32 = OP_FUSED + 122;
export const OP_TEST8_RI_JCC: u32 = OP_FUSED + 128;
export const OP_TEST32_RI_JCC: u32 = OP_FUSED + 134;
export const OP_TEST8_MI_JCC: u32 = OP_FUSED + 140;
export const OP_FUSED_END: u32 = OP_FUSED + 146;
/** A region begins here: the block's own operation is in its header. */
export const OP_REGION: u32 = OP_FUSED_END;

// ---- integer.ts. Operand size in REC_OSIZE, form by F_MODREG.
export const OP_MOVZX16_8: u32 = OPS_INTEGER + 0; // to a 16-bit register
export const OP_MOVSX16_8: u32 = OPS_INTEGER + 1;
export const OP_PUSH_R: u32 = OPS_INTEGER + 2; // any mode and size
export const OP_POP_R: u32 = OPS_INTEGER + 3;
export const OP_PUSH_I: u32 = OPS_INTEGER + 4;
export const OP_PUSH_M: u32 = OPS_INTEGER + 5;
export const OP_POP_M: u32 = OPS_INTEGER + 6;
export const OP_PUSHA: u32 = OPS_INTEGER + 7;
export const OP_POPA: u32 = OPS_INTEGER + 8;
export const OP_ENTER: u32 = OPS_INTEGER + 9; // REC_IMM: frame size, level << 16
export const OP_LEAVE: u32 = OPS_INTEGER + 10;
export const OP_SHIFT: u32 = OPS_INTEGER + 16; // + ROL ROR RCL RCR SHL SHR SAL SAR; count in REC_IMM, or 0x100 for CL
export const OP_SHLD: u32 = OPS_INTEGER + 24; // count in REC_IMM, or 0x100 for CL
export const OP_SHRD: u32 = OPS_INTEGER + 25;
export const OP_NOT: u32 = OPS_INTEGER + 26;
export const OP_NEG: u32 = OPS_INTEGER + 27;
export const OP_MUL: u32 = OPS_INTEGER + 28;
export const OP_IMUL1: u32 = OPS_INTEGER + 29;
export const OP_DIV: u32 = OPS_INTEGER + 30;
export const OP_IDIV: u32 = OPS_INTEGER + 31;
export const OP_IMUL2: u32 = OPS_INTEGER + 32; // 16 bits
export const OP_IMUL3: u32 = OPS_INTEGER + 33; // 16 bits
export const OP_CMOV16: u32 = OPS_INTEGER + 34;
export const OP_SETCC_M: u32 = OPS_INTEGER + 35;
export const OP_XCHG: u32 = OPS_INTEGER + 36;
export const OP_XADD: u32 = OPS_INTEGER + 37;
export const OP_CMPXCHG: u32 = OPS_INTEGER + 38;
export const OP_CMPXCHG8B: u32 = OPS_INTEGER + 39;
export const OP_CMPXCHG16B: u32 = OPS_INTEGER + 40;
export const OP_BT: u32 = OPS_INTEGER + 41; // BT BTS BTR BTC, the bit in reg
export const OP_BTS: u32 = OPS_INTEGER + 42;
export const OP_BTR: u32 = OPS_INTEGER + 43;
export const OP_BTC: u32 = OPS_INTEGER + 44;
export const OP_BT_I: u32 = OPS_INTEGER + 45; // + likewise, the bit in REC_IMM
export const OP_BSF: u32 = OPS_INTEGER + 49;
export const OP_BSR: u32 = OPS_INTEGER + 50;
export const OP_TZCNT: u32 = OPS_INTEGER + 51;
export const OP_LZCNT: u32 = OPS_INTEGER + 52;
export const OP_POPCNT: u32 = OPS_INTEGER + 53;
export const OP_BSWAP: u32 = OPS_INTEGER + 54;
export const OP_MOVBE_LOAD: u32 = OPS_INTEGER + 55;
export const OP_MOVBE_STORE: u32 = OPS_INTEGER + 56;
export const OP_CRC32: u32 = OPS_INTEGER + 57; // source size in REC_IMM
export const OP_CBW: u32 = OPS_INTEGER + 58; // AL to AX
export const OP_CWDE: u32 = OPS_INTEGER + 59; // AX to EAX
export const OP_CWD: u32 = OPS_INTEGER + 60; // AX to DX:AX
export const OP_LAHF: u32 = OPS_INTEGER + 61;
export const OP_SAHF: u32 = OPS_INTEGER + 62;
export const OP_CLC: u32 = OPS_INTEGER + 63;
export const OP_STC: u32 = OPS_INTEGER + 64;
export const OP_CMC: u32 = OPS_INTEGER + 65;
export const OP_CLD: u32 = OPS_INTEGER + 66;
export const OP_STD: u32 = OPS_INTEGER + 67;
export const OP_XLAT: u32 = OPS_INTEGER + 68;
export const OP_SALC: u32 = OPS_INTEGER + 69;
export const OP_BOUND: u32 = OPS_INTEGER + 70;
export const OP_DAA: u32 = OPS_INTEGER + 71;
export const OP_DAS: u32 = OPS_INTEGER + 72;
export const OP_AAA: u32 = OPS_INTEGER + 73;
export const OP_AAS: u32 = OPS_INTEGER + 74;
export const OP_AAM: u32 = OPS_INTEGER + 75;
export const OP_AAD: u32 = OPS_INTEGER + 76;
export const OP_MOV_LOAD_OFFSET: u32 = OPS_INTEGER + 79; // AL, AX, EAX or RAX from the offset in REC_IMM
export const OP_MOV_STORE_OFFSET: u32 = OPS_INTEGER + 106;
export const OP_ADCX: u32 = OPS_INTEGER + 77;
export const OP_ADOX: u32 = OPS_INTEGER + 78;
// String operations: size in REC_OSIZE, address size in REC_ASIZE, segment of the source in REC_SEG.
export const OP_MOVS: u32 = OPS_INTEGER + 80;
export const OP_CMPS: u32 = OPS_INTEGER + 81;
export const OP_STOS: u32 = OPS_INTEGER + 82;
export const OP_LODS: u32 = OPS_INTEGER + 83;
export const OP_SCAS: u32 = OPS_INTEGER + 84;
// Near transfers of every mode but the hot 64-bit ones. They end the block, RIP is set.
export const OP_NEAR_FIRST: u32 = OPS_INTEGER + 96;
export const OP_CALL_NEAR: u32 = OPS_INTEGER + 96; // REC_IMM: target's offset from the block's RIP
export const OP_RET_NEAR: u32 = OPS_INTEGER + 97; // REC_IMM: bytes to drop
export const OP_JMP_NEAR_RM: u32 = OPS_INTEGER + 98;
export const OP_CALL_NEAR_RM: u32 = OPS_INTEGER + 99;
export const OP_JMP_NEAR: u32 = OPS_INTEGER + 100; // 16-bit operand size: IP wraps
export const OP_JCC_NEAR: u32 = OPS_INTEGER + 101; // likewise; the condition is in REC_REG
export const OP_LOOPNE: u32 = OPS_INTEGER + 102;
export const OP_LOOPE: u32 = OPS_INTEGER + 103;
export const OP_LOOP: u32 = OPS_INTEGER + 104;
export const OP_JCXZ: u32 = OPS_INTEGER + 105;
// BMI1 and BMI2: bit-manipulation.ts. The operand in VEX.vvvv is in REC_AUX.
export const OP_ANDN: u32 = OPS_INTEGER + 112;
export const OP_BEXTR: u32 = OPS_INTEGER + 113;
export const OP_BLSI: u32 = OPS_INTEGER + 114;
export const OP_BLSMSK: u32 = OPS_INTEGER + 115;
export const OP_BLSR: u32 = OPS_INTEGER + 116;
export const OP_BZHI: u32 = OPS_INTEGER + 117;
export const OP_MULX: u32 = OPS_INTEGER + 118;
export const OP_PDEP: u32 = OPS_INTEGER + 119;
export const OP_PEXT: u32 = OPS_INTEGER + 120;
export const OP_RORX: u32 = OPS_INTEGER + 121;
export const OP_SARX: u32 = OPS_INTEGER + 122;
export const OP_SHLX: u32 = OPS_INTEGER + 123;
export const OP_SHRX: u32 = OPS_INTEGER + 124;
