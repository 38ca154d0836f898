/** Integer operations. Their meaning is the core's: core/interpreter.ts, core/general.ts and core/integer.ts. */
import {
  CC_RESULT,
  CC_SRC1,
  CC_SRC2,
  type Emitter,
  I32_A,
  I32_B,
  I64_A,
  I64_B,
  I64_C,
  LINEAR,
  RAX,
  RBP,
  RCX,
  RDX,
  RSP,
} from "./emitter.js";
import { followsResult, pushAuxiliary, pushCarry64, pushCondition } from "./flags.js";
import type { Instruction } from "./instruction.js";
import { immediate, immediate64 } from "./instruction.js";
import {
  CC_ADD,
  CC_DEC,
  CC_EXPLICIT,
  CC_INC,
  CC_LOGIC,
  CC_SBB,
  CC_SUB,
  F_MODREG,
  OP_ALU_RR,
  OP_BSF,
  OP_BSR,
  OP_BSWAP,
  OP_BT,
  OP_BT_I,
  OP_CBW,
  OP_CDQ,
  OP_CDQE,
  OP_CMOV,
  OP_CMPXCHG,
  OP_CQO,
  OP_CWDE,
  OP_DEC_M,
  OP_DEC_R,
  OP_DIV,
  OP_IDIV,
  OP_IMUL,
  OP_IMUL_I,
  OP_IMUL1,
  OP_INC_M,
  OP_INC_R,
  OP_LEA,
  OP_LEAVE64,
  OP_LZCNT,
  OP_MOV_MI,
  OP_MOV_MR,
  OP_MOV_RI,
  OP_MOV_RM,
  OP_MOV_RR,
  OP_MOVSX8_32,
  OP_MOVSX8_64,
  OP_MOVSX16_32,
  OP_MOVSX16_64,
  OP_MOVSX32_64,
  OP_MOVZX8,
  OP_MOVZX16,
  OP_MUL,
  OP_NEG,
  OP_NEG_R,
  OP_NOP,
  OP_NOT,
  OP_NOT_R,
  OP_POP64_R,
  OP_PUSH64_I,
  OP_PUSH64_M,
  OP_PUSH64_R,
  OP_ROL_I,
  OP_ROR_I,
  OP_RORX,
  OP_SAR_CL,
  OP_SAR_I,
  OP_SARX,
  OP_SETCC_M,
  OP_SETCC_R,
  OP_SHIFT,
  OP_SHL_CL,
  OP_SHL_I,
  OP_SHLD,
  OP_SHLX,
  OP_SHR_CL,
  OP_SHR_I,
  OP_SHRD,
  OP_SHRX,
  OP_TEST_MI,
  OP_TEST_MR,
  OP_TEST_RI,
  OP_TEST_RR,
  OP_TZCNT,
  OP_XADD,
  OP_XCHG,
} from "./operations.js";
import * as W from "./wasm-opcodes.js";

const ADD = 0;
const OR = 1;
const ADC = 2;
const SBB = 3;
const AND = 4;
const SUB = 5;
const CMP = 7;

const ROL = 0;
const ROR = 1;
const SHL = 4;
const SHR = 5;
const SAR = 7;

/** Translates an integer operation that does not end its block. False: this operation is the core's. */
export function translateInteger(e: Emitter, i: Instruction): boolean {
  const { op } = i;
  if (op >= OP_ALU_RR && op < OP_TEST_RR) return arithmetic(e, i, (op - OP_ALU_RR) >> 5, (op >> 2) & 7);
  if (op < OP_MOV_RR) return test(e, i);
  if (op < OP_INC_R) return move(e, i);
  if (op < OP_LEA) return step(e, i);
  if (op < OP_MOVZX8) return loadAddress(e, i);
  if (op < OP_PUSH64_R) return extend(e, i);
  if (op < OP_SHL_I) return stack(e, i);
  if (op < OP_IMUL) return shiftRegister(e, i);
  if (op < OP_CMOV) return multiplyTruncated(e, i);
  return other(e, i);
}

// ---- Operands.

const isRegister = (i: Instruction) => (i.flags & F_MODREG) !== 0;
const logOf = (size: number) => 31 - Math.clz32(size);

// Opcodes by size: of i64 for 8 bytes, else of i32.
const wide = (size: number, narrow: number, long: number) => (size === 8 ? long : narrow);

// Pushes the immediate.
function pushImmediate(e: Emitter, i: Instruction, size: number): void {
  e.pushConstant(immediate(i) ?? immediate64(i), size);
}

// Finds the rm operand, if it is in memory: HOST.
function accessRm(e: Emitter, i: Instruction, size: number, write: boolean): void {
  if (!isRegister(i)) e.accessOperand(i, size, write);
}

// Pushes the rm operand, in memory at HOST.
function pushRm(e: Emitter, i: Instruction, size: number): void {
  if (isRegister(i)) e.pushRegister(i.rm, size);
  else e.load(size);
}

// Pops into the rm operand, through a local.
function popRm(e: Emitter, i: Instruction, size: number): void {
  if (isRegister(i)) {
    e.popRegister(i.rm, size);
    return;
  }
  const local = size === 8 ? I64_C : I32_B;
  e.code.set(local);
  e.store(size, () => e.code.get(local));
}

// ---- Arithmetic.

const FORM_RM = 1;
const FORM_MR = 2;
const FORM_RI = 3;
const FORM_MI = 4;

