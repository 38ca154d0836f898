// x87 instructions, D8 to DF. Numbers of operations: see ops.ts. A memory operand is read, or written, before any
// state of the unit changes. The forms that the manuals leave out but that processors accept (FSTP, FXCH, FCOM under
// other opcodes, FFREEP) are here too; what no processor accepts is #UD.
import { CR0, FCS, FCW, FDP, FDS, FIP, FOP, FPU_PENDING, FSW, FTW, GPR, RFLAGS } from "../layout";
import { eaSized } from "./ea";
import { raise, UD } from "./exceptions";
import { CF, getFlags, PF, setArith, ZF } from "./flags";
import {
  DE, EXP_MASK, exceptions, FCW_INIT, IE, INTEGER_BIT, invalid, isDenormal, isInfinity, isNaN, isSignaling, isUnsupported, isZero,
  OE, propagateOne, resultExp, resultSig, setResult, SF, SIGN, signal, UE, ZE,
} from "./float80";
import {
  add, compare, divide, exponentOf, hasQuotient, multiply, quotientCodes, remainder, roundToInteger, scale, setInteger, squareRoot, subtract,
} from "./float80-arith";
import { bcdHigh, fromBcd, fromDouble, fromSingle, sourceDenormal, toBcd, toDouble, toInteger, toSingle } from "./float80-convert";
import { read16, read32, read64, write16, write32, write64 } from "./memory";
import { probeWrite } from "./mmu";
import { OPS_X87 } from "./ops";
import { REC_OSIZE } from "./record";
import {
  argumentOutOfRange, arctangent, cosine, exponential, logarithm, logarithmPlusOne, secondExp, secondSig, sine, sineAndCosine, tangent,
} from "./transcendental";
import {
  begin, C0, C2, C3, CONDITION_CODES, expOf, free, fullTagWord, isEmpty, mayStore, moveTop, overflow, pop, register, report, reportCodes,
  requireFpu, setDataPointer, setFullTagWord, setInstructionPointer, setRegister, setRegisterToResult, sigOf, summarize, underflow,
  unmasked,
} from "./x87-stack";

const C1: u32 = 0x200;
const CR0_PE: u64 = 1;
const RFLAGS_VM: u64 = 0x20000;
const UNORDERED: u32 = C3 | C2 | C0;

/** Executes the x87 operation `op` of ops.ts. */
export function execX87(cpu: usize, rec: usize, op: u32): void {
  const index = op - OPS_X87;
  if (index >= 0x200) memoryForm(cpu, rec, index >> 3 & 7, index & 7);
  else registerForm(cpu, rec, index >> 6, index >> 3 & 7, index & 7);
}

function undefinedOpcode(cpu: usize): void {
  raise(cpu, UD);
}

// ---- Register forms.

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
    store<u32>(cpu, 0, FPU_PENDING);
  } else if (i == 3) {
    initialize(cpu);
  }
}

