/**
 * The architectural state between its typed form and KVM's structures: kvm_regs, kvm_sregs2, kvm_xsave,
 * kvm_xcrs, kvm_debugregs, kvm_vcpu_events, kvm_lapic_state, kvm_mp_state.
 */
import type { SegmentState, VcpuState } from "../../vcpu/state.js";
import * as api from "./api.js";

const REGS_BYTES = 0x90;
const SREGS_BYTES = 0x140;
const XSAVE_BYTES = 4096;
const XCRS_BYTES = 0x188;
const DEBUGREGS_BYTES = 0x80;
const EVENTS_BYTES = 0x40;
const LAPIC_BYTES = 0x400;

/** kvm_regs holds them in this order; VcpuState.gpr in the encoding's. */
const REGS_ORDER = [0, 3, 1, 2, 6, 7, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15];
/** Segments in kvm_sregs2, 24 bytes each from offset 0. */
const SREGS_SEGMENTS = ["cs", "ds", "es", "fs", "gs", "ss", "tr", "ldtr"] as const;
const SEGMENT_BYTES = 24;
const SREGS_GDT = 192;
const SREGS_IDT = 208;
const SREGS_CR0 = 224;
const SREGS_CR2 = 232;
const SREGS_CR3 = 240;
const SREGS_CR4 = 248;
const SREGS_CR8 = 256;
const SREGS_EFER = 264;
const SREGS_APIC_BASE = 272;
const SREGS_FLAGS = 280;
const SREGS_PDPTRS = 288;
const SREGS_PDPTRS_VALID = 1n;

const CR0_PE = 1n;
const CR0_PG = 1n << 31n;
const CR4_PAE = 1n << 5n;
const EFER_LMA = 1n << 10n;

/** By KVM_MP_STATE_*: runnable, uninitialized, INIT received, halted, SIPI received. */
const MP_STATES = ["running", "wait-for-sipi", "wait-for-sipi", "halted", "running"] as const;
/** KVM takes a SIPI only after INIT. */
// MWAIT may end at any time: here it does at once.
const MP_STATE_OF = { running: 0, halted: 3, "wait-for-sipi": 2, "init-received": 2, mwait: 0 } as const;

/** How the state's structures reach a vCPU: its ioctls with a buffer. */
export type VcpuIoctl = (request: number, buffer: Uint8Array, what: string) => void;

function buffer(size: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(size);
  return { bytes, view: new DataView(bytes.buffer) };
}

type Registers = Pick<VcpuState, "gpr" | "rip" | "rflags">;

export function getRegisters(ioctl: VcpuIoctl): Registers {
  const { bytes, view } = buffer(REGS_BYTES);
  ioctl(api.KVM_GET_REGS, bytes, "KVM_GET_REGS");
  const gpr = new Array<bigint>(16);
  REGS_ORDER.forEach((register, index) => {
    gpr[register] = view.getBigUint64(index * 8, true);
  });
  return { gpr, rip: view.getBigUint64(128, true), rflags: view.getBigUint64(136, true) };
}

export function setRegisters(ioctl: VcpuIoctl, state: Registers): void {
  const { bytes, view } = buffer(REGS_BYTES);
  REGS_ORDER.forEach((register, index) => {
    view.setBigUint64(index * 8, state.gpr[register] ?? 0n, true);
  });
  view.setBigUint64(128, state.rip, true);
  view.setBigUint64(136, state.rflags, true);
  ioctl(api.KVM_SET_REGS, bytes, "KVM_SET_REGS");
}

type System = Pick<VcpuState, "segments" | "gdtr" | "idtr" | "cr0" | "cr2" | "cr3" | "cr4" | "cr8"> & {
  /** Null where KVM keeps none, or they mean nothing: what memory has counts. */
  pdptrs: bigint[] | null;
  efer: bigint;
  apicBase: bigint;
};

export function getSystem(ioctl: VcpuIoctl): System {
  const { bytes, view } = buffer(SREGS_BYTES);
  ioctl(api.KVM_GET_SREGS2, bytes, "KVM_GET_SREGS2");
  const segments = {} as Record<(typeof SREGS_SEGMENTS)[number], SegmentState>;
  SREGS_SEGMENTS.forEach((name, index) => {
    segments[name] = getSegment(view, index * SEGMENT_BYTES);
  });
  return {
    segments,
    gdtr: { base: view.getBigUint64(SREGS_GDT, true), limit: view.getUint16(SREGS_GDT + 8, true) },
    idtr: { base: view.getBigUint64(SREGS_IDT, true), limit: view.getUint16(SREGS_IDT + 8, true) },
    cr0: view.getBigUint64(SREGS_CR0, true),
    cr2: view.getBigUint64(SREGS_CR2, true),
    cr3: view.getBigUint64(SREGS_CR3, true),
    cr4: view.getBigUint64(SREGS_CR4, true),
    cr8: view.getBigUint64(SREGS_CR8, true),
    efer: view.getBigUint64(SREGS_EFER, true),
    apicBase: view.getBigUint64(SREGS_APIC_BASE, true),
    pdptrs:
      view.getBigUint64(SREGS_FLAGS, true) & SREGS_PDPTRS_VALID
        ? Array.from({ length: 4 }, (_, index) => view.getBigUint64(SREGS_PDPTRS + index * 8, true))
        : null,
  };
}