function arithmetic(e: Emitter, i: Instruction, form: number, kind: number): boolean {
  const { size } = i;
  const toMemory = form === FORM_MR || form === FORM_MI;
  if (toMemory || form === FORM_RM) e.accessOperand(i, size, toMemory && kind !== CMP);
  const target = form === FORM_RM ? i.reg : i.rm;
  const first = () => (toMemory ? e.load(size) : e.pushRegister(target, size));
  const second = () => {
    if (form === FORM_RM) e.load(size);
    else if (form === FORM_RI || form === FORM_MI) pushImmediate(e, i, size);
    else e.pushRegister(i.reg, size);
  };
  const put = () => {
    if (!toMemory) {
      e.popRegister(target, size);
      return;
    }
    const local = size === 8 ? I64_C : I32_B;
    e.code.set(local);
    e.store(size, () => e.code.get(local));
  };
  binary(e, kind, size, first, second, kind === CMP ? null : put, form === 0 && i.reg === i.rm);
  return true;
}

// first KIND second, with the flags; `put` pops the result.
function binary(
  e: Emitter,
  kind: number,
  size: number,
  first: () => void,
  second: () => void,
  put: (() => void) | null,
  same: boolean,
): void {
  const { code } = e;
  const logic = kind === OR || kind === AND || kind === 6;
  const opcode =
    kind === ADD || kind === ADC
      ? wide(size, W.I32_ADD, W.I64_ADD)
      : kind === OR
        ? wide(size, W.I32_OR, W.I64_OR)
        : kind === AND
          ? wide(size, W.I32_AND, W.I64_AND)
          : kind === 6
            ? wide(size, W.I32_XOR, W.I64_XOR)
            : wide(size, W.I32_SUB, W.I64_SUB);
  const carried = kind === ADC || kind === SBB;
  if (!e.flagsLive && !carried) {
    if (put === null) return;
    if (kind === 6 && same) e.pushConstant(0, size);
    else {
      first();
      second();
      code.op(opcode);
    }
    e.mask(size);
    put();
    return;
  }
  if (logic) {
    if (kind === 6 && same) e.pushConstant(0, size);
    else {
      first();
      second();
      code.op(opcode);
    }
    // Operands are masked, and so is what comes of them.
    e.widen(size);
    if (put === null) code.set(CC_RESULT);
    else {
      code.tee(CC_RESULT);
      e.narrow(size);
      put();
    }
    e.setFlags({ kind: CC_LOGIC, log: logOf(size) });
    return;
  }
  if (carried) {
    pushCarry64(e);
    code.set(I64_A);
  }
  first();
  e.widen(size);
  // The operands may be what the old flags follow from: both are pushed before either is set.
  second();
  e.widen(size);
  code.set(CC_SRC2);
  code.set(CC_SRC1);
  code.get(CC_SRC1);
  e.narrow(size);
  code.get(CC_SRC2);
  e.narrow(size);
  code.op(opcode);
  if (carried) {
    code.get(I64_A);
    e.narrow(size);
    code.op(opcode);
  }
  e.mask(size);
  e.widen(size);
  if (put === null) code.set(CC_RESULT);
  else {
    code.tee(CC_RESULT);
    e.narrow(size);
    put();
  }
  const log = logOf(size);
  if (kind === ADD) e.setFlags({ kind: CC_ADD, log, plain: true });
  else if (kind === ADC) e.setFlags({ kind: CC_ADD, log });
  else if (kind === SBB) e.setFlags({ kind: CC_SBB, log });
  else e.setFlags({ kind: CC_SUB, log });
}

function test(e: Emitter, i: Instruction): boolean {
  const { op, size } = i;
  const inMemory = (op >= OP_TEST_MR && op < OP_TEST_RI) || op >= OP_TEST_MI;
  if (inMemory) e.accessOperand(i, size, false);
  if (!e.flagsLive) return true;
  if (op < OP_TEST_MR && i.reg === i.rm) e.pushRegister(i.rm, size);
  else {
    if (inMemory) e.load(size);
    else e.pushRegister(i.rm, size);
    if (op < OP_TEST_RI) e.pushRegister(i.reg, size);
    else pushImmediate(e, i, size);
    e.code.op(wide(size, W.I32_AND, W.I64_AND));
  }
  e.widen(size);
  e.code.set(CC_RESULT);
  e.setFlags({ kind: CC_LOGIC, log: logOf(size) });
  return true;
}

function move(e: Emitter, i: Instruction): boolean {
  const { op, size } = i;
  if (op < OP_MOV_RM) {
    e.pushRegister(i.reg, size);
    e.popRegister(i.rm, size);
  } else if (op < OP_MOV_MR) {
    e.accessOperand(i, size, false);
    e.load(size);
    e.popRegister(i.reg, size);
  } else if (op < OP_MOV_RI) {
    e.accessOperand(i, size, true);
    e.store(size, () => e.pushRegister(i.reg, size));
  } else if (op < OP_MOV_MI) {
    pushImmediate(e, i, size);
    e.popRegister(i.rm, size);
  } else {
    e.accessOperand(i, size, true);
    e.store(size, () => pushImmediate(e, i, size));
  }
  return true;
}

// INC and DEC keep CF.
function step(e: Emitter, i: Instruction): boolean {
  const { op, size } = i;
  const up = op < OP_DEC_R || (op >= OP_INC_M && op < OP_DEC_M);
  accessRm(e, i, size, true);
  const { code } = e;
  if (e.flagsLive) {
    pushCarry64(e);
    code.set(CC_SRC1);
    code.i64(0);
    code.set(CC_SRC2);
  }
  pushRm(e, i, size);
  e.pushConstant(1, size);
  code.op(up ? wide(size, W.I32_ADD, W.I64_ADD) : wide(size, W.I32_SUB, W.I64_SUB));
  e.mask(size);
  if (e.flagsLive) {
    e.widen(size);
    code.tee(CC_RESULT);
    e.narrow(size);
  }
  popRm(e, i, size);
  if (e.flagsLive) e.setFlags({ kind: up ? CC_INC : CC_DEC, log: logOf(size) });
  return true;
}

