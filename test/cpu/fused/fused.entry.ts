// Fused multiply-add and half precision alone, for fused.test.mjs: a case is 40 bytes at `at`, as native.c has it.
import { MXCSR } from "../../../src/accel/translate/layout";
import { begin, finish } from "../../../src/accel/translate/core/sse-exact";
import { fmaDouble, fmaSingle } from "../../../src/accel/translate/core/sse-fma";
import { beginHalf, halfToSingle, singleToHalf } from "../../../src/accel/translate/core/sse-half";

/** Leaves the result in the case, or unwinds with MXCSR's flags set. */
export function run(cpu: usize, at: usize): void {
  const kind = load<u32>(at);
  const x = load<u64>(at, 8);
  const y = load<u64>(at, 16);
  const z = load<u64>(at, 24);
  let r: u64;
  store<u32>(cpu, load<u32>(at, 4), MXCSR);
  if (kind < 4) {
    begin(cpu);
    r = fmaDouble(x, y, z, kind);
  } else if (kind < 8) {
    begin(cpu);
    r = fmaSingle(<u32>x, <u32>y, <u32>z, kind & 3);
  } else if (kind < 16) {
    beginHalf(cpu, kind & 7);
    r = singleToHalf(<u32>x);
  } else {
    begin(cpu);
    r = halfToSingle(<u32>x & 0xffff);
  }
  finish(cpu);
  store<u64>(at, r, 32);
}

export function status(cpu: usize): u32 {
  return load<u32>(cpu, MXCSR) & 0x3f;
}