export function setSystem(ioctl: VcpuIoctl, state: System): void {
  const { bytes, view } = buffer(SREGS_BYTES);
  SREGS_SEGMENTS.forEach((name, index) => {
    setSegment(view, index * SEGMENT_BYTES, state.segments[name]);
  });
  view.setBigUint64(SREGS_GDT, state.gdtr.base, true);
  view.setUint16(SREGS_GDT + 8, state.gdtr.limit, true);
  view.setBigUint64(SREGS_IDT, state.idtr.base, true);
  view.setUint16(SREGS_IDT + 8, state.idtr.limit, true);
  view.setBigUint64(SREGS_CR0, state.cr0, true);
  view.setBigUint64(SREGS_CR2, state.cr2, true);
  view.setBigUint64(SREGS_CR3, state.cr3, true);
  view.setBigUint64(SREGS_CR4, state.cr4, true);
  view.setBigUint64(SREGS_CR8, state.cr8, true);
  view.setBigUint64(SREGS_EFER, state.efer, true);
  view.setBigUint64(SREGS_APIC_BASE, state.apicBase, true);
  const paging = CR0_PG | CR0_PE;
  if ((state.cr0 & paging) === paging && state.cr4 & CR4_PAE && !(state.efer & EFER_LMA)) {
    view.setBigUint64(SREGS_FLAGS, SREGS_PDPTRS_VALID, true);
    state.pdptrs?.forEach((value, index) => {
      view.setBigUint64(SREGS_PDPTRS + index * 8, value, true);
    });
  }
  ioctl(api.KVM_SET_SREGS2, bytes, "KVM_SET_SREGS2");
}

// struct kvm_segment: base u64, limit u32, selector u16, then a byte each: type, present, dpl, db, s, l, g, avl, unusable.
function getSegment(view: DataView, at: number): SegmentState {
  const byte = (index: number) => view.getUint8(at + 14 + index);
  return {
    base: view.getBigUint64(at, true),
    limit: view.getUint32(at + 8, true),
    selector: view.getUint16(at + 12, true),
    attributes:
      byte(0) |
      (byte(4) << 4) |
      (byte(2) << 5) |
      (byte(1) << 7) |
      (byte(7) << 12) |
      (byte(5) << 13) |
      (byte(3) << 14) |
      (byte(6) << 15) |
      (byte(8) << 16),
  };
}

function setSegment(view: DataView, at: number, segment: SegmentState): void {
  const bit = (shift: number) => (segment.attributes >> shift) & 1;
  view.setBigUint64(at, segment.base, true);
  view.setUint32(at + 8, segment.limit, true);
  view.setUint16(at + 12, segment.selector, true);
  const fields = [
    segment.attributes & 15,
    bit(7),
    (segment.attributes >> 5) & 3,
    bit(14),
    bit(4),
    bit(13),
    bit(15),
    bit(12),
    bit(16),
  ];
  fields.forEach((value, index) => {
    view.setUint8(at + 14 + index, value);
  });
}

// kvm_xsave is the XSAVE area in standard format: legacy region as FXSAVE64 has it, header at 512, YMM's upper halves at 576.
export function getFpu(ioctl: VcpuIoctl): VcpuState["fpu"] {
  const { bytes, view } = buffer(XSAVE_BYTES);
  ioctl(api.KVM_GET_XSAVE, bytes, "KVM_GET_XSAVE");
  const components = view.getBigUint64(512, true);
  const x87 = (components & 1n) !== 0n;
  const sse = (components & 2n) !== 0n;
  const ymm = (components & 4n) !== 0n;
  const fsw = x87 ? view.getUint16(2, true) : 0;
  const top = (fsw >> 11) & 7;
  const registers = new Array<{ significand: bigint; signExponent: number }>(8);
  for (let index = 0; index < 8; index++) {
    registers[(top + index) & 7] = {
      significand: x87 ? view.getBigUint64(32 + index * 16, true) : 0n,
      signExponent: x87 ? view.getUint16(40 + index * 16, true) : 0,
    };
  }
  return {
    fcw: x87 ? view.getUint16(0, true) : 0x37f,
    fsw,
    ftw: fullTagWord(x87 ? view.getUint8(4) : 0, registers),
    fop: x87 ? view.getUint16(6, true) : 0,
    fip: x87 ? view.getBigUint64(8, true) : 0n,
    fdp: x87 ? view.getBigUint64(16, true) : 0n,
    fcs: 0,
    fds: 0,
    mxcsr: view.getUint32(24, true),
    registers,
    vectors: Array.from({ length: 16 }, (_, index) => {
      const low = sse ? bytes.subarray(160 + index * 16, 176 + index * 16) : new Uint8Array(16);
      const high = ymm ? bytes.subarray(576 + index * 16, 592 + index * 16) : new Uint8Array(16);
      return Buffer.concat([low, high]).toString("hex");
    }),
  };
}