function loadAddress(e: Emitter, i: Instruction): boolean {
  if (i.addressSize === 2) return false;
  e.pushOffset(i);
  if (i.addressSize === 4 && i.size === 8) {
    e.code.i64(0xffffffff);
    e.code.op(W.I64_AND);
  }
  e.narrow(i.size);
  e.mask(i.size);
  e.popRegister(i.reg, i.size);
  return true;
}

function extend(e: Emitter, i: Instruction): boolean {
  const { op } = i;
  const source = op < OP_MOVZX16 ? 1 : op < OP_MOVSX8_32 ? 2 : op < OP_MOVSX16_32 ? 1 : op < OP_MOVSX32_64 ? 2 : 4;
  accessRm(e, i, source, false);
  pushRm(e, i, source);
  const { code } = e;
  if (op < OP_MOVSX8_32) {
    e.popRegister(i.reg & ~7, 4);
    return true;
  }
  if (source === 1) code.op(W.I32_EXTEND8_S);
  else if (source === 2) code.op(W.I32_EXTEND16_S);
  if (op < OP_MOVSX8_64 || (op >= OP_MOVSX16_32 && op < OP_MOVSX16_64)) e.popRegister(i.reg, 4);
  else {
    code.op(W.I64_EXTEND_I32_S);
    e.popRegister(i.reg, 8);
  }
  return true;
}

// ---- The stack, of 64-bit mode and of flat 32-bit code.

/** Leaves the linear address of a new top of the stack in LINEAR, and makes it accessible. */
export function accessPush(e: Emitter, i: Instruction): void {
  const { code } = e;
  code.get(e.gpr(RSP));
  code.i64(-i.size);
  code.op(W.I64_ADD);
  truncate(e);
  code.set(LINEAR);
  e.access(i, i.size, true);
}

/** After accessPush: RSP is at LINEAR. */
export function finishPush(e: Emitter): void {
  e.code.get(LINEAR);
  e.code.set(e.gprWritten(RSP));
}

/** Makes the top of the stack accessible for reading. */
export function accessTop(e: Emitter, i: Instruction): void {
  e.code.get(e.gpr(RSP));
  truncate(e);
  e.code.set(LINEAR);
  e.access(i, i.size, false);
}

/** RSP goes up. */
export function release(e: Emitter, bytes: number): void {
  const { code } = e;
  const local = e.gprWritten(RSP);
  code.get(local);
  code.i64(bytes);
  code.op(W.I64_ADD);
  truncate(e);
  code.set(local);
}

function truncate(e: Emitter): void {
  if (!e.truncates) return;
  e.code.i64(0xffffffff);
  e.code.op(W.I64_AND);
}

function stack(e: Emitter, i: Instruction): boolean {
  const { op, size } = i;
  const { code } = e;
  const value = size === 8 ? I64_A : I32_A;
  switch (op) {
    case OP_PUSH64_R:
      accessPush(e, i);
      e.store(size, () => e.pushRegister(i.rm, size));
      finishPush(e);
      return true;
    case OP_PUSH64_I:
      accessPush(e, i);
      e.store(size, () => pushImmediate(e, i, size));
      finishPush(e);
      return true;
    case OP_PUSH64_M:
      e.accessOperand(i, size, false);
      e.load(size);
      code.set(value);
      accessPush(e, i);
      e.store(size, () => code.get(value));
      finishPush(e);
      return true;
    case OP_POP64_R:
      accessTop(e, i);
      e.load(size);
      code.set(value);
      release(e, size);
      code.get(value);
      e.popRegister(i.rm, size);
      return true;
    case OP_LEAVE64:
      code.get(e.gpr(RBP));
      truncate(e);
      code.set(LINEAR);
      e.access(i, size, false);
      e.load(size);
      e.popRegister(RBP * 8, size);
      code.get(LINEAR);
      code.i64(size);
      code.op(W.I64_ADD);
      truncate(e);
      code.set(e.gprWritten(RSP));
      return true;
    default:
      return false;
  }
}

// ---- Shifts and rotates.

function shiftRegister(e: Emitter, i: Instruction): boolean {
  const { op } = i;
  const size = i.size;
  if (op >= OP_SHL_CL) {
    const kind = op < OP_SHR_CL ? SHL : op < OP_SAR_CL ? SHR : SAR;
    return shiftByRegister(e, i, kind, size);
  }
  const kind = op < OP_SHR_I ? SHL : op < OP_SAR_I ? SHR : op < OP_ROL_I ? SAR : op < OP_ROR_I ? ROL : ROR;
  return shiftByConstant(e, i, kind, size, i.immLow & (size === 8 ? 63 : 31));
}

// By 1 to 31 or 63; smaller operands may lose all their bits.
function shiftByConstant(e: Emitter, i: Instruction, kind: number, size: number, count: number): boolean {
  const { code } = e;
  if (kind === ROL || kind === ROR) {
    if (size < 4) return false;
    if (e.flagsLive && !followsResult(e.flags)) return false;
    accessRm(e, i, size, true);
    pushRm(e, i, size);
    e.pushConstant(count, size);
    code.op(kind === ROL ? wide(size, W.I32_ROTL, W.I64_ROTL) : wide(size, W.I32_ROTR, W.I64_ROTR));
    if (!e.flagsLive || e.flags === null) {
      popRm(e, i, size);
      return true;
    }
    const value = size === 8 ? I64_A : I32_A;
    code.set(value);
    rotateFlags(e, kind, size, value, e.flags.log);
    code.get(value);
    popRm(e, i, size);
    return true;
  }
  accessRm(e, i, size, true);
  const value = size === 8 ? I64_A : I32_A;
  pushRm(e, i, size);
  if (!e.flagsLive) {
    pushShift(e, kind, size, () => e.pushConstant(count, size));
    popRm(e, i, size);
    return true;
  }
  code.set(value);
  code.get(value);
  pushShift(e, kind, size, () => e.pushConstant(count, size));
  e.widen(size);
  code.set(CC_RESULT);
  shiftFlags(e, kind, size, value, () => e.pushConstant(count, size), count);
  code.get(CC_RESULT);
  e.narrow(size);
  popRm(e, i, size);
  e.setFlags({ kind: CC_EXPLICIT, log: logOf(size) });
  return true;
}

