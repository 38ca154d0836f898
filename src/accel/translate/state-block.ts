/** The architectural state between its typed form and a vCPU's state block in wasm memory. */
import type { DescriptorTableState, RunState, SegmentState, VcpuState } from "../../vcpu/state.js";
import { VCPU_STATE_VERSION } from "../../vcpu/state.js";
import * as L from "./layout.js";

const RUN_STATES: readonly RunState[] = ["running", "halted", "wait-for-sipi", "init-received", "shutdown", "mwait"];
const RESUME_FLAG = 0x10000n;
const SHADOWS = ["none", "sti", "mov-ss"] as const;
const EVENT_KINDS = ["none", "exception", "interrupt", "nmi", "software"] as const;
const SEGMENT_NAMES = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"] as const;

/** Reads and writes a state block. MSRs and flags come and go through the core, not through here. */
export class StateBlock {
  constructor(
    private readonly view: DataView,
    private readonly bytes: Uint8Array,
    private readonly cpu: number,
  ) {}

  u32(offset: number): number {
    return this.view.getUint32(this.cpu + offset, true);
  }
  setU32(offset: number, value: number): void {
    this.view.setUint32(this.cpu + offset, value, true);
  }
  u64(offset: number): bigint {
    return this.view.getBigUint64(this.cpu + offset, true);
  }
  setU64(offset: number, value: bigint): void {
    this.view.setBigUint64(this.cpu + offset, BigInt.asUintN(64, value), true);
  }
  f64(offset: number): number {
    return this.view.getFloat64(this.cpu + offset, true);
  }
  setF64(offset: number, value: number): void {
    this.view.setFloat64(this.cpu + offset, value, true);
  }
  /** A 64-bit count as a number; exact below 2^53. */
  count(offset: number): number {
    return this.u32(offset) + (this.view.getInt32(this.cpu + offset + 4, true) | 0) * 0x1_0000_0000;
  }
  setCount(offset: number, value: number): void {
    this.setU32(offset, value >>> 0);
    this.view.setInt32(this.cpu + offset + 4, Math.floor(value / 0x1_0000_0000), true);
  }