/** FNINIT's state. */
export function initialize(cpu: usize): void {
  store<u32>(cpu, FCW_INIT, FCW);
  store<u32>(cpu, 0, FSW);
  store<u32>(cpu, 0xffff, FTW);
  store<u32>(cpu, 0, FOP);
  store<u64>(cpu, 0, FIP);
  store<u64>(cpu, 0, FDP);
  store<u32>(cpu, 0, FCS);
  store<u32>(cpu, 0, FDS);
  store<u32>(cpu, 0, FPU_PENDING);
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

// @ts-ignore: decorator
@inline
function topExp(cpu: usize): u32 {
  return expOf(register(cpu, 0));
}

// @ts-ignore: decorator
@inline
function topSig(cpu: usize): u64 {
  return sigOf(register(cpu, 0));
}

/** ST(0) gets the result, unless an unmasked exception forbids it. */
function finishTop(cpu: usize): void {
  if (mayStore(cpu)) setRegisterToResult(cpu, 0);
  report(cpu);
}

/** Pushes the result; on overflow, or where a source was empty, the result is the indefinite already. */
function pushResult(cpu: usize): void {
  if (!mayStore(cpu)) return;
  moveTop(cpu, 7);
  setRegisterToResult(cpu, 0);
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

/** Operation `reg` of ST(0) and another operand: the encoding of all of D8, DA, DC and DE. */
function arithmetic(cpu: usize, reg: u32, exp: u32, sig: u64): void {
  const top = register(cpu, 0);
  const topE = expOf(top);
  const topS = sigOf(top);
  const fcw = load<u32>(cpu, FCW);
  switch (reg) {
    case 0:
      add(topE, topS, exp, sig, fcw);
      return;
    case 1:
      multiply(topE, topS, exp, sig, fcw);
      return;
    case 4:
      subtract(topE, topS, exp, sig, fcw);
      return;
    case 5:
      subtract(exp, sig, topE, topS, fcw);
      return;
    case 6:
      divide(topE, topS, exp, sig, fcw);
      return;
    default:
      divide(exp, sig, topE, topS, fcw);
  }
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

function compareWith(cpu: usize, exp: u32, sig: u64, quiet: bool, pops: u32): void {
  let codes = UNORDERED;
  if (isEmpty(cpu, 0)) underflow();
  else codes = compare(topExp(cpu), topSig(cpu), exp, sig, quiet);
  finishCompare(cpu, codes, pops);
}

function finishCompare(cpu: usize, codes: u32, pops: u32): void {
  if (mayStore(cpu)) {
    if (pops != 0) pop(cpu);
    if (pops == 2) pop(cpu);
  }
  // Set even where the exception is unmasked, as processors do.
  reportCodes(cpu, codes, UNORDERED);
}

/** FCOMI, FCOMIP, FUCOMI, FUCOMIP. */
function compareToFlags(cpu: usize, rec: usize, group: u32, i: u32, quiet: bool, popAfter: bool): void {
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

// ---- Memory forms.

function memoryForm(cpu: usize, rec: usize, group: u32, reg: u32): void {
  switch (group) {
    case 0: { // D8: single
      begin(cpu);
      const linear = eaSized(cpu, rec, 4, 0);
      fromSingle(read32(cpu, linear));
      setPointers(cpu, rec, group, linear);
      arithmeticMemory(cpu, reg, sourceDenormal);
      return;
    }
    case 2: { // DA: 32-bit integer
      begin(cpu);
      const linear = eaSized(cpu, rec, 4, 0);
      setInteger(<i32>read32(cpu, linear));
      setPointers(cpu, rec, group, linear);
      arithmeticMemory(cpu, reg, false);
      return;
    }
    case 4: { // DC: double
      begin(cpu);
      const linear = eaSized(cpu, rec, 8, 0);
      fromDouble(read64(cpu, linear));
      setPointers(cpu, rec, group, linear);
      arithmeticMemory(cpu, reg, sourceDenormal);
      return;
    }
    case 6: { // DE: 16-bit integer
      begin(cpu);
      const linear = eaSized(cpu, rec, 2, 0);
      setInteger(<i16>read16(cpu, linear));
      setPointers(cpu, rec, group, linear);
      arithmeticMemory(cpu, reg, false);
      return;
    }
    case 1: // D9
      if (reg == 0) loadSingle(cpu, rec);
      else if (reg == 1) undefinedOpcode(cpu);
      else if (reg < 4) storeSingle(cpu, rec, reg == 3);
      else if (reg == 4) loadEnvironment(cpu, rec);
      else if (reg == 5) loadControl(cpu, rec);
      else if (reg == 6) storeEnvironment(cpu, rec);
      else {
        requireFpu(cpu);
        write16(cpu, eaSized(cpu, rec, 2, 1), <u16>load<u32>(cpu, FCW));
      }
      return;
    case 3: // DB
      if (reg == 0) loadInteger(cpu, rec, group, 4);
      else if (reg < 4) storeInteger(cpu, rec, group, 4, reg != 2, reg == 1);
      else if (reg == 5) loadExtended(cpu, rec);
      else if (reg == 7) storeExtended(cpu, rec);
      else undefinedOpcode(cpu);
      return;
    case 5: // DD
      if (reg == 0) loadDouble(cpu, rec);
      else if (reg == 1) storeInteger(cpu, rec, group, 8, true, true);
      else if (reg < 4) storeDouble(cpu, rec, reg == 3);
      else if (reg == 4) restore(cpu, rec);
      else if (reg == 5) undefinedOpcode(cpu);
      else if (reg == 6) save(cpu, rec);
      else {
        requireFpu(cpu);
        write16(cpu, eaSized(cpu, rec, 2, 1), <u16>load<u32>(cpu, FSW));
      }
      return;
    default: // DF
      if (reg == 0) loadInteger(cpu, rec, group, 2);
      else if (reg < 4) storeInteger(cpu, rec, group, 2, reg != 2, reg == 1);
      else if (reg == 4) loadBcd(cpu, rec);
      else if (reg == 5) loadInteger(cpu, rec, group, 8);
      else if (reg == 6) storeBcd(cpu, rec);
      else storeInteger(cpu, rec, group, 8, true, false);
  }
}

// @ts-ignore: decorator
@inline
function setPointers(cpu: usize, rec: usize, group: u32, linear: u64): void {
  setInstructionPointer(cpu, rec, group);
  setDataPointer(cpu, rec, linear);
}

/** Operation `reg` of ST(0) and the operand in the result, which was a denormal in memory if `denormal`. */
function arithmeticMemory(cpu: usize, reg: u32, denormal: bool): void {
  const exp = resultExp;
  const sig = resultSig;
  if (isEmpty(cpu, 0)) {
    underflow();
  } else if (denormal) {
    // In extended format it is none any more: DE here, unless something of higher priority comes.
    const topE = topExp(cpu);
    const topS = topSig(cpu);
    if (!isUnsupported(topE, topS) && !isNaN(topE, topS) && !(reg == 7 && isZero(topE, topS))) signal(DE);
  }
  if (reg == 2 || reg == 3) {
    const codes = (exceptions & IE) == 0 ? compare(topExp(cpu), topSig(cpu), exp, sig, false) : UNORDERED;
    finishCompare(cpu, codes, reg - 2);
    return;
  }
  if ((exceptions & IE) == 0 && mayStore(cpu)) arithmetic(cpu, reg, exp, sig);
  finishTop(cpu);
}

/** Pushes what a single or double in memory was converted to. */
function pushConverted(cpu: usize): void {
  if (!isEmpty(cpu, 7)) {
    overflow();
  } else {
    if (isSignaling(resultExp, resultSig)) propagateOne(resultExp, resultSig);
    if (sourceDenormal) signal(DE);
  }
  // A denormal is pushed even where DE is unmasked.
  if (!unmasked(cpu, IE)) {
    moveTop(cpu, 7);
    setRegisterToResult(cpu, 0);
  }
  report(cpu);
}

function loadSingle(cpu: usize, rec: usize): void {
  begin(cpu);
  const linear = eaSized(cpu, rec, 4, 0);
  fromSingle(read32(cpu, linear));
  setPointers(cpu, rec, 1, linear);
  pushConverted(cpu);
}

function loadDouble(cpu: usize, rec: usize): void {
  begin(cpu);
  const linear = eaSized(cpu, rec, 8, 0);
  fromDouble(read64(cpu, linear));
  setPointers(cpu, rec, 5, linear);
  pushConverted(cpu);
}

/** Pushes the result as it is. */
function pushExact(cpu: usize): void {
  if (!isEmpty(cpu, 7)) overflow();
  pushResult(cpu);
  report(cpu);
}

function loadExtended(cpu: usize, rec: usize): void {
  begin(cpu);
  const linear = eaSized(cpu, rec, 10, 0);
  const sig = read64(cpu, linear);
  setResult(read16(cpu, linear + 8), sig);
  setPointers(cpu, rec, 3, linear);
  pushExact(cpu);
}

function loadInteger(cpu: usize, rec: usize, group: u32, size: u32): void {
  begin(cpu);
  const linear = eaSized(cpu, rec, size, 0);
  if (size == 2) setInteger(<i16>read16(cpu, linear));
  else if (size == 4) setInteger(<i32>read32(cpu, linear));
  else setInteger(read64(cpu, linear));
  setPointers(cpu, rec, group, linear);
  pushExact(cpu);
}

function loadBcd(cpu: usize, rec: usize): void {
  begin(cpu);
  const linear = eaSized(cpu, rec, 10, 0);
  const low = read64(cpu, linear);
  fromBcd(low, read16(cpu, linear + 8));
  setPointers(cpu, rec, 7, linear);
  pushExact(cpu);
}

function finishStore(cpu: usize, rec: usize, group: u32, linear: u64, stored: bool, popAfter: bool): void {
  setPointers(cpu, rec, group, linear);
  if (stored && popAfter) pop(cpu);
  report(cpu);
}

function storeSingle(cpu: usize, rec: usize, popAfter: bool): void {
  begin(cpu);
  const linear = eaSized(cpu, rec, 4, 1);
  let value: u32 = 0xffc00000;
  if (isEmpty(cpu, 0)) underflow();
  else value = toSingle(topExp(cpu), topSig(cpu), load<u32>(cpu, FCW));
  const stored = !unmasked(cpu, IE | OE | UE);
  if (stored) write32(cpu, linear, value);
  finishStore(cpu, rec, 1, linear, stored, popAfter);
}

function storeDouble(cpu: usize, rec: usize, popAfter: bool): void {
  begin(cpu);
  const linear = eaSized(cpu, rec, 8, 1);
  let value: u64 = 0xfff8000000000000;
  if (isEmpty(cpu, 0)) underflow();
  else value = toDouble(topExp(cpu), topSig(cpu), load<u32>(cpu, FCW));
  const stored = !unmasked(cpu, IE | OE | UE);
  if (stored) write64(cpu, linear, value);
  finishStore(cpu, rec, 5, linear, stored, popAfter);
}

function storeExtended(cpu: usize, rec: usize): void {
  begin(cpu);
  const linear = eaSized(cpu, rec, 10, 1);
  if (isEmpty(cpu, 0)) underflow();
  else setResult(topExp(cpu), topSig(cpu));
  const stored = mayStore(cpu);
  if (stored) write80(cpu, linear, resultSig, resultExp);
  finishStore(cpu, rec, 3, linear, stored, true);
}

function write80(cpu: usize, linear: u64, low: u64, high: u32): void {
  // Neither part is written where the other would fault.
  if ((linear & 0xfff) > 0xff6) probeWrite(cpu, linear, 10);
  write64(cpu, linear, low);
  write16(cpu, linear + 8, <u16>high);
}

/** FIST, FISTP, FISTTP. */
function storeInteger(cpu: usize, rec: usize, group: u32, size: u32, popAfter: bool, chop: bool): void {
  begin(cpu);
  const linear = eaSized(cpu, rec, size, 1);
  let value: i64 = size == 2 ? -0x8000 : size == 4 ? -0x80000000 : i64.MIN_VALUE;
  if (isEmpty(cpu, 0)) underflow();
  else value = toInteger(topExp(cpu), topSig(cpu), size << 3, chop ? load<u32>(cpu, FCW) | 0xc00 : load<u32>(cpu, FCW));
  const stored = mayStore(cpu);
  if (stored) {
    if (size == 2) write16(cpu, linear, <u16>value);
    else if (size == 4) write32(cpu, linear, <u32>value);
    else write64(cpu, linear, value);
  }
  finishStore(cpu, rec, group, linear, stored, popAfter);
}

function storeBcd(cpu: usize, rec: usize): void {
  begin(cpu);
  const linear = eaSized(cpu, rec, 10, 1);
  let low: u64 = 0xc000000000000000;
  let high: u32 = 0xffff;
  if (isEmpty(cpu, 0)) {
    underflow();
  } else {
    low = toBcd(topExp(cpu), topSig(cpu), load<u32>(cpu, FCW));
    high = bcdHigh;
  }
  const stored = mayStore(cpu);
  if (stored) write80(cpu, linear, low, high);
  finishStore(cpu, rec, 7, linear, stored, true);
}

// ---- Control word and environments.

/** FCW as it is kept: bit 6 reads as one, reserved bits as zero. */
export function setControlWord(cpu: usize, value: u32): void {
  store<u32>(cpu, (value & 0x1f3f) | 0x40, FCW);
}

function loadControl(cpu: usize, rec: usize): void {
  begin(cpu);
  setControlWord(cpu, read16(cpu, eaSized(cpu, rec, 2, 0)));
  summarize(cpu);
}

// @ts-ignore: decorator
@inline
function is16(rec: usize): bool {
  return load<u8>(rec, REC_OSIZE) == 2;
}

function isProtected(cpu: usize): bool {
  return (load<u64>(cpu, CR0) & CR0_PE) != 0 && (load<u64>(cpu, RFLAGS) & RFLAGS_VM) == 0;
}

/** Writes the 14 or 28 bytes of an environment. The caller has probed them. */
function writeEnvironment(cpu: usize, linear: u64, half: bool): void {
  const fcw = load<u32>(cpu, FCW);
  const fsw = load<u32>(cpu, FSW);
  const ftw = fullTagWord(cpu);
  const fop = load<u32>(cpu, FOP) & 0x7ff;
  let fip = load<u32>(cpu, FIP);
  let fdp = load<u32>(cpu, FDP);
  const fcs = load<u32>(cpu, FCS);
  const fds = load<u32>(cpu, FDS);
  if (isProtected(cpu)) {
    if (half) {
      write16(cpu, linear, <u16>fcw);
      write16(cpu, linear + 2, <u16>fsw);
      write16(cpu, linear + 4, <u16>ftw);
      write16(cpu, linear + 6, <u16>fip);
      write16(cpu, linear + 8, <u16>fcs);
      write16(cpu, linear + 10, <u16>fdp);
      write16(cpu, linear + 12, <u16>fds);
    } else {
      write32(cpu, linear, 0xffff0000 | fcw);
      write32(cpu, linear + 4, 0xffff0000 | fsw);
      write32(cpu, linear + 8, 0xffff0000 | ftw);
      write32(cpu, linear + 12, fip);
      write32(cpu, linear + 16, fop << 16 | fcs);
      write32(cpu, linear + 20, fdp);
      write32(cpu, linear + 24, 0xffff0000 | fds);
    }
    return;
  }
  // Real and virtual-8086 mode: linear addresses instead of selectors.
  fip += fcs << 4;
  fdp += fds << 4;
  if (half) {
    write16(cpu, linear, <u16>fcw);
    write16(cpu, linear + 2, <u16>fsw);
    write16(cpu, linear + 4, <u16>ftw);
    write16(cpu, linear + 6, <u16>fip);
    write16(cpu, linear + 8, <u16>((fip >> 16 & 15) << 12 | fop));
    write16(cpu, linear + 10, <u16>fdp);
    write16(cpu, linear + 12, <u16>((fdp >> 16 & 15) << 12));
  } else {
    write32(cpu, linear, 0xffff0000 | fcw);
    write32(cpu, linear + 4, 0xffff0000 | fsw);
    write32(cpu, linear + 8, 0xffff0000 | ftw);
    write32(cpu, linear + 12, 0xffff0000 | (fip & 0xffff));
    write32(cpu, linear + 16, fip >> 16 << 12 | fop);
    write32(cpu, linear + 20, 0xffff0000 | (fdp & 0xffff));
    write32(cpu, linear + 24, fdp >> 16 << 12);
  }
}

/** Loads what `writeEnvironment` writes. The caller has read the last byte, so that nothing faults half-way. */
function readEnvironment(cpu: usize, linear: u64, half: bool): void {
  const step: u64 = half ? 2 : 4;
  const fcw = <u32>read16(cpu, linear);
  const fsw = <u32>read16(cpu, linear + step);
  const ftw = <u32>read16(cpu, linear + 2 * step);
  const word3 = half ? <u32>read16(cpu, linear + 6) : read32(cpu, linear + 12);
  const word4 = half ? <u32>read16(cpu, linear + 8) : read32(cpu, linear + 16);
  const word5 = half ? <u32>read16(cpu, linear + 10) : read32(cpu, linear + 20);
  const word6 = half ? <u32>read16(cpu, linear + 12) : read32(cpu, linear + 24);
  setControlWord(cpu, fcw);
  store<u32>(cpu, fsw, FSW);
  setFullTagWord(cpu, ftw);
  summarize(cpu);
  if (isProtected(cpu)) {
    store<u64>(cpu, word3, FIP);
    store<u32>(cpu, word4 & 0xffff, FCS);
    if (!half) store<u32>(cpu, word4 >> 16 & 0x7ff, FOP);
    store<u64>(cpu, word5, FDP);
    store<u32>(cpu, word6 & 0xffff, FDS);
  } else {
    store<u64>(cpu, (word3 & 0xffff) | word4 >> 12 << 16, FIP);
    store<u32>(cpu, word4 & 0x7ff, FOP);
    store<u64>(cpu, (word5 & 0xffff) | word6 >> 12 << 16, FDP);
    store<u32>(cpu, 0, FCS);
    store<u32>(cpu, 0, FDS);
  }
}

/** FNSTENV: stores the environment, then masks all exceptions. */
function storeEnvironment(cpu: usize, rec: usize): void {
  requireFpu(cpu);
  const half = is16(rec);
  const size: u32 = half ? 14 : 28;
  const linear = eaSized(cpu, rec, size, 1);
  probeWrite(cpu, linear, size);
  writeEnvironment(cpu, linear, half);
  store<u32>(cpu, load<u32>(cpu, FCW) | 0x3f, FCW);
  summarize(cpu);
}

function loadEnvironment(cpu: usize, rec: usize): void {
  begin(cpu);
  const half = is16(rec);
  const size: u32 = half ? 14 : 28;
  const linear = eaSized(cpu, rec, size, 0);
  read16(cpu, linear);
  read16(cpu, linear + size - 2);
  readEnvironment(cpu, linear, half);
}

/** FNSAVE: environment and registers in stack order, then FNINIT. */
function save(cpu: usize, rec: usize): void {
  requireFpu(cpu);
  const half = is16(rec);
  const header: u32 = half ? 14 : 28;
  const linear = eaSized(cpu, rec, header + 80, 1);
  probeWrite(cpu, linear, header + 80);
  writeEnvironment(cpu, linear, half);
  for (let i: u32 = 0; i < 8; i++) {
    const at = register(cpu, i);
    const to = linear + header + 10 * i;
    write64(cpu, to, sigOf(at));
    write16(cpu, to + 8, <u16>expOf(at));
  }
  initialize(cpu);
}

function restore(cpu: usize, rec: usize): void {
  begin(cpu);
  const half = is16(rec);
  const header: u32 = half ? 14 : 28;
  const linear = eaSized(cpu, rec, header + 80, 0);
  read16(cpu, linear);
  read16(cpu, linear + header + 78);
  readEnvironment(cpu, linear, half);
  for (let i: u32 = 0; i < 8; i++) {
    const at = register(cpu, i);
    const from = linear + header + 10 * i;
    store<u64>(at, read64(cpu, from));
    store<u16>(at, read16(cpu, from + 8), 8);
  }
}