// From a value to the value shifted. Counts that are too large for wasm's shift are below 32 for operands of 8 and 16 bits.
function pushShift(e: Emitter, kind: number, size: number, count: () => void): void {
  const { code } = e;
  if (kind === SAR && size < 4) code.op(size === 1 ? W.I32_EXTEND8_S : W.I32_EXTEND16_S);
  count();
  code.op(
    kind === SHL
      ? wide(size, W.I32_SHL, W.I64_SHL)
      : kind === SHR
        ? wide(size, W.I32_SHR_U, W.I64_SHR_U)
        : wide(size, W.I32_SHR_S, W.I64_SHR_S),
  );
  e.mask(size);
}

// CC_SRC1 and CC_SRC2 after a shift of `value` (a local) by a count that is not 0; the result is in CC_RESULT.
function shiftFlags(e: Emitter, kind: number, size: number, value: number, count: () => void, known: number): void {
  const { code } = e;
  const bits = size * 8;
  // CF: the last bit that went out.
  if (kind === SHL) {
    if (known > bits) code.i64(0);
    else {
      code.get(value);
      e.pushConstant(bits, size === 8 ? 8 : 4);
      count();
      code.op(wide(size, W.I32_SUB, W.I64_SUB), wide(size, W.I32_SHR_U, W.I64_SHR_U));
      e.pushConstant(1, size === 8 ? 8 : 4);
      code.op(wide(size, W.I32_AND, W.I64_AND));
      e.widen(size);
    }
  } else {
    code.get(value);
    if (kind === SAR && size < 4) code.op(size === 1 ? W.I32_EXTEND8_S : W.I32_EXTEND16_S);
    count();
    e.pushConstant(1, size === 8 ? 8 : 4);
    code.op(
      wide(size, W.I32_SUB, W.I64_SUB),
      kind === SHR ? wide(size, W.I32_SHR_U, W.I64_SHR_U) : wide(size, W.I32_SHR_S, W.I64_SHR_S),
    );
    e.pushConstant(1, size === 8 ? 8 : 4);
    code.op(wide(size, W.I32_AND, W.I64_AND));
    e.widen(size);
  }
  code.set(CC_SRC1);
  // OF.
  if (kind === SAR) code.i64(0);
  else {
    code.get(CC_RESULT);
    if (kind === SHR) {
      code.i64(bits - 2);
      code.op(W.I64_SHR_U);
      code.i64(1);
      code.op(W.I64_AND);
    } else {
      code.i64(bits - 1);
      code.op(W.I64_SHR_U);
      code.get(CC_SRC1);
      code.op(W.I64_XOR);
    }
  }
  code.set(CC_SRC2);
}

// CF and OF of a rotate whose result is in `value`; the other flags stay as they are.
function rotateFlags(e: Emitter, kind: number, size: number, value: number, log: number): void {
  const { code, flags } = e;
  if (flags === null) return;
  const bits = size * 8;
  const top = (distance: number) => {
    code.get(value);
    e.widen(size);
    code.i64(bits - distance);
    code.op(W.I64_SHR_U);
    code.i64(1);
    code.op(W.I64_AND);
  };
  pushAuxiliary(e, flags);
  if (kind === ROL) {
    top(bits);
    top(1);
  } else {
    top(1);
    top(2);
  }
  code.op(W.I64_XOR, W.I64_OR);
  code.set(CC_SRC2);
  if (kind === ROL) top(bits);
  else top(1);
  code.set(CC_SRC1);
  // Where the result was not masked to its size (it is for all kinds), nothing else would change.
  e.setFlags({ kind: CC_EXPLICIT, log });
}

// By CL: of 32 and 64 bits, where wasm masks the count as x86 does.
function shiftByRegister(e: Emitter, i: Instruction, kind: number, size: number): boolean {
  if (size < 4 || (kind !== SHL && kind !== SHR && kind !== SAR)) return false;
  const { code } = e;
  accessRm(e, i, size, true);
  const count = () => {
    code.get(e.gpr(RCX));
    e.narrow(size);
  };
  pushRm(e, i, size);
  if (!e.flagsLive) {
    pushShift(e, kind, size, count);
    popRm(e, i, size);
    return true;
  }
  const value = size === 8 ? I64_A : I32_A;
  code.set(value);
  // By 0 the flags stay as they are.
  code.get(e.gpr(RCX));
  code.i64(size === 8 ? 63 : 31);
  code.op(W.I64_AND);
  code.tee(I64_B);
  code.op(W.I64_EQZ, W.I32_EQZ);
  code.if();
  code.get(value);
  pushShift(e, kind, size, count);
  e.widen(size);
  code.set(CC_RESULT);
  const masked = () => {
    code.get(I64_B);
    e.narrow(size);
  };
  shiftFlags(e, kind, size, value, masked, 0);
  e.setFlags({ kind: CC_EXPLICIT, log: logOf(size) });
  code.end();
  e.flags = null;
  code.get(value);
  pushShift(e, kind, size, count);
  popRm(e, i, size);
  return true;
}

// The general form: any size, register or memory, by a constant or CL.
function shiftGeneral(e: Emitter, i: Instruction): boolean {
  const kind = i.op - OP_SHIFT;
  if (kind === 2 || kind === 3) return false;
  if (i.immLow === 0x100) return shiftByRegister(e, i, kind === 6 ? SHL : kind, i.size);
  const count = i.immLow & (i.size === 8 ? 63 : 31);
  if (count === 0) return false;
  return shiftByConstant(e, i, kind === 6 ? SHL : kind, i.size, count);
}

