// From code bytes to a record: prefixes, opcode, ModRM, immediate. Intel SDM vol. 2, chapter 2 and
// appendix A. Opcodes of MMX and SSE are in sse-decode.ts.
import { BLOCK_RIP, DS, ES, FEATURES, FS, GS, SS, CS, VENDOR, ZERO } from "../layout";
import {
  FEATURE_3DNOW, FEATURE_ADX, FEATURE_CLFLUSH, FEATURE_CLFLUSHOPT, FEATURE_CLWB, FEATURE_CMOV, FEATURE_CX16,
  FEATURE_CX8, FEATURE_FSGSBASE, FEATURE_FXSR, FEATURE_INVPCID, FEATURE_LAHF64, FEATURE_LM, FEATURE_LZCNT,
  FEATURE_MMX, FEATURE_MONITOR, FEATURE_MOVBE, FEATURE_MSR, FEATURE_PKU, FEATURE_POPCNT, FEATURE_PREFETCHW, FEATURE_RDPID, FEATURE_RDRAND,
  FEATURE_RDSEED, FEATURE_RDTSCP, FEATURE_SEP, FEATURE_SMAP, FEATURE_SSE, FEATURE_SSE2, FEATURE_SSE4_2,
  FEATURE_SYSCALL, FEATURE_TSC, FEATURE_BMI1, FEATURE_XSAVE, FEATURE_XSAVEC, FEATURE_XSAVEOPT, FEATURE_XSAVES,
  FEATURE_AVX,
} from "../feature-bits";
import { AVX_256, AVX_INDEX_SHIFT, AVX_KIND_SHIFT, AVX_STEP_SHIFT, OP_VZEROALL, OP_VZEROUPPER } from "./avx-ops";
import { MODE_64, MODE_FLAT, MODE_REAL, MODE_SIZE } from "./mode-bits";
import {
  OP_EMMS, OP_FEMMS, OP_FWAIT, OP_FXRSTOR, OP_FXSAVE, OP_LDMXCSR, OP_STMXCSR, OP_XRSTOR, OP_XRSTORS, OP_XSAVE,
  OP_XSAVEC, OP_XSAVEOPT, OP_XSAVES,
} from "./ops-fpu-state";
import * as I from "./ops-integer";
import * as S from "./ops-system";
import { OPS_X87 } from "./ops";
import {
  F_EA_SPECIAL, F_LOCK, F_LONG, F_MODREG, F_OSIZE16, F_REPE, F_REPNE, F_REXW, REC_ASIZE, REC_AUX, REC_BASE, REC_DISP,
  REC_FLAGS, REC_IMM, REC_INDEX, REC_IPOFF, REC_LEN, REC_MODRM, REC_OP, REC_OSIZE, REC_REG, REC_RM, REC_SCALE,
  REC_SEG,
} from "./record";
import { SSE_FEATURE_SHIFT, SSE_IMM_SHIFT, SSE_IMPLICIT_RDI, SSE_MEM, SSE_REG, sseDecode } from "./sse-decode";
import {
  VEX_FEATURE_SHIFT, VEX_IMM, VEX_IMPLICIT_RDI, VEX_KIND_SHIFT, VEX_MEM, VEX_REG, VEX_STEP_SHIFT, VEX_SWAP, VEX_VSIB,
  VEX_VVVV, isVexGeneral,
  vexDecode,
} from "./vex-decode";
import { GENERAL_FEATURE_SHIFT, GENERAL_IMM, decodeVexGeneral } from "./vex-general";

// What decode answers.
export const DECODE_NEXT: u32 = 0; // the block goes on
export const DECODE_END: u32 = 1; // the instruction ends its block
export const DECODE_SHORT: u32 = 2; // the bytes at hand ended inside the instruction
export const DECODE_TOO_LONG: u32 = 3; // more than 15 bytes: #GP

// The instruction being decoded. Decoding is one step without anything in between: plain globals.
let cursor: usize = 0;
let limit: usize = 0;
let first: usize = 0;
let short: bool = false;
let cpu: usize = 0;
let rec: usize = 0;
let long: bool = false;
// What the main loop's own pushes, pops, calls and returns take: 8 in 64-bit mode, 4 in flat 32-bit code, else 0.
let native: u32 = 0;
let vexAllowed: bool = false;
let flags: u32 = 0;
let rex: u32 = 0;
let hasRex: bool = false;
let osize: u32 = 4;
let asize: u32 = 4;
let segment: i32 = -1;
let modrm: u32 = 0;
let sib: u32 = 0;
let end: u32 = DECODE_NEXT;

function byte(): u32 {
  if (cursor >= limit) {
    short = true;
    return 0;
  }
  return load<u8>(cursor++);
}
function word(): u32 {
  const low = byte();
  return low | (byte() << 8);
}
function dword(): u32 {
  if (cursor + 4 <= limit) {
    const value = load<u32>(cursor);
    cursor += 4;
    return value;
  }
  const low = word();
  return low | (word() << 16);
}

function has(feature: u32): bool {
  return ((load<u32>(cpu + ((feature >> 5) << 2), FEATURES) >> (feature & 31)) & 1) != 0;
}

// @ts-ignore: decorator
@inline
function op(number: u32): void {
  store<u16>(rec, <u16>number, REC_OP);
}
// @ts-ignore: decorator
@inline
function imm(value: u64): void {
  store<u64>(rec, value, REC_IMM);
}
function undefinedOpcode(): void {
  op(I.OP_UD);
  end = DECODE_END;
}
// A group's operation that ends the block.
function system(number: u32): void {
  op(number);
  end = DECODE_END;
}
function systemIf(feature: u32, number: u32): void {
  if (has(feature)) system(number);
  else undefinedOpcode();
}

function sizeLog(): u32 {
  return osize == 8 ? 3 : osize == 4 ? 2 : osize == 2 ? 1 : 0;
}

// The state-block offset of general register `n` as an operand of `size` bytes.
function gpr(n: u32, size: u32): u8 {
  if (size == 1 && !hasRex && n >= 4 && n < 8) return <u8>(((n - 4) << 3) + 1);
  return <u8>(n << 3);
}

function setReg(size: u32): void {
  store<u8>(rec, gpr(((modrm >> 3) & 7) | ((rex & 4) << 1), size), REC_REG);
}
function setRm(size: u32): void {
  if (flags & F_MODREG) store<u8>(rec, gpr((modrm & 7) | ((rex & 1) << 3), size), REC_RM);
}
function isReg(): bool {
  return (flags & F_MODREG) != 0;
}
function field(): u32 {
  return (modrm >> 3) & 7;
}

// ModRM and what follows it: SIB and displacement.
function modRm(): void {
  modrm = byte();
  store<u8>(rec, <u8>modrm, REC_MODRM);
  const mod = modrm >> 6;
  if (mod == 3) {
    flags |= F_MODREG;
    return;
  }
  if (asize == 2) memory16(mod);
  else memory32(mod);
}

