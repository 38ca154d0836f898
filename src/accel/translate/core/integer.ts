// The integer instructions that are not cases of the main loop: Intel SDM vol. 2. Each reads what may
// fault first, then commits registers, flags and memory.
import { BLOCK_RIP, CS, MODE, RFLAGS, RIP, SEGMENTS, SEG_BYTES, SEG_LIMIT } from "../layout";
import { ADD } from "./alu";
import { execBitManipulation } from "./bit-manipulation";
import { adjustAscii, adjustAsciiDivide, adjustAsciiMultiply, adjustDecimal } from "./decimal";
import { divideSigned, divideUnsigned } from "./divide";
import { aluSized } from "./general";
import { eaSized, effectiveOffset } from "./ea";
import { BR, raise, raiseGP } from "./exceptions";
import {
  CC_EXPLICIT, CC_LOGIC, CC_SUB, CF, DF, OF, ZF, arithmeticFlags, carryFlag, condition, replaceCarry,
  setArith, setLazy, setLazyResult,
} from "./flags";
import { canonical, probeWrite } from "./mmu";
import { read64, write64 } from "./memory";
import { MODE_64, MODE_SIZE } from "./mode-bits";
import {
  OP_AAA, OP_AAD, OP_AAM, OP_AAS, OP_ADCX, OP_ADOX, OP_BOUND, OP_BSF, OP_BSR, OP_BSWAP, OP_BT, OP_BTC, OP_BTR, OP_BTS, OP_BT_I,
  OP_CALL_NEAR, OP_CALL_NEAR_RM, OP_CBW, OP_CLC, OP_CLD, OP_CMC, OP_CMOV16, OP_CMPXCHG, OP_CMPXCHG16B, OP_CMPXCHG8B,
  OP_CRC32, OP_CWD, OP_CWDE, OP_DAA, OP_DAS, OP_DIV, OP_ENTER, OP_IDIV, OP_IMUL1, OP_IMUL2, OP_IMUL3, OP_JCC_NEAR,
  OP_JCXZ, OP_JMP_NEAR, OP_JMP_NEAR_RM, OP_LAHF, OP_LEAVE, OP_LOOP, OP_LOOPE, OP_LOOPNE, OP_LZCNT, OP_MOVBE_LOAD,
  OP_MOVBE_STORE, OP_MOVSX16_8, OP_MOVZX16_8, OP_MOV_LOAD_OFFSET, OP_MOV_STORE_OFFSET, OP_MUL, OP_NEG, OP_NOT, OP_POPA,
  OP_POPCNT, OP_POP_M, OP_POP_R, OP_PUSHA, OP_PUSH_I, OP_PUSH_M, OP_PUSH_R, OP_RET_NEAR, OP_SAHF, OP_SALC, OP_SETCC_M,
  OP_SHIFT, OP_SHLD, OP_SHRD, OP_STC, OP_STD, OP_TZCNT, OP_XADD, OP_XCHG, OP_XLAT,
} from "./ops-integer";
import {
  RAX, RBP, RBX, RCX, RDI, RDX, RSP, getReg, isRegister, linearAt, linearPast, logOf, maskOf, putReg, readRm,
  readSized, regOf, rmOf, rmwSized, signBit, signExtend,
  sizeOf, writeSized,
} from "./operands";
import { REC_ASIZE, REC_BASE, REC_IMM, REC_REG } from "./record";
import { multiplyHigh, multiplyHighSigned, setProduct, shift, shiftDouble } from "./shift";
import { push, setStackPointer, stackLinear, stackMask, stackRead } from "./stack";

