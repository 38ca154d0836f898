import type { VcpuState } from "../vcpu/state.js";

export type CpuMode = "real" | "virtual-8086" | "protected" | "compatibility" | "long";

const CR0_PE = 1n;
const CR0_PG = 1n << 31n;
const RFLAGS_VM = 1n << 17n;
const EFER = 0xc0000080;
const EFER_LMA = 1n << 10n;
const ATTRIBUTE_L = 1 << 13;
const ATTRIBUTE_DB = 1 << 14;

/** The operating mode that a state is in. Intel SDM 3A 2.2. */
export function cpuMode(state: VcpuState): CpuMode {
  if (!(state.cr0 & CR0_PE)) return "real";
  if ((state.msrs[EFER] ?? 0n) & EFER_LMA && state.cr0 & CR0_PG) {
    return state.segments.cs.attributes & ATTRIBUTE_L ? "long" : "compatibility";
  }
  return state.rflags & RFLAGS_VM ? "virtual-8086" : "protected";
}

/** Width of code: 16, 32 or 64 bits. */
export function codeBits(state: VcpuState): 16 | 32 | 64 {
  if (cpuMode(state) === "long") return 64;
  return state.segments.cs.attributes & ATTRIBUTE_DB ? 32 : 16;
}

/** The current privilege level: DPL of the stack segment. */
export function privilegeLevel(state: VcpuState): number {
  if (cpuMode(state) === "real") return 0;
  return cpuMode(state) === "virtual-8086" ? 3 : (state.segments.ss.attributes >> 5) & 3;
}

/** RIP as a linear address. */
export function linearRip(state: VcpuState): bigint {
  if (cpuMode(state) === "long") return state.rip;
  return BigInt.asUintN(32, state.segments.cs.base + state.rip);
}

/** RSP as a linear address. */
export function linearRsp(state: VcpuState): bigint {
  const rsp = state.gpr[4];
  if (cpuMode(state) === "long") return rsp;
  const wide = state.segments.ss.attributes & ATTRIBUTE_DB;
  return BigInt.asUintN(32, state.segments.ss.base + BigInt.asUintN(wide ? 32 : 16, rsp));
}
