// The operations of MMX, SSE to SSE4.2, SSE4a, AES-NI, PCLMULQDQ and SHA. Instructions that do the same
// to the same bits share an operation: MOVAPS, MOVAPD and MOVDQA; ANDPS and PAND; UNPCKLPD and PUNPCKLQDQ.
import { OPS_SSE } from "./ops";

// ---- 0F 50-5F: OPS_FLOAT + ((opcode & 15) << 2 | form), form 0 PS, 1 PD, 2 SS, 3 SD. The numbers of the logical
// operations (54-57) stand for these and for the packed integer operations that string functions live on.
export const OPS_FLOAT: u32 = OPS_SSE + 0x000;
export const OP_MOVMSKPS: u32 = OPS_FLOAT + 0x00;
export const OP_MOVMSKPD: u32 = OPS_FLOAT + 0x01;
export const OP_SQRTPS: u32 = OPS_FLOAT + 0x04;
export const OP_SQRTPD: u32 = OPS_FLOAT + 0x05;
export const OP_SQRTSS: u32 = OPS_FLOAT + 0x06;
export const OP_SQRTSD: u32 = OPS_FLOAT + 0x07;
export const OP_RSQRTPS: u32 = OPS_FLOAT + 0x08;
export const OP_RSQRTSS: u32 = OPS_FLOAT + 0x0a;
export const OP_RCPPS: u32 = OPS_FLOAT + 0x0c;
export const OP_RCPSS: u32 = OPS_FLOAT + 0x0e;
export const OP_PAND: u32 = OPS_FLOAT + 0x10;
export const OP_PANDN: u32 = OPS_FLOAT + 0x11;
export const OP_POR: u32 = OPS_FLOAT + 0x12;
export const OP_PXOR: u32 = OPS_FLOAT + 0x13;
export const OP_PCMPEQB: u32 = OPS_FLOAT + 0x14;
export const OP_PMINUB: u32 = OPS_FLOAT + 0x15;
export const OP_PSUBB: u32 = OPS_FLOAT + 0x16;
export const OP_PADDB: u32 = OPS_FLOAT + 0x17;
export const OP_PADDD: u32 = OPS_FLOAT + 0x18;
export const OP_PADDQ: u32 = OPS_FLOAT + 0x19;
export const OP_PCMPEQD: u32 = OPS_FLOAT + 0x1a;
export const OP_PUNPCKLBW: u32 = OPS_FLOAT + 0x1b;
export const OP_PUNPCKLDQ: u32 = OPS_FLOAT + 0x1c;
export const OP_PUNPCKLQDQ: u32 = OPS_FLOAT + 0x1d;
export const OP_PUNPCKHQDQ: u32 = OPS_FLOAT + 0x1e;
export const OP_ADDPS: u32 = OPS_FLOAT + 0x20;
export const OP_ADDPD: u32 = OPS_FLOAT + 0x21;
export const OP_ADDSS: u32 = OPS_FLOAT + 0x22;
export const OP_ADDSD: u32 = OPS_FLOAT + 0x23;
export const OP_MULPS: u32 = OPS_FLOAT + 0x24;
export const OP_MULPD: u32 = OPS_FLOAT + 0x25;
export const OP_MULSS: u32 = OPS_FLOAT + 0x26;
export const OP_MULSD: u32 = OPS_FLOAT + 0x27;
export const OP_CVTPS2PD: u32 = OPS_FLOAT + 0x28;
export const OP_CVTPD2PS: u32 = OPS_FLOAT + 0x29;
export const OP_CVTSS2SD: u32 = OPS_FLOAT + 0x2a;
export const OP_CVTSD2SS: u32 = OPS_FLOAT + 0x2b;
export const OP_CVTDQ2PS: u32 = OPS_FLOAT + 0x2c;
export const OP_CVTPS2DQ: u32 = OPS_FLOAT + 0x2d;
export const OP_CVTTPS2DQ: u32 = OPS_FLOAT + 0x2e;
export const OP_SUBPS: u32 = OPS_FLOAT + 0x30;
export const OP_SUBPD: u32 = OPS_FLOAT + 0x31;
export const OP_SUBSS: u32 = OPS_FLOAT + 0x32;
export const OP_SUBSD: u32 = OPS_FLOAT + 0x33;
export const OP_MINPS: u32 = OPS_FLOAT + 0x34;
export const OP_MINPD: u32 = OPS_FLOAT + 0x35;
export const OP_MINSS: u32 = OPS_FLOAT + 0x36;
export const OP_MINSD: u32 = OPS_FLOAT + 0x37;
export const OP_DIVPS: u32 = OPS_FLOAT + 0x38;
export const OP_DIVPD: u32 = OPS_FLOAT + 0x39;
export const OP_DIVSS: u32 = OPS_FLOAT + 0x3a;
export const OP_DIVSD: u32 = OPS_FLOAT + 0x3b;
export const OP_MAXPS: u32 = OPS_FLOAT + 0x3c;
export const OP_MAXPD: u32 = OPS_FLOAT + 0x3d;
export const OP_MAXSS: u32 = OPS_FLOAT + 0x3e;
export const OP_MAXSD: u32 = OPS_FLOAT + 0x3f;

