/** BMI1, BMI2, POPCNT and MOVBE. core/bit-manipulation.ts, core/integer.ts. */
import { CC_RESULT, CC_SRC1, CC_SRC2, type Emitter, I32_A, I32_B, I64_A, I64_B, I64_D, RDX } from "./emitter.js";
import { setBits } from "./flags.js";
import type { Instruction } from "./instruction.js";
import { pushHighProduct } from "./integer.js";
import {
  AF,
  CC_EXPLICIT,
  F_MODREG,
  OP_ANDN,
  OP_BEXTR,
  OP_BLSI,
  OP_BLSMSK,
  OP_BLSR,
  OP_BZHI,
  OP_MOVBE_LOAD,
  OP_MOVBE_STORE,
  OP_MULX,
  OP_PDEP,
  OP_PEXT,
  OP_POPCNT,
  ZF,
} from "./operations.js";
import * as W from "./wasm-opcodes.js";

/** False: this operation is the core's. */
export function translateBits(e: Emitter, i: Instruction): boolean {
  switch (i.op) {
    case OP_ANDN:
    case OP_BLSR:
    case OP_BLSMSK:
    case OP_BLSI:
    case OP_BZHI:
      return logic(e, i);
    case OP_BEXTR:
      return extractField(e, i);
    case OP_PDEP:
    case OP_PEXT:
      return gather(e, i);
    case OP_MULX:
      return multiply(e, i);
    case OP_POPCNT:
      return i.size >= 4 && count(e, i);
    case OP_MOVBE_LOAD:
    case OP_MOVBE_STORE:
      return i.size >= 4 && moveSwapped(e, i);
    default:
      return false;
  }
}

const isRegister = (i: Instruction) => (i.flags & F_MODREG) !== 0;
const logOf = (size: number) => 31 - Math.clz32(size);

// Pushes the rm operand, read now.
function pushSource(e: Emitter, i: Instruction): void {
  if (isRegister(i)) e.pushRegister(i.rm, i.size);
  else {
    e.accessOperand(i, i.size, false);
    e.load(i.size);
  }
}

// Pushes the register in VEX.vvvv.
const pushOther = (e: Emitter, i: Instruction) => e.pushRegister(i.aux, i.size);

/** Opcodes of i64 for 8 bytes, else of i32. */
const wide = (i: Instruction, narrow: number, long: number) => (i.size === 8 ? long : narrow);

// OF and AF are clear, ZF, SF and PF follow the result; CF is each one's own.
function logic(e: Emitter, i: Instruction): boolean {
  const { code } = e;
  const { op, size } = i;
  const value = size === 8 ? I64_A : I32_A;
  const result = size === 8 ? I64_B : I32_B;
  const pushIsZero = () => {
    code.get(value);
    code.op(wide(i, W.I32_EQZ, W.I64_EQZ));
  };
  pushSource(e, i);
  code.set(value);
  let carry: () => void = () => code.i32(0);
  let to = i.reg;
  if (op === OP_ANDN) {
    code.get(value);
    pushOther(e, i);
    e.pushConstant(-1, size);
    code.op(wide(i, W.I32_XOR, W.I64_XOR), wide(i, W.I32_AND, W.I64_AND));
  } else if (op === OP_BZHI) {
    const pushIndex = () => {
      code.get(e.gpr(i.aux >> 3));
      code.i64(0xff);
      code.op(W.I64_AND);
    };
    code.get(value);
    e.pushConstant(-1, size);
    pushIndex();
    e.narrow(size);
    code.op(wide(i, W.I32_SHL, W.I64_SHL));
    e.pushConstant(-1, size);
    code.op(wide(i, W.I32_XOR, W.I64_XOR), wide(i, W.I32_AND, W.I64_AND));
    code.get(value);
    pushIndex();
    code.i64(size * 8);
    code.op(W.I64_LT_U, W.SELECT);
    carry = () => {
      // From before the result is written.
      code.get(I64_D);
      code.op(W.I32_WRAP_I64);
    };
    pushIndex();
    code.i64(size * 8);
    code.op(W.I64_GE_U, W.I64_EXTEND_I32_U);
    code.set(I64_D);
  } else {
    to = i.aux;
    code.get(value);
    if (op === OP_BLSI) {
      e.pushConstant(0, size);
      code.get(value);
      code.op(wide(i, W.I32_SUB, W.I64_SUB), wide(i, W.I32_AND, W.I64_AND));
      carry = () => {
        pushIsZero();
        code.op(W.I32_EQZ);
      };
    } else {
      code.get(value);
      e.pushConstant(1, size);
      code.op(wide(i, W.I32_SUB, W.I64_SUB));
      code.op(op === OP_BLSR ? wide(i, W.I32_AND, W.I64_AND) : wide(i, W.I32_XOR, W.I64_XOR));
      carry = pushIsZero;
    }
  }
  code.set(result);
  if (e.flagsLive) {
    code.get(result);
    e.widen(size);
    code.set(CC_RESULT);
    carry();
    code.op(W.I64_EXTEND_I32_U);
    code.set(CC_SRC1);
    code.i64(0);
    code.set(CC_SRC2);
  }
  code.get(result);
  e.popRegister(to, size);
  if (e.flagsLive) e.setFlags({ kind: CC_EXPLICIT, log: logOf(size) });
  return true;
}