/** Executes one operation of ops-integer.ts that is not a case of the main loop and no string operation. */
export function execInteger(cpu: usize, rec: usize, op: u32): void {
  const size = sizeOf(rec);
  switch (op) {
    case OP_MOVZX16_8:
      putReg(cpu, regOf(rec), 2, readRm(cpu, rec, 1));
      return;
    case OP_MOVSX16_8:
      putReg(cpu, regOf(rec), 2, <u64>signExtend(readRm(cpu, rec, 1), 1));
      return;
    case OP_MOV_LOAD_OFFSET:
      putReg(cpu, RAX, size, readSized(cpu, linearAt(cpu, rec, load<u64>(rec, REC_IMM), size, 0), size));
      return;
    case OP_MOV_STORE_OFFSET:
      writeSized(cpu, linearAt(cpu, rec, load<u64>(rec, REC_IMM), size, 1), size, load<u64>(cpu, RAX));
      return;
    case OP_PUSH_R:
      push(cpu, size, getReg(cpu, rmOf(rec), size));
      return;
    case OP_PUSH_I:
      push(cpu, size, load<u64>(rec, REC_IMM));
      return;
    case OP_PUSH_M:
      push(cpu, size, readRm(cpu, rec, size));
      return;
    case OP_POP_R: {
      const value = stackRead(cpu, load<u64>(cpu, RSP), size);
      setStackPointer(cpu, load<u64>(cpu, RSP) + size);
      putReg(cpu, rmOf(rec), size, value);
      return;
    }
    case OP_POP_M:
      popMemory(cpu, rec, size);
      return;
    case OP_PUSHA:
      pushAll(cpu, size);
      return;
    case OP_POPA:
      popAll(cpu, size);
      return;
    case OP_ENTER:
      enter(cpu, rec, size);
      return;
    case OP_LEAVE: {
      const frame = load<u64>(cpu, RBP);
      const value = readSized(cpu, stackLinear(cpu, frame, size, 0), size);
      setStackPointer(cpu, frame + size);
      putReg(cpu, RBP, size, value);
      return;
    }
    case OP_SHLD:
    case OP_SHRD:
      doubleShift(cpu, rec, op == OP_SHRD, size);
      return;
    case OP_NOT: {
      const linear = eaSized(cpu, rec, size, 1);
      writeSized(cpu, linear, size, ~rmwSized(cpu, linear, size));
      return;
    }
    case OP_NEG: {
      const linear = eaSized(cpu, rec, size, 1);
      const value = rmwSized(cpu, linear, size);
      const result = (0 - value) & maskOf(size);
      writeSized(cpu, linear, size, result);
      setLazy(cpu, (CC_SUB << 2) | logOf(size), result, 0, value);
      return;
    }
    case OP_MUL:
      multiply(cpu, readRm(cpu, rec, size), size);
      return;
    case OP_IMUL1:
      multiplySigned(cpu, readRm(cpu, rec, size), size);
      return;
    case OP_DIV:
      divideUnsigned(cpu, readRm(cpu, rec, size), size);
      return;
    case OP_IDIV:
      divideSigned(cpu, readRm(cpu, rec, size), size);
      return;
    case OP_IMUL2:
      multiply16(cpu, rec, getReg(cpu, regOf(rec), 2), readRm(cpu, rec, 2));
      return;
    case OP_IMUL3:
      multiply16(cpu, rec, readRm(cpu, rec, 2), load<u64>(rec, REC_IMM));
      return;
    case OP_CMOV16: {
      const value = readRm(cpu, rec, 2);
      if (condition(cpu, <u32>load<u8>(rec, REC_IMM))) putReg(cpu, regOf(rec), 2, value);
      return;
    }
    case OP_SETCC_M:
      writeSized(cpu, eaSized(cpu, rec, 1, 1), 1, u64(condition(cpu, <u32>load<u8>(rec, REC_IMM))));
      return;
    case OP_XCHG:
      exchange(cpu, rec, size);
      return;
    case OP_XADD:
      exchangeAdd(cpu, rec, size);
      return;
    case OP_CMPXCHG:
      compareExchange(cpu, rec, size);
      return;
    case OP_CMPXCHG8B:
      compareExchange8(cpu, rec);
      return;
    case OP_CMPXCHG16B:
      compareExchange16(cpu, rec);
      return;
    case OP_BT:
    case OP_BTS:
    case OP_BTR:
    case OP_BTC:
      bitByRegister(cpu, rec, op - OP_BT, size);
      return;
    case OP_BT_I:
    case OP_BT_I + 1:
    case OP_BT_I + 2:
    case OP_BT_I + 3: {
      const bit = load<u64>(rec, REC_IMM) & ((<u64>size << 3) - 1);
      if (isRegister(rec)) bitOfRegister(cpu, rec, op - OP_BT_I, bit, size);
      else bitOfMemory(cpu, eaSized(cpu, rec, size, u32(op != OP_BT_I)), op - OP_BT_I, bit, size);
      return;
    }
    case OP_BSF:
    case OP_BSR: {
      const value = readRm(cpu, rec, size);
      if (value != 0) putReg(cpu, regOf(rec), size, op == OP_BSF ? ctz<u64>(value) : 63 - clz<u64>(value));
      setLazyResult(cpu, (CC_LOGIC << 2) | logOf(size), value);
      return;
    }
    case OP_TZCNT:
    case OP_LZCNT: {
      const value = readRm(cpu, rec, size);
      const bits = <u64>size << 3;
      const count = value == 0 ? bits : op == OP_TZCNT ? ctz<u64>(value) : clz<u64>(value) - (64 - bits);
      putReg(cpu, regOf(rec), size, count);
      setLazy(cpu, (CC_EXPLICIT << 2) | logOf(size), count, u64(value == 0), 0);
      return;
    }
    case OP_POPCNT: {
      const value = readRm(cpu, rec, size);
      putReg(cpu, regOf(rec), size, popcnt<u64>(value));
      setArith(cpu, value == 0 ? ZF : 0);
      return;
    }
    case OP_BSWAP:
      // Of 16 bits: undefined; processors clear them.
      if (size == 2) putReg(cpu, rmOf(rec), 2, 0);
      else putReg(cpu, rmOf(rec), size, swapped(getReg(cpu, rmOf(rec), size), size));
      return;
    case OP_MOVBE_LOAD:
      putReg(cpu, regOf(rec), size, swapped(readRm(cpu, rec, size), size));
      return;
    case OP_MOVBE_STORE:
      writeSized(cpu, eaSized(cpu, rec, size, 1), size, swapped(getReg(cpu, regOf(rec), size), size));
      return;
    case OP_CRC32: {
      const source = <u32>load<u8>(rec, REC_IMM);
      const value = readRm(cpu, rec, source);
      // With REX.W the destination is 64 bits wide, its upper half cleared: as for 32 bits.
      putReg(cpu, regOf(rec), 4, <u64>crc32c(<u32>getReg(cpu, regOf(rec), 4), value, source));
      return;
    }
    case OP_CBW:
      putReg(cpu, RAX, 2, <u64>signExtend(getReg(cpu, RAX, 1), 1));
      return;
    case OP_CWDE:
      putReg(cpu, RAX, 4, <u64>signExtend(getReg(cpu, RAX, 2), 2));
      return;
    case OP_CWD:
      putReg(cpu, RDX, 2, <u64>(signExtend(getReg(cpu, RAX, 2), 2) >> 16));
      return;
    case OP_LAHF:
      store<u8>(cpu, <u8>(arithmeticFlags(cpu) & 0xd5) | 2, RAX + 1);
      return;
    case OP_SAHF:
      setArith(cpu, (arithmeticFlags(cpu) & OF) | (<u64>load<u8>(cpu, RAX + 1) & 0xd5));
      return;
    case OP_CLC:
      replaceCarry(cpu, 0);
      return;
    case OP_STC:
      replaceCarry(cpu, 1);
      return;
    case OP_CMC:
      replaceCarry(cpu, carryFlag(cpu) ^ 1);
      return;
    case OP_CLD:
      store<u64>(cpu, load<u64>(cpu, RFLAGS) & ~DF, RFLAGS);
      return;
    case OP_STD:
      store<u64>(cpu, load<u64>(cpu, RFLAGS) | DF, RFLAGS);
      return;
    case OP_XLAT: {
      const offset = load<u64>(cpu, RBX) + <u64>load<u8>(cpu, RAX);
      putReg(cpu, RAX, 1, readSized(cpu, linearAt(cpu, rec, offset, 1, 0), 1));
      return;
    }
    case OP_SALC:
      putReg(cpu, RAX, 1, 0 - carryFlag(cpu));
      return;
    case OP_BOUND: {
      const index = signExtend(getReg(cpu, regOf(rec), size), size);
      const lower = signExtend(readSized(cpu, eaSized(cpu, rec, size, 0), size), size);
      const upper = signExtend(readSized(cpu, linearPast(cpu, rec, size, size, 0), size), size);
      if (index < lower || index > upper) raise(cpu, BR);
      return;
    }
    case OP_DAA:
    case OP_DAS:
      adjustDecimal(cpu, op == OP_DAS);
      return;
    case OP_AAA:
    case OP_AAS:
      adjustAscii(cpu, op == OP_AAS);
      return;
    case OP_AAM:
      adjustAsciiMultiply(cpu, load<u32>(rec, REC_IMM));
      return;
    case OP_AAD:
      adjustAsciiDivide(cpu, load<u32>(rec, REC_IMM));
      return;
    case OP_ADCX:
    case OP_ADOX:
      addWithFlag(cpu, rec, op == OP_ADCX ? CF : OF, size);
      return;
    case OP_CALL_NEAR: {
      const target = truncateTarget(load<u64>(cpu, BLOCK_RIP) + load<u64>(rec, REC_IMM), size);
      checkTarget(cpu, target);
      push(cpu, size, load<u64>(cpu, RIP));
      store<u64>(cpu, target, RIP);
      return;
    }
    case OP_CALL_NEAR_RM: {
      const target = readRm(cpu, rec, size);
      checkTarget(cpu, target);
      push(cpu, size, load<u64>(cpu, RIP));
      store<u64>(cpu, target, RIP);
      return;
    }
    case OP_RET_NEAR: {
      const target = stackRead(cpu, load<u64>(cpu, RSP), size);
      checkTarget(cpu, target);
      setStackPointer(cpu, load<u64>(cpu, RSP) + size + load<u64>(rec, REC_IMM));
      store<u64>(cpu, target, RIP);
      return;
    }
    case OP_JMP_NEAR_RM: {
      const target = readRm(cpu, rec, size);
      checkTarget(cpu, target);
      store<u64>(cpu, target, RIP);
      return;
    }
    case OP_JMP_NEAR:
      jumpNear(cpu, rec, size);
      return;
    case OP_JCC_NEAR:
      if (condition(cpu, <u32>load<u8>(rec, REC_REG))) jumpNear(cpu, rec, size);
      return;
    case OP_LOOPNE:
    case OP_LOOPE:
    case OP_LOOP: {
      const addressSize = <u32>load<u8>(rec, REC_ASIZE);
      const counter = (getReg(cpu, RCX, addressSize) - 1) & maskOf(addressSize);
      if (counter != 0 && (op == OP_LOOP || condition(cpu, op == OP_LOOPE ? 4 : 5))) jumpNear(cpu, rec, size);
      putReg(cpu, RCX, addressSize, counter);
      return;
    }
    case OP_JCXZ:
      if (getReg(cpu, RCX, <u32>load<u8>(rec, REC_ASIZE)) == 0) jumpNear(cpu, rec, size);
      return;
    default:
      if (op >= OP_SHIFT && op < OP_SHIFT + 8) shiftOperand(cpu, rec, op - OP_SHIFT, size);
      else execBitManipulation(cpu, rec, op);
  }
}