// ---- Moves. A form between registers and one with memory are two operations; _BACK writes the rm operand.
export const OP_MOV128_REG: u32 = OPS_SSE + 0x40;
export const OP_MOV128_BACK: u32 = OPS_SSE + 0x41;
export const OP_LOAD128: u32 = OPS_SSE + 0x42;
export const OP_STORE128: u32 = OPS_SSE + 0x43;
export const OP_LOAD128_ALIGNED: u32 = OPS_SSE + 0x44;
export const OP_STORE128_ALIGNED: u32 = OPS_SSE + 0x45;
/** Zeroes the rest of the register. MOVD, MOVSS. */
export const OP_LOAD32: u32 = OPS_SSE + 0x46;
export const OP_STORE32: u32 = OPS_SSE + 0x47;
/** Zeroes the upper half. MOVQ, MOVSD. */
export const OP_LOAD64: u32 = OPS_SSE + 0x48;
export const OP_STORE64: u32 = OPS_SSE + 0x49;
/** MOVLPS, MOVLPD: keeps the upper half. */
export const OP_LOAD64_LOW: u32 = OPS_SSE + 0x4a;
/** MOVHPS, MOVHPD: keeps the lower half. */
export const OP_LOAD64_HIGH: u32 = OPS_SSE + 0x4b;
export const OP_STORE64_HIGH: u32 = OPS_SSE + 0x4c;
export const OP_MOVSS_REG: u32 = OPS_SSE + 0x4d;
export const OP_MOVSS_BACK: u32 = OPS_SSE + 0x4e;
export const OP_MOVSD_REG: u32 = OPS_SSE + 0x4f;
export const OP_MOVSD_BACK: u32 = OPS_SSE + 0x50;
export const OP_MOVQ_REG: u32 = OPS_SSE + 0x51;
export const OP_MOVQ_BACK: u32 = OPS_SSE + 0x52;
export const OP_MOVHLPS: u32 = OPS_SSE + 0x53;
export const OP_MOVLHPS: u32 = OPS_SSE + 0x54;
export const OP_MOVD_FROM_GPR: u32 = OPS_SSE + 0x55;
export const OP_MOVQ_FROM_GPR: u32 = OPS_SSE + 0x56;
export const OP_MOVD_TO_GPR: u32 = OPS_SSE + 0x57;
export const OP_MOVQ_TO_GPR: u32 = OPS_SSE + 0x58;
export const OP_MOVSLDUP: u32 = OPS_SSE + 0x59;
export const OP_MOVSHDUP: u32 = OPS_SSE + 0x5a;
export const OP_MOVDDUP: u32 = OPS_SSE + 0x5b;
export const OP_MASKMOVDQU: u32 = OPS_SSE + 0x5c;
/** A store from a general register: not subject to CR0.EM, CR0.TS and CR4.OSFXSR. */
export const OP_MOVNTI: u32 = OPS_SSE + 0x5d;
export const OP_PMOVMSKB: u32 = OPS_SSE + 0x5e;

// ---- Compares and conversions of scalars.
export const OP_UCOMISS: u32 = OPS_SSE + 0x60;
export const OP_UCOMISD: u32 = OPS_SSE + 0x61;
export const OP_COMISS: u32 = OPS_SSE + 0x62;
export const OP_COMISD: u32 = OPS_SSE + 0x63;
// With REX.W: from or to 64 bits.
export const OP_CVTSI2SS: u32 = OPS_SSE + 0x64;
export const OP_CVTSI2SD: u32 = OPS_SSE + 0x65;
export const OP_CVTTSS2SI: u32 = OPS_SSE + 0x66;
export const OP_CVTTSD2SI: u32 = OPS_SSE + 0x67;
export const OP_CVTSS2SI: u32 = OPS_SSE + 0x68;
export const OP_CVTSD2SI: u32 = OPS_SSE + 0x69;