// BEXTR: sets AF and clears SF, as processors do.
function extractField(e: Emitter, i: Instruction): boolean {
  const { code } = e;
  const bits = i.size * 8;
  pushSource(e, i);
  e.widen(i.size);
  code.set(I64_A);
  const pushByte = (shift: number) => {
    code.get(e.gpr(i.aux >> 3));
    if (shift !== 0) {
      code.i64(shift);
      code.op(W.I64_SHR_U);
    }
    code.i64(0xff);
    code.op(W.I64_AND);
  };
  // From `start` on.
  code.get(I64_A);
  pushByte(0);
  code.op(W.I64_SHR_U);
  code.i64(0);
  pushByte(0);
  code.i64(bits);
  code.op(W.I64_LT_U, W.SELECT);
  code.set(I64_A);
  // `length` bits of it.
  code.get(I64_A);
  code.i64(-1);
  pushByte(8);
  code.op(W.I64_SHL);
  code.i64(-1);
  code.op(W.I64_XOR, W.I64_AND);
  code.get(I64_A);
  pushByte(8);
  code.i64(bits);
  code.op(W.I64_LT_U, W.SELECT);
  code.set(I64_A);
  code.get(I64_A);
  e.narrow(i.size);
  e.popRegister(i.reg, i.size);
  if (!e.flagsLive) return true;
  code.get(I64_A);
  code.op(W.I64_EQZ, W.I64_EXTEND_I32_U);
  code.i64(6);
  code.op(W.I64_SHL);
  code.get(I64_A);
  code.i64(0xff);
  code.op(W.I64_AND, W.I64_POPCNT);
  code.i64(1);
  code.op(W.I64_AND, W.I64_EQZ, W.I64_EXTEND_I32_U);
  code.i64(2);
  code.op(W.I64_SHL, W.I64_OR);
  code.i64(AF);
  code.op(W.I64_OR);
  code.set(CC_SRC1);
  setBits(e);
  return true;
}

// PDEP and PEXT: one round for each bit of the mask.
function gather(e: Emitter, i: Instruction): boolean {
  const { code } = e;
  const deposits = i.op === OP_PDEP;
  pushSource(e, i);
  e.widen(i.size);
  // What is left of the mask; of the source; the result.
  code.set(I64_A);
  pushOther(e, i);
  e.widen(i.size);
  code.set(I64_B);
  code.i64(0);
  code.set(I64_D);
  const place = I64_A;
  const pushLowest = () => {
    code.get(place);
    code.i64(0);
    code.get(place);
    code.op(W.I64_SUB, W.I64_AND);
  };
  if (!deposits) {
    // Bits of the result that are there.
    code.i32(0);
    code.set(I32_A);
  }
  const done = code.block();
  const loop = code.loop();
  code.get(place);
  code.op(W.I64_EQZ);
  code.brIf(done);
  code.get(I64_D);
  if (deposits) {
    // -(source & 1) & lowest.
    code.i64(0);
    code.get(I64_B);
    code.i64(1);
    code.op(W.I64_AND, W.I64_SUB);
    pushLowest();
    code.op(W.I64_AND, W.I64_OR);
    code.set(I64_D);
    code.get(I64_B);
    code.i64(1);
    code.op(W.I64_SHR_U);
    code.set(I64_B);
  } else {
    code.get(I64_B);
    pushLowest();
    code.op(W.I64_AND, W.I64_EQZ, W.I32_EQZ, W.I64_EXTEND_I32_U);
    code.get(I32_A);
    code.op(W.I64_EXTEND_I32_U, W.I64_SHL, W.I64_OR);
    code.set(I64_D);
    code.get(I32_A);
    code.i32(1);
    code.op(W.I32_ADD);
    code.set(I32_A);
  }
  code.get(place);
  code.get(place);
  code.i64(1);
  code.op(W.I64_SUB, W.I64_AND);
  code.set(place);
  code.br(loop);
  code.end();
  code.end();
  code.get(I64_D);
  e.narrow(i.size);
  e.popRegister(i.reg, i.size);
  return true;
}

