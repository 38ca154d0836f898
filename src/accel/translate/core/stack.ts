// The stack of every mode: size of the pointer by MODE, segment SS outside 64-bit mode.
import { GPR, MODE, SS } from "../layout";
import { SSF, raiseError } from "./exceptions";
import { read16, read32, read64, write16, write32, write64 } from "./memory";
import { canonical } from "./mmu";
import { MODE_64, MODE_SIZE, MODE_STACK32 } from "./mode-bits";
import { segmentLinear } from "./segments";

const RSP: usize = GPR + 4 * 8;

// @ts-ignore: decorator
@inline
function isLong(cpu: usize): bool {
  return (load<u32>(cpu, MODE) & MODE_SIZE) == MODE_64;
}

/** The bits of RSP that count. */
export function stackMask(cpu: usize): u64 {
  const mode = load<u32>(cpu, MODE);
  if ((mode & MODE_SIZE) == MODE_64) return ~(<u64>0);
  return mode & MODE_STACK32 ? 0xffffffff : 0xffff;
}

/** The stack pointer, masked. */
export function stackPointer(cpu: usize): u64 {
  return load<u64>(cpu, RSP) & stackMask(cpu);
}

/** Sets the bits of RSP that count: SP keeps the rest, ESP clears the upper half. */
export function setStackPointer(cpu: usize, value: u64): void {
  setMaskedPointer(cpu, stackMask(cpu), value);
}

/** Likewise, by a stackMask from before the instruction loaded SS. */
export function setMaskedPointer(cpu: usize, mask: u64, value: u64): void {
  if (mask == 0xffff) store<u16>(cpu, <u16>value, RSP);
  else store<u64>(cpu, value & mask, RSP);
}

/** The linear address of `size` bytes at a stack offset. */
export function stackLinear(cpu: usize, offset: u64, size: u32, write: u32): u64 {
  if (isLong(cpu)) {
    if (!canonical(cpu, offset) || !canonical(cpu, offset + size - 1)) raiseError(cpu, SSF, 0);
    return offset;
  }
  return segmentLinear(cpu, SS, offset & stackMask(cpu), size, write);
}

/** Writes at a stack offset without moving the pointer. */
export function stackWrite(cpu: usize, offset: u64, size: u32, value: u64): void {
  const linear = stackLinear(cpu, offset, size, 1);
  if (size == 8) write64(cpu, linear, value);
  else if (size == 4) write32(cpu, linear, <u32>value);
  else write16(cpu, linear, <u16>value);
}

export function stackRead(cpu: usize, offset: u64, size: u32): u64 {
  const linear = stackLinear(cpu, offset, size, 0);
  if (size == 8) return read64(cpu, linear);
  if (size == 4) return <u64>read32(cpu, linear);
  return <u64>read16(cpu, linear);
}

export function push(cpu: usize, size: u32, value: u64): void {
  const at = (stackPointer(cpu) - size) & stackMask(cpu);
  stackWrite(cpu, at, size, value);
  setStackPointer(cpu, at);
}

export function pop(cpu: usize, size: u32): u64 {
  const at = stackPointer(cpu);
  const value = stackRead(cpu, at, size);
  setStackPointer(cpu, at + size);
  return value;
}