// ---- The stack.

// An address by RSP means RSP after the pop.
function popMemory(cpu: usize, rec: usize, size: u32): void {
  const value = stackRead(cpu, load<u64>(cpu, RSP), size);
  let offset = effectiveOffset(cpu, rec);
  if (<u32>load<u8>(rec, REC_BASE) == RSP) offset += size;
  writeSized(cpu, linearAt(cpu, rec, offset, size, 1), size, value);
  setStackPointer(cpu, load<u64>(cpu, RSP) + size);
}

function pushAll(cpu: usize, size: u32): void {
  const top = load<u64>(cpu, RSP);
  for (let n: u32 = 0; n < 8; n++) {
    const linear = stackLinear(cpu, top - <u64>(n + 1) * size, size, 1);
    writeSized(cpu, linear, size, getReg(cpu, n << 3, size));
  }
  setStackPointer(cpu, top - <u64>size * 8);
}

function popAll(cpu: usize, size: u32): void {
  // The last value's read decides whether anything faults, and no read changes anything: check, then load.
  for (let n: u32 = 0; n < 8; n++) stackRead(cpu, load<u64>(cpu, RSP) + <u64>n * size, size);
  for (let n: u32 = 0; n < 8; n++) {
    if (7 - n != RSP >> 3) putReg(cpu, (7 - n) << 3, size, stackRead(cpu, load<u64>(cpu, RSP) + <u64>n * size, size));
  }
  setStackPointer(cpu, load<u64>(cpu, RSP) + <u64>size * 8);
}

