// x87 instructions, D8 to DF: the register forms, and the way to the others. Numbers of operations: see ops.ts.
// The forms that the manuals leave out but that processors accept (FSTP, FXCH, FCOM under other opcodes, FFREEP)
// are here too; what no processor accepts is #UD.
import { FEATURE_CMOV } from "../feature-bits";
import { FCW, FSW, GPR } from "../layout";
import { CF, getFlags, PF, setArith, ZF } from "./flags";
import {
  C1, DE, exceptions, EXP_MASK, IE, INTEGER_BIT, isDenormal, isInfinity, isNaN, isUnsupported, isZero, propagateOne,
  resultExp, resultSig, setResult, SF, SIGN, signal, ZE,
} from "./float80";
import { errorCleared } from "./float-error";
import {
  compare, exponentOf, hasQuotient, quotientCodes, remainder, roundToInteger, scale, squareRoot,
} from "./float80-arith";
import { OPS_X87 } from "./ops";
import { arctangent, exponential, logarithm, logarithmPlusOne } from "./transcendental";
import { argumentOutOfRange, cosine, secondExp, secondSig, sine, sineAndCosine, tangent } from "./trigonometric";
import { initialize } from "./x87-environment";
import { memoryForm } from "./x87-memory";
import {
  arithmetic, compareWith, finishCompare, finishTop, pushResult, requireFeature, topExp, topSig, undefinedOpcode,
  UNORDERED,
} from "./x87-operations";
import {
  begin, C0, C2, C3, CONDITION_CODES, expOf, free, isEmpty, mayStore, moveTop, overflow, pop, register, report,
  reportCodes, requireFpu, setInstructionPointer, setRegister, setRegisterToResult, sigOf, underflow, unmasked,
} from "./x87-stack";

/** Executes the x87 operation `op` of ops.ts. */
export function execX87(cpu: usize, rec: usize, op: u32): void {
  const index = op - OPS_X87;
  if (index >= 0x200) memoryForm(cpu, rec, index >> 3 & 7, index & 7);
  else registerForm(cpu, rec, index >> 6, index >> 3 & 7, index & 7);
}

function registerForm(cpu: usize, rec: usize, group: u32, reg: u32, i: u32): void {
  switch (group) {
    case 0: // D8
      begin(cpu);
      setInstructionPointer(cpu, rec, group);
      if (reg == 2) compareRegister(cpu, i, 0, false);
      else if (reg == 3) compareRegister(cpu, i, 1, false);
      else arithmeticRegister(cpu, reg, i, 0, false);
      return;
    case 1:
      registerFormD9(cpu, rec, reg, i);
      return;
    case 2: // DA
      if (reg < 4) conditionalMove(cpu, rec, group, reg, i, true);
      else if (reg == 5 && i == 1) {
        begin(cpu);
        setInstructionPointer(cpu, rec, group);
        compareRegister(cpu, 1, 2, true);
      } else undefinedOpcode(cpu);
      return;
    case 3: // DB
      if (reg < 4) conditionalMove(cpu, rec, group, reg, i, false);
      else if (reg == 4) control(cpu, i);
      else if (reg == 5) compareToFlags(cpu, rec, group, i, true, false);
      else if (reg == 6) compareToFlags(cpu, rec, group, i, false, false);
      else undefinedOpcode(cpu);
      return;
    case 4: // DC
      begin(cpu);
      setInstructionPointer(cpu, rec, group);
      if (reg == 2) compareRegister(cpu, i, 0, false);
      else if (reg == 3) compareRegister(cpu, i, 1, false);
      else arithmeticRegister(cpu, reg, i, i, false);
      return;
    case 5: // DD
      if (reg >= 6) undefinedOpcode(cpu);
      begin(cpu);
      setInstructionPointer(cpu, rec, group);
      if (reg == 0) {
        free(cpu, i);
        report(cpu);
      } else if (reg == 1) exchange(cpu, i);
      else if (reg < 4) storeRegister(cpu, i, reg == 3);
      else compareRegister(cpu, i, reg - 4, true);
      return;
    case 6: // DE
      if (reg == 3 && i != 1) undefinedOpcode(cpu);
      begin(cpu);
      setInstructionPointer(cpu, rec, group);
      if (reg == 2) compareRegister(cpu, i, 1, false);
      else if (reg == 3) compareRegister(cpu, 1, 2, false);
      else arithmeticRegister(cpu, reg, i, i, true);
      return;
    default: // DF
      if (reg == 5) compareToFlags(cpu, rec, group, i, true, true);
      else if (reg == 6) compareToFlags(cpu, rec, group, i, false, true);
      else if (reg == 4 && i == 0) {
        requireFpu(cpu);
        store<u16>(cpu, load<u32>(cpu, FSW), GPR);
      } else if (reg < 4) {
        begin(cpu);
        setInstructionPointer(cpu, rec, group);
        if (reg == 0) {
          free(cpu, i);
          pop(cpu);
          report(cpu);
        } else if (reg == 1) exchange(cpu, i);
        else storeRegister(cpu, i, true);
      } else undefinedOpcode(cpu);
  }
}