function memory16(mod: u32): void {
  const rm = modrm & 7;
  let base: u32 = ZERO;
  let index: u32 = ZERO;
  let implied: i32 = DS;
  let displacement: i32 = 0;
  if (rm < 2 || rm == 7) base = 3 << 3;
  else if (rm < 4 || (rm == 6 && mod != 0)) {
    base = 5 << 3;
    implied = SS;
  }
  if (rm == 0 || rm == 2) index = 6 << 3;
  else if (rm == 1 || rm == 3) index = 7 << 3;
  else if (rm == 4) base = 6 << 3;
  else if (rm == 5) base = 7 << 3;
  if (mod == 1) displacement = <i32>(<i8>byte());
  else if (mod == 2 || (mod == 0 && rm == 6)) displacement = <i32>(<i16>word());
  setMemory(base, index, 0, displacement, implied);
}

function memory32(mod: u32): void {
  let rm = modrm & 7;
  let base: u32 = 0;
  let index: u32 = ZERO;
  let scale: u32 = 0;
  let implied: i32 = DS;
  let displacement: i32 = 0;
  let relative = false;
  if (rm == 4) {
    sib = byte();
    const i = ((sib >> 3) & 7) | ((rex & 2) << 2);
    if (i != 4) {
      index = i << 3;
      scale = sib >> 6;
    }
    rm = sib & 7;
    if (rm == 5 && mod == 0) {
      base = ZERO;
      displacement = <i32>dword();
    } else {
      base = (rm | ((rex & 1) << 3)) << 3;
      // SP and BP mean the stack segment; R12 and R13 do not.
      if (base == 4 << 3 || base == 5 << 3) implied = SS;
    }
  } else if (rm == 5 && mod == 0) {
    base = ZERO;
    displacement = <i32>dword();
    relative = long;
  } else {
    base = (rm | ((rex & 1) << 3)) << 3;
    if (base == 5 << 3) implied = SS;
  }
  if (mod == 1) displacement = <i32>(<i8>byte());
  else if (mod == 2) displacement = <i32>dword();
  if (relative) {
    // The end of the instruction is added when its length is known.
    base = BLOCK_RIP;
  }
  setMemory(base, index, scale, displacement, implied);
}

function setMemory(base: u32, index: u32, scale: u32, displacement: i32, implied: i32): void {
  store<u8>(rec, <u8>base, REC_BASE);
  store<u8>(rec, <u8>index, REC_INDEX);
  store<u8>(rec, <u8>scale, REC_SCALE);
  store<i32>(rec, displacement, REC_DISP);
  const s = segment >= 0 ? segment : implied;
  store<u8>(rec, <u8>s, REC_SEG);
  // In 64-bit mode only FS and GS have bases; everywhere else the slow path adds, truncates and checks.
  if (!long || asize != 8 || s == FS || s == GS) flags |= F_EA_SPECIAL;
}

// A memory operand that opcode and address size name alone (string operations, MOV with offset, XLAT).
function implicitMemory(base: u32, seg: i32): void {
  setMemory(base, ZERO, 0, 0, seg);
}

// An immediate of the operand size (32 bits sign-extended for 64).
function immediate(size: u32): void {
  if (size == 1) imm(<u64>(<i64>(<i8>byte())) & 0xff);
  else if (size == 2) imm(<u64>word());
  else if (size == 4) imm(<u64>dword());
  else imm(<u64>(<i64>(<i32>dword())));
}
// A sign-extended byte, masked to the operand size.
function immediate8(size: u32): void {
  const value = <u64>(<i64>(<i8>byte()));
  imm(size == 8 ? value : value & (size == 4 ? 0xffffffff : size == 2 ? 0xffff : 0xff));
}

// A 66 prefix means something: REX.W goes before it.
function isNarrow(): bool {
  return (flags & (F_OSIZE16 | F_REXW)) == F_OSIZE16;
}

// In 64-bit mode pushes, pops and near branches are 64-bit by default.
function stackSize(): void {
  if (long) osize = isNarrow() ? 2 : 8;
}

/**
 * Decodes the instruction at `start`, of which `available` bytes are at hand, into the record at `at`.
 * `ipOffset` is its distance from the block's start.
 */
export function decode(vcpu: usize, at: usize, start: usize, available: u32, ipOffset: u32, mode: u32): u32 {
  cpu = vcpu;
  rec = at;
  cursor = start;
  first = start;
  limit = start + available;
  short = false;
  end = DECODE_NEXT;
  const size = mode & MODE_SIZE;
  long = size == MODE_64;
  native = long ? 8 : mode & MODE_FLAT ? 4 : 0;
  vexAllowed = (mode & MODE_REAL) == 0;
  flags = long ? F_LONG : 0;
  rex = 0;
  hasRex = false;
  segment = -1;
  modrm = 0;
  memory.fill(rec, 0, 32);
  store<u8>(rec, <u8>ZERO, REC_BASE);
  store<u8>(rec, <u8>ZERO, REC_INDEX);
  store<u16>(rec, <u16>ipOffset, REC_IPOFF);

  let operand16 = false;
  let address = false;
  let repeat: u32 = 0;
  let code: u32 = 0;
  for (;;) {
    if (cursor - start >= 15) return DECODE_TOO_LONG;
    code = byte();
    if (short) return DECODE_SHORT;
    if (long && (code & 0xf0) == 0x40) {
      rex = code;
      hasRex = true;
      continue;
    }
    let prefix = true;
    switch (code) {
      case 0x26:
        if (!long) segment = ES;
        break;
      case 0x2e:
        if (!long) segment = CS;
        break;
      case 0x36:
        if (!long) segment = SS;
        break;
      case 0x3e:
        if (!long) segment = DS;
        break;
      case 0x64:
        segment = FS;
        break;
      case 0x65:
        segment = GS;
        break;
      case 0x66:
        operand16 = true;
        break;
      case 0x67:
        address = true;
        break;
      case 0xf0:
        flags |= F_LOCK;
        break;
      case 0xf2:
        repeat = F_REPNE;
        break;
      case 0xf3:
        repeat = F_REPE;
        break;
      default:
        prefix = false;
        break;
    }
    if (!prefix) break;
    // A REX prefix counts only right before the opcode.
    rex = 0;
    hasRex = false;
  }
  flags |= repeat;
  if (operand16) flags |= F_OSIZE16;
  if (rex & 8) flags |= F_REXW;
  if (long) {
    osize = rex & 8 ? 8 : operand16 ? 2 : 4;
    asize = address ? 4 : 8;
  } else {
    osize = (size == 0) == operand16 ? 4 : 2;
    asize = (size == 0) == address ? 4 : 2;
  }

  if (code == 0x0f) twoByte();
  else oneByte(code);

  if (short) return cursor - start >= 15 ? DECODE_TOO_LONG : DECODE_SHORT;
  const length = <u32>(cursor - start);
  if (length > 15) return DECODE_TOO_LONG;
  if ((flags & F_LOCK) != 0 && !lockable()) undefinedOpcode();
  store<u8>(rec, <u8>length, REC_LEN);
  store<u8>(rec, <u8>flags, REC_FLAGS);
  store<u8>(rec, <u8>osize, REC_OSIZE);
  store<u8>(rec, <u8>asize, REC_ASIZE);
  if (load<u8>(rec, REC_BASE) == BLOCK_RIP) {
    store<i32>(rec, load<i32>(rec, REC_DISP) + <i32>(ipOffset + length), REC_DISP);
  }
  return end;
}