function enter(cpu: usize, rec: usize, size: u32): void {
  const frameSize = load<u64>(rec, REC_IMM) & 0xffff;
  const level = <u32>(load<u64>(rec, REC_IMM) >> 16);
  const mask = stackMask(cpu);
  let pointer = load<u64>(cpu, RSP) - size;
  // The stack pointer after the first push: SP's wrap leaves the rest of ESP alone.
  const frame = (load<u64>(cpu, RSP) & ~mask) | (pointer & mask);
  writeSized(cpu, stackLinear(cpu, pointer, size, 1), size, load<u64>(cpu, RBP));
  if (level != 0) {
    let outer = load<u64>(cpu, RBP);
    for (let n: u32 = 1; n < level; n++) {
      outer -= size;
      pointer -= size;
      const value = readSized(cpu, stackLinear(cpu, outer, size, 0), size);
      writeSized(cpu, stackLinear(cpu, pointer, size, 1), size, value);
    }
    pointer -= size;
    writeSized(cpu, stackLinear(cpu, pointer, size, 1), size, frame);
  }
  pointer -= frameSize;
  // The new top of the stack has to be writable.
  probeWrite(cpu, stackLinear(cpu, pointer, size, 1), size);
  if (mask == 0xffff && size == 4) putReg(cpu, RBP, 4, (load<u64>(cpu, RBP) & 0xffff0000) | (frame & 0xffff));
  else putReg(cpu, RBP, mask == 0xffff ? 2 : size, frame);
  setStackPointer(cpu, pointer);
}