/** DB E0-E4: FNENI, FNDISI, FNCLEX, FNINIT, FNSETPM. They do not wait. */
function control(cpu: usize, i: u32): void {
  if (i > 4) undefinedOpcode(cpu);
  requireFpu(cpu);
  if (i == 2) {
    store<u32>(cpu, load<u32>(cpu, FSW) & ~(<u32>0x80ff), FSW);
    errorCleared(cpu);
  } else if (i == 3) {
    initialize(cpu);
  }
}

function registerFormD9(cpu: usize, rec: usize, reg: u32, i: u32): void {
  if (reg == 2 ? i != 0 : reg == 4 ? (i & 2) != 0 : reg == 5 && i == 7) undefinedOpcode(cpu);
  begin(cpu);
  setInstructionPointer(cpu, rec, 1);
  switch (reg) {
    case 0: // FLD ST(i)
      if (isEmpty(cpu, i)) underflow();
      else if (!isEmpty(cpu, 7)) overflow();
      else {
        const at = register(cpu, i);
        setResult(expOf(at), sigOf(at));
      }
      pushResult(cpu);
      report(cpu);
      return;
    case 1:
      exchange(cpu, i);
      return;
    case 2: // FNOP
      return;
    case 3: // FSTP under another opcode, which takes no notice of an empty ST(0)
      if (isEmpty(cpu, 0)) {
        pop(cpu);
        report(cpu);
      } else {
        storeRegister(cpu, i, true);
      }
      return;
    case 4:
      if (i < 2) changeSign(cpu, i == 1);
      else if (i == 4) compareWith(cpu, 0, 0, false, 0);
      else examine(cpu);
      return;
    case 5:
      loadConstant(cpu, i);
      return;
    default:
      if (reg == 6) functionsF0(cpu, i);
      else functionsF8(cpu, i);
  }
}

/** D9 F0-F7. */
function functionsF0(cpu: usize, i: u32): void {
  switch (i) {
    case 0: // F2XM1
      if (isEmpty(cpu, 0)) underflow();
      else exponential(topExp(cpu), topSig(cpu), load<u32>(cpu, FCW));
      finishTop(cpu);
      return;
    case 1: // FYL2X
    case 3: // FPATAN
      twoOperands(cpu, i);
      return;
    case 2: // FPTAN
      if (isEmpty(cpu, 0)) underflow();
      else if (!isEmpty(cpu, 7)) overflow();
      else tangent(topExp(cpu), topSig(cpu), load<u32>(cpu, FCW));
      finishPair(cpu);
      return;
    case 4: // FXTRACT
      extract(cpu);
      return;
    case 5: // FPREM1
      partialRemainder(cpu, true);
      return;
    case 6: // FDECSTP
      moveTop(cpu, 7);
      report(cpu);
      return;
    default: // FINCSTP
      moveTop(cpu, 1);
      report(cpu);
  }
}