// MULX: of one register twice the high half stays.
function multiply(e: Emitter, i: Instruction): boolean {
  const { code } = e;
  pushSource(e, i);
  e.widen(i.size);
  code.set(I64_A);
  e.pushRegister(RDX * 8, i.size);
  e.widen(i.size);
  code.set(I64_B);
  if (i.size === 8) {
    pushHighProduct(e, I64_A, I64_B);
    code.set(I64_D);
    code.get(I64_A);
    code.get(I64_B);
    code.op(W.I64_MUL);
    e.popRegister(i.aux, 8);
    code.get(I64_D);
    e.popRegister(i.reg, 8);
    return true;
  }
  code.get(I64_A);
  code.get(I64_B);
  code.op(W.I64_MUL);
  code.set(I64_D);
  code.get(I64_D);
  code.op(W.I32_WRAP_I64);
  e.popRegister(i.aux, 4);
  code.get(I64_D);
  code.i64(32);
  code.op(W.I64_SHR_U, W.I32_WRAP_I64);
  e.popRegister(i.reg, 4);
  return true;
}

// POPCNT: only ZF may be set.
function count(e: Emitter, i: Instruction): boolean {
  const { code } = e;
  pushSource(e, i);
  code.op(wide(i, W.I32_POPCNT, W.I64_POPCNT));
  e.popRegister(i.reg, i.size);
  if (!e.flagsLive) return true;
  e.pushRegister(i.reg, i.size);
  code.op(wide(i, W.I32_EQZ, W.I64_EQZ), W.I64_EXTEND_I32_U);
  code.i64(Math.log2(ZF));
  code.op(W.I64_SHL);
  code.set(CC_SRC1);
  setBits(e);
  return true;
}

function moveSwapped(e: Emitter, i: Instruction): boolean {
  const { code } = e;
  const { size } = i;
  const value = size === 8 ? I64_A : I32_A;
  const store = i.op === OP_MOVBE_STORE;
  e.accessOperand(i, size, store);
  if (store) e.pushRegister(i.reg, size);
  else e.load(size);
  code.set(value);
  const masks = size === 8 ? [0x00ff00ff00ff00ffn, 0x0000ffff0000ffffn] : [0x00ff00ffn];
  masks.forEach((mask, step) => {
    code.get(value);
    e.pushConstant(8 << step, size);
    code.op(wide(i, W.I32_SHR_U, W.I64_SHR_U));
    e.pushConstant(mask, size);
    code.op(wide(i, W.I32_AND, W.I64_AND));
    code.get(value);
    e.pushConstant(mask, size);
    code.op(wide(i, W.I32_AND, W.I64_AND));
    e.pushConstant(8 << step, size);
    code.op(wide(i, W.I32_SHL, W.I64_SHL), wide(i, W.I32_OR, W.I64_OR));
    code.set(value);
  });
  const push = () => {
    code.get(value);
    e.pushConstant(size * 4, size);
    code.op(wide(i, W.I32_ROTL, W.I64_ROTL));
  };
  if (store) e.store(size, push);
  else {
    push();
    e.popRegister(i.reg, size);
  }
  return true;
}