// ---- Arithmetic.

function shiftOperand(cpu: usize, rec: usize, kind: u32, size: u32): void {
  let count = load<u32>(rec, REC_IMM);
  if (count == 0x100) count = <u32>load<u8>(cpu, RCX);
  count &= size == 8 ? 63 : 31;
  if (isRegister(rec)) {
    const at = rmOf(rec);
    const value = getReg(cpu, at, size);
    putReg(cpu, at, size, count == 0 ? value : shift(cpu, kind, value, count, size));
    return;
  }
  const linear = eaSized(cpu, rec, size, 1);
  const value = rmwSized(cpu, linear, size);
  writeSized(cpu, linear, size, count == 0 ? value : shift(cpu, kind, value, count, size));
}

function doubleShift(cpu: usize, rec: usize, right: bool, size: u32): void {
  let count = load<u32>(rec, REC_IMM);
  if (count == 0x100) count = <u32>load<u8>(cpu, RCX);
  count &= size == 8 ? 63 : 31;
  const filler = getReg(cpu, regOf(rec), size);
  if (isRegister(rec)) {
    const value = getReg(cpu, rmOf(rec), size);
    putReg(cpu, rmOf(rec), size, count == 0 ? value : shiftDouble(cpu, right, value, filler, count, size));
    return;
  }
  const linear = eaSized(cpu, rec, size, 1);
  const value = rmwSized(cpu, linear, size);
  writeSized(cpu, linear, size, count == 0 ? value : shiftDouble(cpu, right, value, filler, count, size));
}

function multiply(cpu: usize, b: u64, size: u32): void {
  const a = getReg(cpu, RAX, size);
  const low = a * b;
  if (size == 1) {
    putReg(cpu, RAX, 2, low);
    setProduct(cpu, low & 0xff, low > 0xff, 1);
    return;
  }
  const high = size == 8 ? multiplyHigh(a, b) : low >> (<u64>size << 3);
  putReg(cpu, RAX, size, low);
  putReg(cpu, RDX, size, high);
  setProduct(cpu, low & maskOf(size), high != 0, size);
}

function multiplySigned(cpu: usize, b: u64, size: u32): void {
  const a = getReg(cpu, RAX, size);
  if (size == 8) {
    const low = a * b;
    const high = multiplyHighSigned(a, b);
    putReg(cpu, RAX, 8, low);
    putReg(cpu, RDX, 8, high);
    setProduct(cpu, low, high != <u64>(<i64>low >> 63), 8);
    return;
  }
  const product = signExtend(a, size) * signExtend(b, size);
  const lost = product != signExtend(<u64>product & maskOf(size), size);
  if (size == 1) putReg(cpu, RAX, 2, <u64>product);
  else {
    putReg(cpu, RAX, size, <u64>product);
    putReg(cpu, RDX, size, <u64>(product >> (<i64>size << 3)));
  }
  setProduct(cpu, <u64>product & maskOf(size), lost, size);
}