// LOCK is for read-modify-write instructions with a memory operand only.
function lockable(): bool {
  if (isReg()) return false;
  const number = <u32>load<u16>(rec, REC_OP);
  if (number >= I.OP_ALU_MR && number < I.OP_ALU_RI) return number < I.OP_ALU_MR + 28;
  if (number >= I.OP_ALU_MI && number < I.OP_TEST_RR) return number < I.OP_ALU_MI + 28;
  if (number >= I.OP_INC_M && number < I.OP_LEA) return true;
  switch (number) {
    case I.OP_NOT:
    case I.OP_NEG:
    case I.OP_XCHG:
    case I.OP_XADD:
    case I.OP_CMPXCHG:
    case I.OP_CMPXCHG8B:
    case I.OP_CMPXCHG16B:
    case I.OP_BTS:
    case I.OP_BTR:
    case I.OP_BTC:
    case I.OP_BT_I + 1:
    case I.OP_BT_I + 2:
    case I.OP_BT_I + 3:
      return true;
    case S.OP_MOV_FROM_CR:
    case S.OP_MOV_TO_CR:
      // AMD: LOCK MOV CR0 is MOV CR8.
      return false;
    default:
      return false;
  }
}

// ---- One-byte opcodes.

function oneByte(code: u32): void {
  if (code < 0x40) {
    if ((code & 7) < 6) alu(code);
    else legacyLow(code);
    return;
  }
  switch (code >> 3) {
    case 0x40 >> 3: // INC r (outside 64-bit mode)
      op(I.OP_INC_R + sizeLog());
      flags |= F_MODREG;
      store<u8>(rec, gpr(code & 7, osize), REC_RM);
      return;
    case 0x48 >> 3:
      op(I.OP_DEC_R + sizeLog());
      flags |= F_MODREG;
      store<u8>(rec, gpr(code & 7, osize), REC_RM);
      return;
    case 0x50 >> 3:
      stackSize();
      op(osize == native ? I.OP_PUSH64_R : I.OP_PUSH_R);
      store<u8>(rec, <u8>(((code & 7) | ((rex & 1) << 3)) << 3), REC_RM);
      return;
    case 0x58 >> 3:
      stackSize();
      op(osize == native ? I.OP_POP64_R : I.OP_POP_R);
      store<u8>(rec, <u8>(((code & 7) | ((rex & 1) << 3)) << 3), REC_RM);
      return;
    case 0x70 >> 3:
    case 0x78 >> 3:
      jcc(code & 15, <i64>(<i8>byte()));
      return;
    case 0xb0 >> 3: // MOV r8, imm8
      osize = 1;
      op(I.OP_MOV_RI);
      store<u8>(rec, gpr((code & 7) | ((rex & 1) << 3), 1), REC_RM);
      immediate(1);
      return;
    case 0xb8 >> 3:
      op(I.OP_MOV_RI + sizeLog());
      store<u8>(rec, <u8>(((code & 7) | ((rex & 1) << 3)) << 3), REC_RM);
      if (osize == 8) {
        const low = <u64>dword();
        imm(low | (<u64>dword() << 32));
      } else immediate(osize);
      return;
    case 0xd8 >> 3: {
      modRm();
      const column = code & 7;
      op(isReg() ? OPS_X87 + ((column << 6) | (modrm & 0x3f)) : OPS_X87 + 0x200 + ((column << 3) | field()));
      return;
    }
    case 0x90 >> 3:
      exchange(code);
      return;
    default:
      break;
  }
  switch (code) {
    case 0x60:
    case 0x61:
      if (long) undefinedOpcode();
      else op(code == 0x60 ? I.OP_PUSHA : I.OP_POPA);
      return;
    case 0x62:
      if (long) {
        undefinedOpcode(); // EVEX
        return;
      }
      modRm();
      if (isReg()) undefinedOpcode();
      else {
        setReg(osize);
        op(I.OP_BOUND);
      }
      return;
    case 0x63:
      modRm();
      if (!long) {
        osize = 2;
        setReg(2);
        setRm(2);
        system(S.OP_ARPL);
        return;
      }
      setReg(osize);
      setRm(4);
      if (osize == 8) op(isReg() ? I.OP_MOVSX32_64 : I.OP_MOVSX32_64 + 1);
      else op((isReg() ? I.OP_MOV_RR : I.OP_MOV_RM) + sizeLog());
      if (osize != 8 && isReg()) swapRegRm();
      return;
    case 0x68:
      stackSize();
      op(osize == native ? I.OP_PUSH64_I : I.OP_PUSH_I);
      immediate(osize);
      return;
    case 0x6a:
      stackSize();
      op(osize == native ? I.OP_PUSH64_I : I.OP_PUSH_I);
      immediate8(osize);
      return;
    case 0x69:
    case 0x6b:
      modRm();
      setReg(osize);
      setRm(osize);
      if (osize == 2) op(I.OP_IMUL3);
      else op(I.OP_IMUL_I + (osize == 8 ? 1 : 0) + (isReg() ? 0 : 2));
      if (code == 0x69) immediate(osize);
      else immediate8(osize);
      return;
    case 0x6c:
    case 0x6d:
      osize = code & 1 ? (osize == 8 ? 4 : osize) : 1;
      implicitMemory(7 << 3, ES);
      store<u8>(rec, <u8>ES, REC_SEG);
      system(S.OP_INS);
      return;
    case 0x6e:
    case 0x6f:
      osize = code & 1 ? (osize == 8 ? 4 : osize) : 1;
      implicitMemory(6 << 3, DS);
      system(S.OP_OUTS);
      return;
    case 0x80:
    case 0x81:
    case 0x82:
    case 0x83: {
      if (code == 0x82 && long) {
        undefinedOpcode();
        return;
      }
      if ((code & 1) == 0) osize = 1;
      modRm();
      setRm(osize);
      op((isReg() ? I.OP_ALU_RI : I.OP_ALU_MI) + (field() << 2) + sizeLog());
      if (code == 0x83) immediate8(osize);
      else immediate(osize);
      return;
    }
    case 0x84:
    case 0x85:
      if (code == 0x84) osize = 1;
      modRm();
      setReg(osize);
      setRm(osize);
      op((isReg() ? I.OP_TEST_RR : I.OP_TEST_MR) + sizeLog());
      return;
    case 0x86:
    case 0x87:
      if (code == 0x86) osize = 1;
      modRm();
      setReg(osize);
      setRm(osize);
      op(I.OP_XCHG);
      return;
    case 0x88:
    case 0x89:
      if (code == 0x88) osize = 1;
      modRm();
      setReg(osize);
      setRm(osize);
      op((isReg() ? I.OP_MOV_RR : I.OP_MOV_MR) + sizeLog());
      return;
    case 0x8a:
    case 0x8b:
      if (code == 0x8a) osize = 1;
      modRm();
      setReg(osize);
      setRm(osize);
      op((isReg() ? I.OP_MOV_RR : I.OP_MOV_RM) + sizeLog());
      if (isReg()) swapRegRm();
      return;
    case 0x8c:
    case 0x8e: {
      modRm();
      const number = field();
      if (number > 5 || (code == 0x8e && number == CS)) {
        undefinedOpcode();
        return;
      }
      if (!isReg()) osize = 2;
      setRm(osize);
      imm(number);
      system(code == 0x8c ? S.OP_MOV_FROM_SEG : S.OP_MOV_TO_SEG);
      return;
    }
    case 0x8d:
      modRm();
      if (isReg()) {
        undefinedOpcode();
        return;
      }
      setReg(osize);
      op(I.OP_LEA + (osize == 8 ? 2 : osize == 4 ? 1 : 0));
      return;
    case 0x8f:
      stackSize();
      modRm();
      if (field() != 0) {
        undefinedOpcode(); // XOP
        return;
      }
      if (isReg()) {
        store<u8>(rec, <u8>(((modrm & 7) | ((rex & 1) << 3)) << 3), REC_RM);
        op(osize == native ? I.OP_POP64_R : I.OP_POP_R);
      } else op(I.OP_POP_M);
      return;
    case 0x98:
      op(osize == 8 ? I.OP_CDQE : osize == 4 ? I.OP_CWDE : I.OP_CBW);
      return;
    case 0x99:
      op(osize == 8 ? I.OP_CQO : osize == 4 ? I.OP_CDQ : I.OP_CWD);
      return;
    case 0x9a:
    case 0xea: {
      if (long) {
        undefinedOpcode();
        return;
      }
      const offset = osize == 2 ? word() : dword();
      imm(<u64>offset | (<u64>word() << 32));
      system(code == 0x9a ? S.OP_CALL_FAR : S.OP_JMP_FAR);
      return;
    }
    case 0x9b:
      op(OP_FWAIT);
      return;
    case 0x9c:
    case 0x9d:
      stackSize();
      system(code == 0x9c ? S.OP_PUSHF : S.OP_POPF);
      return;
    case 0x9e:
    case 0x9f:
      if (long && !has(FEATURE_LAHF64)) undefinedOpcode();
      else op(code == 0x9e ? I.OP_SAHF : I.OP_LAHF);
      return;
    case 0xa0:
    case 0xa1:
    case 0xa2:
    case 0xa3:
      moveOffset(code);
      return;
    case 0xa4:
    case 0xa5:
      string(I.OP_MOVS, code);
      return;
    case 0xa6:
    case 0xa7:
      string(I.OP_CMPS, code);
      return;
    case 0xa8:
    case 0xa9:
      if (code == 0xa8) osize = 1;
      flags |= F_MODREG;
      store<u8>(rec, 0, REC_RM);
      op(I.OP_TEST_RI + sizeLog());
      immediate(osize);
      return;
    case 0xaa:
    case 0xab:
      string(I.OP_STOS, code);
      return;
    case 0xac:
    case 0xad:
      string(I.OP_LODS, code);
      return;
    case 0xae:
    case 0xaf:
      string(I.OP_SCAS, code);
      return;
    case 0xc0:
    case 0xc1:
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
      shift(code);
      return;
    case 0xc2:
    case 0xc3:
      stackSize();
      imm(code == 0xc2 ? <u64>word() : 0);
      end = DECODE_END;
      op(osize == native ? I.OP_RET64 : I.OP_RET_NEAR);
      return;
    case 0xc4:
    case 0xc5:
      if (long || (vexAllowed && cursor < limit && load<u8>(cursor) >= 0xc0)) {
        vex(code);
        return;
      }
      modRm();
      if (isReg()) {
        undefinedOpcode();
        return;
      }
      setReg(osize);
      imm(code == 0xc4 ? ES : DS);
      system(S.OP_LOAD_FAR);
      return;
    case 0xc6:
    case 0xc7:
      if (code == 0xc6) osize = 1;
      modRm();
      if (field() != 0) {
        undefinedOpcode();
        return;
      }
      setRm(osize);
      op((isReg() ? I.OP_MOV_RI : I.OP_MOV_MI) + sizeLog());
      immediate(osize);
      return;
    case 0xc8: {
      stackSize();
      const frame = word();
      imm(<u64>frame | (<u64>(byte() & 31) << 16));
      op(I.OP_ENTER);
      return;
    }
    case 0xc9:
      stackSize();
      op(osize == native ? I.OP_LEAVE64 : I.OP_LEAVE);
      return;
    case 0xca:
    case 0xcb:
      imm(code == 0xca ? <u64>word() : 0);
      system(S.OP_RET_FAR);
      return;
    case 0xcc:
      system(S.OP_INT3);
      return;
    case 0xcd:
      imm(<u64>byte());
      system(S.OP_INT);
      return;
    case 0xce:
      if (long) undefinedOpcode();
      else system(S.OP_INTO);
      return;
    case 0xcf:
      system(S.OP_IRET);
      return;
    case 0xd4:
    case 0xd5:
      if (long) {
        undefinedOpcode();
        return;
      }
      imm(<u64>byte());
      op(code == 0xd4 ? I.OP_AAM : I.OP_AAD);
      return;
    case 0xd6:
      if (long) undefinedOpcode();
      else op(I.OP_SALC);
      return;
    case 0xd7:
      implicitMemory(3 << 3, DS);
      op(I.OP_XLAT);
      return;
    case 0xe0:
    case 0xe1:
    case 0xe2:
    case 0xe3:
      nearSize();
      imm(<u64>(<i64>(<i8>byte())) + ipAfter());
      end = DECODE_END;
      // AMD's processors let a REP prefix say which of LOOPNE and LOOPE it is.
      if (code < 0xe2 && (flags & (F_REPE | F_REPNE)) != 0 && load<u32>(cpu, VENDOR) == 0) code = flags & F_REPE ? 1 : 0;
      op(I.OP_LOOPNE + (code & 3));
      return;
    case 0xe4:
    case 0xe5:
    case 0xe6:
    case 0xe7:
      osize = code & 1 ? (osize == 8 ? 4 : osize) : 1;
      imm(<u64>byte());
      system(code < 0xe6 ? S.OP_IN : S.OP_OUT);
      return;
    case 0xec:
    case 0xed:
    case 0xee:
    case 0xef:
      osize = code & 1 ? (osize == 8 ? 4 : osize) : 1;
      imm(0x10000);
      system(code < 0xee ? S.OP_IN : S.OP_OUT);
      return;
    case 0xe8:
    case 0xe9: {
      // Intel ignores the operand-size prefix of near branches in 64-bit mode; AMD truncates to 16 bits.
      nearSize();
      const distance = osize == 2 ? <i64>(<i16>word()) : <i64>(<i32>dword());
      imm(<u64>distance + ipAfter());
      end = DECODE_END;
      if (code == 0xe8) op(osize == native ? I.OP_CALL64 : I.OP_CALL_NEAR);
      else op(osize == 2 ? I.OP_JMP_NEAR : I.OP_JMP);
      return;
    }
    case 0xeb: {
      nearSize();
      imm(<u64>(<i64>(<i8>byte())) + ipAfter());
      end = DECODE_END;
      op(osize == 2 ? I.OP_JMP_NEAR : I.OP_JMP);
      return;
    }
    case 0xf1:
      system(S.OP_INT1);
      return;
    case 0xf4:
      system(S.OP_HLT);
      return;
    case 0xf5:
      op(I.OP_CMC);
      return;
    case 0xf6:
    case 0xf7:
      group3(code);
      return;
    case 0xf8:
      op(I.OP_CLC);
      return;
    case 0xf9:
      op(I.OP_STC);
      return;
    case 0xfa:
      system(S.OP_CLI);
      return;
    case 0xfb:
      system(S.OP_STI);
      return;
    case 0xfc:
      op(I.OP_CLD);
      return;
    case 0xfd:
      op(I.OP_STD);
      return;
    case 0xfe:
    case 0xff:
      group45(code);
      return;
    default:
      undefinedOpcode();
  }
}