  /** Everything but RFLAGS' lazy part, MSRs, model hash and instruction count, which the vCPU fills in. */
  read(): Omit<VcpuState, "modelHash" | "msrs" | "tsc" | "tscFrequency" | "instructions"> {
    const sipi = this.u32(L.SIPI_VECTOR);
    const deadline = this.f64(L.APIC_TIMER_DEADLINE);
    const pendingDebug = this.u64(L.DEBUG_PENDING);
    const pkru = this.u32(L.PKRU);
    const pendingErrors = this.u32(L.APIC_ESR_LATCH);
    const pendingNmis = this.u32(L.NMI_PENDING);
    return {
      version: VCPU_STATE_VERSION,
      gpr: Array.from({ length: 16 }, (_, index) => this.u64(L.GPR + index * 8)),
      rip: this.u64(L.RIP),
      // Between repetitions of a string instruction RF is what an event would push.
      rflags: this.u64(L.RFLAGS) | (this.u32(L.REPEATING) === 0 ? 0n : RESUME_FLAG),
      segments: Object.fromEntries(
        SEGMENT_NAMES.map((name, index) => [name, this.segment(index)]),
      ) as VcpuState["segments"],
      gdtr: this.table(L.GDTR_BASE, L.GDTR_LIMIT),
      idtr: this.table(L.IDTR_BASE, L.IDTR_LIMIT),
      cr0: this.u64(L.CR0),
      cr2: this.u64(L.CR2),
      cr3: this.u64(L.CR3),
      cr4: this.u64(L.CR4),
      cr8: BigInt(this.u32(L.APIC + 0x80) >>> 4),
      xcr0: this.u64(L.XCR0),
      ...(pkru === 0 ? {} : { pkru }),
      dr: {
        dr0: this.u64(L.DR),
        dr1: this.u64(L.DR + 8),
        dr2: this.u64(L.DR + 16),
        dr3: this.u64(L.DR + 24),
        dr6: this.u64(L.DR + 48),
        dr7: this.u64(L.DR + 56),
      },
      pdptrs: Array.from({ length: 4 }, (_, index) => this.u64(L.PDPTR + index * 8)),
      fpu: {
        fcw: this.u32(L.FCW),
        fsw: this.u32(L.FSW),
        ftw: this.u32(L.FTW),
        fop: this.u32(L.FOP),
        fip: this.u64(L.FIP),
        fdp: this.u64(L.FDP),
        fcs: this.u32(L.FCS),
        fds: this.u32(L.FDS),
        mxcsr: this.u32(L.MXCSR),
        registers: Array.from({ length: 8 }, (_, index) => ({
          significand: this.u64(L.ST + index * 16),
          signExponent: this.u32(L.ST + index * 16 + 8) & 0xffff,
        })),
        vectors: Array.from({ length: 16 }, (_, index) => toHex(this.slice(L.XMM + index * 32, 32))),
      },
      interruptShadow: SHADOWS[this.u32(L.SHADOW)] ?? "none",
      nmiMasked: this.u32(L.NMI_MASKED) !== 0,
      nmiPending: pendingNmis !== 0,
      ...(pendingNmis === 2 ? { secondNmi: true } : {}),
      ...(this.u32(L.EXTINT_MESSAGE) !== 0 ? { picMessage: true } : {}),
      sipiVector: sipi === 0xffffffff ? null : sipi,
      runState: RUN_STATES[this.u32(L.RUN_STATE)] ?? "running",
      event: {
        kind: EVENT_KINDS[this.u32(L.EXC_PENDING)] ?? "none",
        vector: this.u32(L.EXC_VECTOR),
        errorCode: this.u32(L.EXC_HAS_ERROR) !== 0 ? this.u32(L.EXC_ERROR) : null,
        payload: this.u64(L.EXC_PAYLOAD),
      },
      apic: {
        registers: Array.from({ length: 64 }, (_, index) => this.u32(L.APIC + index * 16)),
        tscDeadline: this.u64(L.APIC_TSC_DEADLINE),
        timerStart: this.f64(L.APIC_TIMER_START),
        timerDeadline: Number.isFinite(deadline) ? deadline : null,
        ...(pendingErrors === 0 ? {} : { pendingErrors }),
      },
      ...(this.u32(L.IGNNE) === 0 ? {} : { ignoresFloatError: true as const }),
      ...(pendingDebug === 0n ? {} : { pendingDebug }),
      nested: null,
    };
  }

