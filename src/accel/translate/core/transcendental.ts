import { setResult } from "./float80";
export let argumentOutOfRange: bool = false;
export let secondExp: u32 = 0;
export let secondSig: u64 = 0;
export function exponential(exp: u32, sig: u64, fcw: u32): void {}
export function logarithm(xExp: u32, xSig: u64, yExp: u32, ySig: u64, fcw: u32): void {}
export function logarithmPlusOne(xExp: u32, xSig: u64, yExp: u32, ySig: u64, fcw: u32): void {}
export function arctangent(xExp: u32, xSig: u64, yExp: u32, ySig: u64, fcw: u32): void {}
export function tangent(exp: u32, sig: u64, fcw: u32): void {}
export function sine(exp: u32, sig: u64, fcw: u32): void {}
export function cosine(exp: u32, sig: u64, fcw: u32): void {}
export function sineAndCosine(exp: u32, sig: u64, fcw: u32): void {}
