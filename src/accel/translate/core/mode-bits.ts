// The MODE word: what of the vCPU's state decides how code bytes become records.

export const MODE_SIZE: u32 = 3; // code size: 0 16-bit, 1 32-bit, 2 64-bit
export const MODE_16: u32 = 0;
export const MODE_32: u32 = 1;
export const MODE_64: u32 = 2;
export const MODE_STACK32: u32 = 4; // SS.B: ESP, not SP (outside 64-bit mode)
export const MODE_FLAT: u32 = 64; // 32-bit protected mode with DS and SS of 4 GiB from 0: their addresses are offsets, the stack is 32 bits wide
export const MODE_CS_LIMITED: u32 = 8; // CS has a base or a limit below 4 GiB: RIP is checked, blocks are not linked
export const MODE_REAL: u32 = 16; // real or virtual-8086 mode: C4 and C5 are LES and LDS always, never VEX prefixes
