// Attributes of a segment register's hidden part: descriptor bits 40-47 and 52-55.

export const ATTR_TYPE: u32 = 15;
export const ATTR_ACCESSED: u32 = 1;
export const ATTR_WRITABLE: u32 = 2; // data
export const ATTR_READABLE: u32 = 2; // code
export const ATTR_DOWN: u32 = 4; // data: expand-down
export const ATTR_CONFORMING: u32 = 4; // code
export const ATTR_CODE: u32 = 8;
export const ATTR_S: u32 = 1 << 4; // code or data, not system
export const ATTR_DPL_SHIFT: u32 = 5;
export const ATTR_P: u32 = 1 << 7;
export const ATTR_L: u32 = 1 << 13;
export const ATTR_DB: u32 = 1 << 14;
export const ATTR_G: u32 = 1 << 15;
export const ATTR_UNUSABLE: u32 = 1 << 16;

// Types of system descriptors.
export const SYS_TSS16: u32 = 1;
export const SYS_LDT: u32 = 2;
export const SYS_TSS16_BUSY: u32 = 3;
export const SYS_CALL16: u32 = 4;
export const SYS_TASK_GATE: u32 = 5;
export const SYS_INT16: u32 = 6;
export const SYS_TRAP16: u32 = 7;
export const SYS_TSS: u32 = 9;
export const SYS_TSS_BUSY: u32 = 11;
export const SYS_CALL: u32 = 12;
export const SYS_INT: u32 = 14;
export const SYS_TRAP: u32 = 15;