/** D9 F8-FF. */
function functionsF8(cpu: usize, i: u32): void {
  const fcw = load<u32>(cpu, FCW);
  switch (i) {
    case 0: // FPREM
      partialRemainder(cpu, false);
      return;
    case 1: // FYL2XP1
      twoOperands(cpu, 9);
      return;
    case 2: // FSQRT
      if (isEmpty(cpu, 0)) underflow();
      else squareRoot(topExp(cpu), topSig(cpu), fcw);
      finishTop(cpu);
      return;
    case 3: // FSINCOS
      if (isEmpty(cpu, 0)) underflow();
      else if (!isEmpty(cpu, 7)) overflow();
      else sineAndCosine(topExp(cpu), topSig(cpu), fcw);
      finishPair(cpu);
      return;
    case 4: // FRNDINT
      if (isEmpty(cpu, 0)) underflow();
      else roundToInteger(topExp(cpu), topSig(cpu), fcw);
      finishTop(cpu);
      return;
    case 5: // FSCALE
      if (isEmpty(cpu, 0) || isEmpty(cpu, 1)) underflow();
      else scale(topExp(cpu), topSig(cpu), expOf(register(cpu, 1)), sigOf(register(cpu, 1)), fcw);
      finishTop(cpu);
      return;
    default: { // FSIN, FCOS
      if (isEmpty(cpu, 0)) underflow();
      else if (i == 6) sine(topExp(cpu), topSig(cpu), fcw);
      else cosine(topExp(cpu), topSig(cpu), fcw);
      const outOfRange = argumentOutOfRange && (exceptions & IE) == 0;
      if (!outOfRange && mayStore(cpu)) setRegisterToResult(cpu, 0);
      reportCodes(cpu, outOfRange ? C2 : 0, C2);
    }
  }
}

/** FPTAN and FSINCOS: the result to ST(0), then the second result is pushed. */
function finishPair(cpu: usize): void {
  const stackFault = (exceptions & SF) != 0;
  const outOfRange = argumentOutOfRange && !stackFault;
  if (!outOfRange && mayStore(cpu)) {
    setRegisterToResult(cpu, 0);
    moveTop(cpu, 7);
    if (stackFault) setRegisterToResult(cpu, 0);
    else setRegister(cpu, 0, secondExp, secondSig);
  }
  reportCodes(cpu, outOfRange ? C2 : 0, C2);
}

/** FYL2X, FPATAN, FYL2XP1: of ST(1) and ST(0), to ST(1), then pop. */
function twoOperands(cpu: usize, which: u32): void {
  if (isEmpty(cpu, 0) || isEmpty(cpu, 1)) {
    underflow();
  } else {
    const y = register(cpu, 1);
    const fcw = load<u32>(cpu, FCW);
    if (which == 1) logarithm(topExp(cpu), topSig(cpu), expOf(y), sigOf(y), fcw);
    else if (which == 3) arctangent(topExp(cpu), topSig(cpu), expOf(y), sigOf(y), fcw);
    else logarithmPlusOne(topExp(cpu), topSig(cpu), expOf(y), sigOf(y), fcw);
  }
  if (mayStore(cpu)) {
    setRegisterToResult(cpu, 1);
    pop(cpu);
  }
  report(cpu);
}