function swapRegRm(): void {
  const reg = load<u8>(rec, REC_REG);
  store<u8>(rec, load<u8>(rec, REC_RM), REC_REG);
  store<u8>(rec, reg, REC_RM);
}

// The distance from the block's start to the end of this instruction, so far.
function ipAfter(): u64 {
  return <u64>load<u16>(rec, REC_IPOFF) + <u64>(cursor - first);
}

function nearSize(): void {
  if (!long) return;
  osize = isNarrow() && load<u32>(cpu, VENDOR) == 0 ? 2 : 8;
}

// Far pointers in memory: with REX.W they are no longer than without on AMD's processors.
function farSize(): void {
  if (osize == 8 && load<u32>(cpu, VENDOR) == 0) osize = 4;
}

function alu(code: u32): void {
  const kind = code >> 3;
  const form = code & 7;
  if ((form & 1) == 0) osize = 1;
  if (form >= 4) {
    flags |= F_MODREG;
    store<u8>(rec, 0, REC_RM);
    op(I.OP_ALU_RI + (kind << 2) + sizeLog());
    immediate(osize);
    return;
  }
  modRm();
  setReg(osize);
  setRm(osize);
  if (isReg()) {
    if (form >= 2) swapRegRm();
    op(I.OP_ALU_RR + (kind << 2) + sizeLog());
  } else {
    op((form >= 2 ? I.OP_ALU_RM : I.OP_ALU_MR) + (kind << 2) + sizeLog());
  }
}

