// BCD and ASCII arithmetic: DAA, DAS, AAA, AAS, AAM, AAD. Not in 64-bit mode.
import { DE, raise } from "./exceptions";
import { AF, CF, SF, ZF, arithmeticFlags, parity, setArith } from "./flags";
import { RAX } from "./operands";

function resultFlags(value: u32): u64 {
  return parity(value) | (value == 0 ? ZF : 0) | (<u64>value & SF);
}

export function adjustDecimal(cpu: usize, subtract: bool): void {
  const old = <u32>load<u8>(cpu, RAX);
  const flags = arithmeticFlags(cpu);
  let value = old;
  let next: u64 = 0;
  if ((old & 15) > 9 || (flags & AF) != 0) {
    // A borrow or a carry out of the byte at this step counts, too.
    if (subtract ? old < 6 : old > 0xf9) next |= CF;
    value = subtract ? value - 6 : value + 6;
    next |= AF;
  }
  if (old > 0x99 || (flags & CF) != 0) {
    value = subtract ? value - 0x60 : value + 0x60;
    next |= CF;
  }
  value &= 0xff;
  store<u8>(cpu, <u8>value, RAX);
  setArith(cpu, next | (flags & CF && next & AF ? CF : 0) | resultFlags(value));
}

export function adjustAscii(cpu: usize, subtract: bool): void {
  const flags = arithmeticFlags(cpu);
  let value = <u32>load<u16>(cpu, RAX);
  let next: u64 = 0;
  if ((value & 15) > 9 || (flags & AF) != 0) {
    value = subtract ? value - 0x106 : value + 0x106;
    next = AF | CF;
  }
  value &= 0xff0f;
  store<u16>(cpu, <u16>value, RAX);
  setArith(cpu, next | resultFlags(value & 0xff));
}

export function adjustAsciiMultiply(cpu: usize, base: u32): void {
  if (base == 0) raise(cpu, DE);
  const value = <u32>load<u8>(cpu, RAX);
  store<u16>(cpu, <u16>(((value / base) << 8) | (value % base)), RAX);
  setArith(cpu, resultFlags(value % base));
}

export function adjustAsciiDivide(cpu: usize, base: u32): void {
  const value = (<u32>load<u8>(cpu, RAX) + <u32>load<u8>(cpu, RAX + 1) * base) & 0xff;
  store<u16>(cpu, <u16>value, RAX);
  setArith(cpu, resultFlags(value));
}