function extract(cpu: usize): void {
  if (isEmpty(cpu, 0)) underflow();
  else if (!isEmpty(cpu, 7)) overflow();
  if ((exceptions & IE) != 0) {
    if (mayStore(cpu)) {
      setRegisterToResult(cpu, 0);
      moveTop(cpu, 7);
      setRegisterToResult(cpu, 0);
    }
    report(cpu);
    return;
  }
  const exp = topExp(cpu);
  const sig = topSig(cpu);
  // The significand that is pushed last.
  let fractionExp: u32 = exp;
  let fractionSig: u64 = sig;
  if (propagateOne(exp, sig)) {
    fractionExp = resultExp;
    fractionSig = resultSig;
  } else if (isZero(exp, sig)) {
    signal(ZE);
    setResult(0xffff, INTEGER_BIT);
  } else if (isInfinity(exp, sig)) {
    setResult(0x7fff, INTEGER_BIT);
  } else {
    if (isDenormal(exp, sig)) signal(DE);
    exponentOf(exp, sig);
    fractionExp = (exp & SIGN) | 0x3fff;
    fractionSig = sig << clz(sig);
  }
  if (mayStore(cpu)) {
    setRegisterToResult(cpu, 0);
    moveTop(cpu, 7);
    setRegister(cpu, 0, fractionExp, fractionSig);
  }
  report(cpu);
}

function partialRemainder(cpu: usize, nearest: bool): void {
  // Without a quotient C0 and C3 stay, and C1 and C2 are cleared.
  let codes: u32 = 0;
  let mask: u32 = C2;
  if (isEmpty(cpu, 0) || isEmpty(cpu, 1)) {
    underflow();
  } else {
    const b = register(cpu, 1);
    remainder(topExp(cpu), topSig(cpu), expOf(b), sigOf(b), nearest, load<u32>(cpu, FCW));
    codes = quotientCodes;
    if (hasQuotient) mask = CONDITION_CODES;
  }
  if (mayStore(cpu)) setRegisterToResult(cpu, 0);
  reportCodes(cpu, codes, mask);
}

function changeSign(cpu: usize, absolute: bool): void {
  if (isEmpty(cpu, 0)) {
    underflow();
  } else {
    const exp = topExp(cpu);
    setResult(absolute ? exp & EXP_MASK : exp ^ SIGN, topSig(cpu));
  }
  finishTop(cpu);
}

function examine(cpu: usize): void {
  const exp = topExp(cpu);
  const sig = topSig(cpu);
  let codes: u32;
  if (isEmpty(cpu, 0)) codes = C3 | C0;
  else if (isUnsupported(exp, sig)) codes = 0;
  else if (isNaN(exp, sig)) codes = C0;
  else if (isInfinity(exp, sig)) codes = C2 | C0;
  else if (isZero(exp, sig)) codes = C3;
  else if (isDenormal(exp, sig)) codes = C3 | C2;
  else codes = C2;
  if ((exp & SIGN) != 0) codes |= C1;
  reportCodes(cpu, codes, CONDITION_CODES);
}

/** FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ: constants rounded by RC. */
function loadConstant(cpu: usize, i: u32): void {
  if (!isEmpty(cpu, 7)) {
    overflow();
  } else {
    // The stored significand is the value rounded to nearest; chopped and upward ones differ by one.
    const mode = load<u32>(cpu, FCW) >> 10 & 3;
    const down = u64(mode == 1 || mode == 3);
    switch (i) {
      case 0:
        setResult(0x3fff, INTEGER_BIT);
        break;
      case 1: // log2(10), rounded down to nearest
        setResult(0x4000, 0xd49a784bcd1b8afe + u64(mode == 2));
        break;
      case 2: // log2(e), rounded up to nearest
        setResult(0x3fff, 0xb8aa3b295c17f0bc - down);
        break;
      case 3: // pi, rounded up
        setResult(0x4000, 0xc90fdaa22168c235 - down);
        break;
      case 4: // log10(2), rounded up
        setResult(0x3ffd, 0x9a209a84fbcff799 - down);
        break;
      case 5: // ln(2), rounded up
        setResult(0x3ffe, 0xb17217f7d1cf79ac - down);
        break;
      default:
        setResult(0, 0);
    }
  }
  pushResult(cpu);
  report(cpu);
}