// ---- Shuffles, insertions, extractions, blends.
export const OP_PSHUFD: u32 = OPS_SSE + 0x70;
export const OP_PSHUFHW: u32 = OPS_SSE + 0x71;
export const OP_PSHUFLW: u32 = OPS_SSE + 0x72;
export const OP_SHUFPS: u32 = OPS_SSE + 0x73;
export const OP_SHUFPD: u32 = OPS_SSE + 0x74;
export const OP_PALIGNR: u32 = OPS_SSE + 0x75;
export const OP_PINSRB: u32 = OPS_SSE + 0x76;
export const OP_PINSRW: u32 = OPS_SSE + 0x77;
export const OP_PINSRD: u32 = OPS_SSE + 0x78;
export const OP_PINSRQ: u32 = OPS_SSE + 0x79;
export const OP_INSERTPS: u32 = OPS_SSE + 0x7a;
/** 0F C5: to the reg operand. */
export const OP_PEXTRW_REG: u32 = OPS_SSE + 0x7b;
// To the rm operand; the register forms zero-extend.
export const OP_PEXTRB: u32 = OPS_SSE + 0x7c;
export const OP_PEXTRW: u32 = OPS_SSE + 0x7d;
/** EXTRACTPS too. */
export const OP_PEXTRD: u32 = OPS_SSE + 0x7e;
export const OP_PEXTRQ: u32 = OPS_SSE + 0x7f;
export const OP_BLENDPS: u32 = OPS_SSE + 0x80;
export const OP_BLENDPD: u32 = OPS_SSE + 0x81;
export const OP_PBLENDW: u32 = OPS_SSE + 0x82;
export const OP_PBLENDVB: u32 = OPS_SSE + 0x83;
export const OP_BLENDVPS: u32 = OPS_SSE + 0x84;
export const OP_BLENDVPD: u32 = OPS_SSE + 0x85;
export const OP_PTEST: u32 = OPS_SSE + 0x86;
export const OP_EXTRQ_IMM: u32 = OPS_SSE + 0x87;
export const OP_EXTRQ: u32 = OPS_SSE + 0x88;
export const OP_INSERTQ_IMM: u32 = OPS_SSE + 0x89;
export const OP_INSERTQ: u32 = OPS_SSE + 0x8a;

// ---- 0F 71, 72, 73 with an immediate count. MMX has the first eight, at OP_MMX_SHIFT_IMM.
export const OP_SHIFT_IMM: u32 = OPS_SSE + 0x90;
export const SHIFT_PSRLW: u32 = 0;
export const SHIFT_PSRLD: u32 = 1;
export const SHIFT_PSRLQ: u32 = 2;
export const SHIFT_PSRAW: u32 = 3;
export const SHIFT_PSRAD: u32 = 4;
export const SHIFT_PSLLW: u32 = 5;
export const SHIFT_PSLLD: u32 = 6;
export const SHIFT_PSLLQ: u32 = 7;
export const SHIFT_PSRLDQ: u32 = 8;
export const SHIFT_PSLLDQ: u32 = 9;

// ---- Other floating point.
export const OP_CMPPS: u32 = OPS_SSE + 0xa0;
export const OP_CMPPD: u32 = OPS_SSE + 0xa1;
export const OP_CMPSS: u32 = OPS_SSE + 0xa2;
export const OP_CMPSD: u32 = OPS_SSE + 0xa3;
export const OP_HADDPD: u32 = OPS_SSE + 0xa4;
export const OP_HADDPS: u32 = OPS_SSE + 0xa5;
export const OP_HSUBPD: u32 = OPS_SSE + 0xa6;
export const OP_HSUBPS: u32 = OPS_SSE + 0xa7;
export const OP_ADDSUBPD: u32 = OPS_SSE + 0xa8;
export const OP_ADDSUBPS: u32 = OPS_SSE + 0xa9;
export const OP_ROUNDPS: u32 = OPS_SSE + 0xaa;
export const OP_ROUNDPD: u32 = OPS_SSE + 0xab;
export const OP_ROUNDSS: u32 = OPS_SSE + 0xac;
export const OP_ROUNDSD: u32 = OPS_SSE + 0xad;
export const OP_DPPS: u32 = OPS_SSE + 0xae;
export const OP_DPPD: u32 = OPS_SSE + 0xaf;
export const OP_CVTTPD2DQ: u32 = OPS_SSE + 0xb0;
export const OP_CVTPD2DQ: u32 = OPS_SSE + 0xb1;
export const OP_CVTDQ2PD: u32 = OPS_SSE + 0xb2;
// Between XMM and MMX registers.
export const OP_CVTPI2PS: u32 = OPS_SSE + 0xb3;
export const OP_CVTPI2PD: u32 = OPS_SSE + 0xb4;
export const OP_CVTTPS2PI: u32 = OPS_SSE + 0xb5;
export const OP_CVTTPD2PI: u32 = OPS_SSE + 0xb6;
export const OP_CVTPS2PI: u32 = OPS_SSE + 0xb7;
export const OP_CVTPD2PI: u32 = OPS_SSE + 0xb8;
export const OP_MOVQ2DQ: u32 = OPS_SSE + 0xb9;
export const OP_MOVDQ2Q: u32 = OPS_SSE + 0xba;