// SHLD and SHRD of 32 and 64 bits by a constant.
function shiftDouble(e: Emitter, i: Instruction): boolean {
  const { size } = i;
  if (size < 4 || i.immLow === 0x100) return false;
  const count = i.immLow & (size === 8 ? 63 : 31);
  if (count === 0) return false;
  const right = i.op === OP_SHRD;
  const { code } = e;
  const bits = size * 8;
  accessRm(e, i, size, true);
  const value = size === 8 ? I64_A : I32_A;
  pushRm(e, i, size);
  code.tee(value);
  e.pushConstant(count, size);
  code.op(right ? wide(size, W.I32_SHR_U, W.I64_SHR_U) : wide(size, W.I32_SHL, W.I64_SHL));
  e.pushRegister(i.reg, size);
  e.pushConstant(bits - count, size);
  code.op(
    right ? wide(size, W.I32_SHL, W.I64_SHL) : wide(size, W.I32_SHR_U, W.I64_SHR_U),
    wide(size, W.I32_OR, W.I64_OR),
  );
  if (!e.flagsLive) {
    popRm(e, i, size);
    return true;
  }
  e.widen(size);
  code.set(CC_RESULT);
  code.get(value);
  e.widen(size);
  code.i64(right ? count - 1 : bits - count);
  code.op(W.I64_SHR_U);
  code.i64(1);
  code.op(W.I64_AND);
  code.set(CC_SRC1);
  code.get(value);
  e.widen(size);
  code.get(CC_RESULT);
  code.op(W.I64_XOR);
  code.i64(bits - 1);
  code.op(W.I64_SHR_U);
  code.set(CC_SRC2);
  code.get(CC_RESULT);
  e.narrow(size);
  popRm(e, i, size);
  e.setFlags({ kind: CC_EXPLICIT, log: logOf(size) });
  return true;
}

// ---- Products and quotients.

// Pushes the upper half of the unsigned 128-bit product of two i64 locals.
export function pushHighProduct(e: Emitter, a: number, b: number): void {
  const { code } = e;
  const low = (local: number) => {
    code.get(local);
    code.i64(0xffffffff);
    code.op(W.I64_AND);
  };
  const high = (local: number) => {
    code.get(local);
    code.i64(32);
    code.op(W.I64_SHR_U);
  };
  // middle = a1 * b0 + (a0 * b0 >> 32)
  high(a);
  low(b);
  code.op(W.I64_MUL);
  low(a);
  low(b);
  code.op(W.I64_MUL);
  code.i64(32);
  code.op(W.I64_SHR_U, W.I64_ADD);
  code.set(I64_C);
  // a1 * b1 + (middle >> 32) + (a0 * b1 + (middle & 0xffffffff) >> 32)
  high(a);
  high(b);
  code.op(W.I64_MUL);
  high(I64_C);
  code.op(W.I64_ADD);
  low(a);
  high(b);
  code.op(W.I64_MUL);
  low(I64_C);
  code.op(W.I64_ADD);
  code.i64(32);
  code.op(W.I64_SHR_U, W.I64_ADD);
}

// Likewise of the signed product.
function pushHighProductSigned(e: Emitter, a: number, b: number): void {
  const { code } = e;
  pushHighProduct(e, a, b);
  for (const [sign, other] of [
    [a, b],
    [b, a],
  ]) {
    code.get(sign);
    code.i64(63);
    code.op(W.I64_SHR_S);
    code.get(other);
    code.op(W.I64_AND, W.I64_SUB);
  }
}

// CF and OF of a product: an i32 says whether it was too large for the result, which is in CC_RESULT.
function productFlags(e: Emitter, size: number): void {
  const { code } = e;
  code.op(W.I64_EXTEND_I32_U);
  code.set(CC_SRC1);
  code.get(CC_SRC1);
  code.set(CC_SRC2);
  e.setFlags({ kind: CC_EXPLICIT, log: logOf(size) });
}

// IMUL with two or three operands, of 32 and 64 bits.
function multiplyTruncated(e: Emitter, i: Instruction): boolean {
  const { op, size } = i;
  const { code } = e;
  accessRm(e, i, size, false);
  const first = () => {
    if (op < OP_IMUL_I) e.pushRegister(i.reg, size);
    else pushImmediate(e, i, size);
  };
  if (!e.flagsLive) {
    first();
    pushRm(e, i, size);
    code.op(wide(size, W.I32_MUL, W.I64_MUL));
    e.popRegister(i.reg, size);
    return true;
  }
  if (size === 4) {
    first();
    code.op(W.I64_EXTEND_I32_S);
    pushRm(e, i, size);
    code.op(W.I64_EXTEND_I32_S, W.I64_MUL);
    code.tee(I64_A);
    code.op(W.I32_WRAP_I64, W.I64_EXTEND_I32_U);
    code.set(CC_RESULT);
    code.get(I64_A);
    code.get(I64_A);
    code.op(W.I64_EXTEND32_S, W.I64_NE);
  } else {
    first();
    code.set(I64_A);
    pushRm(e, i, size);
    code.set(I64_B);
    code.get(I64_A);
    code.get(I64_B);
    code.op(W.I64_MUL);
    code.set(CC_RESULT);
    pushHighProductSigned(e, I64_A, I64_B);
    code.get(CC_RESULT);
    code.i64(63);
    code.op(W.I64_SHR_S, W.I64_NE);
  }
  productFlags(e, size);
  code.get(CC_RESULT);
  e.narrow(size);
  e.popRegister(i.reg, size);
  return true;
}

