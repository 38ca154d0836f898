import { type SegmentState, VCPU_STATE_VERSION, type VcpuState } from "../../vcpu/state.js";

/** The architectural state after reset (SDM 3A table 10-1), for tests that have no accelerator. */
export function resetState(): VcpuState {
  const segment = (selector: number, base: bigint, attributes: number): SegmentState => ({
    selector,
    base,
    limit: 0xffff,
    attributes,
  });
  const data = segment(0, 0n, 0x93);
  return {
    version: VCPU_STATE_VERSION,
    modelHash: "test",
    gpr: new Array<bigint>(16).fill(0n),
    rip: 0xfff0n,
    rflags: 2n,
    segments: {
      es: data,
      cs: segment(0xf000, 0xffff0000n, 0x9b),
      ss: data,
      ds: data,
      fs: data,
      gs: data,
      ldtr: segment(0, 0n, 0x82),
      tr: segment(0, 0n, 0x8b),
    },
    gdtr: { base: 0n, limit: 0xffff },
    idtr: { base: 0n, limit: 0xffff },
    cr0: 0x60000010n,
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    cr8: 0n,
    xcr0: 1n,
    dr: { dr0: 0n, dr1: 0n, dr2: 0n, dr3: 0n, dr6: 0xffff0ff0n, dr7: 0x400n },
    pdptrs: [0n, 0n, 0n, 0n],
    msrs: {},
    fpu: {
      fcw: 0x40,
      fsw: 0,
      ftw: 0x5555,
      fop: 0,
      fip: 0n,
      fdp: 0n,
      fcs: 0,
      fds: 0,
      mxcsr: 0x1f80,
      registers: Array.from({ length: 8 }, () => ({ significand: 0n, signExponent: 0 })),
      vectors: new Array<string>(16).fill("0".repeat(64)),
    },
    interruptShadow: "none",
    nmiMasked: false,
    nmiPending: false,
    sipiVector: null,
    runState: "running",
    event: { kind: "none", vector: 0, errorCode: null, payload: null },
    apic: { registers: new Array<number>(64).fill(0), tscDeadline: 0n, timerStart: 0, timerDeadline: null },
    tsc: 0n,
    tscFrequency: 1e9,
    instructions: 0,
    nested: null,
  };
}
