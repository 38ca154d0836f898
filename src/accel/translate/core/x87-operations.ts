// What register and memory forms of x87 instructions share: arithmetic and comparison with ST(0), and storing
// results.
import { FCW, FEATURES } from "../layout";
import { raise, UD } from "./exceptions";
import { DE } from "./float80";
import { add, compare, divide, multiply, subtract } from "./float80-arith";
import {
  C0, C2, C3, expOf, isEmpty, mayStore, moveTop, overflow, pop, register, report, reportCodes, setRegisterToResult,
  sigOf, underflow, unmasked,
} from "./x87-stack";

/** Condition codes of operands that cannot be compared. */
export const UNORDERED: u32 = C3 | C2 | C0;

export function undefinedOpcode(cpu: usize): void {
  raise(cpu, UD);
}

/** #UD where the model lacks a feature that came after x87. */
export function requireFeature(cpu: usize, feature: u32): void {
  if ((load<u32>(cpu + ((feature >> 5) << 2), FEATURES) >> (feature & 31) & 1) == 0) undefinedOpcode(cpu);
}

// @ts-ignore: decorator
@inline
export function topExp(cpu: usize): u32 {
  return expOf(register(cpu, 0));
}

// @ts-ignore: decorator
@inline
export function topSig(cpu: usize): u64 {
  return sigOf(register(cpu, 0));
}

/** ST(0) gets the result, unless an unmasked exception forbids it. */
export function finishTop(cpu: usize): void {
  if (mayStore(cpu)) setRegisterToResult(cpu, 0);
  report(cpu);
}

/** Operation `reg` of ST(0) and another operand: the encoding of all of D8, DA, DC and DE. */
export function arithmetic(cpu: usize, reg: u32, exp: u32, sig: u64): void {
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

export function compareWith(cpu: usize, exp: u32, sig: u64, quiet: bool, pops: u32): void {
  let codes = UNORDERED;
  if (isEmpty(cpu, 0)) underflow();
  else codes = compare(topExp(cpu), topSig(cpu), exp, sig, quiet);
  finishCompare(cpu, codes, pops);
}

export function finishCompare(cpu: usize, codes: u32, pops: u32): void {
  if (mayStore(cpu)) {
    if (pops != 0) pop(cpu);
    if (pops == 2) pop(cpu);
  }
  // Set even where the exception is unmasked, as processors do.
  reportCodes(cpu, codes, UNORDERED);
}

/** Pushes the result; on overflow, or where a source was empty, the result is the indefinite already. */
export function pushResult(cpu: usize): void {
  if (!mayStore(cpu)) return;
  moveTop(cpu, 7);
  setRegisterToResult(cpu, 0);
}
