/** Conditions and carries from the lazy flags, where their kind is known when translating. See core/flags.ts. */
import { CC_BITS, CC_FLOAT, CC_RESULT, CC_SRC1, CC_SRC2, type Emitter, type StaticFlags } from "./emitter.js";
import { AF, CC_ADD, CC_DEC, CC_EXPLICIT, CC_INC, CC_LOGIC, CC_SBB, CC_SUB, CF, OF, PF, SF, ZF } from "./operations.js";
import * as W from "./wasm-opcodes.js";

/** The pairs of conditions: bits 1-3 of the code in Jcc, SETcc and CMOVcc; bit 0 negates. */
const OVERFLOW = 0;
const CARRY = 1;
const ZERO = 2;
const BELOW_OR_EQUAL = 3;
const SIGN = 4;
const PARITY = 5;
const LESS = 6;

/** Pushes whether a condition holds, as an i32: 0 or 1. */
export function pushCondition(e: Emitter, condition: number): void {
  const { code, flags } = e;
  if (flags === null) {
    e.dynamicCondition(condition);
    return;
  }
  const negated = (condition & 1) !== 0;
  const pair = condition >> 1;
  if (flags.kind === CC_FLOAT) {
    pushOfFloats(e, pair, negated);
    return;
  }
  if (flags.kind === CC_BITS) {
    pushOfBits(e, pair, negated);
    return;
  }
  if (flags.kind === CC_SUB && pushComparison(e, flags.log, pair, negated)) return;
  if (flags.kind === CC_LOGIC && pushOfLogic(e, flags.log, pair, negated)) return;
  switch (pair) {
    case OVERFLOW:
      pushOverflow(e, flags);
      break;
    case CARRY:
      pushCarry(e, flags);
      break;
    case ZERO:
      pushZero(e);
      break;
    case BELOW_OR_EQUAL:
      pushZero(e);
      pushCarry(e, flags);
      code.op(W.I32_OR);
      break;
    case SIGN:
      pushSign(e, flags.log);
      break;
    case PARITY:
      pushParity(e);
      break;
    case LESS:
      pushSign(e, flags.log);
      pushOverflow(e, flags);
      code.op(W.I32_NE);
      break;
    default:
      pushSign(e, flags.log);
      pushOverflow(e, flags);
      code.op(W.I32_NE);
      pushZero(e);
      code.op(W.I32_OR);
  }
  if (negated) code.op(W.I32_EQZ);
}

/** Pushes CF as an i64: 0 or 1. */
export function pushCarry64(e: Emitter): void {
  if (e.flags === null) e.dynamicCarry();
  else if (e.flags.kind >= CC_FLOAT) pushCondition(e, 2 * CARRY);
  else if (e.flags.kind === CC_INC || e.flags.kind === CC_DEC || e.flags.kind === CC_EXPLICIT) {
    e.code.get(CC_SRC1);
    return;
  } else pushCarry(e, e.flags);
  e.code.op(W.I64_EXTEND_I32_U);
}

/** CC_SRC1 and CC_SRC2 are doubles that were compared. */
export function setFloatFlags(e: Emitter): void {
  e.setFlags({ kind: CC_FLOAT, log: 0 });
}

/** CC_SRC1 has the flags as RFLAGS has them, and nothing else. */
export function setBits(e: Emitter): void {
  e.setFlags({ kind: CC_BITS, log: 0 });
}

/** Whether CC_RESULT tells ZF, SF and PF. */
export function followsResult(flags: StaticFlags | null): flags is StaticFlags {
  return flags !== null && flags.kind < CC_FLOAT;
}

// After UCOMIS and COMIS: OF, SF and AF are clear.
function pushOfFloats(e: Emitter, pair: number, negated: boolean): void {
  const { code } = e;
  const compare = (opcode: number) => {
    for (const local of [CC_SRC1, CC_SRC2]) {
      code.get(local);
      code.op(W.F64_REINTERPRET_I64);
    }
    code.op(opcode);
  };
  switch (pair) {
    case CARRY:
      compare(W.F64_GE);
      if (!negated) code.op(W.I32_EQZ);
      return;
    case BELOW_OR_EQUAL:
      compare(W.F64_GT);
      if (!negated) code.op(W.I32_EQZ);
      return;
    case ZERO:
    case 7:
      compare(W.F64_LT);
      compare(W.F64_GT);
      code.op(W.I32_OR);
      if (!negated) code.op(W.I32_EQZ);
      return;
    case PARITY:
      compare(W.F64_LT);
      compare(W.F64_GE);
      code.op(W.I32_OR);
      if (!negated) code.op(W.I32_EQZ);
      return;
    default:
      code.i32(negated ? 1 : 0);
  }
}

