/** What differs between the two sides of a case, in words. Nothing that the manuals leave undefined counts. */
import { GPR_NAMES } from "../../vcpu/state.js";
import type { GeneratedCase, GeneratedInstruction } from "./generator.js";
import { AF, ARITH, CF, DF, OF, PF, SF, ZF } from "./instruction.js";
import {
  CODE_BASE,
  CODE_BYTES,
  type CodeBits,
  DATA_BASE,
  DATA_BYTES,
  FPU_MXCSR,
  FPU_ST,
  FPU_XMM,
  type Outcome,
  PAGE,
  RESULT,
  TRAP_DEFECT,
  TRAP_HANG,
  TRAP_UNIMPLEMENTED,
} from "./wire.js";

const RESUME = 0x10000;
const COMPARED_FLAGS = CF | PF | AF | ZF | SF | DF | OF | RESUME | 0x40000;
const INVALID_OPCODE = 6;
const GENERAL_PROTECTION = 13;
const PAGE_FAULT = 14;
const ALIGNMENT = 17;
/** From the FXSAVE image to the upper halves of the YMM registers. */
const YMM_AT = RESULT.ymm - RESULT.fpu;
const SEGMENT_NAMES = ["ds", "es", "fs", "gs", "cs", "ss"];
const CODE_END = BigInt(CODE_BASE + CODE_BYTES);
/** RCPPS and RSQRTPS: relative error at most 1.5 * 2^-12, on each side. */
const APPROXIMATION = 3 * 2 ** -12;

export function compare(generated: GeneratedCase, native: Outcome, guest: Outcome, bits: CodeBits): string[] {
  const differences: string[] = [];
  // What the upper halves of general registers hold after 32-bit code is not defined.
  const wide = bits === 64;
  const n = native.record;
  const g = guest.record;
  const trap = n.readUInt32LE(RESULT.trap);
  const guestTrap = g.readUInt32LE(RESULT.trap);
  if (guestTrap >= TRAP_DEFECT) {
    const rip = g.readBigUInt64LE(RESULT.rip);
    return [`${trapName(guestTrap)} at RIP ${hex(rip)}${guest.message ? `: ${guest.message}` : ""}`];
  }
  const faulted = trap === PAGE_FAULT || trap === ALIGNMENT || trap === GENERAL_PROTECTION;
  const faulting = faulted ? instructionAt(generated, n.readBigUInt64LE(RESULT.rip)) : undefined;
  // Where a masked move faults, and what it did before, differs from processor to processor; so does what ENTER touches.
  if (faulting?.spec.name.includes("maskmov")) return [];
  if (faulting?.spec.name === "enter" && trap === ALIGNMENT) return [];
  // RET far with an immediate touches the stack above it before it looks at the selector: AMD's own.
  if (faulting?.spec.name === "retf" && guestTrap === GENERAL_PROTECTION) return [];
  // AMD's processors check the alignment first, Intel's the page.
  if (trap === ALIGNMENT && guestTrap === PAGE_FAULT) return [];
  // Whether the rest of a refused instruction is fetched from the next page differs from processor to processor.
  if (trap === INVALID_OPCODE && guestTrap === PAGE_FAULT && g.readBigUInt64LE(RESULT.cr2) === CODE_END) return [];
  if (trap === PAGE_FAULT && guestTrap === INVALID_OPCODE && n.readBigUInt64LE(RESULT.cr2) === CODE_END) return [];
  if (trap !== guestTrap) differences.push(`exception: native ${trapName(trap)}, guest ${trapName(guestTrap)}`);
  for (const [name, at] of [
    ...GPR_NAMES.slice(0, wide ? 16 : 8).map((name, index) => [name, index * 8] as const),
    ["rip", RESULT.rip] as const,
  ]) {
    const expected = wide ? n.readBigUInt64LE(at) : BigInt(n.readUInt32LE(at));
    const actual = wide ? g.readBigUInt64LE(at) : BigInt(g.readUInt32LE(at));
    if (expected !== actual) differences.push(`${name}: native ${hex(expected)}, guest ${hex(actual)}`);
  }
  SEGMENT_NAMES.forEach((name, index) => {
    // The way back from Linux makes 0 of the other null selectors.
    const [expected, actual] = [selectorAt(n, index), selectorAt(g, index)];
    if (expected !== actual) differences.push(`${name}: native ${hex(BigInt(expected))}, guest ${hex(BigInt(actual))}`);
  });
  if (trap === guestTrap) compareFault(n, g, trap, differences);
  let flags = COMPARED_FLAGS & ~undefinedFlags(generated, n.readBigUInt64LE(RESULT.rip));
  // A repeated comparison that faults: Intel's manual has the flags from before it, AMD's processors the last ones.
  if (faulting?.spec.name === "cmps" || faulting?.spec.name === "scas") flags &= ~ARITH;
  const expectedFlags = n.readUInt32LE(RESULT.rflags) & flags;
  const actualFlags = g.readUInt32LE(RESULT.rflags) & flags;
  if (expectedFlags !== actualFlags) {
    differences.push(`rflags: native ${flagNames(expectedFlags)}, guest ${flagNames(actualFlags)}`);
  }
  compareFpu(
    n.subarray(RESULT.fpu),
    g.subarray(RESULT.fpu),
    isApproximate(generated, n.readBigUInt64LE(RESULT.rip)),
    differences,
  );
  compareMemory(native.changes, guest.changes, differences);
  return differences;
}

