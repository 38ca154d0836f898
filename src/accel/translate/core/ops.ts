// The numbers of operations, by group. Each group's own file names them one by one.

/** Common integer operations: cases of the main loop's switch in interpreter.ts. */
export const OPS_HOT: u32 = 0x000;
/** Other integer and string operations: integer.ts. They continue with the next record. */
export const OPS_INTEGER: u32 = 0x200;
/** System, segment and far-transfer operations: system.ts. All end a block; RIP is set to the next instruction before. */
export const OPS_SYSTEM: u32 = 0x300;
/** x87: x87.ts. OPS_X87 + ((opcode & 7) << 6 | modrm & 0x3f) for register forms, OPS_X87 + 0x200 + ((opcode & 7) << 3 | reg) for memory forms. */
export const OPS_X87: u32 = 0x400;
/** FXSAVE, FXRSTOR, XSAVE, XRSTOR, XSAVEOPT, LDMXCSR, STMXCSR, EMMS, FEMMS, FWAIT: fpu-state.ts. */
export const OPS_FPU_STATE: u32 = 0x680;
/** MMX, SSE to SSE4.2, AES, PCLMULQDQ, SHA: sse.ts. */
export const OPS_SSE: u32 = 0x700;
/** VEX-encoded instructions on vector registers: avx.ts. */
export const OPS_AVX: u32 = 0xc00;
export const OPS_END: u32 = 0x1000;