// ---- 66 0F38 20-25 and 30-35: OPS_PMOVX + (opcode & 0x1f).
export const OPS_PMOVX: u32 = OPS_SSE + 0xc0;

// ---- Strings, checksums of secrets, hashes.
export const OP_PCMPESTRM: u32 = OPS_SSE + 0xe0;
export const OP_PCMPESTRI: u32 = OPS_SSE + 0xe1;
export const OP_PCMPISTRM: u32 = OPS_SSE + 0xe2;
export const OP_PCMPISTRI: u32 = OPS_SSE + 0xe3;
export const OP_AESIMC: u32 = OPS_SSE + 0xe4;
export const OP_AESENC: u32 = OPS_SSE + 0xe5;
export const OP_AESENCLAST: u32 = OPS_SSE + 0xe6;
export const OP_AESDEC: u32 = OPS_SSE + 0xe7;
export const OP_AESDECLAST: u32 = OPS_SSE + 0xe8;
export const OP_AESKEYGENASSIST: u32 = OPS_SSE + 0xe9;
export const OP_PCLMULQDQ: u32 = OPS_SSE + 0xea;
export const OP_SHA1NEXTE: u32 = OPS_SSE + 0xeb;
export const OP_SHA1MSG1: u32 = OPS_SSE + 0xec;
export const OP_SHA1MSG2: u32 = OPS_SSE + 0xed;
export const OP_SHA256RNDS2: u32 = OPS_SSE + 0xee;
export const OP_SHA256MSG1: u32 = OPS_SSE + 0xef;
export const OP_SHA256MSG2: u32 = OPS_SSE + 0xf0;
export const OP_SHA1RNDS4: u32 = OPS_SSE + 0xf1;
export const OP_MPSADBW: u32 = OPS_SSE + 0xf2;

// ---- Packed integer operations of two operands, without an immediate. Their kind is the opcode byte in
// map 0F and 0x100 + the opcode byte in map 0F38. MMX: OPS_MMX_PACKED + kind. XMM: OPS_PACKED + kind, but
// for those that have a number of their own above.
export const OPS_PACKED: u32 = OPS_SSE + 0x100 - 0x60;
export const OPS_PACKED_END: u32 = OPS_PACKED + 0x142;
export const OPS_MMX: u32 = OPS_SSE + 0x200;
export const OPS_MMX_PACKED: u32 = OPS_MMX - 0x60;
export const OPS_MMX_PACKED_END: u32 = OPS_MMX_PACKED + 0x142;