// Opcodes 06 07 0E 16 17 1E 1F (segments) and 27 2F 37 3F (BCD).
function legacyLow(code: u32): void {
  if (long) {
    undefinedOpcode();
    return;
  }
  switch (code) {
    case 0x06:
    case 0x0e:
    case 0x16:
    case 0x1e:
      imm(code >> 3);
      system(S.OP_PUSH_SEG);
      return;
    case 0x07:
    case 0x17:
    case 0x1f:
      imm(code >> 3);
      system(S.OP_POP_SEG);
      return;
    case 0x27:
      op(I.OP_DAA);
      return;
    case 0x2f:
      op(I.OP_DAS);
      return;
    case 0x37:
      op(I.OP_AAA);
      return;
    case 0x3f:
      op(I.OP_AAS);
      return;
    default:
      undefinedOpcode();
  }
}

function exchange(code: u32): void {
  const n = (code & 7) | ((rex & 1) << 3);
  if (n == 0) {
    if (flags & F_REPE) system(S.OP_PAUSE);
    else op(I.OP_NOP);
    return;
  }
  flags |= F_MODREG;
  store<u8>(rec, 0, REC_REG);
  store<u8>(rec, <u8>(n << 3), REC_RM);
  op(I.OP_XCHG);
}

function jcc(code: u32, distance: i64): void {
  nearSize();
  imm(<u64>distance + ipAfter());
  end = DECODE_END;
  if (osize == 2) {
    store<u8>(rec, <u8>code, REC_REG);
    op(I.OP_JCC_NEAR);
  } else op(I.OP_JCC + code);
}

function moveOffset(code: u32): void {
  if ((code & 1) == 0) osize = 1;
  let low: u64 = 0;
  if (asize == 8) {
    low = <u64>dword();
    low |= <u64>dword() << 32;
  } else low = asize == 4 ? <u64>dword() : <u64>word();
  // The offset may not fit a displacement: it goes to the immediate.
  implicitMemory(ZERO, DS);
  imm(low);
  store<u8>(rec, 0, REC_REG);
  op(code < 0xa2 ? I.OP_MOV_LOAD_OFFSET : I.OP_MOV_STORE_OFFSET);
}

function string(number: u32, code: u32): void {
  if ((code & 1) == 0) osize = 1;
  // The source's segment may be overridden, the destination's is always ES.
  store<u8>(rec, <u8>(segment >= 0 ? segment : DS), REC_SEG);
  op(number);
}

function shift(code: u32): void {
  if ((code & 1) == 0) osize = 1;
  modRm();
  setRm(osize);
  const kind = field() == 6 ? 4 : field();
  let count: u32 = 1;
  const byCl = code >= 0xd2;
  if (code < 0xd0) count = byte();
  count &= osize == 8 ? 63 : 31;
  const wide: u32 = osize == 8 ? 1 : 0;
  if (isReg() && osize >= 4) {
    if (byCl) {
      if (kind == 4) return op(I.OP_SHL_CL + wide);
      if (kind == 5) return op(I.OP_SHR_CL + wide);
      if (kind == 7) return op(I.OP_SAR_CL + wide);
    } else if (count != 0) {
      imm(count);
      if (kind == 4) return op(I.OP_SHL_I + wide);
      if (kind == 5) return op(I.OP_SHR_I + wide);
      if (kind == 7) return op(I.OP_SAR_I + wide);
      if (kind == 0) return op(I.OP_ROL_I + wide);
      if (kind == 1) return op(I.OP_ROR_I + wide);
    }
  }
  imm(byCl ? 0x100 : count);
  op(I.OP_SHIFT + kind);
}

function group3(code: u32): void {
  if (code == 0xf6) osize = 1;
  modRm();
  setRm(osize);
  switch (field()) {
    case 0:
    case 1:
      op((isReg() ? I.OP_TEST_RI : I.OP_TEST_MI) + sizeLog());
      immediate(osize);
      return;
    case 2:
      op(isReg() ? I.OP_NOT_R + sizeLog() : I.OP_NOT);
      return;
    case 3:
      op(isReg() ? I.OP_NEG_R + sizeLog() : I.OP_NEG);
      return;
    case 4:
      op(I.OP_MUL);
      return;
    case 5:
      op(I.OP_IMUL1);
      return;
    case 6:
      op(I.OP_DIV);
      return;
    default:
      op(I.OP_IDIV);
  }
}

function group45(code: u32): void {
  if (code == 0xfe) osize = 1;
  modRm();
  const which = field();
  if (which < 2) {
    setRm(osize);
    const base = which == 0 ? (isReg() ? I.OP_INC_R : I.OP_INC_M) : isReg() ? I.OP_DEC_R : I.OP_DEC_M;
    op(base + sizeLog());
    return;
  }
  if (code == 0xfe || which == 7) {
    undefinedOpcode();
    return;
  }
  switch (which) {
    case 2:
    case 4:
      nearSize();
      setRm(osize);
      end = DECODE_END;
      if (osize == native) {
        op(which == 2 ? (isReg() ? I.OP_CALL64_R : I.OP_CALL64_M) : isReg() ? I.OP_JMP64_R : I.OP_JMP64_M);
      } else op(which == 2 ? I.OP_CALL_NEAR_RM : I.OP_JMP_NEAR_RM);
      return;
    case 3:
    case 5:
      farSize();
      if (isReg()) undefinedOpcode();
      else system(which == 3 ? S.OP_CALL_FAR_M : S.OP_JMP_FAR_M);
      return;
    default:
      stackSize();
      setRm(osize);
      if (isReg()) op(osize == native ? I.OP_PUSH64_R : I.OP_PUSH_R);
      else op(osize == native ? I.OP_PUSH64_M : I.OP_PUSH_M);
  }
}

