/** A vCPU's state as a saved machine holds it: `VcpuState` as JSON, 64-bit values as hexadecimal texts. */

import { StateError } from "../../devices/device.js";
import {
  byte,
  count,
  dword,
  finite,
  flag,
  hexBytes,
  integer,
  list,
  literal,
  nullable,
  object,
  optional,
  type Shape,
  text,
  word,
} from "../../devices/state-shape.js";
import { VCPU_STATE_VERSION, type VcpuState } from "../../vcpu/state.js";

/** An unsigned 64-bit number; a bigint in memory, `"0x1f"` in the file. */
const u64: Shape<bigint> = {
  parse: (value, where) => {
    if (typeof value === "string" && /^0x[0-9a-f]{1,16}$/.test(value)) return BigInt(value);
    throw new StateError(`saved state: ${where} is not a 64-bit number`);
  },
};

const segment = object({ selector: word, base: u64, limit: dword, attributes: integer(0, 0x1_ffff) });
const table = object({ base: u64, limit: dword });

/** MSRs by their numbers, which are the keys. */
const msrs: Shape<Record<number, bigint>> = {
  parse: (value, where) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new StateError(`saved state: ${where} is not an object`);
    }
    const entries = Object.entries(value as Record<string, unknown>);
    if (entries.length > 1024) throw new StateError(`saved state: ${where} has ${entries.length} registers`);
    return Object.fromEntries(
      entries.map(([key, each]) => {
        dword.parse(/^[0-9]{1,10}$/.test(key) ? Number(key) : key, `${where}: the number of a register`);
        return [key, u64.parse(each, `${where}.${key}`)];
      }),
    );
  },
};

export const VCPU_SHAPE: Shape<VcpuState> = object({
  version: literal(VCPU_STATE_VERSION),
  modelHash: text(64),
  gpr: list(u64, 16),
  rip: u64,
  rflags: u64,
  segments: object({
    es: segment,
    cs: segment,
    ss: segment,
    ds: segment,
    fs: segment,
    gs: segment,
    ldtr: segment,
    tr: segment,
  }),
  gdtr: table,
  idtr: table,
  cr0: u64,
  cr2: u64,
  cr3: u64,
  cr4: u64,
  cr8: u64,
  xcr0: u64,
  pkru: optional(dword),
  dr: object({ dr0: u64, dr1: u64, dr2: u64, dr3: u64, dr6: u64, dr7: u64 }),
  pdptrs: list(u64, 4),
  msrs,
  fpu: object({
    fcw: word,
    fsw: word,
    ftw: word,
    fop: word,
    fip: u64,
    fdp: u64,
    fcs: word,
    fds: word,
    mxcsr: dword,
    registers: list(object({ significand: u64, signExponent: word }), 8),
    vectors: list(hexBytes(32), 16),
  }),
  interruptShadow: literal("none", "sti", "mov-ss"),
  nmiMasked: flag,
  nmiPending: flag,
  secondNmi: optional(flag),
  sipiVector: nullable(byte),
  runState: literal("running", "halted", "wait-for-sipi", "init-received", "shutdown", "mwait"),
  event: object({
    kind: literal("none", "exception", "interrupt", "nmi", "software"),
    vector: byte,
    errorCode: nullable(dword),
    payload: nullable(u64),
  }),
  pendingDebug: optional(u64),
  picMessage: optional(flag),
  monitor: optional(object({ line: integer(0, 2 ** 52 - 1), interrupts: flag })),
  apic: object({
    registers: list(dword, 64),
    tscDeadline: u64,
    // Of a slowed timer the start may lie before power-on, and the end beyond what a clock will reach.
    timerStart: nullable(finite),
    timerDeadline: nullable(finite),
    pendingErrors: optional(dword),
  }),
  tsc: u64,
  tscFrequency: integer(1, 1e11),
  instructions: count,
  nested: nullable(text(0x10_0000)),
});

/** The state with bigints as texts, ready for JSON. */
export function vcpuToJson(state: VcpuState): string {
  return JSON.stringify(state, (_, value) => (typeof value === "bigint" ? `0x${value.toString(16)}` : value));
}