export function setFpu(ioctl: VcpuIoctl, fpu: VcpuState["fpu"], xcr0: bigint): void {
  const { bytes, view } = buffer(XSAVE_BYTES);
  const top = (fpu.fsw >> 11) & 7;
  view.setUint16(0, fpu.fcw, true);
  view.setUint16(2, fpu.fsw, true);
  let abridged = 0;
  for (let index = 0; index < 8; index++) if (((fpu.ftw >> (index * 2)) & 3) !== 3) abridged |= 1 << index;
  view.setUint8(4, abridged);
  view.setUint16(6, fpu.fop, true);
  view.setBigUint64(8, fpu.fip, true);
  view.setBigUint64(16, fpu.fdp, true);
  view.setUint32(24, fpu.mxcsr, true);
  view.setUint32(28, 0xffff, true);
  for (let index = 0; index < 8; index++) {
    const register = fpu.registers[(top + index) & 7];
    view.setBigUint64(32 + index * 16, register?.significand ?? 0n, true);
    view.setUint16(40 + index * 16, register?.signExponent ?? 0, true);
  }
  fpu.vectors.forEach((hex, index) => {
    const vector = Buffer.from(hex, "hex");
    bytes.set(vector.subarray(0, 16), 160 + index * 16);
    if (xcr0 & 4n) bytes.set(vector.subarray(16, 32), 576 + index * 16);
  });
  view.setBigUint64(512, 3n | (xcr0 & 4n), true);
  ioctl(api.KVM_SET_XSAVE, bytes, "KVM_SET_XSAVE");
}

// The abridged tag says only empty or not; the other two tags follow from the value. SDM vol. 1, 8.1.7.
function fullTagWord(abridged: number, registers: { significand: bigint; signExponent: number }[]): number {
  let tags = 0;
  registers.forEach(({ significand, signExponent }, index) => {
    const exponent = signExponent & 0x7fff;
    let tag = 3;
    if ((abridged >> index) & 1) {
      if (exponent === 0 && significand === 0n) tag = 1;
      else if (exponent === 0 || exponent === 0x7fff || significand >> 63n === 0n) tag = 2;
      else tag = 0;
    }
    tags |= tag << (index * 2);
  });
  return tags;
}

export function getXcr0(ioctl: VcpuIoctl): bigint {
  const { bytes, view } = buffer(XCRS_BYTES);
  ioctl(api.KVM_GET_XCRS, bytes, "KVM_GET_XCRS");
  return view.getUint32(0, true) === 0 ? 1n : view.getBigUint64(16, true);
}

export function setXcr0(ioctl: VcpuIoctl, value: bigint): void {
  const { bytes, view } = buffer(XCRS_BYTES);
  view.setUint32(0, 1, true);
  view.setBigUint64(16, value, true);
  ioctl(api.KVM_SET_XCRS, bytes, "KVM_SET_XCRS");
}

export function getDebugRegisters(ioctl: VcpuIoctl): VcpuState["dr"] {
  const { bytes, view } = buffer(DEBUGREGS_BYTES);
  ioctl(api.KVM_GET_DEBUGREGS, bytes, "KVM_GET_DEBUGREGS");
  const at = (index: number) => view.getBigUint64(index * 8, true);
  return { dr0: at(0), dr1: at(1), dr2: at(2), dr3: at(3), dr6: at(4), dr7: at(5) };
}

export function setDebugRegisters(ioctl: VcpuIoctl, dr: VcpuState["dr"]): void {
  const { bytes, view } = buffer(DEBUGREGS_BYTES);
  [dr.dr0, dr.dr1, dr.dr2, dr.dr3, dr.dr6, dr.dr7].forEach((value, index) => {
    view.setBigUint64(index * 8, value, true);
  });
  ioctl(api.KVM_SET_DEBUGREGS, bytes, "KVM_SET_DEBUGREGS");
}

