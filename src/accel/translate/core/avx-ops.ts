// The operations of AVX, AVX2, FMA and F16C. REC_AUX says what the record's other fields cannot.
import { OPS_AVX } from "./ops";

// ---- REC_AUX: bits 0-3 the register that VEX.vvvv names, then
export const AVX_256: u32 = 1 << 4;
// bits 8-11: how an operation of SSE's executes
export const AVX_KIND_SHIFT: u32 = 8;
// bits 12-15: bits of the immediate that one lane uses, or bytes of the source operand
export const AVX_STEP_SHIFT: u32 = 12;
// bits 16-19: the index register of a VSIB operand
export const AVX_INDEX_SHIFT: u32 = 16;

/** SSE's handler sees the record as it is: no vector register is written. */
export const AVX_DIRECT: u32 = 0;
/** SSE's handler, lane by lane. */
export const AVX_LANES: u32 = 1;
/** SSE's handler sees the rm operand as it is; its result is 128 bits. */
export const AVX_LOW: u32 = 2;
/** A shift by an immediate: vvvv is written. */
export const AVX_SHIFT: u32 = 3;
/** A shift by the 128-bit source operand, the same in both lanes. */
export const AVX_COUNT: u32 = 4;
/** Each lane of the result comes from the next AVX_STEP bytes of the source. */
export const AVX_WIDEN: u32 = 5;
/** Each lane of the source makes 64 bits of the result. */
export const AVX_NARROW: u32 = 6;
/** packedInteger. */
export const AVX_PACKED: u32 = 7;
/** packedArithmetic. */
export const AVX_ARITHMETIC: u32 = 8;

// ---- OPS_AVX + (operation of sse-ops.ts - OPS_SSE): SSE's instructions in VEX encoding.
export const OPS_AVX_OWN: u32 = OPS_AVX + 0x200;

// ---- Instructions that SSE lacks, and those that differ.
export const OP_VZEROUPPER: u32 = OPS_AVX_OWN + 0x00;
export const OP_VZEROALL: u32 = OPS_AVX_OWN + 0x01;
export const OP_VMOV: u32 = OPS_AVX_OWN + 0x02;
export const OP_VLOAD: u32 = OPS_AVX_OWN + 0x03;
export const OP_VLOAD_ALIGNED: u32 = OPS_AVX_OWN + 0x04;
export const OP_VSTORE: u32 = OPS_AVX_OWN + 0x05;
export const OP_VSTORE_ALIGNED: u32 = OPS_AVX_OWN + 0x06;
export const OP_VPMOVMSKB: u32 = OPS_AVX_OWN + 0x07;
export const OP_VMOVMSKPS: u32 = OPS_AVX_OWN + 0x08;
export const OP_VMOVMSKPD: u32 = OPS_AVX_OWN + 0x09;
export const OP_VPTEST: u32 = OPS_AVX_OWN + 0x0a;
export const OP_VTESTPS: u32 = OPS_AVX_OWN + 0x0b;
export const OP_VTESTPD: u32 = OPS_AVX_OWN + 0x0c;
export const OP_VLDMXCSR: u32 = OPS_AVX_OWN + 0x0d;
export const OP_VSTMXCSR: u32 = OPS_AVX_OWN + 0x0e;
/** VPCMPESTRM and VPCMPISTRM. */
export const OP_VPCMPESTRM: u32 = OPS_AVX_OWN + 0x0f;
export const OP_VPCMPISTRM: u32 = OPS_AVX_OWN + 0x10;
export const OP_VDPPS: u32 = OPS_AVX_OWN + 0x11;
// Of 1, 2, 4, 8 and 16 bytes to the whole register.
export const OP_VBROADCAST8: u32 = OPS_AVX_OWN + 0x18;
export const OP_VBROADCAST16: u32 = OPS_AVX_OWN + 0x19;
export const OP_VBROADCAST32: u32 = OPS_AVX_OWN + 0x1a;
export const OP_VBROADCAST64: u32 = OPS_AVX_OWN + 0x1b;
export const OP_VBROADCAST128: u32 = OPS_AVX_OWN + 0x1c;
export const OP_VINSERT128: u32 = OPS_AVX_OWN + 0x1d;
export const OP_VEXTRACT128: u32 = OPS_AVX_OWN + 0x1e;
export const OP_VPERM2X128: u32 = OPS_AVX_OWN + 0x1f;
/** VPERMQ and VPERMPD. */
export const OP_VPERMQ: u32 = OPS_AVX_OWN + 0x20;
/** VPERMD and VPERMPS. */
export const OP_VPERMD: u32 = OPS_AVX_OWN + 0x21;
export const OP_VPERMILPS: u32 = OPS_AVX_OWN + 0x22;
export const OP_VPERMILPD: u32 = OPS_AVX_OWN + 0x23;
export const OP_VPERMILPD_IMM: u32 = OPS_AVX_OWN + 0x24;
export const OP_VPBLENDD: u32 = OPS_AVX_OWN + 0x25;
export const OP_VPBLENDVB: u32 = OPS_AVX_OWN + 0x26;
export const OP_VBLENDVPS: u32 = OPS_AVX_OWN + 0x27;
export const OP_VBLENDVPD: u32 = OPS_AVX_OWN + 0x28;
export const OP_VPSRLVD: u32 = OPS_AVX_OWN + 0x29;
export const OP_VPSRLVQ: u32 = OPS_AVX_OWN + 0x2a;
export const OP_VPSRAVD: u32 = OPS_AVX_OWN + 0x2b;
export const OP_VPSLLVD: u32 = OPS_AVX_OWN + 0x2c;
export const OP_VPSLLVQ: u32 = OPS_AVX_OWN + 0x2d;
// VMASKMOVPS and VPMASKMOVD, VMASKMOVPD and VPMASKMOVQ.
export const OP_VMASKLOAD32: u32 = OPS_AVX_OWN + 0x30;
export const OP_VMASKLOAD64: u32 = OPS_AVX_OWN + 0x31;
export const OP_VMASKSTORE32: u32 = OPS_AVX_OWN + 0x32;
export const OP_VMASKSTORE64: u32 = OPS_AVX_OWN + 0x33;
// Gathers: OPS_GATHER + (elements of 64 bits ? 1 : 0) + (indexes of 64 bits ? 2 : 0).
export const OPS_GATHER: u32 = OPS_AVX_OWN + 0x38;
export const OP_VCVTPH2PS: u32 = OPS_AVX_OWN + 0x3c;
export const OP_VCVTPS2PH: u32 = OPS_AVX_OWN + 0x3d;
// FMA: OPS_FMA + (the opcode's low byte - 0x96) * 2 + W.
export const OPS_FMA: u32 = OPS_AVX_OWN + 0x40;
export const OPS_FMA_END: u32 = OPS_FMA + 0x54;