function exchange(cpu: usize, i: u32): void {
  const topEmpty = isEmpty(cpu, 0);
  const otherEmpty = isEmpty(cpu, i);
  const at = register(cpu, i);
  let aExp = topExp(cpu);
  let aSig = topSig(cpu);
  let bExp = expOf(at);
  let bSig = sigOf(at);
  if (topEmpty || otherEmpty) {
    underflow();
    if (topEmpty) {
      aExp = resultExp;
      aSig = resultSig;
    }
    if (otherEmpty) {
      bExp = resultExp;
      bSig = resultSig;
    }
  }
  if (mayStore(cpu)) {
    setRegister(cpu, 0, bExp, bSig);
    setRegister(cpu, i, aExp, aSig);
  }
  report(cpu);
}

function storeRegister(cpu: usize, i: u32, popAfter: bool): void {
  if (isEmpty(cpu, 0)) underflow();
  else setResult(topExp(cpu), topSig(cpu));
  if (mayStore(cpu)) {
    setRegisterToResult(cpu, i);
    if (popAfter) pop(cpu);
  }
  report(cpu);
}

function arithmeticRegister(cpu: usize, reg: u32, i: u32, destination: u32, popAfter: bool): void {
  if (isEmpty(cpu, 0) || isEmpty(cpu, i)) {
    underflow();
  } else {
    const at = register(cpu, i);
    arithmetic(cpu, reg, expOf(at), sigOf(at));
  }
  if (mayStore(cpu)) {
    setRegisterToResult(cpu, destination);
    if (popAfter) pop(cpu);
  }
  report(cpu);
}

/** Compares ST(0) with ST(i), then pops `pops` times. */
function compareRegister(cpu: usize, i: u32, pops: u32, quiet: bool): void {
  if (isEmpty(cpu, i)) {
    underflow();
    finishCompare(cpu, UNORDERED, pops);
    return;
  }
  const at = register(cpu, i);
  compareWith(cpu, expOf(at), sigOf(at), quiet, pops);
}

/** FCOMI, FCOMIP, FUCOMI, FUCOMIP. */
function compareToFlags(cpu: usize, rec: usize, group: u32, i: u32, quiet: bool, popAfter: bool): void {
  requireFeature(cpu, FEATURE_CMOV);
  begin(cpu);
  setInstructionPointer(cpu, rec, group);
  let codes = UNORDERED;
  if (isEmpty(cpu, 0) || isEmpty(cpu, i)) {
    underflow();
  } else {
    const at = register(cpu, i);
    codes = compare(topExp(cpu), topSig(cpu), expOf(at), sigOf(at), quiet);
  }
  // As with FCOM, the flags are set even where the exception is unmasked. C1 stays, unless the stack underflows.
  setArith(cpu, ((codes & C0) != 0 ? CF : 0) | ((codes & C2) != 0 ? PF : 0) | ((codes & C3) != 0 ? ZF : 0));
  if (popAfter && mayStore(cpu)) pop(cpu);
  reportCodes(cpu, (exceptions & SF) != 0 ? 0 : load<u32>(cpu, FSW) & C1, 0);
}

/** FCMOVcc: B, E, BE, U by `reg`, or their negations. */
function conditionalMove(cpu: usize, rec: usize, group: u32, reg: u32, i: u32, wanted: bool): void {
  requireFeature(cpu, FEATURE_CMOV);
  begin(cpu);
  setInstructionPointer(cpu, rec, group);
  const flags = getFlags(cpu);
  const bits = reg == 0 ? CF : reg == 1 ? ZF : reg == 2 ? CF | ZF : PF;
  // C1 stays, unless the stack underflows.
  if (isEmpty(cpu, 0) || isEmpty(cpu, i)) {
    underflow();
    finishTop(cpu);
  } else if (((flags & bits) != 0) == wanted) {
    const at = register(cpu, i);
    setRegister(cpu, 0, expOf(at), sigOf(at));
  }
}
