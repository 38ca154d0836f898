// Operations that save, restore or reset x87, MMX and SSE state as a whole. The decoder picks these
// numbers; fpu-state.ts executes them (execFpuState). Operand size 64 is F_REXW. The decoder emits #UD
// where a form has no meaning (LOCK, a register rm) and where the CPU model lacks the feature named here.
import { OPS_FPU_STATE } from "./ops";

/** 9B. Always there. Prefixes of any kind but LOCK are ignored. */
export const OP_FWAIT: u32 = OPS_FPU_STATE + 0;
/** 0F 77. Feature MMX. */
export const OP_EMMS: u32 = OPS_FPU_STATE + 1;
/** 0F 0E. Feature 3DNOW. */
export const OP_FEMMS: u32 = OPS_FPU_STATE + 2;
/** 0F AE /0, memory, no 66/F2/F3. Feature FXSR. With REX.W: FXSAVE64. */
export const OP_FXSAVE: u32 = OPS_FPU_STATE + 3;
/** 0F AE /1, memory, no 66/F2/F3. Feature FXSR. With REX.W: FXRSTOR64. */
export const OP_FXRSTOR: u32 = OPS_FPU_STATE + 4;
/** 0F AE /2, memory, no 66/F2/F3. Feature SSE. VEX.LZ.0F.WIG AE /2 too. */
export const OP_LDMXCSR: u32 = OPS_FPU_STATE + 5;
/** 0F AE /3, memory, no 66/F2/F3. Feature SSE. VEX.LZ.0F.WIG AE /3 too. */
export const OP_STMXCSR: u32 = OPS_FPU_STATE + 6;
/** 0F AE /4, memory, no 66/F2/F3. Feature XSAVE. CR4.OSXSAVE is looked at when it executes. */
export const OP_XSAVE: u32 = OPS_FPU_STATE + 7;
/** 0F AE /5, memory, no 66/F2/F3. Feature XSAVE. */
export const OP_XRSTOR: u32 = OPS_FPU_STATE + 8;
/** 0F AE /6, memory, no 66/F2/F3. Feature XSAVEOPT. */
export const OP_XSAVEOPT: u32 = OPS_FPU_STATE + 9;
/** 0F C7 /4, memory, no 66/F2/F3. Feature XSAVEC. */
export const OP_XSAVEC: u32 = OPS_FPU_STATE + 10;
/** 0F C7 /5, memory, no 66/F2/F3. Feature XSAVES. Privileged. */
export const OP_XSAVES: u32 = OPS_FPU_STATE + 11;
/** 0F C7 /3, memory, no 66/F2/F3. Feature XSAVES. Privileged. */
export const OP_XRSTORS: u32 = OPS_FPU_STATE + 12;

// x87 itself has no names here: the decoder computes the number from opcode and ModRM (ops.ts). It
// leaves every encoding of D8-DF to x87.ts, which raises #UD for those without a meaning and where the
// model lacks CMOV (FCMOVcc, FCOMI, FCOMIP, FUCOMI, FUCOMIP) or SSE3 (FISTTP).