function compareFault(native: Buffer, guest: Buffer, trap: number, differences: string[]): void {
  let expected = native.readUInt32LE(RESULT.error);
  let actual = guest.readUInt32LE(RESULT.error);
  if (trap === PAGE_FAULT) {
    const expectedAddress = native.readBigUInt64LE(RESULT.cr2);
    const actualAddress = guest.readBigUInt64LE(RESULT.cr2);
    if (expectedAddress !== actualAddress) {
      differences.push(`cr2: native ${hex(expectedAddress)}, guest ${hex(actualAddress)}`);
    }
    // Elsewhere than around the case's own pages, what is mapped belongs to the harness or is hidden by Linux.
    if (expectedAddress < CODE_BASE - PAGE || expectedAddress >= DATA_BASE + DATA_BYTES + PAGE) {
      expected |= 1;
      actual |= 1;
    }
  }
  if (expected !== actual)
    differences.push(`error code: native ${hex(BigInt(expected))}, guest ${hex(BigInt(actual))}`);
}

function selectorAt(record: Buffer, index: number): number {
  const selector = record.readUInt16LE(RESULT.segments + 2 * index);
  return selector < 4 ? 0 : selector;
}

function instructionAt({ instructions }: GeneratedCase, rip: bigint): GeneratedInstruction | undefined {
  return instructions.find(({ address }) => BigInt(address) === rip);
}

// The flags that the instructions before `rip` left undefined. Where a jump led out of the case, any of them may have.
function undefinedFlags({ instructions }: GeneratedCase, rip: bigint): number {
  const last = instructions.at(-1);
  const inside = last && rip >= BigInt(instructions[0]!.address) && rip <= BigInt(last.address + last.bytes.length + 1);
  let mask = 0;
  for (const { address, bytes, effect } of instructions) {
    if (inside && BigInt(address + bytes.length) > rip) break;
    mask = ((inside ? ~effect.defines : -1) & mask) | effect.undefines;
  }
  return mask;
}

// Whether the last instruction, which is the only one that may be approximate, was executed.
function isApproximate({ instructions }: GeneratedCase, rip: bigint): boolean {
  const last = instructions.at(-1);
  return last !== undefined && (last.spec.approximate ?? false) && rip > BigInt(last.address);
}

function compareFpu(native: Buffer, guest: Buffer, approximate: boolean, differences: string[]): void {
  const field = (name: string, at: number, bytes: number) => {
    if (native.compare(guest, at, at + bytes, at, at + bytes) === 0) return;
    differences.push(`${name}: native ${reversedHex(native, at, bytes)}, guest ${reversedHex(guest, at, bytes)}`);
  };
  field("fcw", 0, 2);
  field("fsw", 2, 2);
  field("ftw", 4, 1);
  for (let index = 0; index < 8; index++) field(`st(${index})`, FPU_ST + index * 16, 10);
  field("mxcsr", FPU_MXCSR, 4);
  for (let index = 0; index < 16; index++) {
    const at = FPU_XMM + index * 16;
    if (approximate && closeLanes(native, guest, at)) continue;
    field(`xmm${index}`, at, 16);
  }
  // Past the image and its header. Approximate operations clear what is above their XMM register.
  for (let index = 0; index < 16; index++) {
    const at = YMM_AT + index * 16;
    if (approximate && closeLanes(native, guest, at)) continue;
    field(`upper half of ymm${index}`, at, 16);
  }
}

function closeLanes(native: Buffer, guest: Buffer, at: number): boolean {
  for (let lane = at; lane < at + 16; lane += 4) {
    if (native.readUInt32LE(lane) === guest.readUInt32LE(lane)) continue;
    const expected = native.readFloatLE(lane);
    if (!(Math.abs(guest.readFloatLE(lane) - expected) <= Math.abs(expected) * APPROXIMATION)) return false;
  }
  return true;
}

function compareMemory(native: Outcome["changes"], guest: Outcome["changes"], differences: string[]): void {
  const expected = new Map(native.map(({ offset, value }) => [offset, value]));
  const actual = new Map(guest.map(({ offset, value }) => [offset, value]));
  for (const offset of new Set([...expected.keys(), ...actual.keys()])) {
    const values = [expected.get(offset), actual.get(offset)];
    if (values[0] === values[1]) continue;
    const [first, second] = values.map((value) => (value === undefined ? "unchanged" : hex(value)));
    differences.push(`data+${hex(BigInt(offset))}: native ${first}, guest ${second}`);
    if (differences.length > 12) return;
  }
}

const TRAP_NAMES: Record<number, string> = {
  0: "#DE",
  1: "#DB",
  3: "#BP",
  6: "#UD",
  11: "#NP",
  12: "#SS",
  13: "#GP",
  14: "#PF",
  16: "#MF",
  17: "#AC",
  19: "#XM",
  [TRAP_HANG]: "no end",
  [TRAP_UNIMPLEMENTED]: "not implemented",
  [TRAP_DEFECT]: "defect",
};

function trapName(trap: number): string {
  return TRAP_NAMES[trap] ?? `vector ${trap}`;
}

function flagNames(flags: number): string {
  const names = [
    [CF, "CF"],
    [PF, "PF"],
    [AF, "AF"],
    [ZF, "ZF"],
    [SF, "SF"],
    [DF, "DF"],
    [OF, "OF"],
    [RESUME, "RF"],
    [0x40000, "AC"],
  ] as const;
  return (
    names
      .filter(([bit]) => flags & bit)
      .map(([, name]) => name)
      .join("+") || "none"
  );
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

function reversedHex(bytes: Buffer, at: number, count: number): string {
  return Buffer.from(bytes.subarray(at, at + count))
    .reverse()
    .toString("hex");
}