// MUL and IMUL with one operand: RDX:RAX, of 32 and 64 bits.
function multiplyWide(e: Emitter, i: Instruction): boolean {
  const { size } = i;
  if (size < 4) return false;
  const signed = i.op === OP_IMUL1;
  const { code } = e;
  accessRm(e, i, size, false);
  if (size === 4) {
    const extension = signed ? W.I64_EXTEND_I32_S : W.I64_EXTEND_I32_U;
    e.pushRegister(RAX * 8, 4);
    code.op(extension);
    pushRm(e, i, 4);
    code.op(extension, W.I64_MUL);
    code.set(I64_A);
    if (e.flagsLive) {
      code.get(I64_A);
      code.op(W.I32_WRAP_I64, W.I64_EXTEND_I32_U);
      code.set(CC_RESULT);
      code.get(I64_A);
      if (signed) {
        code.get(I64_A);
        code.op(W.I64_EXTEND32_S, W.I64_NE);
      } else {
        code.i64(32);
        code.op(W.I64_SHR_U, W.I64_EQZ, W.I32_EQZ);
      }
      productFlags(e, 4);
    }
    code.get(I64_A);
    code.op(W.I32_WRAP_I64);
    e.popRegister(RAX * 8, 4);
    code.get(I64_A);
    code.i64(32);
    code.op(W.I64_SHR_U);
    code.set(e.gprWritten(RDX));
    return true;
  }
  e.pushRegister(RAX * 8, 8);
  code.set(I64_A);
  pushRm(e, i, 8);
  code.set(I64_B);
  if (signed) pushHighProductSigned(e, I64_A, I64_B);
  else pushHighProduct(e, I64_A, I64_B);
  code.set(e.gprWritten(RDX));
  code.get(I64_A);
  code.get(I64_B);
  code.op(W.I64_MUL);
  code.set(e.gprWritten(RAX));
  if (e.flagsLive) {
    code.get(e.gpr(RAX));
    code.set(CC_RESULT);
    code.get(e.gpr(RDX));
    if (signed) {
      code.get(e.gpr(RAX));
      code.i64(63);
      code.op(W.I64_SHR_S, W.I64_NE);
    } else code.op(W.I64_EQZ, W.I32_EQZ);
    productFlags(e, 8);
  }
  return true;
}

// DIV and IDIV of 32 and 64 bits. What raises #DE, and 128-bit dividends, are the interpreter's: it leaves for them.
function divide(e: Emitter, i: Instruction): boolean {
  const { size } = i;
  if (size < 4) return false;
  const signed = i.op === OP_IDIV;
  const { code } = e;
  accessRm(e, i, size, false);
  pushRm(e, i, size);
  if (size === 4) code.op(signed ? W.I64_EXTEND_I32_S : W.I64_EXTEND_I32_U);
  code.set(I64_B);
  // The dividend in 64 bits.
  if (size === 4) {
    code.get(e.gpr(RDX));
    code.i64(32);
    code.op(W.I64_SHL);
    e.pushRegister(RAX * 8, 4);
    code.op(W.I64_EXTEND_I32_U, W.I64_OR);
  } else code.get(e.gpr(RAX));
  code.set(I64_A);
  code.get(I64_B);
  code.op(W.I64_EQZ);
  if (size === 8) {
    // The upper half must be the lower one's extension.
    code.get(e.gpr(RDX));
    if (signed) {
      code.get(I64_A);
      code.i64(63);
      code.op(W.I64_SHR_S, W.I64_NE);
    } else code.op(W.I64_EQZ, W.I32_EQZ);
    code.op(W.I32_OR);
  }
  if (signed) {
    // The least number by -1 overflows.
    code.get(I64_A);
    code.i64(-0x8000_0000_0000_0000n);
    code.op(W.I64_EQ);
    code.get(I64_B);
    code.i64(-1);
    code.op(W.I64_EQ, W.I32_AND, W.I32_OR);
  }
  code.if();
  e.leaveBefore(i);
  code.end();
  code.get(I64_A);
  code.get(I64_B);
  code.op(signed ? W.I64_DIV_S : W.I64_DIV_U);
  code.set(I64_C);
  if (size === 4) {
    code.get(I64_C);
    if (signed) {
      code.get(I64_C);
      code.op(W.I64_EXTEND32_S, W.I64_NE);
    } else {
      code.i64(32);
      code.op(W.I64_SHR_U, W.I64_EQZ, W.I32_EQZ);
    }
    code.if();
    e.leaveBefore(i);
    code.end();
  }
  code.get(I64_A);
  code.get(I64_B);
  code.op(signed ? W.I64_REM_S : W.I64_REM_U);
  if (size === 4) code.op(W.I32_WRAP_I64, W.I64_EXTEND_I32_U);
  code.set(e.gprWritten(RDX));
  code.get(I64_C);
  if (size === 4) code.op(W.I32_WRAP_I64, W.I64_EXTEND_I32_U);
  code.set(e.gprWritten(RAX));
  return true;
}

// ---- The rest.