type Events = Pick<VcpuState, "event" | "interruptShadow" | "nmiMasked" | "nmiPending" | "sipiVector">;

// struct kvm_vcpu_events: exception (injected, nr, has_error_code, pending, error_code u32), interrupt (injected, nr,
// soft, shadow), nmi (injected, pending, masked, pad), sipi_vector u32, flags u32, smi and more. Payloads of exceptions are in CR2 and DR6 already.
const EVENTS_NMI_PENDING = 1;
const EVENTS_SIPI_VECTOR = 2;
const EVENTS_SHADOW = 4;
const SHADOW_MOV_SS = 1;
const SHADOW_STI = 2;

export function getEvents(ioctl: VcpuIoctl): Events {
  const { bytes, view } = buffer(EVENTS_BYTES);
  ioctl(api.KVM_GET_VCPU_EVENTS, bytes, "KVM_GET_VCPU_EVENTS");
  const shadow = view.getUint8(11);
  const event: VcpuState["event"] = { kind: "none", vector: 0, errorCode: null, payload: null };
  if (view.getUint8(0) !== 0 || view.getUint8(3) !== 0) {
    event.kind = "exception";
    event.vector = view.getUint8(1);
    event.errorCode = view.getUint8(2) !== 0 ? view.getUint32(4, true) : null;
  } else if (view.getUint8(12) !== 0) {
    event.kind = "nmi";
    event.vector = 2;
  } else if (view.getUint8(8) !== 0) {
    event.kind = view.getUint8(10) !== 0 ? "software" : "interrupt";
    event.vector = view.getUint8(9);
  }
  return {
    event,
    interruptShadow: shadow & SHADOW_MOV_SS ? "mov-ss" : shadow & SHADOW_STI ? "sti" : "none",
    nmiPending: view.getUint8(13) !== 0,
    nmiMasked: view.getUint8(14) !== 0,
    sipiVector: null,
  };
}

export function setEvents(ioctl: VcpuIoctl, state: Events): void {
  const { bytes, view } = buffer(EVENTS_BYTES);
  const { event } = state;
  if (event.kind === "exception") {
    view.setUint8(0, 1);
    view.setUint8(1, event.vector);
    view.setUint8(2, event.errorCode === null ? 0 : 1);
    view.setUint32(4, event.errorCode ?? 0, true);
  } else if (event.kind === "nmi") {
    view.setUint8(12, 1);
  } else if (event.kind === "interrupt" || event.kind === "software") {
    view.setUint8(8, 1);
    view.setUint8(9, event.vector);
    view.setUint8(10, event.kind === "software" ? 1 : 0);
  }
  view.setUint8(
    11,
    state.interruptShadow === "mov-ss" ? SHADOW_MOV_SS : state.interruptShadow === "sti" ? SHADOW_STI : 0,
  );
  view.setUint8(13, state.nmiPending ? 1 : 0);
  view.setUint8(14, state.nmiMasked ? 1 : 0);
  view.setUint32(16, state.sipiVector ?? 0, true);
  const sipi = state.sipiVector === null ? 0 : EVENTS_SIPI_VECTOR;
  view.setUint32(20, EVENTS_NMI_PENDING | EVENTS_SHADOW | sipi, true);
  ioctl(api.KVM_SET_VCPU_EVENTS, bytes, "KVM_SET_VCPU_EVENTS");
}

/** The APIC's register page: 64 registers at 16-byte steps. */
export function getApic(ioctl: VcpuIoctl): number[] {
  const { bytes, view } = buffer(LAPIC_BYTES);
  ioctl(api.KVM_GET_LAPIC, bytes, "KVM_GET_LAPIC");
  return Array.from({ length: 64 }, (_, index) => view.getUint32(index * 16, true));
}

export function setApic(ioctl: VcpuIoctl, registers: readonly number[]): void {
  const { bytes, view } = buffer(LAPIC_BYTES);
  registers.forEach((value, index) => {
    view.setUint32(index * 16, value, true);
  });
  ioctl(api.KVM_SET_LAPIC, bytes, "KVM_SET_LAPIC");
}

export function getRunState(ioctl: VcpuIoctl): VcpuState["runState"] {
  const { bytes, view } = buffer(4);
  ioctl(api.KVM_GET_MP_STATE, bytes, "KVM_GET_MP_STATE");
  return MP_STATES[view.getUint32(0, true)] ?? "running";
}

export function setRunState(ioctl: VcpuIoctl, state: Exclude<VcpuState["runState"], "shutdown">): void {
  const { bytes, view } = buffer(4);
  view.setUint32(0, MP_STATE_OF[state], true);
  ioctl(api.KVM_SET_MP_STATE, bytes, "KVM_SET_MP_STATE");
}