  write(state: VcpuState): void {
    state.gpr.forEach((value, index) => {
      this.setU64(L.GPR + index * 8, value);
    });
    this.setU64(L.RIP, state.rip);
    this.setU64(L.RFLAGS, state.rflags);
    this.setU32(L.CC_OP, 0);
    this.setU32(L.REPEATING, 0);
    // No instruction is under way.
    this.setU32(L.CUR_REC, 0);
    SEGMENT_NAMES.forEach((name, index) => {
      this.setSegment(index, state.segments[name]);
    });
    this.setTable(L.GDTR_BASE, L.GDTR_LIMIT, state.gdtr);
    this.setTable(L.IDTR_BASE, L.IDTR_LIMIT, state.idtr);
    this.setU64(L.CR0, state.cr0);
    this.setU64(L.CR2, state.cr2);
    this.setU64(L.CR3, state.cr3);
    this.setU64(L.CR4, state.cr4);
    this.setU64(L.XCR0, state.xcr0);
    this.setU32(L.PKRU, state.pkru ?? 0);
    const { dr0, dr1, dr2, dr3, dr6, dr7 } = state.dr;
    [dr0, dr1, dr2, dr3, dr6, dr7, dr6, dr7].forEach((value, index) => {
      this.setU64(L.DR + index * 8, value);
    });
    state.pdptrs.forEach((value, index) => {
      this.setU64(L.PDPTR + index * 8, value);
    });
    const fpu = state.fpu;
    this.setU32(L.FCW, fpu.fcw);
    this.setU32(L.FSW, fpu.fsw);
    this.setU32(L.FTW, fpu.ftw);
    this.setU32(L.FOP, fpu.fop);
    this.setU64(L.FIP, fpu.fip);
    this.setU64(L.FDP, fpu.fdp);
    this.setU32(L.FCS, fpu.fcs);
    this.setU32(L.FDS, fpu.fds);
    this.setU32(L.MXCSR, fpu.mxcsr);
    this.setU32(L.IGNNE, state.ignoresFloatError === true ? 1 : 0);
    this.setU32(L.FPU_PENDING, (fpu.fsw >> 7) & 1);
    fpu.registers.forEach((value, index) => {
      this.setU64(L.ST + index * 16, value.significand);
      this.setU64(L.ST + index * 16 + 8, BigInt(value.signExponent));
    });
    fpu.vectors.forEach((hex, index) => {
      this.slice(L.XMM + index * 32, 32).set(fromHex(hex, 32));
    });
    this.setU32(L.SHADOW, SHADOWS.indexOf(state.interruptShadow));
    this.setU32(L.NMI_MASKED, state.nmiMasked ? 1 : 0);
    this.setU32(L.NMI_PENDING, state.nmiPending ? (state.secondNmi ? 2 : 1) : 0);
    this.setU32(L.EXTINT_MESSAGE, state.picMessage ? 1 : 0);
    this.setU32(L.SIPI_VECTOR, state.sipiVector ?? 0xffffffff);
    this.setU32(L.RUN_STATE, RUN_STATES.indexOf(state.runState));
    this.setU32(L.EXC_PENDING, EVENT_KINDS.indexOf(state.event.kind));
    this.setU32(L.EXC_VECTOR, state.event.vector);
    this.setU32(L.EXC_HAS_ERROR, state.event.errorCode === null ? 0 : 1);
    this.setU32(L.EXC_ERROR, state.event.errorCode ?? 0);
    this.setU64(L.EXC_PAYLOAD, state.event.payload ?? 0n);
    this.setU32(L.DELIVERING, 0);
    this.setU64(L.DEBUG_PENDING, state.pendingDebug ?? 0n);
  }

  /** The local APIC's page and timer; after the MSRs, because APIC_BASE's transitions reset it. */
  writeApic(state: VcpuState): void {
    state.apic.registers.forEach((value, index) => {
      this.setU32(L.APIC + index * 16, value);
    });
    this.setU32(L.APIC + 0x80, Math.max(Number(state.cr8) << 4, (state.apic.registers[8] ?? 0) & 0xff));
    this.setU64(L.APIC_TSC_DEADLINE, state.apic.tscDeadline);
    this.setU32(L.APIC_ESR_LATCH, state.apic.pendingErrors ?? 0);
    this.setF64(L.APIC_TIMER_START, state.apic.timerStart ?? 0);
    this.setF64(L.APIC_TIMER_DEADLINE, state.apic.timerDeadline ?? Number.POSITIVE_INFINITY);
  }

  private slice(offset: number, size: number): Uint8Array {
    return this.bytes.subarray(this.cpu + offset, this.cpu + offset + size);
  }

  private segment(index: number): SegmentState {
    const at = L.SEGMENTS + index * L.SEG_BYTES;
    return {
      selector: this.u32(at + L.SEG_SELECTOR),
      base: this.u64(at + L.SEG_BASE),
      limit: this.u32(at + L.SEG_LIMIT),
      attributes: this.u32(at + L.SEG_ATTR),
    };
  }

  private setSegment(index: number, segment: SegmentState): void {
    const at = L.SEGMENTS + index * L.SEG_BYTES;
    this.setU32(at + L.SEG_SELECTOR, segment.selector);
    this.setU64(at + L.SEG_BASE, segment.base);
    this.setU32(at + L.SEG_LIMIT, segment.limit);
    this.setU32(at + L.SEG_ATTR, segment.attributes);
  }

  private table(base: number, limit: number): DescriptorTableState {
    return { base: this.u64(base), limit: this.u32(limit) };
  }

  private setTable(base: number, limit: number, table: DescriptorTableState): void {
    this.setU64(base, table.base);
    this.setU32(limit, table.limit);
  }
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromHex(hex: string, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16) || 0);
}