export const PUNPCKLBW: u32 = 0x60;
export const PUNPCKLWD: u32 = 0x61;
export const PUNPCKLDQ: u32 = 0x62;
export const PACKSSWB: u32 = 0x63;
export const PCMPGTB: u32 = 0x64;
export const PCMPGTW: u32 = 0x65;
export const PCMPGTD: u32 = 0x66;
export const PACKUSWB: u32 = 0x67;
export const PUNPCKHBW: u32 = 0x68;
export const PUNPCKHWD: u32 = 0x69;
export const PUNPCKHDQ: u32 = 0x6a;
export const PACKSSDW: u32 = 0x6b;
export const PUNPCKLQDQ: u32 = 0x6c;
export const PUNPCKHQDQ: u32 = 0x6d;
export const PCMPEQB: u32 = 0x74;
export const PCMPEQW: u32 = 0x75;
export const PCMPEQD: u32 = 0x76;
export const PSRLW: u32 = 0xd1;
export const PSRLD: u32 = 0xd2;
export const PSRLQ: u32 = 0xd3;
export const PADDQ: u32 = 0xd4;
export const PMULLW: u32 = 0xd5;
export const PSUBUSB: u32 = 0xd8;
export const PSUBUSW: u32 = 0xd9;
export const PMINUB: u32 = 0xda;
export const PAND: u32 = 0xdb;
export const PADDUSB: u32 = 0xdc;
export const PADDUSW: u32 = 0xdd;
export const PMAXUB: u32 = 0xde;
export const PANDN: u32 = 0xdf;
export const PAVGB: u32 = 0xe0;
export const PSRAW: u32 = 0xe1;
export const PSRAD: u32 = 0xe2;
export const PAVGW: u32 = 0xe3;
export const PMULHUW: u32 = 0xe4;
export const PMULHW: u32 = 0xe5;
export const PSUBSB: u32 = 0xe8;
export const PSUBSW: u32 = 0xe9;
export const PMINSW: u32 = 0xea;
export const POR: u32 = 0xeb;
export const PADDSB: u32 = 0xec;
export const PADDSW: u32 = 0xed;
export const PMAXSW: u32 = 0xee;
export const PXOR: u32 = 0xef;
export const PSLLW: u32 = 0xf1;
export const PSLLD: u32 = 0xf2;
export const PSLLQ: u32 = 0xf3;
export const PMULUDQ: u32 = 0xf4;
export const PMADDWD: u32 = 0xf5;
export const PSADBW: u32 = 0xf6;
export const PSUBB: u32 = 0xf8;
export const PSUBW: u32 = 0xf9;
export const PSUBD: u32 = 0xfa;
export const PSUBQ: u32 = 0xfb;
export const PADDB: u32 = 0xfc;
export const PADDW: u32 = 0xfd;
export const PADDD: u32 = 0xfe;
export const PSHUFB: u32 = 0x100;
export const PHADDW: u32 = 0x101;
export const PHADDD: u32 = 0x102;
export const PHADDSW: u32 = 0x103;
export const PMADDUBSW: u32 = 0x104;
export const PHSUBW: u32 = 0x105;
export const PHSUBD: u32 = 0x106;
export const PHSUBSW: u32 = 0x107;
export const PSIGNB: u32 = 0x108;
export const PSIGNW: u32 = 0x109;
export const PSIGND: u32 = 0x10a;
export const PMULHRSW: u32 = 0x10b;
export const PABSB: u32 = 0x11c;
export const PABSW: u32 = 0x11d;
export const PABSD: u32 = 0x11e;
export const PMULDQ: u32 = 0x128;
export const PCMPEQQ: u32 = 0x129;
export const PACKUSDW: u32 = 0x12b;
export const PCMPGTQ: u32 = 0x137;
export const PMINSB: u32 = 0x138;
export const PMINSD: u32 = 0x139;
export const PMINUW: u32 = 0x13a;
export const PMINUD: u32 = 0x13b;
export const PMAXSB: u32 = 0x13c;
export const PMAXSD: u32 = 0x13d;
export const PMAXUW: u32 = 0x13e;
export const PMAXUD: u32 = 0x13f;
export const PMULLD: u32 = 0x140;
export const PHMINPOSUW: u32 = 0x141;

// ---- Other MMX operations.
const OPS_MMX_OTHER: u32 = OPS_MMX_PACKED_END;
export const OP_MMX_MOVQ: u32 = OPS_MMX_OTHER + 0;
export const OP_MMX_MOVQ_BACK: u32 = OPS_MMX_OTHER + 1;
export const OP_MMX_LOAD64: u32 = OPS_MMX_OTHER + 2;
export const OP_MMX_STORE64: u32 = OPS_MMX_OTHER + 3;
export const OP_MMX_LOAD32: u32 = OPS_MMX_OTHER + 4;
export const OP_MMX_STORE32: u32 = OPS_MMX_OTHER + 5;
export const OP_MMX_MOVD_FROM_GPR: u32 = OPS_MMX_OTHER + 6;
export const OP_MMX_MOVQ_FROM_GPR: u32 = OPS_MMX_OTHER + 7;
export const OP_MMX_MOVD_TO_GPR: u32 = OPS_MMX_OTHER + 8;
export const OP_MMX_MOVQ_TO_GPR: u32 = OPS_MMX_OTHER + 9;
export const OP_PSHUFW: u32 = OPS_MMX_OTHER + 10;
export const OP_MMX_PINSRW: u32 = OPS_MMX_OTHER + 11;
export const OP_MMX_PEXTRW: u32 = OPS_MMX_OTHER + 12;
export const OP_MMX_PMOVMSKB: u32 = OPS_MMX_OTHER + 13;
export const OP_MASKMOVQ: u32 = OPS_MMX_OTHER + 14;
export const OP_MMX_PALIGNR: u32 = OPS_MMX_OTHER + 15;
export const OP_MMX_SHIFT_IMM: u32 = OPS_MMX_OTHER + 16; // to + 23