function pushOfBits(e: Emitter, pair: number, negated: boolean): void {
  const { code } = e;
  const any = (mask: number) => {
    code.get(CC_SRC1);
    code.op(W.I32_WRAP_I64);
    code.i32(mask);
    code.op(W.I32_AND);
    code.i32(0);
    code.op(W.I32_NE);
  };
  switch (pair) {
    case OVERFLOW:
      any(OF);
      break;
    case CARRY:
      any(CF);
      break;
    case ZERO:
      any(ZF);
      break;
    case BELOW_OR_EQUAL:
      any(CF | ZF);
      break;
    case SIGN:
      any(SF);
      break;
    case PARITY:
      any(PF);
      break;
    default:
      any(SF);
      any(OF);
      code.op(W.I32_XOR);
      if (pair === LESS) break;
      any(ZF);
      code.op(W.I32_OR);
  }
  if (negated) code.op(W.I32_EQZ);
}

/** Pushes AF, as its bit of RFLAGS, as an i64. */
export function pushAuxiliary(e: Emitter, flags: StaticFlags): void {
  const { code } = e;
  switch (flags.kind) {
    case CC_ADD:
    case CC_SUB:
    case CC_SBB:
      code.get(CC_SRC1);
      code.get(CC_SRC2);
      code.get(CC_RESULT);
      code.op(W.I64_XOR, W.I64_XOR);
      code.i64(0x10);
      code.op(W.I64_AND);
      break;
    case CC_INC:
    case CC_DEC:
      code.get(CC_RESULT);
      code.i64(15);
      code.op(W.I64_AND);
      code.i64(flags.kind === CC_INC ? 0 : 15);
      code.op(W.I64_EQ, W.I64_EXTEND_I32_U);
      code.i64(4);
      code.op(W.I64_SHL);
      break;
    case CC_EXPLICIT:
      code.get(CC_SRC2);
      code.i64(AF);
      code.op(W.I64_AND);
      break;
    case CC_BITS:
      code.get(CC_SRC1);
      code.i64(AF);
      code.op(W.I64_AND);
      break;
    default:
      code.i64(0);
  }
}

// A difference of two operands, which are compared instead.
function pushComparison(e: Emitter, log: number, pair: number, negated: boolean): boolean {
  const opcodes = COMPARISONS[pair];
  if (opcodes === undefined) return false;
  const [narrow, wide, signed] = opcodes;
  pushOperand(e, CC_SRC1, log, signed);
  pushOperand(e, CC_SRC2, log, signed);
  // The negation of each comparison is another.
  const opcode = log === 3 ? wide : narrow;
  e.code.op(negated ? (NEGATED.get(opcode) ?? W.UNREACHABLE) : opcode);
  return true;
}

const COMPARISONS: Record<number, readonly [number, number, boolean] | undefined> = {
  [CARRY]: [W.I32_LT_U, W.I64_LT_U, false],
  [ZERO]: [W.I32_EQ, W.I64_EQ, false],
  [BELOW_OR_EQUAL]: [W.I32_LE_U, W.I64_LE_U, false],
  [LESS]: [W.I32_LT_S, W.I64_LT_S, true],
  7: [W.I32_LE_S, W.I64_LE_S, true],
};
const NEGATED = new Map([
  [W.I32_LT_U, W.I32_GE_U],
  [W.I64_LT_U, W.I64_GE_U],
  [W.I32_EQ, W.I32_NE],
  [W.I64_EQ, W.I64_NE],
  [W.I32_LE_U, W.I32_GT_U],
  [W.I64_LE_U, W.I64_GT_U],
  [W.I32_LT_S, W.I32_GE_S],
  [W.I64_LT_S, W.I64_GE_S],
  [W.I32_LE_S, W.I32_GT_S],
  [W.I64_LE_S, W.I64_GT_S],
]);

// After AND, OR, XOR and TEST, CF and OF are clear: the result is compared with 0.
function pushOfLogic(e: Emitter, log: number, pair: number, negated: boolean): boolean {
  const { code } = e;
  switch (pair) {
    case OVERFLOW:
    case CARRY:
      code.i32(negated ? 1 : 0);
      return true;
    case ZERO:
    case BELOW_OR_EQUAL:
      pushZero(e);
      if (negated) code.op(W.I32_EQZ);
      return true;
    case SIGN:
    case LESS:
    case 7: {
      pushOperand(e, CC_RESULT, log, true);
      const atMost = pair === 7;
      if (log === 3) {
        code.i64(0);
        code.op(atMost ? (negated ? W.I64_GT_S : W.I64_LE_S) : negated ? W.I64_GE_S : W.I64_LT_S);
      } else {
        code.i32(0);
        code.op(atMost ? (negated ? W.I32_GT_S : W.I32_LE_S) : negated ? W.I32_GE_S : W.I32_LT_S);
      }
      return true;
    }
    default:
      return false;
  }
}

