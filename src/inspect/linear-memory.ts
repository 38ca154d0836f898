/** A vCPU's linear address space as an onlooker sees it: no faults, no side effects, page by page. */
import { type GuestMemory, PAGE_SIZE } from "../guest-memory/guest-memory.js";
import type { Vcpu } from "../vcpu/accelerator.js";

const PAGE = BigInt(PAGE_SIZE);

/** Splits a range at page boundaries; a range that runs past 2^64 ends there. */
function* pages(address: bigint, size: number): Generator<{ address: bigint; size: number; at: number }> {
  for (let at = 0; at < size; ) {
    const here = address + BigInt(at);
    if (here >= 1n << 64n) return;
    const part = Math.min(size - at, Number(PAGE - (here % PAGE)));
    yield { address: here, size: part, at };
    at += part;
  }
}

/** The wasm offset's worth of guest-physical address, or null where no memory is mapped. */
function physical(vcpu: Vcpu, memory: GuestMemory, address: bigint, size: number): number | null {
  const gpa = vcpu.translate(BigInt.asUintN(64, address));
  return gpa !== null && memory.contains(gpa, size) ? gpa : null;
}

/** The bytes at a linear address up to the first that is not memory; at most `size`. */
export function readLinear(vcpu: Vcpu, memory: GuestMemory, address: bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (const part of pages(address, size)) {
    const gpa = physical(vcpu, memory, part.address, part.size);
    if (gpa === null) return bytes.subarray(0, part.at);
    bytes.set(memory.view(gpa, part.size), part.at);
  }
  return bytes;
}

/** Writes all of it, whatever the pages' permissions, or nothing and returns false. */
export function writeLinear(vcpu: Vcpu, memory: GuestMemory, address: bigint, bytes: Uint8Array): boolean {
  const parts = [...pages(address, bytes.length)].map((part) => ({
    ...part,
    gpa: physical(vcpu, memory, part.address, part.size),
  }));
  const covered = parts.reduce((sum, part) => sum + part.size, 0);
  if (covered < bytes.length || parts.some(({ gpa }) => gpa === null)) return false;
  for (const { gpa, at, size } of parts) memory.write(gpa as number, bytes.subarray(at, at + size));
  return true;
}