// C4 and C5 as VEX prefixes. Intel SDM vol. 2, 2.3.
function vex(code: u32): void {
  const forbidden = hasRex || (flags & (F_LOCK | F_OSIZE16 | F_REPE | F_REPNE)) != 0;
  let payload = byte();
  let map: u32 = 1;
  let w: u32 = 0;
  rex = payload & 0x80 ? 0 : 4;
  if (code == 0xc4) {
    map = payload & 31;
    rex |= (~payload >> 5) & 3;
    payload = byte();
    w = payload >> 7;
  }
  const vvvv = (~payload >> 3) & 15;
  const l = (payload >> 2) & 1;
  const prefix = payload & 3;
  const opcode = byte();
  if (!long) rex = 0;
  else if (w) {
    rex |= 8;
    flags |= F_REXW;
  }
  if (forbidden || map == 0 || map > 3) {
    undefinedOpcode();
    return;
  }
  if (map == 1 && opcode == 0x77) {
    if (prefix == 0 && vvvv == 0 && has(FEATURE_AVX)) op(l ? OP_VZEROALL : OP_VZEROUPPER);
    else undefinedOpcode();
    return;
  }
  const modrmAt = cursor;
  const next = byte();
  if (short) return;
  cursor = modrmAt;
  modRm();
  if (isVexGeneral(map, opcode)) vexGeneral(decodeVexGeneral(map, opcode, prefix, l, next, vvvv), vvvv);
  else vexVector(vectorAnswer(map, opcode, prefix, next, w, l), vvvv, l);
}

// AMD's processors take no notice of VEX.W in VPERMQ and VPERMPD, and have no VPEXTRQ and VPINSRQ outside 64-bit mode, where
// Intel's have VPEXTRD and VPINSRD.
function vectorAnswer(map: u32, opcode: u32, prefix: u32, next: u32, w: u32, l: u32): u64 {
  if (map == 3 && load<u32>(cpu, VENDOR) == 0) {
    if (opcode < 2) w = 1;
    else if (w != 0 && !long && (opcode == 0x16 || opcode == 0x22)) return 0;
  }
  return vexDecode(map, opcode, prefix, next, w, l, long ? 1 : 0);
}

// The register that VEX.vvvv names: outside 64-bit mode there are eight.
function vexRegister(vvvv: u32): u32 {
  return long ? vvvv : vvvv & 7;
}

function vexGeneral(answer: u64, vvvv: u32): void {
  if (answer == 0 || !has(<u32>(answer >> GENERAL_FEATURE_SHIFT) & 0xfff)) {
    undefinedOpcode();
    return;
  }
  osize = rex & 8 ? 8 : 4;
  setReg(osize);
  setRm(osize);
  store<u32>(rec, vexRegister(vvvv) << 3, REC_AUX);
  if (answer & GENERAL_IMM) imm(<u64>byte());
  op(<u32>answer & 0xffff);
}

function vexVector(answer: u64, vvvv: u32, l: u32): void {
  const allowed = isReg() ? VEX_REG : VEX_MEM;
  if (answer == 0 || (answer & allowed) == 0 || !has(<u32>(answer >> VEX_FEATURE_SHIFT) & 0xfff)) {
    undefinedOpcode();
    return;
  }
  if (vvvv != 0 && (answer & VEX_VVVV) == 0) {
    undefinedOpcode();
    return;
  }
  if (answer & VEX_VSIB) {
    if (asize == 2 || (modrm & 7) != 4) {
      undefinedOpcode();
      return;
    }
    store<u8>(rec, <u8>ZERO, REC_INDEX);
    store<u8>(rec, <u8>(sib >> 6), REC_SCALE);
  }
  const reg = <u8>(field() | ((rex & 4) << 1));
  store<u8>(rec, reg, REC_REG);
  if (isReg()) {
    const rm = <u8>((modrm & 7) | ((rex & 1) << 3));
    store<u8>(rec, answer & VEX_SWAP ? reg : rm, REC_RM);
    if (answer & VEX_SWAP) store<u8>(rec, rm, REC_REG);
  }
  if (answer & VEX_IMPLICIT_RDI) implicitMemory(7 << 3, DS);
  if (answer & VEX_IMM) imm(<u64>byte());
  const kind = <u32>(answer >> VEX_KIND_SHIFT) & 15;
  const step = <u32>(answer >> VEX_STEP_SHIFT) & 15;
  const index = answer & VEX_VSIB ? ((sib >> 3) & 7) | ((rex & 2) << 2) : 0;
  store<u32>(
    rec,
    vexRegister(vvvv) | (l ? AVX_256 : 0) | (kind << AVX_KIND_SHIFT) | (step << AVX_STEP_SHIFT) |
      (index << AVX_INDEX_SHIFT),
    REC_AUX,
  );
  op(<u32>answer & 0xffff);
}

// ---- Two-byte opcodes.