// A source or result: i64 where it has 8 bytes, else i32, with its sign above it if asked for.
function pushOperand({ code }: Emitter, local: number, log: number, signed: boolean): void {
  code.get(local);
  if (log === 3) return;
  code.op(W.I32_WRAP_I64);
  if (signed && log === 0) code.op(W.I32_EXTEND8_S);
  if (signed && log === 1) code.op(W.I32_EXTEND16_S);
}

function pushZero({ code }: Emitter): void {
  code.get(CC_RESULT);
  code.op(W.I64_EQZ);
}

function pushSign({ code }: Emitter, log: number): void {
  code.get(CC_RESULT);
  pushTopBit(code, log);
}

// From an i64 to its sign at a size, as an i32.
function pushTopBit(code: Emitter["code"], log: number): void {
  code.i64((8 << log) - 1);
  code.op(W.I64_SHR_U, W.I32_WRAP_I64);
  code.i32(1);
  code.op(W.I32_AND);
}

function pushParity({ code }: Emitter): void {
  code.get(CC_RESULT);
  code.op(W.I32_WRAP_I64);
  code.i32(0xff);
  code.op(W.I32_AND, W.I32_POPCNT);
  code.i32(1);
  code.op(W.I32_AND, W.I32_EQZ);
}

function pushCarry({ code }: Emitter, flags: StaticFlags): void {
  switch (flags.kind) {
    case CC_ADD:
      if (flags.plain === true) {
        code.get(CC_RESULT);
        code.get(CC_SRC1);
        code.op(W.I64_LT_U);
        return;
      }
      // ((a & b) | ((a | b) & ~r)) at the top.
      code.get(CC_SRC1);
      code.get(CC_SRC2);
      code.op(W.I64_AND);
      code.get(CC_SRC1);
      code.get(CC_SRC2);
      code.op(W.I64_OR);
      code.get(CC_RESULT);
      code.i64(-1);
      code.op(W.I64_XOR, W.I64_AND, W.I64_OR);
      pushTopBit(code, flags.log);
      return;
    case CC_SUB:
      code.get(CC_SRC1);
      code.get(CC_SRC2);
      code.op(W.I64_LT_U);
      return;
    case CC_SBB:
      // ((~a & b) | ((~a | b) & r)) at the top.
      code.get(CC_SRC1);
      code.i64(-1);
      code.op(W.I64_XOR);
      code.get(CC_SRC2);
      code.op(W.I64_AND);
      code.get(CC_SRC1);
      code.i64(-1);
      code.op(W.I64_XOR);
      code.get(CC_SRC2);
      code.op(W.I64_OR);
      code.get(CC_RESULT);
      code.op(W.I64_AND, W.I64_OR);
      pushTopBit(code, flags.log);
      return;
    case CC_LOGIC:
      code.i32(0);
      return;
    default:
      code.get(CC_SRC1);
      code.op(W.I32_WRAP_I64);
  }
}

function pushOverflow({ code }: Emitter, flags: StaticFlags): void {
  switch (flags.kind) {
    case CC_ADD:
      code.get(CC_SRC1);
      code.get(CC_RESULT);
      code.op(W.I64_XOR);
      code.get(CC_SRC2);
      code.get(CC_RESULT);
      code.op(W.I64_XOR, W.I64_AND);
      pushTopBit(code, flags.log);
      return;
    case CC_SUB:
    case CC_SBB:
      code.get(CC_SRC1);
      code.get(CC_SRC2);
      code.op(W.I64_XOR);
      code.get(CC_SRC1);
      code.get(CC_RESULT);
      code.op(W.I64_XOR, W.I64_AND);
      pushTopBit(code, flags.log);
      return;
    case CC_INC:
    case CC_DEC: {
      const top = 1n << BigInt((8 << flags.log) - 1);
      code.get(CC_RESULT);
      code.i64(flags.kind === CC_INC ? top : top - 1n);
      code.op(W.I64_EQ);
      return;
    }
    case CC_EXPLICIT:
      code.get(CC_SRC2);
      code.op(W.I32_WRAP_I64);
      code.i32(1);
      code.op(W.I32_AND);
      return;
    default:
      code.i32(0);
  }
}
