// A predecoded instruction: 32 bytes, written by the decoder, read by the handlers.

export const REC_OP: usize = 0; // u16: operation, see the ops-*.ts files; picks the handler
export const REC_LEN: usize = 2; // u8: length of the instruction in bytes
export const REC_FLAGS: usize = 3; // u8: F_* below
export const REC_REG: usize = 4; // u8: the reg operand. General registers: byte offset in the state block (AH is RAX + 1). Others: number 0-15
export const REC_RM: usize = 5; // u8: the rm operand where F_MODREG is set, encoded as REC_REG
export const REC_BASE: usize = 6; // u8: byte offset of the base: a general register, ZERO or BLOCK_RIP
export const REC_INDEX: usize = 7; // u8: byte offset of the index, or ZERO
export const REC_SCALE: usize = 8; // u8: shift 0-3
export const REC_SEG: usize = 9; // u8: segment register of the memory operand
export const REC_ASIZE: usize = 10; // u8: address size 2, 4 or 8
export const REC_OSIZE: usize = 11; // u8: operand size 1, 2, 4 or 8
export const REC_DISP: usize = 12; // i32: displacement; with BLOCK_RIP the instruction's end in the block is added already
export const REC_IMM: usize = 16; // u64: immediate, extended as the operation wants it
export const REC_IPOFF: usize = 24; // u16: bytes from the block's start to this instruction
export const REC_SEQ: usize = 26; // u8: instructions of the block before this one
export const REC_MODRM: usize = 27; // u8: the ModRM byte as it stands in the code
export const REC_AUX: usize = 28; // u32: the operation's own (a link to the next block, a fused condition)
export const REC_BYTES: usize = 32;

export const F_EA_SPECIAL: u32 = 1; // the effective address needs a segment base, a limit check or truncation
export const F_LOCK: u32 = 2;
export const F_REPE: u32 = 4; // F3
export const F_REPNE: u32 = 8; // F2
export const F_OSIZE16: u32 = 16; // a 66 prefix stands before the instruction
export const F_REXW: u32 = 32;
export const F_MODREG: u32 = 64; // rm is a register
export const F_LONG: u32 = 128; // decoded for 64-bit mode
