/** What differs between the two sides of a lockstep run. */
import * as B from "../../accel/translate/layout.js";
import type { VcpuExit } from "../../vcpu/accelerator.js";
import { GPR_NAMES } from "../../vcpu/state.js";
import { PAGE, RAM_BYTES } from "./layout.js";
import type { LockstepMachine } from "./machine.js";

/** Ranges of the state block that are architectural state, with the flags left out. */
const RANGES: readonly (readonly [number, number])[] = [
  [B.GPR, B.GPR + 16 * 8],
  [B.RIP, B.RIP + 8],
  [B.SEGMENTS, B.CPL + 4],
  [B.SHADOW, B.EXC_PENDING + 4],
  [B.TSC_OFFSET, B.TSC_OFFSET + 8],
  [B.REPEATING, B.XMM + 16 * 32],
  [B.APIC, B.YIELDED],
  [B.DEBUG_PENDING, B.DEBUG_PENDING + 8],
];

/** A few lines that say what differs; none where nothing does. `memory` compares RAM too, which takes longer. */
export function compare(
  first: LockstepMachine,
  second: LockstepMachine,
  exits: readonly [VcpuExit, VcpuExit],
  memory: boolean,
): string[] {
  const [a, b] = [first.state, second.state];
  const same =
    RANGES.every(([from, to]) => equal(a, b, from, to)) &&
    flagsOf(a) === flagsOf(b) &&
    exits[0].reason === exits[1].reason &&
    first.vcpu.instructions === second.vcpu.instructions &&
    first.accesses === second.accesses &&
    (!memory || first.contents.equals(second.contents));
  return same ? [] : describe(first, second, exits);
}

function equal(a: DataView, b: DataView, from: number, to: number): boolean {
  for (let at = from; at < to; at += 4) if (a.getInt32(at) !== b.getInt32(at)) return false;
  return true;
}

function describe(first: LockstepMachine, second: LockstepMachine, exits: readonly [VcpuExit, VcpuExit]): string[] {
  const lines: string[] = [];
  const note = (name: string, one: unknown, two: unknown) => {
    if (one !== two) lines.push(`${name}: ${show(one)}, ${show(two)}`);
  };
  note("exit", exits[0].reason, exits[1].reason);
  exits.forEach((exit, side) => {
    if (exit.reason === "internal-error") lines.push(`side ${side + 1}: ${exit.error.message}`);
  });
  note("instructions", first.vcpu.instructions, second.vcpu.instructions);
  note("device accesses", first.accesses, second.accesses);
  const [a, b] = [first.vcpu.getState(), second.vcpu.getState()];
  GPR_NAMES.forEach((name, index) => {
    note(name, a.gpr[index], b.gpr[index]);
  });
  const flat = [flatten(a), flatten(b)] as const;
  for (const [name, value] of flat[0]) note(name, value, flat[1].get(name));
  for (const name of flat[1].keys()) if (!flat[0].has(name)) note(name, undefined, flat[1].get(name));
  for (let page = 0; page < RAM_BYTES; page += PAGE) {
    if (first.contents.compare(second.contents, page, page + PAGE, page, page + PAGE) === 0) continue;
    for (let at = page, shown = 0; at < page + PAGE && shown < 4; at++) {
      if (first.contents[at] === second.contents[at]) continue;
      note(`RAM ${at.toString(16)}`, first.contents[at], second.contents[at]);
      shown++;
    }
  }
  // What only the state block's bytes show.
  if (lines.length === 0) {
    for (const [from, to] of RANGES) {
      for (let at = from; at < to; at += 4) {
        note(`state block ${at.toString(16)}`, first.state.getUint32(at, true), second.state.getUint32(at, true));
      }
    }
  }
  return lines;
}

function show(value: unknown): string {
  return typeof value === "bigint" || typeof value === "number" ? `0x${value.toString(16)}` : String(value);
}

// Leaves of a state by their paths.
function flatten(value: unknown, path = "", into = new Map<string, unknown>()): Map<string, unknown> {
  if (value !== null && typeof value === "object") {
    for (const [name, inner] of Object.entries(value)) {
      if (path === "" && (name === "gpr" || name === "instructions")) continue;
      flatten(inner, path === "" ? name : `${path}.${name}`, into);
    }
  } else into.set(path, value);
  return into;
}

/** RFLAGS, evaluated from what the last instruction left: asking the vCPU for its whole state takes too long. */
export function flagsOf(block: DataView): number {
  const kept = block.getUint32(B.RFLAGS, true);
  const op = block.getUint32(B.CC_OP, true);
  if (op === 0) return kept;
  const kind = op >> 2;
  const top = BigInt((8 << (op & 3)) - 1);
  const r = block.getBigUint64(B.CC_RESULT, true);
  const a = block.getBigUint64(B.CC_SRC1, true);
  const b = block.getBigUint64(B.CC_SRC2, true);
  const bit = (value: bigint) => Number((value >> top) & 1n);
  let carry = 0;
  let overflow = 0;
  let auxiliary = 0;
  switch (kind) {
    case 1: // ADD, ADC
      carry = bit((a & b) | ((a | b) & ~r));
      overflow = bit((a ^ r) & (b ^ r));
      auxiliary = Number((a ^ b ^ r) & 0x10n);
      break;
    case 2: // SUB
      carry = a < b ? 1 : 0;
      overflow = bit((a ^ b) & (a ^ r));
      auxiliary = Number((a ^ b ^ r) & 0x10n);
      break;
    case 3: // SBB
      carry = bit((~a & b) | ((~a | b) & r));
      overflow = bit((a ^ b) & (a ^ r));
      auxiliary = Number((a ^ b ^ r) & 0x10n);
      break;
    case 5: // INC
      carry = Number(a);
      overflow = r === 1n << top ? 1 : 0;
      auxiliary = (r & 15n) === 0n ? 0x10 : 0;
      break;
    case 6: // DEC
      carry = Number(a);
      overflow = r === (1n << top) - 1n ? 1 : 0;
      auxiliary = (r & 15n) === 15n ? 0x10 : 0;
      break;
    case 7: // each flag by itself
      carry = Number(a);
      overflow = Number(b & 1n);
      auxiliary = Number(b & 0x10n);
      break;
  }
  let parity = Number(r & 0xffn);
  parity ^= parity >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  let flags = carry | (overflow << 11) | auxiliary | (parity & 1 ? 0 : 4);
  if (r === 0n) flags |= 0x40;
  if (bit(r)) flags |= 0x80;
  return (kept & ~0x8d5) | flags;
}
