/** A generated program: relocatable instructions, what it starts from, and how its run is cut into slices. */
import type { ProgramFeature } from "./features.js";
import { CODE, CODE_BYTES } from "./layout.js";

export type CodeBits = 16 | 32 | 64;

/** Bytes of an instruction that depend on where it and other things lie. */
export interface Fixup {
  /** Offset in the instruction. */
  at: number;
  /** `relative`: to the instruction's end; `absolute`: the linear address; `offset`: within the window. */
  kind: "relative" | "absolute" | "offset";
  size: 2 | 4 | 8;
  /** A label, or an offset in the window. */
  target: { label: number } | { offset: number };
  addend: number;
}

export interface Item {
  /** Empty for a label. */
  bytes: readonly number[];
  label?: number;
  fixups?: readonly Fixup[];
  /** A branch with a short form and perhaps a near one, which is taken where the short one does not reach. */
  branch?: { short?: readonly number[]; near?: readonly number[]; target: number };
}

export interface Section {
  /** In the window. */
  offset: number;
  items: readonly Item[];
}

/** What happens from outside before a slice. */
export type SliceEvent =
  | { kind: "interrupt"; vector: number }
  | { kind: "external" }
  | { kind: "nmi" }
  /** Somebody else writes guest memory. */
  | { kind: "write"; gpa: number; bytes: readonly number[] }
  /** The state is saved and restored. */
  | { kind: "reload" };

export interface Slice {
  events: readonly SliceEvent[];
  instructions: number;
}

export interface Program {
  seed: number;
  /** Which circumstances its code has; absent for the first. */
  variant?: number;
  bits: CodeBits;
  /** Of the kernel's code: 32-bit programs may run under a 64-bit kernel, in compatibility mode. */
  kernel: CodeBits;
  ring: 0 | 3;
  /** Linear address of the window. */
  base: bigint;
  features: readonly ProgramFeature[];
  /** Registers that hold addresses, and those. */
  addresses: readonly (readonly [number, bigint])[];
  registers: readonly bigint[];
  rflags: number;
  mxcsr: number;
  fcw: number;
  /** Where in the pool of values data and vector registers begin. */
  noise: number;
  sections: readonly Section[];
  /** Bytes beside code, in the window, by label. */
  pointers: readonly { offset: number; label: number; addend: number }[];
  /** Bits of page-table entries that are cleared before, by page of the window. */
  cleared: readonly { page: number; bits: number }[];
  /** Pages that a page fault maps. */
  repaired: readonly number[];
  /** Events after which the kernel ends the program, and single steps after which it clears TF. */
  eventLimit: number;
  stepLimit: number;
  slices: readonly Slice[];
}

export interface PlacedInstruction {
  /** In the window. */
  offset: number;
  bytes: Uint8Array;
}

export interface Placed {
  instructions: PlacedInstruction[];
  labels: Map<number, number>;
}

/** Where each instruction lies, and its bytes. */
export function place(program: Program): Placed {
  const far = new Set<Item>();
  const near = program.bits === 16 ? 2 : 4;
  const labels = new Map<number, number>();
  const size = (item: Item): number => {
    if (!item.branch) return item.bytes.length;
    const { short, near: long } = item.branch;
    if (short && !far.has(item)) return short.length + 1;
    return long ? long.length + near : 0;
  };
  // A branch that becomes longer may push another one's target out of reach: until nothing changes.
  for (let changed = true; changed; ) {
    changed = false;
    for (const section of program.sections) {
      let offset = section.offset;
      for (const item of section.items) {
        if (item.label !== undefined) labels.set(item.label, offset);
        offset += size(item);
      }
    }
    for (const section of program.sections) {
      let offset = section.offset;
      for (const item of section.items) {
        offset += size(item);
        if (!item.branch?.short || far.has(item)) continue;
        const distance = (labels.get(item.branch.target) ?? offset) - offset;
        if (distance >= -128 && distance < 128) continue;
        far.add(item);
        changed = true;
      }
    }
  }
  const instructions: PlacedInstruction[] = [];
  for (const section of program.sections) {
    let offset = section.offset;
    for (const item of section.items) {
      const length = size(item);
      if (length === 0) continue;
      const end = offset + length;
      const bytes = new Uint8Array(length);
      if (item.branch) {
        const isShort = item.branch.short !== undefined && !far.has(item);
        const opcode = isShort ? item.branch.short! : item.branch.near!;
        bytes.set(opcode);
        store(bytes, opcode.length, isShort ? 1 : near, BigInt((labels.get(item.branch.target) ?? end) - end));
      } else {
        bytes.set(item.bytes);
        for (const { at, kind, size: width, target, addend } of item.fixups ?? []) {
          const to = ("label" in target ? (labels.get(target.label) ?? CODE) : target.offset) + addend;
          const value = kind === "relative" ? BigInt(to - end) : BigInt(to) + (kind === "absolute" ? program.base : 0n);
          store(bytes, at, width, value);
        }
      }
      // What a section has no room for stays out.
      if (end <= CODE + CODE_BYTES) instructions.push({ offset, bytes });
      offset = end;
    }
  }
  return { instructions, labels };
}

function store(bytes: Uint8Array, at: number, size: number, value: bigint): void {
  for (let index = 0; index < size; index++) bytes[at + index] = Number((value >> BigInt(8 * index)) & 0xffn);
}