function multiply16(cpu: usize, rec: usize, a: u64, b: u64): void {
  const product = signExtend(a, 2) * signExtend(b, 2);
  putReg(cpu, regOf(rec), 2, <u64>product);
  setProduct(cpu, <u64>product & 0xffff, product != signExtend(<u64>product & 0xffff, 2), 2);
}

// ADCX and ADOX: the one flag is carry in and carry out, the others stay.
function addWithFlag(cpu: usize, rec: usize, flag: u64, size: u32): void {
  const a = getReg(cpu, regOf(rec), size);
  const b = readRm(cpu, rec, size);
  const flags = arithmeticFlags(cpu);
  const sum = (a + b + u64((flags & flag) != 0)) & maskOf(size);
  const carry = signBit((a & b) | ((a | b) & ~sum), size);
  putReg(cpu, regOf(rec), size, sum);
  setArith(cpu, (flags & ~flag) | (carry != 0 ? flag : 0));
}

function swapped(value: u64, size: u32): u64 {
  if (size == 8) return bswap<u64>(value);
  if (size == 4) return <u64>bswap<u32>(<u32>value);
  return <u64>bswap<u16>(<u16>value);
}

// The remainders of four bits by the Castagnoli polynomial, bit-reversed.
const CRC32C = memory.data<u32>([
  0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17,
  0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
]);

function crc32c(start: u32, value: u64, size: u32): u32 {
  let crc = start;
  for (let n: u32 = 0; n < size; n++) {
    crc ^= <u32>(value >> (n << 3)) & 0xff;
    crc = (crc >> 4) ^ load<u32>(CRC32C + ((crc & 15) << 2));
    crc = (crc >> 4) ^ load<u32>(CRC32C + ((crc & 15) << 2));
  }
  return crc;
}

// ---- Exchanges. Nothing else runs between read and write: each is atomic.

function exchange(cpu: usize, rec: usize, size: u32): void {
  const value = getReg(cpu, regOf(rec), size);
  if (isRegister(rec)) {
    const other = getReg(cpu, rmOf(rec), size);
    putReg(cpu, rmOf(rec), size, value);
    putReg(cpu, regOf(rec), size, other);
    return;
  }
  const linear = eaSized(cpu, rec, size, 1);
  const other = rmwSized(cpu, linear, size);
  writeSized(cpu, linear, size, value);
  putReg(cpu, regOf(rec), size, other);
}

function exchangeAdd(cpu: usize, rec: usize, size: u32): void {
  const b = getReg(cpu, regOf(rec), size);
  if (isRegister(rec)) {
    const a = getReg(cpu, rmOf(rec), size);
    putReg(cpu, regOf(rec), size, a);
    putReg(cpu, rmOf(rec), size, aluSized(cpu, ADD, a, b, size));
    return;
  }
  const linear = eaSized(cpu, rec, size, 1);
  const a = rmwSized(cpu, linear, size);
  writeSized(cpu, linear, size, a + b);
  aluSized(cpu, ADD, a, b, size);
  putReg(cpu, regOf(rec), size, a);
}

function compareExchange(cpu: usize, rec: usize, size: u32): void {
  const accumulator = getReg(cpu, RAX, size);
  const value = getReg(cpu, regOf(rec), size);
  let current: u64;
  if (isRegister(rec)) {
    current = getReg(cpu, rmOf(rec), size);
    // A register that is not equal keeps its upper half, too.
    if (current == accumulator) putReg(cpu, rmOf(rec), size, value);
  } else {
    const linear = eaSized(cpu, rec, size, 1);
    current = rmwSized(cpu, linear, size);
    // The destination is written whether or not it was equal.
    writeSized(cpu, linear, size, current == accumulator ? value : current);
  }
  if (current != accumulator) putReg(cpu, RAX, size, current);
  setLazy(cpu, (CC_SUB << 2) | logOf(size), (accumulator - current) & maskOf(size), accumulator, current);
}