function other(e: Emitter, i: Instruction): boolean {
  const { op, size } = i;
  const { code } = e;
  if (op < OP_SETCC_R) return conditionalMove(e, i);
  if (op >= OP_NEG_R && op < OP_NOT_R) return negate(e, i);
  if (op >= OP_NOT_R && op < OP_CDQE) return complement(e, i);
  if (op >= OP_SHIFT && op < OP_SHIFT + 8) return shiftGeneral(e, i);
  switch (op) {
    case OP_SETCC_R:
      pushCondition(e, i.immLow & 15);
      e.popRegister(i.rm, 1);
      return true;
    case OP_SETCC_M:
      e.accessOperand(i, 1, true);
      e.store(1, () => pushCondition(e, i.immLow & 15));
      return true;
    case OP_CDQE:
      code.get(e.gpr(RAX));
      code.op(W.I64_EXTEND32_S);
      code.set(e.gprWritten(RAX));
      return true;
    case OP_CWDE:
      code.get(e.gpr(RAX));
      code.op(W.I32_WRAP_I64, W.I32_EXTEND16_S);
      e.popRegister(RAX * 8, 4);
      return true;
    case OP_CBW:
      code.get(e.gpr(RAX));
      code.op(W.I32_WRAP_I64, W.I32_EXTEND8_S);
      e.mask(2);
      e.popRegister(RAX * 8, 2);
      return true;
    case OP_CDQ:
      code.get(e.gpr(RAX));
      code.op(W.I32_WRAP_I64);
      code.i32(31);
      code.op(W.I32_SHR_S);
      e.popRegister(RDX * 8, 4);
      return true;
    case OP_CQO:
      code.get(e.gpr(RAX));
      code.i64(63);
      code.op(W.I64_SHR_S);
      code.set(e.gprWritten(RDX));
      return true;
    case OP_NOP:
      return true;
    case OP_NEG:
      return negate(e, i);
    case OP_NOT:
      return complement(e, i);
    case OP_MUL:
    case OP_IMUL1:
      return multiplyWide(e, i);
    case OP_DIV:
    case OP_IDIV:
      return divide(e, i);
    case OP_SHLD:
    case OP_SHRD:
      return shiftDouble(e, i);
    case OP_XCHG:
      accessRm(e, i, size, true);
      pushRm(e, i, size);
      code.set(size === 8 ? I64_A : I32_A);
      e.pushRegister(i.reg, size);
      popRm(e, i, size);
      code.get(size === 8 ? I64_A : I32_A);
      e.popRegister(i.reg, size);
      return true;
    case OP_XADD:
      return exchangeAdd(e, i);
    case OP_CMPXCHG:
      return compareExchange(e, i);
    case OP_BSF:
    case OP_BSR:
      return bitScan(e, i);
    case OP_TZCNT:
    case OP_LZCNT:
      return countZeros(e, i);
    case OP_BSWAP:
      return swapBytes(e, i);
    case OP_RORX:
    case OP_SARX:
    case OP_SHLX:
    case OP_SHRX:
      return shiftWithoutFlags(e, i);
    default:
      if (op >= OP_BT && op < OP_BT_I + 4) return bitTest(e, i);
      return false;
  }
}

// A false condition clears the upper half of a 32-bit destination all the same.
function conditionalMove(e: Emitter, i: Instruction): boolean {
  const { size } = i;
  if (size < 4) return false;
  accessRm(e, i, size, false);
  pushRm(e, i, size);
  e.pushRegister(i.reg, size);
  pushCondition(e, i.immLow & 15);
  e.code.op(W.SELECT);
  e.popRegister(i.reg, size);
  return true;
}

function negate(e: Emitter, i: Instruction): boolean {
  const { size } = i;
  accessRm(e, i, size, true);
  binary(
    e,
    SUB,
    size,
    () => e.pushConstant(0, size),
    () => pushRm(e, i, size),
    () => popRm(e, i, size),
    false,
  );
  return true;
}

function complement(e: Emitter, i: Instruction): boolean {
  const { size } = i;
  accessRm(e, i, size, true);
  pushRm(e, i, size);
  e.pushConstant(-1, size);
  e.code.op(wide(size, W.I32_XOR, W.I64_XOR));
  popRm(e, i, size);
  return true;
}

function exchangeAdd(e: Emitter, i: Instruction): boolean {
  const { size } = i;
  const { code } = e;
  if (isRegister(i)) return false;
  accessRm(e, i, size, true);
  const old = size === 8 ? I64_B : I32_A;
  e.load(size);
  code.set(old);
  binary(
    e,
    ADD,
    size,
    () => code.get(old),
    () => e.pushRegister(i.reg, size),
    () => popRm(e, i, size),
    false,
  );
  code.get(old);
  e.popRegister(i.reg, size);
  return true;
}

function compareExchange(e: Emitter, i: Instruction): boolean {
  const { size } = i;
  const { code } = e;
  if (isRegister(i) || size < 4) return false;
  accessRm(e, i, size, true);
  const old = size === 8 ? I64_B : I32_A;
  e.load(size);
  code.set(old);
  const value = size === 8 ? I64_C : I32_B;
  // The operand is written in both cases, with what it was where the comparison fails.
  e.pushRegister(i.reg, size);
  code.get(old);
  e.pushRegister(RAX * 8, size);
  code.get(old);
  code.op(wide(size, W.I32_EQ, W.I64_EQ), W.SELECT);
  code.set(value);
  e.store(size, () => code.get(value));
  // RAX keeps its upper half where the comparison holds.
  code.get(e.gpr(RAX));
  code.get(old);
  e.widen(size);
  e.pushRegister(RAX * 8, size);
  code.get(old);
  code.op(wide(size, W.I32_EQ, W.I64_EQ), W.SELECT);
  code.set(I64_A);
  const kept = e.flagsLive;
  if (kept)
    binary(
      e,
      CMP,
      size,
      () => e.pushRegister(RAX * 8, size),
      () => code.get(old),
      null,
      false,
    );
  code.get(I64_A);
  code.set(e.gprWritten(RAX));
  return true;
}

function bitScan(e: Emitter, i: Instruction): boolean {
  const { size } = i;
  if (size < 4) return false;
  const { code } = e;
  const value = size === 8 ? I64_A : I32_A;
  accessRm(e, i, size, false);
  pushRm(e, i, size);
  code.set(value);
  // Of zero the destination stays as it is, all 64 bits of it.
  code.get(value);
  code.op(wide(size, W.I32_EQZ, W.I64_EQZ), W.I32_EQZ);
  code.if();
  if (i.op === OP_BSF) {
    code.get(value);
    code.op(wide(size, W.I32_CTZ, W.I64_CTZ));
  } else {
    e.pushConstant(size * 8 - 1, size);
    code.get(value);
    code.op(wide(size, W.I32_CLZ, W.I64_CLZ), wide(size, W.I32_SUB, W.I64_SUB));
  }
  e.popRegister(i.reg, size);
  code.end();
  if (e.flagsLive) {
    code.get(value);
    e.widen(size);
    code.set(CC_RESULT);
    e.setFlags({ kind: CC_LOGIC, log: logOf(size) });
  }
  return true;
}