function twoByte(): void {
  const code = byte();
  if (short) return;
  switch (code >> 4) {
    case 4:
      if (!has(FEATURE_CMOV)) {
        undefinedOpcode();
        return;
      }
      modRm();
      setReg(osize);
      setRm(osize);
      imm(code & 15);
      op(osize == 2 ? I.OP_CMOV16 : I.OP_CMOV + (osize == 8 ? 1 : 0) + (isReg() ? 0 : 2));
      return;
    case 8: {
      nearSize();
      const distance = osize == 2 ? <i64>(<i16>word()) : <i64>(<i32>dword());
      jcc(code & 15, distance);
      return;
    }
    case 9:
      osize = 1;
      modRm();
      setRm(1);
      imm(code & 15);
      op(isReg() ? I.OP_SETCC_R : I.OP_SETCC_M);
      return;
    default:
      break;
  }
  switch (code) {
    case 0x00:
      group6();
      return;
    case 0x01:
      group7();
      return;
    case 0x02:
    case 0x03:
      modRm();
      setReg(osize);
      setRm(2);
      system(code == 0x02 ? S.OP_LAR : S.OP_LSL);
      return;
    case 0x05:
      systemIf(FEATURE_SYSCALL, S.OP_SYSCALL);
      return;
    case 0x06:
      system(S.OP_CLTS);
      return;
    case 0x07:
      systemIf(FEATURE_SYSCALL, S.OP_SYSRET);
      return;
    case 0x08:
      system(S.OP_INVD);
      return;
    case 0x09:
      system(S.OP_WBINVD);
      return;
    case 0x0d:
      // Without a memory operand Intel's processors take it for a NOP, AMD's for nothing.
      modRm();
      if (!(has(FEATURE_PREFETCHW) || has(FEATURE_3DNOW) || has(FEATURE_LM))) undefinedOpcode();
      else if (isReg() && load<u32>(cpu, VENDOR) == 0) undefinedOpcode();
      else op(I.OP_NOP);
      return;
    case 0x0e:
      if (has(FEATURE_3DNOW)) op(OP_FEMMS);
      else undefinedOpcode();
      return;
    case 0x18:
    case 0x19:
    case 0x1a:
    case 0x1b:
    case 0x1c:
    case 0x1d:
    case 0x1e:
    case 0x1f:
      // Hints, and room for more of them, since the P6.
      modRm();
      if (has(FEATURE_CMOV)) op(I.OP_NOP);
      else undefinedOpcode();
      return;
    case 0x20:
    case 0x21:
    case 0x22:
    case 0x23: {
      // ModRM's mode is ignored: always registers.
      modrm = byte();
      store<u8>(rec, <u8>modrm, REC_MODRM);
      flags |= F_MODREG;
      osize = long ? 8 : 4;
      store<u8>(rec, <u8>(((modrm & 7) | ((rex & 1) << 3)) << 3), REC_RM);
      let number = field() | ((rex & 4) << 1);
      if ((flags & F_LOCK) != 0 && (code & 1) == 0 && number == 0 && load<u32>(cpu, VENDOR) == 0) {
        // AMD's LOCK MOV CR0 stands for CR8.
        flags &= ~F_LOCK;
        number = 8;
      }
      imm(number);
      system(code == 0x20 ? S.OP_MOV_FROM_CR : code == 0x21 ? S.OP_MOV_FROM_DR : code == 0x22 ? S.OP_MOV_TO_CR : S.OP_MOV_TO_DR);
      return;
    }
    case 0x30:
      systemIf(FEATURE_MSR, S.OP_WRMSR);
      return;
    case 0x31:
      systemIf(FEATURE_TSC, S.OP_RDTSC);
      return;
    case 0x32:
      systemIf(FEATURE_MSR, S.OP_RDMSR);
      return;
    case 0x33:
      system(S.OP_RDPMC);
      return;
    case 0x34:
      systemIf(FEATURE_SEP, S.OP_SYSENTER);
      return;
    case 0x35:
      systemIf(FEATURE_SEP, S.OP_SYSEXIT);
      return;
    case 0x38:
      map38();
      return;
    case 0x3a:
      sse(3, byte());
      return;
    case 0x77:
      if ((flags & (F_OSIZE16 | F_REPE | F_REPNE)) == 0 && has(FEATURE_MMX)) op(OP_EMMS);
      else undefinedOpcode();
      return;
    case 0xa0:
    case 0xa1:
    case 0xa8:
    case 0xa9:
      stackSize();
      imm(code < 0xa8 ? FS : GS);
      system(code & 1 ? S.OP_POP_SEG : S.OP_PUSH_SEG);
      return;
    case 0xa2:
      system(S.OP_CPUID);
      return;
    case 0xa3:
    case 0xab:
    case 0xb3:
    case 0xbb:
      modRm();
      setReg(osize);
      setRm(osize);
      op(I.OP_BT + ((code >> 3) & 3));
      return;
    case 0xa4:
    case 0xa5:
    case 0xac:
    case 0xad:
      modRm();
      setReg(osize);
      setRm(osize);
      imm(code & 1 ? 0x100 : <u64>byte());
      op(code < 0xa8 ? I.OP_SHLD : I.OP_SHRD);
      return;
    case 0xaa:
      system(S.OP_RSM);
      return;
    case 0xae:
      group15();
      return;
    case 0xaf:
      modRm();
      setReg(osize);
      setRm(osize);
      op(osize == 2 ? I.OP_IMUL2 : I.OP_IMUL + (osize == 8 ? 1 : 0) + (isReg() ? 0 : 2));
      return;
    case 0xb0:
    case 0xb1:
    case 0xc0:
    case 0xc1:
      if ((code & 1) == 0) osize = 1;
      modRm();
      setReg(osize);
      setRm(osize);
      op(code < 0xc0 ? I.OP_CMPXCHG : I.OP_XADD);
      return;
    case 0xb2:
    case 0xb4:
    case 0xb5:
      modRm();
      if (isReg()) {
        undefinedOpcode();
        return;
      }
      farSize();
      setReg(osize);
      imm(code & 7);
      system(S.OP_LOAD_FAR);
      return;
    case 0xb6:
    case 0xb7:
    case 0xbe:
    case 0xbf:
      extend(code);
      return;
    case 0xb8:
      if ((flags & F_REPE) == 0 || !has(FEATURE_POPCNT)) {
        undefinedOpcode();
        return;
      }
      modRm();
      setReg(osize);
      setRm(osize);
      op(I.OP_POPCNT);
      return;
    case 0xb9:
      modRm();
      undefinedOpcode(); // UD1
      return;
    case 0xba: {
      modRm();
      setRm(osize);
      const kind = field();
      imm(<u64>byte());
      if (kind < 4) undefinedOpcode();
      else op(I.OP_BT_I + kind - 4);
      return;
    }
    case 0xbc:
    case 0xbd: {
      modRm();
      setReg(osize);
      setRm(osize);
      const count = (flags & F_REPE) != 0;
      if (code == 0xbc) op(count && has(FEATURE_BMI1) ? I.OP_TZCNT : I.OP_BSF);
      else op(count && has(FEATURE_LZCNT) ? I.OP_LZCNT : I.OP_BSR);
      return;
    }
    case 0xc7:
      group9();
      return;
    case 0xc8:
    case 0xc9:
    case 0xca:
    case 0xcb:
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
      store<u8>(rec, <u8>(((code & 7) | ((rex & 1) << 3)) << 3), REC_RM);
      op(I.OP_BSWAP);
      return;
    default:
      sse(1, code);
  }
}

function extend(code: u32): void {
  modRm();
  setReg(osize);
  const source: u32 = code & 1 ? 2 : 1;
  setRm(source);
  const memory: u32 = isReg() ? 0 : 1;
  const signed = code >= 0xbe;
  if (osize == 2) {
    if (source == 2) {
      op((isReg() ? I.OP_MOV_RR : I.OP_MOV_RM) + 1);
      if (isReg()) swapRegRm();
    } else op(signed ? I.OP_MOVSX16_8 : I.OP_MOVZX16_8);
  } else if (!signed) op((source == 1 ? I.OP_MOVZX8 : I.OP_MOVZX16) + memory);
  else if (osize == 4) op((source == 1 ? I.OP_MOVSX8_32 : I.OP_MOVSX16_32) + memory);
  else op((source == 1 ? I.OP_MOVSX8_64 : I.OP_MOVSX16_64) + memory);
}

function sse(map: u32, code: u32): void {
  if (short) return;
  const prefix: u32 = flags & F_REPNE ? 3 : flags & F_REPE ? 2 : flags & F_OSIZE16 ? 1 : 0;
  // The ModRM byte decides between forms, so that it is looked at before the table is asked.
  const modrmAt = cursor;
  const next = byte();
  if (short) return;
  cursor = modrmAt;
  const answer = sseDecode(map, code, prefix, next, (rex >> 3) & 1);
  modRm();
  const allowed = isReg() ? SSE_REG : SSE_MEM;
  if (answer == 0 || (answer & allowed) == 0 || !has(<u32>(answer >> SSE_FEATURE_SHIFT) & 0xfff)) {
    undefinedOpcode();
    return;
  }
  store<u8>(rec, <u8>(field() | ((rex & 4) << 1)), REC_REG);
  if (isReg()) store<u8>(rec, <u8>((modrm & 7) | ((rex & 1) << 3)), REC_RM);
  if (answer & SSE_IMPLICIT_RDI) implicitMemory(7 << 3, DS);
  const bytes = <u32>(answer >> SSE_IMM_SHIFT) & 3;
  if (bytes == 1) imm(<u64>byte());
  else if (bytes == 2) imm(<u64>word());
  op(<u32>answer & 0xffff);
}

