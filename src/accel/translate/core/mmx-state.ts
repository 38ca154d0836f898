// What MMX instructions do to the x87 state around their registers.
import { FSW, FTW, ST } from "../layout";

const TOP: u32 = 7 << 11;

/** Every MMX instruction but EMMS: TOP is 0 and all registers are in use. */
export function mmxTouch(cpu: usize): void {
  store<u32>(cpu, load<u32>(cpu, FSW) & ~TOP, FSW);
  store<u32>(cpu, 0, FTW);
}

/** Writes MMX register `n`: sign and exponent become ones. */
export function mmxWrite(cpu: usize, n: u32, value: u64): void {
  const at = cpu + ((<usize>n) << 4);
  store<u64>(at, value, ST);
  store<u16>(at, 0xffff, ST + 8);
}