function compareExchange8(cpu: usize, rec: usize): void {
  const linear = eaSized(cpu, rec, 8, 1);
  const current = rmwSized(cpu, linear, 8);
  const equal = current == (<u64>load<u32>(cpu, RAX) | (<u64>load<u32>(cpu, RDX) << 32));
  const value = <u64>load<u32>(cpu, RBX) | (<u64>load<u32>(cpu, RCX) << 32);
  writeSized(cpu, linear, 8, equal ? value : current);
  if (!equal) {
    putReg(cpu, RAX, 4, current);
    putReg(cpu, RDX, 4, current >> 32);
  }
  setArith(cpu, (arithmeticFlags(cpu) & ~ZF) | (equal ? ZF : 0));
}

function compareExchange16(cpu: usize, rec: usize): void {
  const linear = eaSized(cpu, rec, 16, 1);
  if ((linear & 15) != 0) raiseGP(cpu);
  probeWrite(cpu, linear, 16);
  const low = read64(cpu, linear);
  const high = read64(cpu, linear + 8);
  const equal = low == load<u64>(cpu, RAX) && high == load<u64>(cpu, RDX);
  write64(cpu, linear, equal ? load<u64>(cpu, RBX) : low);
  write64(cpu, linear + 8, equal ? load<u64>(cpu, RCX) : high);
  if (!equal) {
    store<u64>(cpu, low, RAX);
    store<u64>(cpu, high, RDX);
  }
  setArith(cpu, (arithmeticFlags(cpu) & ~ZF) | (equal ? ZF : 0));
}

// ---- Bits. Kinds: 0 BT, 1 BTS, 2 BTR, 3 BTC.

function changed(value: u64, kind: u32, mask: u64): u64 {
  if (kind == 1) return value | mask;
  if (kind == 2) return value & ~mask;
  return value ^ mask;
}

// With a bit number in a register, a memory operand is a bit string that reaches around its address.
function bitByRegister(cpu: usize, rec: usize, kind: u32, size: u32): void {
  const number = signExtend(getReg(cpu, regOf(rec), size), size);
  const bit = <u64>number & ((<u64>size << 3) - 1);
  if (isRegister(rec)) {
    bitOfRegister(cpu, rec, kind, bit, size);
    return;
  }
  const distance = (number >> <i64>(logOf(size) + 3)) * <i64>size;
  bitOfMemory(cpu, linearPast(cpu, rec, distance, size, u32(kind != 0)), kind, bit, size);
}

function bitOfRegister(cpu: usize, rec: usize, kind: u32, bit: u64, size: u32): void {
  const value = getReg(cpu, rmOf(rec), size);
  if (kind != 0) putReg(cpu, rmOf(rec), size, changed(value, kind, <u64>1 << bit));
  replaceCarry(cpu, (value >> bit) & 1);
}

function bitOfMemory(cpu: usize, linear: u64, kind: u32, bit: u64, size: u32): void {
  if (kind == 0) {
    replaceCarry(cpu, (readSized(cpu, linear, size) >> bit) & 1);
    return;
  }
  const value = rmwSized(cpu, linear, size);
  writeSized(cpu, linear, size, changed(value, kind, <u64>1 << bit));
  replaceCarry(cpu, (value >> bit) & 1);
}

// ---- Near transfers, outside the hot 64-bit ones. RIP is the next instruction's.

function truncateTarget(target: u64, size: u32): u64 {
  if (size == 2) return target & 0xffff;
  return size == 4 ? target & 0xffffffff : target;
}

// A target outside of the code segment, or that is not canonical: #GP at the transfer.
function checkTarget(cpu: usize, target: u64): void {
  if ((load<u32>(cpu, MODE) & MODE_SIZE) == MODE_64) {
    if (!canonical(cpu, target)) raiseGP(cpu);
  } else if (target > <u64>load<u32>(cpu, SEGMENTS + CS * SEG_BYTES + SEG_LIMIT)) {
    raiseGP(cpu);
  }
}

function jumpNear(cpu: usize, rec: usize, size: u32): void {
  const target = truncateTarget(load<u64>(cpu, BLOCK_RIP) + load<u64>(rec, REC_IMM), size);
  checkTarget(cpu, target);
  store<u64>(cpu, target, RIP);
}