function countZeros(e: Emitter, i: Instruction): boolean {
  const { size } = i;
  if (size < 4) return false;
  const { code } = e;
  accessRm(e, i, size, false);
  pushRm(e, i, size);
  const value = size === 8 ? I64_A : I32_A;
  code.tee(value);
  code.op(i.op === OP_TZCNT ? wide(size, W.I32_CTZ, W.I64_CTZ) : wide(size, W.I32_CLZ, W.I64_CLZ));
  if (e.flagsLive) {
    e.widen(size);
    code.tee(CC_RESULT);
    e.narrow(size);
    code.get(value);
    code.op(wide(size, W.I32_EQZ, W.I64_EQZ), W.I64_EXTEND_I32_U);
    code.set(CC_SRC1);
    code.i64(0);
    code.set(CC_SRC2);
  }
  e.popRegister(i.reg, size);
  if (e.flagsLive) e.setFlags({ kind: CC_EXPLICIT, log: logOf(size) });
  return true;
}

function swapBytes(e: Emitter, i: Instruction): boolean {
  const { size } = i;
  if (size < 4) return false;
  const { code } = e;
  const value = size === 8 ? I64_A : I32_A;
  const steps: readonly (readonly [number, bigint])[] =
    size === 8
      ? [
          [8, 0x00ff00ff00ff00ffn],
          [16, 0x0000ffff0000ffffn],
        ]
      : [[8, 0x00ff00ffn]];
  e.pushRegister(i.rm, size);
  for (const [distance, pattern] of steps) {
    code.set(value);
    code.get(value);
    e.pushConstant(distance, size);
    code.op(wide(size, W.I32_SHR_U, W.I64_SHR_U));
    e.pushConstant(pattern, size);
    code.op(wide(size, W.I32_AND, W.I64_AND));
    code.get(value);
    e.pushConstant(pattern, size);
    code.op(wide(size, W.I32_AND, W.I64_AND));
    e.pushConstant(distance, size);
    code.op(wide(size, W.I32_SHL, W.I64_SHL), wide(size, W.I32_OR, W.I64_OR));
  }
  e.pushConstant(size === 8 ? 32 : 16, size);
  code.op(wide(size, W.I32_ROTL, W.I64_ROTL));
  e.popRegister(i.rm, size);
  return true;
}

// RORX by a constant; SARX, SHLX and SHRX by the register in VEX.vvvv.
function shiftWithoutFlags(e: Emitter, i: Instruction): boolean {
  const { op, size } = i;
  const { code } = e;
  accessRm(e, i, size, false);
  pushRm(e, i, size);
  if (op === OP_RORX) {
    e.pushConstant(i.immLow & (size * 8 - 1), size);
    code.op(wide(size, W.I32_ROTR, W.I64_ROTR));
  } else {
    e.pushRegister(i.aux, size);
    code.op(
      op === OP_SHLX
        ? wide(size, W.I32_SHL, W.I64_SHL)
        : op === OP_SHRX
          ? wide(size, W.I32_SHR_U, W.I64_SHR_U)
          : wide(size, W.I32_SHR_S, W.I64_SHR_S),
    );
  }
  e.popRegister(i.reg, size);
  return true;
}

// BT, BTS, BTR and BTC of registers, and of memory by a constant: CF is the bit, the other flags stay.
function bitTest(e: Emitter, i: Instruction): boolean {
  const { size } = i;
  const byConstant = i.op >= OP_BT_I;
  const change = byConstant ? i.op - OP_BT_I : i.op - OP_BT;
  if (size < 4 || (!byConstant && !isRegister(i))) return false;
  if (e.flagsLive && !followsResult(e.flags)) return false;
  const { code } = e;
  accessRm(e, i, size, change !== 0);
  const value = size === 8 ? I64_A : I32_A;
  pushRm(e, i, size);
  code.set(value);
  const bit = () => {
    if (byConstant) e.pushConstant(i.immLow & (size * 8 - 1), size);
    else e.pushRegister(i.reg, size);
  };
  if (e.flags !== null && e.flagsLive) {
    const { flags } = e;
    // OF and AF stay; CC_RESULT has the rest.
    const log = flags.log;
    code.get(value);
    bit();
    code.op(wide(size, W.I32_SHR_U, W.I64_SHR_U));
    e.widen(size);
    code.i64(1);
    code.op(W.I64_AND);
    pushAuxiliary(e, flags);
    pushCondition(e, 0);
    code.op(W.I64_EXTEND_I32_U, W.I64_OR);
    code.set(CC_SRC2);
    code.set(CC_SRC1);
    e.setFlags({ kind: CC_EXPLICIT, log });
  }
  if (change === 0) return true;
  code.get(value);
  e.pushConstant(1, size);
  bit();
  code.op(wide(size, W.I32_SHL, W.I64_SHL));
  if (change === 2) {
    e.pushConstant(-1, size);
    code.op(wide(size, W.I32_XOR, W.I64_XOR));
  }
  code.op(
    change === 1
      ? wide(size, W.I32_OR, W.I64_OR)
      : change === 2
        ? wide(size, W.I32_AND, W.I64_AND)
        : wide(size, W.I32_XOR, W.I64_XOR),
  );
  popRm(e, i, size);
  return true;
}