function map38(): void {
  const code = byte();
  if (short) return;
  if ((code & 0xfe) == 0xf0) {
    modRm();
    if (flags & F_REPNE) {
      if (!has(FEATURE_SSE4_2)) {
        undefinedOpcode();
        return;
      }
      const source = code == 0xf0 ? 1 : osize;
      imm(source);
      setRm(source);
      setReg(4);
      op(I.OP_CRC32);
      return;
    }
    if ((flags & F_REPE) != 0 || isReg() || !has(FEATURE_MOVBE)) {
      undefinedOpcode();
      return;
    }
    setReg(osize);
    op(code == 0xf0 ? I.OP_MOVBE_LOAD : I.OP_MOVBE_STORE);
    return;
  }
  if (code == 0xf6) {
    modRm();
    const adox = (flags & F_REPE) != 0;
    const adcx = !adox && (flags & F_OSIZE16) != 0;
    if ((flags & F_REPNE) != 0 || !(adox || adcx) || !has(FEATURE_ADX)) {
      undefinedOpcode();
      return;
    }
    osize = rex & 8 ? 8 : 4;
    setReg(osize);
    setRm(osize);
    op(adcx ? I.OP_ADCX : I.OP_ADOX);
    return;
  }
  if (code == 0x82) {
    modRm();
    if ((flags & (F_OSIZE16 | F_REPE | F_REPNE)) != F_OSIZE16 || isReg() || !has(FEATURE_INVPCID)) {
      undefinedOpcode();
      return;
    }
    osize = long ? 8 : 4;
    setReg(osize);
    system(S.OP_INVPCID);
    return;
  }
  sse(2, code);
}

// SLDT STR LLDT LTR VERR VERW
function group6(): void {
  modRm();
  const which = field();
  if (which > 5) {
    undefinedOpcode();
    return;
  }
  if (which >= 2 || !isReg()) osize = 2;
  setRm(osize);
  system(which == 0 ? S.OP_SLDT : which == 1 ? S.OP_STR : which == 2 ? S.OP_LLDT : which == 3 ? S.OP_LTR : which == 4 ? S.OP_VERR : S.OP_VERW);
}

function group7(): void {
  modRm();
  const which = field();
  if (which == 4 || which == 6) {
    if (which == 6 || !isReg()) osize = 2;
    setRm(osize);
    system(which == 4 ? S.OP_SMSW : S.OP_LMSW);
    return;
  }
  if (!isReg()) {
    switch (which) {
      case 0:
        return system(S.OP_SGDT);
      case 1:
        return system(S.OP_SIDT);
      case 2:
        return system(S.OP_LGDT);
      case 3:
        return system(S.OP_LIDT);
      case 7:
        return system(S.OP_INVLPG);
      default:
        return undefinedOpcode();
    }
  }
  if (modrm < 0xd8 && (flags & (F_OSIZE16 | F_REPE | F_REPNE)) != 0) return undefinedOpcode();
  switch (modrm) {
    case 0xc1: // VMCALL
    case 0xd9: // VMMCALL
      return system(S.OP_VMCALL);
    case 0xc8:
      store<u8>(rec, <u8>(segment >= 0 ? segment : DS), REC_SEG);
      return systemIf(FEATURE_MONITOR, S.OP_MONITOR);
    case 0xc9:
      return systemIf(FEATURE_MONITOR, S.OP_MWAIT);
    case 0xca:
      return systemIf(FEATURE_SMAP, S.OP_CLAC);
    case 0xcb:
      return systemIf(FEATURE_SMAP, S.OP_STAC);
    case 0xd0:
      return systemIf(FEATURE_XSAVE, S.OP_XGETBV);
    case 0xd1:
      return systemIf(FEATURE_XSAVE, S.OP_XSETBV);
    case 0xee:
    case 0xef:
      if ((flags & (F_OSIZE16 | F_REPE | F_REPNE)) != 0) return undefinedOpcode();
      return systemIf(FEATURE_PKU, modrm == 0xee ? S.OP_RDPKRU : S.OP_WRPKRU);
    case 0xf8:
      if (!long) return undefinedOpcode();
      return system(S.OP_SWAPGS);
    case 0xf9:
      return systemIf(FEATURE_RDTSCP, S.OP_RDTSCP);
    default:
      return undefinedOpcode();
  }
}

function group9(): void {
  modRm();
  const which = field();
  const plain = (flags & (F_OSIZE16 | F_REPE | F_REPNE)) == 0;
  if (isReg()) {
    setRm(osize);
    if (which == 7 && (flags & F_REPE) != 0) {
      osize = long ? 8 : 4;
      return systemIf(FEATURE_RDPID, S.OP_RDPID);
    }
    if ((flags & (F_REPE | F_REPNE)) != 0) return undefinedOpcode();
    if (which == 6) return systemIf(FEATURE_RDRAND, S.OP_RDRAND);
    if (which == 7) return systemIf(FEATURE_RDSEED, S.OP_RDSEED);
    return undefinedOpcode();
  }
  switch (which) {
    case 1:
      if (osize == 8) {
        if (!has(FEATURE_CX16)) return undefinedOpcode();
        return op(I.OP_CMPXCHG16B);
      }
      if (!has(FEATURE_CX8)) return undefinedOpcode();
      return op(I.OP_CMPXCHG8B);
    case 3:
      if (!plain || !has(FEATURE_XSAVES)) return undefinedOpcode();
      return op(OP_XRSTORS);
    case 4:
      if (!plain || !has(FEATURE_XSAVEC)) return undefinedOpcode();
      return op(OP_XSAVEC);
    case 5:
      if (!plain || !has(FEATURE_XSAVES)) return undefinedOpcode();
      return op(OP_XSAVES);
    default:
      return undefinedOpcode();
  }
}

function stateOp(feature: u32, number: u32): void {
  if (has(feature)) op(number);
  else undefinedOpcode();
}

function group15(): void {
  modRm();
  const which = field();
  const plain = (flags & (F_OSIZE16 | F_REPE | F_REPNE)) == 0;
  if (isReg()) {
    if (flags & F_REPE) {
      if (!long || which > 3) return undefinedOpcode();
      setRm(osize);
      return systemIf(FEATURE_FSGSBASE, S.OP_RDFSBASE + which);
    }
    if (!plain || which < 5) return undefinedOpcode();
    // LFENCE, MFENCE, SFENCE: one thread sees its own order.
    return stateOp(which == 7 ? FEATURE_SSE : FEATURE_SSE2, I.OP_NOP);
  }
  if ((flags & F_OSIZE16) != 0 && (flags & (F_REPE | F_REPNE)) == 0 && which >= 6) {
    return systemIf(which == 7 ? FEATURE_CLFLUSHOPT : FEATURE_CLWB, S.OP_CLFLUSH);
  }
  if (!plain) return undefinedOpcode();
  switch (which) {
    case 0:
      return stateOp(FEATURE_FXSR, OP_FXSAVE);
    case 1:
      return stateOp(FEATURE_FXSR, OP_FXRSTOR);
    case 2:
      return stateOp(FEATURE_SSE, OP_LDMXCSR);
    case 3:
      return stateOp(FEATURE_SSE, OP_STMXCSR);
    case 4:
      return stateOp(FEATURE_XSAVE, OP_XSAVE);
    case 5:
      return stateOp(FEATURE_XSAVE, OP_XRSTOR);
    case 6:
      return stateOp(FEATURE_XSAVEOPT, OP_XSAVEOPT);
    default:
      return systemIf(FEATURE_CLFLUSH, S.OP_CLFLUSH);
  }
}
