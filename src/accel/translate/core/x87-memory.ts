// x87 instructions with a memory operand. It is read, or written, before any state of the unit changes.
import { FEATURE_SSE3 } from "../feature-bits";
import { FCW, FSW } from "../layout";
import { eaSized } from "./ea";
import {
  DE, exceptions, IE, isNaN, isSignaling, isUnsupported, isZero, OE, propagateOne, resultExp, resultSig, setResult,
  signal, UE,
} from "./float80";
import { compare, setInteger } from "./float80-arith";
import {
  bcdHigh, fromBcd, fromDouble, fromSingle, sourceDenormal, toBcd, toDouble, toInteger, toSingle,
} from "./float80-convert";
import { read16, read32, read64, write16, write32, write64 } from "./memory";
import { probeWrite, probeWriteX87 } from "./mmu";
import { loadControl, loadEnvironment, restore, save, storeEnvironment } from "./x87-environment";
import {
  arithmetic, finishCompare, finishTop, pushResult, requireFeature, topExp, topSig, undefinedOpcode, UNORDERED,
} from "./x87-operations";
import {
  begin, isEmpty, mayStore, moveTop, overflow, pop, report, requireFpu, setDataPointer, setInstructionPointer,
  setRegisterToResult, underflow, unmasked,
} from "./x87-stack";

/** Executes the instruction of D8 + `group` with `reg` in ModRM and a memory operand. */
export function memoryForm(cpu: usize, rec: usize, group: u32, reg: u32): void {
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

function finishStore(
  cpu: usize, rec: usize, group: u32, linear: u64, size: u32, stored: bool, popAfter: bool,
): void {
  // Where an unmasked exception keeps the value from being stored, the operand's own faults still come first.
  if (!stored) probeWriteX87(cpu, linear, size);
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
  finishStore(cpu, rec, 1, linear, 4, stored, popAfter);
}

function storeDouble(cpu: usize, rec: usize, popAfter: bool): void {
  begin(cpu);
  const linear = eaSized(cpu, rec, 8, 1);
  let value: u64 = 0xfff8000000000000;
  if (isEmpty(cpu, 0)) underflow();
  else value = toDouble(topExp(cpu), topSig(cpu), load<u32>(cpu, FCW));
  const stored = !unmasked(cpu, IE | OE | UE);
  if (stored) write64(cpu, linear, value);
  finishStore(cpu, rec, 5, linear, 8, stored, popAfter);
}

function storeExtended(cpu: usize, rec: usize): void {
  begin(cpu);
  const linear = eaSized(cpu, rec, 10, 1);
  if (isEmpty(cpu, 0)) underflow();
  else setResult(topExp(cpu), topSig(cpu));
  const stored = mayStore(cpu);
  if (stored) write80(cpu, linear, resultSig, resultExp);
  finishStore(cpu, rec, 3, linear, 10, stored, true);
}

function write80(cpu: usize, linear: u64, low: u64, high: u32): void {
  // Neither part is written where the other would fault.
  if ((linear & 0xfff) > 0xff6) probeWrite(cpu, linear, 10);
  write64(cpu, linear, low);
  write16(cpu, linear + 8, <u16>high);
}

/** FIST, FISTP, FISTTP. */
function storeInteger(cpu: usize, rec: usize, group: u32, size: u32, popAfter: bool, chop: bool): void {
  if (chop) requireFeature(cpu, FEATURE_SSE3);
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
  finishStore(cpu, rec, group, linear, size, stored, popAfter);
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
  finishStore(cpu, rec, 7, linear, 10, stored, true);
}
