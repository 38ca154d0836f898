// Guest memory at linear addresses, through the current MMU context's TLB. The hit path is inlined
// where it is used; misses, page crossings, MMIO and pages that hold code go to mmu.ts, which raises
// #PF where the page tables say so.
//
// A TLB entry is 32 bytes: tag for reads u64, for writes u64, for fetches u64 (the page's linear
// address, or all ones where that access has to take the slow path), addend u32 (linear address +
// addend = wasm offset, modulo 2^32), spare u32.
import { SYS_TLB, TLB, TLB_ENTRIES } from "../layout";
import { slowRead, slowRead128, slowWrite, slowWrite128, slowReadForWrite } from "./mmu";

export const TLB_READ: usize = 0;
export const TLB_WRITE: usize = 8;
export const TLB_FETCH: usize = 16;
export const TLB_ADDEND: usize = 24;
export const TLB_SPARE: usize = 28;

const INDEX_MASK: usize = TLB_ENTRIES - 1;
const PAGE: u64 = ~0xfff;

// @ts-ignore: decorator
@inline
export function tlbEntry(tlb: usize, linear: u64): usize {
  return tlb + (<usize>(linear >> 7) & (INDEX_MASK << 5));
}

// @ts-ignore: decorator
@inline
function readFrom<T>(cpu: usize, tlb: usize, linear: u64, system: u32): T {
  const entry = tlbEntry(tlb, linear);
  // The last byte's page is compared with the first byte's entry: a crossing misses.
  if (((linear + (sizeof<T>() - 1)) & PAGE) == load<u64>(entry, TLB_READ)) {
    return load<T>(<usize>linear + load<u32>(entry, TLB_ADDEND));
  }
  return <T>slowRead(cpu, linear, sizeof<T>(), system);
}

// @ts-ignore: decorator
@inline
function writeTo<T>(cpu: usize, tlb: usize, linear: u64, value: T, system: u32): void {
  const entry = tlbEntry(tlb, linear);
  if (((linear + (sizeof<T>() - 1)) & PAGE) == load<u64>(entry, TLB_WRITE)) {
    store<T>(<usize>linear + load<u32>(entry, TLB_ADDEND), value);
  } else {
    slowWrite(cpu, linear, sizeof<T>(), <u64>value, system);
  }
}

// Data accesses of the running program, at its privilege.
// @ts-ignore: decorator
@inline
export function read8(cpu: usize, linear: u64): u8 {
  return readFrom<u8>(cpu, load<u32>(cpu, TLB), linear, 0);
}
// @ts-ignore: decorator
@inline
export function read16(cpu: usize, linear: u64): u16 {
  return readFrom<u16>(cpu, load<u32>(cpu, TLB), linear, 0);
}
// @ts-ignore: decorator
@inline
export function read32(cpu: usize, linear: u64): u32 {
  return readFrom<u32>(cpu, load<u32>(cpu, TLB), linear, 0);
}
// @ts-ignore: decorator
@inline
export function read64(cpu: usize, linear: u64): u64 {
  return readFrom<u64>(cpu, load<u32>(cpu, TLB), linear, 0);
}
// @ts-ignore: decorator
@inline
export function write8(cpu: usize, linear: u64, value: u8): void {
  writeTo<u8>(cpu, load<u32>(cpu, TLB), linear, value, 0);
}
// @ts-ignore: decorator
@inline
export function write16(cpu: usize, linear: u64, value: u16): void {
  writeTo<u16>(cpu, load<u32>(cpu, TLB), linear, value, 0);
}
// @ts-ignore: decorator
@inline
export function write32(cpu: usize, linear: u64, value: u32): void {
  writeTo<u32>(cpu, load<u32>(cpu, TLB), linear, value, 0);
}
// @ts-ignore: decorator
@inline
export function write64(cpu: usize, linear: u64, value: u64): void {
  writeTo<u64>(cpu, load<u32>(cpu, TLB), linear, value, 0);
}

// The read of a read-modify-write: write permission is checked first, so that its #PF says so and the
// write that follows cannot fault. The write must follow at once.
// @ts-ignore: decorator
@inline
function readForWrite<T>(cpu: usize, linear: u64): T {
  const entry = tlbEntry(load<u32>(cpu, TLB), linear);
  if (((linear + (sizeof<T>() - 1)) & PAGE) == load<u64>(entry, TLB_WRITE)) {
    return load<T>(<usize>linear + load<u32>(entry, TLB_ADDEND));
  }
  return <T>slowReadForWrite(cpu, linear, sizeof<T>());
}
// @ts-ignore: decorator
@inline
export function rmw8(cpu: usize, linear: u64): u8 {
  return readForWrite<u8>(cpu, linear);
}
// @ts-ignore: decorator
@inline
export function rmw16(cpu: usize, linear: u64): u16 {
  return readForWrite<u16>(cpu, linear);
}
// @ts-ignore: decorator
@inline
export function rmw32(cpu: usize, linear: u64): u32 {
  return readForWrite<u32>(cpu, linear);
}
// @ts-ignore: decorator
@inline
export function rmw64(cpu: usize, linear: u64): u64 {
  return readForWrite<u64>(cpu, linear);
}

// 16 bytes. Alignment is the caller's to check. A write checks all bytes' permission before it changes any.
// @ts-ignore: decorator
@inline
export function read128(cpu: usize, linear: u64): v128 {
  const entry = tlbEntry(load<u32>(cpu, TLB), linear);
  if (((linear + 15) & PAGE) == load<u64>(entry, TLB_READ)) {
    return v128.load(<usize>linear + load<u32>(entry, TLB_ADDEND));
  }
  return slowRead128(cpu, linear);
}
// @ts-ignore: decorator
@inline
export function write128(cpu: usize, linear: u64, value: v128): void {
  const entry = tlbEntry(load<u32>(cpu, TLB), linear);
  if (((linear + 15) & PAGE) == load<u64>(entry, TLB_WRITE)) {
    v128.store(<usize>linear + load<u32>(entry, TLB_ADDEND), value);
  } else {
    slowWrite128(cpu, linear, value);
  }
}

// Implicit supervisor accesses, whatever the CPL: descriptor tables, the TSS, the stack of a new privilege level.
export function sysRead8(cpu: usize, linear: u64): u8 {
  return readFrom<u8>(cpu, load<u32>(cpu, SYS_TLB), linear, 1);
}
export function sysRead16(cpu: usize, linear: u64): u16 {
  return readFrom<u16>(cpu, load<u32>(cpu, SYS_TLB), linear, 1);
}
export function sysRead32(cpu: usize, linear: u64): u32 {
  return readFrom<u32>(cpu, load<u32>(cpu, SYS_TLB), linear, 1);
}
export function sysRead64(cpu: usize, linear: u64): u64 {
  return readFrom<u64>(cpu, load<u32>(cpu, SYS_TLB), linear, 1);
}
export function sysWrite8(cpu: usize, linear: u64, value: u8): void {
  writeTo<u8>(cpu, load<u32>(cpu, SYS_TLB), linear, value, 1);
}
export function sysWrite16(cpu: usize, linear: u64, value: u16): void {
  writeTo<u16>(cpu, load<u32>(cpu, SYS_TLB), linear, value, 1);
}
export function sysWrite32(cpu: usize, linear: u64, value: u32): void {
  writeTo<u32>(cpu, load<u32>(cpu, SYS_TLB), linear, value, 1);
}
export function sysWrite64(cpu: usize, linear: u64, value: u64): void {
  writeTo<u64>(cpu, load<u32>(cpu, SYS_TLB), linear, value, 1);
}
