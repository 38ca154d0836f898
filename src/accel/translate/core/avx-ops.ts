// The operations of AVX, AVX2, FMA and F16C. REC_AUX holds the register that VEX.vvvv names, VEX.L and how the operation
// executes.
import { OPS_AVX } from "./ops";

// ---- REC_AUX: bits 0-3 the register, then
export const AVX_256: u32 = 1 << 4;
export const AVX_KIND_SHIFT: u32 = 8;

// ---- OPS_AVX + (operation of sse-ops.ts - OPS_SSE): SSE's instructions in VEX encoding.
export const OPS_AVX_END_OF_SSE: u32 = OPS_AVX + 0x200;

// ---- Instructions that SSE lacks.
export const OPS_AVX_OWN: u32 = OPS_AVX_END_OF_SSE;
export const OP_VZEROUPPER: u32 = OPS_AVX_OWN + 0x00;
export const OP_VZEROALL: u32 = OPS_AVX_OWN + 0x01;
